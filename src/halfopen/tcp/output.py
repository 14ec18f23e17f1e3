"""What is sent, and what may be sent now: Nagle, cork, windows, probes.

RFC 9293 3.8.6.2.1, 3.7.4.
"""

from typing import Final

from halfopen.tcp import timers, urgent
from halfopen.tcp.buffers import SEND_OVERHEAD
from halfopen.tcp.congestion import usage
from halfopen.tcp.deferral import NOW, WAITS_FOR_CWND, burst_max, deferred
from halfopen.tcp.emit import emit, fit_mss, send_syn
from halfopen.tcp.skb import LOST, RETRANS, SACKED, Skb
from halfopen.tcp.tcb import PERSIST, RETRANSMIT, Tcb
from halfopen.tcp.window import sends_into
from halfopen.wire.tcp import ACK, FIN, PSH, SYN

#: How ``push`` is asked to treat small segments (Linux nonagle).
NAGLE: Final = 0
NAGLE_OFF: Final = 1
NAGLE_CORK: Final = 2
NAGLE_PUSH: Final = 4

# What becomes of the first unsent piece.
HELD: Final = 0
HELD_BY_CWND: Final = 1
WENT: Final = 2


def queue_fin(tcb: Tcb, now: int) -> None:
    """Put our FIN at the end of what is to be sent: on the last unsent text, or on its own.

    Linux tcp_send_fin.
    """
    if tcb.unsent:
        last = tcb.unsent[-1]
        last.flags |= FIN
        last.end_seq += 1
    else:
        tcb.unsent.append(Skb(tcb.write_seq, b"", ACK | FIN))
    tcb.write_seq += 1
    push(tcb, now, NAGLE_OFF)


def push(tcb: Tcb, now: int, nagle: int) -> None:
    """Send what may be sent; where the window holds all of it back, arm the persist timer."""
    if tcb.unsent and _write(tcb, now, nagle) and not tcb.inflight and tcb.xmit_at is None:
        timers.set_xmit(tcb, PERSIST, max(tcb.rto_ns, tcb.config.rto_min_ns), now)


def push_user(tcb: Tcb, now: int) -> None:
    """Send what may be sent under the options that the user set."""
    nagle = NAGLE_OFF if tcb.nodelay else NAGLE
    if tcb.cork:
        nagle |= NAGLE_CORK
    if tcb.nagle_push:
        nagle |= NAGLE_PUSH
    push(tcb, now, nagle)


def _write(tcb: Tcb, now: int, nagle: int) -> bool:
    """Send what cwnd, window and Nagle allow; whether something is left and nothing in flight.

    Linux tcp_write_xmit.
    """
    if tcb.no_route:  # nothing counts as sent (Linux ip_queue_xmit)
        return not tcb.inflight and bool(tcb.unsent)
    if tcb.sacks or tcb.dsack is not None or tcb.sack_room:
        fit_mss(tcb)
    sent = limited = False
    while tcb.unsent:
        room = tcb.cwnd - tcb.in_flight()
        if room <= 0:
            limited = True
            break
        outcome = _write_burst(tcb, now, nagle, room, may_wait=True)
        if outcome != WENT:
            limited = outcome == HELD_BY_CWND
            break
        sent = True
    if sent or limited:
        _written(tcb, now, sent=sent, limited=limited)
    return not sent and not tcb.inflight and bool(tcb.unsent)


def _quota(tcb: Tcb, room: int, largest: int) -> int:
    """Return how many of the segments that cwnd has ``room`` for leave as one.

    Half of cwnd, so that two bursts are under way, and no more than the ``largest`` burst; at least
    one, which is a loss probe where there is no room. Linux tcp_cwnd_test.
    """
    return max(min(room, tcb.cwnd >> 1 or 1, largest), 1)


