"""The receive window that we offer (RFC 9293 3.8.6.2; Linux tcp_select_window)."""

from halfopen.tcp.buffers import window_from_space
from halfopen.tcp.skb import Skb
from halfopen.tcp.tcb import Tcb


def open_window(tcb: Tcb) -> int:
    """Return what is left of the window offered last: never less than it was (Linux tcp_receive_window)."""
    return max(tcb.rcv_wup + tcb.rcv_wnd - tcb.rcv_nxt, 0)


def select_window(tcb: Tcb) -> int:
    """Choose the window to offer from the room that there is, avoiding silly ones; nothing is changed."""
    free = window_from_space(max(tcb.rcvbuf - tcb.rmem, 0))
    allowed = window_from_space(tcb.rcvbuf)
    full = min(tcb.window_clamp, allowed)
    mss = min(tcb.rcv_mss, full)
    if mss <= 0:
        return 0
    scale = tcb.rcv_wscale
    if free < full >> 1:
        tcb.quick_acks = 0
        free = free >> scale << scale
        if free < allowed >> 4 or free < mss:
            return 0
    free = min(free, tcb.rcv_ssthresh)
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
    current = open_window(tcb)
    window = select_window(tcb)
    scale = tcb.rcv_wscale
    if window < current:  # an offer is never taken back
        window = -(-current >> scale) << scale
    tcb.rcv_wnd = window
    tcb.rcv_wup = tcb.rcv_nxt
    return min(window, 65535 << scale) >> scale


def in_window(*, seq: int, end: int, left: int, right: int) -> bool:
    """Whether a segment overlaps a window (Linux tcp_in_window)."""
    if seq == left or (end > left and seq < right):
        return True
    return seq == right and seq == end


def sends_into(tcb: Tcb, skb: Skb) -> bool:
    """Whether the peer's window takes a first segment of this piece whole (Linux tcp_snd_wnd_test)."""
    end = min(skb.end_seq, skb.seq + tcb.mss)
    return end <= tcb.snd_una + tcb.snd_wnd
