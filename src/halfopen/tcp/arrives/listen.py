"""A segment for a listener (RFC 9293 3.10.7.2): a SYN begins a connection."""

from typing import Final

from halfopen.tcp import handshake, syncookies
from halfopen.tcp.emit import refuse
from halfopen.tcp.listening import Listening
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb, enter
from halfopen.wire.tcp import ACK, FIN, RST, SYN, Segment

#: tcp_syncookies that asks for cookies also where there is room.
COOKIES_ALWAYS: Final = 2


def segment_arrives(
    listening: Listening, seg: Segment, now: int, *, mtu: int, iss: int | None = None
) -> Tcb | None:
    """Take a segment that belongs to no connection; return the one that it begins, if any.

    That is an embryo, or, where a cookie was acknowledged, a connection that the segment is then
    for. ``mtu`` is the way's back to the sender; ``iss`` is given where a TIME-WAIT makes way.
    """
    if check_rst(seg):
        return None
    if seg.flags & ACK:
        return check_ack(listening, seg, now, mtu=mtu)
    return check_syn(listening, seg, now, mtu=mtu, iss=iss)


def check_rst(seg: Segment) -> bool:
    """First: an RST means nothing here."""
    return bool(seg.flags & RST)


def check_ack(listening: Listening, seg: Segment, now: int, *, mtu: int) -> Tcb | None:
    """Second: an ACK acknowledges what was never sent; answer with an RST.

    Unless it was a SYN cookie: then the connection is open, if it can wait for accept, and if not
    nothing is said (Linux tcp_get_cookie_sock).
    """
    tcb = syncookies.check(listening, seg, now, mtu=mtu)
    if tcb is None:
        refuse(seg, listening.effects)
        return None
    if listening.accept_queue_full:
        return None
    enter(tcb, State.SYN_RECEIVED, now, why="ACK of a SYN cookie")
    handshake.hatched(tcb, seg, now, answered_at=None)
    listening.hatch(tcb)
    return tcb


def check_syn(
    listening: Listening, seg: Segment, now: int, *, mtu: int, iss: int | None
) -> Tcb | None:
    """Third: begin a connection, if there is room (Linux tcp_conn_request).

    Where there is none for embryos, answer with a cookie. Fourth: what is not a SYN is dropped. So
    is a SYN with FIN (Linux tcp_rcv_state_process).
    """
    if not seg.flags & SYN or seg.flags & FIN or listening.accept_queue_full:
        return None
    if iss is None:
        cookies = listening.config.syncookies
        if cookies and (cookies == COOKIES_ALWAYS or listening.syn_queue_full):
            syncookies.answer(listening, seg, now, mtu=mtu)
            return None
        # Linux lets hosts whose metrics it has kept go on where the last quarter is left.
        if not cookies and (listening.syn_queue_full or listening.last_quarter):
            return None
    source, sport, destination, dport = seg.flow
    tcb = listening.new_embryo((destination, dport, source, sport), now, mtu=mtu, iss=iss)
    handshake.syn_received(tcb, seg, now)
    enter(tcb, State.SYN_RECEIVED, now, why="SYN received")
    handshake.send_synack(tcb, now)
    return tcb
