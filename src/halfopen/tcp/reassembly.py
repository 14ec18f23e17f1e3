"""Received text: what is in order waits for the reader, what came early for the gap to fill.

RFC 9293 3.10.7.4, seventh step. Both queues are charged against SO_RCVBUF, as the kernel charges
its ``sk_buff``s.
"""

from typing import Final

from halfopen.tcp.buffers import (
    PAGE,
    SHARED_INFO,
    copy_tailroom,
    copy_truesize,
    tailroom,
    truesize,
    window_from_space,
)
from halfopen.tcp.tcb import TCP_HEADER, TIMESTAMP_OPTION, Tcb

#: A piece of the out-of-order queue: where it begins and ends, its text, and whether FIN follows.
Piece = tuple[int, int, bytes, bool]


#: So many blocks of early text are remembered, to be reported (Linux TCP_NUM_SACKS).
NUM_SACKS: Final = 4
#: As much text as a copy takes at most: a page (Linux tcp_collapse).
COPY_MAX: Final = PAGE - SHARED_INFO


def packet_size(tcb: Tcb, octets: int) -> int:
    """Return the length of the packet that brought so many octets of text."""
    return octets + tcb.ip_header + TCP_HEADER + TIMESTAMP_OPTION


def cost(tcb: Tcb, octets: int) -> int:
    """Return what a segment of that many octets of text takes of SO_RCVBUF."""
    return truesize(packet_size(tcb, octets))


def append(tcb: Tcb, text: bytes) -> None:
    """Give text to the reader. Requires: it begins at RCV.NXT.

    What fits into the memory of the segment before it costs nothing (Linux tcp_try_coalesce).
    """
    size = len(text)
    ready = tcb.ready
    tcb.rcv_nxt += size
    tcb.rcv_queued += size
    if ready and size <= tcb.ready_tailroom:
        ready[-1] += text
        tcb.ready_tailroom -= size
        return
    takes = cost(tcb, size)
    ready.append(text)
    tcb.ready_costs.append(takes)
    tcb.ready_tailroom = tailroom(packet_size(tcb, size))
    charge(tcb, takes)


def charge(tcb: Tcb, memory: int) -> None:
    """Let received text take memory: of what is set aside, else of a further page.

    Linux skb_set_owner_r.
    """
    tcb.rmem += memory
    tcb.set_aside -= memory
    if tcb.set_aside < 0:
        tcb.set_aside %= PAGE


def uncharge(tcb: Tcb, memory: int) -> None:
    """Take memory back; of what is set aside then, whole pages are given up (Linux sock_rfree)."""
    tcb.rmem -= memory
    tcb.set_aside = (tcb.set_aside + memory) % PAGE


def collapse(tcb: Tcb) -> None:
    """Copy what waits for the reader closely together, from the first wasteful piece on.

    Linux tcp_collapse.
    """
    ready, costs = tcb.ready, tcb.ready_costs
    keep = 0
    offset = tcb.ready_offset
    for text, memory in zip(ready, costs, strict=True):
        if offset or window_from_space(tcb, memory) > len(text):
            break
        keep += 1
    if keep == len(ready):
        return
    old = 0
    pieces: list[bytes] = []
    while len(ready) > keep:
        pieces.append(ready.pop())
        old += costs.pop()
    pieces.reverse()
    text = b"".join(pieces)
    if not keep:
        text = text[offset:]
        tcb.ready_offset = 0
    tcb.rmem -= old
    new = 0
    for at in range(0, len(text), COPY_MAX):
        piece = text[at : at + COPY_MAX]
        memory = copy_truesize(len(piece))
        ready.append(piece)
        costs.append(memory)
        tcb.ready_tailroom = copy_tailroom(len(piece))
        new += memory
    tcb.rmem += new
    tcb.set_aside = (tcb.set_aside + old - new) % PAGE


def prune_early(tcb: Tcb, seq: int) -> None:
    """Forget what came early, the farthest first, until an eighth of the buffer is free again.

    What lies before ``seq`` is worth more than what comes now. Linux tcp_prune_ofo_queue.
    """
    goal = tcb.rcvbuf >> 3
    pruned = False
    while tcb.ooo and tcb.ooo[-1][0] >= seq:
        memory = cost(tcb, len(tcb.ooo.pop()[2]))
        uncharge(tcb, memory)
        pruned = True
        goal -= memory
        if goal <= 0:
            if tcb.rmem <= tcb.rcvbuf:
                break
            goal = tcb.rcvbuf >> 3
    if pruned:
        tcb.sacks.clear()


