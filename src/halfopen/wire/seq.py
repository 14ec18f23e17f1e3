"""32-bit sequence numbers (RFC 9293 3.4): compared by their distance, unwrapped once at input.

Inside ``tcp`` a sequence number is a plain int that never wraps; the wire carries its lowest 32
bits.
"""

from typing import Final

WRAP: Final = 1 << 32
_HALF: Final = 1 << 31


def wrap(number: int) -> int:
    """Return the 32 bits that the wire carries."""
    return number & 0xFFFFFFFF


def unwrap(raw: int, near: int) -> int:
    """Return the number nearest to ``near`` whose lowest 32 bits are ``raw``."""
    return near + (((raw - near + _HALF) & 0xFFFFFFFF) - _HALF)


def lt(a: int, b: int) -> bool:
    """Whether the raw number ``a`` comes before ``b``."""
    return ((a - b) & 0xFFFFFFFF) >= _HALF
