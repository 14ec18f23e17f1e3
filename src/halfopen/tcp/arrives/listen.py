"""A segment for a listener (RFC 9293 3.10.7.2): a SYN begins a connection."""

from halfopen.tcp import handshake
from halfopen.tcp.emit import refuse
from halfopen.tcp.listening import Listening
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb, enter
from halfopen.wire.tcp import ACK, FIN, RST, SYN, Segment


def segment_arrives(
    listening: Listening, seg: Segment, now: int, *, mtu: int, iss: int | None = None
) -> Tcb | None:
    """Take a segment that belongs to no connection; return the one that it begins, if any.

    ``mtu`` is the way's back to the sender; ``iss`` is given where a TIME-WAIT makes way.
    """
    if check_rst(seg) or check_ack(listening, seg):
        return None
    return check_syn(listening, seg, now, mtu=mtu, iss=iss)


def check_rst(seg: Segment) -> bool:
    """First: an RST means nothing here."""
    return bool(seg.flags & RST)


def check_ack(listening: Listening, seg: Segment) -> bool:
    """Second: an ACK acknowledges what was never sent; answer with an RST."""
    if not seg.flags & ACK:
        return False
    refuse(seg, listening.effects)
    return True


def check_syn(
    listening: Listening, seg: Segment, now: int, *, mtu: int, iss: int | None
) -> Tcb | None:
    """Third: begin a connection, if there is room (Linux tcp_conn_request).

    Fourth: what is not a SYN is dropped. So is a SYN with FIN (Linux tcp_rcv_state_process).
    """
    if not seg.flags & SYN or seg.flags & FIN:
        return None
    if listening.syn_queue_full or listening.accept_queue_full:
        return None
    source, sport, destination, dport = seg.flow
    tcb = listening.new_embryo((destination, dport, source, sport), now, mtu=mtu, iss=iss)
    handshake.syn_received(tcb, seg, now)
    enter(tcb, State.SYN_RECEIVED, now, why="SYN received")
    handshake.send_synack(tcb, now)
    return tcb
