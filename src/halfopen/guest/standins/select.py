"""``select``: select, poll and epoll over the simulated kernel's readiness."""

import math
import select as real
from collections.abc import Iterable
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, SupportsFloat, SupportsIndex, TypeAlias

from halfopen.guest import tasks
from halfopen.guest.recording import recorded
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.numbers import INT_MAX, to_ns
from halfopen.sockets import calls

if TYPE_CHECKING:
    from halfopen.guest.image import Image

_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_USHRT_MAX: Final = 0xFFFF
# What ``select`` does not name.
_CTL_ADD: Final = 1
_CTL_DEL: Final = 2
_CTL_MOD: Final = 3
#: CPython asks for so many where the caller does not say: FD_SETSIZE - 1.
_EVENTS_MAX: Final = 1023


class HasFileno(Protocol):
    """A socket, or what wraps one."""

    def fileno(self) -> int:
        """Its descriptor."""


Descriptor: TypeAlias = int | HasFileno
Seconds: TypeAlias = SupportsFloat | SupportsIndex


def fd_of(thing: Descriptor) -> int:
    """Read a descriptor as CPython does (PyObject_AsFileDescriptor)."""
    if isinstance(thing, int):
        number = int(thing)
    elif hasattr(thing, "fileno"):
        number = thing.fileno()
        if not isinstance(number, int):
            raise TypeError("fileno() returned a non-integer")
    else:
        raise TypeError("argument must be an int, or have a fileno() method.")
    if number < 0:
        msg = f"file descriptor cannot be a negative integer ({number})"
        raise ValueError(msg)
    return number


def _asked(part: Iterable[Descriptor]) -> list[tuple[Descriptor, int]]:
    try:
        things = list(part)
    except TypeError:
        raise TypeError("arguments 1-3 must be sequences") from None
    return [(each, fd_of(each)) for each in things]


