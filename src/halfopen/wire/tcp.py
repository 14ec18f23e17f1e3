"""A TCP segment (RFC 9293 3.1) as a value, and its options (RFC 9293 3.2, 7323, 2018)."""

from typing import Final, TypeAlias

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

NO_SACK: Final[tuple[tuple[int, int], ...]] = ()


class Segment:
    """One segment on its way. ``seq`` and ``ack`` are the raw 32-bit numbers of the header."""

    __slots__ = (
        "ack",
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

    @property
    def seq_len(self) -> int:
        """SEG.LEN: octets of text, and one each for SYN and FIN (RFC 9293 3.3.1)."""
        flags = self.flags
        return len(self.text) + (flags & 1) + (flags >> 1 & 1)
