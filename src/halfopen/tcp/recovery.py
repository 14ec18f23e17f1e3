"""Loss: noticing it, and sending again (RFC 6298 5, RFC 6582, RFC 6675, RFC 5682).

Kept small on purpose: marks on the segments in flight, and three states (OPEN and DISORDER,
RECOVERY, LOSS). CUBIC, RACK and PRR have their place here and in ``congestion``.
"""

from halfopen.tcp.congestion import reno
from halfopen.tcp.output import resend
from halfopen.tcp.skb import LOST, RETRANS, SACKED, Skb
from halfopen.tcp.tcb import DISORDER, LOSS, OPEN, RECOVERY, Tcb
from halfopen.wire.seq import unwrap
from halfopen.wire.tcp import Segment


def tag_sacked(tcb: Tcb, seg: Segment) -> int:
    """Mark what the SACK blocks name; return how many segments are newly known to have arrived."""
    fresh = 0
    for left, right in seg.sack:
        start = unwrap(left, tcb.snd_una)
        end = unwrap(right, tcb.snd_una)
        if not tcb.snd_una <= start < end <= tcb.snd_nxt:
            continue  # a D-SACK, or nonsense
        for skb in tcb.inflight:
            if start <= skb.seq and skb.end_seq <= end and not skb.marks & SACKED:
                unmark(tcb, skb)
                skb.marks = SACKED
                tcb.sacked_out += 1
                fresh += 1
    return fresh


def says_probe_was_needless(tcb: Tcb, seg: Segment) -> bool:
    """Whether a D-SACK tells that the loss probe came twice: nothing was lost.

    RFC 8985 7.4.2; Linux tcp_dsack_seen.
    """
    if not seg.sack or not tcb.sack_ok:
        return False
    start, end = (unwrap(edge, tcb.snd_una) for edge in seg.sack[0])
    return start < unwrap(seg.ack, tcb.snd_una) and end == tcb.tlp_high_seq


def unmark(tcb: Tcb, skb: Skb) -> None:
    """Take a segment out of the counts of its marks."""
    if skb.marks & SACKED:
        tcb.sacked_out -= 1
    if skb.marks & LOST:
        tcb.lost_out -= 1
    if skb.marks & RETRANS:
        tcb.retrans_out -= 1
    skb.marks = 0


def mark_lost(tcb: Tcb, skb: Skb) -> None:
    """Believe that a segment is gone, and its retransmission too."""
    if skb.marks & RETRANS:
        tcb.retrans_out -= 1
        skb.marks &= ~RETRANS
    if not skb.marks & (LOST | SACKED):
        tcb.lost_out += 1
        skb.marks |= LOST


def retransmit(tcb: Tcb, skb: Skb, now: int) -> bool:
    """Send a segment again and count it; whether it went (Linux tcp_retransmit_skb)."""
    first_sent_at = skb.sent_at
    sent = resend(tcb, skb, now)
    if sent and not skb.marks & RETRANS:
        skb.marks |= RETRANS
        tcb.retrans_out += 1
    if tcb.retrans_at is None:
        tcb.retrans_at = now if sent else first_sent_at
    return sent


def enter_loss(tcb: Tcb) -> None:
    """Believe that everything in flight is gone, and start slowly again (Linux tcp_enter_loss)."""
    fresh = tcb.ca_state < RECOVERY
    if not tcb.sack_ok:
        tcb.sacked_out = 0
    for skb in tcb.inflight:
        mark_lost(tcb, skb)
    if (
        tcb.ca_state <= DISORDER
        or tcb.high_seq <= tcb.snd_una
        or (tcb.ca_state == LOSS and not tcb.retransmits)
    ):
        tcb.ssthresh = reno.ssthresh(tcb)
    tcb.cwnd = tcb.in_flight() + 1
    tcb.cwnd_cnt = 0
    tcb.ca_state = LOSS
    tcb.high_seq = tcb.snd_nxt
    tcb.tlp_high_seq = None
    tcb.frto = fresh or tcb.retransmits > 0


def count_duplicates(tcb: Tcb, count: int) -> None:
    """Take duplicate ACKs for segments that arrived, but for what is lost: one at least.

    Linux tcp_limit_reno_sacked. Requires: SACK is off.
    """
    out = len(tcb.inflight)
    tcb.sacked_out = max(min(count, out - max(tcb.lost_out, 1)), 0)


