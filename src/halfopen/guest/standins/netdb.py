"""The functions of ``_socket`` beside its class: names, services, protocols, descriptors."""

import _socket as real
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, SupportsFloat, SupportsIndex, TypeVar

from halfopen.base.errors import NotSimulatedError
from halfopen.guest import fence, tasks
from halfopen.guest.libc import addrinfo, hostent, hosts, nameinfo, tables
from halfopen.guest.libc.words import NameFailure, gaierror, herror
from halfopen.guest.recording import recorded
from halfopen.guest.standins.numbers import to_ns, whole
from halfopen.sockets import calls
from halfopen.sockets.names import Address
from halfopen.wire.address import BROADCAST

if TYPE_CHECKING:
    from halfopen.guest.image import Image
    from halfopen.guest.libc.addrinfo import Entry
    from halfopen.guest.libc.hostent import Lookup

T = TypeVar("T")

_NS: Final = 10**9
_PORT_MAX: Final = 0xFFFF
FLOWINFO_MAX: Final = 0xFFFFF
_HOSTNAME_MAX: Final = 64
#: So much room CPython gives to what it looks up.
_ROOM: Final = 16384
_LONG_MAX: Final = (1 << 63) - 1


class Netdb:
    """The functions, for one process."""

    def __init__(self, image: "Image") -> None:
        self._image = image

    def close(self, fd: int, /) -> None:
        """Close a socket's descriptor."""
        tasks.running().syscall(calls.close, int(fd))

    def dup(self, fd: int, /) -> int:
        """Give a second descriptor to the same socket."""
        return self._image.fds.dup(int(fd))

    def getdefaulttimeout(self) -> float | None:
        """What new sockets begin with."""
        default = self._image.default_timeout_ns
        return None if default is None else default / _NS

    def setdefaulttimeout(self, timeout: SupportsFloat | SupportsIndex | None, /) -> None:
        """Set what new sockets begin with."""
        ns = None if timeout is None else to_ns(timeout)
        if ns is not None and ns < 0:
            raise ValueError("Timeout value out of range")
        self._image.default_timeout_ns = ns

    # Names.

    def descriptor(self) -> None:
        """For the record: none of these calls is made on one."""

    @property
    def image(self) -> "Image":
        """Whose calls they are."""
        return self._image

    @recorded("getaddrinfo", is_point=False)
    def getaddrinfo(  # noqa: PLR0913, PLR0917  as in C
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002  the parameter's name in CPython
        proto: int = 0,
        flags: int = 0,
    ) -> "list[Entry]":
        """Where a name and a service lead."""
        if host is None:
            name = None
        elif isinstance(host, str):
            name = host.encode("idna").decode()
        elif isinstance(host, bytes):
            name = host.decode("latin-1")
        else:
            raise TypeError("getaddrinfo() argument 1 must be string or None")
        if port is None:
            service = None
        elif isinstance(port, bytes):
            service = port.decode("latin-1")
        elif isinstance(port, str):
            service = port
        elif isinstance(port, int):
            if abs(port) > _LONG_MAX:
                raise OverflowError("Python int too large to convert to C long")
            service = str(int(port))
        else:
            raise OSError("Int or String expected")
        return self._getaddrinfo(name, service, family, type, proto, flags)

    @recorded("gethostbyname", is_point=False)
    def gethostbyname(self, hostname: str, /) -> str:
        """The first IPv4 address of a name."""
        return self.address(_text(hostname, "gethostbyname"), real.AF_INET)

    @recorded("gethostbyname_ex", is_point=False)
    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[str]]:
        """The name, its aliases, its addresses."""
        wanted = _text(hostname, "gethostbyname_ex")
        self.address(wanted, real.AF_INET)
        res = self._image.libc.res()
        return self._given(simulated(lambda: hostent.by_name(res, wanted, room=_ROOM)))

    @recorded("gethostbyaddr", is_point=False)
    def gethostbyaddr(self, host: str, /) -> tuple[str, list[str], list[str]]:
        """The name of an address; of a name, that of its first address.

        Raises herror where there is none.
        """
        address = self.address(_text(host, "gethostbyaddr"), real.AF_UNSPEC)
        res = self._image.libc.res()
        return self._given(simulated(lambda: hostent.by_address(res, address)))

    def _given(self, came: "Lookup") -> tuple[str, list[str], list[str]]:
        found = came.found
        if found is None:
            raise herror(self._image.libc.res().h_errno)
        return found.name, list(found.aliases), list(found.addresses)

    @recorded("getnameinfo", is_point=False)
    def getnameinfo(self, sockaddr: Address, flags: int, /) -> tuple[str, str]:
        """The names of an address and a port; a zone is named behind the address."""
        if not isinstance(sockaddr, tuple):
            raise TypeError("getnameinfo() argument 1 must be a tuple")
        host, port, *rest = sockaddr
        flowinfo, zone = (*rest, 0, 0)[:2]
        if not 0 <= flowinfo <= FLOWINFO_MAX:
            raise OverflowError("getnameinfo(): flowinfo must be 0-1048575.")
        datagram, digits = int(real.SOCK_DGRAM), int(real.AI_NUMERICHOST)
        found = self._getaddrinfo(host, str(int(port)), 0, datagram, 0, digits)
        family, *_, there = found[0]
        if family == real.AF_INET and rest:
            raise OSError("IPv4 sockaddr must be 2 tuple")
        zone = int(zone) if family == real.AF_INET6 else 0
        res = self._image.libc.res()
        return _named(lambda: nameinfo.getnameinfo(res, there[0], zone, there[1], int(flags)))

    def address(self, name: str, family: int) -> str:
        """Find the first address of a name, as CPython does for every call (setipaddr)."""
        if not name:
            if not family:
                raise OSError("wildcard resolved to multiple address")
            return self._getaddrinfo(None, "0", family, int(real.SOCK_DGRAM), 0, 1)[0][-1][0]
        if name in {"<broadcast>", BROADCAST}:
            if family not in {0, real.AF_INET}:
                raise OSError("address family mismatched")
            return BROADCAST
        for each in (real.AF_INET, real.AF_INET6):
            if family in {0, each}:
                digits = hosts.numeric(name, int(each))
                if digits is not None:
                    return digits
        return self._getaddrinfo(name, None, family, 0, 0, 0)[0][-1][0]

    def _getaddrinfo(  # noqa: PLR0913, PLR0917  as in C
        self, name: str | None, service: str | None, family: int, kind: int, proto: int, flags: int
    ) -> "list[Entry]":
        res = self._image.libc.res()
        return _named(
            lambda: addrinfo.getaddrinfo(
                res, name, service, int(family), int(kind), int(proto), int(flags)
            )
        )

    def if_nameindex(self) -> list[tuple[int, str]]:
        """The host's interfaces."""
        return [(number, name) for name, number in self._image.libc.interfaces().items()]

    def if_nametoindex(self, name: str, /) -> int:
        """The number of an interface."""
        interfaces = self._image.libc.interfaces()
        if name not in interfaces:
            raise OSError("no interface with this name")
        return interfaces[name]

    def if_indextoname(self, index: int, /) -> str:
        """The name of an interface."""
        for name, number in self._image.libc.interfaces().items():
            if number == index:
                return name
        raise OSError(errno.ENXIO, "No such device or address")

    def gethostname(self) -> str:
        """The host's name."""
        return self._image.etc.nodename

    def sethostname(self, name: str | bytes, /) -> None:
        """Name the host anew, until it boots.

        Raises OSError EINVAL for a name that is longer than the kernel keeps.
        """
        text = name.decode() if isinstance(name, bytes) else name
        if len(text.encode()) > _HOSTNAME_MAX:
            raise OSError(errno.EINVAL, "Invalid argument")
        self._image.etc.nodename = text

    def getservbyname(self, servicename: str, protocolname: str | None = None, /) -> int:
        """The port of a service."""
        etc = self._image.etc
        found = simulated(lambda: tables.service_by_name(etc, servicename, protocolname))
        if found is None:
            raise OSError("service/proto not found")
        return found.port

    def getservbyport(self, port: int, protocolname: str | None = None, /) -> str:
        """The service of a port."""
        number = whole(port)
        if not 0 <= number <= _PORT_MAX:
            raise OverflowError("getservbyport: port must be 0-65535.")
        etc = self._image.etc
        found = simulated(lambda: tables.service_by_port(etc, number, protocolname))
        if found is None:
            raise OSError("port/proto not found")
        return found.name

    def getprotobyname(self, protocolname: str, /) -> int:
        """The number of a protocol."""
        etc = self._image.etc
        found = simulated(lambda: tables.protocol_by_name(etc, protocolname))
        if found is None:
            raise OSError("protocol not found")
        return found.number


def _named(look: Callable[[], T]) -> T:
    """Look up; what fails becomes Python's error."""
    try:
        return simulated(look)
    except NameFailure as failure:
        raise gaierror(failure) from None


def simulated(look: Callable[[], T]) -> T:
    """Look up; what is not simulated stops the world."""
    try:
        return look()
    except NotSimulatedError as error:
        fence.gap(str(error))


def _text(name: object, call: str) -> str:
    """Read a name as CPython does."""
    if isinstance(name, bytes | bytearray):
        return name.decode("ascii")
    if not isinstance(name, str):
        kind = type(name).__name__
        msg = f"{call}() argument 1 must be str, bytes or bytearray, not {kind}"
        raise TypeError(msg)
    return name.encode("idna").decode()
