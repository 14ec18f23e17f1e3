"""Urgent data: one octet beside the stream (RFC 9293 3.8.5; Linux tcp_urg).

Who sends marks where it ends; the pointer then stands in every segment that begins before. Who
receives keeps the octet apart, and a reader stops in front of its place: the mark.
"""

from typing import Final

from halfopen.tcp import reassembly
from halfopen.tcp.effects import READ
from halfopen.tcp.tcb import URG_NOTYET, URG_VALID, Tcb, wake
from halfopen.tcp.window import predict
from halfopen.wire.tcp import SYN, Segment, encode

#: So far the 16 bits of the pointer reach.
REACH: Final = 0xFFFF


def is_out(tcb: Tcb) -> bool:
    """Whether urgent data of ours is not acknowledged yet (Linux tcp_urg_mode)."""
    return tcb.snd_up > tcb.snd_una


def pointer(tcb: Tcb, seq: int) -> int:
    """Return the urgent pointer of a segment that begins at ``seq``; 0: it is not urgent.

    It points behind the octet. Farther than it reaches it points as far as it can, unless the
    segment is sent again and what was sent already goes on from there (Linux __tcp_transmit_skb).
    """
    ahead = tcb.snd_up - seq
    if 0 < ahead <= REACH:
        return ahead
    return REACH if ahead > 0 and seq + REACH > tcb.snd_nxt else 0


def arrives(tcb: Tcb, seq: int, pointed: int) -> None:
    """Take note of a new pointer, unless it is old, or points to what is here in the stream.

    It points behind the urgent octet (RFC 9293 3.1), or with tcp_stdurg at it (RFC 1122 4.2.2.4).
    Linux tcp_check_urg.
    """
    up = seq + pointed
    if pointed and not tcb.config.stdurg:
        up -= 1
    if up < tcb.rcv_nxt or (tcb.urg_data and up <= tcb.rcv_up):
        return
    if at_mark(tcb) and tcb.rcv_queued and not tcb.oobinline:
        reassembly.take(tcb, 1)  # else the earlier octet would be read in the stream
    tcb.urg_data = URG_NOTYET
    tcb.rcv_up = up
    tcb.predicts = False


def look_for(tcb: Tcb, seg: Segment, seq: int) -> None:
    """Take the urgent octet out of the segment that brings it, in its turn or not.

    Linux looks for it from the segment's header on, and so takes an octet of that for urgent where
    the urgent one itself was lost, and the next segment comes (tcp_urg).
    """
    at = tcb.rcv_up - seq - (1 if seg.flags & SYN else 0)
    if at >= len(seg.text):
        return
    if at >= 0:
        octet = seg.text[at]
    else:
        whole = encode(seg)
        at += len(whole) - len(seg.text)
        if at < 0:
            return
        octet = whole[at]  # LINUX(urgent-from-header)
    tcb.urg_data = URG_VALID | octet  # LINUX(one-urgent-octet)
    wake(tcb, READ)


def at_mark(tcb: Tcb) -> bool:
    """Whether the reader stands in front of the urgent octet's place (SIOCATMARK)."""
    return tcb.urg_data != 0 and tcb.rcv_up == tcb.copied_seq


def passed(tcb: Tcb) -> None:
    """The reader, who stood at the mark, took something: the octet is forgotten."""
    assert tcb.copied_seq > tcb.rcv_up, "the reader began at the mark, and took nothing"
    tcb.urg_data = 0
    predict(tcb)