def push_one(tcb: Tcb, now: int, *, forced: bool = False) -> bool:
    """Send the first burst alone, if the windows allow; whether it went (Linux tcp_push_one).

    ``forced``: a loss probe goes although cwnd is used up.
    """
    room = tcb.cwnd - tcb.in_flight()
    if tcb.no_route or (room <= 0 and not forced):
        return False
    sent = _write_burst(tcb, now, NAGLE_PUSH, room, may_wait=False) == WENT
    if sent and forced:
        usage.sent(tcb, now, limited=tcb.in_flight() >= tcb.cwnd)  # one probe for each episode
    elif sent:
        _written(tcb, now, sent=True, limited=False)
    return sent


def _written(tcb: Tcb, now: int, *, sent: bool, limited: bool) -> None:
    """See after sending whether cwnd was the limit, and to the timer of what was sent."""
    usage.sent(tcb, now, limited=limited or tcb.in_flight() >= tcb.cwnd)
    if sent and not timers.schedule_loss_probe(tcb, now, advancing=False):
        _arm_rto(tcb, now)


def _arm_rto(tcb: Tcb, now: int) -> None:
    """See to it that what was sent for the first time has a timer; a running one stays."""
    if tcb.xmit_at is None or tcb.xmit_kind != RETRANSMIT:
        timers.rearm_rto(tcb, now)


def _write_burst(tcb: Tcb, now: int, nagle: int, room: int, *, may_wait: bool) -> int:
    """Send what leaves as one; what became of it: HELD, HELD_BY_CWND or WENT.

    ``room``: how many segments cwnd has room for. ``may_wait``: for a larger burst.
    """
    skb = tcb.unsent[0]
    several = len(tcb.unsent) > 1
    largest = most = 0
    if several or len(skb.text) > tcb.mss:
        largest = burst_max(tcb)
        most = _quota(tcb, room, largest) * tcb.mss
    if several and len(skb.text) < most:
        _grow(tcb, skb, most - len(skb.text))
        several = len(tcb.unsent) > 1
    if not sends_into(tcb, skb):
        return HELD
    if len(skb.text) > tcb.mss:
        if may_wait:
            verdict = deferred(tcb, skb, now, largest, is_last=not several)
            if verdict != NOW:
                return HELD_BY_CWND if verdict == WAITS_FOR_CWND else HELD
        limit = tcb.mss if urgent.is_out(tcb) else _split_point(tcb, skb, most, nagle)
        transmit_many(tcb, skb, now, limit=limit)
    elif _nagle_lets(tcb, skb, NAGLE_PUSH if several else nagle):
        transmit_new(tcb, skb, now)
    else:
        return HELD
    return WENT


def _grow(tcb: Tcb, skb: Skb, missing: int) -> None:
    """Let the first piece take text from the next, so that whole segments leave.

    Linux tcp_grow_skb.
    """
    following = tcb.unsent[1]
    size = min(missing, len(following.text))
    assert size, "a FIN of its own stands behind unsent text"
    skb.text += following.text[:size]
    skb.end_seq += size
    skb.cost += size
    if size == len(following.text):
        skb.flags |= following.flags
        skb.end_seq = following.end_seq
        tcb.snd_queued -= following.cost - size
        del tcb.unsent[1]
    else:
        following.text = following.text[size:]
        following.seq += size
        following.cost -= size


def _split_point(tcb: Tcb, skb: Skb, most: int, nagle: int) -> int:
    """Return how much of a long piece goes now: what cwnd and the window take.

    Linux tcp_mss_split_point.

    Where the window ends within a segment, a shorter one goes up to there, unless Nagle forbids.
    """
    needed = min(len(skb.text), tcb.snd_una + tcb.snd_wnd - skb.seq)
    if most <= needed:
        return most
    partial = needed % tcb.mss
    if partial and _nagle_waits(tcb, nagle):
        return needed - partial
    return needed


def _nagle_lets(tcb: Tcb, skb: Skb, nagle: int) -> bool:
    """Whether a small last segment may go (RFC 9293 3.7.4; Linux tcp_nagle_test)."""
    if nagle & NAGLE_PUSH or skb.flags & FIN or len(skb.text) >= tcb.mss or urgent.is_out(tcb):
        return True
    return not _nagle_waits(tcb, nagle)


