"""When to acknowledge: at once, or a little later in the hope of a segment to ride on.

RFC 1122 4.2.3.2 allows 500 ms; Linux waits 40 to 200 ms, and for the first segments of a
connection, or after trouble, not at all ("quick ACKs"). A connection that answers what it receives
is in "ping-pong" and does wait.
"""

from typing import Final

from halfopen.tcp import autotune, reassembly, timers, window
from halfopen.tcp.emit import send_ack
from halfopen.tcp.jiffies import fires_at, floor_jiffies
from halfopen.tcp.tcb import (
    ACK_NOW,
    ACK_PUSHED,
    ACK_PUSHED2,
    ACK_SCHED,
    ACK_TIMER,
    ATO_MIN,
    DELACK_MAX,
    MSS_DEFAULT,
    TIMESTAMP_OPTION,
    Tcb,
)
from halfopen.tcp.window import open_window, select_window
from halfopen.wire.tcp import FIN, PSH, SYN, URG

MAX_QUICK: Final = 16
MSS_MIN: Final = 88
#: Shorter segments don't make the window grow.
GROWS_FROM: Final = 128
#: A segment with one of these need not be full (Linux TCP_REMNANT).
REMNANT: Final = FIN | URG | SYN | PSH
HALF_SECOND: Final = 500_000_000


def in_pingpong(tcb: Tcb) -> bool:
    """Whether we answer what we receive, so that the next ACK may ride on the next answer."""
    return tcb.pingpong >= tcb.config.pingpong_thresh


def quicken(tcb: Tcb, most: int = MAX_QUICK) -> None:
    """Acknowledge the next segments at once: as many as half a window has.

    Linux tcp_incr_quickack.
    """
    count = tcb.rcv_wnd // (2 * tcb.rcv_mss) or 2
    tcb.quick_acks = max(tcb.quick_acks, min(count, most))


def enter_quickack(tcb: Tcb) -> None:
    """Leave ping-pong and acknowledge at once (Linux tcp_enter_quickack_mode)."""
    quicken(tcb)
    tcb.pingpong = 0
    tcb.ato_ns = ATO_MIN


def data_received(tcb: Tcb, octets: int, flags: int, now: int) -> None:
    """Note the arrival of text in order: an ACK is due, sooner or later.

    Linux tcp_event_data_recv.
    """
    tcb.ack_pending |= ACK_SCHED
    _measure_mss(tcb, octets, flags)
    autotune.measure_rtt(tcb, now)
    if not tcb.ato_ns:
        quicken(tcb)
        tcb.ato_ns = ATO_MIN
    else:
        gap = now - tcb.rcv_data_at
        if gap <= ATO_MIN // 2:
            tcb.ato_ns = (tcb.ato_ns >> 1) + ATO_MIN // 2
        elif gap < tcb.ato_ns:
            tcb.ato_ns = min((tcb.ato_ns >> 1) + gap, tcb.rto_ns)
        elif gap > tcb.rto_ns:
            quicken(tcb)  # a long pause: the sender may have lost its window
    tcb.rcv_data_at = now
    if octets >= GROWS_FROM:
        window.grow(tcb, octets, reassembly.cost(tcb, octets))


def early_received(tcb: Tcb, octets: int, flags: int, *, takes: int) -> None:
    """Note the arrival of text before its turn (Linux tcp_data_queue_ofo).

    ``takes``: what is kept of it takes so much memory, -1: nothing is kept. It is charged once the
    window has grown. Without SACK the window must not move: the sender takes only equal ACKs for
    duplicates.
    """
    _measure_mss(tcb, octets, flags)
    if takes < 0:
        return
    if tcb.sack_ok:
        window.grow(tcb, octets, reassembly.cost(tcb, octets))
    reassembly.charge(tcb, takes)


