"""The queue: order, laziness, and its limit."""

import pytest

from halfopen.world.events import NEVER, Act, Event, InstantLimitError
from halfopen.world.world import World


class Moved(Event):
    """Due later than its entry says, once moved."""

    def __init__(self, world: World, due_at: int) -> None:
        self.world = world
        self.due_at = due_at
        self.fired: list[int] = []
        self.postponed: list[tuple[int, int]] = []

    def due(self, at: int) -> int:  # noqa: ARG002
        return self.due_at

    def postpone(self, at: int, due: int) -> None:
        self.postponed.append((at, due))

    def fire(self, now: int) -> None:
        self.fired.append(now)


def test_equal_instants_run_in_order_of_scheduling() -> None:
    world = World()
    seen: list[tuple[int, str]] = []
    for at, name in ((5, "a"), (3, "b"), (5, "c"), (3, "d"), (5, "e")):
        world.call_at(at, lambda now, name=name: seen.append((now, name)))  # type: ignore[misc]
    assert world.run().end == "over"
    assert seen == [(3, "b"), (3, "d"), (5, "a"), (5, "c"), (5, "e")]


def test_an_event_made_for_this_instant_comes_after_those_already_there() -> None:
    world = World()
    seen: list[str] = []

    def first(now: int) -> None:
        seen.append("first")
        world.call_at(now, lambda _: seen.append("made by first"))

    world.call_at(1, first)
    world.call_at(1, lambda _: seen.append("second"))
    world.run()
    assert seen == ["first", "second", "made by first"]


def test_an_early_entry_is_put_back_without_time_moving() -> None:
    world = World()
    event = Moved(world, 10)
    world.at(4, event)
    world.call_at(7, lambda _: None)
    world.step()
    assert (world.now, event.fired, event.postponed) == (7, [], [(4, 10)])
    world.run()
    assert (world.now, event.fired) == (10, [10])


def test_a_stale_entry_is_dropped_and_time_stands_still() -> None:
    world = World()
    event = Moved(world, NEVER)
    world.at(4, event)
    assert world.queue.pending() == []
    rest = world.run()
    assert (rest.end, rest.at_ns, event.fired, event.postponed) == ("over", 0, [], [(4, NEVER)])


def test_pending_lists_what_is_due_in_order_and_changes_nothing() -> None:
    world = World()
    late, soon = Moved(world, 10), Act(lambda _: None, "soon")
    world.at(4, late)
    world.at(6, soon)
    assert world.queue.pending() == [(6, soon), (10, late)]
    assert late.postponed == []


def test_events_at_one_instant_are_limited_by_name() -> None:
    world = World(instant_events_max=100)

    def again(now: int) -> None:
        world.call_at(now, again, "again")

    world.call_at(3, again, "again")
    with pytest.raises(
        InstantLimitError, match=r"100 events at the instant 3 ns .*again"
    ) as caught:
        world.run()
    assert (caught.value.at_ns, caught.value.limit) == (3, 100)


def test_the_limit_counts_each_instant_anew() -> None:
    world = World(instant_events_max=3)
    seen: list[int] = []
    for at in (1, 1, 1, 2, 2, 2):
        world.call_at(at, seen.append)
    world.run()
    assert len(seen) == 6


def test_a_horizon_stops_before_what_lies_behind_it() -> None:
    world = World()
    seen: list[int] = []
    world.call_at(10, seen.append)
    world.call_at(20, seen.append)
    rest = world.run(15)
    assert (rest.end, rest.at_ns, seen) == ("horizon", 15, [10])
    rest = world.run(20)
    assert (rest.end, rest.at_ns, seen) == ("over", 20, [10, 20])
