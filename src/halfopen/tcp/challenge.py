"""Answers to segments that may be an attacker's, and how often they are given (RFC 5961 7)."""

from halfopen.tcp.emit import send_ack
from halfopen.tcp.tcb import Tcb
from halfopen.wire.tcp import SYN, Segment


def allows(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Whether a segment is answered: always where it has text or FIN, which no loop of ACKs has.

    Linux tcp_oow_rate_limited.
    """
    return (seg.seq_len() > 0 and not seg.flags & SYN) or _in_time(tcb, now)


def _in_time(tcb: Tcb, now: int) -> bool:
    """Whether a further answer may go out: one in ``tcp_invalid_ratelimit``."""
    last = tcb.oow_ack_at
    if last is not None and now - last < tcb.config.invalid_ratelimit_ns:
        return False
    tcb.oow_ack_at = now
    return True


def challenge(tcb: Tcb, now: int) -> None:
    """Send a challenge ACK: a peer that is alive answers it with an exact RST (RFC 5961 3.2, 4.2).

    Linux tcp_send_challenge_ack.
    """
    if _in_time(tcb, now):
        send_ack(tcb, now)
