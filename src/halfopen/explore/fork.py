"""A child at each point: it has the whole world as it is there, meets the fault, and runs on.

The parent goes on undisturbed to the next point. Forking a world costs a few milliseconds, whatever
came before the point; running again from the start costs all of that.
"""

import gc
import os
import pickle
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final

from halfopen.base.value import value
from halfopen.explore.forked import FAILED, Forked, fork, tell
from halfopen.explore.running import Running
from halfopen.explore.verdict import Baseline, Disturbed, Outcome
from halfopen.guest import modules
from halfopen.record.faults import Fault
from halfopen.world.faults import finds_target

#: CPU seconds that a disturbed run may take between two calls, and in all: a bound, and said so.
CPU_SECONDS_MAX: Final = 20.0


@value
class Child:
    """A forked run that has not been read yet."""

    forked: Forked
    point: int
    fault: Fault


class Forker:
    """Stands at every point of the undisturbed run and lets each fault happen there, in a child."""

    def __init__(
        self,
        running: Running,
        baseline: Baseline,
        faults: tuple[Fault, ...],
        hear: Callable[[Disturbed], None],
    ) -> None:
        self.running = running
        self.baseline = baseline
        self.faults = faults
        self.hear = hear
        self.points = 0
        self.children: deque[Child] = deque()
        self.writer: int | None = None  # in a child: where its outcome goes

    def point(self, kind: str, host: str, number: int, now: int) -> None:  # noqa: ARG002  an Observer
        """Fork once for every fault that would find something to act on here.

        Departures are met inside a guest's call, with its modules in place and its fence up.
        """
        with modules.hosted():
            self._point(now)

    def _point(self, now: int) -> None:
        self.points += 1
        for fault in self.faults:
            if not finds_target(self.running.world, fault):
                continue
            if len(self.children) >= self.running.request.jobs:
                self.collect()
            self._fork(fault, now)
            if self.writer is not None:
                return

    def _fork(self, fault: Fault, now: int) -> None:
        # Children then share the parent's objects, and no collection copies their pages.
        gc.freeze()
        forked = fork()
        if isinstance(forked, Forked):
            self.children.append(Child(forked=forked, point=self.points, fault=fault))
            return
        self.writer = forked
        sys.excepthook = _leave_failed
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS_MAX)
        fired = self.running.strike(fault, self.baseline, now)
        assert fired, "a fault that found its target did not act"

    def collect(self) -> None:
        """Wait for the oldest child and report what it found. Requires: there is one."""
        child = self.children.popleft()
        raw, status = child.forked.read()
        self.hear(
            Disturbed(point=child.point, fault=child.fault, outcome=_read_outcome(raw, status))
        )

    def finish(self) -> None:
        """Come to the end of a run: a child reports and leaves, the parent collects the rest."""
        if self.writer is None:
            while self.children:
                self.collect()
            return
        tell(self.writer, pickle.dumps(self.running.outcome(self.baseline)))


def _read_outcome(raw: bytes, status: int) -> Outcome:
    """Read a child's outcome, or say how it failed."""
    if raw and status == 0:
        outcome = pickle.loads(raw)
        assert isinstance(outcome, Outcome), "a child wrote something else than its outcome"
        return outcome
    if status == -signal.SIGVTALRM:
        detail = f"more than {CPU_SECONDS_MAX:g} s of CPU (a bound, not a proof)"
        return Outcome(verdict="spin", ended_ns=0, detail=detail)
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return Outcome(
        verdict="broken", ended_ns=0, detail=f"the run itself failed ({how}); its words: stderr"
    )


def _leave_failed(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Say what went wrong and leave, without the interpreter's farewell."""
    traceback.print_exception(kind, error, where)
    sys.stderr.flush()
    os._exit(FAILED)
