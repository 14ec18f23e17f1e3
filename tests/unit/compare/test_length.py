"""The system's own durations: how long a kernel is watched, and what is compared then."""

import pytest
from tests.unit.compare.story import KERNEL, VARIANT, WORLD, story, tell

from halfopen.base.units import HOUR, MINUTE, MS, S
from halfopen.compare.length import WATCHED_MAX_NS, WATCHED_MIN_NS, at_full_length
from halfopen.compare.traces import differences
from halfopen.record.events import Mark
from halfopen.record.trace import Trace
from halfopen.scenario.model import Variant


def variant(horizon_ns: int) -> Variant:
    return Variant(
        settings={"durations": "default"},
        hosts=(),
        links=(),
        processes=(),
        steps=(),
        horizon_ns=horizon_ns,
        kernel=False,
        because="it lasts",
    )


@pytest.mark.parametrize(
    ("last_ns", "horizon_ns", "watched_ns"),
    [
        (S, 24 * HOUR, WATCHED_MIN_NS),
        (S, 5 * MINUTE, 5 * MINUTE),
        (30 * MINUTE, 24 * HOUR, 31 * MINUTE),
        (12 * HOUR, 24 * HOUR, WATCHED_MAX_NS),
    ],
)
def test_the_kernel_is_watched_a_while_longer_than_anything_happens(
    last_ns: int, horizon_ns: int, watched_ns: int
) -> None:
    world = Trace({})
    world.add(Mark(t_ns=last_ns, host="a", process="p", name="here"))
    long = at_full_length(variant(horizon_ns), world)
    assert long.kernel
    assert long.horizon_ns == watched_ns


@pytest.mark.parametrize(("watched_ns", "differs"), [(420 * MS, False), (421 * MS, True)])
def test_what_the_kernel_was_not_watched_for_is_not_compared(
    watched_ns: int, differs: bool
) -> None:
    world = story()
    kernel = tell({name: step for name, step in world.items() if step.at < 420 * MS}, KERNEL)
    kernel.events = [event for event in kernel.events if event.t_ns < watched_ns]
    kernel.ended_ns = watched_ns
    assert bool(differences(VARIANT, tell(world, WORLD), kernel)) is differs
