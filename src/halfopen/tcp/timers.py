"""Arming and clearing the timers of a connection.

A timer is a field, and firing is ``deadlines.deadline_passed``.
"""

from typing import Final

from halfopen.base.units import MS, US
from halfopen.tcp.jiffies import JIFFY, ceil_jiffies, fires_at
from halfopen.tcp.tcb import LOSS_PROBE, OPEN, PERSIST, RETRANSMIT, RTO_INITIAL, Tcb

TIMEOUT_MIN: Final = 2 * JIFFY
#: What a loss probe waits beside two round trips for an ACK that is delayed (Linux
#: TCP_TIMEOUT_MIN_US).
PROBE_SLACK: Final = 2 * MS


def arm(tcb: Tcb, at: int) -> None:
    """Tell the world's queue, if it would otherwise look at us too late."""
    if at < tcb.entry_at:
        tcb.effects.rearm.append(tcb)


def set_xmit(tcb: Tcb, kind: int, delay_ns: int, now: int) -> None:
    """Arm the one transmission timer for a purpose: RETRANSMIT, LOSS_PROBE or PERSIST."""
    config = tcb.config
    if delay_ns > config.rto_max_ns:
        delay_ns = config.rto_max_ns
    at = fires_at(now, delay_ns, config.phase)
    tcb.xmit_kind = kind
    tcb.xmit_at = at
    if at < tcb.entry_at:
        tcb.effects.rearm.append(tcb)


def clear_xmit(tcb: Tcb) -> None:
    """Take the transmission timer down."""
    tcb.xmit_at = None
    tcb.xmit_kind = 0


def set_persist(tcb: Tcb, now: int) -> None:
    """Arm the window probe: backed off from the RTO, cut to what TCP_USER_TIMEOUT leaves.

    Linux tcp_probe0_when, tcp_clamp_probe0_to_user_timeout.
    """
    config = tcb.config
    most = (config.rto_max_ns // config.rto_min_ns).bit_length()
    delay = max(tcb.rto_ns, config.rto_min_ns) << min(tcb.backoff, most)
    delay = min(delay, config.rto_max_ns)
    if tcb.user_timeout_ns and tcb.probes_at is not None:
        left = tcb.user_timeout_ns - (now - tcb.probes_at)
        delay = min(delay, max(left, TIMEOUT_MIN))
    set_xmit(tcb, PERSIST, delay, now)


def set_delack(tcb: Tcb, delay_ns: int, now: int) -> None:
    """Arm the delayed-ACK timer."""
    tcb.delack_at = fires_at(now, delay_ns, tcb.config.phase)
    arm(tcb, tcb.delack_at)


def set_keepalive(tcb: Tcb, delay_ns: int, now: int) -> None:
    """Arm the keepalive timer."""
    tcb.keepalive_at = fires_at(now, delay_ns, tcb.config.phase)
    arm(tcb, tcb.keepalive_at)


def set_msl(tcb: Tcb, delay_ns: int, now: int) -> None:
    """Arm the timer of TIME-WAIT, and of an orphan's FIN-WAIT-2."""
    tcb.msl_at = fires_at(now, delay_ns, tcb.config.phase)
    arm(tcb, tcb.msl_at)


def fin_time(tcb: Tcb) -> int:
    """Return how long an orphan waits for the peer's FIN, in ns (Linux tcp_fin_time)."""
    return max(tcb.linger2_ns, 4 * tcb.rto_ns - tcb.rto_ns // 2)


def rto_left(tcb: Tcb, now: int) -> int:
    """Return what is left of the RTO of the oldest segment in flight, in ns; may be negative."""
    return tcb.inflight[0].sent_at + tcb.rto_ns - now


def rearm_rto(tcb: Tcb, now: int) -> None:
    """Arm the retransmission timer for the oldest segment, or take it down.

    Linux tcp_rearm_rto.
    """
    if not tcb.inflight:
        clear_xmit(tcb)
        return
    rto = tcb.rto_ns
    if tcb.xmit_kind == LOSS_PROBE:  # the time that the probe took counts
        rto = ceil_jiffies(max(rto_left(tcb, now), 1))
    set_xmit(tcb, RETRANSMIT, rto, now)


def schedule_loss_probe(tcb: Tcb, now: int, *, advancing: bool) -> bool:
    """Arm a tail loss probe after two round trips (RFC 8985 7.2; Linux tcp_schedule_loss_probe)."""
    config = tcb.config
    if not tcb.inflight or tcb.ca_state != OPEN or not tcb.sack_ok or not config.loss_probes:
        return False
    if tcb.srtt_us8:
        slack = config.rto_min_ns if len(tcb.inflight) == 1 else PROBE_SLACK
        delay = (tcb.srtt_us8 >> 2) * US + slack
    else:
        delay = RTO_INITIAL
    left = tcb.rto_ns if advancing else rto_left(tcb, now)
    if 0 < left < delay:
        delay = left
    set_xmit(tcb, LOSS_PROBE, delay, now)
    return True
