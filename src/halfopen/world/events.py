"""What happens next: a heap of ``(at, n, event)``; equal instants in order of scheduling.

Entries are lazy. A timer that moves later stays where it is in the heap; when its entry comes up it
says when it is really due, and is put back or dropped without time moving. So an entry is *pending*
only where ``due`` says so.
"""

from collections.abc import Callable
from heapq import heappush
from typing import Final

from halfopen.base.build import mypyc_attr
from halfopen.base.errors import HalfopenError

#: What ``Event.due`` answers where nothing will happen.
NEVER: Final = -1

#: Events at one instant before the world is taken to spin. A bulk transfer over a link without
#: delay stays far below.
INSTANT_EVENTS_MAX: Final = 1_000_000


class InstantLimitError(HalfopenError):
    """More events at one instant than the limit allows."""

    def __init__(self, at_ns: int, limit: int, event: str) -> None:
        super().__init__(
            f"more than {limit} events at the instant {at_ns} ns (INSTANT_EVENTS_MAX), "
            f"the last one {event}: something goes on for ever without time passing"
        )
        self.at_ns = at_ns
        self.limit = limit
        self.event = event


@mypyc_attr(allow_interpreted_subclasses=True)  # the world's other modules and tests have some
class Event:
    """Something that the queue makes happen."""

    def due(self, at: int) -> int:
        """Say when an entry made for ``at`` is really due: ``at``, later, or NEVER.

        Changes nothing.
        """
        return at

    def postpone(self, at: int, due: int) -> None:
        """Take note that the entry made for ``at`` was put back to ``due``, or dropped (NEVER)."""

    def fire(self, now: int) -> None:
        """Happen."""
        raise NotImplementedError

    def describe(self) -> str:
        """Say what this is, in a few words, for reports."""
        return type(self).__name__


class Act(Event):
    """A function called at an instant, for what is rare: faults, programs that start later."""

    def __init__(self, act: Callable[[int], object], name: str) -> None:
        self.act = act
        self.name = name

    def fire(self, now: int) -> None:
        """Call the function."""
        self.act(now)

    def describe(self) -> str:
        """Give the name that it was scheduled under."""
        return self.name


class Queue:
    """The heap. ``World.step`` takes from it."""

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, Event]] = []
        self.pushed = 0

    def push(self, at: int, event: Event) -> None:
        """Make ``event`` happen at ``at``, after everything that is already to happen then."""
        self.pushed += 1
        heappush(self.heap, (at, self.pushed, event))

    def pending(self) -> list[tuple[int, Event]]:
        """List what will really happen, in order. Costs a sort: for reports, not for running."""
        found: list[tuple[int, int, Event]] = []
        for at, n, event in self.heap:
            due = event.due(at)
            if due != NEVER:
                found.append((due, n, event))
        found.sort(key=_order)
        return [(due, event) for due, _, event in found]


def _order(entry: tuple[int, int, Event]) -> tuple[int, int]:
    return entry[0], entry[1]
