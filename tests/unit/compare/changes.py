"""Changes to a story, to be made in one arm of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.unit.compare.story import KERNEL, VARIANT, WORLD, Call, Drawn, Step, Story, story, tell

from halfopen.compare.pairs import Difference
from halfopen.compare.traces import differences

Change = Callable[[Story], None]


def found(change: Change, *, world: Story | None = None, drawn: Drawn = KERNEL) -> list[Difference]:
    """Change the kernel's story, and compare."""
    kernel = dict(world or story())
    change(kernel)
    return differences(VARIANT, tell(world or story(), WORLD), tell(kernel, drawn))


def alter(name: str, /, **fields: Any) -> Change:
    def change(steps: Story) -> None:
        steps[name] = replace(steps[name], **fields)

    return change


def drop(*names: str) -> Change:
    def change(steps: Story) -> None:
        for name in names:
            del steps[name]

    return change


def add(name: str, step: Step) -> Change:
    def change(steps: Story) -> None:
        steps[name] = step

    return change


def shift(by: int, *names: str) -> Change:
    def change(steps: Story) -> None:
        for name in names:
            steps[name] = _later(steps[name], by)

    return change


def shift_from(at: int, by: int) -> Change:
    """Let everything from an instant on be later; a call that lasts over it returns later."""

    def change(steps: Story) -> None:
        for name, step in steps.items():
            if step.at >= at:
                steps[name] = _later(step, by)
            elif isinstance(step, Call) and step.until is not None and step.until >= at:
                steps[name] = replace(step, until=step.until + by)

    return change


def returns_later(name: str, by: int) -> Change:
    def change(steps: Story) -> None:
        call = steps[name]
        assert isinstance(call, Call)
        assert call.until is not None
        steps[name] = replace(call, until=call.until + by)

    return change


def both(*changes: Change) -> Change:
    def change(steps: Story) -> None:
        for each in changes:
            each(steps)

    return change


def _later(step: Step, by: int) -> Step:
    if isinstance(step, Call) and step.until is not None:
        return replace(step, at=step.at + by, until=step.until + by)
    return replace(step, at=step.at + by)
