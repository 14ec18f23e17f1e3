"""pcapng, as far as Wireshark needs it to show a run: who, when, and what became of a packet.

Interfaces carry names, addresses carry host names, times are nanoseconds, and a packet may have
comments. Blocks are written in little-endian order.
"""

from struct import pack
from typing import Final

LINKTYPE_RAW: Final = 101  # the packet begins with its IP header

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_NAME_RESOLUTION: Final = 4
_ENHANCED_PACKET: Final = 6

_OPT_END: Final = 0
_OPT_COMMENT: Final = 1
_SHB_USERAPPL: Final = 4
_IF_NAME: Final = 2
_IF_DESCRIPTION: Final = 3
_IF_TSRESOL: Final = 9
_EPB_FLAGS: Final = 2
_OUTBOUND: Final = 2

_NRB_IPV4: Final = 1
_NRB_IPV6: Final = 2


def section_header(application: str) -> bytes:
    """Open a section; everything that follows belongs to it."""
    body = pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return _block(_SECTION_HEADER, body + _option(_SHB_USERAPPL, application.encode()) + _end())


def interface(name: str, description: str = "") -> bytes:
    """Describe an interface; they are numbered from 0 in the order in which they stand."""
    body = pack("<HHI", LINKTYPE_RAW, 0, 0) + _option(_IF_NAME, name.encode())
    if description:
        body += _option(_IF_DESCRIPTION, description.encode())
    return _block(_INTERFACE, body + _option(_IF_TSRESOL, b"\x09") + _end())


def names(hosts: list[tuple[bytes, str]]) -> bytes:
    """Name addresses, given in network order: 4 bytes for IPv4, 16 for IPv6."""
    body = b""
    for address, name in hosts:
        kind = _NRB_IPV4 if len(address) == 4 else _NRB_IPV6
        record = address + name.encode() + b"\0"
        body += pack("<HH", kind, len(record)) + _padded(record)
    return _block(_NAME_RESOLUTION, body + pack("<HH", 0, 0))


def packet(raw: bytes, *, interface_id: int, t_ns: int, comments: list[str]) -> bytes:
    """Record an IP packet as it left an interface at ``t_ns``."""
    size = len(raw)
    body = pack("<IIIII", interface_id, t_ns >> 32, t_ns & 0xFFFFFFFF, size, size) + _padded(raw)
    body += _option(_EPB_FLAGS, pack("<I", _OUTBOUND))
    for comment in comments:
        body += _option(_OPT_COMMENT, comment.encode())
    return _block(_ENHANCED_PACKET, body + _end())


def _block(kind: int, body: bytes) -> bytes:
    assert len(body) % 4 == 0, "a block's body is padded to 32 bits"
    length = len(body) + 12
    return pack("<II", kind, length) + body + pack("<I", length)


def _option(code: int, content: bytes) -> bytes:
    return pack("<HH", code, len(content)) + _padded(content)


def _end() -> bytes:
    return pack("<HH", _OPT_END, 0)


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 4)
