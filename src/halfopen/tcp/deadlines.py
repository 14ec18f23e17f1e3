"""Timeouts (RFC 9293 3.10.8): which of a connection's timers is next, and what it does.

One transmission timer serves retransmission, loss probe and window probe (Linux's icsk_pending);
beside it stand the delayed ACK, keepalive (also FIN-WAIT-2 of an orphan) and 2MSL.
"""

from errno import ETIMEDOUT
from typing import Final

from halfopen.record.events import Timer
from halfopen.tcp import acking, emit, output, recovery, timers
from halfopen.tcp.handshake import resend_synack, set_synack_timer
from halfopen.tcp.rtt import model_timeout
from halfopen.tcp.states import CONNECTING, State
from halfopen.tcp.tcb import (
    LOSS_PROBE,
    MSL2,
    PERSIST,
    RETRANSMIT,
    RTO_INITIAL,
    Tcb,
    done,
)
from halfopen.tcp.text import become_minisock

#: An orphan that still makes progress may send again so often (Linux tcp_orphan_retries).
ORPHAN_RETRIES: Final = 8


def next_deadline(tcb: Tcb) -> int | None:
    """Return the earliest instant at which the connection has something to do."""
    at = tcb.xmit_at
    other = tcb.delack_at
    if other is not None and (at is None or other < at):
        at = other
    other = tcb.keepalive_at
    if other is not None and (at is None or other < at):
        at = other
    other = tcb.msl_at
    if other is not None and (at is None or other < at):
        at = other
    return at


def deadline_passed(tcb: Tcb, now: int) -> None:
    """Do what is due. Requires: next_deadline(tcb) <= now."""
    if tcb.delack_at is not None and tcb.delack_at <= now:
        tcb.delack_at = None
        _note(tcb, "delayed ACK")
        acking.delack_passed(tcb, now)
    if tcb.xmit_at is not None and tcb.xmit_at <= now:
        _transmit_passed(tcb, now)
    if tcb.keepalive_at is not None and tcb.keepalive_at <= now:
        tcb.keepalive_at = None
        _keepalive_passed(tcb, now)
    if tcb.msl_at is not None and tcb.msl_at <= now:
        tcb.msl_at = None
        _note(tcb, "2MSL" if tcb.state is State.TIME_WAIT else "FIN-WAIT-2")
        done(tcb, now, why="the wait is over")


def _note(tcb: Tcb, timer: Timer) -> None:
    if tcb.effects.traced:
        tcb.effects.fired.append((tcb, timer))


def _transmit_passed(tcb: Tcb, now: int) -> None:
    """Linux tcp_write_timer_handler; reqsk_timer_handler for an embryo."""
    kind = tcb.xmit_kind
    timers.clear_xmit(tcb)
    if tcb.embryo:
        _note(tcb, "SYN,ACK")
        _synack_passed(tcb, now)
    elif kind == RETRANSMIT:
        _note(tcb, "window taken back" if _is_probe(tcb) else "RTO")
        rto_passed(tcb, now)
    elif kind == LOSS_PROBE:
        _note(tcb, "loss probe")
        _loss_probe_passed(tcb, now)
    else:
        assert kind == PERSIST, "the transmission timer passed for no purpose"
        _note(tcb, "persist")
        _persist_passed(tcb, now)


# The handshake of an embryo.


def _synack_passed(tcb: Tcb, now: int) -> None:
    """Repeat the SYN,ACK with twice the wait, so often as the listener says.

    One whose ACK has come, but no text, is repeated only when TCP_DEFER_ACCEPT's time is up: the
    answer then makes it a connection. Linux reqsk_timer_handler, syn_ack_recalc.
    """
    listening = tcb.listening
    assert listening is not None, "an embryo without a listener"
    deferred = listening.defer_accept if tcb.acked else 0
    if listening.closed or tcb.retransmits >= max(listening.synack_retries, deferred):
        done(tcb, now, why="SYN,ACK unanswered")
        listening.forget(tcb)
        return
    if tcb.retransmits >= deferred - 1:
        resend_synack(tcb, now)
    tcb.retransmits += 1
    set_synack_timer(tcb, now)


# Retransmission.


def _is_probe(tcb: Tcb) -> bool:
    """Whether the peer took its window back: what is sent again may then go on for ever."""
    return not tcb.snd_wnd and not tcb.orphan and tcb.state not in CONNECTING


