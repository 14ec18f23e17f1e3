"""A program that computes and calls nothing: virtual time stands still, and the user is told where.

Nothing is ended: a program may have much to compute. A loop that calls is another matter, which has
a bound (``World.instant_events_max``).
"""

import linecache
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from halfopen.guest import modules, places, tasks
from halfopen.world.world import World

#: Seconds of CPU without a call: a word on standard error, and again after twice as many.
PATIENCE_S: Final = 5.0
_LOOKS: Final = 2
_STDERR: Final = 2


class _Watch:
    """Looks every now and then, while a program computes, whether it is where it was."""

    def __init__(self, world: World, every_s: float) -> None:
        self._world = world
        self._every_s = every_s
        self._seen = (-1, -1)
        self._alike = 0
        self._told_at = _LOOKS

    def look(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  a handler
        """Take note of one look; say something after several that are alike."""
        seen = (self._world.now, self._world.instant_events)
        if seen != self._seen:
            self._seen, self._alike, self._told_at = seen, 0, _LOOKS
        self._alike += 1
        thread = tasks.running_or_none()
        if self._alike > self._told_at and thread is not None:
            self._told_at = 2 * self._alike
            with modules.hosted():
                os.write(_STDERR, self._words(thread, frame).encode())

    def _words(self, thread: tasks.Thread, frame: FrameType | None) -> str:
        path, line = places.stands(frame)
        process = thread.process
        return (
            f"halfopen: {process.name} on {process.host.name} (thread {thread.name}) computes for"
            f" {(self._alike - 1) * self._every_s:g} s of CPU now and calls nothing:\n"
            f"  {places.show(path, line)}  {linecache.getline(path, line).strip()}\n"
            "  Time in the world stands still meanwhile. Let it wait, or end this with Ctrl-C.\n"
        )


@contextmanager
def told(world: World, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Run a world, and say on standard error which program computes without end.

    Requires: the main thread. A fork has no such timer.
    """
    every_s = patience_s / _LOOKS
    signal.signal(signal.SIGVTALRM, _Watch(world, every_s).look)
    signal.setitimer(signal.ITIMER_VIRTUAL, every_s, every_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
