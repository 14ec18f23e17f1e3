"""Received text: what is in order waits for the reader, what came early for the gap to fill.

RFC 9293 3.10.7.4, seventh step. Both queues are charged against SO_RCVBUF, as the kernel charges
its ``sk_buff``s.
"""

from halfopen.tcp.buffers import tailroom, truesize
from halfopen.tcp.tcb import IP_HEADER, TCP_HEADER, TIMESTAMP_OPTION, Tcb

#: A piece of the out-of-order queue: where it begins and ends, its text, and whether FIN follows.
Piece = tuple[int, int, bytes, bool]


def packet_size(octets: int) -> int:
    """Return the length of the packet that brought so many octets of text."""
    return octets + IP_HEADER + TCP_HEADER + TIMESTAMP_OPTION


def cost(octets: int) -> int:
    """Return what a segment of that many octets of text takes of SO_RCVBUF."""
    return truesize(packet_size(octets))


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
    takes = cost(size)
    ready.append(text)
    tcb.ready_costs.append(takes)
    tcb.ready_tailroom = tailroom(packet_size(size))
    tcb.rmem += takes


def take(tcb: Tcb, size: int) -> bytes:
    """Return at most ``size`` octets that are in order, and let go of them."""
    ready = tcb.ready
    offset = tcb.ready_offset
    first = ready[0]
    left = len(first) - offset
    if not offset and left == tcb.rcv_queued <= size:  # the only one, whole
        ready.popleft()
        tcb.rmem -= tcb.ready_costs.popleft()
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
            tcb.rmem -= tcb.ready_costs.popleft()
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


def insert(tcb: Tcb, seq: int, text: bytes, *, fin: bool) -> None:
    """Keep a segment that lies beyond RCV.NXT; what is there already is not kept twice.

    What it repeats becomes the D-SACK of the next ACK (RFC 2883 4; Linux tcp_data_queue_ofo).
    """
    end = seq + len(text)
    at, stop = seq, end
    kept: list[Piece] = []
    for piece in tcb.ooo:
        begin, finish, old, old_fin = piece
        if finish <= seq or begin >= end:
            kept.append(piece)
        elif begin <= seq and end <= finish:
            if tcb.sack_ok:
                tcb.dsack = (seq, end)
            _remember(tcb, seq)
            return
        elif seq <= begin and finish <= end:
            tcb.rmem -= cost(len(old))
            fin = fin or (old_fin and finish == end)
        elif begin < seq:  # its end overlaps our beginning
            kept.append(piece)
            at = finish
        else:  # its beginning overlaps our end
            kept.append(piece)
            stop = begin
            fin = False
    if at < stop or fin:
        kept.append((at, stop, text[at - seq : stop - seq], fin))
        tcb.rmem += cost(stop - at)
    kept.sort(key=_begin)
    tcb.ooo = kept
    _remember(tcb, seq)


def join(tcb: Tcb) -> bool:
    """Give the reader what is in order now; True where the peer's FIN is next."""
    while tcb.ooo and tcb.ooo[0][0] <= tcb.rcv_nxt:
        start, end, text, fin = tcb.ooo.pop(0)
        tcb.rmem -= cost(len(text))
        if end > tcb.rcv_nxt:
            append(tcb, text[tcb.rcv_nxt - start :] if start < tcb.rcv_nxt else text)
        if fin and tcb.rcv_nxt == end:
            return True
    if not tcb.ooo:
        tcb.sack_recent.clear()
    return False


def drop_early(tcb: Tcb) -> None:
    """Forget what lies beyond the end."""
    for _, _, text, _ in tcb.ooo:
        tcb.rmem -= cost(len(text))
    tcb.ooo.clear()
    tcb.sack_recent.clear()


def blocks(tcb: Tcb) -> dict[int, int]:
    """Return the runs of the out-of-order queue, by where they begin: where they end."""
    runs: dict[int, int] = {}
    start = end = -1
    for begin, stop, _, _ in tcb.ooo:
        if begin != end:
            start = begin
        end = stop
        runs[start] = end
    return runs


def _begin(piece: Piece) -> int:
    return piece[0]


def _remember(tcb: Tcb, seq: int) -> None:
    """Put the block that holds ``seq`` first among the SACK blocks (RFC 2018 4)."""
    runs = blocks(tcb)
    chosen = -1
    for begin, end in runs.items():
        if begin <= seq <= end:
            chosen = begin
            break
    rest = [old for old in tcb.sack_recent if old in runs and old != chosen]
    tcb.sack_recent = [chosen, *rest][:8] if chosen >= 0 else rest
