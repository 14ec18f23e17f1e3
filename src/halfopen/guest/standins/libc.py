"""``halfopen.scenario.libc`` in a world: the same calls, over memory that is numbers and values.

A static result has one place for each function and process, as in glibc (nss/getXXbyYY.c); what
``inet_ntoa`` writes has one for each thread.
"""

import _socket
import errno
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeVar

from halfopen.guest import fence, tasks
from halfopen.guest.libc import addrinfo, hostent, tables
from halfopen.guest.libc.hostent import Lookup
from halfopen.guest.libc.hosts import Hostent
from halfopen.guest.libc.tables import Protoent, Servent
from halfopen.guest.libc.words import NETDB_SUCCESS, NameFailure
from halfopen.guest.standins.netdb import simulated
from halfopen.scenario import libc as real
from halfopen.sockets.waiting import WaitQueue

if TYPE_CHECKING:
    from halfopen.guest.image import Image

T = TypeVar("T")

_FIRST: Final = 0x7F00_0000_0000
_STEP: Final = 0x10000


class Lock:
    """What keeps a second thread out of a call with a static result until the first is back."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.held = False
        self.queue = WaitQueue()

    def acquire(self) -> None:
        """Wait until nobody has it."""
        while self.held:
            thread = tasks.running()
            thread.call = self.function
            thread.pause(None, "the lock of its result", self.queue)
        self.held = True

    def release(self) -> None:
        """Let the next one have it."""
        self.held = False
        self.queue.wake()


class Libc:
    """The calls, and the memory of one process: what lies at each place."""

    def __init__(self, image: "Image") -> None:
        self._image = image
        self._memory: dict[int, object] = {}
        self._static: dict[tuple[str, int], int] = {}
        self._next = _FIRST
        self._locks: dict[str, Lock] = {}

    # Memory.

    def malloc(self, size: int) -> int:
        """Give room."""
        place = self._next
        self._next += _STEP * (1 + size // _STEP)
        self._memory[place] = b""
        return place

    def free(self, place: int) -> None:
        """Take it back."""
        del self._memory[place]

    def peek(self, place: int, size: int) -> bytes:
        """Read what stands in memory."""
        return self._at(place, bytes)[:size].ljust(size, b"\0")

    def string(self, place: int) -> str:
        """Read a string up to its end."""
        return self._at(place, bytes).partition(b"\0")[0].decode()

    def _at(self, place: int, kind: type[T]) -> T:
        there = self._memory[place]
        assert isinstance(there, kind), "what lies there is read as what it is"
        return there

    def _kept(self, function: str, thing: object, thread: int = 0) -> int:
        """Put a result where every result of a function lies; None: NULL."""
        if thing is None:
            return 0
        key = function, thread
        if key not in self._static:
            self._static[key] = self.malloc(1)
        self._memory[self._static[key]] = thing
        return self._static[key]

    # Hosts.

    def gethostbyname(self, name: str) -> int:
        """Look a name up."""
        res = self._image.libc.res()
        return self._host("gethostbyname", lambda: hostent.by_name_growing(res, name))

    def gethostbyaddr(self, address: str) -> int:
        """Look an address up."""
        res = self._image.libc.res()
        return self._host("gethostbyaddr", lambda: hostent.by_address(res, address))

    def _host(self, function: str, look: Callable[[], Lookup]) -> int:
        lock = self._locks.setdefault(function, Lock(function))
        lock.acquire()
        try:
            came = simulated(look)
            if came.found is None and came.h_errno:
                self._image.libc.res().h_errno = came.h_errno
            return self._kept(function, came.found)
        finally:
            lock.release()

    def gethostbyname_r(self, name: str, place: int, size: int) -> tuple[int, int, int]:
        """Look a name up into room of the caller's."""
        res = self._image.libc.res()
        return self._into(place, size, lambda: hostent.by_name(res, name, room=size))

    def gethostbyaddr_r(self, address: str, place: int, size: int) -> tuple[int, int, int]:
        """Look an address up into room of the caller's."""
        res = self._image.libc.res()
        return self._into(place, size, lambda: hostent.by_address(res, address))

    def _into(self, place: int, size: int, look: Callable[[], Lookup]) -> tuple[int, int, int]:
        if size < real.ROOM:
            fence.refuse("a reentrant call with less room than ROOM")
        came = simulated(look)
        if came.found is None:
            return came.status, 0, came.h_errno
        self._memory[place] = came.found
        return came.status, place, NETDB_SUCCESS

    def h_errno(self) -> int:
        """Read the thread's h_errno."""
        return self._image.libc.res().h_errno

    def hostent(self, pointer: int) -> real.Hostent:
        """Read a struct hostent."""
        there = self._at(pointer, Hostent)
        return there.name, list(there.aliases), there.family, list(there.addresses)

    # Services and protocols.

    def getservbyname(self, name: str, protocol: str | None = None) -> int:
        """Look a service up."""
        etc = self._image.etc
        found = simulated(lambda: tables.service_by_name(etc, name, protocol))
        return self._kept("getservbyname", found)

    def getservbyport(self, port: int, protocol: str | None = None) -> int:
        """Look a port up."""
        etc = self._image.etc
        found = simulated(lambda: tables.service_by_port(etc, port, protocol))
        return self._kept("getservbyport", found)

    def servent(self, pointer: int) -> real.Servent:
        """Read a struct servent."""
        there = self._at(pointer, Servent)
        return there.name, list(there.aliases), there.port, there.protocol

    def getprotobyname(self, name: str) -> int:
        """Look a protocol up by its name."""
        etc = self._image.etc
        return self._kept("getprotobyname", simulated(lambda: tables.protocol_by_name(etc, name)))

    def getprotobynumber(self, number: int) -> int:
        """Look a protocol up by its number."""
        etc = self._image.etc
        return self._kept(
            "getprotobynumber", simulated(lambda: tables.protocol_by_number(etc, number))
        )

    def protoent(self, pointer: int) -> real.Protoent:
        """Read a struct protoent."""
        there = self._at(pointer, Protoent)
        return there.name, list(there.aliases), there.number

    # getaddrinfo.

    def getaddrinfo(
        self,
        name: str | None,
        service: str | None,
        family: int = 0,
        type_: int = 0,
        flags: int = 0,
    ) -> tuple[int, int]:
        """Look a name and a service up."""
        res = self._image.libc.res()
        try:
            found = simulated(
                lambda: addrinfo.getaddrinfo(
                    res, name, service, int(family), int(type_), 0, int(flags)
                )
            )
        except NameFailure as failure:
            return failure.code, 0
        place = self.malloc(1)
        self._memory[place] = found
        return 0, place

    def freeaddrinfo(self, pointer: int) -> None:
        """Give a list back."""
        self.free(pointer)

    def addrinfo(self, pointer: int) -> list[real.Addrinfo]:
        """Read a list of struct addrinfo."""
        return [
            (family, kind, protocol, str(there[0]), there[1], canonical)
            for family, kind, protocol, canonical, there in self._at(pointer, list)
        ]

    # The host's name, and an address as text.

    def gethostname(self, place: int, size: int) -> int:
        """Write the host's name into room of the caller's."""
        name = self._image.etc.nodename.encode() + b"\0"
        self._memory[place] = name[:size]
        return errno.ENAMETOOLONG if len(name) > size else 0

    def inet_ntoa(self, address: str) -> int:
        """Write an address of IPv4."""
        text = _socket.inet_ntoa(_socket.inet_aton(address))
        return self._kept("inet_ntoa", text.encode(), tasks.running().ident)


def make(image: "Image") -> ModuleType:
    """Make the module."""
    module = ModuleType(real.__name__, real.__doc__)
    own = Libc(image)
    there = vars(module)
    there["ROOM"] = real.ROOM
    for name in vars(Libc):
        if not name.startswith("_"):
            there[name] = getattr(own, name)
    return module
