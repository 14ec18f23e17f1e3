"""What queued data costs of SO_SNDBUF and SO_RCVBUF, by the kernel's ``sk_buff`` accounting."""

from typing import Final

from halfopen.tcp.tcb import INITIAL_CWND, MSS_DEFAULT, TCP_HEADER, TIMESTAMP_OPTION, Tcb

SKB: Final = 256  # struct sk_buff, aligned
SHARED_INFO: Final = 320  # struct skb_shared_info
HEADROOM: Final = 64
#: The smallest block behind a packet (Linux SKB_SMALL_HEAD_CACHE_SIZE).
SMALL_HEAD: Final = 576
PAGE: Final = 4096
MAX_TCP_HEADER: Final = 256
#: What a buffer of the send queue costs beside its text (Linux tcp_stream_alloc_skb).
SEND_OVERHEAD: Final = MAX_TCP_HEADER + SHARED_INFO + SKB
#: ``scaling_ratio`` is in 256ths (Linux TCP_RMEM_TO_WIN_SCALE).
RATIO_SHIFT: Final = 8
GSO_MAX: Final = 65536 - 1 - MAX_TCP_HEADER


def truesize(octets: int) -> int:
    """Return what a received packet of that many octets takes of SO_RCVBUF.

    Its memory block and ``sk_buff``.
    """
    need = octets + HEADROOM + SHARED_INFO
    return SKB + (1 << (need - 1).bit_length() if need > SMALL_HEAD else SMALL_HEAD)


def tailroom(octets: int, takes: int) -> int:
    """Return what fits behind a received packet in its block, for small ones that follow it.

    ``takes``: its ``truesize``.
    """
    return takes - SKB - octets - HEADROOM - SHARED_INFO


def copy_truesize(octets: int) -> int:
    """Return what a copy of so much received text takes: a packet's, without the headroom."""
    return truesize(octets - HEADROOM)


def copy_tailroom(octets: int) -> int:
    """Return what fits behind a copy in its block."""
    return tailroom(octets - HEADROOM, copy_truesize(octets))


def expand_sndbuf(tcb: Tcb) -> None:
    """Let the send buffer hold two congestion windows, unless the user fixed it.

    Linux tcp_sndbuf_expand.
    """
    if tcb.sndbuf_locked:
        return
    per_segment = 1
    while per_segment < max(tcb.mss_clamp, tcb.mss) + MAX_TCP_HEADER + SHARED_INFO:
        per_segment <<= 1
    segments = max(tcb.cwnd, INITIAL_CWND, tcb.config.reordering + 1)
    tcb.sndbuf = max(tcb.sndbuf, min(2 * segments * (per_segment + SKB), tcb.config.wmem_max))


def size_goal(tcb: Tcb) -> int:
    """Return how much text one buffer of the send queue takes.

    Whole segments, at most half the largest window.
    """
    return max(within_half_window(tcb, GSO_MAX) // tcb.mss, 1) * tcb.mss


def within_half_window(tcb: Tcb, octets: int) -> int:
    """Cut a size to half the largest window that the peer has offered, or to a tiny one.

    Linux tcp_bound_to_half_wnd.
    """
    most = tcb.max_window
    if most > MSS_DEFAULT:
        most >>= 1
    if most and octets > most:
        return max(most, 68 - TCP_HEADER - (TIMESTAMP_OPTION if tcb.ts_ok else 0))
    return octets


def window_from_space(tcb: Tcb, space: int) -> int:
    """Return the window that a space of the receive buffer stands for (Linux tcp_win_from_space).

    Half of it, until segments show what share of a packet's memory is text.
    """
    return space * tcb.scaling_ratio >> RATIO_SHIFT


def space_from_window(tcb: Tcb, window: int) -> int:
    """Return the space that a window needs (Linux tcp_space_from_win)."""
    return (window << RATIO_SHIFT) // tcb.scaling_ratio


def free_space(tcb: Tcb) -> int:
    """Return the window that the free part of the receive buffer stands for (Linux tcp_space)."""
    return window_from_space(tcb, max(tcb.rcvbuf - tcb.rmem, 0))


def initial_window(tcb: Tcb, mss: int) -> None:
    """Choose the first window, in whole segments, and the scale.

    A SYN tells at most 65535 of it. Linux tcp_select_initial_window.
    """
    full = window_from_space(tcb, tcb.rcvbuf)
    clamp = tcb.user_clamp or 65535 << 14
    if tcb.rcvbuf_locked:
        clamp = min(clamp, full)
    space = min(full, clamp)
    tcb.rcv_wnd = space // mss * mss if space > mss else space
    tcb.rcv_wscale = 0
    if tcb.wscale_ok:
        largest = min(max(space, tcb.config.rmem_largest), clamp)
        tcb.rcv_wscale = min(max(largest.bit_length() - 1 - 15, 0), 14)
    tcb.window_clamp = min(65535 << tcb.rcv_wscale, clamp)
    tcb.rcv_ssthresh = tcb.rcv_wnd


def initial_space(tcb: Tcb) -> None:
    """Bound the window of an open connection by its buffer (Linux tcp_init_buffer_space)."""
    full = window_from_space(tcb, tcb.rcvbuf)
    mss = tcb.adv_mss
    clamp = tcb.window_clamp
    clamp = min(clamp, full)
    if clamp > 2 * mss and clamp + mss > full:  # a segment is kept in reserve
        clamp = max(2 * mss, full - mss)
    tcb.window_clamp = clamp
    tcb.rcv_ssthresh = min(tcb.rcv_ssthresh, clamp)
    tcb.rcvq_space = min(tcb.rcv_ssthresh, tcb.rcv_wnd, INITIAL_CWND * mss)
    tcb.rcvq_seq = tcb.copied_seq
