"""How a command ends: its exit status, and a mistake in one line instead of a traceback."""

import sys
from collections.abc import Callable
from functools import wraps
from textwrap import wrap
from typing import Final, ParamSpec

import typer

from halfopen.base.errors import HalfopenError, NotPossibleHereError
from halfopen.cli.interrupt import INTERRUPTED

EXPECTED: Final = 0
FINDING: Final = 1
MISUSE: Final = 2
NOT_POSSIBLE: Final = 3
#: What a shell says of a program that SIGPIPE ended: 128 and the signal's number.
OUTPUT_CLOSED: Final = 141

_WIDTH: Final = 80

P = ParamSpec("P")


def leaves_with_status(command: Callable[P, int]) -> Callable[P, None]:
    """Turn what a command returns or raises into the exit status."""

    @wraps(command)
    def leaving(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = command(*args, **kwargs)
            sys.stdout.flush()
        except HalfopenError as error:
            complain(str(error))
            possible = not isinstance(error, NotPossibleHereError)
            status = MISUSE if possible else NOT_POSSIBLE
        except KeyboardInterrupt:
            status = INTERRUPTED
        raise typer.Exit(status)

    return leaving


def complain(text: str) -> None:
    """Say on standard error what keeps us from going on."""
    print("\n".join(_folded(f"halfopen: {text}")), file=sys.stderr)


def _folded(text: str) -> list[str]:
    """Fold what is wider than a screen; indented lines, which may be commands, stay whole."""
    lines = []
    for line in text.splitlines():
        if line.startswith(" "):
            lines.append(line)
        else:
            lines += wrap(line, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return lines