def _milliseconds(timeout: object, ns_per_unit: int) -> int | None:
    """Read poll's timeout as C does: whole milliseconds, rounded up; None: for ever."""
    if isinstance(timeout, float):
        ns = math.ceil(timeout * ns_per_unit)
    elif isinstance(timeout, SupportsIndex):
        ns = timeout.__index__() * ns_per_unit
    else:
        raise TypeError("timeout must be an integer or None")
    ms = -(-ns // _MS)
    if ms > INT_MAX:
        raise OverflowError("timeout is too large")
    return ms * _MS if ms >= 0 else None


class Select:
    """The function ``select``."""

    def __init__(self, image: "Image") -> None:
        self.image = image

    def descriptor(self) -> int | None:
        """None: it is made on several."""
        return None

    def select(
        self,
        rlist: Iterable[Descriptor],
        wlist: Iterable[Descriptor],
        xlist: Iterable[Descriptor],
        timeout: Seconds | None = None,
        /,
    ) -> tuple[list[Descriptor], list[Descriptor], list[Descriptor]]:
        """Wait until something is ready, and give back the objects that are.

        Raises ValueError for a negative timeout.
        """
        if not isinstance(timeout, SupportsFloat | SupportsIndex | None):
            raise TypeError("timeout must be a float or None")
        limit = None if timeout is None else to_ns(timeout)
        if limit is not None and limit < 0:
            raise ValueError("timeout must be non-negative")
        asked = [_asked(part) for part in (rlist, wlist, xlist)]
        reading, writing, exceptional = ([fd for _, fd in part] for part in asked)
        rest = () if timeout is None else (timeout,)
        ready = self._select(reading, writing, exceptional, *rest, limit=limit)
        first, second, third = (
            [each for each, fd in part if fd in fds] for part, fds in zip(asked, ready, strict=True)
        )
        return first, second, third

    @recorded("select", show=lambda *asked, **_: asked)
    def _select(
        self,
        reading: list[int],
        writing: list[int],
        exceptional: list[int],
        *timeout: Seconds,  # noqa: ARG002  recorded as given
        limit: int | None,
    ) -> tuple[list[int], list[int], list[int]]:
        unique = (list(dict.fromkeys(part)) for part in (reading, writing, exceptional))
        return tasks.running().syscall(calls.select, *unique, limit)


class Poll:
    """A poll object. ``image`` is set by the subclass that each process gets."""

    image: "Image"

    def __init__(self) -> None:
        self._asked: dict[int, int] = {}

    def descriptor(self) -> int | None:
        """None: it is made on several."""
        return None

    def register(
        self, fd: Descriptor, eventmask: int = real.POLLIN | real.POLLPRI | real.POLLOUT, /
    ) -> None:
        """Ask for events of a descriptor."""
        self._asked[fd_of(fd)] = _mask(eventmask)

    def modify(self, fd: Descriptor, eventmask: int, /) -> None:
        """Ask for others.

        Raises FileNotFoundError where the descriptor was not registered.
        """
        number = fd_of(fd)
        if number not in self._asked:
            raise FileNotFoundError(2, "No such file or directory")
        self._asked[number] = _mask(eventmask)

    def unregister(self, fd: Descriptor, /) -> None:
        """Ask no more.

        Raises KeyError where the descriptor was not registered.
        """
        del self._asked[fd_of(fd)]

    @recorded("poll")
    def poll(self, timeout: Seconds | None = None, /) -> list[tuple[int, int]]:
        """Wait so many milliseconds; None or negative: for ever."""
        limit = None if timeout is None else _milliseconds(timeout, _MS)
        return tasks.running().syscall(calls.poll, list(self._asked.items()), limit)


class Epoll:
    """An epoll object. ``image`` is set by the subclass that each process gets."""

    image: "Image"

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        if sizehint != -1 and sizehint <= 0:
            raise ValueError("negative sizehint")
        if flags & ~real.EPOLL_CLOEXEC:
            raise OSError("invalid flags")
        thread = tasks.running()
        self._fd: int = thread.enter(calls.epoll_create, self.image.world.now)

    @classmethod
    def fromfd(cls, fd: int) -> Self:
        """Make another object for the same instance."""
        made = cls.__new__(cls)
        made._fd = fd  # noqa: SLF001  of its own class
        return made

    def descriptor(self) -> int | None:
        """Its own."""
        return self._fd if self._fd >= 0 else None

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._fd < 0

    def fileno(self) -> int:
        """Its descriptor."""
        return self._open()

    def close(self) -> None:
        """Close it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            tasks.running().syscall(calls.close, fd)

    def register(
        self,
        fd: Descriptor,
        eventmask: int = real.EPOLLIN | real.EPOLLPRI | real.EPOLLOUT,
    ) -> None:
        """EPOLL_CTL_ADD."""
        self._control(_CTL_ADD, fd, eventmask)

    def modify(self, fd: Descriptor, eventmask: int) -> None:
        """EPOLL_CTL_MOD."""
        self._control(_CTL_MOD, fd, eventmask)

    def unregister(self, fd: Descriptor) -> None:
        """EPOLL_CTL_DEL."""
        self._control(_CTL_DEL, fd, 0)

    @recorded("epoll_wait")
    def poll(self, timeout: Seconds | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait so many seconds; None or negative: for ever."""
        fd = self._open()
        if maxevents == -1:
            maxevents = _EVENTS_MAX
        elif maxevents < 1:
            msg = f"maxevents must be greater than 0, got {maxevents}"
            raise ValueError(msg)
        limit = None if timeout is None else _milliseconds(timeout, _S)
        return tasks.running().syscall(calls.epoll_wait, fd, maxevents, limit)

    def _control(self, op: int, fd: Descriptor, events: int) -> None:
        thread = tasks.running()
        now = self.image.world.now
        thread.enter(calls.epoll_ctl, self._open(), op, fd_of(fd), events, now)

    def _open(self) -> int:
        if self._fd < 0:
            raise ValueError("I/O operation on closed epoll object")
        return self._fd

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()


def _mask(events: int) -> int:
    if not isinstance(events, int):
        raise TypeError("an integer is required")
    if events < 0:
        raise ValueError("value must be positive")
    if events > _USHRT_MAX:
        raise OverflowError("Python int too large for C unsigned short")
    return int(events)


def make(image: "Image") -> ModuleType:
    """Make the module; its classes belong to one process."""
    return assemble(
        real,
        {
            "select": Select(image).select,
            "poll": type("poll", (Poll,), {"__module__": "select", "image": image}),
            "epoll": type("epoll", (Epoll,), {"__module__": "select", "image": image}),
            "error": OSError,
        },
    )
