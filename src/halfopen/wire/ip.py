"""IP packets (RFC 791, RFC 8200). A packet carries values; bytes are made where somebody looks.

Its addresses say which of the two it is.
"""

import struct
from typing import Final, TypeAlias

from halfopen.wire import icmp, ip6, tcp, udp
from halfopen.wire.address import from_bytes, is_v6, to_bytes
from halfopen.wire.checksum import checksum, pseudo_header, verifies
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip6 import NO_EXTENSIONS, Extension
from halfopen.wire.tcp import Segment
from halfopen.wire.udp import Datagram

PROTO_ICMP: Final = 1
PROTO_TCP: Final = 6
PROTO_UDP: Final = 17
PROTO_ICMPV6: Final = 58

TTL_DEFAULT: Final = 64  # Linux IPDEFTTL
PACKET_MAX: Final = 65535

_HEADER: Final = struct.Struct("!BBHHHBBH4s4s")
_HEADER_LEN: Final = 20
_DF: Final = 0x4000
_MF: Final = 0x2000
_OFFSET: Final = 0x1FFF

Body: TypeAlias = Segment | Icmp | Datagram | bytes


class Packet:
    """One packet on its way.

    ``body`` is bytes where it is a fragment, or of a protocol that we don't know. The fields are
    named as in IPv4: in IPv6 ``ttl`` is the hop limit, ``tos`` the traffic class, ``proto`` what
    the last header names as next, ``ident`` a fragment's. ``label`` and ``extensions`` are IPv6's
    alone, as ``df`` is IPv4's.
    """

    __slots__ = (
        "body",
        "df",
        "dst",
        "extensions",
        "ident",
        "label",
        "more",
        "offset",
        "proto",
        "src",
        "tos",
        "ttl",
    )

    def __init__(
        self,
        src: str,
        dst: str,
        proto: int,
        body: Body,
        ttl: int = TTL_DEFAULT,
        tos: int = 0,
        ident: int = 0,
        df: bool = False,
        more: bool = False,
        offset: int = 0,
        label: int = 0,
        extensions: tuple[Extension, ...] = NO_EXTENSIONS,
    ) -> None:
        self.src = src
        self.dst = dst
        self.proto = proto
        self.body = body
        self.ttl = ttl
        self.tos = tos
        self.ident = ident
        self.df = df
        self.more = more  # more fragments follow
        self.offset = offset  # of a fragment, in octets
        self.label = label
        self.extensions = extensions


def encode(packet: Packet) -> bytes:
    """Write a packet with the checksums of its header and its body."""
    body = encode_body(packet)
    length = _HEADER_LEN + len(body)
    assert length <= PACKET_MAX, "a packet longer than its length field can say"
    assert packet.offset & 7 == 0, "fragments begin at multiples of eight octets"
    if is_v6(packet.src):
        return _encode6(packet, body)
    fragment = packet.offset >> 3 | (_DF if packet.df else 0) | (_MF if packet.more else 0)
    head = _HEADER.pack(
        0x45,
        packet.tos,
        length,
        packet.ident,
        fragment,
        packet.ttl,
        packet.proto,
        0,
        to_bytes(packet.src),
        to_bytes(packet.dst),
    )
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def _encode6(packet: Packet, body: bytes) -> bytes:
    return ip6.encode(
        src=packet.src,
        dst=packet.dst,
        proto=packet.proto,
        ttl=packet.ttl,
        tos=packet.tos,
        label=packet.label,
        extensions=packet.extensions,
        ident=packet.ident,
        offset=packet.offset,
        more=packet.more,
        body=body,
    )


def encode_body(packet: Packet) -> bytes:
    """Write what a packet carries."""
    body = packet.body
    if isinstance(body, Segment):
        return tcp.encode(body)
    if isinstance(body, Icmp):
        length = icmp.HEADER_LEN + len(body.quoted)
        return icmp.encode(body, _icmp_pseudo(packet.src, packet.dst, length))
    if isinstance(body, Datagram):
        return udp.encode(body, packet.src, packet.dst)
    return body


def decode(raw: bytes) -> Packet:
    """Read a packet and what it carries; what stands behind its end is passed over.

    Raises WireError where something is cut off, a checksum is wrong, or it isn't IP.
    """
    if raw[:1] and raw[0] >> 4 == 6:
        return _decode6(raw)
    if len(raw) < _HEADER_LEN:
        raise WireError(f"an IPv4 header has at least 20 octets, here are {len(raw)}")
    first, tos, length, ident, fragment, ttl, proto, _, source, target = _HEADER.unpack_from(raw)
    if first >> 4 != 4:
        raise WireError(f"IP version {first >> 4}; only IPv4 and IPv6 are read")
    header_len = (first & 15) << 2
    if not _HEADER_LEN <= header_len <= length <= len(raw):
        raise WireError(
            f"a header of {header_len} in a packet of {length}, of which {len(raw)} are here"
        )
    if not verifies(raw[:header_len]):
        raise WireError("the IPv4 header's checksum is wrong")
    src, dst = from_bytes(source), from_bytes(target)
    data = raw[header_len:length]
    more, offset = bool(fragment & _MF), (fragment & _OFFSET) << 3
    body: Body = data if more or offset else decode_body(proto, data, src, dst)
    return Packet(src, dst, proto, body, ttl, tos, ident, bool(fragment & _DF), more, offset)


def _decode6(raw: bytes) -> Packet:
    head = ip6.decode(raw)
    if head.end > len(raw):
        raise WireError(f"a packet of {head.end}, of which {len(raw)} are here")
    data = raw[head.body_at : head.end]
    whole = not head.more and not head.offset
    body: Body = decode_body(head.proto, data, head.src, head.dst) if whole else data
    return Packet(
        head.src,
        head.dst,
        head.proto,
        body,
        head.ttl,
        head.tos,
        head.ident,
        more=head.more,
        offset=head.offset,
        label=head.label,
        extensions=head.extensions,
    )


def decode_body(proto: int, data: bytes, src: str, dst: str) -> Body:
    """Read what a whole packet carries.

    Raises WireError as the protocol's own ``decode`` does.
    """
    if proto == PROTO_TCP:
        return tcp.decode(data, src, dst)
    if proto == icmp_proto(src):
        return icmp.decode(data, _icmp_pseudo(src, dst, len(data)))
    if proto == PROTO_UDP:
        return udp.decode(data, src, dst)
    return data


def icmp_proto(address: str) -> int:
    """Return the protocol number of ICMP in the family of an address."""
    return PROTO_ICMPV6 if is_v6(address) else PROTO_ICMP


def _icmp_pseudo(src: str, dst: str, length: int) -> bytes:
    return pseudo_header(src, dst, PROTO_ICMPV6, length) if is_v6(src) else b""
