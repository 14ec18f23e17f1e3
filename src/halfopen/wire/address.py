"""IP addresses: text in canonical form inside, four or sixteen octets on the wire.

An IPv6 address that has a meaning on one link only (RFC 4007) carries, within a host, the number of
its interface: ``fe80::1%2``. On the wire it does not.
"""

from typing import Final

from halfopen.wire.errors import WireError

ANY: Final = "0.0.0.0"
BROADCAST: Final = "255.255.255.255"
LOOPBACK: Final = "127.0.0.1"
#: What stands for an IPv6 address in the place for one of IPv4 (Linux LOOPBACK4_IPV6).
LOOPBACK4_IPV6: Final = "127.0.0.6"
ANY6: Final = "::"
LOOPBACK6: Final = "::1"

_BITS: Final = 32
_BITS6: Final = 128
_MAPPED: Final = "::ffff:"


def is_v6(address: str) -> bool:
    """Whether it is an IPv6 address."""
    return ":" in address


def bits(address: str) -> int:
    """How long an address of its family is."""
    return _BITS6 if ":" in address else _BITS


def to_bytes(address: str) -> bytes:
    """Return the four or sixteen octets; a zone is left out.

    Raises WireError where the text is not an address in canonical form (RFC 5952 for IPv6).
    """
    if ":" in address:
        plain = bare(address)
        octets = _read6(plain)
        if octets is not None and from_bytes(octets) == plain:
            return octets
    else:
        octets = _read4(address)
        if octets is not None:
            return octets
    raise WireError(f"not an IP address in canonical form: {address!r}")


def from_bytes(octets: bytes) -> str:
    """Return the canonical text. Requires: four or sixteen octets."""
    if len(octets) == 4:
        return f"{octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}"
    assert len(octets) == 16, "an address has four or sixteen octets"
    groups = [octets[at] << 8 | octets[at + 1] for at in range(0, 16, 2)]
    start, length = _zeros(groups)
    # As glibc writes it: the last 32 bits of a mapped or compatible address are an IPv4 address.
    if start == 0 and (length == 6 or (length == 5 and groups[5] == 0xFFFF)):
        return ("::ffff:" if length == 5 else "::") + from_bytes(octets[12:])
    texts = [f"{group:x}" for group in groups]
    if length < 2:
        return ":".join(texts)
    return ":".join(texts[:start]) + "::" + ":".join(texts[start + length :])


def number(address: str) -> int:
    """Return the address as the number that prefixes are compared by."""
    return int.from_bytes(to_bytes(address), "big")


def is_loopback(address: str) -> bool:
    """Whether it lies in 127.0.0.0/8 (RFC 1122 3.2.1.3), or is ::1 (RFC 4291 2.5.3)."""
    return address.startswith("127.") or address == LOOPBACK6


def is_multicast(address: str) -> bool:
    """Whether it lies in 224.0.0.0/4 (RFC 5771 3) or ff00::/8 (RFC 4291 2.7)."""
    if ":" in address:
        return address.startswith("ff") and address[3] != ":" and address[4:5] == ":"
    return 224 <= int(address.split(".", 1)[0]) <= 239


def is_link_local(address: str) -> bool:
    """Whether it lies in fe80::/10 (RFC 4291 2.5.6)."""
    if not address.startswith("fe") or address[4:5] != ":":
        return False
    return address[2] in "89ab" and address[3] != ":"


def spell(address: str, port: int) -> str:
    """Write an address with a port: ``10.0.0.1:80``, ``[2001:db8::1]:80`` (RFC 5952 6)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def host_of(text: str) -> str:
    """Return the address of what ``spell`` wrote, or of an address alone."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text if text.count(":") > 1 else text.partition(":")[0]


def at_interface(addresses: tuple[str, ...], number: int, *, last: bool) -> tuple[str, ...]:
    """Share a host's addresses out: the n-th interface has the n-th of each family.

    Those left over are the last interface's.
    """
    shared: tuple[str, ...] = ()
    for v6 in (False, True):
        own = tuple(text for text in addresses if is_v6(text) == v6)
        shared += own[number:] if last else own[number : number + 1]
    return shared


def at_link(*, first: bool) -> str:
    """Return the link-local address of an end of a link between two hosts."""
    return "fe80::1" if first else "fe80::2"


# Zones (RFC 4007).


def zoned(address: str, zone: int) -> str:
    """Name an address that came by an interface, as the host does: with its zone if it has one."""
    return f"{bare(address)}%{zone}" if zone and is_link_local(address) else address


def bare(address: str) -> str:
    """Leave the zone out."""
    return address.partition("%")[0]


def zone_of(address: str) -> int:
    """Return the number of the interface; 0 where the address has no zone."""
    _, percent, zone = address.partition("%")
    return int(zone) if percent else 0


# IPv4 addresses on an IPv6 socket (RFC 4291 2.5.5.2).


def mapped(address: str) -> str:
    """Write an IPv4 address as an IPv6 socket names it."""
    return _MAPPED + address


def unmapped(address: str) -> str:
    """Return the IPv4 address that a mapped one stands for; any other as it is."""
    if address.startswith(_MAPPED) and "." in address:
        return address[len(_MAPPED) :]
    return address


def _read4(text: str) -> bytes | None:
    parts = text.split(".")
    if len(parts) != 4:
        return None
    octets = bytearray()
    for part in parts:
        if not (part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")):
            return None
        if len(part) > 3 or int(part) > 255:
            return None
        octets.append(int(part))
    return bytes(octets)


def _read6(text: str) -> bytes | None:
    """Read any form of RFC 4291 2.2; whether it is canonical is seen by writing it again."""
    left, gap, right = text.partition("::")
    head = _groups(left)
    tail = _groups(right)
    if head is None or tail is None:
        return None
    missing = 16 - len(head) - len(tail)
    if missing < 0 or (missing and not gap):
        return None
    return head + bytes(missing) + tail


def _groups(text: str) -> bytes | None:
    octets = b""
    if not text:
        return octets
    parts = text.split(":")
    for place, part in enumerate(parts):
        if "." in part:
            four = _read4(part) if place == len(parts) - 1 else None
            if four is None:
                return None
            octets += four
            continue
        if not 1 <= len(part) <= 4 or part.strip("0123456789abcdef"):
            return None
        octets += int(part, 16).to_bytes(2, "big")
    return octets


def _zeros(groups: list[int]) -> tuple[int, int]:
    """Find the first of the longest runs of zeros: where it begins, how long it is."""
    best, longest, begun = 0, 0, 0
    for place, group in enumerate(groups):
        if group:
            begun = place + 1
        elif place + 1 - begun > longest:
            best, longest = begun, place + 1 - begun
    return best, longest
