"""The least of what was measured lately, by the kernel's way of forgetting (lib/win_minmax.c)."""

from typing import Final

import pytest

from halfopen.tcp.minmax import RunningMin

WINDOW: Final = 100


@pytest.mark.parametrize(
    ("measured", "least"),
    [
        pytest.param([(0, 9)], [9], id="the first"),
        pytest.param([(0, 9), (1, 5), (2, 7)], [9, 5, 5], id="a smaller one, and a larger"),
        pytest.param(
            [(0, 5), (60, 7), (80, 6), (101, 9)],
            [5, 5, 5, 6],
            id="too old: the next that is smaller than those before it",
        ),
        pytest.param(
            [(0, 5), (30, 6), (60, 7), (101, 9), (131, 9)],
            [5, 5, 5, 6, 7],
            id="one after the other",
        ),
        pytest.param(
            [(0, 5), (1, 6), (51, 9), (102, 9)],
            [5, 5, 5, 9],
            id="two too old at once",
        ),
        pytest.param(
            [(0, 5), (26, 9), (51, 8), (101, 10)],
            [5, 5, 5, 8],
            id="a quarter of the time later a larger one is kept, and its smaller follower",
        ),
        pytest.param(
            [(0, 5), (26, 7), (77, 9), (101, 9), (127, 9)],
            [5, 5, 5, 7, 9],
            id="and half of it later another",
        ),
        pytest.param([(0, 5), (200, 9)], [5, 9], id="all too old"),
    ],
)
def test_the_least_of_the_window(measured: list[tuple[int, int]], least: list[int]) -> None:
    running = RunningMin()
    assert [running.take(value, at, WINDOW) for at, value in measured] == least
