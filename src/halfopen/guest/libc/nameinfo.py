"""getnameinfo (glibc inet/getnameinfo.c)."""

import _socket
from typing import TYPE_CHECKING, Final

from halfopen.base.errors import NotSimulatedError
from halfopen.guest.libc import hostent, tables
from halfopen.guest.libc.words import NETDB_INTERNAL, TRY_AGAIN, NameFailure
from halfopen.wire.address import is_v6

if TYPE_CHECKING:
    from halfopen.guest.libc.state import Res

_FLAGS: Final = (
    _socket.NI_NUMERICHOST | _socket.NI_NUMERICSERV | _socket.NI_NAMEREQD | _socket.NI_DGRAM
)
_NOT_SIMULATED: Final = int(_socket.NI_NOFQDN) | 32  # NI_IDN


def getnameinfo(res: "Res", address: str, zone: int, port: int, flags: int) -> tuple[str, str]:
    """Name an address and a port. Raises NameFailure."""
    if flags & _NOT_SIMULATED:
        raise NotSimulatedError("NI_NOFQDN and NI_IDN are not simulated")
    if flags & ~_FLAGS:
        raise NameFailure(_socket.EAI_BADFLAGS)
    return _host(res, address, zone, flags), _service(res, port, flags)


def _host(res: "Res", address: str, zone: int, flags: int) -> str:
    if not flags & _socket.NI_NUMERICHOST:
        came = hostent.by_address(res, address)
        if came.found is not None:
            return came.found.name
        if came.h_errno == NETDB_INTERNAL:
            raise NameFailure(_socket.EAI_SYSTEM, res.errno)
        if came.h_errno == TRY_AGAIN:
            raise NameFailure(_socket.EAI_AGAIN)
    if flags & _socket.NI_NAMEREQD:
        raise NameFailure(_socket.EAI_NONAME)
    if zone and is_v6(address):
        return f"{address}%{res.libc.zone_name(address, zone)}"
    return address


def _service(res: "Res", port: int, flags: int) -> str:
    if not flags & _socket.NI_NUMERICSERV:
        protocol = "udp" if flags & _socket.NI_DGRAM else "tcp"
        found = tables.service_by_port(res.libc.etc, port, protocol)
        if found is not None:
            return found.name
    return str(port)
