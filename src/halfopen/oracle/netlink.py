"""Configures interfaces of the present namespace by rtnetlink(7)."""

import _socket  # ``socket`` is for the programs to load, once their calls are recorded
import os
import struct
from typing import Final

NLM_F_REQUEST: Final = 0x1
NLM_F_ACK: Final = 0x4
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
NLMSG_ERROR: Final = 2

RTM_NEWLINK: Final = 16
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_NEWROUTE: Final = 24

IFF_UP: Final = 1
IFLA_ADDRESS: Final = 1
IFLA_MTU: Final = 4
IFA_ADDRESS: Final = 1
IFA_LOCAL: Final = 2
IFA_F_NODAD: Final = 0x02

RTA_DST: Final = 1
RTA_OIF: Final = 4
RTA_PRIORITY: Final = 6
RTA_PREFSRC: Final = 7
RTA_METRICS: Final = 8
RTAX_CC_ALGO: Final = 16
RT_TABLE_MAIN: Final = 254
RTPROT_BOOT: Final = 3
RT_SCOPE_LINK: Final = 253
RT_TABLE_LOCAL: Final = 255
RTN_UNICAST: Final = 1
RTN_BROADCAST: Final = 3
#: Kinds of routes that lead nowhere: RTN_BLACKHOLE and its like.
REFUSALS: Final = {"blackhole": 6, "unreachable": 7, "prohibit": 8}


def set_up(interface: str, *, mtu: int | None = None) -> None:
    """Bring an interface up, with an MTU of one's choice."""
    index = _socket.if_nametoindex(interface)
    attributes = b"" if mtu is None else _attribute(IFLA_MTU, struct.pack("=I", mtu))
    _request(RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, index, IFF_UP, IFF_UP) + attributes)


def set_down(interface: str) -> None:
    """Take an interface down."""
    index = _socket.if_nametoindex(interface)
    _request(RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, index, 0, IFF_UP))


def remove_address(interface: str, address: str) -> None:
    """Take an address from an interface."""
    family, octets = _octets(address)
    head = struct.pack("=BBBBi", family, 8 * len(octets), 0, 0, _socket.if_nametoindex(interface))
    _request(RTM_DELADDR, 0, head + _attribute(IFA_LOCAL, octets))


def add_address(interface: str, address: str, *, length: int | None = None) -> None:
    """Give an interface an address that stands alone (prefix /32 or /128), or with a network.

    It is there at once: no other host is asked whether it has it (RFC 4862 5.4).
    """
    family, octets = _octets(address)
    bits = 8 * len(octets) if length is None else length
    head = struct.pack("=BBBBi", family, bits, IFA_F_NODAD, 0, _socket.if_nametoindex(interface))
    attributes = _attribute(IFA_LOCAL, octets) + _attribute(IFA_ADDRESS, octets)
    _request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, head + attributes)


def set_mac(interface: str, mac: str) -> None:
    """Give an interface a hardware address."""
    index = _socket.if_nametoindex(interface)
    octets = bytes.fromhex(mac.replace(":", ""))
    head = struct.pack("=BxHiII", 0, 0, index, 0, 0)
    _request(RTM_NEWLINK, 0, head + _attribute(IFLA_ADDRESS, octets))


def add_route(  # noqa: PLR0913  as a route has attributes
    interface: str,
    to: str,
    *,
    source: str = "",
    congestion: str = "",
    length: int | None = None,
    metric: int = 0,
) -> None:
    """Send what is for an address, or for a network of that prefix length, out of an interface.

    ``source`` is the preferred one. ``congestion`` names the algorithm for connections over this
    route, whichever end began them: a namespace can't set ``tcp_congestion_control`` to one that
    the host does not allow to everybody.
    """
    family, octets = _octets(to)
    bits = 8 * len(octets) if length is None else length
    head = struct.pack(
        "=BBBBBBBBI", family, bits, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_LINK, RTN_UNICAST, 0
    )
    attributes = _attribute(RTA_DST, octets) + _attribute(
        RTA_OIF, struct.pack("=i", _socket.if_nametoindex(interface))
    )
    if source:
        attributes += _attribute(RTA_PREFSRC, _octets(source)[1])
    if congestion:
        metrics = _attribute(RTAX_CC_ALGO, congestion.encode() + b"\0")
        attributes += _attribute(RTA_METRICS, metrics)
    if metric:
        attributes += _attribute(RTA_PRIORITY, struct.pack("=I", metric))
    _request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, head + attributes)


def add_refusal(to: str, kind: str) -> None:
    """Refuse what is for an address, or for a network (``192.0.2.0/24``)."""
    host, _, length = to.partition("/")
    family, octets = _octets(host)
    bits = int(length) if length else 8 * len(octets)
    head = struct.pack(
        *("=BBBBBBBBI", family, bits, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, REFUSALS[kind], 0)
    )
    _request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, head + _attribute(RTA_DST, octets))


def add_broadcast(interface: str, to: str, *, source: str) -> None:
    """Let an address be the broadcast address of a network that an interface is in."""
    family, octets = _octets(to)
    head = struct.pack(
        *("=BBBBBBBBI", family, 8 * len(octets), 0, 0),
        *(RT_TABLE_LOCAL, RTPROT_BOOT, RT_SCOPE_LINK, RTN_BROADCAST, 0),
    )
    attributes = (
        _attribute(RTA_DST, octets)
        + _attribute(RTA_OIF, struct.pack("=i", _socket.if_nametoindex(interface)))
        + _attribute(RTA_PREFSRC, _octets(source)[1])
    )
    _request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, head + attributes)


def _octets(address: str) -> tuple[int, bytes]:
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    return family, _socket.inet_pton(family, address)


def _attribute(kind: int, payload: bytes) -> bytes:
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + bytes(-length % 4)


def _request(kind: int, flags: int, body: bytes) -> None:
    """Ask the kernel and wait for its answer; raises OSError with what it said."""
    header = struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST | NLM_F_ACK, 1, 0)
    sock = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, _socket.NETLINK_ROUTE)
    try:
        sock.bind((0, 0))
        sock.sendall(header + body)
        reply = sock.recv(65536)
    finally:
        sock.close()
    (answer,) = struct.unpack_from("=H", reply, 4)
    (error,) = struct.unpack_from("=i", reply, 16)
    assert answer == NLMSG_ERROR, "the kernel acknowledges every request"
    if error:
        raise OSError(-error, f"rtnetlink request {kind}: {os.strerror(-error)}")
