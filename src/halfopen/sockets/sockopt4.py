"""The options of IPPROTO_IP, of TCP and of UDP (Linux do_ip_setsockopt, do_ip_getsockopt)."""

import struct
from errno import EINVAL, ENOPROTOOPT
from typing import TYPE_CHECKING, Final

from halfopen.base.errors import NotSimulatedError
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.kept import Flag, Row, keep, kept, named, own, refuse_gap, to_number

if TYPE_CHECKING:
    from halfopen.sockets.sock import TcpSock
    from halfopen.sockets.udp import UdpSock

_TTL_MAX: Final = 255
#: The two bits that are TCP's own (RFC 3168 5).
_ECN: Final = 3
#: What SO_PRIORITY becomes by the four bits of a TOS (Linux ip_tos2prio).
_PRIORITIES: Final = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)

_KEPT: Final[dict[int, Row]] = {
    c.IP_RECVERR: Flag("recverr"),
    c.IP_FREEBIND: Flag("freebind"),
    c.IP_BIND_ADDRESS_NO_PORT: Flag("bind_address_no_port"),
}
#: What an AF_INET6 socket is not asked to do with the IPv4 that it speaks: a loud error for that.
_IPV4_ALONE: Final = (c.IP_TOS, c.IP_TTL, c.IP_RECVERR)
#: What Linux 6.18 has beside ours.
NOT_SIMULATED: Final = named(
    "IP_",
    "HDRINCL 3 OPTIONS 4 ROUTER_ALERT 5 RECVOPTS 6 RETOPTS 7 PKTINFO 8 PKTOPTIONS 9 "
    "MTU_DISCOVER 10 RECVTTL 12 RECVTOS 13 MTU 14 IPSEC_POLICY 16 XFRM_POLICY 17 PASSSEC 18 "
    "TRANSPARENT 19 RECVORIGDSTADDR 20 MINTTL 21 NODEFRAG 22 CHECKSUM 23 RECVFRAGSIZE 25 "
    "RECVERR_RFC4884 26 MULTICAST_IF 32 MULTICAST_TTL 33 MULTICAST_LOOP 34 ADD_MEMBERSHIP 35 "
    "DROP_MEMBERSHIP 36 UNBLOCK_SOURCE 37 BLOCK_SOURCE 38 ADD_SOURCE_MEMBERSHIP 39 "
    "DROP_SOURCE_MEMBERSHIP 40 MSFILTER 41 MULTICAST_ALL 49 UNICAST_IF 50 LOCAL_PORT_RANGE 51 "
    "PROTOCOL 52",
) | named(
    "MCAST_",
    "JOIN_GROUP 42 BLOCK_SOURCE 43 UNBLOCK_SOURCE 44 LEAVE_GROUP 45 JOIN_SOURCE_GROUP 46 "
    "LEAVE_SOURCE_GROUP 47 MSFILTER 48",
)


def set_ipv4(sock: "TcpSock | UdpSock", name: int, value: bytes) -> None:
    """Set an option of the IPv4 layer. Raises OSError: EINVAL, ENOPROTOOPT."""
    if sock.v6 and name in _IPV4_ALONE:
        msg = f"the option {name} of IPPROTO_IP of an AF_INET6 socket is not simulated"
        raise NotSimulatedError(msg)
    refuse_gap(NOT_SIMULATED, name)
    number = _short(name, value) if len(value) < 4 else to_number(value)
    row = _KEPT.get(name)
    if row is not None:
        keep(sock, row, number)
        if name == c.IP_RECVERR:
            sock.recverr_changed()
    elif name == c.IP_TOS:
        _set_tos(sock, number)
    elif name == c.IP_TTL:
        if number != -1 and not 1 <= number <= _TTL_MAX:
            raise fail(EINVAL)
        own(sock).ttl = number
        sock.remark()
    else:
        raise fail(ENOPROTOOPT)


def _short(name: int, value: bytes) -> int:
    """Take an octet for a number, and mostly nothing for 0."""
    if not value and name == c.IP_FREEBIND:
        raise fail(EINVAL)
    return value[0] if value else 0


def _set_tos(sock: "TcpSock | UdpSock", number: int) -> None:
    tos = number if sock.is_datagram else number & ~_ECN
    options = own(sock)
    if tos != options.tos:
        options.tos = tos & 0xFF
        options.priority = _PRIORITIES[(tos & 0x1E) >> 1]
    sock.remark()


def get_ipv4(sock: "TcpSock | UdpSock", name: int) -> bytes:
    """Return an option of the IPv4 layer. Raises OSError ENOPROTOOPT."""
    refuse_gap(NOT_SIMULATED, name)
    row = _KEPT.get(name)
    options = sock.options
    if row is not None:
        number = kept(sock, row)
    elif name == c.IP_TOS:
        number = options.tos
    elif name == c.IP_TTL:
        number = sock.kernel.ip.ttl if options.ttl < 0 else options.ttl
    else:
        raise fail(ENOPROTOOPT)
    return struct.pack("=i", number)
