"""Python's seconds to the world's nanoseconds, as CPython rounds them."""

import math
from typing import SupportsFloat, SupportsIndex

_NS = 1_000_000_000
_MAX = (1 << 63) - 1


def to_ns(seconds: SupportsFloat | SupportsIndex) -> int:
    """Round up, away from zero (_PyTime_ROUND_TIMEOUT), from an int exactly.

    Raises ValueError for NaN, OverflowError past 292 years, TypeError for what is no number.
    """
    if isinstance(seconds, int):
        ns = int(seconds) * _NS
    elif isinstance(seconds, float) or hasattr(seconds, "__float__"):
        number = float(seconds)
        if math.isnan(number):
            raise ValueError("Invalid value NaN (not a number)")
        if math.isinf(number):
            raise OverflowError("timestamp too large to convert to C PyTime_t")
        ns = math.ceil(number * 1e9) if number >= 0 else math.floor(number * 1e9)
    elif hasattr(seconds, "__index__"):
        ns = seconds.__index__() * _NS
    else:
        msg = f"'{type(seconds).__name__}' object cannot be interpreted as an integer"
        raise TypeError(msg)
    if abs(ns) > _MAX:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    return ns
