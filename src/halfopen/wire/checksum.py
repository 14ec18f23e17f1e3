"""The Internet checksum (RFC 1071), and what stands before a body while it is summed."""

from typing import Final

from halfopen.wire.address import to_bytes

_ONES: Final = 0xFFFF


def checksum(data: bytes) -> int:
    """Return the ones' complement of the ones' complement sum of the 16-bit words.

    The sum of 16-bit words with the carries added in is the number itself modulo 65535, and CPython
    takes the remainder of a long number by a short one in one pass of C.
    """
    number = int.from_bytes(data, "big")
    if len(data) & 1:
        number <<= 8
    if number == 0:
        return _ONES
    rest = number % _ONES
    return _ONES - rest if rest else 0


def verifies(data: bytes) -> bool:
    """Whether the words, one of which is their checksum, sum up to all ones (RFC 1071 1)."""
    return checksum(data) == 0


def pseudo_header(src: str, dst: str, proto: int, length: int) -> bytes:
    """Return the addresses, protocol and length (RFC 9293 3.1, RFC 8200 8.1).

    Zeros add nothing to a sum, so that one layout serves both families.
    """
    return to_bytes(src) + to_bytes(dst) + proto.to_bytes(4, "big") + length.to_bytes(4, "big")
