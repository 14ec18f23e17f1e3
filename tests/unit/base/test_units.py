"""Durations as people read them."""

import pytest

from halfopen.base.units import HOUR, MINUTE, MS, US, S, show_duration


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "0 µs"),
        (50 * US, "50 µs"),
        (MS - 1, "999.999 µs"),
        (MS, "1 ms"),
        (S - MS // 10, "999.9 ms"),
        (S - 1, "1 s"),
        (1_004 * MS, "1.004 s"),
        (MINUTE - MS, "59.999 s"),
        (MINUTE - 1, "1 min"),
        (15 * MINUTE + 24_600 * MS, "15 min 24.6 s"),
        (MINUTE + 49 * MS, "1 min"),
        (2 * MINUTE - 1, "2 min"),
        (HOUR - 1, "1 h"),
        (2 * HOUR + 11 * MINUTE + 15 * S, "2 h 11 min 15 s"),
        (2 * HOUR + 59 * MINUTE + 59 * S, "2 h 59 min 59 s"),
        (3 * HOUR - 1, "3 h"),
        (3 * HOUR + S, "3 h 0 min 1 s"),
        (-(MINUTE - 1), "-1 min"),
    ],
)
def test_what_rounds_up_carries_over(ns: int, shown: str) -> None:
    assert show_duration(ns) == shown