def _nagle_waits(tcb: Tcb, nagle: int) -> bool:
    """Whether what is less than a segment waits for more (Linux tcp_nagle_check).

    Linux follows Minshall: only while a *small* segment is unacknowledged, not any.
    """
    if nagle & NAGLE_CORK:
        return True
    if nagle & (NAGLE_OFF | NAGLE_PUSH):
        return False
    # Not while any is: LINUX(minshall-nagle)
    return bool(tcb.inflight) and tcb.snd_una < tcb.snd_sml <= tcb.snd_nxt


def split(tcb: Tcb, skb: Skb, octets: int) -> None:
    """Cut the first unsent piece in two, so that ``octets`` can go.

    PSH and FIN stay with the rest.
    """
    rest = _rest(tcb, skb, octets)
    skb.text = skb.text[:octets]
    skb.flags &= ~(FIN | PSH)
    skb.end_seq = rest.seq
    skb.cost -= len(rest.text)
    tcb.unsent.insert(1, rest)


def _rest(tcb: Tcb, skb: Skb, octets: int) -> Skb:
    """Make a piece, with a buffer of its own, of what lies behind so many octets."""
    rest = Skb(skb.seq + octets, skb.text[octets:], skb.flags)
    rest.cost += SEND_OVERHEAD
    tcb.snd_queued += SEND_OVERHEAD
    return rest


def transmit_many(tcb: Tcb, skb: Skb, now: int, *, limit: int) -> None:
    """Send the first ``limit`` octets of the first unsent piece, segment by segment."""
    text, seq, flags, mss = skb.text, skb.seq, skb.flags, tcb.mss
    size = len(text)
    overhead = skb.cost - size
    tcb.unsent.popleft()
    if limit < size:
        tcb.unsent.appendleft(_rest(tcb, skb, limit))
    else:
        limit = size
    early = flags & ~(FIN | PSH)
    at = 0
    while at < limit:
        end = min(at + mss, limit)
        piece = Skb(seq + at, text[at:end], flags if end == size else early)
        piece.cost = end - at + (overhead if end == limit else 0)  # it goes with the last of them
        # A burst of several segments ends with PSH (Linux __tcp_transmit_skb).
        _transmit(tcb, piece, now, PSH if end == limit and limit > mss else 0)
        at = end


def transmit_new(tcb: Tcb, skb: Skb, now: int) -> None:
    """Send the first unsent piece, which is at most a segment, for the first time."""
    tcb.unsent.popleft()
    _transmit(tcb, skb, now)


def _transmit(tcb: Tcb, skb: Skb, now: int, flags: int = 0) -> None:
    """Send a segment and keep it until it is acknowledged (Linux tcp_event_new_data_sent)."""
    skb.sent_at = now
    tcb.inflight.append(skb)
    if len(skb.text) < tcb.mss:
        tcb.snd_sml = skb.end_seq
    emit(tcb, skb.seq, skb.flags | flags | ACK, skb.text, now)
    tcb.snd_nxt = skb.end_seq


def resend(tcb: Tcb, skb: Skb, now: int) -> bool:
    """Send a piece again, joined with small ones behind it (Linux __tcp_retransmit_skb).

    False: no route leads there, and that is kept as a soft error; or the peer has taken back the
    part of its window that the piece lies in, and it is not the first, which probes the window.
    """
    if tcb.no_route:
        tcb.so_error_soft = tcb.no_route  # Linux inet_sk_rebuild_header
        return False
    if skb.flags & SYN:
        tcb.total_retrans += 1
        skb.sent_at = now
        skb.ever_retrans = True
        send_syn(tcb, skb.flags, now)
        return True
    if skb.seq < tcb.snd_una:
        _trim(skb, tcb.snd_una)
    if skb.seq >= tcb.snd_una + tcb.snd_wnd and skb.seq != tcb.snd_una:
        return False
    tcb.total_retrans += 1
    fit_mss(tcb)
    if len(skb.text) > tcb.mss:
        fragment(tcb, skb)
    _collapse(tcb, skb)
    skb.sent_at = now
    skb.ever_retrans = True
    emit(tcb, skb.seq, skb.flags | ACK, skb.text, now)
    return True


