"""Holds the two arms' traces of one variant side by side."""

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import TypeVar

from halfopen.compare.calls import compare_calls
from halfopen.compare.names import Names
from halfopen.compare.packets import compare_packets
from halfopen.compare.pairs import Difference, MomentKind, Side
from halfopen.compare.rules import ending
from halfopen.compare.times import compare_times, timers, wire_late
from halfopen.record.events import FaultFired, Mark, Output, ProcessEnded, ProcessStarted
from halfopen.record.faults import describe_fault
from halfopen.record.trace import Trace
from halfopen.scenario.model import Variant

_STDOUT = 1

Told = TypeVar("Told", ProcessStarted, Mark, ProcessEnded)


def differences(variant: Variant, world: Trace, kernel: Trace) -> list[Difference]:
    """List what the arms did not do alike, in the order of time, but for what ``rules`` allows.

    Of the world no more is looked at than the kernel was watched for.
    """
    world = _until(world, kernel.ended_ns)
    side = Side(world)
    names = Names()
    compare_calls(world, kernel, names, side)
    compare_packets(world, kernel, side)
    _compare_starts(world, kernel, side)
    _compare_marks(world, kernel, side)
    _compare_ends(world, kernel, side)
    _compare_faults(world, kernel, side)
    _compare_output(world, kernel, side)
    delays = {link.name: link.delay_ns for link in variant.links}
    delays |= {lan.name: lan.delay_ns for lan in variant.lans}
    compare_times(side, timers(world), wire_late_ns=wire_late(kernel, delays))
    return sorted(side.differences, key=lambda difference: difference.t_ns)


def _until(trace: Trace, end_ns: int) -> Trace:
    """Copy a run as it would be if it had been watched no longer than this."""
    if trace.ended_ns <= end_ns:
        return trace
    cut = Trace(trace.meta)
    cut.ended_ns = end_ns
    for event in trace.events:
        if event.t_ns < end_ns:
            cut.take(event)
    return cut


def _compare_starts(world: Trace, kernel: Trace, side: Side) -> None:
    for w, k in _by_process(world, kernel, ProcessStarted):
        if w is None or k is None:
            known = _either(w, k)
            place = "in the world" if k is None else "on the kernel"
            side.differ(known.t_ns, "process", f"{known.process} starts {place} only")
            continue
        _pair(side, "start", w, k, f"{w.process} starts")


def _compare_marks(world: Trace, kernel: Trace, side: Side) -> None:
    lost: set[str] = set()  # processes that have marked something else: what follows is no news
    for w, k in _by_process(world, kernel, Mark):
        known = _either(w, k)
        if known.process in lost:
            continue
        if w is None or k is None or w.name != k.name:
            lost.add(known.process)
            said = [f'"{mark.name}"' if mark else "nothing" for mark in (w, k)]
            text = f"{known.process} marks {said[0]} in the world and {said[1]} on the kernel"
            side.differ(known.t_ns, "mark", text)
            continue
        _pair(side, "mark", w, k, f'{w.process} marks "{w.name}"')


def _compare_ends(world: Trace, kernel: Trace, side: Side) -> None:
    lives: Counter[str] = Counter()  # of Python programs that came to their own end
    for w, k in _by_process(world, kernel, ProcessEnded):
        if w is not None and k is not None and w.how == k.how:
            over_ns = _over(world, w)
            took = _finalizing(kernel, k, lives)
            if took is not None:  # what it waited for there, it waits for in the world, too
                took = max(took - (w.t_ns - over_ns), 0)
            late = ending(w.how, took)
            _pair(side, "end", w, k, f"{w.process} ends ({w.how})", late_ns=late)
            if over_ns != w.t_ns:
                side.ending[w.host, over_ns] = late
            continue
        known = _either(w, k)
        ended = [f"ends ({end.how})" if end else "does not end" for end in (w, k)]
        text = f"{known.process} {ended[0]} in the world and {ended[1]} on the kernel"
        side.differ(known.t_ns, "process", text)


def _over(world: Trace, end: ProcessEnded) -> int:
    """Read when a program was over; where its interpreter then waited, that is before its end."""
    noted = world.meta.get("over_ns")
    for each in noted if isinstance(noted, list) else ():
        match each:
            case [process, int(over_ns), end_ns] if (process, end_ns) == (end.process, end.t_ns):
                return over_ns
            case _:
                pass
    return end.t_ns


def _finalizing(kernel: Trace, end: ProcessEnded, lives: Counter[str]) -> int | None:
    """Read how long a program's interpreter took to end in this life of it; None: unknown."""
    noted = kernel.meta.get("finalizing_ns")
    if not isinstance(noted, dict) or not end.how.startswith(("exit", "uncaught")):
        return None
    took = noted.get(end.process)
    life = lives[end.process]
    lives[end.process] += 1
    known = took[life] if isinstance(took, list) and life < len(took) else None
    return known if isinstance(known, int) else None


def _by_process(
    world: Trace, kernel: Trace, kind: type[Told]
) -> Iterator[tuple[Told | None, Told | None]]:
    """Lay the events of a kind side by side, process by process; None where an arm has no more."""
    ours, theirs = ([e for e in t.events if isinstance(e, kind)] for t in (world, kernel))
    for process in dict.fromkeys(event.process for event in ours + theirs):
        yield from zip_longest(
            [event for event in ours if event.process == process],
            [event for event in theirs if event.process == process],
        )


def _either(w: Told | None, k: Told | None) -> Told:
    known = w or k
    assert known is not None, "one of the two is there"
    return known


def _pair(  # noqa: PLR0913  as Side.pair
    side: Side, kind: MomentKind, w: Told, k: Told, what: str, *, late_ns: int = 0
) -> None:
    side.pair(
        kind,
        id(w),
        host=w.host,
        process=w.process,
        world_ns=w.t_ns,
        kernel_ns=k.t_ns,
        what=what,
        late_ns=late_ns,
    )


def _compare_faults(world: Trace, kernel: Trace, side: Side) -> None:
    ours, theirs = ([e for e in t.events if isinstance(e, FaultFired)] for t in (world, kernel))
    for w, k in zip_longest(ours, theirs):
        if w is not None and k is not None and (w.fault, w.effect) == (k.fault, k.effect):
            what = describe_fault(w.fault)
            side.pair("fault", id(w), world_ns=w.t_ns, kernel_ns=k.t_ns, what=what)
            continue
        known = w or k
        assert known is not None, "one of the two is there"
        text = f"what happens is {_show(w)} in the world and {_show(k)} on the kernel"
        side.differ(known.t_ns, "fault", text)
        return


def _show(fired: FaultFired | None) -> str:
    if fired is None:
        return "nothing"
    return describe_fault(fired.fault) + ("" if fired.effect else ", without effect")


def _compare_output(world: Trace, kernel: Trace, side: Side) -> None:
    """Compare what programs print; what stands on standard error names each arm's own files."""
    ours, theirs = _printed(world), _printed(kernel)
    for process in ours | theirs:
        if ours.get(process) != theirs.get(process):
            side.differ(0, "process", f"{process} prints something else on the kernel")


def _printed(trace: Trace) -> dict[str, str]:
    texts: dict[str, str] = {}
    for event in trace.events:
        if isinstance(event, Output) and event.stream == _STDOUT:
            texts[event.process] = texts.get(event.process, "") + event.text
    return texts
