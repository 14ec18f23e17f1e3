"""The three standard streams of a process, open whoever started it.

What is opened first where one of them is closed, as some daemons have it, would stand in its place,
and a worker or a fork would write into it.
"""

import os
import sys


def open_closed_streams() -> None:
    """Let standard input, output and error lead nowhere where they are closed, here and below.

    ``sys.stderr`` is there afterwards; what reads input or writes output sees to its own.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _lead_nowhere(number)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  to the end


def _lead_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    assert nowhere == number, "the lowest descriptor that is free"
    os.set_inheritable(nowhere, True)
