"""One segment and what it carries: ACK, window and options of the moment (RFC 9293 3.1)."""

from typing import Final

from halfopen.base.units import MS
from halfopen.tcp import urgent
from halfopen.tcp.buffers import within_half_window
from halfopen.tcp.effects import Effects
from halfopen.tcp.states import State
from halfopen.tcp.tcb import (
    ACK_NOMEM,
    ACK_NOW,
    ACK_PUSHED,
    ACK_PUSHED2,
    ACK_SCHED,
    ACK_TIMER,
    ATO_MIN,
    TCP_HEADER,
    TIMESTAMP_OPTION,
    Tcb,
)
from halfopen.tcp.window import advertise
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import (
    ACK,
    OF_MINISOCK,
    OF_NOBODY,
    OF_SOCKET,
    RST,
    URG,
    Flow,
    Segment,
)

MAX_SACK_BLOCKS: Final = 4
SACK_OPTION: Final = 4  # without its blocks
#: What an ACK that goes out leaves of ``ack_pending``.
_AFTER_ACK: Final = ~(ACK_SCHED | ACK_TIMER | ACK_PUSHED | ACK_PUSHED2 | ACK_NOW | ACK_NOMEM)
#: ``pingpong`` is a byte in Linux.
PINGPONG_MAX: Final = 255