def fragment(tcb: Tcb, skb: Skb) -> None:
    """Cut a segment in flight into such as the way takes now; marks go with both.

    Linux tcp_fragment.
    """
    at = tcb.inflight.index(skb) + 1
    while len(skb.text) > tcb.mss:
        rest = Skb(skb.seq + tcb.mss, skb.text[tcb.mss :], skb.flags)
        rest.cost = skb.cost - tcb.mss
        rest.sent_at, rest.ever_retrans, rest.marks = skb.sent_at, skb.ever_retrans, skb.marks
        tcb.sacked_out += 1 if skb.marks & SACKED else 0
        tcb.lost_out += 1 if skb.marks & LOST else 0
        tcb.retrans_out += 1 if skb.marks & RETRANS else 0
        skb.text = skb.text[: tcb.mss]
        skb.flags &= ~(FIN | PSH)
        skb.end_seq = rest.seq
        skb.cost = tcb.mss
        tcb.inflight.insert(at, rest)
        skb = rest
        at += 1


def _trim(skb: Skb, seq: int) -> None:
    """Drop acknowledged text from the front."""
    cut = min(seq - skb.seq, len(skb.text))
    skb.text = skb.text[cut:]
    skb.seq = seq


def _collapse(tcb: Tcb, skb: Skb) -> None:
    """Join small segments behind ``skb`` to it: several writes are resent as one.

    Linux tcp_retrans_try_collapse.
    """
    if not tcb.config.retrans_collapse or not tcb.inflight or tcb.inflight[0] is not skb:
        return
    while len(tcb.inflight) > 1 and not skb.flags & FIN and not skb.marks & SACKED:
        following = tcb.inflight[1]
        if following.marks & SACKED or len(skb.text) + len(following.text) > tcb.mss:
            break
        if following.end_seq > tcb.snd_una + tcb.snd_wnd:
            break
        skb.text += following.text
        skb.flags |= following.flags
        skb.end_seq = following.end_seq
        skb.cost += len(following.text)
        tcb.snd_queued -= following.cost - len(following.text)
        if following.marks & LOST:
            tcb.lost_out -= 1
        if following.marks & RETRANS:
            tcb.retrans_out -= 1
        if not tcb.sack_ok and tcb.sacked_out:  # a duplicate ACK may stand for it
            tcb.sacked_out -= 1
        del tcb.inflight[1]


def probe(tcb: Tcb, now: int) -> None:
    """Send what makes the peer answer: an ACK with an old sequence number.

    Before it goes one with the right number where there is urgent data: the peer takes its pointer.
    Linux tcp_xmit_probe_skb.
    """
    if tcb.snd_una < tcb.snd_up <= tcb.snd_una + urgent.REACH:
        emit(tcb, tcb.snd_una, ACK, b"", now)
    emit(tcb, tcb.snd_una - 1, ACK, b"", now)


def wakeup(tcb: Tcb, now: int) -> None:
    """Probe the window: with text where it holds some, else with an old ACK.

    Linux tcp_write_wakeup.
    """
    if tcb.no_route:
        return
    end = tcb.snd_una + tcb.snd_wnd
    if tcb.unsent and tcb.unsent[0].seq < end:
        skb = tcb.unsent[0]
        size = min(end - skb.seq, tcb.mss)
        if size < len(skb.text):
            split(tcb, skb, size)
            skb = tcb.unsent[0]
        skb.flags |= PSH
        tcb.pushed_seq = max(tcb.pushed_seq, skb.end_seq)
        transmit_new(tcb, skb, now)
        _arm_rto(tcb, now)
    else:
        probe(tcb, now)
