"""A piece of the send queue: what one segment carries, kept until it is acknowledged."""

from typing import Final

SACKED: Final = 1
RETRANS: Final = 2
LOST: Final = 4


class Skb:
    """Text with its numbers and flags (FIN, SYN, PSH): Linux's ``sk_buff`` in the write queue."""

    __slots__ = ("cost", "end_seq", "ever_retrans", "flags", "marks", "sent_at", "seq", "text")

    def __init__(self, seq: int, text: bytes, flags: int) -> None:
        size = len(text)
        self.seq = seq
        self.text = text
        self.flags = flags
        self.end_seq = seq + size + (flags & 1) + (flags >> 1 & 1)
        self.sent_at = 0  # of the latest transmission
        self.marks = 0  # SACKED, RETRANS, LOST
        self.ever_retrans = False
        self.cost = size  # what it takes of sndbuf
