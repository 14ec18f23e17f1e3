"""A wire in user space: what one TUN interface sends arrives at the other after the link's delay.

It injects the same faults as the world's links, and records the same packets.
"""

import errno
import heapq
import os
from collections import deque
from typing import Final

from halfopen.base.rng import Rng
from halfopen.oracle import namespaces
from halfopen.record.events import PacketArrived, PacketLost, PacketSent
from halfopen.record.fates import (
    CABLE_OUT,
    DOUBLED,
    FORGER,
    HOST_OFF,
    LOST,
    ROUTER,
)
from halfopen.record.faults import Duplicate, Forge, Impair, Unreachable
from halfopen.record.trace import Trace
from halfopen.wire import ip
from halfopen.wire.errors import WireError
from halfopen.wire.impairment import Impairment
from halfopen.wire.onpath import forged, unreachable
from halfopen.wire.tampering import Tampering, takes

_PACKET_MAX: Final = 65536


class End:
    """One end of a link: the TUN interface of a host. A host without power has no descriptor."""

    def __init__(self, host: str, tun: int | None) -> None:
        self.host = host
        self.tun = tun
        self.carrier = True  # whether the host's interface sees the cable

    def give_power(self, tun: int) -> None:
        """Be plugged into the interface of a host that has booted."""
        self.tun = tun
        if not self.carrier:
            namespaces.set_carrier(tun, present=False)

    def set_carrier(self, *, present: bool) -> None:
        """Let the host see the cable, or see that it is out; one without power sees it later."""
        if present != self.carrier and self.tun is not None:
            namespaces.set_carrier(self.tun, present=present)
        self.carrier = present


class Way:
    """One direction of a link.

    What is on it arrives in the order in which it left, but for stragglers, which chance delays.
    """

    def __init__(self, link: str, source: End, target: End, delay_ns: int) -> None:
        self.link = link
        self.source = source
        self.target = target
        self.delay_ns = delay_ns
        self.carries = True
        self.flights: deque[tuple[int, int, bytes]] = deque()  # arrives at, packet id, packet
        self.stragglers: list[tuple[int, int, bytes]] = []  # a heap of the same
        self.last: bytes | None = None  # what the source sent last
        self.tamperings: list[Tampering] = []
        self.impairment: Impairment | None = None
        self.back: Way | None = None  # the way that leads back

    def due(self) -> int | None:
        """When the next packet arrives."""
        times = [queue[0][0] for queue in (self.flights, self.stragglers) if queue]
        return min(times, default=None)

    def collect(self, trace: Trace, now: int) -> None:
        """Take what the source's interface has sent."""
        while self.source.tun is not None:
            try:
                raw = os.read(self.source.tun, _PACKET_MAX)
            except BlockingIOError:
                return
            number = trace.next_id()
            trace.add(
                PacketSent(
                    t_ns=now, packet_id=number, host=self.source.host, link=self.link, raw=raw
                )
            )
            self.last = raw
            self._send(trace, number, raw, now)

    def inject(self, trace: Trace, raw: bytes, now: int, *, by: str) -> None:
        """Put a packet on the way that no host sent."""
        number = trace.next_id()
        trace.add(
            PacketSent(
                t_ns=now,
                packet_id=number,
                host=self.source.host,
                link=self.link,
                raw=raw,
                by=by,
            )
        )
        self._carry(number, raw, now)

    def forge(self, trace: Trace, fault: Forge, now: int) -> bool:
        """Send a segment in the source's name; False: there is none that it could go on from."""
        last = _read(self.last)
        text = fault.text.encode("ascii")
        packet = last and forged(last, fault.flags, seq=fault.seq, ack=fault.ack, text=text)
        if packet is None:
            return False
        self.inject(trace, ip.encode(packet), now, by=FORGER)
        return True

    def impair(self, fault: Impair, rng: Rng) -> None:
        """Be worse from now on; the source of chance is the same as in the world."""
        self.impairment = Impairment(fault, rng.split("way", fault.link, fault.towards))

    def _send(self, trace: Trace, number: int, raw: bytes, now: int) -> None:
        """Put a packet of the source on the way, as far as faults let it."""
        if not self.carries:
            trace.add(PacketLost(t_ns=now, packet_id=number, why=CABLE_OUT))
            return
        packet = _read(raw) if self.tamperings or self.impairment else None
        if packet is None:
            self._carry(number, raw, now)
        elif self._tampered(trace, number, packet, now):
            return
        elif self.impairment is not None:
            self._impaired(self.impairment, trace, number, packet, now)
        else:
            self._carry(number, raw, now)

    def _carry(self, number: int, raw: bytes, leaves: int) -> None:
        at = leaves + self.delay_ns
        if self.flights:
            at = max(at, self.flights[-1][0])
        self.flights.append((at, number, raw))

    def _tampered(self, trace: Trace, number: int, packet: ip.Packet, now: int) -> bool:
        """Do what is to be done to a packet; True: it goes no further."""
        fault = takes(self.tamperings, packet)
        if fault is None:
            return False
        if isinstance(fault, Duplicate):
            self.inject(trace, ip.encode(packet), now, by=DOUBLED)
            return False
        trace.add(PacketLost(t_ns=now, packet_id=number, why=LOST))
        if isinstance(fault, Unreachable):
            assert self.back is not None, "a way without one back"
            answer = unreachable(packet, fault.kind, fault.code, fault.mtu)
            self.back.inject(trace, ip.encode(answer), now, by=ROUTER)
        return True

    def _impaired(
        self, impairment: Impairment, trace: Trace, number: int, packet: ip.Packet, now: int
    ) -> None:
        """Let chance decide what becomes of a packet."""
        fate = impairment.fate(packet, now)
        if fate.doubled:
            self.inject(trace, ip.encode(packet), fate.leaves, by=DOUBLED)
        raw = ip.encode(fate.packet)
        if fate.why:
            trace.add(PacketLost(t_ns=now, packet_id=number, why=fate.why))
        elif fate.late_ns:
            late = fate.leaves + self.delay_ns + fate.late_ns
            heapq.heappush(self.stragglers, (late, number, raw))
        else:
            self._carry(number, raw, fate.leaves)

    def cut(self, trace: Trace, now: int) -> None:
        """Carry nothing from now on; what is on the way is lost too."""
        self.carries = False
        for _, number, _ in (*self.flights, *self.stragglers):
            trace.add(PacketLost(t_ns=now, packet_id=number, why=CABLE_OUT))
        self.flights.clear()
        self.stragglers.clear()

    def deliver(self, trace: Trace, now: int) -> None:
        """Give the target's kernel what has arrived by now."""
        while (at := self.due()) is not None and at <= now:
            if self.flights and self.flights[0][0] == at:
                _, number, raw = self.flights.popleft()
            else:
                _, number, raw = heapq.heappop(self.stragglers)
            if self.target.tun is None:
                trace.add(PacketLost(t_ns=now, packet_id=number, why=HOST_OFF))
                continue
            trace.add(PacketArrived(t_ns=now, packet_id=number, host=self.target.host))
            hand_over(self.target.tun, raw)


