"""The kernel's clock tick, HZ = 250: timers fire on ticks, and far timers on coarser ones.

A timer never fires early. Its instant is rounded up to the granularity of the wheel level that its
distance falls into: one tick (4 ms) below 63 ticks, then 8 times as coarse for each level (Linux
calc_wheel_index).
"""

from typing import Final

from halfopen.base.units import S

HZ: Final = 250
JIFFY: Final = S // HZ
_LEVEL_BITS: Final = 3
_FIRST_LEVEL: Final = 63
_LEVELS: Final = 9


def to_jiffies(duration_ns: int) -> int:
    """Return the ticks that cover a duration, rounded up (Linux usecs_to_jiffies)."""
    return -(-duration_ns // JIFFY)


def ceil_jiffies(duration_ns: int) -> int:
    """Round a duration up to whole ticks, in ns."""
    return -(-duration_ns // JIFFY) * JIFFY


def floor_jiffies(duration_ns: int) -> int:
    """Round a duration down to whole ticks, in ns."""
    return duration_ns // JIFFY * JIFFY


def fires_at(now: int, delay_ns: int, phase: int) -> int:
    """Return the instant at which a timer of ``delay_ns``, armed at ``now``, fires.

    ``phase`` is how many ns before the world began the host's tick counter stood at 0.
    """
    clock = (now + phase) // JIFFY
    expires = clock - -delay_ns // JIFFY
    if expires - clock < _FIRST_LEVEL:
        return (expires + 1) * JIFFY - phase
    shift = _shift(expires - clock)
    return (((expires >> shift) + 1) << shift) * JIFFY - phase


def ticks_left(started_at: int, delay_ns: int, now: int, phase: int) -> int:
    """Return what is left of a delay that began in the past: whole ticks, in ns."""
    begun, clock = (started_at + phase) // JIFFY, (now + phase) // JIFFY
    return (begun - -delay_ns // JIFFY - clock) * JIFFY


def _shift(ticks: int) -> int:
    """Return by how many bits the wheel level for so many ticks is coarser than the tick."""
    level = 0
    reach = _FIRST_LEVEL
    while ticks >= reach and level < _LEVELS - 1:
        level += 1
        reach <<= _LEVEL_BITS
    return level * _LEVEL_BITS