def rto_passed(tcb: Tcb, now: int) -> None:
    """Send the oldest segment again, or give up.

    RFC 6298 5.4 to 5.7; Linux tcp_retransmit_timer.
    """
    assert tcb.inflight, "the RTO passed, and nothing is in flight"
    if _is_probe(tcb):
        if _probe_timed_out(tcb, now):
            write_error(tcb, now)
            return
        recovery.enter_loss(tcb)
        recovery.retransmit(tcb, tcb.inflight[0], now)
        _back_off(tcb, now)
        return
    if _write_timed_out(tcb, now):
        write_error(tcb, now)
        return
    recovery.enter_loss(tcb)
    tcb.retransmits += 1
    tcb.total_rto += 1
    recovery.retransmit(tcb, tcb.inflight[0], now)
    _back_off(tcb, now)


def _back_off(tcb: Tcb, now: int) -> None:
    """Wait twice as long next time; the first SYNs are sent at even distances."""
    config = tcb.config
    if tcb.state is State.SYN_SENT and tcb.total_rto <= config.syn_linear_timeouts:
        pass  # LINUX(linear-syn-timeouts)
    else:
        tcb.backoff += 1
        tcb.rto_ns = min(tcb.rto_ns << 1, config.rto_max_ns)
    timers.set_xmit(tcb, RETRANSMIT, _within_user_timeout(tcb, now), now)


def _within_user_timeout(tcb: Tcb, now: int) -> int:
    """Cut the RTO to what TCP_USER_TIMEOUT leaves (Linux tcp_clamp_rto_to_user_timeout)."""
    if not tcb.user_timeout_ns or tcb.retrans_at is None:
        return tcb.rto_ns
    left = tcb.user_timeout_ns - (now - tcb.retrans_at)
    return min(tcb.rto_ns, left) if left > 0 else 1


def _write_timed_out(tcb: Tcb, now: int) -> bool:
    """Whether it is time to give up (Linux tcp_write_timeout)."""
    config = tcb.config
    if tcb.state in CONNECTING:
        retries = tcb.syn_retries
        most = retries + (config.syn_linear_timeouts if tcb.state is State.SYN_SENT else 0)
        if tcb.retransmits >= most:
            return True
    elif tcb.orphan:
        retries = _orphan_retries(tcb, alive=tcb.rto_ns < config.rto_max_ns)
    else:
        retries = config.retries2
    return retransmits_timed_out(tcb, retries, tcb.user_timeout_ns, now)


def retransmits_timed_out(tcb: Tcb, retries: int, timeout_ns: int, now: int) -> bool:
    """Whether sending again has lasted as long as so many retries last, or longer than a timeout.

    RFC 9293 3.8.3 (R2); Linux retransmits_timed_out.
    """
    if not tcb.retransmits or tcb.retrans_at is None:
        return False
    if not timeout_ns:
        base = RTO_INITIAL if tcb.state in CONNECTING else tcb.config.rto_min_ns
        timeout_ns = model_timeout(retries, base, tcb.config.rto_max_ns)
    return now - tcb.retrans_at >= timeout_ns


def _orphan_retries(tcb: Tcb, *, alive: bool) -> int:
    retries = tcb.config.orphan_retries
    if tcb.so_error_soft and not alive:
        return 0
    return ORPHAN_RETRIES if not retries and alive else retries


def _probe_timed_out(tcb: Tcb, now: int) -> bool:
    """Whether a window that was taken back was answered for too long.

    Linux tcp_rtx_probe0_timed_out.
    """
    silence = now - tcb.rcv_ack_at
    resending = now - (tcb.retrans_at or tcb.inflight[0].sent_at)
    limit = 2 * tcb.config.rto_max_ns
    if tcb.user_timeout_ns:
        if resending > tcb.user_timeout_ns:  # answers don't count: nothing moves
            return True
        limit = min(limit, tcb.user_timeout_ns)
    return silence > limit and resending > limit


def write_error(tcb: Tcb, now: int) -> None:
    """Give up: the user is told of the last soft error, or of the timeout (Linux tcp_write_err)."""
    done(tcb, now, why="no answer", error=tcb.so_error_soft or ETIMEDOUT)


# Loss probe.


