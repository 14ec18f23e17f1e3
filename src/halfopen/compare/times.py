"""Times side by side: each moment against what it followed from.

A moment is in time where it lies as far from some cause as it does in the world, within what
``rules`` allows: what the cause itself was late is not counted again.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, TypeAlias

from halfopen.base.units import show_duration
from halfopen.base.value import value
from halfopen.compare.pairs import Pair, Side
from halfopen.compare.rules import RTO_NS, at_once, timer
from halfopen.record.events import TimerFired
from halfopen.record.query import packets
from halfopen.record.trace import Trace

#: Hosts and instants at which a timer of TCP did something in the world.
Timers: TypeAlias = frozenset[tuple[str, int]]

#: So many of the latest moments of each kind may be what a timer was armed by, or a program woken.
_CAUSES: Final = 3


@value
class Cause:
    """What a moment may have followed from, and how much earlier or later it may be, counted so."""

    moment: Pair
    early_ns: int
    late_ns: int


def timers(world: Trace) -> Timers:
    """List when the world's timers did something; the kernel's are not seen."""
    return frozenset(
        (event.host, event.t_ns) for event in world.events if isinstance(event, TimerFired)
    )


def wire_late(kernel: Trace, delays: dict[str, int]) -> int:
    """How late the user-space wire delivered at worst in this run."""
    return max(
        (
            packet.arrived_ns - packet.t_ns - delays[packet.link]
            for packet in packets(kernel)
            if packet.arrived_ns is not None
        ),
        default=0,
    )


def compare_times(side: Side, fired: Timers, *, wire_late_ns: int) -> None:
    """Report every moment that no cause explains, and what happened in another order."""
    pairs = sorted(side.pairs, key=lambda pair: pair.order)
    past = _Past(pairs, fired, wire_late_ns)
    past.ends |= side.ending
    for pair in pairs:
        causes = list(past.causes(pair)) or [past.beginning()]
        if all(_excess(pair, cause) > 0 for cause in causes):
            cause = min(causes, key=lambda each: _excess(pair, each))
            side.differ(pair.world_ns, "time", _say(pair, cause))
        past.add(pair)
    for host in sorted({pair.host for pair in pairs}):
        _compare_order([pair for pair in pairs if pair.host == host], fired, wire_late_ns, side)


class _Past:
    """What has happened so far in the world, by where a cause of the next moment is looked for."""

    def __init__(self, pairs: list[Pair], fired: Timers, wire_late_ns: int) -> None:
        self.fired = fired
        self.wire_late_ns = wire_late_ns
        self.at_once = at_once(wire_late_ns)
        self.ends = {(p.host, p.world_ns): p.late_ns for p in pairs if p.kind == "end"}
        self.begin = Pair(
            kind="start",
            host="",
            process="",
            conn="",
            world_ns=0,
            kernel_ns=0,
            order=-1,
            what="the beginning",
        )
        self.now: list[Pair] = []  # of the present instant
        self.steps: list[Pair] = [self.begin]  # what others are tied to: marks, ends, faults
        self.of_process: dict[str, list[Pair]] = defaultdict(list)
        self.of_conn: dict[tuple[str, str], dict[str, list[Pair]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.calls: dict[str, list[Pair]] = defaultdict(list)  # by host

    def add(self, pair: Pair) -> None:
        """Let a moment be over."""
        if self.now and self.now[0].world_ns != pair.world_ns:
            self.now.clear()
        self.now.append(pair)
        if pair.kind in {"mark", "end", "fault"}:
            self.steps.append(pair)
        if pair.process:
            _keep(self.of_process[pair.process], pair)
        if pair.kind in {"entry", "return"}:
            _keep(self.calls[pair.host], pair)
        if pair.conn:
            _keep(self.of_conn[pair.host, pair.conn][pair.kind], pair)

    def causes(self, pair: Pair) -> Iterator[Cause]:
        """Name what a moment may have followed from."""
        ending = pair.kind in {"end", "sent", "bare"}
        late = self.ends.get((pair.host, pair.world_ns), 0) if ending else 0
        beside = [
            other
            for other in self.now
            if other.world_ns == pair.world_ns and other.host in {pair.host, ""}
        ]
        for other in beside:
            yield self._soon(other, late)
        if pair.after is not None:
            yield self._soon(pair.after)
        if pair.kind in {"start", "fault"}:
            yield from map(self._soon, self.steps)
        if pair.process and pair.kind != "start":
            for other in self.of_process[pair.process]:
                yield self._soon(other, late)
        alone = all(other is pair.after for other in beside)
        if pair.armed and (alone or (pair.host, pair.world_ns) in self.fired):
            yield from self._timers(pair, late)

    def beginning(self) -> Cause:
        """Count from the beginning of the run: for what follows from nothing that is compared."""
        return self._soon(self.begin)

    def _soon(self, moment: Pair, late: int = 0) -> Cause:
        return Cause(moment=moment, early_ns=self.at_once, late_ns=self.at_once + late)

    def _timers(self, pair: Pair, late: int) -> Iterator[Cause]:
        """Name the moments at which the timer may have been armed, the latest few.

        Which it was is not known. Mostly it was what was sent last, and is sent again now: none
        gets more allowance than a wait from there.
        """
        own: list[Pair] = []
        if "call" in pair.armed:
            own = [pair.after] if pair.after is not None else self.calls[pair.host]
        armed: list[Pair] = []
        most: list[int] = []
        for (host, conn), latest in self.of_conn.items():
            among = host == pair.host and conn == (pair.conn or conn)
            if among and "connection" in pair.armed:
                armed += latest["sent"] + latest["bare"][-1:] + latest["arrived"][-1:]
                most += [max(pair.world_ns - p.world_ns, RTO_NS) for p in latest["sent"][-1:]]
        begun = pair.after
        if "unseen" in pair.armed and begun is not None:
            own += [] if any(p.world_ns >= begun.world_ns for p in armed) else [begun]
        if begun is None:
            armed, own = own + armed, []
        for moment in own:  # the call's own timer runs from its entry, whatever is sent meanwhile
            allowed = timer(pair.world_ns - moment.world_ns, self.wire_late_ns)
            yield Cause(moment=moment, early_ns=allowed, late_ns=allowed + late)
        for moment in armed:
            wait = min(pair.world_ns - moment.world_ns, max(most, default=pair.world_ns))
            allowed = timer(wait, self.wire_late_ns)
            yield Cause(moment=moment, early_ns=allowed, late_ns=allowed + late)


def _keep(latest: list[Pair], pair: Pair) -> None:
    latest.append(pair)
    del latest[:-_CAUSES]


def _lag(pair: Pair, cause: Cause) -> int:
    """How much later the kernel is, counted from a cause."""
    moment = cause.moment
    return (pair.kernel_ns - moment.kernel_ns) - (pair.world_ns - moment.world_ns)


def _excess(pair: Pair, cause: Cause) -> int:
    """How far a moment lies outside what is allowed from this cause; inside where not positive."""
    lag = _lag(pair, cause)
    return lag - cause.late_ns if lag > 0 else -lag - cause.early_ns


def _say(pair: Pair, cause: Cause) -> str:
    lag = _lag(pair, cause)
    apart = f"{show_duration(abs(lag))} {'later' if lag > 0 else 'earlier'} on the kernel"
    limit = show_duration(cause.late_ns if lag > 0 else cause.early_ns)
    return f"{pair.what}: {apart}, counted from '{cause.moment.what}' (tolerance {limit})"


def _compare_order(pairs: list[Pair], fired: Timers, wire_late_ns: int, side: Side) -> None:
    """Report moments of one host that clearly happened the other way round on the kernel.

    What timers do, and the end of a process, is left to the comparison of times.
    """
    limit = at_once(wire_late_ns)
    prompt = [p for p in pairs if p.kind != "end" and (p.host, p.world_ns) not in fired]
    clearly_before = 0  # so many of them lie more than the limit before the present one
    latest: Pair | None = None  # on the kernel, among those
    for late in prompt:
        while late.world_ns - prompt[clearly_before].world_ns > limit:
            early = prompt[clearly_before]
            if latest is None or early.kernel_ns > latest.kernel_ns:
                latest = early
            clearly_before += 1
        if latest is not None and latest.kernel_ns - late.kernel_ns > limit:
            text = f"'{latest.what}' before '{late.what}' in the world, after it on the kernel"
            side.differ(latest.world_ns, "order", text)
            return
