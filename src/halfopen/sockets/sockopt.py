"""getsockopt and setsockopt: which level knows an option (Linux do_sock_setsockopt).

A level that is not the protocol's own goes on to that of IP (tcp_setsockopt, ip_setsockopt,
ipv6_setsockopt).
"""

import struct
from errno import EINVAL, ENOPROTOOPT, EOPNOTSUPP
from typing import TYPE_CHECKING

from halfopen.sockets import constants as c
from halfopen.sockets.device import get_device
from halfopen.sockets.errors import fail
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.sockopt4 import get_ipv4, set_ipv4
from halfopen.sockets.sockopt6 import get_ipv6, set_ipv6
from halfopen.sockets.sockopt_socket import get_socket, set_socket
from halfopen.sockets.sockopt_tcp import get_tcp, set_tcp
from halfopen.sockets.sockopt_udp import get_udp, set_udp

if TYPE_CHECKING:
    from halfopen.sockets.table import FdTable
    from halfopen.sockets.udp import UdpSock


def setsockopt(
    table: "FdTable", fd: int, level: int, name: int, value: int | bytes, now: int
) -> None:
    """Set an option; ``value`` is a number, or the octets of a structure.

    Raises OSError: EPERM without the privilege, EINVAL, ENOPROTOOPT.
    """
    sock = table.socket(fd)
    raw = struct.pack("=i", value) if isinstance(value, int) else bytes(value)
    try:
        if level == c.SOL_SOCKET:
            set_socket(sock, name, raw, now, privileged=table.privileged)
        elif level == c.IPPROTO_TCP and isinstance(sock, TcpSock):
            set_tcp(sock, name, raw, now)
        elif level == c.IPPROTO_UDP and sock.is_datagram:
            set_udp(name, raw)
        elif level == c.IPPROTO_IP:
            set_ipv4(sock, name, raw)
        elif level == c.IPPROTO_IPV6 and sock.v6:
            set_ipv6(sock, name, raw)
        else:
            raise fail(ENOPROTOOPT)
    finally:
        table.kernel.settle(now)


def getsockopt(
    table: "FdTable", fd: int, level: int, name: int, size: int, now: int
) -> int | bytes:
    """Return an option as a number (``size`` 0), or as the octets of a structure."""
    if not 0 <= size <= 1024:
        raise fail(EINVAL)
    sock = table.socket(fd)
    if (level, name) == (c.SOL_SOCKET, c.SO_BINDTODEVICE):
        device = get_device(sock, size or 4)
        return device if size else 0  # CPython asks for a number, of which nothing is written
    answer = _get_option(sock, level, name, now)
    if size:
        # IP gives an octet where there is no room for a number (Linux do_ip_getsockopt).
        return answer[: 1 if level == c.IPPROTO_IP and size < 4 else size]
    number: int = struct.unpack_from("=i", answer)[0]
    return number


def _get_option(sock: "TcpSock | UdpSock", level: int, name: int, now: int) -> bytes:
    """Return an option, not yet cut to the caller's size.

    Last in the row is Linux do_ip_getsockopt, or ipv6_getsockopt.
    """
    if level == c.SOL_SOCKET:
        return get_socket(sock, name)
    if level == c.IPPROTO_TCP and isinstance(sock, TcpSock):
        return get_tcp(sock, name, now)
    if level == c.IPPROTO_UDP and sock.is_datagram:
        get_udp(name)
    if level == c.IPPROTO_IP:
        return get_ipv4(sock, name)
    if level == c.IPPROTO_IPV6 and sock.v6:
        return get_ipv6(sock, name)
    raise fail(ENOPROTOOPT if sock.v6 else EOPNOTSUPP)
