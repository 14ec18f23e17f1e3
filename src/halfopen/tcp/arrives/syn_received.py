"""A segment for an embryo: SYN-RECEIVED by a passive OPEN (RFC 9293 3.10.7.4; Linux tcp_check_req).

The checks are those of the synchronized states, cut short: an embryo has no user, no queues and
no window of its own yet. A connection that came to SYN-RECEIVED from SYN-SENT (both ends opened
at once) is not an embryo; ``synchronized`` has it.
"""

from halfopen.tcp import challenge, handshake, paws
from halfopen.tcp.emit import refuse, send_ack
from halfopen.tcp.tcb import Tcb, done
from halfopen.tcp.window import in_window
from halfopen.wire.seq import unwrap, wrap
from halfopen.wire.tcp import ACK, RST, SYN, Segment


def segment_arrives(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Let the checks look; True: the handshake is over, and the segment is the connection's.

    Requires: its listener still listens.
    """
    seq = unwrap(seg.seq, tcb.rcv_nxt)
    return (
        not check_syn_again(tcb, seg, seq, now)
        and not check_ack_number(tcb, seg)
        and not check_window(tcb, seg, seq, now)
        and not check_rst(tcb, seg, seq, now)
        and not check_syn(tcb, seg, seq, now)
        and check_ack(tcb, seg, now)
    )


def check_syn_again(tcb: Tcb, seg: Segment, seq: int, now: int) -> bool:
    """The same SYN once more: our answer was lost; repeat it, and wait longer for theirs."""
    if seg.flags & (SYN | ACK | RST) != SYN or seq != tcb.rcv_nxt - 1:
        return False
    if paws.rejects(tcb, seg, now):
        return False
    if challenge.allows(tcb, seg, now):
        handshake.resend_synack(tcb, now)
        handshake.set_synack_timer(tcb, now)
    return True


def check_ack_number(tcb: Tcb, seg: Segment) -> bool:
    """An ACK of anything but our SYN is answered with an RST; the embryo stays (fifth check)."""
    if seg.flags & (ACK | RST) != ACK or unwrap(seg.ack, tcb.snd_una) == tcb.snd_nxt:
        return False
    refuse(seg, tcb.effects)
    return True


def check_window(tcb: Tcb, seg: Segment, seq: int, now: int) -> bool:
    """First: a segment outside the window is answered with an ACK, unless it is an RST.

    So is one from the past, and one that echoes a timestamp that no SYN,ACK carried.
    """
    end = seq + seg.seq_len()
    if (
        in_window(seq=seq, end=end, left=tcb.rcv_nxt, right=tcb.rcv_nxt + tcb.rcv_wnd)
        and not paws.rejects(tcb, seg, now)
        and paws.echoes_syn(tcb, seg, tcb.sent_at)
    ):
        return False
    if not seg.flags & RST and challenge.allows(tcb, seg, now):
        send_ack(tcb, now)
    return True


def check_rst(tcb: Tcb, seg: Segment, seq: int, now: int) -> bool:
    """Second: an RST with exactly the next number ends the embryo without a word.

    One elsewhere in the window is answered with a challenge ACK (RFC 5961 3.2).
    """
    if not seg.flags & RST:
        return False
    if seq == tcb.rcv_nxt:
        done(tcb, now, why="RST received")
    else:
        challenge.challenge(tcb, now)
    return True


def check_syn(tcb: Tcb, seg: Segment, seq: int, now: int) -> bool:
    """Fourth: a SYN in the window ends it, with an RST.

    The one that began it, now with an ACK and with text that is in the window, is challenged.
    """
    if not seg.flags & SYN:
        return False
    if seq == tcb.rcv_nxt - 1:
        challenge.challenge(tcb, now)
    else:
        refuse(seg, tcb.effects)
        done(tcb, now, why="SYN in the window")
    return True


def check_ack(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Fifth: the ACK of our SYN makes it a connection, if it can wait for accept.

    Under TCP_DEFER_ACCEPT one without text is dropped, while text is waited for.
    """
    listening = tcb.listening
    assert listening is not None, "an embryo without a listener"
    if seg.ts_val >= 0 and tcb.ts_ok:
        paws.update(tcb, seg, unwrap(seg.seq, tcb.rcv_nxt), now)
    if not seg.flags & ACK:
        return False
    if tcb.retransmits < listening.defer_accept and wrap(seg.seq + seg.seq_len()) == wrap(
        tcb.rcv_nxt
    ):
        tcb.acked = True  # LINUX(defer-accept)
        return False
    if listening.accept_queue_full:
        if tcb.config.abort_on_overflow:
            refuse(seg, tcb.effects)
            done(tcb, now, why="the accept queue is full")
        return False
    # Which of several SYN,ACKs it acknowledges is not clear (RFC 6298 3).
    handshake.hatched(tcb, seg, now, answered_at=None if tcb.total_retrans else tcb.sent_at)
    listening.hatch(tcb)
    return True
