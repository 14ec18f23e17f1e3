"""Reno: slow start, congestion avoidance, half on loss (RFC 5681 3.1)."""

from halfopen.tcp.congestion import usage
from halfopen.tcp.tcb import Tcb


def acked(tcb: Tcb, segments: int) -> None:
    """Let cwnd grow for segments that were acknowledged, if it was what held us back."""
    if not usage.is_limited(tcb):
        return
    if tcb.cwnd < tcb.ssthresh:
        grown = min(tcb.cwnd + segments, tcb.ssthresh)
        segments -= grown - tcb.cwnd
        tcb.cwnd = grown
        if not segments:
            return
    tcb.cwnd_cnt += segments
    if tcb.cwnd_cnt >= tcb.cwnd:
        tcb.cwnd += tcb.cwnd_cnt // tcb.cwnd
        tcb.cwnd_cnt = 0


def ssthresh(tcb: Tcb) -> int:
    """Return the slow-start threshold after a loss: half of cwnd, at least 2."""
    return max(tcb.cwnd >> 1, 2)