def ts_now(tcb: Tcb, now: int) -> int:
    """Return TSval: the host's clock in ms, moved by the connection's own offset (RFC 7323 5.4)."""
    return wrap(now // MS + tcb.ts_offset)


def emit(
    tcb: Tcb,
    seq: int,
    flags: int,
    text: bytes,
    now: int,
    *,
    window: int = -1,
    behalf: int = OF_SOCKET,
) -> None:
    """Send one segment with the ACK, window and options of the moment.

    An ACK that was due rides on it. Requires: ``flags`` has ACK, as all but the first SYN have.
    """
    assert flags & ACK, "a segment without ACK is no segment of a connection"
    segment = Segment(
        tcb.flow,
        seq & 0xFFFFFFFF,
        tcb.rcv_nxt & 0xFFFFFFFF,
        flags,
        advertise(tcb) if window < 0 else window,
        text,
    )
    if tcb.snd_up > tcb.snd_una:
        segment.urg = urgent.pointer(tcb, seq)
        if segment.urg:
            segment.flags |= URG
    if tcb.ts_ok:
        segment.ts_val = now // MS + tcb.ts_offset & 0xFFFFFFFF
        segment.ts_ecr = tcb.ts_recent
    if tcb.sacks or tcb.dsack is not None:
        segment.sack = _sack_blocks(tcb)
    segment.behalf = behalf
    tcb.departed_at = now
    _ack_sent(tcb)
    if text:
        _data_sent(tcb, now)
    tcb.effects.segments.append(segment)


def _sack_blocks(tcb: Tcb) -> tuple[tuple[int, int], ...]:
    """List what arrived out of order, the latest first; a D-SACK before all.

    RFC 2018 4, RFC 2883 4.
    """
    most = MAX_SACK_BLOCKS - (1 if tcb.ts_ok else 0)
    blocks: list[tuple[int, int]] = []
    if tcb.dsack is not None:
        blocks.append((wrap(tcb.dsack[0]), wrap(tcb.dsack[1])))
        tcb.dsack = None
    for begin, end in tcb.sacks[: most - len(blocks)]:
        blocks.append((wrap(begin), wrap(end)))
    return tuple(blocks)


def _ack_sent(tcb: Tcb) -> None:
    """Note that an ACK went out (Linux tcp_event_ack_sent)."""
    if tcb.quick_acks:
        tcb.quick_acks -= 1
        if not tcb.quick_acks:
            tcb.ato_ns = ATO_MIN
    tcb.ack_pending &= _AFTER_ACK
    tcb.delack_at = None


def _data_sent(tcb: Tcb, now: int) -> None:
    """Note that text went out: soon after the peer's, it is an answer.

    Linux tcp_event_data_sent.
    """
    tcb.sent_at = now
    if now - tcb.rcv_data_at < tcb.ato_ns and tcb.pingpong < PINGPONG_MAX:
        tcb.pingpong += 1


def send_ack(tcb: Tcb, now: int) -> None:
    """Send a bare ACK."""
    assert tcb.state is not State.CLOSED, "a connection that is over acknowledges"
    if tcb.embryo:  # it has no buffer yet (Linux tcp_v4_reqsk_send_ack)
        offered = min(tcb.rcv_wnd, 65535) >> tcb.rcv_wscale
        emit(tcb, tcb.snd_nxt, ACK, b"", now, window=offered, behalf=OF_NOBODY)
        return
    behalf = OF_MINISOCK if tcb.minisock else OF_SOCKET
    emit(tcb, acceptable_seq(tcb), ACK, b"", now, behalf=behalf)


def acceptable_seq(tcb: Tcb) -> int:
    """Return the sequence number for a segment without text.

    SND.NXT, if the peer's window still holds it.
    """
    end = tcb.snd_una + tcb.snd_wnd
    if tcb.snd_nxt <= end or (tcb.wscale_ok and tcb.snd_nxt - end < 1 << tcb.rcv_wscale):
        return tcb.snd_nxt
    return end


def send_reset(tcb: Tcb, now: int) -> None:
    """Send RST,ACK from a connection of ours (Linux tcp_send_active_reset)."""
    emit(tcb, acceptable_seq(tcb), RST | ACK, b"", now)


def reset_for(seg: Segment) -> Segment | None:
    """Return the RST that answers a stray segment; None for an RST (RFC 9293 3.10.7.1)."""
    if seg.flags & RST:
        return None
    source, sport, destination, dport = seg.flow
    flow: Flow = (destination, dport, source, sport)
    if seg.flags & ACK:
        return Segment(flow, seg.ack, 0, RST, 0)
    return Segment(flow, 0, wrap(seg.seq + seg.seq_len()), RST | ACK, 0)


def refuse(seg: Segment, effects: Effects) -> None:
    """Answer a segment with an RST, unless it is one."""
    reset = reset_for(seg)
    if reset is not None:
        reset.behalf = OF_NOBODY
        effects.segments.append(reset)


def send_syn(tcb: Tcb, flags: int, now: int) -> None:
    """Send SYN, or SYN,ACK, with what we offer: MSS, window scale, SACK, timestamps.

    An embryo takes up what the peer has offered; where two opens cross, our offer stands.
    """
    config = tcb.config
    embryo = tcb.embryo
    segment = Segment(
        tcb.flow,
        wrap(tcb.iss),
        wrap(tcb.rcv_nxt) if flags & ACK else 0,
        flags,
        min(tcb.rcv_wnd, 65535),
        mss=tcb.adv_mss,
        wscale=tcb.rcv_wscale if (tcb.wscale_ok if embryo else config.window_scaling) else -1,
        sack_ok=tcb.sack_ok if embryo else config.sack,
    )
    if tcb.ts_ok if embryo else config.timestamps:
        segment.ts_val = ts_now(tcb, now)
        segment.ts_ecr = tcb.ts_recent
    tcb.rcv_wup = tcb.rcv_nxt
    tcb.departed_at = now
    tcb.effects.segments.append(segment)


def sync_mss(tcb: Tcb) -> None:
    """Compute the largest text of a segment from the path and the peer's MSS.

    Linux tcp_sync_mss.
    """
    mss = min(tcb.mtu - tcb.ip_header - TCP_HEADER, tcb.mss_clamp)
    mss = max(mss - (TIMESTAMP_OPTION if tcb.ts_ok else 0), 48)
    tcb.mss = within_half_window(tcb, mss)
    tcb.sack_room = 0


def fit_mss(tcb: Tcb) -> None:
    """Leave room in each segment for the SACK blocks that would ride on it now.

    Linux tcp_current_mss.
    """
    room = 0
    if tcb.sacks or tcb.dsack is not None:
        blocks = len(tcb.sacks) + (tcb.dsack is not None)
        most = MAX_SACK_BLOCKS - (1 if tcb.ts_ok else 0)
        room = SACK_OPTION + 8 * min(blocks, most)
    tcb.mss += tcb.sack_room - room
    tcb.sack_room = room
