"""What takes the place of the C modules that reach the machine, one file for each.

A stand-in is an allow-list, made anew for each process: what is not named in its file is not there.
Its functions are bound methods, so that they stay functions when somebody keeps one as an attribute
of a class (``Formatter.converter = time.localtime``).
"""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Final

from halfopen.guest.standins import (
    atexit,
    fcntl,
    libc,
    posix,
    posixsubprocess,
    random,
    select,
    signal,
    socket,
    thread,
    time,
    unspec,
    warnings,
)

if TYPE_CHECKING:
    from halfopen.guest.image import Image

STANDINS: "Final[dict[str, Callable[[Image], ModuleType]]]" = {
    "_posixsubprocess": posixsubprocess.make,
    "_random": random.make,
    "_signal": signal.make,
    "_socket": socket.make,
    "_thread": thread.make,
    "_warnings": warnings.make,
    "atexit": atexit.make,
    "fcntl": fcntl.make,
    unspec.NAME: unspec.make,
    "halfopen.scenario.libc": libc.make,
    "posix": posix.make,
    "select": select.make,
    "time": time.make,
}
