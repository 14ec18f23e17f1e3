"""Numbers as the C library reads them: of a width, with a sign, and with something behind them."""

import re
from typing import Final

_DECIMAL: Final = re.compile(r"\s*([+-]?)(\d+)", re.ASCII)
#: Base 0: of 16 behind 0x, of 8 behind 0, else of 10.
_ANY_BASE: Final = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)", re.ASCII)
_ULONG_MAX: Final = (1 << 64) - 1
_LONG_MAX: Final = (1 << 63) - 1
_UINT_MAX: Final = (1 << 32) - 1


def to_int(number: int) -> int:
    """Cut a number down to an ``int``."""
    low = number & _UINT_MAX
    return low - (1 << 32) if low >> 31 else low


def strtoul(text: str, *, any_base: bool = False) -> tuple[int, str] | None:
    """Read an ``unsigned long`` and what is behind it; None: no digit is there.

    One with a minus wraps around; what has no room is the highest, also with a minus.
    """
    found = (_ANY_BASE if any_base else _DECIMAL).match(text)
    if found is None:
        return None
    sign, digits = found.groups()
    size, rest = int(digits, _base(digits) if any_base else 10), text[found.end() :]
    if size > _ULONG_MAX:
        return _ULONG_MAX, rest
    return (-size & _ULONG_MAX if sign == "-" else size), rest


def strtou32(text: str, *, any_base: bool = False) -> tuple[int, str] | None:
    """Read a number of 32 bits, as a line of a table has it (glibc nss_files parse_line).

    None: there is none, or it has no room, which makes a line no line.
    """
    found = strtoul(text, any_base=any_base)
    return None if found is None or found[0] > _UINT_MAX else found


def atoi(text: str) -> int:
    """Read an ``int``, whatever is behind it; 0 where there is none (a ``long``, cut down)."""
    found = _DECIMAL.match(text)
    if found is None:
        return 0
    size = int(found[2])
    number = max(-size, -_LONG_MAX - 1) if found[1] == "-" else min(size, _LONG_MAX)
    return to_int(number)


def _base(digits: str) -> int:
    if digits[1:2] in {"x", "X"}:
        return 16
    return 8 if digits.startswith("0") else 10
