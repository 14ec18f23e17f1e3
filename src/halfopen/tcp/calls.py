"""What a user asks of a connection: OPEN SEND RECEIVE CLOSE ABORT STATUS.

RFC 9293 3.10.1 to 3.10.6.
"""

from errno import EAGAIN, ECONNRESET, EINVAL, ENOTCONN
from typing import Final

from halfopen.tcp import acking, autotune, emit, handshake, output, reassembly, timers, urgent
from halfopen.tcp.buffers import SEND_OVERHEAD, size_goal
from halfopen.tcp.congestion import usage
from halfopen.tcp.effects import READ, STATE
from halfopen.tcp.listening import Listening
from halfopen.tcp.skb import Skb
from halfopen.tcp.states import State
from halfopen.tcp.tcb import MSL2, RETRANSMIT, URG_READ, URG_VALID, Tcb, done, enter, wake
from halfopen.tcp.text import become_minisock
from halfopen.wire.tcp import PSH, SYN

#: What the peer is told of by an RST when the connection is broken off (Linux tcp_need_reset).
_NEEDS_RESET: Final = frozenset(
    {
        State.ESTABLISHED,
        State.CLOSE_WAIT,
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.SYN_RECEIVED,
    }
)


def open_active(tcb: Tcb, now: int) -> None:
    """OPEN, active: send a SYN (RFC 9293 3.10.1; Linux tcp_connect)."""
    handshake.offer(tcb)
    skb = Skb(tcb.iss, b"", SYN)
    skb.sent_at = tcb.syn_sent_at = tcb.retrans_at = tcb.rcv_ack_at = now
    tcb.inflight.append(skb)
    tcb.snd_nxt = tcb.write_seq = skb.end_seq
    tcb.pushed_seq = tcb.snd_nxt
    enter(tcb, State.SYN_SENT, now, why="connect")
    emit.send_syn(tcb, SYN, now)
    timers.set_xmit(tcb, RETRANSMIT, tcb.rto_ns, now)


def send(tcb: Tcb, data: bytes, now: int, *, push: bool = True, is_urgent: bool = False) -> int:
    """SEND: take bytes for the peer and return how many; fewer where the buffer is full.

    RFC 9293 3.10.2; Linux tcp_sendmsg_locked. ``push`` is False where more will follow (MSG_MORE).
    ``is_urgent``: the last octet taken is (MSG_OOB; Linux tcp_mark_urg).
    Requires: the state is in MAY_SEND, and the send side is not shut.
    """
    size = len(data)
    at = 0
    unsent = tcb.unsent
    usage.before_sending(tcb, now)
    if tcb.sacks or tcb.dsack is not None or tcb.sack_room:
        emit.fit_mss(tcb)
    goal = tcb.mss if size <= tcb.mss and not unsent else size_goal(tcb)
    while at < size:
        room = goal - len(unsent[-1].text) if unsent else 0
        left = size - at
        if room > 0:
            room = min(room, left)
            last = unsent[-1]
            last.text += data[at : at + room]
            last.end_seq += room
            last.cost += room
            if not at:
                last.flags &= ~PSH  # it does not end here any more (Linux tcp_sendmsg_locked)
        elif tcb.has_room():
            room = left if left < goal else goal
            last = Skb(tcb.write_seq, data if room == size else data[at : at + room], 0)
            last.cost += SEND_OVERHEAD
            tcb.snd_queued += SEND_OVERHEAD
            tcb.nagle_push = False
            unsent.append(last)
        else:
            break
        at += room
        tcb.write_seq += room
        tcb.snd_queued += room
        if len(last.text) >= goal and at < size and not is_urgent:
            _push_on(tcb, last, now)
    if is_urgent and at:
        tcb.snd_up = tcb.write_seq
    if at < size:
        _mark_pushed(tcb)
        output.push(tcb, now, output.NAGLE_PUSH)
    elif push:
        _mark_pushed(tcb)
        output.push_user(tcb, now)
    else:
        output.push(tcb, now, output.NAGLE_CORK)
    return at


