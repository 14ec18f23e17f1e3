"""What an exploration found: numbers first, then each cause once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from halfopen.base.value import value
from halfopen.explore.advice import Advice, Remedy, hanging_call, outcome, remedies
from halfopen.explore.points import AFTER_DEPARTURE, KINDS, Point, describe_point
from halfopen.explore.request import Replay, Request, write_token
from halfopen.explore.verdict import (
    SEVERITY,
    UNCAUGHT,
    Baseline,
    Crash,
    Disturbed,
    Outcome,
    Verdict,
    place,
)
from halfopen.record.faults import Fault, describe_fault
from halfopen.record.trace import loads
from halfopen.world.process import Waiting

if TYPE_CHECKING:
    from halfopen.explore.worker import Replayed, Undisturbed

Replayer: TypeAlias = "Callable[[Sequence[Replay]], Sequence[Replayed]]"

#: A thread: its host, its process, its name; the name is empty where a process is meant.
Who: TypeAlias = tuple[str, str, str]


class Tally:
    """The runs of an exploration, as they come in."""

    def __init__(self, undisturbed: "Undisturbed") -> None:
        self.undisturbed = undisturbed
        self.disturbed: list[Disturbed] = []


@value
class FaultCount:
    """How often a fault fired, of how many points, and what came of it."""

    fault: Fault
    fired: int
    points: int
    verdicts: dict[Verdict, int]


@value
class Cause:
    """What makes runs one finding: a line that waits in a call, or crashes, or something said."""

    verdict: Verdict
    key: tuple[object, ...]


@value
class Finding:
    """One cause: the smallest run that shows it, and every fault and point at which it comes up."""

    verdict: Verdict
    waits: Waiting | None
    others: tuple[Who, ...]  # who else waits at that line, or crashes there, in any of its runs
    crash: Crash | None
    fault: Fault
    outcome: Outcome
    point: Point
    where: str  # "segment 9 has arrived at server"
    faults: tuple[tuple[Fault, tuple[int, ...]], ...]  # each with its points
    token: str
    trace: str  # of the smallest run, as Trace.dumps writes it
    advice: tuple[Advice, ...]
    waiting: tuple[Waiting, ...] = ()  # everyone who waits in the smallest run


@value
class Report:
    """Everything that an exploration has to say. ``errors`` make it worthless: they come first."""

    target: str
    points: int
    kinds: dict[str, int]  # of points
    runs: int
    faults: tuple[FaultCount, ...]
    verdicts: dict[Verdict, int]
    findings: tuple[Finding, ...]
    errors: tuple[str, ...]
    baseline: Baseline
    horizon_ns: int
    spins: bool = False  # the undisturbed run, so that no fault was tried

    @property
    def clean(self) -> bool:
        """Whether every fault fired somewhere, and no run came to a bad end."""
        return not self.errors and not self.findings


def make_report(request: Request, tally: Tally, replay: Replayer) -> Report:
    """Count the runs and group them by cause; the smallest run of each cause is run once more."""
    undisturbed = tally.undisturbed
    runs = sorted(tally.disturbed, key=lambda run: run.point)
    counts = tuple(_count(fault, runs, len(undisturbed.points)) for fault in undisturbed.faults)
    causes: dict[Cause, list[Disturbed]] = {}
    for run in runs:
        for cause in causes_of(run.outcome):
            causes.setdefault(cause, []).append(run)
    findings = _findings(request, undisturbed, causes, replay)
    sent_at = _first_departure(undisturbed)
    findings.sort(key=lambda finding: _rank(finding, sent_at))
    return Report(
        target=request.target,
        points=len(undisturbed.points),
        kinds={kind: sum(p.kind == kind for p in undisturbed.points) for kind in KINDS},
        runs=len(runs),
        faults=counts,
        verdicts=_verdicts(runs),
        findings=tuple(findings),
        errors=tuple(_errors(undisturbed, counts)),
        baseline=undisturbed.baseline,
        horizon_ns=request.horizon_ns,
        spins=bool(undisturbed.spun),
    )


def _first_departure(undisturbed: "Undisturbed") -> int:
    """Number the first point at which something has been sent; 0 where nothing ever was."""
    sent = (point.number for point in undisturbed.points if point.kind == AFTER_DEPARTURE)
    return next(sent, 0)


def _rank(finding: Finding, sent_at: int) -> tuple[bool, int, int]:
    """Put the worst first; last comes who waits where nothing was sent, as any server may."""
    idle = finding.waits is not None and finding.point.number < sent_at
    return idle, SEVERITY.index(finding.verdict), finding.point.number


def causes_of(found: Outcome) -> list[Cause]:
    """Name what a run shows: one cause for each line at which threads wait, or programs crash.

    Which fault led there is none, nor who waits: a line that waits for ever is to be mended once,
    however many threads and processes come to it. Nor is a thread
    that waits in the library alone (a pool's, for work), where another waits in the program.
    """
    keys: list[tuple[object, ...]]
    match found.verdict:
        case "clean":
            keys = []
        case "hang" | "stuck":
            own = [waits for waits in found.waiting if waits.own]
            keys = [_wait_key(waits) for waits in own or found.waiting]
        case "crash":
            keys = [_crash_key(crash) for crash in found.crashes]
        case "wrong" | "spin" | "broken":
            keys = [(found.detail,)]
    return [Cause(verdict=found.verdict, key=key) for key in dict.fromkeys(keys)]


def _wait_key(waits: Waiting) -> tuple[object, ...]:
    """Tell waits apart by line and call; where no line is known, by who waits."""
    return (waits.where, waits.line, waits.call) if waits.where else place(waits)


def _crash_key(crash: Crash) -> tuple[object, ...]:
    """Tell crashes apart by line and class, as texts may hold figures; else by who crashed."""
    kind = crash.how.removeprefix(UNCAUGHT).split(":", 1)[0]
    at = (crash.where, crash.line) if crash.where else (crash.host, crash.process)
    return (*at, kind)


def _who(found: Waiting | Crash) -> Who:
    return (found.host, found.process, found.thread if isinstance(found, Waiting) else "")


def _verdicts(runs: list[Disturbed]) -> dict[Verdict, int]:
    counted: dict[Verdict, int] = {}
    for verdict in SEVERITY:
        number = sum(run.outcome.verdict == verdict for run in runs)
        if number:
            counted[verdict] = number
    return counted


def _count(fault: Fault, runs: list[Disturbed], points: int) -> FaultCount:
    own = [run for run in runs if run.fault == fault]
    return FaultCount(fault=fault, fired=len(own), points=points, verdicts=_verdicts(own))


def _findings(
    request: Request,
    undisturbed: "Undisturbed",
    causes: dict[Cause, list[Disturbed]],
    replay: Replayer,
) -> list[Finding]:
    """Run the smallest run of each cause once more, and then with every remedy."""
    cases = [_Case(cause, runs, request) for cause, runs in causes.items()]
    told = [case for case in cases if case.cause.verdict != "broken"]  # or its replay breaks too
    for case, again in zip(told, replay([case.again for case in told]), strict=True):
        case.shown = again
    tries = [(case, remedy) for case in told for remedy in case.remedies()]
    tried = replay([replace(case.again, remedy=remedy) for case, remedy in tries])
    for (case, remedy), run in zip(tries, tried, strict=True):
        case.advice.append(outcome(loads(run.trace), remedy))
    trace = loads(undisturbed.trace)
    found = []
    for case in cases:
        point = undisturbed.points[case.first.point - 1]
        found.append(case.finding(point, describe_point(point, trace)))
    return found


class _Case:
    """A cause, its runs, and what running the smallest of them again has shown so far."""

    def __init__(self, cause: Cause, runs: list[Disturbed], request: Request) -> None:
        self.cause = cause
        self.runs = runs
        self.first = min(runs, key=_size)
        self.again = Replay(request=request, point=self.first.point, fault=self.first.fault)
        self.shown: Replayed | None = None
        self.advice: list[Advice] = []

    def remedies(self) -> tuple[Remedy, ...]:
        """Name what can be tried. Requires: the smallest run was run again."""
        assert self.shown is not None, "a remedy is asked for a run that was not repeated"
        waits = self._waits()
        call = hanging_call(loads(self.shown.trace), waits) if waits is not None else None
        return remedies(call) if call is not None else ()

    def finding(self, point: Point, where: str) -> Finding:
        """Put it all together."""
        faults: dict[Fault, list[int]] = {}
        for run in self.runs:
            faults.setdefault(run.fault, []).append(run.point)
        shown = self.shown
        told = self._waits() or self._crash()
        return Finding(
            verdict=self.cause.verdict,
            waits=self._waits(),
            others=self._others(_who(told)) if told is not None else (),
            crash=self._crash(),
            fault=self.first.fault,
            outcome=self.first.outcome,
            point=point,
            where=where,
            faults=tuple((fault, tuple(points)) for fault, points in faults.items()),
            token=write_token(replace(self.again, digest="" if shown is None else shown.digest)),
            trace="" if shown is None else shown.trace,
            advice=tuple(self.advice),
            waiting=() if shown is None else shown.waiting,
        )

    def _waits(self) -> Waiting | None:
        for waits in self.first.outcome.waiting:
            if _wait_key(waits) == self.cause.key:
                return waits
        return None

    def _others(self, told: Who) -> tuple[Who, ...]:
        """Name who else comes to the same line, in the order of the runs."""
        found: dict[Who, None] = {}
        for run in self.runs:
            outcome = run.outcome
            found.update((_who(w), None) for w in outcome.waiting if _wait_key(w) == self.cause.key)
            found.update(
                (_who(c), None) for c in outcome.crashes if _crash_key(c) == self.cause.key
            )
        return tuple(who for who in found if who != told)

    def _crash(self) -> Crash | None:
        if self.cause.verdict == "crash":
            for crash in self.first.outcome.crashes:
                if _crash_key(crash) == self.cause.key:
                    return crash
        return None


def _size(run: Disturbed) -> tuple[int, int]:
    """Of runs with one cause that one tells most in which least else waits, and the shortest."""
    return len(run.outcome.waiting), run.point


def _errors(undisturbed: "Undisturbed", counts: tuple[FaultCount, ...]) -> list[str]:
    """Say what makes the exploration prove nothing."""
    found = []
    baseline = undisturbed.baseline
    if undisturbed.spun:
        found.append(f"the undisturbed run itself spins: {undisturbed.spun}")
    elif not undisturbed.points:
        found.append("the undisturbed run makes no socket call and sends nothing: no fault point")
    found.extend(
        f"without any fault, {crash.process} ends by {crash.how.removeprefix(UNCAUGHT)}"
        for crash in baseline.crashes
    )
    if baseline.wrong:
        found.append(f"without any fault, a check fails: {baseline.wrong}")
    if undisturbed.points and not undisturbed.spun:
        found.extend(
            f"{describe_fault(count.fault)}: 0 of {count.points} fired"
            for count in counts
            if not count.fired
        )
    return found
