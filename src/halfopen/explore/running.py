"""One run of a target, driven step by step so that it can be judged wherever it ends."""

from hashlib import sha256
from typing import Final

from halfopen.explore.request import Request
from halfopen.explore.target import build
from halfopen.explore.verdict import Baseline, Outcome, judge
from halfopen.record.faults import Fault
from halfopen.world.events import InstantLimitError
from halfopen.world.faults import inject

#: Events after the fault before a run is taken for endless.
RUN_EVENTS_MAX: Final = 2_000_000

#: Events at one instant before a disturbed run spins: no honest program comes near.
SPIN_EVENTS_MAX: Final = 100_000


class Running:
    """A target's world on its way. Without a fault it runs to its rest, or to the horizon."""

    def __init__(self, request: Request) -> None:
        self.request = request
        built = build(request.target, request.seed)
        self.world = built.world
        self.trace = built.trace
        self.world.instant_events_max = SPIN_EVENTS_MAX
        self.until_ns = request.horizon_ns
        self.events_max = RUN_EVENTS_MAX
        self.spun = ""

    def strike(self, fault: Fault, baseline: Baseline, now: int) -> bool:
        """Let a fault happen now, and look as far ahead from here as the request says."""
        self.world.observer = None
        self.until_ns = max(baseline.ended_ns, now) + self.request.horizon_ns
        return inject(self.world, fault, now)

    def drive(self) -> None:
        """Run on until nothing is pending up to the horizon, or something goes on without end."""
        world = self.world
        left = self.events_max
        try:
            while world.step(self.until_ns):
                left -= 1
                if left == 0:
                    self.spun = f"more than {self.events_max} events (RUN_EVENTS_MAX)"
                    return
        except InstantLimitError as error:
            self.spun = str(error)
        if world.queue.pending():
            world.now = max(world.now, self.until_ns)
        self.trace.ended_ns = world.now

    def outcome(self, baseline: Baseline) -> Outcome:
        """Judge what the run came to. Requires: it has been driven."""
        digest = ""
        if self.request.digests:
            digest = sha256(self.trace.dumps().encode()).hexdigest()
        if self.spun:
            return Outcome(verdict="spin", ended_ns=self.world.now, detail=self.spun, digest=digest)
        found = judge(self.world, self.trace, baseline, self.request.expected)
        return Outcome(
            verdict=found.verdict,
            ended_ns=found.ended_ns,
            waiting=found.waiting,
            crashes=found.crashes,
            pending=found.pending,
            repeats=found.repeats,
            digest=digest,
        )
