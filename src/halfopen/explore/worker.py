"""A process of its own for the runs of one request, with one thread and a known hash seed.

Forks are made from here, never from the user's process, which may have threads. It reads a pickled
Request, or several Replays of one, from its standard input, and writes pickled messages to its
standard output; what checks print goes to standard error.
"""

import gc
import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from halfopen.base.errors import HalfopenError, MisuseError, NotPossibleHereError
from halfopen.base.value import value
from halfopen.explore.advice import apply
from halfopen.explore.busy import told
from halfopen.explore.expected import check_expected
from halfopen.explore.fork import Forker
from halfopen.explore.forked import fork, tell
from halfopen.explore.leash import die_with
from halfopen.explore.points import CALL, Point, Recorder
from halfopen.explore.request import Replay, Request
from halfopen.explore.running import Running, digest_of
from halfopen.explore.standard import open_closed_streams
from halfopen.explore.verdict import (
    Baseline,
    Crash,
    Disturbed,
    Outcome,
    crashes,
    read_baseline,
)
from halfopen.guest import loops, modules
from halfopen.record.events import ProcessStarted
from halfopen.record.faults import CableOut, Fault, Kill, PowerOff
from halfopen.world.process import Waiting


@value
class Undisturbed:
    """The first message of an exploration: the run without a fault."""

    points: tuple[Point, ...]
    faults: tuple[Fault, ...]
    baseline: Baseline
    trace: str
    spun: str


@value
class Replayed:
    """The message for each replay. ``point`` None: it has no such point, and no fault struck."""

    outcome: Outcome
    point: Point | None
    trace: str
    digest: str
    crashes: tuple[Crash, ...] = ()  # every one, those too that are not due to the fault
    waiting: tuple[Waiting, ...] = ()  # likewise
    wrong: str = ""  # what a check of the user's objects to, in a run without a fault
    moves: bool = False  # whether something was still to happen when the run was given up


@value
class Failed:
    """The last message where the request can't be served; ``kind`` is the error's class."""

    kind: str
    text: str


@value
class Done:
    """The last message of an exploration."""

    points: int


def rebuild_error(failed: Failed) -> HalfopenError:
    """Make the error again that another process reported."""
    for kind in (MisuseError, NotPossibleHereError):
        if failed.kind == kind.__name__:
            return kind(failed.text)
    return HalfopenError(failed.text)


Message: TypeAlias = Undisturbed | Disturbed | Replayed | Failed | Done


class Striker:
    """Lets one fault happen at one point, in this process, and applies a remedy if there is one."""

    def __init__(self, running: Running, baseline: Baseline, replay: Replay) -> None:
        self.running = running
        self.baseline = baseline
        self.replay = replay
        self.recorder = Recorder()
        self.struck: Point | None = None

    def point(self, kind: str, host: str, number: int, now: int) -> None:
        """Count up to the point, and strike. Departures are met inside a guest's call."""
        with modules.hosted():
            self._point(kind, host, number, now)

    def _point(self, kind: str, host: str, number: int, now: int) -> None:
        remedy = self.replay.remedy
        if remedy is not None and kind == CALL and number == remedy.call_id:
            apply(remedy)
        if self.struck is not None:
            return
        self.recorder.point(kind, host, number, now)
        here = self.recorder.points[-1]
        if here.number == self.replay.point and self.replay.fault is not None:
            self.struck = here
            self.running.strike(self.replay.fault, self.baseline, now)
            if remedy is not None:
                self.running.world.observer = self  # the call may still be to come


