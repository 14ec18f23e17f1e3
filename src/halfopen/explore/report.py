"""What an exploration found: numbers first, then each cause once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from halfopen.base.value import value
from halfopen.explore.points import Point, describe_point
from halfopen.explore.request import Replay, Request, write_token
from halfopen.explore.verdict import SEVERITY, Baseline, Disturbed, Outcome, Verdict, place
from halfopen.record.faults import Fault, describe_fault
from halfopen.record.trace import loads

if TYPE_CHECKING:
    from halfopen.explore.worker import Replayed, Undisturbed

Cause: TypeAlias = tuple[object, ...]


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
class Finding:
    """One cause: its smallest run first, and every point at which it comes up."""

    verdict: Verdict
    fault: Fault
    outcome: Outcome
    point: Point
    where: str  # "segment 9 has arrived at server"
    points: tuple[int, ...]
    token: str
    trace: str  # of the smallest run, as Trace.dumps writes it


@value
class Report:
    """Everything that an exploration has to say. ``errors`` make it worthless: they come first."""

    target: str
    points: int
    runs: int
    faults: tuple[FaultCount, ...]
    verdicts: dict[Verdict, int]
    findings: tuple[Finding, ...]
    errors: tuple[str, ...]
    baseline: Baseline
    horizon_ns: int

    @property
    def clean(self) -> bool:
        """Whether every fault fired somewhere, and no run came to a bad end."""
        return not self.errors and not self.findings


def make_report(request: Request, tally: Tally, replay: "Callable[[Replay], Replayed]") -> Report:
    """Count the runs and group them by cause; the smallest run of each cause is run once more."""
    undisturbed = tally.undisturbed
    runs = sorted(tally.disturbed, key=lambda run: run.point)
    counts = tuple(_count(fault, runs, len(undisturbed.points)) for fault in undisturbed.faults)
    causes: dict[Cause, list[Disturbed]] = {}
    for run in runs:
        if run.outcome.verdict != "clean":
            causes.setdefault(_cause(run), []).append(run)
    findings = [_finding(request, undisturbed, found, replay) for found in causes.values()]
    findings.sort(key=lambda finding: (SEVERITY.index(finding.verdict), finding.point.number))
    return Report(
        target=request.target,
        points=len(undisturbed.points),
        runs=len(runs),
        faults=counts,
        verdicts=_verdicts(runs),
        findings=tuple(findings),
        errors=tuple(_errors(undisturbed, counts)),
        baseline=undisturbed.baseline,
        horizon_ns=request.horizon_ns,
    )


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


def _cause(run: Disturbed) -> Cause:
    """What makes two runs one finding: the fault, and who was left where."""
    outcome = run.outcome
    if outcome.verdict in {"hang", "stuck"}:
        left: Cause = tuple((*place(waits), waits.what) for waits in outcome.waiting)
    elif outcome.verdict == "crash":
        left = tuple((crash.process, crash.how) for crash in outcome.crashes)
    else:
        left = (outcome.detail,)
    return (outcome.verdict, describe_fault(run.fault), left)


def _finding(
    request: Request,
    undisturbed: "Undisturbed",
    runs: list[Disturbed],
    replay: "Callable[[Replay], Replayed]",
) -> Finding:
    first = runs[0]
    again = Replay(request=request, point=first.point, fault=first.fault)
    broken = first.outcome.verdict == "broken"
    point = undisturbed.points[first.point - 1]
    return Finding(
        verdict=first.outcome.verdict,
        fault=first.fault,
        outcome=first.outcome,
        point=point,
        where=describe_point(point, loads(undisturbed.trace)),
        points=tuple(run.point for run in runs),
        token=write_token(again),
        trace="" if broken else replay(again).trace,
    )


def _errors(undisturbed: "Undisturbed", counts: tuple[FaultCount, ...]) -> list[str]:
    """Say what makes the exploration prove nothing."""
    found = []
    if undisturbed.spun:
        found.append(f"the undisturbed run itself spins: {undisturbed.spun}")
    elif not undisturbed.points:
        found.append("the undisturbed run makes no socket call and sends nothing: no fault point")
    found.extend(
        f"without any fault, {crash.process} ends by {crash.how.removeprefix('uncaught ')}"
        for crash in undisturbed.baseline.crashes
    )
    if undisturbed.points and not undisturbed.spun:
        found.extend(
            f"{describe_fault(count.fault)}: 0 of {count.points} fired"
            for count in counts
            if not count.fired
        )
    return found
