"""Whether a segment gets into the receive queue: there memory counts, not octets.

The window offers octets, and a small segment takes many times of what it carries. Where the buffer
is used up by that, Linux copies what waits for the reader closely together, and where that is not
enough it drops the segment, although it lies in the window, and closes the window.
"""

from halfopen.tcp import reassembly
from halfopen.tcp.buffers import PAGE
from halfopen.tcp.tcb import Tcb
from halfopen.tcp.window import clamp_to_memory
from halfopen.wire.tcp import ACK, PSH, Segment


def is_predicted(tcb: Tcb, seg: Segment, takes: int, *, end: int, right: int) -> bool:
    """Whether a segment is what the fast path takes unseen (Linux tcp_rcv_established).

    It looks at no buffer, but only into what memory has been set aside already. ``takes`` is what
    the segment takes, ``end`` where the text ends, ``right`` where the window does. Requires: it
    begins at RCV.NXT.
    """
    return (
        takes <= tcb.set_aside
        and tcb.predicts
        and seg.flags & ~PSH == ACK
        and seg.wnd == tcb.snd_wnd >> tcb.snd_wscale
        and not seg.sack
        and end <= right
    )


def admit(tcb: Tcb, takes: int, seq: int) -> bool:
    """Set memory aside for a segment that takes so much (Linux tcp_try_rmem_schedule).

    False: there is none.
    """
    if tcb.rmem > tcb.rcvbuf and not _prune(tcb, seq):
        return False
    missing = takes - tcb.set_aside
    if missing > 0:
        tcb.set_aside += -(-missing // PAGE) * PAGE
    return True


def _prune(tcb: Tcb, seq: int) -> bool:
    """Make room: bound the window, collapse what waits, forget what came early.

    Whether it was enough. Linux tcp_prune_queue.
    """
    clamp_to_memory(tcb)
    if tcb.rmem <= tcb.rcvbuf:
        return True
    reassembly.collapse_early(tcb)
    reassembly.collapse(tcb)
    if tcb.rmem <= tcb.rcvbuf:
        return True
    reassembly.prune_early(tcb, seq)
    if tcb.rmem <= tcb.rcvbuf:
        return True
    tcb.predicts = False
    return False
