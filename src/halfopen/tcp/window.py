"""The receive window that we offer (RFC 9293 3.8.6.2; Linux tcp_select_window)."""

from typing import Final

from halfopen.tcp.buffers import RATIO_SHIFT, free_space, window_from_space
from halfopen.tcp.skb import Skb
from halfopen.tcp.tcb import ACK_NOMEM, Tcb

#: No clamp is smaller (Linux SOCK_MIN_RCVBUF / 2).
CLAMP_MIN: Final = 1152


def open_window(tcb: Tcb) -> int:
    """Return what is left of the window offered last: never less than it was.

    Linux tcp_receive_window.
    """
    left = tcb.rcv_wup + tcb.rcv_wnd - tcb.rcv_nxt
    return left if left > 0 else 0


def select_window(tcb: Tcb) -> int:
    """Choose the window to offer from the room that there is, avoiding silly ones.

    Linux __tcp_select_window.
    """
    ratio = tcb.scaling_ratio
    room = tcb.rcvbuf - tcb.rmem
    free = room * ratio >> RATIO_SHIFT if room > 0 else 0
    allowed = tcb.rcvbuf * ratio >> RATIO_SHIFT
    full = tcb.window_clamp if tcb.window_clamp < allowed else allowed
    mss = tcb.rcv_mss if tcb.rcv_mss < full else full
    assert mss > 0, "a buffer so small that no octet fits"
    scale = tcb.rcv_wscale
    if free < full >> 1:
        tcb.quick_acks = 0
        free = free >> scale << scale
        if free < allowed >> 4 or free < mss:
            return 0
    if free > tcb.rcv_ssthresh:
        free = tcb.rcv_ssthresh
    if scale:
        return -(-free >> scale) << scale
    window = tcb.rcv_wnd
    if window <= free - mss or window > free:
        return free // mss * mss
    if mss == full and free > window + (full >> 1):
        return free
    return window


def advertise(tcb: Tcb) -> int:
    """Fix the window for the segment that leaves now, and return its field, scaled."""
    current = tcb.rcv_wup + tcb.rcv_wnd - tcb.rcv_nxt
    window = select_window(tcb)
    scale = tcb.rcv_wscale
    if tcb.ack_pending & ACK_NOMEM:  # there was no memory for what came
        window = 0  # LINUX(memory-closes-window)
    elif window < current:  # an offer is never taken back
        window = -(-current >> scale) << scale
    tcb.rcv_wnd = window
    tcb.rcv_wup = tcb.rcv_nxt
    field = window >> scale
    if not field:
        tcb.predicts = False
    return field if field < 65535 else 65535


def grow(tcb: Tcb, octets: int, memory: int) -> None:
    """Let the window grow with a segment that came, while its memory is well used.

    ``memory`` is what it takes of the buffer. Linux tcp_grow_window.
    """
    room = min(tcb.window_clamp, free_space(tcb)) - tcb.rcv_ssthresh
    if room <= 0:
        return
    if window_from_space(tcb, memory) <= octets:
        more = 2 * tcb.adv_mss
    else:
        more = _grow_for_small(tcb, octets, memory)
    if more:
        tcb.rcv_ssthresh += min(room, max(more, 2 * octets))
        tcb.quick_acks |= 1


def _grow_for_small(tcb: Tcb, octets: int, memory: int) -> int:
    """Decide whether segments that waste memory may make the window grow.

    Linux __tcp_grow_window.
    """
    size = window_from_space(tcb, memory) >> 1
    window = window_from_space(tcb, tcb.config.rmem_max) >> 1
    while tcb.rcv_ssthresh <= window:
        if size <= octets:
            return 2 * tcb.rcv_mss
        size >>= 1
        window >>= 1
    return 0


def learn_ratio(tcb: Tcb, octets: int, memory: int) -> None:
    """Learn from a full segment what share of its memory is text (Linux tcp_measure_rcv_mss)."""
    ratio = max((octets << 8) // memory, 1)
    if ratio == tcb.scaling_ratio:
        return
    tcb.scaling_ratio = ratio
    clamp_window(tcb, window_from_space(tcb, tcb.rcvbuf))
    tcb.rcvq_space = min(tcb.rcvq_space, tcb.window_clamp)


def clamp_window(tcb: Tcb, window: int) -> None:
    """Bound the window anew (Linux tcp_set_window_clamp)."""
    old = tcb.window_clamp
    new = max(window, CLAMP_MIN)
    if new == old:
        return
    tcb.window_clamp = new
    if new < old:
        tcb.rcv_ssthresh = min(tcb.rcv_ssthresh, new)
    else:
        tcb.rcv_ssthresh = max(min(tcb.rcv_wnd, new), tcb.rcv_ssthresh)


def predict(tcb: Tcb) -> None:
    """Let the fast path take what is expected, where there is room for it (tcp_fast_path_check)."""
    if not tcb.ooo and tcb.rcv_wnd and tcb.rmem < tcb.rcvbuf and not tcb.urg_data:
        tcb.predicts = True


def clamp_to_memory(tcb: Tcb) -> None:
    """Let the buffer grow to what is in use, unless the user fixed it; else shrink the window.

    Linux tcp_clamp_window.
    """
    tcb.quick_acks = 0
    if tcb.rcvbuf < tcb.config.rmem_max and not tcb.rcvbuf_locked:
        tcb.rcvbuf = min(tcb.rmem, tcb.config.rmem_max)
    if tcb.rmem > tcb.rcvbuf:
        tcb.rcv_ssthresh = min(tcb.window_clamp, 2 * tcb.adv_mss)


def in_window(*, seq: int, end: int, left: int, right: int) -> bool:
    """Whether a segment overlaps a window (Linux tcp_in_window)."""
    if seq == left or (end > left and seq < right):
        return True
    return seq == right and seq == end


def sends_into(tcb: Tcb, skb: Skb) -> bool:
    """Whether the peer's window takes a first segment of this piece whole.

    Linux tcp_snd_wnd_test.
    """
    end = skb.seq + tcb.mss
    if skb.end_seq < end:
        end = skb.end_seq
    return end <= tcb.snd_una + tcb.snd_wnd
