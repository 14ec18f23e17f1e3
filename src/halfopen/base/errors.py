"""The mistakes of our users.

What a program can meet is an ``OSError``; our own bugs are assertions.
"""


class HalfopenError(Exception):
    """A mistake of the caller. Its text says what, where, and what to do next."""


class NotPossibleHereError(HalfopenError):
    """This machine, or the simulator as it is today, can't do what was asked."""


class MisuseError(HalfopenError):
    """The call or the input is wrong, and would be wrong anywhere."""


class NotSimulatedError(HalfopenError):
    """What a program does is legal on Linux, and not simulated. Its text names it."""
