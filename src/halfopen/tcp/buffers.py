"""What queued data costs against SO_SNDBUF and SO_RCVBUF, as the kernel's ``sk_buff`` accounting has it."""

from typing import Final

from halfopen.tcp.tcb import INITIAL_CWND, Tcb

SKB: Final = 256  # struct sk_buff, aligned
SHARED_INFO: Final = 320  # struct skb_shared_info
HEADROOM: Final = 64
MAX_TCP_HEADER: Final = 320
#: What a buffer of the send queue costs beside its text (Linux tcp_stream_alloc_skb).
SEND_OVERHEAD: Final = 1280
GSO_MAX: Final = 65536 - 1 - MAX_TCP_HEADER


def truesize(octets: int) -> int:
    """Return what a received packet of that many octets occupies: its slab, and the ``sk_buff`` itself."""
    need = octets + HEADROOM + SHARED_INFO
    slab = 512
    while slab < need:
        slab <<= 1
    return slab + SKB


def expand_sndbuf(tcb: Tcb) -> None:
    """Let the send buffer hold two congestion windows, unless the user fixed it (Linux tcp_sndbuf_expand)."""
    if tcb.sndbuf_locked:
        return
    per_segment = 1
    while per_segment < max(tcb.mss_clamp, tcb.mss) + MAX_TCP_HEADER + SHARED_INFO:
        per_segment <<= 1
    segments = max(tcb.cwnd, INITIAL_CWND, tcb.config.reordering + 1)
    tcb.sndbuf = max(tcb.sndbuf, min(2 * segments * (per_segment + SKB), tcb.config.wmem_max))


def size_goal(tcb: Tcb) -> int:
    """Return how much text one buffer of the send queue takes: whole segments, at most half the largest window."""
    goal = min(GSO_MAX, max(tcb.max_window >> 1, 68) if tcb.max_window else GSO_MAX)
    return max(goal // tcb.mss, 1) * tcb.mss


def window_from_space(space: int) -> int:
    """Return the window that a space of the receive buffer stands for: half of it (Linux TCP_DEFAULT_SCALING_RATIO)."""
    return space >> 1


def initial_window(tcb: Tcb) -> None:
    """Choose the first window and the scale, from SO_RCVBUF and ``tcp_rmem`` (Linux tcp_select_initial_window)."""
    space = window_from_space(tcb.rcvbuf)
    clamp = space
    mss = tcb.adv_mss - (12 if tcb.ts_recent_at is not None else 0)
    room = space // mss * mss if space > mss else space
    tcb.rcv_wnd = min(room, 65535)
    tcb.rcv_wscale = 0
    if tcb.wscale_ok:
        largest = max(space, tcb.config.rmem_max) if not tcb.rcvbuf_locked else space
        tcb.rcv_wscale = min(max(largest.bit_length() - 1 - 15, 0), 14)
    tcb.window_clamp = min(clamp, 65535 << tcb.rcv_wscale)
    tcb.rcv_ssthresh = tcb.rcv_wnd
