"""The functions of ``_socket`` beside its class: names, services, protocols, descriptors."""

import _socket as real
import errno
from typing import TYPE_CHECKING, Final, SupportsFloat, SupportsIndex

from halfopen.guest import tasks
from halfopen.guest.libc import resolver
from halfopen.guest.libc.resolver import Here
from halfopen.guest.standins.numbers import to_ns
from halfopen.sockets import calls
from halfopen.sockets.names import Address, needs_zone
from halfopen.wire.address import ANY, is_link_local, is_v6

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
PROTOCOLS: Final = {"ip": 0, "icmp": 1, "tcp": 6, "udp": 17, "ipv6": 41, "ipv6-icmp": 58}
_NUMERIC: Final = real.NI_NUMERICHOST
_NUMERIC_SERVICE: Final = real.NI_NUMERICSERV
_NS: Final = 10**9
_PORT_MAX: Final = 0xFFFF
FLOWINFO_MAX: Final = 0xFFFFF


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
        names, here = self._image.names, here_of(self._image)
        return resolver.getaddrinfo(names, here, host, port, family, type, proto, flags)

    def gethostbyname(self, hostname: str, /) -> str:
        """The first IPv4 address of a name."""
        return self._addresses(_text(hostname, "gethostbyname"), real.AF_INET)[0]

    def gethostbyname_ex(self, hostname: str, /) -> tuple[str, list[str], list[str]]:
        """The name, its aliases, its addresses."""
        wanted = _text(hostname, "gethostbyname_ex")
        return hostname, [], self._addresses(wanted, real.AF_INET)

    def gethostbyaddr(self, host: str, /) -> tuple[str, list[str], list[str]]:
        """The name of an address.

        Raises herror where no host of the world has it.
        """
        address = self._addresses(_text(host, "gethostbyaddr"), real.AF_UNSPEC)[0]
        name = resolver.reverse(self._image.names, address)
        if name is None:
            raise real.herror(1, "Unknown host")
        return name, [], [address]

    def getnameinfo(self, sockaddr: Address, flags: int, /) -> tuple[str, str]:
        """The names of an address and a port; a zone is named behind the address."""
        if not isinstance(sockaddr, tuple):
            raise TypeError("getnameinfo() argument 1 must be a tuple")
        flowinfo, zone = (*sockaddr[2:], 0, 0)[:2]
        if not 0 <= flowinfo <= FLOWINFO_MAX:
            raise OverflowError("getnameinfo(): flowinfo must be 0-1048575.")
        address, port = self._addresses(sockaddr[0], real.AF_UNSPEC)[0], int(sockaddr[1])
        name = None if flags & _NUMERIC else resolver.reverse(self._image.names, address)
        if name is None and flags & real.NI_NAMEREQD:
            raise real.gaierror(real.EAI_NONAME, "Name or service not known")
        service = "" if flags & _NUMERIC_SERVICE else _service_at(port)
        if zone and is_v6(address):
            address += f"%{self._zone_name(address, zone)}"
        return name or address, service or str(port)

    def _zone_name(self, address: str, zone: int) -> str:
        """Write a zone (glibc __inet6_scopeid_ntop): by name where the address needs one."""
        if needs_zone(address):
            for name, number in here_of(self._image).interfaces.items():
                if number == zone:
                    return name
        return str(zone)

    def if_nameindex(self) -> list[tuple[int, str]]:
        """The host's interfaces."""
        return [(number, name) for name, number in here_of(self._image).interfaces.items()]

    def if_nametoindex(self, name: str, /) -> int:
        """The number of an interface."""
        interfaces = here_of(self._image).interfaces
        if name not in interfaces:
            raise OSError("no interface with this name")
        return interfaces[name]

    def if_indextoname(self, index: int, /) -> str:
        """The name of an interface."""
        for name, number in here_of(self._image).interfaces.items():
            if number == index:
                return name
        raise OSError(errno.ENXIO, "No such device or address")

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

    def _addresses(self, host: str, family: int) -> list[str]:
        if not host:
            return [ANY]
        found = resolver.lookup(self._image.names, here_of(self._image), host, family)
        return [address for address, _ in found]


def here_of(image: "Image") -> Here:
    """Return what a process's kernel knows of ways and interfaces."""
    ip = image.fds.kernel.ip
    interfaces = {each.name: each.zone for each in (ip.routes.loopback, *ip.interfaces)}
    return Here(
        interfaces=interfaces,
        usable=lambda address: ip.way(address) is not None,
        families=frozenset(
            resolver.family_of(address)
            for address, interface in ip.routes.local.items()
            if interface is not ip.routes.loopback and not is_link_local(address)
        ),
    )


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
