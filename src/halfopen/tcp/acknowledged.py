"""What an acceptable ACK does: SND.UNA moves, the window opens, the clock is read.

RFC 9293 3.10.7.4, fifth check.

The sequence is that of Linux tcp_ack.
"""

from halfopen.tcp import recovery, rtt, timers
from halfopen.tcp.buffers import expand_sndbuf
from halfopen.tcp.congestion import reno, usage
from halfopen.tcp.deferral import update_rate
from halfopen.tcp.effects import WRITE
from halfopen.tcp.emit import sync_mss, ts_now
from halfopen.tcp.skb import LOST, RETRANS, SACKED
from halfopen.tcp.tcb import LOSS, OPEN, RECOVERY, Tcb, wake
from halfopen.tcp.window import predict
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import SYN, Segment


def process(tcb: Tcb, seg: Segment, now: int, *, seq: int, ack: int) -> None:
    """Take in an ACK with SND.UNA <= ``ack`` <= SND.NXT.

    Requires: the segment is in the window, and ``ack`` is acceptable.
    """
    advanced = ack > tcb.snd_una
    before = len(tcb.inflight)
    if advanced:
        tcb.retransmits = 0
    opened = _update_window(tcb, seg, now, seq=seq, ack=ack)
    tcb.snd_una = ack
    sacked = recovery.tag_sacked(tcb, seg) if seg.sack and tcb.sack_ok else 0
    tcb.so_error_soft = 0
    tcb.probes_out = 0
    tcb.rcv_ack_at = now
    if not before:
        _window_probed(tcb, now)
        if tcb.tlp_high_seq is not None:
            _probe_answered(tcb, seg, ack, dupack=not advanced and not seg.text and not opened)
        return
    never_resent = _release(tcb, seg, now)
    acked = before - len(tcb.inflight)
    plain = not seg.text and not opened and not acked
    if tcb.tlp_high_seq is not None:
        _probe_answered(tcb, seg, ack, dupack=plain and not advanced and not sacked)
    if acked:
        tcb.xmit_kind = 0
        if not timers.schedule_loss_probe(tcb, now, advancing=True):
            timers.rearm_rto(tcb, now)
    if advanced or plain:
        tcb.dst_confirm = True
    dupack = not advanced and plain and bool(tcb.inflight)
    if dupack or sacked or tcb.ca_state != OPEN:
        recovery.ack_arrived(
            tcb, now, advanced=advanced, dupack=dupack, sacked=sacked, never_resent=never_resent
        )
    elif not tcb.inflight or acked:
        tcb.retrans_at = None
    if acked and tcb.ca_state != RECOVERY:
        reno.acked(tcb, acked)
        tcb.cwnd_at = now
    update_rate(tcb)


def _update_window(tcb: Tcb, seg: Segment, now: int, *, seq: int, ack: int) -> bool:
    """Take the peer's window from the newest segment (SND.WL1, SND.WL2).

    Whether it is newer than what we know. With the same number that is who offers more, or
    nothing at all.
    """
    window = seg.wnd if seg.flags & SYN else seg.wnd << tcb.snd_wscale  # RFC 7323 2.2
    newer = False
    if (
        ack > tcb.snd_una
        or seq > tcb.snd_wl1
        or (seq == tcb.snd_wl1 and (window > tcb.snd_wnd or not window))
    ):
        newer = True
        tcb.snd_wl1 = seq
        if window != tcb.snd_wnd:
            tcb.snd_wnd = window
            tcb.predicts = False
            if not seg.text:
                predict(tcb)
            if tcb.unsent:  # it may have waited for a long time
                usage.before_sending(tcb, now)
            if window > tcb.max_window:
                tcb.max_window = window
                sync_mss(tcb)
    return newer


def _release(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Drop acknowledged segments and measure the RTT.

    Whether one of them was sent only once, before a timeout.

    Karn's rule (RFC 6298 3): a segment that was sent again measures nothing, unless timestamps tell
    which one it was.
    """
    first_at = last_at = -1
    resent = never_resent = released = False
    inflight, una = tcb.inflight, tcb.snd_una
    while inflight and inflight[0].end_seq <= una:
        skb = inflight.popleft()
        released = True
        tcb.snd_queued -= skb.cost
        if skb.ever_retrans:
            resent = True
        elif not skb.marks & SACKED:
            last_at = skb.sent_at
            if first_at < 0:
                first_at = last_at
            if skb.end_seq <= tcb.high_seq:
                never_resent = True
        if skb.marks & (SACKED | LOST | RETRANS):
            recovery.unmark(tcb, skb)
    if released:
        if first_at >= 0 and not resent:
            rtt.sample(tcb, (now - first_at) // 1_000, (now - last_at) // 1_000, now)
        elif tcb.ts_ok and seg.ts_val >= 0 and seg.ts_ecr:
            delta_ms = wrap(ts_now(tcb, now) - seg.ts_ecr)
            if delta_ms < 1 << 31:
                took = max(delta_ms, 1) * 1_000
                rtt.sample(tcb, took, took, now)
    return never_resent and tcb.ca_state == LOSS


def _probe_answered(tcb: Tcb, seg: Segment, ack: int, *, dupack: bool) -> None:
    """End the episode of a tail loss probe (RFC 8985 7.4; Linux tcp_process_tlp_ack)."""
    high = tcb.tlp_high_seq
    if high is None or ack < high:
        return
    needless = tcb.tlp_retrans and recovery.says_probe_was_needless(tcb, seg)
    if not tcb.tlp_retrans or needless or ack > high:
        if tcb.tlp_retrans and not needless:  # the probe repaired a loss: slow down as for any
            tcb.ssthresh = reno.ssthresh(tcb)
            tcb.cwnd = tcb.ssthresh
        tcb.tlp_high_seq = None
    elif dupack:
        tcb.tlp_high_seq = None


def _window_probed(tcb: Tcb, now: int) -> None:
    """Stop probing where the window has opened, else start the backoff anew.

    Linux tcp_ack_probe.
    """
    if not tcb.unsent:
        return
    if tcb.unsent[0].end_seq <= tcb.snd_una + tcb.snd_wnd:
        tcb.backoff = 0
        tcb.probes_at = None
        timers.clear_xmit(tcb)
    else:
        timers.set_persist(tcb, now)


def make_room(tcb: Tcb) -> None:
    """Wake a writer that was turned away, once a third of the buffer is free.

    Linux tcp_check_space.
    """
    if tcb.in_flight() < tcb.cwnd:  # cwnd is not what fills the buffer
        expand_sndbuf(tcb)
    if tcb.writeable():
        tcb.no_room = False
        wake(tcb, WRITE)
