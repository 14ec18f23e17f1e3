"""UDP datagrams (RFC 768)."""

import struct
from typing import Final

from halfopen.wire.address import is_v6
from halfopen.wire.checksum import checksum, pseudo_header, verifies
from halfopen.wire.errors import WireError

_HEADER: Final = struct.Struct("!HHHH")
HEADER_LEN: Final = 8
_PROTO: Final = 17
#: The longest payload that fits into an IPv4 packet.
DATA_MAX: Final = 65535 - 20 - HEADER_LEN
#: IPv6 does not count its own header.
DATA6_MAX: Final = 65535 - HEADER_LEN


class Datagram:
    """One datagram on its way."""

    def __init__(self, sport: int, dport: int, data: bytes) -> None:
        self.sport = sport
        self.dport = dport
        self.data = data


def encode(datagram: Datagram, src: str, dst: str) -> bytes:
    """Write a datagram with its checksum; a sum of 0 is sent as all ones (RFC 768)."""
    length = HEADER_LEN + len(datagram.data)
    head = _HEADER.pack(datagram.sport, datagram.dport, length, 0)
    summed = checksum(pseudo_header(src, dst, _PROTO, length) + head + datagram.data) or 0xFFFF
    return head[:6] + summed.to_bytes(2, "big") + datagram.data


def decode(data: bytes, src: str, dst: str) -> Datagram:
    """Read a datagram that went from ``src`` to ``dst``.

    One without a checksum (0) is believed over IPv4. Raises WireError where it is cut off or its
    checksum is wrong, or absent over IPv6 (RFC 8200 8.1).
    """
    if len(data) < HEADER_LEN:
        raise WireError(f"a UDP header has 8 octets, here are {len(data)}")
    sport, dport, length, summed = _HEADER.unpack_from(data)
    if not HEADER_LEN <= length <= len(data):
        raise WireError(f"a UDP length of {length} in {len(data)} octets")
    data = data[:length]
    if not summed and is_v6(src):
        raise WireError("a UDP datagram without a checksum over IPv6")
    if summed and not verifies(pseudo_header(src, dst, _PROTO, length) + data):
        raise WireError("the UDP checksum is wrong")
    return Datagram(sport, dport, data[HEADER_LEN:])
