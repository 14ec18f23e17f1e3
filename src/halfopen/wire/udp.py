"""UDP datagrams (RFC 768)."""

import struct
from typing import Final

from halfopen.wire.address import to_bytes
from halfopen.wire.checksum import checksum, verifies
from halfopen.wire.errors import WireError

_HEADER: Final = struct.Struct("!HHHH")
HEADER_LEN: Final = 8
#: The longest payload that fits into an IPv4 packet.
DATA_MAX: Final = 65535 - 20 - HEADER_LEN


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
    summed = checksum(_pseudo_header(src, dst, length) + head + datagram.data) or 0xFFFF
    return head[:6] + summed.to_bytes(2, "big") + datagram.data


def decode(data: bytes, src: str, dst: str) -> Datagram:
    """Read a datagram that went from ``src`` to ``dst``; without a checksum (0) it is believed.

    Raises WireError where it is cut off or its checksum is wrong.
    """
    if len(data) < HEADER_LEN:
        raise WireError(f"a UDP header has 8 octets, here are {len(data)}")
    sport, dport, length, summed = _HEADER.unpack_from(data)
    if not HEADER_LEN <= length <= len(data):
        raise WireError(f"a UDP length of {length} in {len(data)} octets")
    data = data[:length]
    if summed and not verifies(_pseudo_header(src, dst, length) + data):
        raise WireError("the UDP checksum is wrong")
    return Datagram(sport, dport, data[HEADER_LEN:])


def _pseudo_header(src: str, dst: str, length: int) -> bytes:
    return to_bytes(src) + to_bytes(dst) + b"\x00\x11" + length.to_bytes(2, "big")
