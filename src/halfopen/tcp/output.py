"""What is sent, and what may be sent now: Nagle, cork, windows, probes (RFC 9293 3.8.6.2.1, 3.7.4)."""

from typing import Final

from halfopen.tcp import reassembly, timers
from halfopen.tcp.buffers import GSO_MAX
from halfopen.tcp.congestion import usage
from halfopen.tcp.effects import Effects
from halfopen.tcp.skb import Skb
from halfopen.tcp.states import State
from halfopen.tcp.tcb import (
    ACK_NOW,
    ACK_PUSHED,
    ACK_PUSHED2,
    ACK_SCHED,
    ACK_TIMER,
    LOSS_PROBE,
    PERSIST,
    TIMESTAMP_OPTION,
    Tcb,
)
from halfopen.tcp.window import advertise, sends_into
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, Flow, Segment

#: How ``push`` is asked to treat small segments (Linux nonagle).
NAGLE: Final = 0
NAGLE_OFF: Final = 1
NAGLE_CORK: Final = 2
NAGLE_PUSH: Final = 4
MAX_SACK_BLOCKS: Final = 4
#: As many segments as the largest burst may have (Linux GSO_MAX_SEGS).
GSO_SEGMENTS: Final = 65535


def ts_now(tcb: Tcb, now: int) -> int:
    """Return TSval: the host's clock in ms, moved by the connection's own offset (RFC 7323 5.4)."""
    return wrap(now // 1_000_000 + tcb.ts_offset)


def emit(tcb: Tcb, seq: int, flags: int, text: bytes, now: int, *, window: int = -1) -> None:
    """Send one segment with the ACK, window and options of the moment; an ACK that was due rides on it."""
    segment = Segment(
        tcb.flow,
        wrap(seq),
        wrap(tcb.rcv_nxt) if flags & ACK else 0,
        flags,
        advertise(tcb) if window < 0 else window,
        text,
    )
    if tcb.ts_ok:
        segment.ts_val = ts_now(tcb, now)
        segment.ts_ecr = tcb.ts_recent
    if tcb.sack_ok and (tcb.ooo or tcb.dsack is not None):
        segment.sack = _sack_blocks(tcb)
    if flags & ACK:
        _ack_sent(tcb)
    if text:
        _data_sent(tcb, now)
    tcb.effects.segments.append(segment)


def _sack_blocks(tcb: Tcb) -> tuple[tuple[int, int], ...]:
    """List what arrived out of order, the latest first; a D-SACK before all (RFC 2018 4, RFC 2883 4)."""
    most = MAX_SACK_BLOCKS - (1 if tcb.ts_ok else 0)
    blocks: list[tuple[int, int]] = []
    if tcb.dsack is not None:
        blocks.append((wrap(tcb.dsack[0]), wrap(tcb.dsack[1])))
        tcb.dsack = None
    runs = reassembly.blocks(tcb)
    for begin in tcb.sack_recent:
        if begin in runs and len(blocks) < most:
            blocks.append((wrap(begin), wrap(runs[begin])))
    return tuple(blocks)


def _ack_sent(tcb: Tcb) -> None:
    """Note that an ACK went out (Linux tcp_event_ack_sent)."""
    if tcb.quick_acks:
        tcb.quick_acks -= 1
        if not tcb.quick_acks:
            tcb.ato_ns = 40_000_000
    tcb.ack_pending &= ~(ACK_SCHED | ACK_TIMER | ACK_PUSHED | ACK_PUSHED2 | ACK_NOW)
    tcb.delack_at = None


def _data_sent(tcb: Tcb, now: int) -> None:
    """Note that text went out: soon after the peer's, it is an answer (Linux tcp_event_data_sent)."""
    tcb.sent_at = now
    if now - tcb.rcv_data_at < tcb.ato_ns:
        tcb.pingpong = min(tcb.pingpong + 1, 255)


def send_ack(tcb: Tcb, now: int) -> None:
    """Send a bare ACK."""
    if tcb.state is State.CLOSED:
        return
    emit(tcb, acceptable_seq(tcb), ACK, b"", now)


def acceptable_seq(tcb: Tcb) -> int:
    """Return the sequence number for a segment without text: SND.NXT, if the peer's window still holds it."""
    end = tcb.snd_una + tcb.snd_wnd
    if tcb.snd_nxt <= end or (tcb.wscale_ok and tcb.snd_nxt - end < 1 << tcb.rcv_wscale):
        return tcb.snd_nxt
    return end


def send_reset(tcb: Tcb, now: int) -> None:
    """Send RST,ACK from a connection of ours (Linux tcp_send_active_reset)."""
    emit(tcb, acceptable_seq(tcb), RST | ACK, b"", now)


def reset_for(seg: Segment) -> Segment | None:
    """Return the RST that answers a segment of no connection (RFC 9293 3.10.7.1), or None for an RST."""
    if seg.flags & RST:
        return None
    source, sport, destination, dport = seg.flow
    flow: Flow = (destination, dport, source, sport)
    if seg.flags & ACK:
        return Segment(flow, seg.ack, 0, RST, 0)
    return Segment(flow, 0, wrap(seg.seq + seg.seq_len), RST | ACK, 0)


def refuse(seg: Segment, effects: Effects) -> None:
    """Answer a segment with an RST, unless it is one."""
    reset = reset_for(seg)
    if reset is not None:
        effects.segments.append(reset)


def send_syn(tcb: Tcb, flags: int, now: int) -> None:
    """Send SYN, or SYN,ACK, with what we offer: MSS, window scale, SACK, timestamps."""
    segment = Segment(
        tcb.flow,
        wrap(tcb.iss),
        wrap(tcb.rcv_nxt) if flags & ACK else 0,
        flags,
        min(tcb.rcv_wnd, 65535),
        mss=tcb.adv_mss,
        wscale=tcb.rcv_wscale if tcb.wscale_ok else -1,
        sack_ok=tcb.sack_ok,
    )
    if tcb.ts_ok:
        segment.ts_val = ts_now(tcb, now)
        segment.ts_ecr = tcb.ts_recent
    tcb.rcv_wup = tcb.rcv_nxt
    tcb.effects.segments.append(segment)


def sync_mss(tcb: Tcb) -> None:
    """Compute the largest text of a segment from the path and the peer's MSS (Linux tcp_sync_mss)."""
    mss = min(tcb.mtu - tcb.ip_header - 20, tcb.mss_clamp)
    tcb.mss = max(mss - (TIMESTAMP_OPTION if tcb.ts_ok else 0), 48)


def queue_fin(tcb: Tcb, now: int) -> None:
    """Put our FIN at the end of what is to be sent: on the last unsent text, or on its own (Linux tcp_send_fin)."""
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
    push(tcb, now, NAGLE_CORK if tcb.cork else NAGLE_OFF if tcb.nodelay else NAGLE)


def _write(tcb: Tcb, now: int, nagle: int) -> bool:
    """Send what cwnd, window and Nagle allow; whether something is left and nothing in flight.

    Linux tcp_write_xmit.
    """
    if tcb.state is State.CLOSED:
        return False
    sent = limited = False
    while tcb.unsent:
        quota = tcb.cwnd - tcb.in_flight
        if quota <= 0:
            limited = True
            break
        if not _write_burst(tcb, now, nagle, quota):
            break
        sent = True
    _written(tcb, now, sent=sent, limited=limited)
    return not sent and not tcb.inflight and bool(tcb.unsent)


def push_one(tcb: Tcb, now: int, *, forced: bool = False) -> bool:
    """Send the first burst alone, if the windows allow; whether it went (Linux tcp_push_one).

    ``forced``: a loss probe goes although cwnd is used up.
    """
    quota = tcb.cwnd - tcb.in_flight
    if quota <= 0 and not forced:
        return False
    sent = _write_burst(tcb, now, NAGLE_PUSH, max(quota, 1))
    _written(tcb, now, sent=sent, limited=False)
    return sent


def _written(tcb: Tcb, now: int, *, sent: bool, limited: bool) -> None:
    if sent or limited:
        usage.sent(tcb, now, limited=limited or tcb.in_flight >= tcb.cwnd)
    if sent:
        timers.schedule_loss_probe(tcb, now, advancing=False)


def _write_burst(tcb: Tcb, now: int, nagle: int, quota: int) -> bool:
    """Send at most ``quota`` segments, and no more than leave as one; whether any went."""
    skb = tcb.unsent[0]
    most = min(quota, burst_max(tcb)) * tcb.mss
    if len(skb.text) < most and len(tcb.unsent) > 1:
        _grow(tcb, skb, most - len(skb.text))
    if not sends_into(tcb, skb):
        return False
    if len(skb.text) > tcb.mss:
        transmit_many(tcb, skb, now, limit=_split_point(tcb, skb, most, nagle))
    elif _nagle_lets(tcb, skb, nagle if len(tcb.unsent) == 1 else NAGLE_PUSH):
        transmit_new(tcb, skb, now)
    else:
        return False
    return True


def _grow(tcb: Tcb, skb: Skb, missing: int) -> None:
    """Let the first piece take text from the next, so that whole segments leave (Linux tcp_grow_skb)."""
    following = tcb.unsent[1]
    size = min(missing, len(following.text))
    if not size:
        return
    skb.text += following.text[:size]
    skb.end_seq += size
    skb.cost += size
    if size == len(following.text):
        skb.flags |= following.flags
        skb.end_seq = following.end_seq
        skb.cost += following.cost - size
        del tcb.unsent[1]
    else:
        following.text = following.text[size:]
        following.seq += size
        following.cost -= size


def _split_point(tcb: Tcb, skb: Skb, most: int, nagle: int) -> int:
    """Return how much of a long piece goes now: what cwnd and the window take (Linux tcp_mss_split_point).

    Where the window ends within a segment, a shorter one goes up to there, unless Nagle forbids.
    """
    needed = min(len(skb.text), tcb.snd_una + tcb.snd_wnd - skb.seq)
    if most <= needed:
        return most
    partial = needed % tcb.mss
    if partial and _nagle_waits(tcb, nagle):
        return needed - partial
    return needed


def burst_max(tcb: Tcb) -> int:
    """Return how many segments leave as one (Linux tcp_tso_autosize): a ms's worth, at least two."""
    if not tcb.srtt_us8:
        return GSO_SEGMENTS
    ratio = 200 if tcb.cwnd < tcb.ssthresh >> 1 else 120
    rate = tcb.mss * 80_000 * ratio * max(tcb.cwnd, len(tcb.inflight)) // tcb.srtt_us8
    octets = rate >> 10
    shift = (tcb.srtt_us8 >> 3) >> 9
    if shift < 32:
        octets += GSO_MAX >> shift
    return max(min(octets, GSO_MAX) // tcb.mss, 2)


def _nagle_lets(tcb: Tcb, skb: Skb, nagle: int) -> bool:
    """Whether a small last segment may go (RFC 9293 3.7.4; Linux tcp_nagle_test)."""
    if nagle & NAGLE_PUSH or skb.flags & FIN or len(skb.text) >= tcb.mss:
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
    return bool(tcb.inflight) and tcb.snd_una < tcb.snd_sml <= tcb.snd_nxt


def split(tcb: Tcb, skb: Skb, octets: int) -> None:
    """Cut the first unsent piece in two, so that ``octets`` can go; PSH and FIN stay with the rest."""
    rest = Skb(skb.seq + octets, skb.text[octets:], skb.flags)
    head = Skb(skb.seq, skb.text[:octets], skb.flags & ~(FIN | PSH))
    rest.cost = skb.cost - len(head.text)
    skb.text, skb.flags, skb.end_seq, skb.cost = head.text, head.flags, head.end_seq, head.cost
    tcb.unsent.popleft()
    tcb.unsent.appendleft(rest)
    tcb.unsent.appendleft(skb)


def transmit_many(tcb: Tcb, skb: Skb, now: int, *, limit: int) -> None:
    """Send the first ``limit`` octets of the first unsent piece, segment by segment."""
    text, seq, flags, mss = skb.text, skb.seq, skb.flags, tcb.mss
    size = len(text)
    overhead = skb.cost - size
    tcb.unsent.popleft()
    if limit < size:
        rest = Skb(seq + limit, text[limit:], flags)
        rest.cost = size - limit
        tcb.unsent.appendleft(rest)
    else:
        limit = size
    early = flags & ~(FIN | PSH)
    at = 0
    while at < limit:
        end = min(at + mss, limit)
        piece = Skb(seq + at, text[at:end], flags if end == size else early)
        piece.cost = end - at + overhead
        overhead = 0
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
    first = not tcb.inflight
    tcb.inflight.append(skb)
    if skb.end_seq > tcb.snd_nxt:
        tcb.snd_nxt = skb.end_seq
    if len(skb.text) < tcb.mss:
        tcb.snd_sml = skb.end_seq
    emit(tcb, skb.seq, skb.flags | flags | ACK, skb.text, now)
    if first or tcb.xmit_kind == LOSS_PROBE:
        timers.rearm_rto(tcb, now)


def resend(tcb: Tcb, skb: Skb, now: int) -> None:
    """Send a piece again, as it stands (Linux __tcp_retransmit_skb), joined with small ones behind it."""
    tcb.total_retrans += 1
    if skb.flags & SYN:
        skb.sent_at = now
        skb.ever_retrans = True
        send_syn(tcb, skb.flags, now)
        return
    if skb.seq < tcb.snd_una:
        _trim(skb, tcb.snd_una)
    _collapse(tcb, skb)
    skb.sent_at = now
    skb.ever_retrans = True
    emit(tcb, skb.seq, skb.flags | ACK, skb.text, now)


def _trim(skb: Skb, seq: int) -> None:
    """Drop acknowledged text from the front."""
    cut = min(seq - skb.seq, len(skb.text))
    skb.text = skb.text[cut:]
    skb.seq = seq


def _collapse(tcb: Tcb, skb: Skb) -> None:
    """Join small segments behind ``skb`` to it: several writes are resent as one (Linux tcp_retrans_try_collapse)."""
    if not tcb.config.retrans_collapse or not tcb.inflight or tcb.inflight[0] is not skb:
        return
    while len(tcb.inflight) > 1 and not skb.flags & FIN and not skb.marks & 1:
        following = tcb.inflight[1]
        if following.marks & 1 or len(skb.text) + len(following.text) > tcb.mss:
            break
        if following.end_seq > tcb.snd_una + tcb.snd_wnd:
            break
        skb.text += following.text
        skb.flags |= following.flags
        skb.end_seq = following.end_seq
        skb.cost += following.cost
        if following.marks & 4:
            tcb.lost_out -= 1
        if following.marks & 2:
            tcb.retrans_out -= 1
        del tcb.inflight[1]


def probe(tcb: Tcb, now: int) -> None:
    """Send what makes the peer answer: an ACK with an old sequence number (Linux tcp_xmit_probe_skb)."""
    emit(tcb, tcb.snd_una - 1, ACK, b"", now)


def wakeup(tcb: Tcb, now: int) -> None:
    """Probe the window: with text where it holds some, else with an old ACK (Linux tcp_write_wakeup)."""
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
    else:
        probe(tcb, now)
