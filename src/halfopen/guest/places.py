"""Where a program is: the innermost line of its own, neither ours nor the library's.

A thread that runs nothing of the program, as a server of the library's starts, is in the library.
"""

import os
import traceback
from types import FrameType
from typing import Final

_OURS: Final = os.path.dirname(os.path.dirname(__file__))
_PROGRAMS: Final = os.path.join(_OURS, "scenario", "notes")
_LIBRARY: Final = os.path.dirname(os.__file__)

#: Decided once for each file.
_own: Final[dict[str, bool]] = {}


def innermost(frame: FrameType | None) -> tuple[str, int]:
    """Walk outwards to the first frame of the program; ``("", 0)`` where there is none."""
    while frame is not None:
        path = frame.f_code.co_filename
        own = _own.get(path)
        if own is None:
            own = _own[path] = is_program(path)
        if own:
            return path, frame.f_lineno
        frame = frame.f_back
    return "", 0


def stands(frame: FrameType | None) -> tuple[str, int]:
    """Find where a thread stands: a line of its program, else the innermost of the library."""
    path, line = innermost(frame)
    return (path, line) if path else _innermost_of_library(frame)


def _innermost_of_library(frame: FrameType | None) -> tuple[str, int]:
    """Walk outwards to the first frame that is not ours; ``("", 0)`` where there is none."""
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith("<") and not is_ours(path):
            return path, frame.f_lineno
        frame = frame.f_back
    return "", 0


def innermost_of_error(error: BaseException) -> tuple[str, int]:
    """Find the innermost line of the program that an error went through; ``("", 0)``: none."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return error.filename, error.lineno or 0
    found = ("", 0)
    for frame, line in traceback.walk_tb(error.__traceback__):
        if is_program(frame.f_code.co_filename):
            found = frame.f_code.co_filename, line
    return found


def show(path: str, line: int) -> str:
    """Write a place as reports do: ``client.py:31``."""
    return f"{os.path.basename(path)}:{line}" if path else ""


def is_ours(path: str) -> bool:
    """Say whether a file is our own: in CPython what it does is C, and has no frame."""
    return path.startswith(_OURS + os.sep) and not path.startswith(_PROGRAMS + os.sep)


def is_program(path: str) -> bool:
    """Say whether a file is a program's own."""
    if path.startswith(_OURS + os.sep):
        return not is_ours(path)
    if path.startswith(_LIBRARY + os.sep):
        return "site-packages" in path
    return not path.startswith("<")