def main() -> None:
    """Serve the request that stands on standard input."""
    open_closed_streams()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        parent, asked = pickle.load(sys.stdin.buffer)
    except (EOFError, pickle.UnpicklingError):
        os._exit(0)  # who wanted to ask was interrupted
    die_with(parent)
    assert threading.active_count() == 1, "the process that forks worlds has threads"
    gc.disable()  # it would run destructors of guests, at instants of its own choice
    try:
        if isinstance(asked, Request):
            _explore(asked, out)
        else:
            _replay_all(asked, out)
    except HalfopenError as error:
        _send(out, Failed(kind=type(error).__name__, text=str(error)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _send(out: BinaryIO, message: Message) -> None:
    try:
        pickle.dump(message, out)
        out.flush()
    except BrokenPipeError:
        os._exit(0)  # who asked is gone, and we are to be ended next


def _explore(request: Request, out: BinaryIO) -> None:
    first = _undisturbed_in_child(request)
    _send(out, first)
    if first.spun or not first.points:
        _send(out, Done(points=len(first.points)))
        return
    running = Running(request)
    forker = Forker(running, first.baseline, first.faults, lambda disturbed: _send(out, disturbed))
    running.world.observer = forker
    gc.collect()
    running.drive()
    forker.finish()
    assert forker.points == len(first.points), "two undisturbed runs differ in their points"
    _send(out, Done(points=forker.points))


def _replay_all(asked: tuple[Replay, ...], out: BinaryIO) -> None:
    """Replay one after another, each in a child, so that each is a process's first run."""
    baseline = _undisturbed_in_child(asked[0].request).baseline
    for replay in asked:
        found = _in_child(lambda replay=replay: _replay(replay, baseline))  # type: ignore[misc]
        assert isinstance(found, Replayed), "a replay gave something else than its run"
        _send(out, found)


def _undisturbed_in_child(request: Request) -> Undisturbed:
    found = _in_child(lambda: _undisturbed(request))
    assert isinstance(found, Undisturbed), "the undisturbed run gave something else"
    return found


def _in_child(run: Callable[[], Message]) -> Message:
    """Do a run in a child, so that the run from which we fork is a process's first."""
    forked = fork()
    if isinstance(forked, int):
        found: Message
        try:
            found = run()
        except HalfopenError as error:
            found = Failed(kind=type(error).__name__, text=str(error))
        tell(forked, pickle.dumps(found))
    raw, _ = forked.read()
    assert raw, "a run failed; its words: stderr"
    message: Message = pickle.loads(raw)
    if isinstance(message, Failed):
        raise rebuild_error(message)
    return message


def _undisturbed(request: Request) -> Undisturbed:
    running = Running(request)
    recorder = Recorder()
    running.world.observer = recorder
    with told(running.world):
        running.drive()
    if running.gap:
        raise NotPossibleHereError(running.gap)
    check_expected(request.expected)
    faults = request.faults if request.faults is not None else _every_fault(running)
    return Undisturbed(
        points=tuple(recorder.points),
        faults=faults,
        baseline=read_baseline(running.world, wrong=running.checked()),
        trace=running.trace.dumps(),
        spun=running.spun,
    )


def _every_fault(running: Running) -> tuple[Fault, ...]:
    """Kill each process, take the power of each host, pull each cable, far away from both ends."""
    names: dict[str, None] = {}
    for event in running.trace.events:
        if isinstance(event, ProcessStarted):
            names[event.process] = None
    return (
        *(Kill(process=name) for name in names),
        *(PowerOff(host=name) for name in running.world.hosts),
        *(CableOut(link=name) for name in running.world.links),
    )


def _replay(replay: Replay, baseline: Baseline) -> Replayed:
    running = Running(replay.request)
    striker = Striker(running, baseline, replay)
    running.world.observer = striker
    gc.collect()
    with told(running.world):
        running.drive()
    return Replayed(
        outcome=running.outcome(baseline),
        point=striker.struck,
        trace=running.trace.dumps(),
        digest=digest_of(running.trace),
        crashes=tuple(crashes(running.world)),
        waiting=loops.waiting(running.world),
        wrong=baseline.wrong if replay.fault is None else "",
        moves=bool(running.world.queue.pending()),
    )
