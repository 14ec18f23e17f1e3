"""The options of IPPROTO_IP that packets show (Linux do_ip_setsockopt, do_ip_getsockopt)."""

from errno import EINVAL
from typing import TYPE_CHECKING, Final

from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail

if TYPE_CHECKING:
    from halfopen.sockets.options import Options
    from halfopen.sockets.sock import TcpSock
    from halfopen.sockets.udp import UdpSock

IPV4: Final = (c.IP_TOS, c.IP_TTL)
_TTL_MAX: Final = 255
#: The two bits that are TCP's own (RFC 3168 5).
_ECN: Final = 3
#: What SO_PRIORITY becomes by the four bits of a TOS (Linux ip_tos2prio).
_PRIORITIES: Final = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)


def set_ipv4(sock: "TcpSock | UdpSock", options: "Options", name: int, number: int) -> None:
    """Set an option of the IPv4 layer; ``options`` are the socket's own."""
    if name == c.IP_TOS:
        tos = number if sock.is_datagram else number & ~_ECN
        if tos != options.tos:
            options.tos = tos & 0xFF
            options.priority = _PRIORITIES[(tos & 0x1E) >> 1]
    else:
        if number != -1 and not 1 <= number <= _TTL_MAX:
            raise fail(EINVAL)
        options.ttl = number
    sock.remark()


def get_ipv4(sock: "TcpSock | UdpSock", name: int) -> int:
    """Return an option of the IPv4 layer."""
    options = sock.options
    if name == c.IP_TOS:
        return options.tos
    return sock.kernel.ip.ttl if options.ttl < 0 else options.ttl
