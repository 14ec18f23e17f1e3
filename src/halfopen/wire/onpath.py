"""What a machine on the way can do with packets: pick some, answer for them, forge others.

Both arms use it: the links of the world, and the wire between namespaces.
"""

from typing import Final

from halfopen.wire import icmp, icmp6, ip, ip6
from halfopen.wire.address import is_v6
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import Packet
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, Segment

#: Where the routers of a link answer from.
ROUTER: Final = "10.0.0.254"
ROUTER6: Final = "2001:db8::fe"
#: An error is quoted with as much as keeps the answer within 576 octets (RFC 1812 4.3.2.3).
QUOTED_MAX: Final = 576 - 20 - 8
#: Over IPv6 within what every way carries (RFC 4443 3.1).
QUOTED6_MAX: Final = ip6.MTU_MIN - ip6.HEADER_LEN - 8
#: IPTOS_PREC_INTERNETCONTROL, with which errors are sent (RFC 1812 4.3.2.5).
ERROR_TOS: Final = 0xC0

_FLAGS: Final = {"FIN": FIN, "SYN": SYN, "RST": RST, "PSH": PSH, "ACK": ACK, "URG": URG}


def picks(pick: str, packet: Packet) -> bool:
    """Whether a packet is of a kind: ``any``, ``SYN``, ``SYN,ACK``, ``text``, ``bare ACK`` ..."""
    if pick == "any":
        return True
    seg = packet.body
    if not isinstance(seg, Segment):
        return False
    if pick == "text":
        return bool(seg.text)
    if pick == "bare ACK":
        return seg.flags & ~PSH == ACK and not seg.text
    if pick in {"SYN", "SYN,ACK"}:
        return seg.flags & (SYN | ACK) == flags(pick)
    return bool(seg.flags & flags(pick))


def flags(names: str) -> int:
    """Read flags by name: ``RST,ACK``.

    Raises KeyError for a name that TCP does not have.
    """
    number = 0
    for name in names.split(","):
        number |= _FLAGS[name]
    return number


def error_about(packet: Packet, kind: int, code: int, source: str, rest: int = 0) -> Packet:
    """Make the packet that tells the sender of ``packet`` what became of it."""
    if is_v6(packet.src):
        quoted = ip.encode(packet)[:QUOTED6_MAX]
        return Packet(source, packet.src, ip.PROTO_ICMPV6, Icmp(kind, code, rest, quoted))
    quoted = ip.encode(packet)[:QUOTED_MAX]
    body = Icmp(kind, code, rest, quoted)
    return Packet(source, packet.src, ip.PROTO_ICMP, body, tos=ERROR_TOS)


def unreachable(packet: Packet, kind: int, code: int, mtu: int = 0) -> Packet:
    """Make a router's answer to a packet that it does not pass on.

    FRAG_NEEDED, or PACKET_TOO_BIG of IPv6, names an MTU.
    """
    if is_v6(packet.src):
        rest = mtu if kind == icmp6.PACKET_TOO_BIG else 0
        return error_about(packet, kind, code, ROUTER6, rest)
    rest = mtu if kind == icmp.DEST_UNREACH and code == icmp.FRAG_NEEDED else 0
    return error_about(packet, kind, code, ROUTER, rest)


def forged(last: Packet, names: str, *, seq: int, ack: int, text: bytes) -> Packet | None:
    """Make a segment that goes on where the peer's last one ended; None where that was no segment.

    It carries the same window and the same timestamps.
    """
    seg = last.body
    if not isinstance(seg, Segment):
        return None
    number = flags(names)
    made = Segment(
        seg.flow,
        wrap(seg.seq + seg.seq_len() + seq),
        wrap(seg.ack + ack) if number & ACK else 0,
        number,
        seg.wnd,
        text,
        ts_val=seg.ts_val,
        ts_ecr=seg.ts_ecr,
    )
    return Packet(last.src, last.dst, ip.PROTO_TCP, made, df=True)
