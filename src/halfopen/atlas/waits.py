"""A trace made to say who waits at its end, as the world knows it.

A trace has socket calls alone, so a thread that waits for a lock is in none of them. And a call in
which a thread was stopped that called without end has not returned, but waits for nothing.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from halfopen.record.events import CallEntry, CallReturn, Event, ProcessEnded
from halfopen.record.trace import Trace
from halfopen.world.process import Waiting

_Who: TypeAlias = tuple[str, str, str]
_NO_CALL: Final = -1


def who(found: Waiting | CallEntry) -> _Who:
    """Name a thread: its host, its process, its name."""
    return (found.host, found.process, found.thread)


def open_calls(trace: Trace) -> list[CallEntry]:
    """List the calls that have not returned, of programs that have not ended."""
    found: dict[int, CallEntry] = {}
    for event in trace.events:
        match event:
            case CallEntry():
                found[event.call_id] = event
            case CallReturn():
                found.pop(event.call_id, None)
            case ProcessEnded():
                over = (event.host, event.process)
                found = {n: call for n, call in found.items() if who(call)[:2] != over}
            case _:
                pass
    return list(found.values())


def with_waits(trace: Trace, waiting: Iterable[Waiting]) -> Trace:
    """Add an entry for each thread that waits in a call that the trace does not have."""
    inside = {who(call) for call in open_calls(trace)}
    missing = [waits for waits in waiting if who(waits) not in inside]
    events = list(trace.events)
    for number, waits in enumerate(missing):
        place = next((n for n, each in enumerate(events) if each.t_ns > waits.since_ns), None)
        entry = _entry(waits, _NO_CALL - number)
        events.insert(len(events) if place is None else place, entry)
    return _made(trace, events)


def without_running(trace: Trace, waiting: Iterable[Waiting]) -> Trace:
    """Leave out the calls in which threads are that don't wait."""
    still = {who(waits) for waits in waiting}
    running = {call.call_id for call in open_calls(trace) if who(call) not in still}
    left = (e for e in trace.events if not (isinstance(e, CallEntry) and e.call_id in running))
    return _made(trace, left)


def _entry(waits: Waiting, number: int) -> CallEntry:
    return CallEntry(
        t_ns=waits.since_ns,
        call_id=number,
        host=waits.host,
        process=waits.process,
        thread=waits.thread,
        call=waits.call,
        fd=None,
        args="",
        where=waits.where,
    )


def _made(trace: Trace, events: Iterable[Event]) -> Trace:
    made = Trace(trace.meta)
    for event in events:
        made.add(event)
    made.ended_ns = trace.ended_ns
    return made
