"""Conducts variants on the real kernel: hosts, wire, programs and faults, in one loop each.

``python -m halfopen.oracle.conductor PARENT`` reads variants, pickled with their seeds, from
standard input, one after another, and writes a status and a trace to standard output for each. A
run is a process of its own because it moves between namespaces; whatever it made hangs on its
descriptors, and goes when it goes. It is forked, and so are the processes of its programs: only the
first has to load Python.
"""

import heapq
import os
import platform
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

from halfopen.base.errors import NotPossibleHereError
from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.oracle import namespaces, tasks
from halfopen.oracle.bench import Bench
from halfopen.oracle.child import Born, run
from halfopen.oracle.machines import Child
from halfopen.oracle.striking import strike
from halfopen.oracle.telling import Telling
from halfopen.record.events import FaultFired, Mark, ProcessEnded
from halfopen.record.faults import Fault
from halfopen.record.signals import signal_name
from halfopen.record.trace import Trace
from halfopen.scenario.model import At, OnExit, OnMark, Process, Variant, When

NOT_POSSIBLE: Final = 3
#: What stands before a pickled task: its length; before what a run says: exit status, length.
TASK: Final = struct.Struct("=Q")
RESULT: Final = struct.Struct("=iQ")

_CLOCK_MONOTONIC_COARSE: Final = 6

Action: TypeAlias = Callable[[int], None]


class Conductor:
    """One run. Times are ns since its start, by CLOCK_MONOTONIC.

    ``seed`` is what chance on the wire is drawn from, as in the world.
    """

    def __init__(self, variant: Variant, seed: int) -> None:
        self.variant = variant
        self.rng = Rng(seed)
        self.trace = Trace(
            {
                "arm": "kernel",
                # Without what a distribution appends: it says nothing of TCP.
                "release": os.uname().release.partition("-")[0],
                "hz": kernel_hz(),
                "python": platform.python_version(),
                "date": datetime.now(UTC).date().isoformat(),
                "variant": variant.name,
            }
        )
        self.bench = Bench(variant, self.trace)
        self.started_at = 0
        self.telling = Telling(self.trace)
        self.due: list[tuple[int, int, Action]] = []
        self.tied: list[tuple[OnMark | OnExit, Action]] = []
        self._order = 0

    def now(self) -> int:
        """How long the run lasts by now."""
        return time.monotonic_ns() - self.started_at

    def run(self) -> None:
        """Let time pass up to the horizon. Requires: the bench is prepared."""
        self.started_at = self.telling.started_at = time.monotonic_ns()
        for process in self.variant.processes:
            self._when(process.start, self._starter(process))
        for step in self.variant.steps:
            self._when(step.when, self._striker(step.fault))
        while (now := self.now()) < self.variant.horizon_ns:
            for way in self.bench.ways():
                way.deliver(self.trace, now)
            while self.due and self.due[0][0] <= now:
                heapq.heappop(self.due)[2](self.now())
                self._tie()
            self._wait()
            self._tie()
        self.trace.ended_ns = self.variant.horizon_ns
        self.trace.events = [e for e in self.trace.events if e.t_ns < self.variant.horizon_ns]
        self.trace.events.sort(key=lambda event: event.t_ns)

    def _wait(self) -> None:
        """Sleep until something happens or is due, and take in what happened."""
        bench = self.bench
        ways = bench.ways()
        by_tun = {way.source.tun: way for way in ways if way.source.tun is not None}
        by_pipe = {fd: child for child in bench.children for fd in self.telling.open_pipes(child)}
        by_pid = {child.pidfd: child for child in bench.children if not child.ended}
        next_at = min(
            [self.variant.horizon_ns]
            + [at for way in ways if (at := way.due()) is not None]
            + [self.due[0][0] for _ in self.due[:1]]
        )
        timeout = max(0, next_at - self.now()) / S
        ready, _, _ = select.select([*by_tun, *by_pipe, *by_pid], [], [], timeout)
        for fd in ready:
            if fd in by_tun:
                by_tun[fd].collect(self.trace, self.now())
        for fd in ready:
            if fd in by_pipe:
                bench.heard += self.telling.read(by_pipe[fd], fd, self.now())
        for fd in ready:
            if fd in by_pid:
                self._ended(by_pid[fd], self.now())

    def _ended(self, child: Child, now: int) -> None:
        """Take note that a process is over, after all that it had still to tell."""
        child.ended = True
        for fd in self.telling.open_pipes(child):
            self.bench.heard += self.telling.read(child, fd, now)
        status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
        if child.powered_off_at is not None:
            return
        if status < 0:
            how = signal_name(-status)
        else:
            self._note_finalizing(child, now)
            how = f"exit {status}" if child.uncaught is None else f"uncaught {child.uncaught}"
        self.bench.ended(child, how, now)

    def _note_finalizing(self, child: Child, now: int) -> None:
        """Keep how long Python took to end, life by life; None: os._exit. The world only waits."""
        noted = self.trace.meta.setdefault("finalizing_ns", {})
        assert isinstance(noted, dict), "as it was made here"
        lives = noted.setdefault(child.process.name, [])
        assert isinstance(lives, list), "as above"
        lives.append(None if child.returned_at is None else now - child.returned_at)

    # What happens when

    def _when(self, when: When, action: Action) -> None:
        if isinstance(when, At):
            self._at(when.t_ns, action)
        else:
            self.tied.append((when, action))

    def _at(self, at: int, action: Action) -> None:
        self._order += 1
        heapq.heappush(self.due, (at, self._order, action))

    def _tie(self) -> None:
        """Start what waits for a mark's first time, or for a process's end."""
        for event in self.bench.heard:
            still = []
            for when, action in self.tied:
                if _fits(when, event):
                    self._at(event.t_ns + when.delay_ns, action)
                else:
                    still.append((when, action))
            self.tied = still
        self.bench.heard.clear()

    def _starter(self, process: Process) -> Action:
        return lambda now: self.bench.start(process, now)

    def _striker(self, fault: Fault) -> Action:
        def happen(now: int) -> None:
            effect = strike(self.bench, fault, self.rng, now)
            self.trace.add(FaultFired(t_ns=now, fault=fault, effect=effect))

        return happen


