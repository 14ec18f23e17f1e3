"""SEGMENT ARRIVES in SYN-SENT (RFC 9293 3.10.7.3; Linux tcp_rcv_synsent_state_process)."""

from errno import ECONNREFUSED

from halfopen.tcp import acknowledged, handshake, paws, text, timers
from halfopen.tcp.acking import enter_quickack, in_pingpong
from halfopen.tcp.emit import refuse, send_ack, send_syn
from halfopen.tcp.states import State
from halfopen.tcp.tcb import ACK_SCHED, DELACK_MAX, RETRANSMIT, Tcb, done, enter
from halfopen.wire.seq import unwrap
from halfopen.wire.tcp import ACK, RST, SYN, URG, Segment


def segment_arrives(tcb: Tcb, seg: Segment, now: int) -> None:
    """Let the RFC's checks look at the segment, one after another."""
    dealt_with = any(check(tcb, seg, now) for check in CHECKS)
    assert dealt_with, "the last check drops what no other has taken"


def check_ack(tcb: Tcb, seg: Segment, now: int) -> bool:
    """First: an ACK of anything but our SYN is answered with an RST, or dropped where it is one.

    Our second SYN then goes at once. An echo of a timestamp that this SYN did not carry is answered
    alike.
    """
    if not seg.flags & ACK:
        return False
    ack = unwrap(seg.ack, tcb.snd_una)
    if not tcb.snd_una < ack <= tcb.snd_nxt:
        if not tcb.retransmits:  # the next SYN does not wait (Linux tcp_rcv_synsent_state_process)
            timers.set_xmit(tcb, RETRANSMIT, timers.TIMEOUT_MIN, now)
        refuse(seg, tcb.effects)
        return True
    if not paws.echoes_syn(tcb, seg, now):
        refuse(seg, tcb.effects)
        return True
    return False


def check_rst(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Second: an RST that acknowledges our SYN ends the attempt; one without ACK means nothing."""
    if not seg.flags & RST:
        return False
    if seg.flags & ACK:
        # LINUX(refused-not-reset)
        done(tcb, now, why="RST received", error=ECONNREFUSED)
    return True


def check_security(tcb: Tcb, seg: Segment, now: int) -> bool:  # noqa: ARG001  one signature for all
    """Third: Linux has no security compartments (RFC 9293 3.10.7.3 third)."""
    return False


def check_syn(tcb: Tcb, seg: Segment, now: int) -> bool:
    """Fourth: a SYN,ACK opens the connection, a SYN alone crosses ours. Fifth: drop the rest.

    So is a SYN alone from before a TIME-WAIT whose place we take.
    """
    if not seg.flags & SYN or (not seg.flags & ACK and paws.rejects(tcb, seg, now)):
        return True
    tcb.irs = seg.seq
    tcb.rcv_nxt = seg.seq + 1
    tcb.rcv_wup = tcb.copied_seq = tcb.rcv_nxt
    if seg.flags & ACK:
        _open(tcb, seg, now)
    else:
        _cross(tcb, seg, now)
    return True


def _open(tcb: Tcb, seg: Segment, now: int) -> None:
    """Our SYN is acknowledged; acknowledge theirs, or wait for data to ride on."""
    tcb.snd_wl1 = tcb.irs
    acknowledged.process(tcb, seg, now, seq=tcb.irs, ack=unwrap(seg.ack, tcb.snd_una))
    handshake.agree(tcb, seg, now)
    tcb.snd_wnd = seg.wnd  # the window of a SYN is never scaled (RFC 7323 2.2)
    tcb.rcv_data_at = now
    handshake.established(tcb, now, why="SYN,ACK received")
    if tcb.write_waits or tcb.defer_accept or in_pingpong(tcb):
        # Linux: the ACK rides on the data that will follow
        tcb.ack_pending |= ACK_SCHED
        enter_quickack(tcb)
        timers.set_delack(tcb, DELACK_MAX, now)
    else:
        send_ack(tcb, now)
        if seg.flags & URG:
            text.check_urg(tcb, seg, tcb.irs)


def _cross(tcb: Tcb, seg: Segment, now: int) -> None:
    """Both ends opened at once (RFC 9293 3.5, figure 8): send our SYN again, with an ACK."""
    scale, clamp = tcb.rcv_wscale, tcb.window_clamp
    handshake.agree(tcb, seg, now)
    tcb.rcv_wscale, tcb.window_clamp = scale, clamp  # LINUX(crossed-opens-scale)
    tcb.snd_wnd = tcb.max_window = seg.wnd
    tcb.snd_wl1 = tcb.irs
    enter(tcb, State.SYN_RECEIVED, now, why="SYN received")
    tcb.inflight[0].flags |= ACK
    send_syn(tcb, tcb.inflight[0].flags, now)


CHECKS = (check_ack, check_rst, check_security, check_syn)