def _loss_probe_passed(tcb: Tcb, now: int) -> None:
    """Send something that makes the peer tell what it has.

    RFC 8985 7.3; Linux tcp_send_loss_probe.
    """
    assert tcb.inflight, "a loss is probed for, and nothing is in flight"
    if tcb.tlp_high_seq is None and _send_loss_probe(tcb, now):
        tcb.tlp_high_seq = tcb.snd_nxt
        timers.clear_xmit(tcb)  # the RTO counts from now
    else:
        tcb.xmit_kind = LOSS_PROBE  # the RTO counts from the segment
    timers.rearm_rto(tcb, now)


def _send_loss_probe(tcb: Tcb, now: int) -> bool:
    """Send new data if there is some, else the last segment again; whether it went."""
    tcb.tlp_retrans = False
    if tcb.unsent and output.push_one(tcb, now, forced=True):
        return True
    tcb.tlp_retrans = output.resend(tcb, tcb.inflight[-1], now)
    return tcb.tlp_retrans


# Zero window.


def _persist_passed(tcb: Tcb, now: int) -> None:
    """Probe a window that is closed, or give up (RFC 9293 3.8.6.1; Linux tcp_probe_timer)."""
    assert tcb.unsent, "a window is probed that holds nothing back"
    assert not tcb.inflight, "a window is probed while its answer is on the way"
    config = tcb.config
    if tcb.probes_at is None:
        tcb.probes_at = now
    elif tcb.user_timeout_ns and now - tcb.probes_at >= tcb.user_timeout_ns:
        write_error(tcb, now)  # LINUX(user-timeout-ends-probing)
        return
    most = config.retries2
    if tcb.orphan:
        alive = tcb.rto_ns << tcb.backoff < config.rto_max_ns
        most = _orphan_retries(tcb, alive=alive)
        if not alive and tcb.backoff >= most:
            write_error(tcb, now)
            return
    if tcb.probes_out >= most:
        write_error(tcb, now)
        return
    output.wakeup(tcb, now)
    if tcb.inflight or not tcb.unsent:
        tcb.probes_out = 0
        tcb.backoff = 0
        tcb.probes_at = None
        return
    tcb.probes_out += 1
    tcb.backoff = min(tcb.backoff + 1, config.retries2)
    timers.set_persist(tcb, now)


# Keepalive, and FIN-WAIT-2 of an orphan.


def _keepalive_passed(tcb: Tcb, now: int) -> None:
    """Probe a peer that has been silent, or give up (RFC 9293 3.8.4; Linux tcp_keepalive_timer)."""
    if tcb.state is State.FIN_WAIT_2 and tcb.orphan:
        _note(tcb, "FIN-WAIT-2")
        _fin_wait_2_passed(tcb, now)
        return
    if not tcb.keepalive or tcb.state in {State.CLOSED, State.SYN_SENT}:
        return
    if tcb.inflight or tcb.unsent:  # retransmission looks after the peer
        timers.set_keepalive(tcb, tcb.keepidle_ns, now)
        return
    silent = now - max(tcb.rcv_data_at, tcb.rcv_ack_at)
    if silent < tcb.keepidle_ns:
        timers.set_keepalive(tcb, tcb.keepidle_ns - silent, now)
        return
    _note(tcb, "keepalive")
    if _keepalive_failed(tcb, silent):
        emit.send_reset(tcb, now)
        write_error(tcb, now)
        return
    output.wakeup(tcb, now)
    tcb.probes_out += 1
    timers.set_keepalive(tcb, tcb.keepintvl_ns, now)


def _keepalive_failed(tcb: Tcb, silent: int) -> bool:
    """Whether enough probes went unanswered; TCP_USER_TIMEOUT takes the place of their number."""
    if tcb.user_timeout_ns:
        return silent >= tcb.user_timeout_ns and tcb.probes_out > 0
    return tcb.probes_out >= tcb.keepcnt


def _fin_wait_2_passed(tcb: Tcb, now: int) -> None:
    """The peer's FIN has not come: keep the numbers only, or reset."""
    assert tcb.linger2_ns >= 0, "where TCP_LINGER2 is negative nobody waits for the FIN"
    wait = timers.fin_time(tcb) - MSL2
    if wait > 0:
        become_minisock(tcb, wait, now)
        return
    emit.send_reset(tcb, now)
    done(tcb, now, why="no FIN came")
