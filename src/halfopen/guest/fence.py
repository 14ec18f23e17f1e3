"""Nothing of a guest reaches the real network, clock, entropy or processes: it is refused by name.

The stand-ins refuse first. What gets past them, by an alias to a real module that a shared module
holds, meets an audit hook, which counts only while a guest runs. It does not see everything:
``send``, ``recv``, ``accept``, ``epoll`` and the clocks raise no audit event, and on Python 3.11
neither do thread starts. A third-party extension module is therefore not imported at all
(``guest.modules``); whether its symbols would allow it is not looked at yet.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from types import FrameType
from typing import Final, NoReturn, Protocol, TypeAlias

from halfopen.base.errors import NotPossibleHereError

#: What looks at an audit event; None: it may pass.
Look: TypeAlias = Callable[[str, tuple[object, ...]], None] | None


class FenceError(BaseException):
    """A guest did what is not simulated. Not an ``Exception``: programs catch those."""


class Fenced(Protocol):
    """Whoever runs inside the fence."""

    @property
    def name(self) -> str:
        """The process, as reports name it."""

    def where(self) -> str:
        """The innermost line of the program itself."""


class _Fence:
    """Who is inside, and the first thing that was refused."""

    def __init__(self) -> None:
        self.inside: Fenced | None = None
        self.os_thread = 0  # in which it runs; the interpreter may have others
        self.hit: FenceError | None = None
        self.installed = False
        self.offline = False  # the user's own code describes a world


_fence: Final = _Fence()


def enter(guest: Fenced) -> None:
    """Begin to watch: from now on what happens is done by this guest."""
    _install()
    _fence.inside = guest
    _fence.os_thread = get_ident()


def leave() -> None:
    """Watch no longer.

    Raises NotPossibleHereError where something was refused meanwhile, whatever the program made
    of it.
    """
    _fence.inside = None
    hit, _fence.hit = _fence.hit, None
    if hit is not None:
        raise NotPossibleHereError(str(hit)) from hit


@contextmanager
def lifted() -> Iterator[None]:
    """Let our own work pass, which runs in a guest's greenlet and is not the guest's."""
    inside, _fence.inside = _fence.inside, None
    try:
        yield
    finally:
        _fence.inside = inside


def refuse(what: str, advice: str = "") -> NoReturn:
    """Stop a guest at what is not simulated, and the world, even where the program catches it."""
    inside = _fence.inside
    where = inside.where() if inside is not None else ""
    text = f"{what} is not simulated{_who(where)}: nothing in a world may reach the real machine"
    error = FenceError(f"{text}; {advice}" if advice else text)
    _note(error)
    raise error


def gap(text: str) -> NoReturn:
    """Stop a guest where the world has a gap; the text says that it is not simulated."""
    inside = _fence.inside
    error = FenceError(f"{text}{_who(inside.where() if inside is not None else '')}")
    _note(error)
    raise error


def stop(text: str, where: str) -> None:
    """Stop the world when the guest comes back: it ended, in this line, at what it can't have."""
    _note(FenceError(f"{text}{_who(where)}"))


def _who(where: str) -> str:
    inside = _fence.inside
    return f" ({inside.name}, {where or 'in a library'})" if inside is not None else ""


def _note(error: FenceError) -> None:
    if _fence.inside is not None and _fence.hit is None:
        _fence.hit = error


@contextmanager
def offline() -> Iterator[None]:
    """Let code of the user's run outside every world, but for real sockets and lookups of names.

    What it imports may try what the machine has, as libraries do. Raises FenceError, also where
    the code catches it, or does so in a thread.
    """
    _install()
    _fence.offline, _fence.hit = True, None
    try:
        yield
    finally:
        _fence.offline = False
        hit, _fence.hit = _fence.hit, None
    if hit is not None:
        raise hit


def _install() -> None:
    if not _fence.installed:
        _fence.installed = True
        sys.addaudithook(_audit)


def _look_offline(event: str) -> None:
    """Refuse what goes out on the real network, unless it is a module's that is being loaded."""
    what = _GOES_OUT.get(event)
    if what is None:
        return
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the one way to the frames
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return
        frame = frame.f_back
    error = FenceError(what)
    if _fence.hit is None:
        _fence.hit = error
    raise error


def _audit(event: str, args: tuple[object, ...]) -> None:
    if _fence.inside is None and _fence.offline:
        _look_offline(event)
    if _fence.inside is None or _fence.os_thread != get_ident():
        return
    if event in _looks:
        look = _looks[event]
    else:
        look = _looks[event] = _refuse_event if event.startswith(_REFUSED) else None
    if look is not None:
        look(event, args)


def _refuse_event(event: str, args: tuple[object, ...]) -> None:  # noqa: ARG001  as every look
    refuse(f"the real {event}", "use the standard library's modules, which the world provides")


def _look_at_open(event: str, args: tuple[object, ...]) -> None:  # noqa: ARG001  as every look
    """Let regular files be read, and nothing else be opened."""
    path, mode, flags = args
    assert isinstance(flags, int), "an audit event for open carries its flags"
    if isinstance(mode, str) and mode.strip("rbtU"):
        flags |= os.O_RDWR
    if flags & _WRITING:
        refuse(f"opening {path!r} for writing", "files can be read; output goes to print")
    text = os.fsdecode(path) if isinstance(path, str | bytes) else ""
    if text.startswith(_MACHINE) and text != os.devnull:
        refuse(
            f"opening {text!r}", "it shows or changes the machine, which is no part of the world"
        )


_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MACHINE: Final = ("/dev/", "/proc/", "/sys/")
_REFUSED: Final = (
    "socket.",
    "subprocess.",
    "ctypes.",
    "pty.",
    "fcntl.",
    "mmap.",
    "signal.",
    "syslog.",
    "resource.",
    "sqlite3.",
    "webbrowser.",
    "time.sleep",
    "_thread.start",
    "sys.addaudithook",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.startfile",
    "os.kill",
    "os.putenv",
    "os.unsetenv",
    "os.chdir",
    "os.chmod",
    "os.chown",
    "os.chflags",
    "os.lchmod",
    "os.lchflags",
    "os.link",
    "os.lockf",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.symlink",
    "os.truncate",
    "os.utime",
)
#: What is refused to code that describes a world.
_GOES_OUT: Final = {
    "socket.__new__": "opened a socket",
    "socket.getaddrinfo": "asked for the address of a name (getaddrinfo)",
    "socket.gethostbyname": "asked for the address of a name (gethostbyname)",
    "socket.gethostbyaddr": "asked for the name of an address (gethostbyaddr)",
    "socket.getnameinfo": "asked for the name of an address (getnameinfo)",
}
#: Decided once for each name of an event.
_looks: Final[dict[str, Look]] = {"open": _look_at_open}
