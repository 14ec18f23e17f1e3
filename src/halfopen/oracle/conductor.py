"""Conducts one variant on the real kernel: hosts, wire, programs and faults, in one loop.

``python -m halfopen.oracle.conductor PARENT`` reads a pickled variant from standard input and
writes its trace to standard output. It is a process of its own because it moves between namespaces;
whatever it made hangs on its descriptors, and goes when it goes.
"""

import heapq
import os
import pickle
import platform
import select
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

from halfopen.base.errors import NotPossibleHereError
from halfopen.base.units import S
from halfopen.oracle import namespaces
from halfopen.oracle.machines import Child, Machine, start_child
from halfopen.oracle.telling import Telling
from halfopen.oracle.wire import Cable, End
from halfopen.record.events import FaultFired, Mark, ProcessEnded, ProcessStarted
from halfopen.record.faults import CableIn, CableOut, Fault, Kill, PowerOff, PowerOn
from halfopen.record.trace import Trace
from halfopen.scenario.model import At, OnExit, OnMark, Variant, When

_READY_WITHIN_NS: Final = 30 * S
NOT_POSSIBLE: Final = 3

Action: TypeAlias = Callable[[int], None]


class Conductor:
    """One run. Times are ns since its start, by CLOCK_MONOTONIC."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.trace = Trace(
            {
                "arm": "kernel",
                "release": os.uname().release,
                "python": platform.python_version(),
                "date": datetime.now(UTC).date().isoformat(),
                "variant": variant.name,
            }
        )
        self.started_at = 0
        self.telling = Telling(self.trace)
        self.machines: dict[str, Machine] = {}
        self.spares: dict[str, Machine] = {}
        self.cables: dict[str, Cable] = {}
        self.children: list[Child] = []
        self.reborn: dict[str, list[Child]] = {}
        self.due: list[tuple[int, int, Action]] = []
        self.tied: list[tuple[OnMark | OnExit, Action]] = []
        self._order = 0

    def now(self) -> int:
        """How long the run lasts by now."""
        return time.monotonic_ns() - self.started_at

    # Before the run

    def prepare(self) -> None:
        """Boot all hosts, those too that boot again later, and bring every program to its start."""
        nowhere = namespaces.new_namespace()
        variant = self.variant
        for host in variant.hosts:
            self.machines[host.name] = Machine.boot(host, variant)
        for step in variant.steps:
            if isinstance(step.fault, PowerOn):
                (host,) = (each for each in variant.hosts if each.name == step.fault.host)
                self.spares[host.name] = Machine.boot(host, variant)
        for link in variant.links:
            ends = [End(name, self.machines[name].tuns[link.name]) for name in (link.a, link.b)]
            self.cables[link.name] = Cable(link.name, ends[0], ends[1], link.delay_ns)
        for process in variant.processes:
            machine = self.machines[process.host]
            self.children.append(start_child(process, variant, machine, len(self.children)))
        for name, spare in self.spares.items():
            again = [each for each in variant.processes if each.host == name and each.boots]
            self.reborn[name] = [
                start_child(process, variant, spare, len(self.children) + number)
                for number, process in enumerate(again)
            ]
        namespaces.setns(nowhere)
        self._await_ready()

    def _everyone(self) -> list[Child]:
        return self.children + [child for again in self.reborn.values() for child in again]

    def _await_ready(self) -> None:
        """Wait until every child has loaded its program."""
        deadline = time.monotonic_ns() + _READY_WITHIN_NS
        for child in self._everyone():
            os.set_blocking(child.events_fd, True)
            line = b""
            while not line.endswith(b"\n"):
                assert time.monotonic_ns() < deadline, "a child is ready in time"
                part = os.read(child.events_fd, 1)
                if not part:
                    errors = child.popen.stderr.read() if child.popen.stderr else None
                    msg = f"{child.process.name} can't start: {(errors or b'').decode()}"
                    raise RuntimeError(msg)
                line += part
            os.set_blocking(child.events_fd, False)

    # The run

    def run(self) -> None:
        """Let time pass up to the horizon."""
        self.started_at = time.monotonic_ns()
        self.telling.started_at = self.started_at
        for child in self.children:
            self._when(child.process.start, self._starter(child))
        for step in self.variant.steps:
            self._when(step.when, self._fault_maker(step.fault))
        while (now := self.now()) < self.variant.horizon_ns:
            for cable in self.cables.values():
                for way in cable.ways:
                    way.deliver(self.trace, now)
            while self.due and self.due[0][0] <= now:
                heapq.heappop(self.due)[2](self.now())
            self._wait()
        self.trace.ended_ns = self.variant.horizon_ns
        self.trace.events = [e for e in self.trace.events if e.t_ns < self.variant.horizon_ns]
        self.trace.events.sort(key=lambda event: event.t_ns)

    def _wait(self) -> None:
        """Sleep until something happens or is due, and take in what happened."""
        ways = [way for cable in self.cables.values() for way in cable.ways]
        by_tun = {way.source.tun: way for way in ways if way.source.tun is not None}
        by_pipe = {fd: child for child in self.children for fd in self.telling.open_pipes(child)}
        by_pid = {child.pidfd: child for child in self.children if not child.ended}
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
                for mark in self.telling.read(by_pipe[fd], fd, self.now()):
                    self._tie(mark)
        for fd in ready:
            if fd in by_pid:
                self._ended(by_pid[fd], self.now())

    def _when(self, when: When, action: Action) -> None:
        if isinstance(when, At):
            self._at(when.t_ns, action)
        else:
            self.tied.append((when, action))

    def _at(self, at: int, action: Action) -> None:
        self._order += 1
        heapq.heappush(self.due, (at, self._order, action))

    def _tie(self, event: Mark | ProcessEnded) -> None:
        """Start what waits for a mark's first time, or for a process's end."""
        still = []
        for when, action in self.tied:
            fits = when.process == event.process and (
                isinstance(event, ProcessEnded)
                if isinstance(when, OnExit)
                else isinstance(event, Mark) and event.name == when.name
            )
            if fits:
                self._at(event.t_ns + when.delay_ns, action)
            else:
                still.append((when, action))
        self.tied = still

    # Processes

    def _starter(self, child: Child) -> Action:
        def start(now: int) -> None:
            if child.ended:
                return
            process = child.process
            self.trace.add(ProcessStarted(t_ns=now, host=process.host, process=process.name))
            child.begin()

        return start

    def _ended(self, child: Child, now: int) -> None:
        """Take note that a process is over, after all that it had still to tell."""
        child.ended = True
        for fd in self.telling.open_pipes(child):
            for mark in self.telling.read(child, fd, now):
                self._tie(mark)
        status = child.popen.wait()
        if child.powered_off_at is not None:
            return
        if status < 0:
            how = signal.Signals(-status).name
        else:
            how = f"exit {status}" if child.uncaught is None else f"uncaught {child.uncaught}"
        process = child.process
        event = ProcessEnded(t_ns=now, host=process.host, process=process.name, how=how)
        self.trace.add(event)
        self._tie(event)

    # Faults

    def _fault_maker(self, fault: Fault) -> Action:
        def happen(now: int) -> None:
            effect = self._inject(fault, now)
            self.trace.add(FaultFired(t_ns=now, fault=fault, effect=effect))

        return happen

    def _inject(self, fault: Fault, now: int) -> bool:
        match fault:
            case Kill():
                return self._kill(fault)
            case PowerOff():
                return self._power_off(fault.host, now)
            case PowerOn():
                return self._power_on(fault.host, now)
            case CableOut():
                cable = self.cables[fault.link]
                return cable.pull(self.trace, now, seen_by=fault.seen_by, towards=fault.towards)
            case CableIn():
                return self.cables[fault.link].plug()

    def _kill(self, fault: Kill) -> bool:
        alive = [
            child
            for child in self.children
            if child.process.name == fault.process and child.started and not child.ended
        ]
        for child in alive:
            os.kill(
                child.popen.pid, signal.Signals[fault.signal]
            )  # not waited for yet: the pid is its own
        return bool(alive)

    def _power_off(self, host: str, now: int) -> bool:
        """Cut the host off the wire first, so that nothing leaves when its processes go.

        Its namespace stays to the end of the run, unheard: to take it down would stop the wire for
        milliseconds.
        """
        machine = self.machines.pop(host, None)
        if machine is None:
            return False
        for cable in self.cables.values():
            for way in cable.ways:
                if way.source.host == host:
                    way.collect(self.trace, now)
            for end in cable.ends:
                if end.host == host:
                    end.tun = None
        for child in self.children:
            if child.process.host == host and not child.ended and child.powered_off_at is None:
                child.powered_off_at = now
                child.popen.kill()
                if child.started:
                    event = ProcessEnded(
                        t_ns=now, host=host, process=child.process.name, how="power off"
                    )
                    self.trace.add(event)
                    self._tie(event)
        return True

    def _power_on(self, host: str, now: int) -> bool:
        """Put the host's next kernel on the wire, and start what starts at boot."""
        if host in self.machines or host not in self.spares:
            return False
        machine = self.machines[host] = self.spares.pop(host)
        for cable in self.cables.values():
            for end in cable.ends:
                if end.host == host:
                    end.tun = machine.tuns[cable.name]
        for child in self.reborn.pop(host, []):
            self.children.append(child)
            self._starter(child)(now)
        return True

    def stop(self) -> None:
        """End every process; namespaces and interfaces go with the conductor."""
        for child in self._everyone():
            if child.popen.poll() is None:
                child.popen.kill()
                child.popen.wait()


def main(parent: int) -> int:
    """Run the variant on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    try:
        reason = namespaces.obstacle()
        if reason is not None:
            sys.stderr.write(reason)
            return NOT_POSSIBLE
        namespaces.die_with_parent(parent)
        conductor = Conductor(pickle.load(sys.stdin.buffer))
        try:
            conductor.prepare()
            namespaces.wake_on_time()
            conductor.run()
        finally:
            conductor.stop()
    except NotPossibleHereError as error:
        sys.stderr.write(str(error))
        return NOT_POSSIBLE
    sys.stdout.write(conductor.trace.dumps())
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
