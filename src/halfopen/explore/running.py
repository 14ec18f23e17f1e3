"""One run of a target, driven step by step so that it can be judged wherever it ends."""

import traceback
from dataclasses import replace
from hashlib import sha256
from typing import Final

from halfopen.base.errors import NotPossibleHereError
from halfopen.explore.request import Request
from halfopen.explore.target import build
from halfopen.explore.verdict import Baseline, Outcome, judge
from halfopen.guest import places
from halfopen.guest.tasks import Thread
from halfopen.record.faults import Fault
from halfopen.record.trace import Trace
from halfopen.world.events import NEVER, InstantLimitError
from halfopen.world.faults import inject
from halfopen.world.process import Alarm

#: Events after the fault before a run is taken for endless.
RUN_EVENTS_MAX: Final = 2_000_000

#: Events at one instant before a disturbed run spins: no honest program comes near.
SPIN_EVENTS_MAX: Final = 100_000

#: A program that polls: rounds alike, with nothing else pending, after which it is not watched on.
#: Their calls are points of the undisturbed run; after a fault more of them are waited for.
POLLS_UNDISTURBED: Final = 8
POLLS_MAX: Final = 200

_DIGEST_OCTETS: Final = 8


class Running:
    """A target's world on its way. Without a fault it runs to its rest, or to the horizon."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.stage = build(request.target, request.seed)
        self.world = self.stage.world
        self.trace = self.stage.trace
        self.world.instant_events_max = SPIN_EVENTS_MAX
        self.until_ns = request.horizon_ns
        self.events_max = RUN_EVENTS_MAX
        self.polls_max = POLLS_UNDISTURBED
        self.spun = ""
        self.gap = ""  # what the program wanted and is not simulated

    def strike(self, fault: Fault, baseline: Baseline, now: int) -> bool:
        """Let a fault happen now, and look as far ahead from here as the request says."""
        self.world.observer = None
        self.polls_max = POLLS_MAX
        self.until_ns = max(baseline.ended_ns, now) + self.request.horizon_ns
        return inject(self.world, fault, now)

    def drive(self) -> None:
        """Run on until nothing is pending up to the horizon, or something goes on without end.

        It ends too where programs only poll: see ``POLLS_MAX``.
        """
        world = self.world
        left = self.events_max
        try:
            while world.step(self.until_ns):
                if self._only_polls():
                    self.trace.ended_ns = world.now
                    return
                left -= 1
                if left == 0:
                    self.spun = f"more than {self.events_max} events (RUN_EVENTS_MAX)"
                    return
        except InstantLimitError as error:
            self.spun = str(error)
        except NotPossibleHereError as error:
            self.gap = str(error)
        if world.queue.pending():
            world.now = max(world.now, self.until_ns)
        self.trace.ended_ns = world.now

    def _only_polls(self) -> bool:
        """Whether all that is pending are waits of programs, each alike for many rounds."""
        heap = self.world.queue.heap
        for at, _, event in heap:
            if event.due(at) == NEVER:
                continue
            task = event.waiter.task if isinstance(event, Alarm) else None
            if not (isinstance(task, Thread) and task.rounds >= self.polls_max):
                return False
        return bool(heap)

    def outcome(self, baseline: Baseline) -> Outcome:
        """Judge what the run came to. Requires: it has been driven."""
        digest = digest_of(self.trace) if self.request.digests else ""
        ended_ns = self.world.now
        if self.gap:
            return Outcome(verdict="broken", ended_ns=ended_ns, detail=self.gap, digest=digest)
        if self.spun:
            return Outcome(verdict="spin", ended_ns=ended_ns, detail=self.spun, digest=digest)
        found = judge(self.world, self.trace, baseline, self.request.expected)
        if found.verdict in {"crash", "clean"}:
            wrong = self.checked()
            if wrong and wrong != baseline.wrong:
                found = replace(found, verdict="wrong", detail=wrong)
        return replace(found, digest=digest)

    def checked(self) -> str:
        """Let the world's own checks look at the run; what the first of them objects to."""
        run = self.stage.look()
        for check in self.stage.plan.checks:
            try:
                check(run)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001  a check of the user's may fail as it likes
                return _objection(check, error)
        return ""


def digest_of(trace: Trace) -> str:
    """Tell traces apart, byte for byte."""
    return sha256(trace.dumps().encode()).hexdigest()[: 2 * _DIGEST_OCTETS]


def _objection(check: object, error: BaseException) -> str:
    said = traceback.format_exception_only(error)[-1].strip()
    shown = places.show(*places.innermost_of_error(error))
    where = f" ({shown})" if shown else ""
    return f"{getattr(check, '__name__', 'check')}: {said}{where}"
