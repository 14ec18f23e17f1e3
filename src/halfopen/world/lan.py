"""A LAN: several hosts at one switch, which knows at which port each hardware address is."""

from collections import deque
from typing import TYPE_CHECKING

from halfopen.record.events import ArpSent, PacketArrived, PacketLost, PacketSent
from halfopen.record.fates import CABLE_OUT, HOST_OFF
from halfopen.wire import ip
from halfopen.wire.arp import Arp
from halfopen.wire.ethernet import Frame, is_for, mac_of
from halfopen.wire.ip import Packet
from halfopen.wire.ndisc import Ndisc
from halfopen.world.events import NEVER, Event

if TYPE_CHECKING:
    from halfopen.world.host import Host
    from halfopen.world.world import World


class OnLan:
    """A frame on its way to one port."""

    def __init__(self, at: int, frame: Frame, number: int, port: "Port") -> None:
        self.at = at
        self.frame = frame
        self.number = number
        self.port = port


class Port(Event):
    """A host's place at the switch; as an event, what the host has sent arrives."""

    def __init__(self, lan: "Lan", host: "Host", interface: int, mac: str) -> None:
        self.lan = lan
        self.world: World = lan.world
        self.host = host
        self.interface = interface  # of the host, by its number there
        self.mac = mac
        self.carries = True
        self.carrier = True  # whether the host's interface sees the cable
        self.flights: deque[OnLan] = deque()
        self.queued = False

    def number(self) -> int:
        """Number a packet that is to be sent; 0 where no trace is written."""
        trace = self.world.trace
        return 0 if trace is None else trace.next_id()

    def send(self, load: Packet | Frame, number: int, now: int) -> None:
        """Take a frame from the host's interface."""
        assert isinstance(load, Frame), "a LAN carries frames"
        self._record(load, number, now)
        if not self.carries:
            self._lose(number, load, CABLE_OUT, now)
            return
        at = now + self.lan.delay_ns
        for port in self.lan.ports:
            if port is not self and is_for(load.dst, port.mac):
                self.flights.append(OnLan(at, load, number, port))
        if self.flights and not self.queued:
            self.queued = True
            self.world.queue.push(self.flights[0].at, self)

    def cut(self, now: int) -> None:
        """Be unplugged: nothing leaves, nothing arrives, what is on the cable is lost."""
        self.carries = False
        while self.flights:
            flight = self.flights.popleft()
            self._lose(flight.number, flight.frame, CABLE_OUT, now)

    def due(self, at: int) -> int:  # noqa: ARG002  the heap may be behind
        """The instant at which the first frame arrives."""
        return self.flights[0].at if self.flights else NEVER

    def postpone(self, at: int, due: int) -> None:  # noqa: ARG002  as every event
        """The entry went to a later frame, or was dropped."""
        self.queued = due != NEVER

    def fire(self, now: int) -> None:
        """Give every frame that arrives at this instant to its port's host."""
        while self.flights and self.flights[0].at == now:
            flight = self.flights.popleft()
            flight.port.arrive(flight.frame, flight.number, now)
        if self.flights:
            self.world.queue.push(self.flights[0].at, self)
        else:
            self.queued = False

    def arrive(self, frame: Frame, number: int, now: int) -> None:
        """Take a frame that comes from the switch."""
        host, world = self.host, self.world
        packet = isinstance(frame.body, Packet)
        if world.observer is not None and packet:
            world.observer.point("before arrival", host.name, number, now)
        if not self.carries or host.kernel is None:
            why = HOST_OFF if self.carries else CABLE_OUT
            self._lose(number, frame, why, now)
            return
        if world.trace is not None and packet:
            world.trace.add(PacketArrived(t_ns=now, packet_id=number, host=host.name))
        host.receive(frame, self.interface, now)
        if world.observer is not None and packet:
            world.observer.point("after arrival", host.name, number, now)

    def describe(self) -> str:
        """Name where the frames come from."""
        return f"frames of {self.host.name}"

    def _record(self, frame: Frame, number: int, now: int) -> None:
        trace = self.world.trace
        if trace is None:
            return
        body = frame.body
        name, link = self.host.name, self.lan.name
        if isinstance(body, (Arp, Ndisc)):
            trace.add(ArpSent(t_ns=now, host=name, link=link, text=body.show()))
        else:
            trace.add(
                PacketSent(t_ns=now, packet_id=number, host=name, link=link, raw=ip.encode(body))
            )

    def _lose(self, number: int, frame: Frame, why: str, now: int) -> None:
        trace = self.world.trace
        if trace is not None and isinstance(frame.body, Packet):
            trace.add(PacketLost(t_ns=now, packet_id=number, why=why))


class Lan:
    """A switch with a port for each host. Made by ``World.lan``."""

    def __init__(self, world: "World", name: str, delay_ns: int) -> None:
        self.world = world
        self.number = len(world.lans)
        self.name = name
        self.delay_ns = delay_ns
        self.ports: list[Port] = []

    def join(self, host: "Host") -> None:
        """Give a host a port; it gets one more interface."""
        port = Port(self, host, len(host.ways), mac_of(self.number, len(self.ports)))
        self.ports.append(port)
        host.ways.append(port)

    def port(self, host: str) -> Port | None:
        """The port of a host; None where it is not on this LAN."""
        for port in self.ports:
            if port.host.name == host:
                return port
        return None
