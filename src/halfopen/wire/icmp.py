"""ICMP messages (RFC 792, and RFC 4443 for IPv6), and the packet that an error quotes."""

import struct
from typing import Final

from halfopen.wire import ip6
from halfopen.wire.address import from_bytes
from halfopen.wire.checksum import checksum, verifies
from halfopen.wire.errors import WireError

ECHO_REPLY: Final = 0
DEST_UNREACH: Final = 3
SOURCE_QUENCH: Final = 4
REDIRECT: Final = 5
ECHO: Final = 8
TIME_EXCEEDED: Final = 11
PARAMETER_PROBLEM: Final = 12

#: Codes of DEST_UNREACH that the stack itself knows by name (RFC 792, 1122 3.2.2.1).
NET_UNREACH: Final = 0
HOST_UNREACH: Final = 1
PROTOCOL_UNREACH: Final = 2
PORT_UNREACH: Final = 3
FRAG_NEEDED: Final = 4

_HEADER: Final = struct.Struct("!BBHI")
HEADER_LEN: Final = 8
_IP_HEADER_LEN: Final = 20
_TCP_PORTS_AND_SEQ: Final = 8


class Icmp:
    """One message. ``rest`` is the second word of its header, ``quoted`` what follows it.

    An echo has identifier and number in ``rest`` and its data in ``quoted``; FRAG_NEEDED has the
    next hop's MTU in the lower half of ``rest`` (RFC 1191 4).
    """

    def __init__(self, kind: int, code: int, rest: int, quoted: bytes) -> None:
        self.kind = kind
        self.code = code
        self.rest = rest
        self.quoted = quoted


class Quote:
    """The head of the packet that an ICMP error is about, as its sender sent it.

    ``seq`` is the sequence number if it is TCP, and nothing of use otherwise.
    """

    def __init__(
        self, proto: int, src: str, sport: int, dst: str, dport: int, seq: int, header_len: int
    ) -> None:
        self.proto = proto
        self.src = src
        self.sport = sport
        self.dst = dst
        self.dport = dport
        self.seq = seq
        self.header_len = header_len  # of IP's header


def encode(message: Icmp, pseudo: bytes = b"") -> bytes:
    """Write a message with its checksum; over IPv6 a pseudo-header is summed too."""
    head = _HEADER.pack(message.kind, message.code, 0, message.rest)
    summed = checksum(pseudo + head + message.quoted)
    return head[:2] + summed.to_bytes(2, "big") + head[4:] + message.quoted


def decode(data: bytes, pseudo: bytes = b"") -> Icmp:
    """Read a message.

    Raises WireError where it is cut off or its checksum is wrong.
    """
    if len(data) < HEADER_LEN:
        raise WireError(f"an ICMP header has 8 octets, here are {len(data)}")
    if not verifies(pseudo + data):
        raise WireError("the ICMP checksum is wrong")
    kind, code, _, rest = _HEADER.unpack_from(data)
    return Icmp(kind, code, rest, data[HEADER_LEN:])


def decode_quoted(quoted: bytes) -> Quote:
    """Read what an error quotes: an IP header and eight octets or more behind it (RFC 792).

    Raises WireError where there is less. Its checksum is not looked at: a router has changed the
    packet.
    """
    if quoted[:1] and quoted[0] >> 4 == 6:
        header = ip6.decode(quoted)
        proto, source, destination = header.proto, header.src, header.dst
        header_len = header.body_at
    else:
        proto, source, destination, header_len = _quoted4(quoted)
    if len(quoted) < header_len + _TCP_PORTS_AND_SEQ:
        raise WireError("an ICMP error quotes too little of the packet that it is about")
    sport, dport, seq = struct.unpack_from("!HHI", quoted, header_len)
    return Quote(proto, source, sport, destination, dport, seq, header_len)


def _quoted4(quoted: bytes) -> tuple[int, str, str, int]:
    if len(quoted) < _IP_HEADER_LEN:
        raise WireError(f"an ICMP error quotes {len(quoted)} octets, less than an IP header")
    header_len = (quoted[0] & 15) << 2
    if quoted[0] >> 4 != 4 or header_len < _IP_HEADER_LEN:
        raise WireError("an ICMP error quotes something other than IP")
    return quoted[9], from_bytes(quoted[12:16]), from_bytes(quoted[16:20]), header_len
