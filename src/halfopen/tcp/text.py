"""What a segment brings: urgent data, text, FIN (RFC 9293 3.10.7.4, sixth to eighth step)."""

from errno import ECONNRESET, EPIPE

from halfopen.tcp import admission, autotune, reassembly, timers, urgent
from halfopen.tcp.acking import data_received, early_received, enter_quickack
from halfopen.tcp.effects import READ, STATE
from halfopen.tcp.emit import send_ack
from halfopen.tcp.states import ESTABLISHED, State
from halfopen.tcp.tcb import ACK_NOMEM, ACK_NOW, ACK_SCHED, MSL2, URG_NOTYET, Tcb, done, enter, wake
from halfopen.tcp.window import open_window, predict
from halfopen.wire.tcp import FIN, SYN, URG, Segment

_TAKES_TEXT = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})


def check_urg(tcb: Tcb, seg: Segment, seq: int) -> None:
    """Sixth: note where urgent data ends, and take it out of the segment that brings it.

    Linux tcp_urg.
    """
    if seg.flags & URG:  # LINUX(urgent-after-fin)
        urgent.arrives(tcb, seq, seg.urg)
    if tcb.urg_data == URG_NOTYET:
        urgent.look_for(tcb, seg, seq)


def segment_text(tcb: Tcb, seg: Segment, now: int, *, seq: int) -> bool:
    """Seventh: put the text in order, and eighth: the FIN after it.

    False: the segment is to be answered with an RST. Requires: it overlaps the window.
    """
    size = len(seg.text)
    end = seq + size
    fin = seg.flags & FIN
    if not size and not fin:
        if seg.flags & SYN:  # of two opens that crossed
            _duplicate(tcb, seq, seq + 1)
        return True
    if tcb.state is not ESTABLISHED:
        if tcb.state not in _TAKES_TEXT and seq >= tcb.rcv_nxt:
            return True  # after the peer's FIN there is nothing to come
        if tcb.rcv_shutdown and end > tcb.rcv_nxt:
            # Nobody will read it: RFC 9293 3.6.1, RFC 1122 4.2.2.13.
            done(tcb, now, why="text after close", error=reset_errno(tcb))
            return False
    if seq > tcb.rcv_nxt:
        _early(tcb, seg, seq=seq)
        return True
    if end + fin <= tcb.rcv_nxt:
        _duplicate(tcb, seq, end + fin)
        return True
    if seq < tcb.rcv_nxt and size and tcb.sack_ok:
        tcb.dsack = (seq, min(tcb.rcv_nxt, end))
    if size and not _let_in(tcb, seg, seq=seq, end=end):
        return True
    fresh = seg.text[tcb.rcv_nxt - seq :] if seq < tcb.rcv_nxt else seg.text
    if fresh:
        autotune.measure_rtt_by_timestamp(tcb, seg, now)
        reassembly.append(tcb, fresh)
        if not tcb.predicts:
            predict(tcb)
    if size:
        data_received(tcb, size, seg.flags, now)
    if fin:
        tcb.fin_queued = not tcb.rcv_queued
        check_fin(tcb, now)
    elif tcb.ooo:
        if reassembly.join(tcb):
            check_fin(tcb, now)
        if not tcb.ooo and not tcb.minisock:
            tcb.ack_pending |= ACK_NOW  # RFC 5681 4.2: a gap was filled
    if fresh and not tcb.orphan:
        wake(tcb, READ)
    return True


def _let_in(tcb: Tcb, seg: Segment, *, seq: int, end: int) -> bool:
    """Whether the receive queue takes a segment; if not, the sender is told at once.

    Linux tcp_data_queue.
    """
    room = open_window(tcb)
    if not room:
        enter_quickack(tcb)
        tcb.ack_pending |= ACK_SCHED | ACK_NOW
        return False
    takes = reassembly.cost(tcb, end - seq)
    if seq == tcb.rcv_nxt and admission.is_predicted(tcb, seg, takes, end=end, right=seq + room):
        return True
    if not admission.admit(tcb, takes, seq):
        tcb.ack_pending |= ACK_SCHED | ACK_NOW | ACK_NOMEM
        wake(tcb, READ)
        return not tcb.ready
    return True


def reset_errno(tcb: Tcb) -> int:
    """Return what the user is told when the connection is reset (Linux tcp_reset)."""
    if tcb.state is State.CLOSE_WAIT:
        return EPIPE  # LINUX(reset-in-close-wait)
    return ECONNRESET


def _duplicate(tcb: Tcb, seq: int, end: int) -> None:
    """Answer what we have already: at once, with a D-SACK (RFC 2883 4)."""
    if tcb.sack_ok:
        tcb.dsack = (seq, end)
    enter_quickack(tcb)
    tcb.ack_pending |= ACK_SCHED | ACK_NOW


def _early(tcb: Tcb, seg: Segment, *, seq: int) -> None:
    """Keep text that came before its turn, and say so at once (RFC 5681 4.2).

    Where there is no memory for it, it is dropped without a word (Linux tcp_data_queue_ofo).
    """
    if seq >= tcb.rcv_nxt + open_window(tcb):
        enter_quickack(tcb)
        tcb.ack_pending |= ACK_SCHED | ACK_NOW
        return
    if not admission.admit(tcb, reassembly.cost(tcb, len(seg.text)), seq):
        wake(tcb, READ)
        return
    tcb.ack_pending |= ACK_SCHED | ACK_NOW
    tcb.predicts = False
    takes = reassembly.insert(tcb, seq, seg.text, fin=bool(seg.flags & FIN))
    early_received(tcb, len(seg.text), seg.flags, takes=takes)
    if not tcb.orphan and tcb.listening is None:  # somebody holds it
        autotune.grow(tcb, tcb.rcvq_space)


def check_fin(tcb: Tcb, now: int) -> None:
    """Eighth: the peer will send no more (RFC 9293 3.10.7.4; Linux tcp_fin)."""
    tcb.rcv_nxt += 1
    tcb.ack_pending |= ACK_SCHED
    tcb.fin_received = True
    tcb.rcv_shutdown = True
    if tcb.state is State.ESTABLISHED or tcb.state is State.SYN_RECEIVED:
        enter(tcb, State.CLOSE_WAIT, now, why="FIN received")
        tcb.pingpong = tcb.config.pingpong_thresh
    elif tcb.state is State.FIN_WAIT_1:
        send_ack(tcb, now)
        enter(tcb, State.CLOSING, now, why="FIN received")
    elif tcb.state is State.FIN_WAIT_2:
        send_ack(tcb, now)
        enter_time_wait(tcb, now, why="FIN received")
    reassembly.drop_early(tcb)
    wake(tcb, READ | STATE)


def enter_time_wait(tcb: Tcb, now: int, *, why: str) -> None:
    """Enter TIME-WAIT for 2MSL: only the sequence numbers are kept.

    RFC 9293 3.4.2; Linux tcp_time_wait.
    """
    enter(tcb, State.TIME_WAIT, now, why=why)
    become_minisock(tcb, MSL2, now)
    wake(tcb, STATE)


def become_minisock(tcb: Tcb, duration_ns: int, now: int) -> None:
    """Leave only a timer and the sequence numbers behind (Linux inet_timewait_sock)."""
    tcb.minisock = True
    tcb.time_wait_at = now
    timers.clear_xmit(tcb)
    tcb.delack_at = tcb.keepalive_at = tcb.oow_ack_at = None
    tcb.ack_pending = 0
    reassembly.drop_early(tcb)
    tcb.unsent.clear()
    tcb.inflight.clear()
    tcb.snd_queued = 0
    timers.set_msl(tcb, duration_ns, now)
