"""N46: TCP_NODELAY against Nagle's algorithm, corks and delayed ACKs: latency and segments."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS, show_duration
from halfopen.base.value import value
from halfopen.record.events import Mark
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import Seen, segments_from, span, span_zh

TCP: Final = socket.IPPROTO_TCP
#: A program does something between its writes.
GAP: Final = 0.003
#: By then everything is acknowledged that went before.
QUIET: Final = 0.12
#: What is long is read so long after the last reply, when all of it has come.
LATE: Final = 0.17
ROUNDS: Final = 3
REPLY: Final = b"done"
HORIZON_NS: Final = 900 * MS
#: A cork holds back what is small for so long.
CORKED_HORIZON_NS: Final = 1500 * MS

#: What is written, piece by piece, before a reply is read.
ONE: Final = "one write"
TWO: Final = "write, write"
MANY: Final = "12 writes"
LONG: Final = "a long one"
PATTERNS: Final[Mapping[str, tuple[int, ...]]] = {
    ONE: (8,),
    TWO: (4, 4),
    MANY: (10,) * 12,
    LONG: (3000,),
}
NAGLE: Final = "as ever"
NODELAY: Final = "TCP_NODELAY"
AROUND: Final = "TCP_CORK around"
MORE: Final = "MSG_MORE"
LEFT_ON: Final = "TCP_CORK left on"
BOTH: Final = "TCP_CORK left on, TCP_NODELAY"
AFTERWARDS: Final = "TCP_NODELAY afterwards"
SENDERS: Final[Mapping[str, tuple[str, ...]]] = {
    ONE: (NAGLE, NODELAY, LEFT_ON),
    TWO: (NAGLE, NODELAY, AROUND, MORE, LEFT_ON, BOTH, AFTERWARDS),
    MANY: (NAGLE, NODELAY, AROUND, MORE),
    LONG: (NAGLE, NODELAY, LEFT_ON),
}
DELAYS: Final = "as ever"
QUICK: Final = "TCP_QUICKACK"
RECEIVERS: Final = (DELAYS, QUICK)


def server(lab: Lab) -> None:
    """Read all pieces, and reply; again and again."""
    conn = pair.accepted(lab)
    size = sum(PATTERNS[lab.settings["writes"]])
    for _ in range(ROUNDS):
        if lab.settings["receiver"] == QUICK:
            conn.setsockopt(TCP, socket.TCP_QUICKACK, 1)
        if lab.settings["writes"] == LONG:
            time.sleep(LATE)
        conn.recv(size, socket.MSG_WAITALL)
        conn.sendall(REPLY)
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Write piece by piece, and read the reply; again and again."""
    sock = pair.connected(lab)
    sender = lab.settings["sender"]
    if sender in {NODELAY, BOTH}:
        sock.setsockopt(TCP, socket.TCP_NODELAY, 1)
    if sender in {LEFT_ON, BOTH}:
        sock.setsockopt(TCP, socket.TCP_CORK, 1)
    for _ in range(ROUNDS):
        time.sleep(QUIET)
        lab.mark("writes")
        _write(sock, PATTERNS[lab.settings["writes"]], sender)
        sock.recv(100)
    time.sleep(pair.LONG)


