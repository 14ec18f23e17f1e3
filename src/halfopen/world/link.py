"""A link joins two hosts: a delay, a queue for each way, and a cable that may be out."""

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from halfopen.record.events import PacketArrived, PacketLost, PacketSent
from halfopen.record.fates import CABLE_OUT, DOUBLED, HOST_OFF, LOST, ROUTER
from halfopen.record.faults import Duplicate, Unreachable
from halfopen.wire import ip
from halfopen.wire.ethernet import Frame
from halfopen.wire.impairment import Impairment
from halfopen.wire.onpath import unreachable
from halfopen.wire.tampering import Tampering, takes
from halfopen.world.events import NEVER, Event
from halfopen.world.impairment import Straggler

if TYPE_CHECKING:
    from halfopen.world.host import Host
    from halfopen.world.world import World


#: A packet on its way: when it arrives, the packet, its number in the trace.
Flight: TypeAlias = tuple[int, ip.Packet, int]


class Direction(Event):
    """One way of a link: packets in flight, first in first out, one queue entry for them all."""

    def __init__(self, link: "Link", source: "Host", target: "Host", interface: int) -> None:
        self.link = link
        self.world: World = link.world
        self.source = source
        self.target = target
        self.interface = interface  # of the target, by its number there
        self.delay_ns = link.delay_ns
        self.carries = True
        self.carrier = True  # whether the source's interface sees the cable
        self.flights: deque[Flight] = deque()
        self.queued = False
        self.last: ip.Packet | None = None  # what the source sent last
        self.tamperings: list[Tampering] = []
        self.impairment: Impairment | None = None
        self.cuts: int = 0  # how often the cable was pulled

    def number(self) -> int:
        """Number a packet that is to be sent; 0 where no trace is written."""
        trace = self.world.trace
        return 0 if trace is None else trace.next_id()

    def send(self, packet: ip.Packet | Frame, number: int, now: int) -> None:
        """Take a packet from the source's interface."""
        assert isinstance(packet, ip.Packet), "a link carries no frames"
        world = self.world
        trace = world.trace
        if trace is not None:
            trace.add(
                PacketSent(
                    t_ns=now,
                    packet_id=number,
                    host=self.source.name,
                    link=self.link.name,
                    raw=ip.encode(packet),
                )
            )
        self.last = packet
        if not self.carries:
            self.lose(number, CABLE_OUT, now)
            return
        if self.tamperings and self._tampered(packet, number, now):
            return
        if self.impairment is not None:
            self._impaired(self.impairment, packet, number, now)
        else:
            self.carry(packet, number, now)

    def carry(self, packet: ip.Packet, number: int, leaves: int) -> None:
        """Put a packet on the wire, behind those that are on it."""
        at = leaves + self.delay_ns
        flights = self.flights
        if flights and flights[-1][0] > at:
            at = flights[-1][0]
        flights.append((at, packet, number))
        if not self.queued:
            self.queued = True
            self.world.queue.push(at, self)

    def inject(self, packet: ip.Packet, now: int, *, by: str) -> None:
        """Put a packet on the wire that somebody on the way made."""
        number = self.number()
        trace = self.world.trace
        if trace is not None:
            trace.add(
                PacketSent(
                    t_ns=now,
                    packet_id=number,
                    host=self.source.name,
                    link=self.link.name,
                    raw=ip.encode(packet),
                    by=by,
                )
            )
        self.carry(packet, number, now)

    def _tampered(self, packet: ip.Packet, number: int, now: int) -> bool:
        """Do what is to be done to a packet; True: it goes no further."""
        fault = takes(self.tamperings, packet)
        if fault is None:
            return False
        if isinstance(fault, Duplicate):
            self.inject(packet, now, by=DOUBLED)
            return False
        self.lose(number, LOST, now)
        if isinstance(fault, Unreachable):
            answer = unreachable(packet, fault.kind, fault.code, fault.mtu)
            self.link.other(self).inject(answer, now, by=ROUTER)
        return True

    def _impaired(self, impairment: Impairment, packet: ip.Packet, number: int, now: int) -> None:
        """Let chance decide what becomes of a packet."""
        fate = impairment.fate(packet, now)
        if fate.doubled:
            self.inject(packet, fate.leaves, by=DOUBLED)
        if fate.why:
            self.lose(number, fate.why, now)
        elif fate.late_ns:
            late = fate.leaves + self.delay_ns + fate.late_ns
            self.world.queue.push(late, Straggler(self, fate.packet, number))
        else:
            self.carry(fate.packet, number, fate.leaves)

    def arrive_late(self, packet: ip.Packet, number: int, cuts: int, now: int) -> None:
        """Take a packet that others have overtaken, unless the cable was out meanwhile."""
        if cuts != self.cuts:
            self.lose(number, CABLE_OUT, now)
        elif self.target.kernel is None:
            self.lose(number, HOST_OFF, now)
        else:
            self._hand_over(packet, number, now)

    def cut(self, now: int) -> None:
        """Carry nothing from now on. What is on the wire is lost, as on a cable that is cut."""
        self.carries = False
        self.cuts += 1
        flights = self.flights
        while flights:
            self.lose(flights.popleft()[2], CABLE_OUT, now)

    def lose(self, packet_id: int, why: str, now: int) -> None:
        """Record that a packet goes no further."""
        trace = self.world.trace
        if trace is not None:
            trace.add(PacketLost(t_ns=now, packet_id=packet_id, why=why))

    def due(self, at: int) -> int:  # noqa: ARG002  the heap may be behind
        """The instant at which the first packet arrives."""
        return self.flights[0][0] if self.flights else NEVER

    def postpone(self, at: int, due: int) -> None:  # noqa: ARG002  as every event
        """The entry went to a later packet, or was dropped: nothing is on the wire."""
        self.queued = due != NEVER

    def fire(self, now: int) -> None:
        """Give the target every packet that arrives at this instant, one after another."""
        flights = self.flights
        while flights and flights[0][0] == now:
            self._arrive(now)
        if flights:
            self.world.queue.push(flights[0][0], self)
        else:
            self.queued = False

    def _arrive(self, now: int) -> None:
        observer = self.world.observer
        if observer is not None:
            cuts = self.cuts
            observer.point("before arrival", self.target.name, self.flights[0][2], now)
            if self.cuts != cuts:
                return  # a fault at this point cut the cable: all that was on it is lost
        _, packet, number = self.flights.popleft()
        if self.target.kernel is None:
            self.lose(number, HOST_OFF, now)
        else:
            self._hand_over(packet, number, now)

    def _hand_over(self, packet: ip.Packet, number: int, now: int) -> None:
        """Give a packet to the target's kernel."""
        world = self.world
        target = self.target
        if world.trace is not None:
            world.trace.add(PacketArrived(t_ns=now, packet_id=number, host=target.name))
        target.receive(packet, self.interface, now)
        if world.observer is not None:
            world.observer.point("after arrival", target.name, number, now)

    def describe(self) -> str:
        """Name the way that the packet goes."""
        return f"packet {self.source.name} > {self.target.name}"


class Link:
    """A cable between two hosts. Its name is ``a-b``. Made by ``World.link``."""

    def __init__(self, world: "World", a: "Host", b: "Host", delay_ns: int) -> None:
        self.world = world
        self.name = f"{a.name}-{b.name}"
        self.a = a
        self.b = b
        self.delay_ns = delay_ns
        self.ab = Direction(self, a, b, len(b.ways))
        self.ba = Direction(self, b, a, len(a.ways))
        a.ways.append(self.ab)
        b.ways.append(self.ba)

    def towards(self, host: str) -> Direction | None:
        """The way that ends at a host; None where the link does not lead there."""
        if host == self.b.name:
            return self.ab
        if host == self.a.name:
            return self.ba
        return None

    def leaving(self, host: str) -> Direction | None:
        """The way that begins at a host; None where the link does not begin there."""
        if host == self.a.name:
            return self.ab
        if host == self.b.name:
            return self.ba
        return None

    def other(self, way: Direction) -> Direction:
        """The way that leads back."""
        return self.ba if way is self.ab else self.ab

    def plug_in(self) -> None:
        """Carry again, both ways."""
        self.ab.carries = True
        self.ba.carries = True
