"""IPv4 packets (RFC 791). A packet carries values; bytes are made where somebody looks at them."""

import struct
from typing import Final, TypeAlias

from halfopen.wire import icmp, tcp, udp
from halfopen.wire.address import from_bytes, to_bytes
from halfopen.wire.checksum import checksum, verifies
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp
from halfopen.wire.tcp import Segment
from halfopen.wire.udp import Datagram

PROTO_ICMP: Final = 1
PROTO_TCP: Final = 6
PROTO_UDP: Final = 17

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

    ``body`` is bytes where it is a fragment, or of a protocol that we don't know.
    """

    __slots__ = ("body", "df", "dst", "ident", "more", "offset", "proto", "src", "tos", "ttl")

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


def encode(packet: Packet) -> bytes:
    """Write a packet with the checksums of its header and its body."""
    body = encode_body(packet)
    length = _HEADER_LEN + len(body)
    assert length <= PACKET_MAX, "a packet longer than its length field can say"
    assert packet.offset & 7 == 0, "fragments begin at multiples of eight octets"
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


def encode_body(packet: Packet) -> bytes:
    """Write what a packet carries."""
    body = packet.body
    if isinstance(body, Segment):
        return tcp.encode(body)
    if isinstance(body, Icmp):
        return icmp.encode(body)
    if isinstance(body, Datagram):
        return udp.encode(body, packet.src, packet.dst)
    return body


def decode(raw: bytes) -> Packet:
    """Read a packet and what it carries; what stands behind its end is passed over.

    Raises WireError where something is cut off, a checksum is wrong, or it isn't IPv4.
    """
    if len(raw) < _HEADER_LEN:
        raise WireError(f"an IPv4 header has at least 20 octets, here are {len(raw)}")
    first, tos, length, ident, fragment, ttl, proto, _, source, target = _HEADER.unpack_from(raw)
    if first >> 4 != 4:
        raise WireError(f"IP version {first >> 4}; only IPv4 is read")
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


def decode_body(proto: int, data: bytes, src: str, dst: str) -> Body:
    """Read what a whole packet carries.

    Raises WireError as the protocol's own ``decode`` does.
    """
    if proto == PROTO_TCP:
        return tcp.decode(data, src, dst)
    if proto == PROTO_ICMP:
        return icmp.decode(data)
    if proto == PROTO_UDP:
        return udp.decode(data, src, dst)
    return data