class Cable:
    """A link: two ends, two ways."""

    def __init__(self, name: str, a: End, b: End, delay_ns: int) -> None:
        self.name = name
        self.ends = (a, b)
        self.ways = (Way(name, a, b, delay_ns), Way(name, b, a, delay_ns))
        self.ways[0].back, self.ways[1].back = self.ways[1], self.ways[0]

    def pull(
        self, trace: Trace, now: int, *, seen_by: tuple[str, ...], towards: str | None
    ) -> bool:
        """Stop carrying, both ways or towards one host; False: nothing was left to stop."""
        ways = [way for way in self.ways if towards in {None, way.target.host} and way.carries]
        if not ways:
            return False
        for way in ways:
            way.cut(trace, now)
        for end in self.ends:
            if end.host in seen_by:
                end.set_carrier(present=False)
        return True

    def towards(self, host: str) -> Way:
        """The way that ends at a host."""
        (way,) = (way for way in self.ways if way.target.host == host)
        return way

    def plug(self) -> bool:
        """Carry again, both ways; False: it did already."""
        if all(way.carries for way in self.ways):
            return False
        for way in self.ways:
            way.carries = True
        for end in self.ends:
            end.set_carrier(present=True)
        return True


def hand_over(tun: int, raw: bytes) -> None:
    """Write to an interface; one that is down takes nothing, as a dead port does."""
    try:
        os.write(tun, raw)
    except OSError as error:
        if error.errno != errno.EIO:
            raise


def _read(raw: bytes | None) -> ip.Packet | None:
    """Read a packet, if it can be read."""
    try:
        return None if raw is None else ip.decode(raw)
    except WireError:
        return None
