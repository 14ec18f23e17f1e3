"""A TCP segment (RFC 9293 3.1) as a value, and its options (RFC 9293 3.2, 7323, 2018)."""

import struct
from typing import Final, TypeAlias

from halfopen.wire.checksum import checksum, pseudo_header, verifies
from halfopen.wire.errors import WireError

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80

#: Source address and port, destination address and port; made once per connection.
Flow: TypeAlias = tuple[str, int, str, int]

#: On whose behalf a segment leaves (``Segment.behalf``).
OF_SOCKET: Final = 0
OF_MINISOCK: Final = 1
OF_NOBODY: Final = 2

NO_SACK: Final[tuple[tuple[int, int], ...]] = ()


class Segment:
    """One segment on its way. ``seq`` and ``ack`` are the raw 32-bit numbers of the header."""

    __slots__ = (
        "ack",
        "behalf",
        "flags",
        "flow",
        "mss",
        "sack",
        "sack_ok",
        "seq",
        "text",
        "ts_ecr",
        "ts_val",
        "urg",
        "wnd",
        "wscale",
    )

    def __init__(
        self,
        flow: Flow,
        seq: int,
        ack: int,
        flags: int,
        wnd: int,
        text: bytes = b"",
        mss: int = 0,
        wscale: int = -1,
        sack_ok: bool = False,
        ts_val: int = -1,
        ts_ecr: int = 0,
        sack: tuple[tuple[int, int], ...] = NO_SACK,
        urg: int = 0,
    ) -> None:
        self.flow = flow
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.wnd = wnd  # as on the wire, not yet scaled
        self.text = text
        self.mss = mss  # 0: the option is absent
        self.wscale = wscale  # -1: the option is absent
        self.sack_ok = sack_ok
        self.ts_val = ts_val  # -1: the option is absent
        self.ts_ecr = ts_ecr
        self.sack = sack
        self.urg = urg
        self.behalf = OF_SOCKET  # not on the wire: by whose TOS and hop limit it goes

    def seq_len(self) -> int:
        """SEG.LEN: octets of text, and one each for SYN and FIN (RFC 9293 3.3.1)."""
        flags = self.flags
        return len(self.text) + (flags & 1) + (flags >> 1 & 1)

    def of(self, flow: Flow) -> "Segment":
        """Return the same segment of another flow."""
        return Segment(
            flow,
            self.seq,
            self.ack,
            self.flags,
            self.wnd,
            self.text,
            mss=self.mss,
            wscale=self.wscale,
            sack_ok=self.sack_ok,
            ts_val=self.ts_val,
            ts_ecr=self.ts_ecr,
            sack=self.sack,
            urg=self.urg,
        )


# Kinds of options (RFC 9293 3.1, 7323 2.2 and 3.2, 2018 2 and 3).
_END: Final = 0
_NOP: Final = 1
_MSS: Final = 2
_WSCALE: Final = 3
_SACK_OK: Final = 4
_SACK: Final = 5
_TS: Final = 8

_HEADER: Final = struct.Struct("!HHIIBBHHH")
_HEADER_LEN: Final = 20
_OPTIONS_MAX: Final = 40
_PROTO: Final = 6


def encode(seg: Segment) -> bytes:
    """Write a segment with its checksum; the addresses of its flow go into the pseudo-header."""
    source, sport, destination, dport = seg.flow
    options = _encode_options(seg)
    assert len(options) <= _OPTIONS_MAX, "the options don't fit into a TCP header"
    offset = (_HEADER_LEN + len(options)) << 2  # in words, in the upper four bits
    head = _HEADER.pack(sport, dport, seg.seq, seg.ack, offset, seg.flags, seg.wnd, 0, seg.urg)
    data = head + options + seg.text
    summed = checksum(pseudo_header(source, destination, _PROTO, len(data)) + data)
    return data[:16] + summed.to_bytes(2, "big") + data[18:]


def decode(data: bytes, src: str, dst: str) -> Segment:
    """Read a segment that went from ``src`` to ``dst``.

    Raises WireError where it is cut off, its checksum is wrong, or an option's length is
    impossible.
    """
    if len(data) < _HEADER_LEN:
        raise WireError(f"a TCP header has at least 20 octets, here are {len(data)}")
    sport, dport, seq, ack, offset, flags, wnd, _, urg = _HEADER.unpack_from(data)
    header_len = (offset >> 4) << 2
    if not _HEADER_LEN <= header_len <= len(data):
        raise WireError(f"data offset {offset >> 4} in a TCP segment of {len(data)} octets")
    if not verifies(pseudo_header(src, dst, _PROTO, len(data)) + data):
        raise WireError("the TCP checksum is wrong")
    seg = Segment((src, sport, dst, dport), seq, ack, flags, wnd, data[header_len:], urg=urg)
    _decode_options(seg, data[_HEADER_LEN:header_len])
    return seg


def _encode_options(seg: Segment) -> bytes:
    """Lay the options out as Linux does (tcp_options_write): each starts or ends on a word."""
    options = b""
    if seg.mss:
        options += struct.pack("!BBH", _MSS, 4, seg.mss)
    if seg.ts_val >= 0:
        # SACK-permitted takes the place of the two NOPs that align a timestamp.
        lead = b"\x04\x02" if seg.sack_ok else b"\x01\x01"
        options += lead + struct.pack("!BBII", _TS, 10, seg.ts_val, seg.ts_ecr)
    elif seg.sack_ok:
        options += bytes((_NOP, _NOP, _SACK_OK, 2))
    if seg.wscale >= 0:
        options += bytes((_NOP, _WSCALE, 3, seg.wscale))
    if seg.sack:
        options += bytes((_NOP, _NOP, _SACK, 2 + 8 * len(seg.sack)))
        for left, right in seg.sack:
            options += struct.pack("!II", left, right)
    return options


def _decode_options(seg: Segment, options: bytes) -> None:
    """Fill in what the options say; unknown kinds are passed over (RFC 9293 3.1)."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == _END:
            return
        if kind == _NOP:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            raise WireError(f"TCP option {kind} of length {length} doesn't fit")
        _decode_option(seg, kind, options[at + 2 : at + length])
        at += length


def _decode_option(seg: Segment, kind: int, body: bytes) -> None:
    """Fill in one option; a wrong length is passed over (Linux tcp_parse_options)."""
    match kind, len(body):
        case 2, 2:
            seg.mss = int.from_bytes(body, "big")
        case 3, 1:
            seg.wscale = body[0]
        case 4, 0:
            seg.sack_ok = True
        case 5, 8 | 16 | 24 | 32:
            numbers = struct.unpack(f"!{len(body) // 4}I", body)
            seg.sack = tuple((numbers[n], numbers[n + 1]) for n in range(0, len(numbers), 2))
        case 8, 8:
            seg.ts_val, seg.ts_ecr = struct.unpack("!II", body)
        case _:
            pass
