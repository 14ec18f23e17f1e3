"""What a thread waits for that waits for a lock of the library's: an item, a notice, an end.

Locks are all that ``threading`` and ``queue`` are made of. A lock that the program takes itself is
a lock.
"""

import os
from types import FrameType
from typing import Final

from halfopen.guest import places

LOCK: Final = "a lock"

_LIBRARY: Final = os.path.dirname(os.__file__)
_QUEUE: Final = os.path.join(_LIBRARY, "queue.py")
_THREADING: Final = os.path.join(_LIBRARY, "threading.py")
_FOR: Final = {
    (_QUEUE, "get"): "an item",
    (_QUEUE, "put"): "room in a queue",
    (_QUEUE, "join"): "a notice",
    (_THREADING, "join"): "a thread's end",
    (_THREADING, "_shutdown"): "a thread's end",
    (_THREADING, "wait"): "a notice",
}


def meant(frame: FrameType | None) -> str:
    """Say what the lock stands for that a thread waits for in this frame.

    Of the library's functions the outermost tells: a queue's ``get`` waits for a notice of its own.
    """
    found = LOCK
    while frame is not None and not places.is_program(frame.f_code.co_filename):
        code = frame.f_code
        found = _FOR.get((code.co_filename, code.co_name), found)
        frame = frame.f_back
    return found