def _measure_mss(tcb: Tcb, octets: int, flags: int) -> None:
    """Guess the peer's segment size; a short or pushed segment ends a write.

    Linux tcp_measure_rcv_mss.
    """
    last = tcb.rcv_last_size
    tcb.rcv_last_size = 0
    if octets >= tcb.rcv_mss:
        if octets != tcb.rcv_mss:
            window.learn_ratio(tcb, octets, reassembly.cost(tcb, octets))
            tcb.rcv_mss = min(octets, tcb.adv_mss)
        if flags & PSH:
            tcb.ack_pending |= ACK_PUSHED
        return
    options = TIMESTAMP_OPTION if tcb.ts_ok else 0
    if octets + options >= MSS_DEFAULT or (octets + options >= MSS_MIN and not flags & REMNANT):
        tcb.rcv_last_size = octets
        if octets == last:  # two alike: the peer's MSS is smaller than it seemed
            tcb.rcv_mss = octets
            return
    if tcb.ack_pending & ACK_PUSHED:
        tcb.ack_pending |= ACK_PUSHED2
    tcb.ack_pending |= ACK_PUSHED


def ack_if_due(tcb: Tcb, now: int) -> None:
    """After a segment was taken in: acknowledge now, or arm the timer.

    Linux __tcp_ack_snd_check, without its compressed ACKs: what came early is told at once.
    """
    if not tcb.ack_pending & ACK_SCHED:
        return
    if (
        (
            tcb.rcv_nxt - tcb.rcv_wup > tcb.rcv_mss
            and (
                tcb.rcv_nxt - tcb.copied_seq < tcb.rcvlowat  # no reader whose ACK it could be
                or select_window(tcb) >= tcb.rcv_wnd
            )
        )
        or (tcb.quick_acks and not in_pingpong(tcb))
        or tcb.ack_pending & ACK_NOW
        or tcb.ooo
    ):
        send_ack(tcb, now)
    else:
        _delay(tcb, now)


def _delay(tcb: Tcb, now: int) -> None:
    """Arm the delayed-ACK timer (Linux tcp_send_delayed_ack)."""
    wait = tcb.ato_ns
    if wait > ATO_MIN:
        most = DELACK_MAX if in_pingpong(tcb) or tcb.ack_pending & ACK_PUSHED else HALF_SECOND
        if tcb.srtt_us8:
            most = min(most, max((tcb.srtt_us8 >> 3) * 1_000, ATO_MIN))
        wait = min(wait, most)
    wait = min(wait, DELACK_MAX)
    if tcb.delack_at is not None:  # compared as they were armed, in ticks
        phase = tcb.config.phase
        if tcb.delack_at <= fires_at(now, floor_jiffies(wait >> 2), phase):
            send_ack(tcb, now)
            return
        if tcb.delack_at <= fires_at(now, wait, phase):
            return
    tcb.ack_pending |= ACK_TIMER
    timers.set_delack(tcb, wait, now)


def delack_passed(tcb: Tcb, now: int) -> None:
    """Send the ACK that waited long enough (Linux tcp_delack_timer_handler)."""
    assert tcb.ack_pending & ACK_SCHED, "an ACK that went takes its timer along"
    tcb.ack_pending &= ~ACK_TIMER
    if in_pingpong(tcb):  # nothing to ride on came after all
        tcb.pingpong = 0
        tcb.ato_ns = ATO_MIN
    else:
        tcb.ato_ns = min(tcb.ato_ns << 1, tcb.rto_ns)
    send_ack(tcb, now)


def user_read(tcb: Tcb, copied: int, now: int) -> None:
    """After the user took data: acknowledge, or open the window, if that is due.

    Linux __tcp_cleanup_rbuf.
    """
    due = False
    if tcb.ack_pending & ACK_SCHED:
        pushed = tcb.ack_pending & ACK_PUSHED2 or (
            tcb.ack_pending & ACK_PUSHED and not in_pingpong(tcb)
        )
        due = tcb.rcv_nxt - tcb.rcv_wup > tcb.rcv_mss or (
            copied > 0 and bool(pushed) and not tcb.rcv_queued
        )
    if copied > 0 and not due and not tcb.rcv_shutdown:
        current = open_window(tcb)
        if 2 * current <= tcb.window_clamp:
            offer = select_window(tcb)
            due = offer > 0 and offer >= 2 * current
    if due:
        read_at = max(tcb.departed_at, tcb.rcv_ack_at)
        send_ack(tcb, now)
        tcb.departed_at = read_at  # the clock was read last when something came or went


def initial_rcv_mss(tcb: Tcb) -> None:
    """Guess the peer's segment size before it has sent any (Linux tcp_initialize_rcv_mss)."""
    tcb.rcv_mss = max(min(tcb.adv_mss, tcb.mss, tcb.rcv_wnd // 2, MSS_DEFAULT), MSS_MIN)
