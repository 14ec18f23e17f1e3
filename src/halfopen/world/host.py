"""A host: addresses, a kernel while it has power, and processes."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from halfopen.net.neighbours import Neighbour
from halfopen.record.events import StateChange, TimerFired
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.table import FdTable
from halfopen.tcp.deadlines import next_deadline
from halfopen.tcp.states import spell
from halfopen.tcp.tcb import INFINITE, Tcb
from halfopen.wire import ndisc
from halfopen.wire.address import at_interface, at_link, is_link_local, is_v6
from halfopen.wire.ethernet import Frame
from halfopen.wire.ip import Packet
from halfopen.world.events import NEVER, Event
from halfopen.world.lan import Port
from halfopen.world.process import Process

#: A LAN is a /24, and a /64 of IPv6 (RFC 4291 2.5.1).
LAN_PREFIX: Final = 24
LAN_PREFIX6: Final = 64

if TYPE_CHECKING:
    from halfopen.world.link import Direction
    from halfopen.world.world import World


class TcbTimer(Event):
    """A connection's entry in the queue.

    It is lazy: an early one asks the connection when it is really due.
    """

    def __init__(self, host: "Host", kernel: Kernel, tcb: Tcb) -> None:
        self.host = host
        self.kernel = kernel
        self.tcb = tcb

    def due(self, at: int) -> int:
        """The next deadline; NEVER where the kernel is gone, or a newer entry stands for it."""
        tcb = self.tcb
        if at != tcb.entry_at or self.host.kernel is not self.kernel:
            return NEVER
        deadline = next_deadline(tcb)
        if deadline is None:
            return NEVER
        return max(deadline, at)

    def postpone(self, at: int, due: int) -> None:
        """Remember where the entry went."""
        if at == self.tcb.entry_at:
            self.tcb.entry_at = INFINITE if due == NEVER else due

    def fire(self, now: int) -> None:
        """Let the kernel act on the deadline."""
        self.tcb.entry_at = INFINITE
        self.kernel.deadline_passed(self.tcb, now)
        self.host.rearm(self.tcb, now)
        self.host.flush(now)

    def describe(self) -> str:
        """Name the connection."""
        return f"timer of {self.host.name} {self.tcb.conn}"


class NeighbourTimer(Event):
    """The entry in the queue of an entry of a neighbour table; lazy like a connection's."""

    def __init__(self, host: "Host", kernel: Kernel, neighbour: Neighbour) -> None:
        self.host = host
        self.kernel = kernel
        self.neighbour = neighbour

    def due(self, at: int) -> int:
        """When the entry is to be looked at; NEVER where the kernel is gone, or nothing is due."""
        neighbour = self.neighbour
        if at != neighbour.entry_at or self.host.kernel is not self.kernel:
            return NEVER
        return NEVER if neighbour.at is None else max(neighbour.at, at)

    def postpone(self, at: int, due: int) -> None:
        """Remember where the entry went."""
        if at == self.neighbour.entry_at:
            self.neighbour.entry_at = None if due == NEVER else due

    def fire(self, now: int) -> None:
        """Let the kernel doubt, ask or give up."""
        self.neighbour.entry_at = None
        self.kernel.neighbour_passed(self.neighbour, now)
        self.host.flush(now)

    def describe(self) -> str:
        """Name the neighbour."""
        return f"neighbour {self.neighbour.address} of {self.host.name}"


