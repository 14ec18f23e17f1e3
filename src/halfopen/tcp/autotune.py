"""How the receive buffer grows: to twice what the user reads in a round trip.

Dynamic right-sizing.

Linux tcp_rcv_space_adjust. The round trip is the receiver's own measure, which may differ from the
sender's: by timestamps, or by how long a window's worth of text takes.
"""

from halfopen.base.units import MS, US
from halfopen.tcp.buffers import space_from_window, window_from_space
from halfopen.tcp.emit import ts_now
from halfopen.tcp.tcb import Tcb
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import Segment


def user_reads(tcb: Tcb, octets: int, now: int) -> None:
    """Once in a round trip, compare what the user took since with the buffer.

    Linux looks after every piece of the receive queue: what counts is the first one of a read, of
    so many ``octets``. Requires: they are not taken yet.
    """
    took = now - tcb.rcvq_at
    if not tcb.rcv_rtt_us8 or took < (tcb.rcv_rtt_us8 >> 3) * US:
        return
    copied_seq = tcb.copied_seq + octets
    unread = tcb.rcv_nxt - copied_seq
    copied = copied_seq - tcb.rcvq_seq - unread
    if copied > tcb.rcvq_space:
        grow(tcb, copied)
    tcb.rcvq_seq = copied_seq
    tcb.rcvq_at = now


def grow(tcb: Tcb, copied: int) -> None:
    """Make room for twice of it, and more where it has grown: the sender is in slow start.

    What came early, and the gaps in it, has room beside that.

    Linux tcp_rcvbuf_grow.
    """
    before = tcb.rcvq_space
    tcb.rcvq_space = copied
    config = tcb.config
    if not config.moderate_rcvbuf or tcb.rcvbuf_locked:
        return
    window = 2 * copied
    window += window * (copied - before) // before << 1
    if tcb.ooo:
        last = tcb.ooo[-1]
        window += last[1] + last[3] - tcb.rcv_nxt
    rcvbuf = min(space_from_window(tcb, window), config.rmem_max)
    if rcvbuf > tcb.rcvbuf:
        tcb.rcvbuf = rcvbuf
        tcb.window_clamp = window_from_space(tcb, rcvbuf)


def measure_rtt(tcb: Tcb, now: int) -> None:
    """Measure how long a window's worth of text takes: no less than a round trip.

    tcp_rcv_rtt_measure.
    """
    if tcb.rcv_rtt_at is not None:
        if tcb.rcv_nxt < tcb.rcv_rtt_seq:
            return
        took = max((now - tcb.rcv_rtt_at) // US, 1)
        smaller = not tcb.rcv_rtt_us8 or took << 3 < tcb.rcv_rtt_us8
        if smaller:
            tcb.rcv_rtt_us8 = took << 3
    tcb.rcv_rtt_seq = tcb.rcv_nxt + tcb.rcv_wnd
    tcb.rcv_rtt_at = now


def measure_rtt_by_timestamp(tcb: Tcb, seg: Segment, now: int) -> None:
    """Measure from what a full segment echoes, before it is queued (Linux tcp_rcv_rtt_measure_ts).

    A longer time than known counts only where nothing waits for the reader: else he may be slow.
    """
    if not tcb.ts_ok or seg.ts_val < 0 or seg.ts_ecr == tcb.rcv_rtt_ecr:
        return
    tcb.rcv_rtt_ecr = seg.ts_ecr
    if len(seg.text) < tcb.rcv_mss:
        return
    delta = wrap(ts_now(tcb, now) - seg.ts_ecr)
    if not delta or delta >= 1 << 31:
        return
    sample = delta * MS // US
    if not tcb.rcv_rtt_us8 or sample << 3 < tcb.rcv_rtt_us8:
        tcb.rcv_rtt_us8 = sample << 3
    elif tcb.rcv_nxt == tcb.copied_seq:
        tcb.rcv_rtt_us8 += sample - (tcb.rcv_rtt_us8 >> 3)
