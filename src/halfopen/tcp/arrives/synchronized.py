"""SEGMENT ARRIVES in the synchronized states, and where two opens crossed (RFC 9293 3.10.7.4).

Linux tcp_rcv_established and tcp_rcv_state_process. What has no queues any more, TIME-WAIT among
it, is in ``time_wait``; an embryo is in ``syn_received``.
"""

from typing import Final

from halfopen.tcp import acknowledged, handshake, paws, text, timers
from halfopen.tcp.acking import ack_if_due, enter_quickack
from halfopen.tcp.calls import shutdown_write
from halfopen.tcp.challenge import allows, challenge
from halfopen.tcp.effects import STATE
from halfopen.tcp.emit import refuse, send_ack
from halfopen.tcp.output import push_user
from halfopen.tcp.states import FIN_OUTSTANDING, SYN_RECEIVED, State
from halfopen.tcp.tcb import MSL2, URG_NOTYET, Tcb, done, enter, wake
from halfopen.tcp.window import open_window
from halfopen.wire.seq import unwrap
from halfopen.wire.tcp import ACK, FIN, RST, SYN, URG, Segment

#: The peer's FIN lies behind RCV.NXT: it may reset with the number in front of it.
_AFTER_FIN: Final = frozenset({State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING})


def segment_arrives(tcb: Tcb, seg: Segment, now: int) -> None:
    """Let the RFC's checks look at the segment, one after another."""
    seq = unwrap(seg.seq, tcb.rcv_nxt)
    flags = seg.flags
    if not flags & (ACK | RST | SYN):
        return  # LINUX(no-ack-no-answer)
    if not check_sequence(tcb, seg, now, seq=seq):
        return
    if flags & RST:
        check_rst(tcb, now, seq=seq)
        return
    # Third: Linux has no security compartments.
    if flags & SYN and not check_syn(tcb, seg, now, seq=seq):
        return
    if not check_ack(tcb, seg, now, seq=seq):
        return
    if flags & URG or tcb.urg_data == URG_NOTYET:
        text.check_urg(tcb, seg, seq)
    if not text.segment_text(tcb, seg, now, seq=seq):
        refuse(seg, tcb.effects)
        return
    if tcb.unsent:
        push_user(tcb, now)
    if tcb.no_room:
        acknowledged.make_room(tcb)
    if tcb.ack_pending:
        ack_if_due(tcb, now)


def check_sequence(tcb: Tcb, seg: Segment, now: int, *, seq: int) -> bool:
    """First: a segment from the past, or outside the window, is answered with an ACK.

    Linux tcp_validate_incoming, steps 0 and 1: PAWS before all. False: it is dealt with.
    """
    end = seq + seg.seq_len()
    old = tcb.ts_ok and seg.ts_val >= 0 and paws.discards(tcb, seg, seq, now)
    if old and not seg.flags & RST:
        if seg.flags & SYN:
            challenge(tcb, now)
            return False
        # A bare ACK was only overtaken: the peer is further on (Linux tcp_disordered_ack_check).
        if not (seg.flags & ACK and end == seq < tcb.rcv_nxt):
            _answer_unacceptable(tcb, seg, now, seq=seq, end=end)
        return False
    right = tcb.rcv_nxt + open_window(tcb)
    if end >= tcb.rcv_wup and (
        end - (seg.flags & FIN) <= right
        # One that goes on beyond the window is taken where nothing waits for the reader.
        or (seq <= right and not tcb.rcv_queued and not tcb.fin_queued)
    ):
        return True
    if seg.flags & RST:
        if _resets_behind_fin(tcb, seq):
            reset(tcb, now)
    elif seg.flags & SYN:
        challenge(tcb, now)
    else:
        _answer_unacceptable(tcb, seg, now, seq=seq, end=end)
    return False


def _answer_unacceptable(tcb: Tcb, seg: Segment, now: int, *, seq: int, end: int) -> None:
    """Say where we are; what is repeated goes into a D-SACK (Linux tcp_send_dupack)."""
    if not allows(tcb, seg, now):
        return
    if end != seq and seq < tcb.rcv_nxt:
        enter_quickack(tcb)
        if tcb.sack_ok:
            tcb.dsack = (seq, min(end, tcb.rcv_nxt))
    send_ack(tcb, now)


def check_rst(tcb: Tcb, now: int, *, seq: int) -> None:
    """Second: an RST with exactly the next number ends the connection.

    One elsewhere in the window is answered with a challenge ACK (RFC 5961 3.2).
    """
    if seq == tcb.rcv_nxt or _resets_behind_fin(tcb, seq) or _resets_behind_sacked(tcb, seq):
        reset(tcb, now)
    else:
        challenge(tcb, now)


