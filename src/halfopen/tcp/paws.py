"""Protection against wrapped sequence numbers, by timestamps (RFC 7323 5)."""

from typing import Final

from halfopen.base.units import HOUR, S
from halfopen.tcp.emit import ts_now
from halfopen.tcp.tcb import Tcb
from halfopen.wire.seq import lt, unwrap, wrap
from halfopen.wire.tcp import ACK, Segment

#: A timestamp older than this proves nothing (RFC 7323 5.5; Linux TCP_PAWS_WRAP).
OUTDATED_NS: Final = 24 * 24 * HOUR


def rejects(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Whether the timestamp is older than the latest one (Linux tcp_paws_reject without RST)."""
    return not _passes(tcb, seg, now, slack=0)


def echoes_syn(tcb: Tcb, seg: Segment, last_at: int) -> bool:
    """Whether a TSecr lies between our first SYN and the last (RFC 7323 3.2)."""
    if not tcb.ts_ok or seg.ts_val < 0 or not seg.ts_ecr:
        return True
    first = ts_now(tcb, tcb.syn_sent_at)
    return not lt(seg.ts_ecr, first) and not lt(ts_now(tcb, last_at), seg.ts_ecr)


def discards(tcb: Tcb, seg: Segment, seq: int, now: int) -> bool:
    """Whether a segment of a connection is to be dropped as a duplicate from the past.

    A bare ACK that was overtaken by its successors is not (Linux tcp_disordered_ack).
    """
    return not _passes(tcb, seg, now, slack=1) and not _disordered_ack(tcb, seg, seq)


def _passes(tcb: Tcb, seg: Segment, now: int, *, slack: int) -> bool:
    if (seg.ts_val + slack - tcb.ts_recent) & 0x80000000 == 0:  # not before it, as nearly always
        return True
    if not tcb.ts_ok or seg.ts_val < 0 or tcb.ts_recent_at is None or not tcb.ts_recent:
        return True
    return now - tcb.ts_recent_at >= OUTDATED_NS


def _disordered_ack(tcb: Tcb, seg: Segment, seq: int) -> bool:
    if not seg.flags & ACK or seg.seq_len() or seq != tcb.rcv_nxt:
        return False
    if unwrap(seg.ack, tcb.snd_una) != tcb.snd_una:
        return False
    window = seg.wnd << tcb.snd_wscale
    if seq > tcb.snd_wl1 or (seq == tcb.snd_wl1 and (window > tcb.snd_wnd or not window)):
        return False
    return wrap(tcb.ts_recent - seg.ts_val) <= tcb.rto_ns * 1024 // S


def update(tcb: Tcb, seg: Segment, seq: int, now: int) -> None:
    """Keep the timestamp of a segment that begins where the last ACK ended (RFC 7323 4.3)."""
    if seq <= tcb.rcv_wup and _passes(tcb, seg, now, slack=0):
        tcb.ts_recent = seg.ts_val
        tcb.ts_recent_at = now
