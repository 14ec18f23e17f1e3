"""The functions of ``_socket`` beside its class: names, services, protocols, descriptors."""

import _socket as real
from typing import TYPE_CHECKING, Final, SupportsFloat, SupportsIndex

from halfopen.guest import tasks
from halfopen.guest.libc import resolver
from halfopen.guest.standins.numbers import to_ns
from halfopen.sockets import calls

if TYPE_CHECKING:
    from halfopen.guest.image import Image
    from halfopen.guest.libc.resolver import Entry

#: The part of /etc/services and /etc/protocols that programs ask for.
SERVICES: Final = {
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "http": 80,
    "pop3": 110,
    "ntp": 123,
    "imap2": 143,
    "https": 443,
}
PROTOCOLS: Final = {"ip": 0, "icmp": 1, "tcp": 6, "udp": 17}
_NUMERIC: Final = real.NI_NUMERICHOST
_NUMERIC_SERVICE: Final = real.NI_NUMERICSERV
_NS: Final = 10**9
_PORT_MAX: Final = 0xFFFF


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
        if not isinstance(host, str | bytes | None):
            raise TypeError("getaddrinfo() argument 1 must be string or None")
        if not isinstance(port, str | bytes | int | None):
            raise OSError("Int or String expected")
        if isinstance(port, str | bytes):
            name = port.decode() if isinstance(port, bytes) else port
            port = SERVICES.get(name, port)
        names = self._image.names
        return resolver.getaddrinfo(names, host, port, family, type, proto, flags)

    def gethostbyname(self, hostname: str, /) -> str:
        """The first address of a name."""
        return self._addresses(_text(hostname, "gethostbyname"))[0]

    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[str]]:
        """The name, its aliases, its addresses."""
        return hostname, [], list(self._addresses(_text(hostname, "gethostbyname_ex")))

    def gethostbyaddr(self, host: str, /) -> tuple[str, list[str], list[str]]:
        """The name of an address.

        Raises herror where no host of the world has it.
        """
        address = self._addresses(_text(host, "gethostbyaddr"))[0]
        name = resolver.reverse(self._image.names, address)
        if name is None:
            raise real.herror(1, "Unknown host")
        return name, [], [address]

    def getnameinfo(self, sockaddr: tuple[str, int], flags: int, /) -> tuple[str, str]:
        """The names of an address and a port."""
        if not isinstance(sockaddr, tuple):
            raise TypeError("getnameinfo() argument 1 must be a tuple")
        address, port = self._addresses(sockaddr[0])[0], int(sockaddr[1])
        name = None if flags & _NUMERIC else resolver.reverse(self._image.names, address)
        if name is None and flags & real.NI_NAMEREQD:
            raise real.gaierror(real.EAI_NONAME, "Name or service not known")
        service = "" if flags & _NUMERIC_SERVICE else _service_at(port)
        return name or address, service or str(port)

    def gethostname(self) -> str:
        """The host's name."""
        return self._image.host

    def getservbyname(self, servicename: str, protocolname: str = "tcp", /) -> int:  # noqa: ARG002  as in C
        """The port of a service."""
        if servicename not in SERVICES:
            raise OSError("service/proto not found")
        return SERVICES[servicename]

    def getservbyport(self, port: int, protocolname: str = "tcp", /) -> str:  # noqa: ARG002  as in C
        """The service of a port."""
        if not 0 <= port <= _PORT_MAX:
            raise OverflowError("getservbyport: port must be 0-65535.")
        found = _service_at(port)
        if not found:
            raise OSError("port/proto not found")
        return found

    def getprotobyname(self, protocolname: str, /) -> int:
        """The number of a protocol."""
        if protocolname not in PROTOCOLS:
            raise OSError("protocol not found")
        return PROTOCOLS[protocolname]

    def _addresses(self, host: str) -> tuple[str, ...]:
        return resolver.lookup(self._image.names, host) if host else (resolver.ANY,)


def _text(name: object, call: str) -> str:
    """Read a name as CPython does."""
    if isinstance(name, bytes | bytearray):
        return name.decode("ascii")
    if not isinstance(name, str):
        kind = type(name).__name__
        msg = f"{call}() argument 1 must be str, bytes or bytearray, not {kind}"
        raise TypeError(msg)
    return name


def _service_at(port: int) -> str:
    return next((name for name, number in SERVICES.items() if number == port), "")
