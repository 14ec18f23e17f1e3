"""Round-trip time and retransmission timeout: RFC 6298 with Linux's arithmetic.

Linux tcp_rtt_estimator.

Linux differs from the RFC in two ways: the variance is never less than ``tcp_rto_min_us`` (so the
RTO is the smoothed RTT and 200 ms, not the larger of them), and it falls only once in a round trip.
"""

from typing import Final

from halfopen.base.units import US, S
from halfopen.tcp.jiffies import JIFFY, ceil_jiffies
from halfopen.tcp.minmax import RunningMin
from halfopen.tcp.tcb import Tcb

#: How long the least RTT is remembered, in ticks (Linux tcp_min_rtt_wlen).
LEAST_LASTS: Final = 300 * S // JIFFY


def sample(tcb: Tcb, rtt_us: int, least_us: int, now: int) -> None:
    """Take in one measurement, in µs, and set the RTO anew; the backoff is over.

    Where an ACK covers several segments, ``rtt_us`` is that of the first and ``least_us`` that of
    the last (Linux tcp_ack_update_rtt).
    """
    _remember_least(tcb, least_us, now)
    error = rtt_us if rtt_us > 0 else 1
    srtt = tcb.srtt_us8
    if srtt == 0:
        tcb.srtt_us8 = error << 3
        tcb.mdev_us4 = error << 1
        tcb.rttvar_us = tcb.mdev_max_us = max(tcb.mdev_us4, tcb.config.rto_min_ns // US)
        tcb.rtt_seq = tcb.snd_nxt
    else:
        error -= srtt >> 3
        srtt += error
        tcb.srtt_us8 = srtt if srtt > 0 else 1
        mdev = tcb.mdev_us4
        if error < 0:
            error = -error - (mdev >> 2)
            if error > 0:  # a falling RTT must not look like a rising variance
                error >>= 3
        else:
            error -= mdev >> 2
        mdev += error
        tcb.mdev_us4 = mdev
        if mdev > tcb.mdev_max_us:
            tcb.mdev_max_us = mdev
            tcb.rttvar_us = max(tcb.rttvar_us, mdev)
        if tcb.snd_una > tcb.rtt_seq:
            if tcb.mdev_max_us < tcb.rttvar_us:
                tcb.rttvar_us -= (tcb.rttvar_us - tcb.mdev_max_us) >> 2
            tcb.rtt_seq = tcb.snd_nxt
            tcb.mdev_max_us = tcb.config.rto_min_ns // US
    set_rto(tcb)
    tcb.backoff = 0


def _remember_least(tcb: Tcb, rtt_us: int, now: int) -> None:
    """Keep the least RTT of the last minutes (Linux tcp_update_rtt_min)."""
    if tcb.rtt_least is None:
        tcb.rtt_least = RunningMin()
    at = (now + tcb.config.phase) // JIFFY
    tcb.rtt_min_us = tcb.rtt_least.take(rtt_us or JIFFY // US, at, LEAST_LASTS)


def set_rto(tcb: Tcb) -> None:
    """Compute the RTO from the estimate: whole ticks, at most ``tcp_rto_max_ms``."""
    rto = ceil_jiffies(((tcb.srtt_us8 >> 3) + tcb.rttvar_us) * US)
    most = tcb.config.rto_max_ns
    tcb.rto_ns = rto if rto < most else most


def model_timeout(boundary: int, base_ns: int, rto_max_ns: int) -> int:
    """Return how long ``boundary`` retransmissions last when each waits twice as long.

    Linux tcp_model_timeout.

    ``tcp_retries2`` is a number of retransmissions, but it acts as this time: 15 of them from 200
    ms last 924.6 s.
    """
    thresh = max((rto_max_ns // base_ns).bit_length() - 1, 0)
    if boundary <= thresh:
        return ((2 << boundary) - 1) * base_ns
    return ((2 << thresh) - 1) * base_ns + (boundary - thresh) * rto_max_ns
