"""A switch in user space: what one TAP interface sends arrives at the port that it is meant for."""

import os
from collections import deque
from typing import Final

from halfopen.oracle.wire import End, hand_over
from halfopen.record.events import ArpSent, PacketArrived, PacketLost, PacketSent
from halfopen.record.fates import HOST_OFF
from halfopen.record.trace import Trace
from halfopen.wire import ethernet, ip
from halfopen.wire.address import is_v6
from halfopen.wire.arp import Arp
from halfopen.wire.errors import WireError
from halfopen.wire.ethernet import Frame, is_for
from halfopen.wire.icmp import Icmp
from halfopen.wire.ndisc import Ndisc

_FRAME_MAX: Final = 65550
_LISTENER_DISCOVERY: Final = frozenset({130, 131, 132, 143})


class Port:
    """A host's place at the switch; what the host has sent is on its way from here."""

    def __init__(self, lan: "Lan", source: End, mac: str) -> None:
        self.lan = lan
        self.source = source
        self.mac = mac
        self.flights: deque[tuple[int, int, bytes, Port]] = deque()

    def due(self) -> int | None:
        """When the first frame arrives."""
        return self.flights[0][0] if self.flights else None

    def collect(self, trace: Trace, now: int) -> None:
        """Take what the host's interface has sent.

        What is neither IP nor ARP is dropped, and so is what a host tells routers of its groups:
        this switch gives every frame for a group to all.
        """
        while self.source.tun is not None:
            try:
                raw = os.read(self.source.tun, _FRAME_MAX)
            except BlockingIOError:
                return
            try:
                frame = ethernet.decode(raw)
            except WireError:
                continue
            if _about_groups(frame):
                continue
            number = self._record(trace, frame, now)
            for port in self.lan.ports:
                if port is not self and is_for(frame.dst, port.mac):
                    self.flights.append((now + self.lan.delay_ns, number, raw, port))

    def deliver(self, trace: Trace, now: int) -> None:
        """Give the targets' kernels what has arrived by now."""
        while self.flights and self.flights[0][0] <= now:
            _, number, raw, port = self.flights.popleft()
            if port.source.tun is None:
                if number:
                    trace.add(PacketLost(t_ns=now, packet_id=number, why=HOST_OFF))
                continue
            if number:
                trace.add(PacketArrived(t_ns=now, packet_id=number, host=port.source.host))
            hand_over(port.source.tun, raw)

    def _record(self, trace: Trace, frame: Frame, now: int) -> int:
        """Write down what was sent; return its number, 0 for ARP and neighbour discovery."""
        host, link, body = self.source.host, self.lan.name, frame.body
        if isinstance(body, (Arp, Ndisc)):
            trace.add(ArpSent(t_ns=now, host=host, link=link, text=body.show()))
            return 0
        number = trace.next_id()
        raw = ip.encode(body)
        trace.add(PacketSent(t_ns=now, packet_id=number, host=host, link=link, raw=raw))
        return number


def _about_groups(frame: Frame) -> bool:
    """Whether it is a message of multicast listener discovery (RFC 9777 5)."""
    body = frame.body
    if not isinstance(body, ip.Packet) or not isinstance(body.body, Icmp):
        return False
    return is_v6(body.src) and body.body.kind in _LISTENER_DISCOVERY


class Lan:
    """A switch with a port for each host."""

    def __init__(self, name: str, delay_ns: int) -> None:
        self.name = name
        self.delay_ns = delay_ns
        self.ports: list[Port] = []

    def join(self, end: End, mac: str) -> None:
        """Plug a host in."""
        self.ports.append(Port(self, end, mac))
