"""The IPv6 header and the extension headers behind it (RFC 8200 3 and 4)."""

import struct
from typing import Final, TypeAlias

from halfopen.wire.address import from_bytes, to_bytes
from halfopen.wire.errors import WireError

HEADER_LEN: Final = 40
#: Every way carries packets of this length (RFC 8200 5).
MTU_MIN: Final = 1280

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENT: Final = 44
NO_NEXT: Final = 59
DESTINATION: Final = 60

#: Kind and octets of an extension header; the octet that names what follows is written anew.
Extension: TypeAlias = tuple[int, bytes]

NO_EXTENSIONS: Final[tuple[Extension, ...]] = ()

_HEADER: Final = struct.Struct("!IHBB16s16s")
_FRAGMENT: Final = struct.Struct("!BBHI")
_MORE: Final = 1
_LENGTHS: Final = frozenset({HOP_BY_HOP, ROUTING, DESTINATION})


class Header:
    """What stands before the body, and where that begins (``body_at``) and ends (``end``).

    ``offset`` and ``more`` are a fragment's, as in IPv4.
    """

    def __init__(self, raw: bytes) -> None:
        first, length, _, self.ttl, source, target = _HEADER.unpack_from(raw)
        self.tos = first >> 20 & 0xFF
        self.label = first & 0xFFFFF
        self.src = from_bytes(source)
        self.dst = from_bytes(target)
        self.end = HEADER_LEN + length
        self.body_at = HEADER_LEN
        self.proto = raw[6]
        self.extensions = NO_EXTENSIONS
        self.ident = 0
        self.offset = 0
        self.more = False


def decode(raw: bytes) -> Header:
    """Read the header and its extensions; ``raw`` may be cut off behind them (a quotation).

    Raises WireError where one of them is cut off. A fragment ends the row: what it carries is read
    when it is whole.
    """
    if len(raw) < HEADER_LEN:
        raise WireError(f"an IPv6 header has 40 octets, here are {len(raw)}")
    header = Header(raw)
    end = min(header.end, len(raw))
    found: list[Extension] = []
    while header.proto in _LENGTHS or header.proto == FRAGMENT:
        kind, at = header.proto, header.body_at
        length = 8 if kind == FRAGMENT or at + 2 > end else 8 + raw[at + 1] * 8
        if at + length > end:
            raise WireError(f"IPv6 extension header {kind} is cut off")
        header.proto = raw[at]
        header.body_at = at + length
        if kind == FRAGMENT:
            _, _, where, ident = _FRAGMENT.unpack_from(raw, at)
            if where & ~0x6:
                header.ident = ident
                header.offset = where & 0xFFF8
                header.more = bool(where & _MORE)
                break
        found.append((kind, raw[at : at + length]))
    header.extensions = tuple(found)
    return header


def encode(
    *,
    src: str,
    dst: str,
    proto: int,
    ttl: int,
    tos: int,
    label: int,
    extensions: tuple[Extension, ...],
    ident: int,
    offset: int,
    more: bool,
    body: bytes,
) -> bytes:
    """Write a packet around its body."""
    following, data = proto, body
    if offset or more:
        data = _FRAGMENT.pack(following, 0, offset | more, ident) + data
        following = FRAGMENT
    for kind, octets in reversed(extensions):
        data = bytes((following,)) + octets[1:] + data
        following = kind
    head = _HEADER.pack(
        6 << 28 | tos << 20 | label, len(data), following, ttl, to_bytes(src), to_bytes(dst)
    )
    return head + data
