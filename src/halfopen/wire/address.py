"""IPv4 addresses: text in canonical form inside, four octets on the wire."""

from typing import Final

from halfopen.wire.errors import WireError

ANY: Final = "0.0.0.0"
BROADCAST: Final = "255.255.255.255"
LOOPBACK: Final = "127.0.0.1"


def to_bytes(address: str) -> bytes:
    """Return the four octets.

    Raises WireError where the text is not an IPv4 address in canonical form.
    """
    parts = address.split(".")
    if len(parts) == 4:
        octets = bytearray()
        for part in parts:
            if not (part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")):
                break
            if len(part) > 3 or int(part) > 255:
                break
            octets.append(int(part))
        if len(octets) == 4:
            return bytes(octets)
    raise WireError(f"not an IPv4 address in canonical form: {address!r}")


def from_bytes(octets: bytes) -> str:
    """Return the canonical text. Requires: four octets."""
    assert len(octets) == 4, "an IPv4 address has four octets"
    return f"{octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}"


def number(address: str) -> int:
    """Return the address as the number that prefixes are compared by."""
    return int.from_bytes(to_bytes(address), "big")


def is_loopback(address: str) -> bool:
    """Whether it lies in 127.0.0.0/8 (RFC 1122 3.2.1.3)."""
    return address.startswith("127.")


def is_multicast(address: str) -> bool:
    """Whether it lies in 224.0.0.0/4 (RFC 5771 3)."""
    return 224 <= int(address.split(".", 1)[0]) <= 239
