"""What an ICMP error does to a connection (RFC 9293 3.9.2.2; Linux tcp_v4_err).

Whether the message is about this connection at all, and what errno it means, ``net.icmp`` has
found.
"""

from halfopen.tcp import deadlines, output, recovery, timers
from halfopen.tcp.congestion import usage
from halfopen.tcp.effects import READ, WRITE
from halfopen.tcp.emit import sync_mss
from halfopen.tcp.errqueue import Report
from halfopen.tcp.jiffies import ceil_jiffies
from halfopen.tcp.rtt import set_rto
from halfopen.tcp.states import CONNECTING
from halfopen.tcp.tcb import LOSS, RETRANSMIT, RTO_INITIAL, TCP_HEADER, Tcb, done, wake
from halfopen.wire.address import is_v6


def error(tcb: Tcb, errno: int, *, hard: bool, now: int) -> None:
    """Tell of an error: a hard one ends a connection that is not open yet.

    A soft one is kept, and told instead of ETIMEDOUT if the connection gives up. Under IP_RECVERR
    the user's next call is told of it, and the connection goes on all the same.
    """
    if not hard:
        if tcb.recverr and not tcb.embryo:
            tcb.so_error = errno
            wake(tcb, READ | WRITE)
        else:
            tcb.so_error_soft = errno
        return
    done(tcb, now, why="ICMP error", error=errno)
    listening = tcb.listening
    if tcb.embryo and listening is not None:
        listening.forget(tcb)


def keep(tcb: Tcb, report: Report) -> None:
    """Keep an error about the SYN of a connect (Linux ip_icmp_error, ipv6_icmp_error)."""
    if tcb.errors is None:
        tcb.errors = []
    tcb.errors.append(report)


def revert_backoff(tcb: Tcb, seq: int, now: int) -> None:
    """Take back one doubling of the RTO: the network was there to say that the way is broken.

    RFC 6069 4; Linux tcp_ld_RTO_revert. ``seq`` is that of the segment that was quoted.
    """
    if seq != tcb.snd_una or not tcb.retransmits or not tcb.backoff or not tcb.inflight:
        return
    tcb.backoff -= 1
    if tcb.srtt_us8:
        set_rto(tcb)
    else:
        tcb.rto_ns = RTO_INITIAL
    tcb.rto_ns = min(tcb.rto_ns << tcb.backoff, tcb.config.rto_max_ns)
    left = tcb.rto_ns - ceil_jiffies(now - tcb.inflight[0].sent_at)
    if left > 0:
        timers.set_xmit(tcb, RETRANSMIT, left, now)
    else:
        deadlines.rto_passed(tcb, now)


def mtu_reduced(tcb: Tcb, mtu: int, now: int) -> None:
    """Make smaller segments, and send again what was too big for the way.

    RFC 1191 6; Linux tcp_v4_mtu_reduced. A SYN is not too big, but the next one offers an MSS that
    fits (Linux tcp_advertise_mss); not so in IPv6, which knows no MSS yet that were too big (Linux
    tcp_v6_mtu_reduced), nor where a listener answers (Linux tcp_req_err).
    """
    connecting = tcb.state in CONNECTING
    if mtu >= tcb.mtu or (connecting and (tcb.embryo or is_v6(tcb.flow[0]))):
        return
    tcb.mtu = mtu
    if connecting:
        tcb.adv_mss = min(tcb.adv_mss, mtu - tcb.ip_header - TCP_HEADER)
        return
    sync_mss(tcb)
    _resend_too_big(tcb, now)


def _resend_too_big(tcb: Tcb, now: int) -> None:
    """Linux tcp_simple_retransmit: no sign of congestion, so cwnd stays."""
    lost = tcb.lost_out
    for skb in list(tcb.inflight):
        if len(skb.text) > tcb.mss:
            recovery.mark_lost(tcb, skb)
            output.fragment(tcb, skb)
    if lost == tcb.lost_out:
        return
    if tcb.ca_state != LOSS:
        tcb.high_seq = tcb.snd_nxt
        tcb.ssthresh = usage.current_ssthresh(tcb)
        tcb.ca_state = LOSS
    recovery.send_lost(tcb, now)