def _write(sock: socket.socket, pieces: tuple[int, ...], sender: str) -> None:
    if sender == AROUND:
        sock.setsockopt(TCP, socket.TCP_CORK, 1)
    for number, size in enumerate(pieces, start=1):
        if number > 1:
            time.sleep(GAP)
        more = sender == MORE and number < len(pieces)
        sock.sendall(bytes(size), socket.MSG_MORE if more else 0)
    if sender == AROUND:
        sock.setsockopt(TCP, socket.TCP_CORK, 0)
    if sender == AFTERWARDS:
        sock.setsockopt(TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(TCP, socket.TCP_NODELAY, 0)


_VARIANTS: Final[dict[tuple[str, str, str], Variant]] = {
    (writes, sender, receiver): pair.variant(
        {"writes": writes, "sender": sender, "receiver": receiver},
        server=server,
        client=client,
        horizon_ns=CORKED_HORIZON_NS if sender in {LEFT_ON, BOTH} else HORIZON_NS,
    )
    for writes, senders in SENDERS.items()
    for sender in senders
    for receiver in RECEIVERS
}


@value
class Measured:
    """A run: what each round took until the reply, how long a piece was on its way, on average.

    ``segments`` are those with text that one round took, at most.
    """

    replies: tuple[int, ...]
    way: int
    segments: int


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Measure every run, and hold TCP_NODELAY against doing nothing."""
    found = {
        key: _measure(runs[variant.name], PATTERNS[key[0]]) for key, variant in _VARIANTS.items()
    }
    nagle, nodelay = found[TWO, NAGLE, DELAYS], found[TWO, NODELAY, DELAYS]
    many, pushed = found[MANY, NAGLE, DELAYS], found[MANY, NODELAY, DELAYS]
    quick = found[TWO, NAGLE, QUICK]
    once = found[ONE, NAGLE, DELAYS]
    for receiver in RECEIVERS:
        for writes in (ONE, LONG):
            same = found[writes, NAGLE, receiver] == found[writes, NODELAY, receiver]
            assert same, f"{writes}: Nagle's algorithm keeps nothing back"
        for sender in (AROUND, MORE):
            assert found[TWO, sender, receiver].segments == 1, f"{sender}: the pieces are gathered"
            assert found[TWO, sender, receiver].replies == nodelay.replies, "and leave in time"
            assert found[MANY, sender, receiver].segments == 1, f"{sender}: all are gathered"
        assert found[TWO, AFTERWARDS, receiver].replies == nodelay.replies, "it lets go what waits"
        assert found[TWO, BOTH, receiver] == found[TWO, LEFT_ON, receiver], "a cork is stronger"
    corked = [
        reply
        for (_, sender, _), each_ in found.items()
        for reply in each_.replies
        if sender in {LEFT_ON, BOTH}
    ]
    assert max(quick.replies) < min(nagle.replies), "the ACK comes sooner"
    sooner = max(nodelay.replies) < min(nagle.replies) and pushed.way < many.way
    free = pushed.segments <= many.segments and max(once.replies) >= max(nodelay.replies)
    gathered = found[MANY, AROUND, DELAYS]
    return Answer(
        verdict=("confirmed" if free else "qualified") if sooner else "refuted",
        text=(
            "They arrive sooner, and there are more of them. Nagle's algorithm keeps a small piece "
            "back only while another small one is unacknowledged, and the peer delays that ACK: "
            f"two small writes and the reply take {span(nagle.replies)}, with TCP_NODELAY "
            f"{span(nodelay.replies)}. Of {len(PATTERNS[MANY])} small writes one is on its way for "
            f"{show_duration(many.way)} on average, in {many.segments} segments, with TCP_NODELAY "
            f"for {show_duration(pushed.way)} in {pushed.segments}. It is better to write once: "
            "then it changes nothing."
        ),
        zh=(
            "到得更早，但报文段也更多。Nagle 算法只在另一个小报文段未确认时才扣住一个小的，而对端会"
            f"延迟那个 ACK：两次小的写加上应答要 {span_zh(nagle.replies)}，用 TCP_NODELAY 只要 "
            f"{span_zh(nodelay.replies)}。{len(PATTERNS[MANY])} 次小的写，平均每次在路上 "
            f"{show_duration(many.way)}，共 {many.segments} 个报文段；用 TCP_NODELAY 是 "
            f"{show_duration(pushed.way)}，共 {pushed.segments} 个。更好的办法是一次写完：那时没有"
            "差别。"
        ),
        more=(
            "With TCP_QUICKACK at the peer the two writes and the reply take "
            f"{span(quick.replies)}. One write and its reply take {span(once.replies)} either way, "
            "however long: the small end of a long one does not wait. Several writes are gathered "
            "with MSG_MORE, or with TCP_CORK around them: the reply to two comes as soon, for "
            f"{gathered.segments} segment (of {len(PATTERNS[MANY])} writes each then is "
            f"{show_duration(gathered.way)} on its way). A cork left on costs {span(corked)}, with "
            "TCP_NODELAY too; TCP_NODELAY set after a write lets go what waits."
        ),
        more_zh=(
            f"对端用 TCP_QUICKACK 时，两次写加上应答要 {span_zh(quick.replies)}。只写一次再等应答，"
            f"两种情况都是 {span_zh(once.replies)}，无论多长：长数据的末尾并不等待。几次写可用 "
            f"MSG_MORE、或在前后用 TCP_CORK 收集：两次写的应答同样快，只要 {gathered.segments} 个报"
            f"文段（{len(PATTERNS[MANY])} 次写时每次在路上 {show_duration(gathered.way)}）。忘记取"
            f"消的 TCP_CORK 要花 {span_zh(corked)}，同时设 TCP_NODELAY 也一样；写之后再设 "
            "TCP_NODELAY 会放走等待的数据。"
        ),
    )


def _measure(trace: Trace, pieces: tuple[int, ...]) -> Measured:
    begins = [e.t_ns for e in trace.events if isinstance(e, Mark) and e.name == "writes"]
    _, *replies = calls(trace, process="client", call="recv")
    assert len(begins) == len(replies) == ROUNDS, "all rounds were made"
    _, *writes = calls(trace, process="client", call="sendall")
    sent = [s for s in segments_from(trace, "client") if s.seg.text and s.t_ns >= begins[0]]
    first, waits, took, octets = sent[0].seg.seq, [], [], 0
    for write, size in zip(writes, pieces * ROUNDS, strict=True):
        octets += size
        last = next(s for s in sent if _end(s, first) >= octets)
        assert last.arrived_ns is not None, "it arrives"
        waits.append(last.arrived_ns - write.t_ns)
    for begin, reply in zip(begins, replies, strict=True):
        assert reply.returned_ns is not None, "the reply comes"
        took.append(reply.returned_ns - begin)
    counts = [
        sum(begin <= seen.t_ns < begin + wait for seen in sent)
        for begin, wait in zip(begins, took, strict=True)
    ]
    return Measured(replies=tuple(took), way=round(sum(waits) / len(waits)), segments=max(counts))


def _end(seen: Seen, first: int) -> int:
    return ((seen.seg.seq - first) & 0xFFFFFFFF) + len(seen.seg.text)


NOTE: Final = Note(
    id="N46",
    question="TCP_NODELAY switches Nagle's algorithm off: do small packets fare better?",
    question_zh="TCP_NODELAY 关闭 Nagle 算法：小包会更好吗？",
    variants=tuple(_VARIANTS.values()),
    answer=answer,
    why=(
        "RFC 9293 3.7.4",
        "RFC 1122 4.2.3.2",
        "Linux tcp_nagle_test",
        "Linux tcp_minshall_check",
        "Linux __tcp_sock_set_cork",
        "Linux __tcp_ack_snd_check",
        "Linux __tcp_sock_set_quickack",
    ),
    words=(
        "TCP_NODELAY",
        "Nagle",
        "small packets",
        "latency",
        "TCP_CORK",
        "MSG_MORE",
        "TCP_QUICKACK",
        "delayed ACK",
        "40 ms",
        "200 ms",
        "write-write-read",
    ),
)
