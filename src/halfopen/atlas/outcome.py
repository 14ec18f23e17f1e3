"""What a variant comes to: what the program that felt it was told, in a few words."""

from collections.abc import Sequence
from itertools import groupby, takewhile

from halfopen.atlas.phrases import (
    LOOKUPS,
    TELLING,
    call_name,
    gives_error,
    outcome_name,
    show_outcome,
    show_result,
    show_wait,
)
from halfopen.record.events import FaultFired, Output, ProcessEnded
from halfopen.record.faults import Kill, PowerOff
from halfopen.record.query import Call, calls
from halfopen.record.shapes import POLLS
from halfopen.record.trace import Trace

_ERRORS_MAX = 3
_RESULTS_MAX = 4
_CHANGES_MAX = 6
_PRINTS = "prints "


def outcome(trace: Trace, tells: Sequence[tuple[str, str]] = ()) -> str:
    """Say what the calls gave that a row is about.

    Where it names none, or a run made none of them: what the program was told that connects, or
    looks up; where none survived, what the others were.
    """
    given = [(process, _given(trace, process, what)) for process, what in tells]
    given = [(process, said) for process, said in given if said]
    if not given:
        return _told(trace)
    if len({process for process, _ in tells}) == 1:
        return "; ".join(said for _, said in given)
    return "; ".join(
        f"{process}: {'; '.join(said for _, said in group)}"
        for process, group in groupby(given, key=lambda each: each[0])
    )


def _given(trace: Trace, process: str, what: str) -> str:
    """Say what a call gave a program each time, or what it printed; "" where there is nothing."""
    if what.startswith(_PRINTS):
        lines = _printed(trace, process)
        begins = what.removeprefix(_PRINTS)
        return "; ".join(dict.fromkeys(line for line in lines if line.startswith(begins)))
    made = [call for call in calls(trace, process=process) if outcome_name(call) == what]
    return f"{what} -> {_results(made)}" if made else ""


def _printed(trace: Trace, process: str) -> list[str]:
    return "".join(
        event.text
        for event in trace.events
        if isinstance(event, Output) and event.process == process
    ).splitlines()


def _results(made: Sequence[Call]) -> str:
    """Write what one call gave each time: ``7240 bytes, ECONNRESET``; of many only what changes."""
    shown = [show_outcome(call).partition(" -> ")[2] or "waits on" for call in made]
    if len(shown) > _RESULTS_MAX:
        shown = [text for text, _ in groupby(shown)]
    if len(shown) > _CHANGES_MAX:
        shown = [*shown[:_RESULTS_MAX], f"and {len(shown) - _RESULTS_MAX} more"]
    return ", ".join(shown)


def _told(trace: Trace) -> str:
    telling = [call for call in calls(trace) if call_name(call.call) in TELLING]
    dead = _dead(trace)
    alive = [call for call in telling if (call.host, call.process) not in dead]
    connecting = {
        (call.host, call.process)
        for call in alive
        if call.call in {"connect", "connect_ex"} or call.call in LOOKUPS
    }
    mine = [c for c in alive if (c.host, c.process) in connecting] if connecting else alive
    programs = dict.fromkeys((call.host, call.process) for call in mine)
    parts = []
    for program in programs:
        made_here = [call for call in mine if (call.host, call.process) == program]
        said = _of_program(made_here, _killed_in_call(trace).get(program, ""))
        parts.append(f"{program[1]}: {said}" if len(programs) > 1 else said)
    return "; ".join(parts) or "no call is left to tell"


def _of_program(made: list[Call], killed: str) -> str:
    errors = [call for call in made if _error_of(call)]
    waiting = [call for call in made if call.returned_ns is None]
    said = [_say_error(call) for call in errors[:_ERRORS_MAX]]
    if killed:
        said.append(f"{outcome_name(made[-1])} -> killed: {killed}")
    if not said:
        said = [show_outcome(call) for call in (waiting[-1:] or _last_looks(made))]
    return ", then ".join(dict.fromkeys(said))


def _last_looks(made: list[Call]) -> list[Call]:
    """Give the last call; where it only looks, each of the last looks that saw something new."""
    last = made[-1]
    if last.call not in POLLS:
        return [last]
    looks = list(takewhile(lambda call: call.call == last.call, reversed(made)))[::-1]
    return [next(same) for _, same in groupby(looks, key=lambda call: call.result)]


def _say_error(call: Call) -> str:
    return f"{outcome_name(call)} -> {_error_of(call)}{show_wait(call.blocked_ns)}"


def _error_of(call: Call) -> str:
    if call.errno is None and not (gives_error(call.call, call.args) and call.result):
        return ""
    return show_result(call.call, call.args, call.result, call.errno)


def _dead(trace: Trace) -> set[tuple[str, str]]:
    """Find the programs that a fault or a crash ended: nobody told them anything."""
    killed_in_call = _killed_in_call(trace)
    killed_hosts = {
        event.fault.host
        for event in trace.events
        if isinstance(event, FaultFired) and isinstance(event.fault, PowerOff)
    }
    killed = {
        event.fault.process
        for event in trace.events
        if isinstance(event, FaultFired) and isinstance(event.fault, Kill)
    }
    return {
        (call.host, call.process)
        for call in calls(trace)
        if call.host in killed_hosts or call.process in killed
    } | {
        (event.host, event.process)
        for event in trace.events
        if isinstance(event, ProcessEnded)
        and event.how.startswith("SIG")
        and (event.host, event.process) not in killed_in_call
    }


def _killed_in_call(trace: Trace) -> dict[tuple[str, str], str]:
    """Find the programs that were killed for a call of theirs: SIGPIPE is what it told them."""
    return {
        (event.host, event.process): event.how
        for event in trace.events
        if isinstance(event, ProcessEnded) and event.how == "SIGPIPE"
    }