def ack_arrived(
    tcb: Tcb, now: int, *, advanced: bool, dupack: bool, sacked: int, never_resent: bool
) -> None:
    """Judge an ACK that is not plain progress, and send what it calls for.

    Linux tcp_fastretrans_alert.

    ``never_resent``: it covers a segment that was sent only once.
    """
    if not tcb.sack_ok:
        if dupack:
            count_duplicates(tcb, tcb.sacked_out + 1)
        elif advanced:  # what duplicates stood for has arrived in order
            tcb.sacked_out = 0
    if tcb.ca_state == LOSS:
        if _still_in_loss(
            tcb, advanced=advanced, dupack=dupack or sacked > 0, never_resent=never_resent
        ):
            send_lost(tcb, now)
        return
    if tcb.ca_state == RECOVERY:
        if tcb.snd_una >= tcb.high_seq:
            _leave(tcb)
            return
        if (
            advanced and not tcb.sack_ok
        ):  # RFC 6582 3.2 step 3: a partial ACK, the next one is lost too
            mark_lost(tcb, tcb.inflight[0])
            retransmit(tcb, tcb.inflight[0], now)
        _mark_by_sack(tcb)
        send_lost(tcb, now)
        return
    if tcb.sacked_out >= tcb.config.reordering and tcb.inflight:
        tcb.ssthresh = reno.ssthresh(tcb)
        tcb.cwnd = tcb.ssthresh
        tcb.cwnd_cnt = 0
        tcb.ca_state = RECOVERY
        tcb.high_seq = tcb.snd_nxt
        tcb.tlp_high_seq = None
        mark_lost(tcb, tcb.inflight[0])
        _mark_by_sack(tcb)
        if tcb.inflight[0].marks & LOST:  # whatever cwnd says (Linux tcp_cwnd_reduction)
            retransmit(tcb, tcb.inflight[0], now)
        send_lost(tcb, now)
        return
    tcb.ca_state = DISORDER if tcb.sacked_out else OPEN
    if tcb.ca_state == OPEN:
        tcb.retrans_at = None


def _still_in_loss(tcb: Tcb, *, advanced: bool, dupack: bool, never_resent: bool) -> bool:
    """Follow F-RTO (RFC 5682 3.1) after a timeout.

    Return whether lost segments are to be sent now.
    """
    if tcb.frto and advanced and never_resent:  # the original arrived: the timeout was spurious
        for skb in tcb.inflight:
            if skb.marks & LOST:
                unmark(tcb, skb)
        _leave(tcb)
        return False
    recovered = tcb.snd_una >= tcb.high_seq
    if tcb.frto:
        if tcb.snd_nxt > tcb.high_seq:
            if dupack:
                tcb.frto = False
        elif advanced and not recovered:
            tcb.high_seq = tcb.snd_nxt
            if tcb.unsent and tcb.snd_una + tcb.snd_wnd > tcb.snd_nxt:
                return False  # step 2b: try new data first
            tcb.frto = False
    if recovered:
        _leave(tcb)
        return False
    return True


def _leave(tcb: Tcb) -> None:
    tcb.ca_state = OPEN
    tcb.frto = False
    tcb.retrans_at = None
    if not tcb.sack_ok:
        tcb.sacked_out = 0


def _mark_by_sack(tcb: Tcb) -> None:
    """Believe lost what has enough segments received behind it (RFC 6675 IsLost).

    Duplicate ACKs don't tell which those are: without SACK only the first is lost (RFC 6582).
    """
    if not tcb.sack_ok:
        return
    behind = tcb.sacked_out
    for skb in tcb.inflight:
        if behind <= 0:
            break
        if skb.marks & SACKED:
            behind -= 1
        elif behind >= tcb.config.reordering and not skb.marks & (LOST | RETRANS):
            mark_lost(tcb, skb)


def send_lost(tcb: Tcb, now: int) -> None:
    """Send lost segments again, oldest first, as far as cwnd allows.

    Linux tcp_xmit_retransmit_queue.
    """
    for skb in list(tcb.inflight):
        if tcb.in_flight() >= tcb.cwnd:
            break
        if (
            skb.marks & LOST
            and not skb.marks & (SACKED | RETRANS)
            and not retransmit(tcb, skb, now)
        ):
            break
