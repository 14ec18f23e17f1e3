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

#: A piece of the out-of-order queue: where it begins and ends, its text, and whether FIN follows;
#: what it takes of SO_RCVBUF, and what still fits into its block.
Piece = tuple[int, int, bytes, bool, int, int]


#: So many blocks of early text are remembered, to be reported (Linux TCP_NUM_SACKS).
NUM_SACKS: Final = 4
#: As much text as a copy takes at most: a page (Linux tcp_collapse).
COPY_MAX: Final = PAGE - SHARED_INFO


def cost(tcb: Tcb, octets: int) -> int:
    """Return what a segment of that many octets of text takes of SO_RCVBUF."""
    return truesize(octets + tcb.ip_header + TCP_HEADER + TIMESTAMP_OPTION)


def room_behind(tcb: Tcb, octets: int, takes: int) -> int:
    """Return what still fits into the memory that a segment of that many octets takes."""
    return tailroom(octets + tcb.ip_header + TCP_HEADER + TIMESTAMP_OPTION, takes)


def append(tcb: Tcb, text: bytes, takes: int = -1, room: int = 0) -> None:
    """Give text to the reader. Requires: it begins at RCV.NXT.

    What fits into the memory of the segment before it costs nothing (Linux tcp_try_coalesce).
    Else it takes so much and leaves so much room, if that is known.
    """
    size = len(text)
    ready = tcb.ready
    tcb.rcv_nxt += size
    tcb.rcv_queued += size
    if ready and size <= tcb.ready_tailroom:
        ready[-1] += text
        tcb.ready_tailroom -= size
        return
    if takes < 0:
        takes = cost(tcb, size)
        room = room_behind(tcb, size, takes)
    ready.append(text)
    tcb.ready_costs.append(takes)
    tcb.ready_tailroom = room
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


def collapse_early(tcb: Tcb) -> None:
    """Copy what came early closely together, each stretch without a gap for itself.

    A small piece alone is left as it is, and once such have an eighth of the buffer, so is all that
    lies behind. Linux tcp_collapse_ofo_queue.
    """
    pieces = tcb.ooo
    kept: list[Piece] = []
    alone = at = 0
    while at < len(pieces):
        begin, end, _, fin, memory, _ = pieces[at]
        stop = at + 1
        while stop < len(pieces) and pieces[stop][0] == end + fin:
            _, end, _, fin, _, _ = pieces[stop]
            stop += 1
        if stop - at > 1 or end + fin - begin >= COPY_MAX:
            kept += _collapsed(tcb, pieces[at:stop])
        else:
            kept.append(pieces[at])
            alone += memory
            if alone > tcb.rcvbuf >> 3:
                kept += pieces[stop:]
                break
        at = stop
    tcb.ooo = kept


def _collapsed(tcb: Tcb, run: list[Piece]) -> list[Piece]:
    """Copy pieces without a gap, from the first wasteful one on, to where a FIN is."""
    first = 0
    while first < len(run) and (
        run[first][3] or window_from_space(tcb, run[first][4]) <= len(run[first][2])
    ):
        first += 1
    stop = first
    while stop < len(run) and not run[stop][3]:
        stop += 1
    text = b"".join([piece[2] for piece in run[first:stop]])
    given = sum([piece[4] for piece in run[first:stop]])
    copies: list[Piece] = []
    for at in range(0, len(text), COPY_MAX):
        part = text[at : at + COPY_MAX]
        memory = copy_truesize(len(part))
        begin = run[first][0] + at
        copies.append((begin, begin + len(part), part, False, memory, copy_tailroom(len(part))))
        given -= memory
    tcb.rmem -= given
    tcb.set_aside = (tcb.set_aside + given) % PAGE
    return run[:first] + copies + run[stop:]


def prune_early(tcb: Tcb, seq: int) -> None:
    """Forget what came early, the farthest first, until an eighth of the buffer is free again.

    What lies before ``seq`` is worth more than what comes now. Linux tcp_prune_ofo_queue.
    """
    goal = tcb.rcvbuf >> 3
    pruned = False
    while tcb.ooo and tcb.ooo[-1][0] >= seq:
        memory = tcb.ooo.pop()[4]
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
    Where it fits into the memory of the piece before it, it takes nothing, and what it repeats of
    others is not looked for (tcp_ooo_try_coalesce).
    """
    size = len(text)
    edge = seq + size + fin  # a FIN takes a number
    at, stop = seq, edge
    kept: list[Piece] = []
    host = -1  # the piece whose memory takes it too
    for piece in tcb.ooo:
        begin, finish, _, old_fin, memory, room = piece
        tail = finish + old_fin
        if tail <= seq or begin >= edge:
            if finish == seq and not old_fin and size <= room:
                host = len(kept)
            kept.append(piece)
        elif begin <= seq and edge <= tail:
            if tcb.sack_ok:
                tcb.dsack = (seq, edge)
            _report(tcb, seq, edge)
            return -1
        elif seq <= begin and tail <= edge:
            uncharge(tcb, memory)
            if host < 0:
                _came_twice(tcb, begin, tail)
        elif begin < seq:  # its end overlaps our beginning
            kept.append(piece)
            at = tail
            _came_twice(tcb, seq, tail)
        else:  # its beginning overlaps our end
            kept.append(piece)
            stop = begin
            if host < 0:
                _came_twice(tcb, begin, edge)
    takes = 0
    if at < stop:
        fresh = text[at - seq : stop - seq]
        end, ends = at + len(fresh), fin and stop == edge
        if host >= 0:
            begin, _, old, _, memory, room = kept[host]
            kept[host] = (begin, end, old + fresh, ends, memory, room - size)
        else:
            takes = cost(tcb, size)
            kept.append((at, end, fresh, ends, takes, room_behind(tcb, size, takes)))
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
        start, end, text, fin, memory, room = tcb.ooo.pop(0)
        uncharge(tcb, memory)
        if start < brought:
            _came_twice(tcb, start, min(end + fin, brought))
        if end > tcb.rcv_nxt:
            fresh = text[tcb.rcv_nxt - start :] if start < tcb.rcv_nxt else text
            append(tcb, fresh, memory, room)
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
    for piece in tcb.ooo:
        uncharge(tcb, piece[4])
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