def _mark_pushed(tcb: Tcb) -> None:
    """Ask for the PSH flag on what was written last (Linux tcp_mark_push)."""
    if tcb.unsent:
        tcb.unsent[-1].flags |= PSH
        tcb.pushed_seq = tcb.write_seq


def _push_on(tcb: Tcb, last: Skb, now: int) -> None:
    """A buffer is full and more follows.

    Send it already, with PSH once half a window was written.
    """
    if tcb.write_seq > tcb.pushed_seq + (tcb.max_window >> 1):
        last.flags |= PSH
        tcb.pushed_seq = tcb.write_seq
        output.push(tcb, now, output.NAGLE_PUSH)
    elif tcb.unsent[0] is last:
        output.push_one(tcb, now)


def set_nodelay(tcb: Tcb, now: int, *, on: bool) -> None:
    """Switch Nagle's algorithm off, or on; off, what is queued goes at once, from under a cork too.

    Linux __tcp_sock_set_nodelay.
    """
    tcb.nodelay = on
    if on:
        tcb.nagle_push = True
        output.push_user(tcb, now)


def set_cork(tcb: Tcb, now: int, *, on: bool) -> None:
    """Hold small segments back, or let them go (Linux __tcp_sock_set_cork)."""
    tcb.cork = on
    if not on:
        tcb.nagle_push = tcb.nagle_push or tcb.nodelay
        output.push_user(tcb, now)


def receive(tcb: Tcb, size: int, now: int, *, peek: bool = False) -> bytes:
    """RECEIVE: give at most ``size`` bytes of what has come; b"" where nothing is there.

    RFC 9293 3.10.3; Linux tcp_recvmsg_locked. It ends in front of urgent data; beginning there it
    leaves the urgent octet out, unless that is to stay in the stream.
    """
    if size <= 0:
        return b""
    if not tcb.rcv_queued:
        tcb.fin_queued = tcb.fin_queued and peek
        return b""
    if tcb.urg_data:
        return _receive_urgent(tcb, size, now, peek=peek)
    return _receive(tcb, size, now, peek=peek)


def _receive_urgent(tcb: Tcb, size: int, now: int, *, peek: bool) -> bytes:
    """RECEIVE around the mark."""
    ahead = tcb.rcv_up - tcb.copied_seq
    if ahead > 0:
        return _receive(tcb, min(size, ahead), now, peek=peek)
    assert not ahead, "the reader is behind the mark, and urgent data is still there"
    if peek:
        return reassembly.peek(tcb, size) if tcb.oobinline else reassembly.peek(tcb, size + 1)[1:]
    if tcb.oobinline:
        data = _receive(tcb, size, now, peek=False)
        urgent.passed(tcb)
        return data
    reassembly.take(tcb, 1)
    urgent.passed(tcb)
    return receive(tcb, size, now)


def receive_urgent(tcb: Tcb, *, peek: bool = False) -> tuple[int, int]:
    """RECEIVE the urgent octet: an errno, or 0 and the octet, which is -1 at the end.

    It is read once: afterwards, as without one, it is EINVAL. Linux tcp_recv_urg.
    """
    urg_data = tcb.urg_data
    if tcb.oobinline or not urg_data or urg_data == URG_READ:
        return (EINVAL, 0)
    closed = tcb.state is State.CLOSED or tcb.minisock
    if closed and not tcb.fin_received:
        return (ENOTCONN, 0)
    if urg_data & URG_VALID:
        if not peek:
            tcb.urg_data = URG_READ
        return (0, urg_data & 0xFF)
    if closed or tcb.rcv_shutdown:
        return (0, -1)
    return (EAGAIN, 0)


def _receive(tcb: Tcb, size: int, now: int, *, peek: bool) -> bytes:
    if peek:
        return reassembly.peek(tcb, size)
    autotune.user_reads(tcb, min(size, len(tcb.ready[0]) - tcb.ready_offset), now)
    data = reassembly.take(tcb, size)
    acking.user_read(tcb, len(data), now)
    return data


