"""The options of IPPROTO_IPV6 (Linux do_ipv6_setsockopt, do_ipv6_getsockopt)."""

import struct
from errno import EINVAL, ENOPROTOOPT
from typing import TYPE_CHECKING, Final

from halfopen.base.errors import NotSimulatedError
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.kept import own, to_number
from halfopen.sockets.options import HOPS_DEFAULT

if TYPE_CHECKING:
    from halfopen.sockets.sock import TcpSock
    from halfopen.sockets.udp import UdpSock

_HOPS_MAX: Final = 255
_CLASS_MAX: Final = 255
#: The two bits that are TCP's own (RFC 3168 5).
_ECN: Final = 3

_KNOWN: Final = frozenset(
    {c.IPV6_V6ONLY, c.IPV6_UNICAST_HOPS, c.IPV6_TCLASS, c.IPV6_FREEBIND, c.IPV6_RECVERR}
)
#: What Linux 6.18 has no option for.
_UNKNOWN: Final = frozenset({0, 7, 9, 10, 12, 13, 14, 15, 36, 37, 38, 39, 40, 41, 63, 71})
_LAST: Final = 78


def set_ipv6(sock: "TcpSock | UdpSock", name: int, value: bytes) -> None:
    """Set an option of the IPv6 layer. Raises OSError: EINVAL, ENOPROTOOPT."""
    _check(name)
    number = to_number(value)
    options = own(sock)
    if name == c.IPV6_V6ONLY:
        if sock.num:
            raise fail(EINVAL)
        sock.v6only = number != 0
    elif name == c.IPV6_RECVERR:
        options.recverr6 = number != 0
        sock.recverr_changed()
    elif name == c.IPV6_FREEBIND:
        options.freebind = number != 0
    elif name == c.IPV6_UNICAST_HOPS:
        if not -1 <= number <= _HOPS_MAX:
            raise fail(EINVAL)
        options.hops = number
    else:
        if not -1 <= number <= _CLASS_MAX:
            raise fail(EINVAL)
        number = max(number, 0)
        options.tclass = number if sock.is_datagram else number & ~_ECN
    sock.remark()


def get_ipv6(sock: "TcpSock | UdpSock", name: int) -> bytes:
    """Return an option of the IPv6 layer. Raises OSError ENOPROTOOPT."""
    _check(name)
    options = sock.options
    if name == c.IPV6_V6ONLY:
        number = int(sock.v6only)
    elif name == c.IPV6_RECVERR:
        number = int(options.recverr6)
    elif name == c.IPV6_FREEBIND:
        number = int(options.freebind)
    elif name == c.IPV6_UNICAST_HOPS:
        number = HOPS_DEFAULT if options.hops < 0 else options.hops
    else:
        number = options.tclass
    return struct.pack("=i", number)


def _check(name: int) -> None:
    """Raise for what Linux does not know, and for what we don't: a loud error for that."""
    if name in _KNOWN:
        return
    if name in _UNKNOWN or not 0 <= name <= _LAST:
        raise fail(ENOPROTOOPT)
    raise NotSimulatedError(f"the option {name} of IPPROTO_IPV6 is not simulated")
