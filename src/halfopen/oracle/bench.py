"""What one run happens on: hosts in namespaces, cables between them, programs ready to begin."""

import os
import select
import signal
import time
from typing import Final

from halfopen.base.units import S
from halfopen.oracle import namespaces
from halfopen.oracle.lan import Lan, Port
from halfopen.oracle.machines import Child, Machine, start_child
from halfopen.oracle.wire import Cable, End, Way
from halfopen.record.events import Mark, ProcessEnded, ProcessStarted
from halfopen.record.faults import PowerOn
from halfopen.record.trace import Trace
from halfopen.scenario.model import Process, Variant
from halfopen.wire.ethernet import mac_of

_READY_WITHIN_NS: Final = 30 * S
_ERRORS_MAX: Final = 65536


class Bench:
    """Hosts, cables and programs of a run, those too that a reboot will need.

    ``heard`` lists what others may be tied to, in the order in which it happened; whoever conducts
    the run empties it.
    """

    def __init__(self, variant: Variant, trace: Trace) -> None:
        self.variant = variant
        self.trace = trace
        self.machines: dict[str, Machine] = {}
        self.spares: dict[str, Machine] = {}
        self.cables: dict[str, Cable] = {}
        self.lans: dict[str, Lan] = {}
        self.children: list[Child] = []
        self.reborn: dict[str, list[Child]] = {}  # by host: its programs after a reboot
        self.heard: list[Mark | ProcessEnded] = []
        self.nowhere = -1  # an empty namespace, where the conductor itself is

    def prepare(self) -> None:
        """Boot all hosts, those too that boot again later, and bring every program to its start."""
        self.nowhere = namespaces.new_namespace()
        variant = self.variant
        for host in variant.hosts:
            self.machines[host.name] = Machine.boot(host, variant)
        for step in variant.steps:
            if isinstance(step.fault, PowerOn):
                (host,) = (each for each in variant.hosts if each.name == step.fault.host)
                self.spares[host.name] = Machine.boot(host, variant)
        self._lay_cables()
        for process in variant.processes:
            machine = self.machines[process.host]
            self.children.append(start_child(process, variant, machine, len(self._everyone())))
        for name, spare in self.spares.items():
            self.reborn[name] = []
            for process in variant.processes:
                if process.host == name:
                    child = start_child(process, variant, spare, len(self._everyone()))
                    self.reborn[name].append(child)
        namespaces.setns(self.nowhere)
        for child in self._everyone():
            _await_ready(child)

    def _lay_cables(self) -> None:
        """Join the hosts' interfaces, by cables and by a switch."""
        for link in self.variant.links:
            ends = [End(name, self.machines[name].tuns[link.name]) for name in (link.a, link.b)]
            self.cables[link.name] = Cable(link.name, ends[0], ends[1], link.delay_ns)
        for number, lan in enumerate(self.variant.lans):
            assert not number, "a run has one LAN"
            self.lans[lan.name] = switch = Lan(lan.name, lan.delay_ns)
            for place, name in enumerate(lan.hosts):
                switch.join(End(name, self.machines[name].tuns[lan.name]), mac_of(number, place))

    def ways(self) -> list[Way | Port]:
        """List all that carries packets from one host."""
        found: list[Way | Port] = [way for cable in self.cables.values() for way in cable.ways]
        for lan in self.lans.values():
            found += lan.ports
        return found

    def start(self, process: Process, now: int) -> None:
        """Let a program begin on its host's present kernel; without one, nothing starts."""
        for child in self.children:
            waits = not (child.started or child.ended) and child.powered_off_at is None
            if child.process is process and waits:
                started = ProcessStarted(t_ns=now, host=process.host, process=process.name)
                self.trace.add(started)
                child.begin()
                return

    def ended(self, child: Child, how: str, now: int) -> None:
        """Write down that a process is over."""
        process = child.process
        event = ProcessEnded(t_ns=now, host=process.host, process=process.name, how=how)
        self.trace.add(event)
        self.heard.append(event)

    def stop(self) -> None:
        """End every process; namespaces and interfaces go with the conductor."""
        for child in self._everyone():
            if not child.ended:
                os.kill(child.pid, signal.SIGKILL)  # not waited for yet: the pid is its own
                os.waitpid(child.pid, 0)

    def _everyone(self) -> list[Child]:
        return self.children + [child for again in self.reborn.values() for child in again]


def _await_ready(child: Child) -> None:
    """Wait until a child has loaded its program."""
    deadline = time.monotonic_ns() + _READY_WITHIN_NS
    line = b""
    while not line.endswith(b"\n"):
        left_ns = max(deadline - time.monotonic_ns(), 0)
        ready, _, _ = select.select([child.events_fd], [], [], left_ns / S)
        assert ready, f"{child.process.name} is ready in time"
        part = os.read(child.events_fd, 1)
        if not part:
            os.waitpid(child.pid, 0)  # then it has said all
            errors = os.read(child.errors_fd, _ERRORS_MAX).decode()
            msg = f"{child.process.name} can't start: {errors}"
            raise RuntimeError(msg)
        line += part