def shutdown_read(tcb: Tcb, now: int) -> None:  # noqa: ARG001  as every call
    """Receive no more: from now on the user gets the end. The peer is not told."""
    tcb.rcv_shutdown = True
    wake(tcb, READ | STATE)


def shutdown_write(tcb: Tcb, now: int) -> None:
    """CLOSE the way to the peer, and go on receiving: half-close.

    RFC 9293 3.6; Linux tcp_shutdown.
    """
    tcb.snd_shutdown = True
    if tcb.state is State.ESTABLISHED:
        enter(tcb, State.FIN_WAIT_1, now, why="shutdown")
    elif tcb.state is State.CLOSE_WAIT:
        enter(tcb, State.LAST_ACK, now, why="shutdown")
    else:
        return  # where the handshake is under way, the FIN follows it
    output.queue_fin(tcb, now)


def close(tcb: Tcb, now: int, *, linger: int | None = None) -> None:
    """CLOSE by the last descriptor (RFC 9293 3.10.4; Linux __tcp_close).

    With data that nobody read, or ``linger`` 0, the peer gets an RST. Else a FIN, and the
    connection goes on by itself, as an orphan.
    """
    tcb.rcv_shutdown = tcb.snd_shutdown = True
    tcb.fin_queued = False
    unread = tcb.rcv_queued > 0
    tcb.orphan = True
    if tcb.minisock or tcb.state is State.CLOSED:
        return
    if unread:
        reassembly.take(tcb, tcb.rcv_queued)  # it takes no room any more: the RST's window is open
        emit.send_reset(tcb, now)  # LINUX(unread-data-resets)
        done(tcb, now, why="closed with unread data")
        return
    if linger == 0:
        abort(tcb, now)
        return
    if tcb.state is State.SYN_SENT:
        done(tcb, now, why="close")
    elif tcb.state in {State.ESTABLISHED, State.SYN_RECEIVED}:
        enter(tcb, State.FIN_WAIT_1, now, why="close")
        output.queue_fin(tcb, now)
    elif tcb.state is State.CLOSE_WAIT:
        enter(tcb, State.LAST_ACK, now, why="close")
        output.queue_fin(tcb, now)
    elif tcb.state is State.FIN_WAIT_2:
        _orphan_in_fin_wait_2(tcb, now)


def _orphan_in_fin_wait_2(tcb: Tcb, now: int) -> None:
    """Wait for the peer's FIN for tcp_fin_timeout, or TCP_LINGER2."""
    # Not for ever: LINUX(fin-wait-2-ends)
    if tcb.linger2_ns < 0:
        emit.send_reset(tcb, now)
        done(tcb, now, why="TCP_LINGER2 is negative")
        return
    wait = timers.fin_time(tcb)
    if wait > MSL2:
        timers.set_keepalive(tcb, wait - MSL2, now)
    else:
        become_minisock(tcb, wait, now)


def abort(tcb: Tcb, now: int) -> None:
    """ABORT: forget the connection; tell the peer with an RST.

    RFC 9293 3.10.5; Linux tcp_disconnect.
    """
    if tcb.minisock or tcb.state is State.CLOSED:
        return
    half_sent = tcb.snd_nxt != tcb.write_seq and tcb.state in {State.CLOSING, State.LAST_ACK}
    if tcb.state in _NEEDS_RESET or half_sent:
        emit.send_reset(tcb, now)
    done(tcb, now, why="abort", error=ECONNRESET)


def close_listening(listening: Listening, now: int) -> None:
    """Stop listening: who waits for accept is reset, embryos are forgotten.

    Linux inet_csk_listen_stop.
    """
    listening.closed = True
    for tcb in listening.ready:
        tcb.orphan = True
        abort(tcb, now)
    listening.ready.clear()