def take(tcb: Tcb, size: int) -> bytes:
    """Return at most ``size`` octets that are in order, and let go of them."""
    ready = tcb.ready
    offset = tcb.ready_offset
    first = ready[0]
    left = len(first) - offset
    if not offset and left == tcb.rcv_queued <= size:  # the only one, whole
        ready.popleft()
        uncharge(tcb, tcb.ready_costs.popleft())
        tcb.rcv_queued = 0
        tcb.copied_seq += left
        return first
    if left > size:
        tcb.ready_offset = offset + size
        tcb.rcv_queued -= size
        tcb.copied_seq += size
        return first[offset : offset + size]
    pieces: list[bytes] = []
    got = 0
    while ready and got < size:
        first = ready[0]
        end = min(len(first), offset + size - got)
        pieces.append(first if not offset and end == len(first) else first[offset:end])
        got += end - offset
        if end == len(first):
            ready.popleft()
            uncharge(tcb, tcb.ready_costs.popleft())
            offset = 0
        else:
            offset = end
    tcb.ready_offset = offset
    tcb.rcv_queued -= got
    tcb.copied_seq += got
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def peek(tcb: Tcb, size: int) -> bytes:
    """Return at most ``size`` octets that are in order, and keep them."""
    pieces: list[bytes] = []
    offset = tcb.ready_offset
    got = 0
    for piece in tcb.ready:
        part = piece[offset : offset + size - got]
        offset = 0
        pieces.append(part)
        got += len(part)
        if got >= size:
            break
    return b"".join(pieces)


def insert(tcb: Tcb, seq: int, text: bytes, *, fin: bool) -> int:
    """Keep a segment that lies beyond RCV.NXT, and return what it takes of SO_RCVBUF.

    Charging it is left to the caller. -1: it brought nothing, and is not kept.
    What it repeats becomes the D-SACK of the next ACK (RFC 2883 4; Linux tcp_data_queue_ofo).
    """
    edge = seq + len(text) + fin  # a FIN takes a number
    at, stop = seq, edge
    kept: list[Piece] = []
    for piece in tcb.ooo:
        begin, finish, old, old_fin = piece
        tail = finish + old_fin
        if tail <= seq or begin >= edge:
            kept.append(piece)
        elif begin <= seq and edge <= tail:
            if tcb.sack_ok:
                tcb.dsack = (seq, edge)
            _report(tcb, seq, edge)
            return -1
        elif seq <= begin and tail <= edge:
            uncharge(tcb, cost(tcb, len(old)))
            _came_twice(tcb, begin, tail)
        elif begin < seq:  # its end overlaps our beginning
            kept.append(piece)
            at = tail
            _came_twice(tcb, seq, tail)
        else:  # its beginning overlaps our end
            kept.append(piece)
            stop = begin
            _came_twice(tcb, begin, edge)
    takes = 0
    if at < stop:
        fresh = text[at - seq : stop - seq]
        kept.append((at, at + len(fresh), fresh, fin and stop == edge))
        takes = cost(tcb, len(fresh))
    kept.sort(key=_begin)
    tcb.ooo = kept
    _report(tcb, seq, edge)
    return takes


def join(tcb: Tcb) -> bool:
    """Give the reader what is in order now; True where the peer's FIN is next.

    What text in order has brought once more becomes the D-SACK (Linux tcp_ofo_queue).
    """
    brought = tcb.rcv_nxt
    while tcb.ooo and tcb.ooo[0][0] <= tcb.rcv_nxt:
        start, end, text, fin = tcb.ooo.pop(0)
        uncharge(tcb, cost(tcb, len(text)))
        if start < brought:
            _came_twice(tcb, start, min(end + fin, brought))
        if end > tcb.rcv_nxt:
            append(tcb, text[tcb.rcv_nxt - start :] if start < tcb.rcv_nxt else text)
        if fin and tcb.rcv_nxt == end:
            tcb.fin_queued = not tcb.rcv_queued
            return True
    tcb.sacks = [block for block in tcb.sacks if block[0] > tcb.rcv_nxt]
    return False


def _came_twice(tcb: Tcb, seq: int, end: int) -> None:
    """Report it, with what it touches: an ACK has one D-SACK only (Linux tcp_dsack_extend)."""
    if not tcb.sack_ok:
        return
    if tcb.dsack is None:
        tcb.dsack = (seq, end)
        return
    start, stop = tcb.dsack
    if seq <= stop and start <= end:
        tcb.dsack = (min(start, seq), max(stop, end))


def drop_early(tcb: Tcb) -> None:
    """Forget what lies beyond the end, and what was to be said of it (Linux tcp_sack_reset)."""
    for _, _, text, _ in tcb.ooo:
        uncharge(tcb, cost(tcb, len(text)))
    tcb.ooo.clear()
    tcb.sacks.clear()
    tcb.dsack = None


def _begin(piece: Piece) -> int:
    return piece[0]


def _report(tcb: Tcb, seq: int, end: int) -> None:
    """Put the SACK block that holds what came first, and forget the last one if they are too many.

    RFC 2018 4; Linux tcp_sack_new_ofo_skb, tcp_sack_maybe_coalesce.
    """
    if not tcb.sack_ok:
        return
    others: list[tuple[int, int]] = []
    for block in tcb.sacks:
        if seq <= block[1] and block[0] <= end:
            seq, end = min(seq, block[0]), max(end, block[1])
        else:
            others.append(block)
    tcb.sacks = [(seq, end), *others][:NUM_SACKS]
