"""Calls side by side: thread by thread, one after another, each with what it gave."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from typing import TypeAlias

from halfopen.compare.names import Names, Renaming
from halfopen.compare.pairs import Armed, Side
from halfopen.compare.rules import CONNECTS, EVERYBODY_WOKEN, TIMED_CALLS, TIMED_ERRNOS
from halfopen.record.events import ProcessStarted
from halfopen.record.query import Call, calls
from halfopen.record.shapes import POLLS
from halfopen.record.trace import Trace

#: A process, which of its lives (a reboot begins the next), and a thread of it, by number.
Key: TypeAlias = tuple[str, int, int]
Threads: TypeAlias = dict[Key, list[Call]]


def compare_calls(world: Trace, kernel: Trace, names: Names, side: Side) -> None:
    """Hold every thread's calls against each other, up to its first difference."""
    ours = _threads(world)
    theirs = _dealt(ours, _threads(kernel))
    for key in ours | theirs:
        fds = names.fds(*key[:2])
        _compare_thread(ours.get(key, []), theirs.get(key, []), names, fds, side)


def _threads(trace: Trace) -> Threads:
    """Group calls by process, life and thread, numbered in the order of their first calls."""
    starts: dict[str, list[int]] = defaultdict(list)
    for event in trace.events:
        if isinstance(event, ProcessStarted):
            starts[event.process].append(event.t_ns)
    numbers: dict[tuple[str, int, str], int] = {}
    threads: Threads = {}
    for call in calls(trace):
        life = bisect_right(starts[call.process], call.t_ns)
        known = sum(1 for key in numbers if key[:2] == (call.process, life))
        number = numbers.setdefault((call.process, life, call.thread), known)
        threads.setdefault((call.process, life, number), []).append(call)
    return threads


def _dealt(ours: Threads, theirs: Threads) -> Threads:
    """Give threads that wait in one and the same call the kernel's outcomes in the world's order.

    Which of them is served first is nobody's decision but the scheduler's.
    """
    dealt = dict(theirs)
    waiting = _waiting_alike(theirs)
    for alike in _waiting_alike(ours):
        if alike not in waiting:
            continue
        outcomes = sorted((theirs[key][0] for key in alike), key=_outcome)
        for key, outcome in zip(
            sorted(alike, key=lambda each: _outcome(ours[each][0])), outcomes, strict=True
        ):
            dealt[key] = [
                replace(
                    theirs[key][0],
                    returned_ns=outcome.returned_ns,
                    result=outcome.result,
                    errno=outcome.errno,
                )
            ]
    return dealt


def _waiting_alike(threads: Threads) -> list[list[Key]]:
    """Group threads of one process that make one call each, the same, and are in it together."""
    groups: dict[tuple[object, ...], list[Key]] = defaultdict(list)
    for key, made in threads.items():
        first = made[0]
        if len(made) == 1 and first.call in EVERYBODY_WOKEN:
            groups[(*key[:2], first.call, first.fd, first.args)].append(key)
    return [
        alike
        for alike in groups.values()
        if len(alike) > 1 and _at_once([threads[key][0] for key in alike])
    ]


def _at_once(made: list[Call]) -> bool:
    """Whether there is a moment at which all of these calls wait."""
    over = [call.returned_ns for call in made if call.returned_ns is not None]
    return not over or max(call.t_ns for call in made) < min(over)


def _outcome(call: Call) -> tuple[str, int]:
    return (str(call.errno or call.result), call.returned_ns or 0)


def _compare_thread(
    ours: list[Call], theirs: list[Call], names: Names, fds: Renaming, side: Side
) -> None:
    for w, k in zip(ours, theirs, strict=False):
        if not _compare_call(w, k, names, fds, side):
            return
    count = min(len(ours), len(theirs))
    for more, place, other in (
        (ours, "in the world", "on the kernel"),
        (theirs, "on the kernel", "in the world"),
    ):
        if len(more) > count:
            call = more[count]
            text = f"{_who(call)} calls {_show(call)} {place}, and nothing more {other}"
            side.differ(call.t_ns, "call", text)


def _compare_call(w: Call, k: Call, names: Names, fds: Renaming, side: Side) -> bool:
    """Hold two calls against each other; False: what follows can't be compared any more."""
    if w.call != k.call or not _same_fd(w, k, fds):
        text = f"{_who(w)} calls {_show(w)} in the world and {_show(k)} on the kernel"
        side.differ(w.t_ns, "call", text)
        return False
    entry = side.pair(
        "entry",
        w.call_id,
        host=w.host,
        process=w.process,
        world_ns=w.t_ns,
        kernel_ns=k.t_ns,
        what=f"{_who(w)} calls {_show(w)}",
    )
    if (w.returned_ns is None) != (k.returned_ns is None):
        other, place = (k, "on the kernel") if w.returned_ns is None else (w, "in the world")
        text = f"{_who(w)}'s {_show(w)} gives {_result(other)} {place} only; else it never returns"
        side.differ(other.returned_ns or w.t_ns, "call", text)
        return False
    if w.returned_ns is None or k.returned_ns is None:
        return True
    if w.errno != k.errno or not names.same_result(w.call, fds, w.result, k.result):
        gives = f"gives {_result(w)} in the world and {_result(k)} on the kernel"
        side.differ(w.returned_ns, "call", f"{_who(w)}'s {_show(w)} {gives}")
        return False
    side.pair(
        "return",
        w.call_id,
        host=w.host,
        process=w.process,
        world_ns=w.returned_ns,
        kernel_ns=k.returned_ns,
        what=f"{_who(w)}'s {_show(w)} gives {_result(w)}",
        after=entry,
        armed=_armed(w),
    )
    if w.call == "close" and w.fd is not None:
        fds.forget(w.fd)
    return True


def _armed(call: Call) -> Armed:
    """Tell what a timer of the kernel may have ended.

    Python's own timeouts are exact, and so are those of poll and its like (hrtimer).
    """
    if call.errno == "timeout" or (call.call in POLLS and not call.result):
        return frozenset()
    if call.errno in TIMED_ERRNOS:
        return frozenset({"call"})
    if call.call in CONNECTS:
        return frozenset({"connection", "unseen"})
    return frozenset({"call", "connection"} if call.call in TIMED_CALLS else {"connection"})


def _same_fd(w: Call, k: Call, fds: Renaming) -> bool:
    if w.fd is None or k.fd is None:
        return w.fd is k.fd
    return fds.same(w.fd, k.fd)


def _who(call: Call) -> str:
    return call.process if call.thread == "main" else f"{call.process}/{call.thread}"


def _show(call: Call) -> str:
    return f"{call.call}({call.args})"


def _result(call: Call) -> str:
    if call.errno is not None:
        return call.errno
    match call.result:
        case {"len": length}:
            return f"{length} bytes"
        case _:
            return str(call.result)
