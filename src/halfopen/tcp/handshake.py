"""What the three-way handshake agrees on (RFC 9293 3.5), for ``arrives`` and ``calls``."""

from typing import Final

from halfopen.base.units import S
from halfopen.tcp import rtt, timers
from halfopen.tcp.acking import initial_rcv_mss
from halfopen.tcp.buffers import expand_sndbuf, initial_space, initial_window
from halfopen.tcp.deferral import update_rate
from halfopen.tcp.emit import send_syn, sync_mss, ts_now
from halfopen.tcp.states import State
from halfopen.tcp.tcb import (
    INITIAL_CWND,
    MSS_DEFAULT,
    RETRANSMIT,
    RTO_FALLBACK,
    TCP_HEADER,
    TIMESTAMP_OPTION,
    Tcb,
    enter,
)
from halfopen.wire.seq import unwrap, wrap
from halfopen.wire.tcp import ACK, SYN, Segment

WSCALE_MAX: Final = 14  # RFC 7323 2.3
#: Linux TCP_RTO_MAX; it does not know tcp_rto_max_ms here.
TIMEOUT_MAX: Final = 120 * S


def agree(tcb: Tcb, seg: Segment, now: int) -> None:
    """Take the options of the peer's SYN: what only one side offers is off."""
    offered = seg.mss or MSS_DEFAULT
    tcb.mss_clamp = min(offered, tcb.user_mss) if tcb.user_mss else offered
    tcb.sack_ok = tcb.sack_ok and seg.sack_ok
    if tcb.wscale_ok and seg.wscale >= 0:
        tcb.snd_wscale = min(seg.wscale, WSCALE_MAX)
    else:
        tcb.wscale_ok = False
        tcb.snd_wscale = tcb.rcv_wscale = 0
        tcb.window_clamp = min(tcb.window_clamp, 65535)
    if tcb.ts_ok and seg.ts_val >= 0:
        tcb.ts_recent = seg.ts_val
        tcb.ts_recent_at = now
    else:
        tcb.ts_ok = False


def offer(tcb: Tcb) -> None:
    """Fix what our own SYN says: MSS, and the first window."""
    bound_mss(tcb)
    stamp = TIMESTAMP_OPTION if tcb.ts_recent_at is not None else 0
    initial_window(tcb, tcb.adv_mss - stamp)


def bound_mss(tcb: Tcb) -> None:
    """Offer no more than TCP_MAXSEG (Linux tcp_mss_clamp)."""
    if tcb.user_mss:
        tcb.adv_mss = min(tcb.adv_mss, tcb.user_mss)


def syn_received(tcb: Tcb, seg: Segment, now: int) -> None:
    """Note the peer's initial sequence number and its options (Linux tcp_openreq_init).

    Requires: the SYN began an embryo.
    """
    tcb.irs = seg.seq
    tcb.rcv_nxt = seg.seq + 1
    tcb.rcv_wup = tcb.copied_seq = tcb.rcv_nxt
    tcb.snd_wnd = seg.wnd
    agree(tcb, seg, now)
    offer(tcb)


def send_synack(tcb: Tcb, now: int) -> None:
    """Answer a SYN for the first time, and arm the timer that repeats the answer."""
    tcb.snd_nxt = tcb.write_seq = tcb.iss + 1
    tcb.sent_at = tcb.syn_sent_at = now
    send_syn(tcb, SYN | ACK, now)
    timers.set_xmit(tcb, RETRANSMIT, tcb.rto_ns, now)


def set_synack_timer(tcb: Tcb, now: int) -> None:
    """Wait twice as long after every timeout, two minutes at most (Linux reqsk_timeout)."""
    timers.set_xmit(tcb, RETRANSMIT, min(tcb.rto_ns << tcb.retransmits, TIMEOUT_MAX), now)


def resend_synack(tcb: Tcb, now: int) -> None:
    """Repeat our SYN,ACK (Linux inet_rtx_syn_ack)."""
    tcb.total_retrans += 1
    tcb.sent_at = now
    send_syn(tcb, SYN | ACK, now)


def hatched(tcb: Tcb, seg: Segment, now: int, *, answered_at: int | None) -> None:
    """Make a connection of an embryo whose SYN,ACK was acknowledged.

    It has the listener's options of this moment, not of the SYN's (Linux tcp_create_openreq_child).
    ``answered_at`` is when that SYN,ACK left, if it is known.
    """
    assert tcb.listening is not None, "an embryo without a listener"
    tcb.listening.user.inherit(tcb)
    tcb.adv_mss = tcb.mtu - tcb.ip_header - TCP_HEADER
    bound_mss(tcb)
    tcb.snd_una = tcb.snd_nxt
    tcb.snd_sml = tcb.pushed_seq = tcb.snd_up = tcb.rtt_seq = tcb.high_seq = tcb.snd_una
    tcb.acked_from = tcb.snd_una
    tcb.oow_ack_at = None
    tcb.rcv_data_at = now
    timers.clear_xmit(tcb)
    _measure(tcb, seg, now, answered_at)
    tcb.retransmits = tcb.backoff = 0
    tcb.snd_wnd = tcb.max_window = seg.wnd << tcb.snd_wscale
    tcb.snd_wl1 = unwrap(seg.seq, tcb.rcv_nxt)
    established(tcb, now, why="ACK of our SYN")
    tcb.predicts = True


def _measure(tcb: Tcb, seg: Segment, now: int, answered_at: int | None) -> None:
    """Take the handshake's round trip, by timestamps where nothing else tells it.

    Linux tcp_synack_rtt_meas.
    """
    if answered_at is not None:
        took = (now - answered_at) // 1_000
        rtt.sample(tcb, took, took, now)
    elif tcb.ts_ok and seg.ts_val >= 0 and seg.ts_ecr:
        took = max(wrap(ts_now(tcb, now) - seg.ts_ecr), 1) * 1_000
        rtt.sample(tcb, took, took, now)


def established(tcb: Tcb, now: int, *, why: str) -> None:
    """Begin to transfer (Linux tcp_init_transfer)."""
    if tcb.ts_ok:
        tcb.adv_mss -= TIMESTAMP_OPTION
    sync_mss(tcb)
    initial_rcv_mss(tcb)
    if not tcb.srtt_us8:  # RFC 6298 5.7: a timeout of the handshake, and no round trip measured
        tcb.rto_ns = RTO_FALLBACK
    tcb.cwnd = 1 if tcb.total_retrans > 1 else INITIAL_CWND  # RFC 5681 3.1
    expand_sndbuf(tcb)
    initial_space(tcb)
    tcb.rcvq_at = tcb.cwnd_at = now
    tcb.sent_at = tcb.rcv_ack_at = now
    update_rate(tcb)
    tcb.predicts = not tcb.snd_wscale  # else the first ACK will tell the window
    enter(tcb, State.ESTABLISHED, now, why=why)
    if tcb.keepalive:
        timers.set_keepalive(tcb, tcb.keepidle_ns, now)