def _resets_behind_fin(tcb: Tcb, seq: int) -> bool:
    """Whether an RST has the number that was right before the peer's FIN.

    Linux tcp_reset_check.
    """
    return seq == tcb.rcv_nxt - 1 and tcb.state in _AFTER_FIN


def _resets_behind_sacked(tcb: Tcb, seq: int) -> bool:
    """Whether an RST has the number behind all that we would report by SACK.

    Linux tcp_validate_incoming.
    """
    return bool(tcb.sacks) and seq == max([end for _, end in tcb.sacks])


def reset(tcb: Tcb, now: int) -> None:
    """End the connection because the peer says so (Linux tcp_reset)."""
    done(tcb, now, why="RST received", error=text.reset_errno(tcb))


def check_syn(tcb: Tcb, seg: Segment, now: int, *, seq: int) -> bool:
    """Fourth: a SYN in a connection is answered with a challenge ACK (RFC 5961 4.2).

    True where it is the SYN,ACK of two opens that crossed, and goes on.
    """
    if (
        tcb.state is SYN_RECEIVED
        and seg.flags & ACK
        and seq + 1 == tcb.rcv_nxt
        and seg.seq_len() == 1
        and unwrap(seg.ack, tcb.snd_una) == tcb.snd_nxt
    ):
        return True
    challenge(tcb, now)
    return False


def check_ack(tcb: Tcb, seg: Segment, now: int, *, seq: int) -> bool:
    """Fifth: take in what is acknowledged, and move on where our SYN or FIN was.

    False: the segment is dealt with. Requires: it has an ACK; what has none went before.
    """
    assert seg.flags & ACK, "only an RST or a SYN goes without ACK, and they went before"
    ack = unwrap(seg.ack, tcb.snd_una)
    if tcb.state is SYN_RECEIVED:
        if not tcb.snd_una <= ack <= tcb.snd_nxt:
            refuse(seg, tcb.effects)
            return False
        if tcb.ts_ok and seg.ts_val >= 0:
            paws.update(tcb, seg, seq, now)
        _cross_over(tcb, seg, now, seq=seq, ack=ack)
        return True
    if ack > tcb.snd_nxt:  # nothing that we have sent
        challenge(tcb, now)
        return False
    if ack < tcb.snd_una:
        if ack < tcb.snd_una - min(tcb.max_window, tcb.snd_una - tcb.acked_from):  # RFC 5961 5.2
            challenge(tcb, now)
            return False
        return True
    if tcb.ts_ok and seg.ts_val >= 0:
        paws.update(tcb, seg, seq, now)
    acknowledged.process(tcb, seg, now, seq=seq, ack=ack)
    if tcb.state in FIN_OUTSTANDING and tcb.snd_una == tcb.write_seq:
        return _fin_acknowledged(tcb, seg, now, seq=seq)
    return True


def _cross_over(tcb: Tcb, seg: Segment, now: int, *, seq: int, ack: int) -> None:
    """Both SYNs are acknowledged: the connection is open."""
    acknowledged.process(tcb, seg, now, seq=seq, ack=ack)
    tcb.snd_una = ack
    tcb.snd_wnd = seg.wnd << tcb.snd_wscale
    tcb.snd_wl1 = seq
    handshake.established(tcb, now, why="ACK of our SYN")
    tcb.predicts = True
    if tcb.snd_shutdown:
        shutdown_write(tcb, now)


def _fin_acknowledged(tcb: Tcb, seg: Segment, now: int, *, seq: int) -> bool:
    """Move on: all that we sent has arrived, our FIN too. False: the segment is dealt with."""
    if tcb.state is State.CLOSING:
        text.enter_time_wait(tcb, now, why="ACK of our FIN")
        return False
    if tcb.state is State.LAST_ACK:
        done(tcb, now, why="ACK of our FIN")
        return False
    enter(tcb, State.FIN_WAIT_2, now, why="ACK of our FIN")
    wake(tcb, STATE)
    if not tcb.orphan:
        return True
    # Nobody will read: wait for the peer's FIN, but not for ever.  LINUX(fin-wait-2-ends)
    if tcb.linger2_ns < 0:
        done(tcb, now, why="TCP_LINGER2 is negative")
        refuse(seg, tcb.effects)
        return False
    if seg.seq_len() and seq + len(seg.text) > tcb.rcv_nxt:
        done(tcb, now, why="text after close")
        refuse(seg, tcb.effects)
        return False
    wait = timers.fin_time(tcb)
    if wait > MSL2:
        timers.set_keepalive(tcb, wait - MSL2, now)
        return True
    if seg.flags & FIN:  # it is not the last word: TIME-WAIT follows at once
        timers.set_keepalive(tcb, wait, now)
        return True
    text.become_minisock(tcb, wait, now)
    return False
