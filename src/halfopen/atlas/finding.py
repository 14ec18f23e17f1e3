"""Explorations as text: counts first, then each finding with its smallest run and its token."""

from textwrap import wrap
from typing import Final

from halfopen.atlas.ladder import ladder
from halfopen.atlas.phrases import show_call
from halfopen.base.units import show_duration
from halfopen.explore.report import Finding, Report
from halfopen.explore.verdict import Outcome, crashes
from halfopen.explore.worker import Replayed
from halfopen.record.events import ProcessEnded
from halfopen.record.faults import describe_fault
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace, loads
from halfopen.world.process import Waiting

_WIDTH: Final = 80
_LADDER_MAX: Final = 18
_PLACE: Final = 44


def report_lines(report: Report, *, took_s: float) -> list[str]:
    """Write an exploration that took so many seconds."""
    lines = [*wrap(_counts(report, took_s), _WIDTH)]
    for count in report.faults:
        verdicts = ", ".join(f"{number} {verdict}" for verdict, number in count.verdicts.items())
        fired = f"{describe_fault(count.fault)}: {count.fired} of {count.points} points fired"
        lines += _hung(f"{fired}; {verdicts}" if verdicts else fired, 2)
    lines += [f"error: {error}" for error in report.errors]
    for finding in report.findings:
        lines += ["", *_finding(finding)]
    if report.clean:
        lines += ["", "Every fault fired, and no run came to a bad end."]
    return lines


def replay_lines(replayed: Replayed, token: str) -> list[str]:
    """Write one disturbed run in full."""
    outcome = replayed.outcome
    lines = [outcome.verdict, *_outcome(outcome)]
    lines += ["", *ladder(loads(replayed.trace), forever=outcome.verdict == "hang"), ""]
    return [*lines, f"again: halfopen replay {token}"]


def run_lines(replayed: Replayed) -> tuple[list[str], bool]:
    """Write an undisturbed run, and say whether every program came to its end."""
    trace = loads(replayed.trace)
    waiting = [
        call for call in calls(trace) if call.returned_ns is None and not _is_over(call, trace)
    ]
    crashed = crashes(trace)
    lines = ladder(trace)
    if waiting:
        who = "1 thread waits" if len(waiting) == 1 else f"{len(waiting)} threads wait"
        ended = show_duration(trace.ended_ns)
        lines += ["", f"The world can never move again at {ended}, and {who}:"]
    for call in waiting:
        shown = show_call(call.call, call.args)
        since = show_duration(call.t_ns)
        lines += _hung(f"{call.host}:{call.process}  {call.where}  {shown}  since {since}", 2)
    for crash in crashed:
        lines += _hung(f"{crash.host}:{crash.process}  {crash.how}", 2)
    return lines, not waiting and not crashed


def _is_over(call: Call, trace: Trace) -> bool:
    """Whether the program that made a call has ended."""
    return any(
        isinstance(event, ProcessEnded)
        and (event.host, event.process) == (call.host, call.process)
        and event.t_ns >= call.t_ns
        for event in trace.events
    )


def _counts(report: Report, took_s: float) -> str:
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in report.verdicts.items())
    causes = len(report.findings)
    said = f"{report.points} points, {len(report.faults)} faults: {report.runs} runs"
    said += f" in {took_s:.1f} s"
    if verdicts:
        said += f": {verdicts}"
    return said + (f" ({causes} {'cause' if causes == 1 else 'causes'})" if causes else "")


def _finding(finding: Finding) -> list[str]:
    first = f"{finding.verdict}  {describe_fault(finding.fault)}, {finding.where}"
    points = len(finding.points)
    counted = f"{points} {'point' if points == 1 else 'points'}, first and smallest: "
    lines = [*wrap(first, _WIDTH, subsequent_indent="      "), *_outcome(finding.outcome)]
    lines += _hung(f"{counted}{finding.point.number} ({finding.where})", 2)
    if finding.trace:
        drawn = ladder(loads(finding.trace), forever=finding.verdict == "hang")
        lines += ["", *_shortened(drawn), ""]
    return [*lines, f"  again: halfopen replay {finding.token}"]


def _outcome(outcome: Outcome) -> list[str]:
    lines: list[str] = []
    for waits in outcome.waiting:
        lines += _waiting(waits, forever=outcome.verdict == "hang")
    for crash in outcome.crashes:
        lines += _hung(f"{crash.host}:{crash.process}  {crash.how}", 2)
    if outcome.detail:
        lines += _hung(outcome.detail, 2)
    if outcome.waiting:
        lines += _pending(outcome)
    return lines


def _waiting(waits: Waiting, *, forever: bool) -> list[str]:
    who = f"{waits.host}:{waits.process}"
    if waits.thread not in {"main", "MainThread"}:
        who += f"/{waits.thread}"
    stands = f"{waits.where}  {waits.line}" if waits.line else f"{waits.where}  {waits.call}"
    ending = "waits for ever" if forever else "still waits"
    ending += f", for {waits.what}, since {show_duration(waits.since_ns)}"
    return _hung(f"{who}  {stands:<{_PLACE - len(who)}}  {ending}", 2)


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


def _shortened(drawn: list[str]) -> list[str]:
    if len(drawn) <= _LADDER_MAX:
        return drawn
    return [
        drawn[0],
        f"{'':>12}... {len(drawn) - _LADDER_MAX} lines before ...",
        *drawn[2 - _LADDER_MAX :],
    ]
