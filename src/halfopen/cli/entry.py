"""Where the command line begins: Ctrl-C ends it at once and without a word, from here on.

An exception would not do. Imports take most of a second, and what they run may turn it into another
error; later it may strike inside a program of the world, whose own it would then seem to be. What
our worker processes and conductors do is ended by the kernel when we are gone.
"""

import os
import signal
from types import FrameType

from halfopen.cli.interrupt import INTERRUPTED, on_interrupt
from halfopen.explore.standard import open_closed_streams


def main() -> None:
    """Run the command line; leaves with its exit status."""
    open_closed_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be ignored
        signal.signal(signal.SIGINT, _leave)
    from halfopen.cli.main import main as run_command  # with all that it brings

    run_command()


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  as a handler is called
    for restore in on_interrupt:
        restore()
    os._exit(INTERRUPTED)
