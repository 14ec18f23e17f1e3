"""A wire in user space: what one TUN interface sends arrives at the other after the link's delay.

It injects the same faults as the world's links, and records the same packets.
"""

import os
from collections import deque
from typing import Final

from halfopen.oracle import namespaces
from halfopen.record.events import PacketArrived, PacketLost, PacketSent
from halfopen.record.trace import Trace

CABLE_OUT: Final = "cable out"
HOST_OFF: Final = "host off"
_PACKET_MAX: Final = 65536


class End:
    """One end of a link: the TUN interface of a host. A host without power has no descriptor."""

    def __init__(self, host: str, tun: int | None) -> None:
        self.host = host
        self.tun = tun

    def close(self) -> None:
        """Take the interface away, with its host."""
        if self.tun is not None:
            os.close(self.tun)
            self.tun = None


class Way:
    """One direction of a link. What is on it arrives in the order in which it left."""

    def __init__(self, link: str, source: End, target: End, delay_ns: int) -> None:
        self.link = link
        self.source = source
        self.target = target
        self.delay_ns = delay_ns
        self.carries = True
        self.flights: deque[tuple[int, int, bytes]] = deque()  # arrives at, packet id, packet

    def due(self) -> int | None:
        """When the first packet arrives."""
        return self.flights[0][0] if self.flights else None

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
            if self.carries:
                self.flights.append((now + self.delay_ns, number, raw))
            else:
                trace.add(PacketLost(t_ns=now, packet_id=number, why=CABLE_OUT))

    def cut(self, trace: Trace, now: int) -> None:
        """Carry nothing from now on; what is on the way is lost too."""
        self.carries = False
        for _, number, _ in self.flights:
            trace.add(PacketLost(t_ns=now, packet_id=number, why=CABLE_OUT))
        self.flights.clear()

    def deliver(self, trace: Trace, now: int) -> None:
        """Give the target's kernel what has arrived by now."""
        while self.flights and self.flights[0][0] <= now:
            _, number, raw = self.flights.popleft()
            if self.target.tun is None:
                trace.add(PacketLost(t_ns=now, packet_id=number, why=HOST_OFF))
                continue
            trace.add(PacketArrived(t_ns=now, packet_id=number, host=self.target.host))
            os.write(self.target.tun, raw)


class Cable:
    """A link: two ends, two ways."""

    def __init__(self, name: str, a: End, b: End, delay_ns: int) -> None:
        self.name = name
        self.ends = (a, b)
        self.ways = (Way(name, a, b, delay_ns), Way(name, b, a, delay_ns))

    def pull(
        self, trace: Trace, now: int, *, seen_by: tuple[str, ...], towards: str | None
    ) -> bool:
        """Stop carrying, both ways or towards one host; False: nothing was left to stop."""
        ways = [way for way in self.ways if towards in {None, way.target.host} and way.carries]
        for way in ways:
            way.cut(trace, now)
        for end in self.ends:
            if end.host in seen_by and end.tun is not None:
                namespaces.set_carrier(end.tun, present=False)
        return bool(ways)

    def plug(self) -> bool:
        """Carry again, both ways; False: it did already."""
        was_out = not all(way.carries for way in self.ways)
        for way in self.ways:
            way.carries = True
        for end in self.ends:
            if end.tun is not None:
                namespaces.set_carrier(end.tun, present=True)
        return was_out
