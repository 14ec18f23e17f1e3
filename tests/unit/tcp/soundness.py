"""What must hold of a connection between any two entries, whatever came (RFC 9293 3.3.1, 3.4).

``complaints`` reads a connection and says what is wrong with it; nothing is changed.
"""

from collections.abc import Iterator

from halfopen.tcp.deadlines import next_deadline
from halfopen.tcp.skb import LOST, RETRANS, SACKED
from halfopen.tcp.states import State
from halfopen.tcp.tcb import ACK_SCHED, Tcb


def complaints(tcb: Tcb, now: int) -> list[str]:
    """List what does not hold."""
    found = [*_numbers(tcb), *_receive_queues(tcb), *_timers(tcb, now)]
    if tcb.state is State.CLOSED:
        return found
    return [*found, *_send_queues(tcb), *_marks(tcb)]


def _numbers(tcb: Tcb) -> Iterator[str]:
    if not tcb.iss <= tcb.snd_una <= tcb.snd_nxt <= tcb.write_seq:
        yield f"ISS {tcb.iss}, SND.UNA {tcb.snd_una}, SND.NXT {tcb.snd_nxt}, end {tcb.write_seq}"
    if not tcb.irs <= tcb.rcv_wup <= tcb.rcv_nxt:
        yield f"IRS {tcb.irs}, acknowledged {tcb.rcv_wup}, RCV.NXT {tcb.rcv_nxt}"
    for name, number, least in (
        ("SND.WND", tcb.snd_wnd, 0),
        ("RCV.WND", tcb.rcv_wnd, 0),
        ("rmem", tcb.rmem, 0),
        ("snd_queued", tcb.snd_queued, 0),
        ("rcv_queued", tcb.rcv_queued, 0),
        ("mss", tcb.mss, 1),
        ("cwnd", tcb.cwnd, 1),
        ("ssthresh", tcb.ssthresh, 2),
        ("rto_ns", tcb.rto_ns, 1),
    ):
        if number < least:
            yield f"{name} is {number}"


def _send_queues(tcb: Tcb) -> Iterator[str]:
    """What is in flight lies from SND.UNA to SND.NXT without a gap, and then what is unsent."""
    if tcb.minisock or tcb.embryo:
        if tcb.inflight or tcb.unsent or tcb.snd_queued:
            yield "it has no queues, and yet a send queue"
        return
    at = tcb.inflight[0].seq if tcb.inflight else tcb.snd_una
    if tcb.inflight and not at <= tcb.snd_una < tcb.inflight[0].end_seq:
        yield f"in flight from {at} to {tcb.inflight[0].end_seq}, SND.UNA {tcb.snd_una}"
    for name, queue, end in (
        ("in flight", tcb.inflight, tcb.snd_nxt),
        ("unsent", tcb.unsent, tcb.write_seq),
    ):
        for skb in queue:
            if skb.seq != at or skb.end_seq <= at:
                yield f"{name}: {skb.seq} to {skb.end_seq} follows {at}"
            at = skb.end_seq
        if at != end:
            yield f"{name}: it ends at {at}, not at {end}"
    owed = sum(skb.cost for skb in tcb.inflight) + sum(skb.cost for skb in tcb.unsent)
    if owed != tcb.snd_queued:
        yield f"the send queue costs {owed}, and snd_queued is {tcb.snd_queued}"


def _marks(tcb: Tcb) -> Iterator[str]:
    lost = sum(1 for skb in tcb.inflight if skb.marks & LOST)
    resent = sum(1 for skb in tcb.inflight if skb.marks & RETRANS)
    sacked = sum(1 for skb in tcb.inflight if skb.marks & SACKED)
    if (lost, resent) != (tcb.lost_out, tcb.retrans_out):
        yield f"{lost} lost, {resent} sent again; counted {tcb.lost_out}, {tcb.retrans_out}"
    if tcb.sack_ok and sacked != tcb.sacked_out:
        yield f"{sacked} segments are marked SACKed, {tcb.sacked_out} counted"
    if tcb.in_flight() < 0:
        yield f"{tcb.in_flight()} segments are in the network"


def _runs(tcb: Tcb) -> list[tuple[int, int]]:
    """The stretches of early text."""
    runs: list[tuple[int, int]] = []
    for begin, end, _, fin, _, _ in tcb.ooo:
        joins = runs and runs[-1][1] == begin
        runs.append((runs.pop()[0] if joins else begin, end + fin))
    return runs


def _receive_queues(tcb: Tcb) -> Iterator[str]:
    octets = sum(map(len, tcb.ready)) - tcb.ready_offset
    if octets != tcb.rcv_queued:
        yield f"{octets} octets are queued, and rcv_queued is {tcb.rcv_queued}"
    if tcb.state is State.CLOSED or tcb.minisock:
        return
    beyond = tcb.rcv_nxt - tcb.copied_seq - octets if tcb.rcv_nxt else 0  # before any SYN
    if beyond < tcb.fin_received or (beyond and not tcb.fin_received):  # a peer may have two FINs
        yield f"read up to {tcb.copied_seq}, {octets} queued, RCV.NXT {tcb.rcv_nxt}"
    at = tcb.rcv_nxt
    for begin, end, text, fin, _, room in tcb.ooo:
        if (
            begin <= tcb.rcv_nxt
            or begin < at
            or end - begin != len(text)
            or end + fin <= begin
            or room < 0
        ):
            yield f"early text from {begin} to {end} ({len(text)} octets) behind {at}"
        if room < 0:
            yield f"early text from {begin} to {end} is larger than its block"
        at = end + fin
    taken = sum(tcb.ready_costs) + sum(piece[4] for piece in tcb.ooo)
    if taken != tcb.rmem:
        yield f"the receive queues take {taken}, and rmem is {tcb.rmem}"
    runs = _runs(tcb)
    for left, right in tcb.sacks:
        if not any(begin <= left < right <= end for begin, end in runs):
            yield f"a SACK block from {left} to {right}, and the runs are {runs}"


def _timers(tcb: Tcb, now: int) -> Iterator[str]:
    """Nothing waits for ever that only we could move on, and the world was told of every timer."""
    due = next_deadline(tcb)
    if due is not None and due <= now:
        yield f"a deadline has passed and is still there: {due} at {now}"
    if due is not None and tcb.entry_at > due:
        yield f"nobody was told of the deadline at {due}"
    if tcb.state is State.CLOSED:
        if due is not None:
            yield "a closed connection has a deadline"
        return
    if tcb.minisock:
        if tcb.msl_at is None:
            yield "its wait has no end"
        return
    if (tcb.inflight or tcb.unsent or tcb.embryo) and tcb.xmit_at is None:
        yield "something is to be sent or acknowledged, and no timer sees to it"
    if tcb.ack_pending & ACK_SCHED and tcb.delack_at is None:
        yield "an ACK is due, and no timer sees to it"
