"""What a disturbed run came to, beside the undisturbed one.

``hang``: a thread, or a task of asyncio's, waits that did not wait so at the end of the undisturbed
run, and nothing is pending, or everything pending only repeats itself; this is exact. ``stuck``:
such a one waits, and something else is still pending at the horizon. ``wrong``: a check of the
user's own objects. ``crash``: a program ended by an exception that the user did not name. ``spin``:
calls or events without end at one instant, or computing without a call for too long (a bound).
``broken``: the run itself failed, or met what is not simulated. ``clean``: none of these.
"""

import linecache
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from halfopen.base.value import value
from halfopen.explore.repeats import only_repeats
from halfopen.guest import loops, places
from halfopen.guest.image import Image
from halfopen.record.faults import Fault
from halfopen.record.trace import Trace
from halfopen.world.process import Waiting
from halfopen.world.world import World

Verdict: TypeAlias = Literal["hang", "stuck", "wrong", "crash", "spin", "broken", "clean"]

#: The worst first: a run has one verdict.
SEVERITY: Final[tuple[Verdict, ...]] = (
    "broken",
    "spin",
    "hang",
    "stuck",
    "wrong",
    "crash",
    "clean",
)

UNCAUGHT: Final = "uncaught "

#: Who waits where, for what; not since when.
Place: TypeAlias = tuple[str, str, str, str, str]


@value
class Crash:
    """A program that ended by an exception."""

    host: str
    process: str
    how: str  # "uncaught ConnectionResetError: ..."
    classes: tuple[str, ...] = ()  # the exception's own, and what it derives from
    where: str = ""  # "client.py:31", the innermost line of the program that it went through
    line: str = ""  # what stands there


@value
class Baseline:
    """What the undisturbed run came to; what a disturbed one does beside it is due to the fault."""

    places: tuple[Place, ...]
    waiting: tuple[Waiting, ...]
    crashes: tuple[Crash, ...]
    ended_ns: int
    wrong: str = ""  # what a check objects to already


@value
class Outcome:
    """What one run came to. ``pending`` lists what was still to happen, where that matters."""

    verdict: Verdict
    ended_ns: int
    waiting: tuple[Waiting, ...] = ()
    crashes: tuple[Crash, ...] = ()
    pending: tuple[str, ...] = ()
    repeats: bool = False  # a hang in which something is pending, and only repeats itself
    detail: str = ""
    digest: str = ""  # of the trace, byte for byte


@value
class Disturbed:
    """A fault at a point, and what came of it."""

    point: int
    fault: Fault
    outcome: Outcome


def place(waits: Waiting) -> Place:
    """Tell two waits apart."""
    return (waits.host, waits.process, waits.thread, waits.where, waits.call)


def read_baseline(world: World, *, wrong: str) -> Baseline:
    """Read what the undisturbed run came to."""
    waiting = loops.waiting(world)
    return Baseline(
        places=tuple(place(waits) for waits in waiting),
        waiting=waiting,
        crashes=tuple(crashes(world)),
        ended_ns=world.now,
        wrong=wrong,
    )


def judge(world: World, trace: Trace, baseline: Baseline, expected: Iterable[str]) -> Outcome:
    """Reach the verdict on a run that has come to rest, or to its horizon."""
    names = tuple(expected)
    waiting = tuple(_beyond(loops.waiting(world), baseline))
    crashed = tuple(
        crash
        for crash in crashes(world)
        if crash not in baseline.crashes and not is_expected(crash, names)
    )
    pending = world.queue.pending()
    repeats = False
    verdict: Verdict = "clean"
    if waiting:
        repeats = bool(pending) and only_repeats(trace, pending, waiting)
        verdict = "hang" if repeats or not pending else "stuck"
    elif crashed:
        verdict = "crash"
    return Outcome(
        verdict=verdict,
        ended_ns=world.now,
        waiting=waiting,
        crashes=crashed,
        pending=tuple(event.describe() for _, event in pending) if waiting else (),
        repeats=repeats,
    )


def _beyond(waiting: Iterable[Waiting], baseline: Baseline) -> Iterator[Waiting]:
    """Leave out who waits as in the undisturbed run, as many times as somebody does there."""
    known = Counter(baseline.places)
    for waits in waiting:
        known[place(waits)] -= 1
        if known[place(waits)] < 0:
            yield waits


def is_expected(crash: Crash, names: tuple[str, ...]) -> bool:
    """Whether the user named the exception, or a class that it derives from."""
    return any(name in names for name in crash.classes)


def crashes(world: World) -> Iterator[Crash]:
    """List the programs that ended by an exception, with what only their processes still know."""
    for process in world.graveyard:
        image = process.user
        if process.how.startswith(UNCAUGHT) and isinstance(image, Image):
            path, number = image.ended_at
            yield Crash(
                host=process.host.name,
                process=process.name,
                how=process.how,
                classes=tuple(each.__name__ for each in image.ended_by),
                where=places.show(path, number),
                line=linecache.getline(path, number).strip(),
            )
