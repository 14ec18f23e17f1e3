"""Whether cwnd is what holds the sender back: one that is not used must not grow (RFC 7661 4).

Linux tcp_cwnd_validate, tcp_is_cwnd_limited, tcp_cwnd_restart.
"""

from halfopen.tcp.tcb import INITIAL_CWND, OPEN, Tcb


def is_limited(tcb: Tcb) -> bool:
    """Whether cwnd may grow: in slow start, where more than half of it was used."""
    if tcb.cwnd_limited:
        return True
    return tcb.cwnd < tcb.ssthresh and tcb.cwnd < 2 * tcb.packets_max


def sent(tcb: Tcb, now: int, *, limited: bool) -> None:
    """Note after sending how far cwnd was used; ``limited``: it held something back."""
    out = len(tcb.inflight)
    if tcb.snd_una >= tcb.cwnd_seq or limited or (not tcb.cwnd_limited and out > tcb.packets_max):
        tcb.cwnd_limited = limited
        tcb.packets_max = out
        tcb.cwnd_seq = tcb.snd_nxt
    if is_limited(tcb):
        tcb.cwnd_used = 0
        tcb.cwnd_at = now
        return
    if out > tcb.cwnd_used:
        tcb.cwnd_used = out
    if tcb.config.slow_start_after_idle and now - tcb.cwnd_at >= tcb.rto_ns:
        _application_limited(tcb, now)


def _application_limited(tcb: Tcb, now: int) -> None:
    """Come half-way down to what was used in the last RTO (Linux tcp_cwnd_application_limited)."""
    if tcb.ca_state == OPEN and not tcb.no_room:
        used = max(tcb.cwnd_used, INITIAL_CWND)
        if used < tcb.cwnd:
            tcb.ssthresh = current_ssthresh(tcb)
            tcb.cwnd = (tcb.cwnd + used) >> 1
        tcb.cwnd_used = 0
    tcb.cwnd_at = now


def current_ssthresh(tcb: Tcb) -> int:
    """Keep three quarters of what cwnd had reached (Linux tcpcurrent_ssthresh)."""
    return max(tcb.ssthresh, (tcb.cwnd >> 1) + (tcb.cwnd >> 2))


def before_sending(tcb: Tcb, now: int) -> None:
    """Start slowly again after a pause longer than an RTO (RFC 5681 4.1)."""
    if not tcb.config.slow_start_after_idle or tcb.inflight:
        return
    idle = now - tcb.sent_at
    if idle <= tcb.rto_ns:
        return
    least = min(INITIAL_CWND, tcb.cwnd)
    tcb.ssthresh = current_ssthresh(tcb)
    idle -= tcb.rto_ns
    while idle > 0 and tcb.cwnd > least:
        tcb.cwnd >>= 1
        idle -= tcb.rto_ns
    tcb.cwnd = max(tcb.cwnd, least)
    tcb.cwnd_at = now
    tcb.cwnd_used = 0
