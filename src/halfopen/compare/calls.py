"""Calls side by side: thread by thread, one after another, each with what it gave."""

from halfopen.compare.names import Names
from halfopen.compare.pairs import Side
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace


def compare_calls(world: Trace, kernel: Trace, names: Names, side: Side) -> None:
    """Hold every thread's calls against each other, up to its first difference."""
    ours, theirs = _threads(world), _threads(kernel)
    for key in ours | theirs:
        _compare_thread(ours.get(key, []), theirs.get(key, []), names, side)


def _threads(trace: Trace) -> dict[tuple[str, int], list[Call]]:
    """Group calls by process and thread; threads are numbered in the order of their first calls."""
    numbers: dict[tuple[str, str], int] = {}
    threads: dict[tuple[str, int], list[Call]] = {}
    for call in calls(trace):
        known = sum(1 for process, _ in numbers if process == call.process)
        number = numbers.setdefault((call.process, call.thread), known)
        threads.setdefault((call.process, number), []).append(call)
    return threads


def _compare_thread(ours: list[Call], theirs: list[Call], names: Names, side: Side) -> None:
    for w, k in zip(ours, theirs, strict=False):
        if not _compare_call(w, k, names, side):
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


def _compare_call(w: Call, k: Call, names: Names, side: Side) -> bool:
    if w.call != k.call or not _same_fd(w, k, names):
        text = f"{_who(w)} calls {_show(w)} in the world and {_show(k)} on the kernel"
        side.differ(w.t_ns, "call", text)
        return False
    what = f"{_who(w)} calls {_show(w)}"
    side.pair(w.host, "entry", world_ns=w.t_ns, kernel_ns=k.t_ns, what=what)
    if (w.returned_ns is None) != (k.returned_ns is None):
        other, place = (k, "on the kernel") if w.returned_ns is None else (w, "in the world")
        text = f"{_who(w)}'s {_show(w)} gives {_result(other)} {place} only; else it never returns"
        side.differ(other.returned_ns or w.t_ns, "call", text)
        return False
    if w.returned_ns is None or k.returned_ns is None:
        return True
    if w.errno != k.errno or not names.same_result(w.call, w.process, w.result, k.result):
        gives = f"gives {_result(w)} in the world and {_result(k)} on the kernel"
        side.differ(w.returned_ns, "call", f"{_who(w)}'s {_show(w)} {gives}")
        return False
    side.pair(
        w.host,
        "return",
        world_ns=w.returned_ns,
        kernel_ns=k.returned_ns,
        what=f"{_who(w)}'s {_show(w)} gives {_result(w)}",
    )
    if w.call == "close" and w.fd is not None:
        names.fds(w.process).forget(w.fd)
    return True


def _same_fd(w: Call, k: Call, names: Names) -> bool:
    if w.fd is None or k.fd is None:
        return w.fd is k.fd
    return names.fds(w.process).same(w.fd, k.fd)


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