class Host:
    """A machine.

    Without power its kernel is None and it has no processes. Made by ``World.host``.
    """

    def __init__(
        self,
        world: "World",
        name: str,
        addresses: tuple[str, ...],
        sysctl: Mapping[str, int | str],
        sources: tuple[tuple[str, str], ...] = (),
        refuses: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.world = world
        self.name = name
        self.addresses = addresses
        self.sysctl = sysctl
        self.sources = sources
        self.refuses = refuses
        self.kernel: Kernel | None = None
        self.boots = 0
        self.processes: list[Process] = []
        self.ways: list[Direction | Port] = []  # what leaves by interface n goes to ways[n]
        self.on_boot: list[Callable[[Host, int], None]] = []
        self.flushing = False

    def power_on(self, now: int) -> None:
        """Boot a kernel that knows of nothing. Requires: the power is off."""
        assert self.kernel is None, "a host that has power gets power"
        self.boots += 1
        world = self.world
        rng = world.rng.split(self.name, str(self.boots))
        kernel = Kernel(self.name, self.sysctl, rng, traced=world.trace is not None)
        for number, way in enumerate(self.ways):
            name, own = f"eth{number}", self._addresses_at(number)
            if isinstance(way, Port):
                kernel.add_interface(name, own, peers=tuple(_networks(own)), mac=way.mac)
            else:
                kernel.add_interface(name, own, peers=way.target.addresses)
            if not way.carrier:
                kernel.set_carrier(number, carrier=False)
        for destination, source in self.sources:
            kernel.ip.routes.prefer(destination, source)
        for destination, kind in self.refuses:
            kernel.ip.routes.refuse(destination, kind)
        self.kernel = kernel
        self.flushing = False
        for heard in self.on_boot:
            heard(self, now)

    def _addresses_at(self, number: int) -> tuple[str, ...]:
        """The addresses of an interface; one with IPv6 has a link-local one too (RFC 4291 2.1)."""
        way = self.ways[number]
        own = at_interface(self.addresses, number, last=number == len(self.ways) - 1)
        if not any(map(is_v6, own)):
            return own
        if isinstance(way, Port):
            return (*own, ndisc.link_local(way.mac))
        return (*own, at_link(first=way.link.a is self))

    def power_off(self, now: int) -> None:
        """Vanish, processes and kernel: nothing more is sent, ever.

        What is on the wire already stays there.
        """
        self.kernel = None
        for process in list(self.processes):
            process.end("power off", now, closes=False)

    def start(self, name: str, now: int, *, privileged: bool = True) -> Process:
        """Start a process; it does nothing before it gets a task. Requires: the power is on."""
        assert self.kernel is not None, "a process starts on a host without power"
        self.world.pids += 1
        table = FdTable(self.kernel, privileged=privileged)
        process = Process(self, name, self.world.pids, table, now)
        self.processes.append(process)
        return process

    def receive(self, load: Packet | Frame, interface: int, now: int) -> None:
        """Give a packet or frame that arrived to the kernel. Requires: the power is on."""
        kernel = self.kernel
        assert kernel is not None, "a packet is given to a kernel that is not there"
        kernel.receive(load, interface, now)
        self.flush(now)

    def flush(self, now: int) -> None:
        """Do what the kernel asks for: to be called after every entry into it.

        A fault may strike at a departure, from within: the packets after it meet what it
        left behind, and where it took the power, nothing more leaves.
        """
        kernel = self.kernel
        if kernel is None or self.flushing:
            return
        effects = kernel.effects
        outbox = kernel.outbox
        if kernel.ip.on_lan:
            self._rearm_neighbours(kernel)
        if not outbox and not effects.rearm and not effects.traced:
            return
        self.flushing = True
        while True:
            if effects.traced:
                self._record(kernel)
            if effects.rearm:
                for tcb in effects.rearm:
                    self.rearm(tcb, now)
                effects.rearm.clear()
            if not outbox:
                break
            interface, packet = outbox.popleft()
            if not self._depart(packet, self.ways[interface], now):
                return
        self.flushing = False

    def _rearm_neighbours(self, kernel: Kernel) -> None:
        for interface in kernel.ip.interfaces:
            for neighbours in interface.neighbours:
                for neighbour in neighbours.rearm:
                    at = neighbour.at
                    if at is not None and (neighbour.entry_at is None or at < neighbour.entry_at):
                        neighbour.entry_at = at
                        self.world.queue.push(at, NeighbourTimer(self, kernel, neighbour))
                neighbours.rearm.clear()

    def _depart(self, packet: Packet | Frame, way: "Direction | Port", now: int) -> bool:
        """Give a packet to its link; False where a fault at this point took the power."""
        world = self.world
        observer = world.observer
        if observer is None:
            way.send(packet, way.number(), now)
            return True
        kernel = self.kernel
        number = way.number()
        observer.point("before departure", self.name, number, now)
        if self.kernel is not kernel:
            return False
        way.send(packet, number, now)
        if world.observer is not None:
            world.observer.point("after departure", self.name, number, now)
        return self.kernel is kernel

    def rearm(self, tcb: Tcb, now: int) -> None:
        """See to it that the queue looks at a connection in time; a later one needs nothing."""
        deadline = next_deadline(tcb)
        if deadline is None or deadline >= tcb.entry_at:
            return
        assert self.kernel is not None, "a connection without a kernel asks for a timer"
        tcb.entry_at = max(deadline, now)
        self.world.queue.push(tcb.entry_at, TcbTimer(self, self.kernel, tcb))

    def _record(self, kernel: Kernel) -> None:
        """Write what the connections did since the last time; a timer stands before what it did."""
        trace = self.world.trace
        assert trace is not None, "a traced kernel in a world without a trace"
        effects = kernel.effects
        for tcb, timer in effects.fired:
            trace.add(TimerFired(t_ns=self.world.now, host=self.name, conn=tcb.conn, timer=timer))
        effects.fired.clear()
        for move in effects.history:
            trace.add(
                StateChange(
                    t_ns=move.at,
                    host=self.name,
                    conn=move.tcb.conn,
                    old=spell(move.old),
                    new=spell(move.new),
                    why=move.why,
                )
            )
        effects.history.clear()


def _networks(own: tuple[str, ...]) -> Iterator[str]:
    """Name the networks of a LAN in which a host is: that of its first address of each family."""
    for v6, length in ((False, LAN_PREFIX), (True, LAN_PREFIX6)):
        for address in own:
            if is_v6(address) == v6 and not is_link_local(address):
                yield f"{address}/{length}"
                break
