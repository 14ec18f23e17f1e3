"""A world: hosts, links, the queue, and the instant that it has reached."""

from collections.abc import Callable, Mapping
from heapq import heappop
from typing import Literal, Protocol, TypeAlias

from halfopen.base.errors import MisuseError
from halfopen.base.rng import Rng
from halfopen.base.units import MS
from halfopen.base.value import value
from halfopen.record.trace import Trace
from halfopen.world.events import (
    INSTANT_EVENTS_MAX,
    NEVER,
    Act,
    Event,
    InstantLimitError,
    Queue,
)
from halfopen.world.host import Host
from halfopen.world.lan import Lan
from halfopen.world.link import Link
from halfopen.world.process import Process, Waiter, Waiting

End: TypeAlias = Literal["over", "still", "horizon"]


@value
class Rest:
    """Why a run stopped.

    ``over``: nothing is pending and nobody waits. ``still``: nothing is pending, so the world
    can never move again, and ``waiting`` lists who waits. ``horizon``: the instant that the
    caller named has been reached.
    """

    end: End
    at_ns: int
    waiting: tuple[Waiting, ...]


class Observer(Protocol):
    """Whoever wants to step in at points of the run: arrivals, departures and calls."""

    def point(self, kind: str, host: str, number: int, now: int) -> None:
        """A point is reached. The observer may inject a fault here.

        ``kind``: ``before departure``, ``after departure``, ``before arrival``, ``after
        arrival`` of the packet that the trace knows by ``number``; from the guest ``call``,
        before it enters the kernel, and ``return``, before the program goes on: of the call
        that the trace knows by ``number``.
        """


class World:
    """Everything there is, in virtual time. The same seed and programs give the same run."""

    def __init__(
        self,
        seed: int = 0,
        trace: Trace | None = None,
        instant_events_max: int = INSTANT_EVENTS_MAX,
    ) -> None:
        self.seed = seed
        self.rng = Rng(seed)
        self.trace = trace
        self.now = 0
        self.queue = Queue()
        self.hosts: dict[str, Host] = {}
        self.links: dict[str, Link] = {}
        self.lans: dict[str, Lan] = {}
        self.observer: Observer | None = None
        self.running: Waiter | None = None  # whose task runs at this moment
        self.graveyard: list[Process] = []  # never collected: see Process.end
        self.on_exit: list[Callable[[Process, int], None]] = []
        self.on_mark: list[Callable[[Process, str, int], None]] = []
        self.instant_events_max = instant_events_max
        self.instant_events = 0
        self.pids = 0
        self.acts = 0  # calls of all programs that are more than looking or waiting

    def host(
        self,
        name: str,
        addresses: tuple[str, ...],
        sysctl: Mapping[str, int | str] | None = None,
        *,
        sources: tuple[tuple[str, str], ...] = (),
        refuses: tuple[tuple[str, str], ...] = (),
    ) -> Host:
        """Add a host. It has no power yet: join the links, then ``power_on``.

        ``sources``: (peer's address, one's own) where the route there prefers another than usual.
        ``refuses``: (destination, kind) where a route leads nowhere (``net.routes.REFUSALS``).
        """
        if name in self.hosts:
            msg = f"two hosts are named {name!r}; a host's name must be its own"
            raise MisuseError(msg)
        made = Host(self, name, addresses, {} if sysctl is None else sysctl, sources, refuses)
        self.hosts[name] = made
        return made

    def link(self, a: str, b: str, delay_ns: int = 10 * MS) -> Link:
        """Join two hosts by a cable; each gets one more interface."""
        for end in (a, b):
            if end not in self.hosts:
                msg = f"a link to {end!r}: no such host; there are: {', '.join(self.hosts)}"
                raise MisuseError(msg)
        made = Link(self, self.hosts[a], self.hosts[b], delay_ns)
        if made.name in self.links:
            msg = f"two links are named {made.name!r}; join two hosts once"
            raise MisuseError(msg)
        self.links[made.name] = made
        return made

    def lan(self, name: str, hosts: tuple[str, ...], delay_ns: int = 10 * MS) -> Lan:
        """Join hosts by a switch; each gets one more interface, and asks for the others by ARP."""
        for host in hosts:
            if host not in self.hosts:
                msg = (
                    f"{host!r} on the LAN {name}: no such host; there are: {', '.join(self.hosts)}"
                )
                raise MisuseError(msg)
        if name in self.links or name in self.lans:
            msg = f"two links are named {name!r}; a LAN's name must be its own"
            raise MisuseError(msg)
        made = Lan(self, name, delay_ns)
        self.lans[name] = made
        for host in hosts:
            made.join(self.hosts[host])
        return made

    def process(self, name: str) -> Process | None:
        """Find a running process by name."""
        for host in self.hosts.values():
            for process in host.processes:
                if process.name == name:
                    return process
        return None

    def at(self, t_ns: int, event: Event) -> None:
        """Make an event happen at an instant that has not passed."""
        assert t_ns >= self.now, "an event in the past"
        self.queue.push(t_ns, event)

    def call_at(self, t_ns: int, act: Callable[[int], object], name: str = "act") -> None:
        """Call a function at an instant that has not passed."""
        self.at(t_ns, Act(act, name))

    def step(self, until_ns: int | None = None) -> bool:
        """Let the next thing happen; False where nothing is pending (until ``until_ns``)."""
        queue = self.queue
        heap = queue.heap
        while heap:
            at = heap[0][0]
            if until_ns is not None and at > until_ns:
                return False
            event = heappop(heap)[2]
            due = event.due(at)
            if due != at:
                event.postpone(at, due)
                if due != NEVER:
                    queue.push(due, event)
                continue
            if at != self.now:
                assert at > self.now, "the queue went back in time"
                self.now = at
                self.instant_events = 1
            else:
                self.instant_events += 1
                if self.instant_events > self.instant_events_max:
                    raise InstantLimitError(at, self.instant_events_max, event.describe())
            event.fire(at)
            return True
        return False

    def run(self, until_ns: int | None = None) -> Rest:
        """Let everything happen until ``until_ns``, or until the world can never move again."""
        while self.step(until_ns):
            pass
        if until_ns is not None and self.queue.pending():
            self.now = max(self.now, until_ns)
            end: End = "horizon"
        else:
            end = "still" if self.waiting() else "over"
        if self.trace is not None:
            self.trace.ended_ns = self.now
        return Rest(end=end, at_ns=self.now, waiting=self.waiting())

    def waiting(self) -> tuple[Waiting, ...]:
        """List the tasks that wait, host by host, in the order in which they were started."""
        found: list[Waiting] = []
        for host in self.hosts.values():
            for process in host.processes:
                for waiter in process.waiters:
                    waits = waiter.task.describe()
                    if waits is not None:
                        found.append(waits)
        return tuple(found)