def kernel_hz() -> int:
    """How often this kernel's tick comes: the coarse clock goes on once a tick."""
    return round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))


def _fits(when: OnMark | OnExit, event: Mark | ProcessEnded) -> bool:
    if when.process != event.process:
        return False
    if isinstance(when, OnExit):
        return isinstance(event, ProcessEnded)
    return isinstance(event, Mark) and event.name == when.name


def serve(parent: int) -> Born | None:
    """Conduct one variant after another, each in a process of its own, until there are no more.

    In the process of a program it returns what that is to do.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    namespaces.die_with_parent(parent)
    here = os.getpid()
    while head := sys.stdin.buffer.read(TASK.size):
        task = sys.stdin.buffer.read(*TASK.unpack(head))
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            try:
                os._exit(_conduct(here, task, theirs))
            except Born as born:
                return born.with_traceback(None)
        os.close(theirs)
        with open(ours, "rb") as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.buffer.write(RESULT.pack(status, len(said)) + said)
        sys.stdout.buffer.flush()
    return None


def _conduct(parent: int, task: bytes, fd: int) -> int:
    """Run a pickled variant; write its trace, or why there is none; give the exit status."""
    try:
        said, status = _run(parent, task), 0
    except Born:
        raise  # this process is a program's
    except NotPossibleHereError as error:
        said, status = str(error), NOT_POSSIBLE
    except BaseException:  # noqa: BLE001  whatever it is, the other side tells it
        said, status = traceback.format_exc(), 1
    with open(fd, "wb") as pipe:
        pipe.write(said.encode())
    return status


def _run(parent: int, task: bytes) -> str:
    reason = namespaces.obstacle()
    if reason is not None:
        raise NotPossibleHereError(reason)
    namespaces.die_with_parent(parent)
    conductor = Conductor(*tasks.loads(task))
    namespaces.run_later()
    conductor.bench.prepare()
    try:
        namespaces.run_soon()
        namespaces.wake_on_time(namespaces.WIRE)
        conductor.run()
    finally:
        conductor.bench.stop()
    return conductor.trace.dumps()


if __name__ == "__main__":
    born = serve(int(sys.argv[1]))
    if born is not None:
        run(born)
