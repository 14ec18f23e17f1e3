"""Plays ``noisy.py`` once undisturbed, and once for each fault at each point, all in one process.

What the programs tell is written to the file named first, between lines that say what happens: a
run begins, the fault strikes, the run is over, a collection, the interpreter's end.
"""

import gc
import os
import sys
import textwrap
import types
from collections.abc import Callable

from halfopen.explore.points import Recorder
from halfopen.explore.request import Request
from halfopen.explore.running import Running
from halfopen.guest import modules
from halfopen.guest.runs import uncollected
from halfopen.record.faults import Fault, Kill, PowerOff
from halfopen.world.faults import finds_target, inject

fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def tell(text: str, *, write: Callable[[int, bytes], int] = os.write, fd: int = fd) -> None:
    """Write a line; needs none of our globals, which are gone when the interpreter has ended."""
    write(fd, f"{text}\n".encode())


FAULTS = (
    Kill(process="client"),
    Kill(process="server", signal="SIGSEGV"),
    PowerOff(host="client"),
    PowerOff(host="server"),
)


class Striker(Recorder):
    """Lets a fault happen at a point."""

    def __init__(self, running: Running, number: int, fault: Fault) -> None:
        super().__init__()
        self.running = running
        self.number = number
        self.fault = fault

    def point(self, kind: str, host: str, number: int, now: int) -> None:
        super().point(kind, host, number, now)
        if len(self.points) == self.number and finds_target(self.running.world, self.fault):
            victim = getattr(self.fault, "process", None) or getattr(self.fault, "host", "")
            tell(f"* strikes {victim} {kind}")
            with modules.hosted():
                inject(self.running.world, self.fault, now)


def play(target: str, number: int, fault: Fault) -> int:
    tell("* begins")
    running = Running(Request(target=target))
    striker = Striker(running, number, fault)
    running.world.observer = striker
    running.drive()
    assert not running.gap, running.gap
    tell("* over")
    return len(striker.points)


class Witness:
    """Ours, to show that a collection collects, and that the interpreter's end clears."""

    def __init__(self, name: str) -> None:
        self.itself: object = None
        self.name = name
        self.tell: Callable[[str], None] = tell

    def __del__(self) -> None:
        self.tell(f"* {self.name} collected")


textwrap.tell = tell  # type: ignore[attr-defined]
with uncollected():
    points = play(sys.argv[2], 0, FAULTS[0])
    for number in range(1, points + 1):
        for fault in FAULTS:
            play(sys.argv[2], number, fault)
cycle = Witness("cycle")
cycle.itself = cycle
del cycle
# What was there at the end of a run is frozen, our globals too; a module made later is not.
sys.modules["later"] = types.ModuleType("later")
sys.modules["later"].kept = Witness("module")  # type: ignore[attr-defined]
for _ in range(3):
    gc.collect()
tell("* exits")
