"""Both arms of many variants: the kernel's side by side, each against the world's.

What differs is looked at again, as often as ``rules`` says, until it agrees; what the last look
shows counts, and that it took more than one is told.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeAlias

from halfopen.base.value import value
from halfopen.compare.pairs import Difference
from halfopen.compare.rules import LOOKS_MAX
from halfopen.compare.traces import differences
from halfopen.oracle.arm import SIDE_BY_SIDE, KernelRun, run_variants
from halfopen.record.trace import Trace
from halfopen.scenario.model import Variant

#: Runs a variant in the world; a text says how it broke.
RunWorld: TypeAlias = Callable[[Variant], Trace | str]


@value
class Compared:
    """One variant on both arms; ``number`` is its place among those given.

    ``failed`` says which arm broke, and how. ``looks`` counts the kernel's runs, of which
    ``kernel`` is the last; ``before`` is what differed in the one before it.
    """

    number: int
    variant: Variant
    world: Trace | None
    kernel: Trace | None
    differences: tuple[Difference, ...]
    failed: str = ""
    looks: int = 1
    before: tuple[Difference, ...] = ()


def compare_variants(
    variants: Sequence[Variant],
    run_world: RunWorld,
    *,
    seed: int,
    looks_max: int = LOOKS_MAX,
    side_by_side: int = SIDE_BY_SIDE,
) -> Generator[Compared, None, None]:
    """Run variants on both arms, and yield those first that agree the first time.

    Requires: the kernel can run them all.
    """
    waiting = [_Todo(number=number, variant=each) for number, each in enumerate(variants)]
    for look in range(1, looks_max + 1):
        again = []
        todo_now = [each.variant for each in waiting]
        with closing(run_variants(todo_now, seed=seed, side_by_side=side_by_side)) as runs:
            for todo, run in zip(waiting, runs, strict=True):
                world = todo.world if todo.world is not None else run_world(todo.variant)
                compared = _judged(todo, world, run, look)
                broke = compared.differences or run.failed
                if broke and isinstance(world, Trace) and look < looks_max:
                    again.append(
                        _Todo(
                            number=todo.number,
                            variant=todo.variant,
                            world=world,
                            before=compared.differences,
                        )
                    )
                else:
                    yield compared
        if not again:
            return
        waiting = again


@value
class _Todo:
    """A variant that the kernel is to run, and what is known of it from before."""

    number: int
    variant: Variant
    world: Trace | None = None
    before: tuple[Difference, ...] = ()


def _judged(todo: _Todo, world: Trace | str, run: KernelRun, look: int) -> Compared:
    found: tuple[Difference, ...] = ()
    failed = f"on the kernel: {run.failed}" if run.failed else ""
    if isinstance(world, str):
        failed = f"in the world: {world}"
    elif run.trace is not None:
        found = tuple(differences(todo.variant, world, run.trace))
    return Compared(
        number=todo.number,
        variant=todo.variant,
        world=world if isinstance(world, Trace) else None,
        kernel=run.trace,
        differences=found,
        failed=failed,
        looks=look,
        before=todo.before,
    )
