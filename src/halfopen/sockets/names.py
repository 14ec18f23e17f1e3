"""The addresses that programs give and get (``struct sockaddr``), and what is kept of them.

Within a host a name is an address and a port. What makes a pair or four of it is the family of the
socket: on one of AF_INET6 an IPv4 address is written ``::ffff:10.0.0.1``, and the zone of a
link-local one stands by itself.
"""

import errno
from typing import TYPE_CHECKING, Final, TypeAlias

from halfopen.net.interfaces import LOOPBACK as LOOPBACK_INDEX
from halfopen.sockets.errors import fail
from halfopen.wire.address import (
    ANY,
    ANY6,
    LOOPBACK,
    LOOPBACK6,
    bare,
    is_link_local,
    is_loopback,
    is_multicast,
    is_v6,
    mapped,
    unmapped,
    zone_of,
    zoned,
)

if TYPE_CHECKING:
    from halfopen.net.routes import Way
    from halfopen.sockets.sock import TcpSock
    from halfopen.sockets.udp import UdpSock

#: Host and port; for AF_INET6 also flowinfo, and the number of the interface (0: none is said).
Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]

_IPV4: Final = 2
#: ff02:: has a meaning on one link only, ff01:: on one host.
_NEAR_GROUPS: Final = frozenset("12")


def is_any(host: str) -> bool:
    """Whether it stands for every address of the host."""
    return host in (ANY, ANY6)


def show(v6: bool, host: str, port: int) -> Address:
    """Write a name as a socket of a family shows it."""
    if not v6:
        return (host, port)
    if not is_v6(host):
        return (mapped(host), port, 0, 0)
    return (bare(host), port, 0, zone_of(host))


def zone_in(address: Address) -> int:
    """Return the interface that an address names; 0: none."""
    return address[3] if len(address) == 4 else 0


def host_in(v6: bool, address: Address, call_errno: int) -> str:
    """Read the host of an address.

    Raises OSError EAFNOSUPPORT, or ``call_errno`` for one too short (Linux SIN6_LEN_RFC2133).
    """
    host = address[0]
    if not v6:
        if len(address) != _IPV4 or is_v6(host):
            raise fail(errno.EAFNOSUPPORT)
        return host
    if len(address) == _IPV4:
        raise fail(call_errno)
    return unmapped(host)


def needs_zone(host: str) -> bool:
    """Whether an address says nothing without an interface (Linux __ipv6_addr_needs_scope_id)."""
    return is_link_local(host) or (is_multicast(host) and host[3:4] in _NEAR_GROUPS)


def rezoned(host: str, zone: int) -> str:
    """Name a link-local address by the interface that its socket is tied to now; 0: by none."""
    if not is_link_local(host):
        return host
    return zoned(bare(host), zone) if zone else bare(host)


def bind_zone(
    sock: "TcpSock | UdpSock", host: str, address: Address, *, again: bool = False
) -> str:
    """Tie a socket to the interface that an address needs, and name the address by it.

    Raises OSError EINVAL where there is none, or another one already, unless it may be tied
    ``again`` (Linux __inet6_bind; tcp_v6_connect, __ip6_datagram_connect).
    """
    if not is_v6(host) or not needs_zone(host):
        return host
    zone = zone_in(address)
    if zone:
        if not again and sock.bound_if not in (0, zone):
            raise fail(errno.EINVAL)
        sock.tie(zone)
    if not sock.bound_if:
        raise fail(errno.EINVAL)
    return f"{host}%{sock.bound_if}"


def destination(sock: "TcpSock | UdpSock", host: str) -> str:
    """Return where ``connect`` or ``sendto`` leads: to no address means to oneself.

    Raises OSError ENETUNREACH for IPv4 where the socket is for IPv6 only.
    """
    bound = sock.address
    if is_v6(host):
        if host == ANY6:
            return LOOPBACK6 if is_v6(bound) else LOOPBACK
        return host
    if sock.v6 and sock.v6only:
        raise fail(errno.ENETUNREACH)
    if host == ANY:
        if bound == ANY or is_v6(bound) or is_group(sock, bound):
            return sock.kernel.ip.routes.oneself(sock.bound_if)
        return bound
    return host


def is_group(sock: "TcpSock | UdpSock", own: str) -> bool:
    """Whether a socket's IPv4 address stands for several hosts: it sends from another."""
    return is_multicast(own) or sock.kernel.ip.routes.is_broadcast(own)


def source_address(sock: "TcpSock | UdpSock", host: str) -> str:
    """Return what a socket sends from; the wildcard where the way decides (Linux inet_saddr).

    An address of IPv6, which it has from an earlier ``connect``, says nothing where it sends IPv4.

    Raises OSError ENETUNREACH for an IPv4 address that is not the host's, or no longer (Linux
    ip_route_output_key_hash_rcu).
    """
    own = sock.address
    if is_v6(own) and not is_v6(host):
        return ANY
    routes = sock.kernel.ip.routes
    if is_group(sock, own):
        return sock.wildcard
    if is_v6(own) or own == ANY or routes.is_local(own):
        return own
    raise fail(errno.ENETUNREACH)


def source_to(own: str, way: "Way") -> str:
    """Return the source of what goes a way, from a socket that sends from ``own``.

    Raises OSError EINVAL where the loopback's would leave the host (Linux __mkroute_output),
    EADDRNOTAVAIL where there is none (Linux ipv6_dev_get_saddr).
    """
    if is_any(own):
        if not way.source:
            raise fail(errno.EADDRNOTAVAIL)
        return way.source
    if is_loopback(own) and not is_v6(own) and way.interface.index != LOOPBACK_INDEX:
        raise fail(errno.EINVAL)
    return own


def check_source(sock: "TcpSock | UdpSock", host: str) -> None:
    """Refuse IPv6 from a socket that is bound to IPv4 (Linux ip6_dst_lookup_tail)."""
    if is_v6(host) and not is_v6(sock.address):
        raise fail(errno.EAFNOSUPPORT)
