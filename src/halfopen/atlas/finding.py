"""Explorations as text: counts first, then each finding with its smallest run and its token."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from halfopen.atlas.ladder import both_ends, excerpt, ladder
from halfopen.atlas.phrases import call_name, plural, show_call
from halfopen.atlas.waits import open_calls, who, with_waits, without_running
from halfopen.base.units import S, show_duration
from halfopen.explore.advice import TIMEOUT_NS, Advice
from halfopen.explore.points import (
    AFTER_ARRIVAL,
    AFTER_DEPARTURE,
    BEFORE_ARRIVAL,
    BEFORE_DEPARTURE,
    CALL,
    RETURN,
    describe_point,
)
from halfopen.explore.report import FaultCount, Finding, Report
from halfopen.explore.request import Replay
from halfopen.explore.verdict import Crash, Outcome
from halfopen.explore.worker import Replayed
from halfopen.guest.locks import LOCK
from halfopen.record.events import CallEntry
from halfopen.record.faults import describe_fault
from halfopen.record.trace import Trace, loads
from halfopen.world.process import Waiting

_WIDTH: Final = 80
_LADDER_MAX: Final = 18
_PLACE: Final = 44

#: Of a run that spins so many lines are shown of its beginning, and of its end.
_FIRST: Final = 24
_LAST: Final = 8

#: Calls in which a thread waits for another, or for time.
_WITHOUT_SOCKET: Final = frozenset({"acquire", "pause", "sleep"})

#: A server that has nothing to do waits in these.
_AT_REST: Final = frozenset({"accept", "select", "poll", "epoll_wait"})

#: What a task waits for that waits for a peer that is there already.
_FOR_A_PEER: Final = frozenset({"data", "room"})

#: How the kinds of points are counted out.
_AT: Final = {
    CALL: "at a call's entry",
    RETURN: "at its return",
    BEFORE_DEPARTURE: "before a departure",
    AFTER_DEPARTURE: "after it",
    BEFORE_ARRIVAL: "before an arrival",
    AFTER_ARRIVAL: "after it",
}


def report_lines(report: Report, *, took_s: float) -> list[str]:
    """Write an exploration that took so many seconds."""
    lines = [] if report.spins else _numbers(report, took_s)
    lines += [line for error in report.errors for line in _hung(f"error: {error}", 0)]
    if any(_is_ordinary(finding) for finding in report.findings):
        lines += ["  errors that your programs may end by: --expect OSError"]
    for finding in report.findings:
        lines += ["", *_finding(finding)]
    if report.clean:
        lines += ["", "Every fault fired, and no run came to a bad end."]
    return lines


def _numbers(report: Report, took_s: float) -> list[str]:
    """Count the points and the runs, and how often each fault fired."""
    lines = [*wrap(_counts(report, took_s), _WIDTH), *_hung(_kinds(report), 2)]
    return lines + [line for count in report.faults for line in _hung(_fired(count), 2)]


def replay_lines(replayed: Replayed, asked: Replay, token: str) -> list[str]:
    """Write one disturbed run in full, and whether it is the one that the token names."""
    outcome = replayed.outcome
    trace = loads(replayed.trace)
    fault = describe_fault(asked.fault) if asked.fault is not None else "no fault"
    met = f", {describe_point(replayed.point, trace)}" if replayed.point is not None else ""
    lines = wrap(f"{outcome.verdict}  {fault}{met}", _WIDTH, subsequent_indent="      ")
    lines += _outcome(outcome)
    told = without_running(with_waits(trace, replayed.waiting), replayed.waiting)
    lines += ["", *ladder(told, forever=outcome.verdict == "hang"), ""]
    if is_another(replayed, asked):
        lines += wrap(
            "This is not the run that the token was made for: the program, its modules or halfopen "
            "have changed since. Explore again.",
            _WIDTH,
        )
    return [*lines, f"again: halfopen replay {token}"]


def is_another(replayed: Replayed, asked: Replay) -> bool:
    """Whether a replay came out otherwise than the run that its token names."""
    return asked.digest not in {"", replayed.digest}


def run_lines(replayed: Replayed) -> tuple[list[str], bool]:
    """Write an undisturbed run; all is well where nobody crashed, spins, or waits but for work."""
    trace = loads(replayed.trace)
    spins = replayed.outcome.verdict == "spin"
    waiting = tuple(waits for waits in replayed.waiting if not _is_due(waits, trace.ended_ns))
    lines = _drawn(trace, waiting, spins=spins)
    if spins:
        lines += ["", *_hung(f"The run spins: {replayed.outcome.detail}", 0)]
    at_rest = _are_at_rest(waiting)
    if waiting:
        lines += ["", *_hung(_head(replayed, trace.ended_ns, waiting, at_rest=at_rest), 0)]
    inside = {who(call): call for call in open_calls(trace)}
    for waits in waiting:
        lines += _hung(_one_waits(waits, inside.get(who(waits))), 2)
    if crashed := replayed.crashes:
        lines += [
            "",
            "1 program crashed:" if len(crashed) == 1 else f"{len(crashed)} programs crashed:",
        ]
        lines += [line for crash in crashed for line in _crashed(crash)]
    if wrong := replayed.wrong:
        lines += ["", *_hung(f"A check fails: {wrong}", 0)]
    return lines, at_rest and not (crashed or spins or wrong)


def _is_due(waits: Waiting, ended_ns: int) -> bool:
    """Whether its time has come, so that it waits no more: in a run that ended in its midst."""
    return waits.until_ns is not None and waits.until_ns <= ended_ns


def _drawn(trace: Trace, waiting: Sequence[Waiting], *, spins: bool) -> list[str]:
    """Draw a whole run, but of one that spins the beginning and the end."""
    told = with_waits(trace, waiting)
    if not spins:
        return ladder(told)
    return both_ends(without_running(told, waiting), first=_FIRST, last=_LAST)


def _head(replayed: Replayed, ended_ns: int, waiting: Sequence[Waiting], *, at_rest: bool) -> str:
    """Say how the run ended, and how many wait."""
    tasks = sum(bool(waits.task) for waits in waiting)
    threads = len(waiting) - tasks
    parts = ((threads, "thread"), (tasks, "task"))
    counted = " and ".join(plural(number, what) for number, what in parts if number)
    counted += " waits" if threads + tasks == 1 else " wait"
    ended = show_duration(ended_ns)
    if replayed.outcome.verdict == "spin":
        return f"Meanwhile {counted}:"
    if replayed.moves:
        return f"The run was given up at {ended}, with more to come, and {counted}:"
    if at_rest:
        return f"At rest since {ended}; {counted} for work:"
    return f"The world can never move again at {ended}, and {counted}:"


def _are_at_rest(waiting: Sequence[Waiting]) -> bool:
    """Whether all wait but for work, or for a time."""
    doors = {waits.process for waits in waiting if _is_at_door(waits)}
    return all(_is_at_rest(waits, served=waits.process in doors) for waits in waiting)


def _is_at_door(waits: Waiting) -> bool:
    """Whether it waits where work comes in."""
    return call_name(waits.call) in _AT_REST and waits.what not in _FOR_A_PEER


def _is_at_rest(waits: Waiting, *, served: bool) -> bool:
    """Whether it waits but for work.

    ``served``: work comes in by another of its process, and may come to it: to a pool's idle
    thread, or to one that waits for the server's end. Who waits for a lock gets no work.
    """
    if waits.call in _WITHOUT_SOCKET:
        return waits.until_ns is not None or (served and waits.what != LOCK)
    return _is_at_door(waits)


def _one_waits(waits: Waiting, inside: CallEntry | None) -> str:
    """Say who waits where, in which call; ``inside``: the socket call that the trace has."""
    if waits.task:
        return f"{_name(waits)}  {waits.where}  {waits.line}  for {waits.what}"
    if inside is None:
        since = show_duration(waits.since_ns)
        return f"{_name(waits)}  {waits.where}  {waits.line}  for {waits.what} since {since}"
    shown = show_call(inside.call, inside.args)
    where = inside.where or "in a library"
    return f"{_name(waits)}  {where}  {shown}  since {show_duration(inside.t_ns)}"


def _counts(report: Report, took_s: float) -> str:
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in report.verdicts.items())
    causes = len(report.findings)
    idle = report.points * len(report.faults) - report.runs
    said = f"{report.points} points x {len(report.faults)} faults: {report.runs} runs"
    said += f" in {took_s:.1f} s"
    if verdicts:
        said += f": {verdicts}"
    said += f" ({causes} {'cause' if causes == 1 else 'causes'})" if causes else ""
    return f"{said}; {idle} times a fault found nothing to act on" if idle else said


def _kinds(report: Report) -> str:
    """Say how many points of which kind there are."""
    counted = ", ".join(f"{number} {_AT[kind]}" for kind, number in report.kinds.items() if number)
    return f"points: {counted}" if counted else "points: none"


def _fired(count: FaultCount) -> str:
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in count.verdicts.items())
    fired = f"{describe_fault(count.fault)}: {count.fired} of {count.points} fired"
    return f"{fired}; {verdicts}" if verdicts else fired


def _finding(finding: Finding) -> list[str]:
    headline = f"{finding.verdict}  {describe_fault(finding.fault)}, {finding.where}"
    lines = [*wrap(headline, _WIDTH, subsequent_indent="      ")]
    if finding.waits is not None:
        lines += _waiting(finding.waits, forever=finding.verdict == "hang")
        lines += _others(finding)
        lines += _pending(finding.outcome)
    elif finding.crash is not None:
        lines += _crashed(finding.crash)
        lines += _others(finding)
    else:
        lines += _outcome(finding.outcome)
    lines += _hung(f"{_points(finding)}; shown: point {finding.point.number}", 2)
    if finding.trace:
        forever = finding.verdict == "hang"
        told = with_waits(loads(finding.trace), finding.outcome.waiting)
        if finding.verdict == "spin":
            told = without_running(told, finding.waiting)
        shown = excerpt(told, lines_max=_LADDER_MAX, forever=forever)
        lines += ["", *shown, ""]
    lines += [line for said in _advice(finding.advice) for line in _hung(said, 2)]
    if finding.waits is not None and finding.waits.task:
        lines += [f"  not tried: asyncio.timeout({TIMEOUT_NS // S}) around the await"]
    return [*lines, f"  again: halfopen replay {finding.token}"]


def _is_ordinary(finding: Finding) -> bool:
    """Whether a program crashed by an error that any socket may meet."""
    return finding.crash is not None and OSError.__name__ in finding.crash.classes


def _others(finding: Finding) -> list[str]:
    """Count who else comes to the same line: threads of the process shown, and other processes."""
    shown = finding.waits or finding.crash
    assert shown is not None, "a finding that others share shows one of them"
    own = (shown.host, shown.process)
    threads = sum(who[:2] == own for who in finding.others)
    processes = len({who[:2] for who in finding.others} - {own})
    counted = [
        f"{number} more {one if number == 1 else several}"
        for number, one, several in (
            (threads, "thread", "threads"),
            (processes, "process", "processes"),
        )
        if number
    ]
    return [f"  and {' and '.join(counted)}, at this point or another"] if counted else []


def _points(finding: Finding) -> str:
    """Say at how many points each fault leads here."""
    parts = [
        f"{len(points)} {'point' if len(points) == 1 else 'points'} of {describe_fault(fault)}"
        for fault, points in finding.faults
    ]
    return ", ".join(parts)


def _advice(tried: tuple[Advice, ...]) -> Iterator[str]:
    """Say what ended the wait when it was tried, and what did not."""
    helped = [
        f"{_means(advice)}: {_noticed(advice)} at {show_duration(advice.at_ns)}"
        for advice in tried
        if advice.at_ns is not None
    ]
    if helped:
        yield f"would have been noticed: {'; '.join(helped)}"
    in_vain = [_means(advice) for advice in tried if advice.at_ns is None]
    if in_vain:
        yield f"tried in vain: {'; '.join(in_vain)}"


def _means(advice: Advice) -> str:
    if advice.means == "settimeout":
        return f"sock.settimeout({TIMEOUT_NS // S})"
    return "SO_KEEPALIVE with system defaults"


def _noticed(advice: Advice) -> str:
    if advice.errno is None:
        return "it returns"
    return "TimeoutError" if advice.errno == "timeout" else advice.errno


def _outcome(outcome: Outcome) -> list[str]:
    lines: list[str] = []
    for waits in outcome.waiting:
        lines += _waiting(waits, forever=outcome.verdict == "hang")
    for crash in outcome.crashes:
        lines += _crashed(crash)
    if outcome.detail:
        lines += _hung(outcome.detail, 2)
    if outcome.waiting:
        lines += _pending(outcome)
    return lines


def _waiting(waits: Waiting, *, forever: bool) -> list[str]:
    """Write the line that blocks, then who waits there, for what and since when."""
    stands = f"{waits.where}  {waits.line}" if waits.line else f"{waits.where}  {waits.call}"
    ending = "waits for ever" if forever else "still waits"
    since = show_duration(waits.since_ns)
    said = f"{_name(waits)} waits in {waits.call} for {waits.what} since {since}"
    return [
        *_hung(f"{stands:<{_PLACE}}  {ending}", 2),
        *_hung(said, 2),
    ]


def _name(waits: Waiting) -> str:
    """Name who waits: ``host:process``, and the thread and the task where it is not the only."""
    name = f"{waits.host}:{waits.process}"
    if waits.thread not in {"main", "MainThread"}:
        name += f"/{waits.thread}"
    if waits.task:
        name += f"/{waits.task}"
    return name


def _crashed(crash: Crash) -> list[str]:
    """Write the line that raised, or let it through, then whose end that was, and by what."""
    stands = f"{crash.where}  {crash.line}".rstrip()
    raised = _hung(f"{stands:<{_PLACE}}  crashes", 2) if crash.where else []
    return raised + _hung(f"{crash.host}:{crash.process}  {crash.how}", 2)


def _pending(outcome: Outcome) -> list[str]:
    if not outcome.pending:
        return ["  nothing is pending: no timer, no probe, no unacknowledged data"]
    pending = "; ".join(dict.fromkeys(outcome.pending))
    if outcome.repeats:
        return _hung(f"all that is pending only repeats itself: {pending}", 2)
    ended = show_duration(outcome.ended_ns)
    return _hung(f"still pending when the run was given up, at {ended}: {pending}", 2)


def _hung(text: str, indent: int) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
