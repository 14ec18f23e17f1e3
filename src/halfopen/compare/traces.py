"""Holds the two arms' traces of one variant side by side."""

from itertools import zip_longest

from halfopen.compare.calls import compare_calls
from halfopen.compare.names import Names
from halfopen.compare.packets import compare_packets
from halfopen.compare.pairs import Difference, Side
from halfopen.compare.rules import ending
from halfopen.compare.times import compare_times, timers, wire_late
from halfopen.record.events import FaultFired, Mark, Output, ProcessEnded, ProcessStarted
from halfopen.record.faults import describe_fault
from halfopen.record.trace import Trace
from halfopen.scenario.model import Variant

_STDOUT = 1


def differences(variant: Variant, world: Trace, kernel: Trace) -> list[Difference]:
    """List what the arms did not do alike, in the order of time, but for what ``rules`` allows."""
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


def _compare_starts(world: Trace, kernel: Trace, side: Side) -> None:
    ours, theirs = ([e for e in t.events if isinstance(e, ProcessStarted)] for t in (world, kernel))
    for process in dict.fromkeys(start.process for start in ours + theirs):
        w_starts = [start for start in ours if start.process == process]
        k_starts = [start for start in theirs if start.process == process]
        for w, k in zip_longest(w_starts, k_starts):
            if w is None or k is None:
                known = w or k
                assert known is not None, "one of the two is there"
                place = "in the world" if k is None else "on the kernel"
                side.differ(known.t_ns, "process", f"{process} starts {place} only")
                continue
            side.pair(
                "start",
                id(w),
                host=w.host,
                process=process,
                world_ns=w.t_ns,
                kernel_ns=k.t_ns,
                what=f"{process} starts",
            )


def _compare_marks(world: Trace, kernel: Trace, side: Side) -> None:
    ours, theirs = ([e for e in t.events if isinstance(e, Mark)] for t in (world, kernel))
    for process in dict.fromkeys(mark.process for mark in ours + theirs):
        w_marks = [mark for mark in ours if mark.process == process]
        k_marks = [mark for mark in theirs if mark.process == process]
        for w, k in zip_longest(w_marks, k_marks):
            if w is None or k is None or w.name != k.name:
                known = w or k
                assert known is not None, "one of the two is there"
                said = [f'"{mark.name}"' if mark else "nothing" for mark in (w, k)]
                text = f"{process} marks {said[0]} in the world and {said[1]} on the kernel"
                side.differ(known.t_ns, "mark", text)
                break
            side.pair(
                "mark",
                id(w),
                host=w.host,
                process=process,
                world_ns=w.t_ns,
                kernel_ns=k.t_ns,
                what=f'{process} marks "{w.name}"',
            )


def _compare_ends(world: Trace, kernel: Trace, side: Side) -> None:
    ours, theirs = ([e for e in t.events if isinstance(e, ProcessEnded)] for t in (world, kernel))
    for process in dict.fromkeys(end.process for end in ours + theirs):
        w_ends = [end for end in ours if end.process == process]
        k_ends = [end for end in theirs if end.process == process]
        for w, k in zip_longest(w_ends, k_ends):
            if w is not None and k is not None and w.how == k.how:
                side.pair(
                    "end",
                    id(w),
                    host=w.host,
                    process=process,
                    world_ns=w.t_ns,
                    kernel_ns=k.t_ns,
                    what=f"{process} ends ({w.how})",
                    late_ns=ending(w.how),
                )
                continue
            known = w or k
            assert known is not None, "one of the two is there"
            ended = [f"ends ({end.how})" if end else "does not end" for end in (w, k)]
            text = f"{process} {ended[0]} in the world and {ended[1]} on the kernel"
            side.differ(known.t_ns, "process", text)


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
