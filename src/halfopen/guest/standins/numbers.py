"""Numbers as CPython's C code reads them: C ints, and seconds as the world's nanoseconds."""

import math
import sys
from typing import Final, SupportsFloat, SupportsIndex

INT_MAX: Final = (1 << 31) - 1
_NS: Final = 1_000_000_000
_MAX: Final = (1 << 63) - 1
_PYTIME: Final = "PyTime_t" if sys.version_info >= (3, 13) else "_PyTime_t"


def whole(value: object) -> int:
    """Read a whole number of any size (PyNumber_Index).

    Raises TypeError for what is none.
    """
    if isinstance(value, SupportsIndex):
        return int(value.__index__())
    msg = f"'{type(value).__name__}' object cannot be interpreted as an integer"
    raise TypeError(msg)


def integer(value: object) -> int:
    """Read a C int.

    Raises OverflowError for what is larger.
    """
    number = whole(value)
    if number > INT_MAX:
        raise OverflowError("signed integer is greater than maximum")
    if number < -INT_MAX - 1:
        raise OverflowError("signed integer is less than minimum")
    return number


def to_ns(seconds: SupportsFloat | SupportsIndex) -> int:
    """Round up, away from zero (_PyTime_ROUND_TIMEOUT), from an int exactly.

    Raises ValueError for NaN, OverflowError past 292 years, TypeError for what is no number.
    """
    if isinstance(seconds, float):
        number = float(seconds)
        if math.isnan(number):
            raise ValueError("Invalid value NaN (not a number)")
        if abs(number * _NS) > _MAX:
            raise OverflowError("timestamp out of range for platform time_t")
        ns = math.ceil(number * 1e9) if number >= 0 else math.floor(number * 1e9)
    else:
        ns = whole(seconds) * _NS
    if abs(ns) > _MAX:
        msg = f"timestamp too large to convert to C {_PYTIME}"
        raise OverflowError(msg)
    return ns
