"""N01: packets keep coming and nobody reads; whether they are dropped once the buffer is full."""

import contextlib
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS, show_duration
from halfopen.record.faults import Forge
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import pair, unread
from halfopen.scenario.notes.reading import Seen, segments_from
from halfopen.scenario.notes.unread import CABLE, CLIENT, DELAY_NS, SERVER
from halfopen.wire.seq import lt
from halfopen.wire.tcp import RST

#: The receive buffer: by default, by SO_RCVBUF (which the kernel doubles; 2304 is the least), or
#: as small by default, and left to the kernel.
BUFFERS: Final[Mapping[str, int | None]] = {
    "default": None,
    "SO_RCVBUF 8192": 8192,
    "SO_RCVBUF 0": 0,
    "tcp_rmem 2304": None,
}
SYSCTL: Final = {"tcp_rmem 2304": {"net.ipv4.tcp_rmem": "2304 2304 6291456"}}

#: What the client writes: how many times how many pieces of which size; all leave at once.
WRITES: Final[Mapping[str, tuple[int, int, int]]] = {
    "100 x 20": (10, 10, 20),
    "100 x 200": (10, 10, 200),
    "5 x 20000": (5, 1, 20_000),
}
STEP: Final = 0.22

#: Well after the last step. A delayed ACK lies within REPLY_NS, and nothing is sent again so soon.
LATE: Final = 2.46
HORIZON_NS: Final = 3975 * MS
REPLY_NS: Final = 200 * MS

#: The window has closed by then, and has not been probed yet.
FORGED_AFTER_NS: Final = 280 * MS
FORGED_HORIZON_NS: Final = 3480 * MS
NEWS: Final = "forged"
#: Where a forger's segment lies, counted from what the server expects next.
FORGED: Final = {"in order": 0, "ahead": 1000, "far ahead": 1_000_000, "a repetition": -len(NEWS)}


def server(lab: Lab) -> None:
    """Read nothing, or late, and then all that there is, again and again."""
    conn = unread.listen(lab, BUFFERS[lab.settings["receive buffer"]])
    due = time.monotonic() + LATE
    if lab.settings["reader"] == "never":
        time.sleep(unread.FOR_EVER)
    time.sleep(due - time.monotonic())
    while conn.recv(unread.AT_ONCE):
        due += STEP
        time.sleep(max(due - time.monotonic(), 0))


def client(lab: Lab) -> None:
    """Write what the kernel takes, step by step, without waiting for room."""
    sock = unread.connect(lab)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    times, pieces, size = WRITES[lab.settings["writes"]]
    due = time.monotonic()
    lab.mark("writes")
    for _ in range(times):
        for _ in range(pieces):
            with contextlib.suppress(BlockingIOError):
                sock.send(bytes(size))
        due += STEP
        time.sleep(due - time.monotonic())
    time.sleep(unread.FOR_EVER)


def _variant(settings: Mapping[str, str]) -> Variant:
    steps: tuple[Step, ...] = ()
    where = settings.get("forged at the closed window")
    if where is not None:
        fault = Forge(link=CABLE, towards=SERVER, flags="PSH,ACK", seq=FORGED[where], text=NEWS)
        steps = (Step(when=pair.writes(FORGED_AFTER_NS), fault=fault),)
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=HORIZON_NS if where is None else FORGED_HORIZON_NS,
        steps=steps,
        sysctl=SYSCTL.get(settings["receive buffer"], {}),
        delay_ns=DELAY_NS,
    )


_UNREAD: Final = tuple(
    _variant(settings)
    for settings in each(
        **{"receive buffer": tuple(BUFFERS)}, writes=tuple(WRITES), reader=("never", "late")
    )
)
_FORGED: Final = tuple(
    _variant(settings)
    for settings in each(
        **{"receive buffer": ("SO_RCVBUF 8192",)},
        writes=("5 x 20000",),
        reader=("never", "late"),
        **{"forged at the closed window": tuple(FORGED)},
    )
)
_VARIANTS: Final = (*_UNREAD, *_FORGED)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what arrived and was not taken, and what the window said by then."""
    dropped: dict[str, int] = dict.fromkeys(BUFFERS, 0)
    held: dict[str, list[int]] = {buffer: [] for buffer in BUFFERS}
    closed = whole = 0
    probed: list[int] = []
    for variant in _UNREAD:
        trace, settings = runs[variant.name], variant.settings
        buffer = settings["receive buffer"]
        _check_nothing_is_lost_on_the_way(trace)
        refused = _refused(trace, CLIENT)
        dropped[buffer] += len(refused)
        taken = _acknowledged(trace)
        if settings["reader"] == "late" and settings["writes"] == "100 x 20":
            assert taken == 100 * 20, "what was dropped was sent again"
        if settings["reader"] == "late":
            assert unread.octets_read(trace) == taken, "in order, and nothing twice"
            whole += 1
        elif (shut := _closed_at(trace)) is not None:
            closed += 1
            held[buffer].append(taken)
            if settings["writes"] == "5 x 20000":
                probed.append(_probe(trace).t_ns - shut)
    assert dropped["SO_RCVBUF 0"], "small segments overflow a small buffer that is fixed"
    others = sum(dropped.values()) - dropped["SO_RCVBUF 0"]
    assert not others, f"nothing else is dropped: {dropped}"
    forged = [_check_forged(runs[variant.name]) for variant in _FORGED]
    return Answer(
        verdict="answered",
        text=(
            "No: what does not fit is not sent. Each ACK offers the room that is left as the "
            f"window. A full buffer ({max(held['default'])} octets by default, "
            f"{min(held['SO_RCVBUF 8192'])} with SO_RCVBUF 8192) offers 0; the sender then keeps "
            f"the rest ({closed} runs) and asks again, first after {show_duration(min(probed))}. A "
            f"reader that comes late gets everything, in order ({whole} runs). Only very small "
            "segments in a buffer that SO_RCVBUF keeps very small are dropped "
            f"({dropped['SO_RCVBUF 0']} with SO_RCVBUF 0), and sent again later."
        ),
        zh=(
            "不会：装不下的数据根本不会发出来。每个 ACK 都把剩余的空间作为窗口通告给对端。缓冲区满"
            f"时（默认 {max(held['default'])} 字节，SO_RCVBUF 为 8192 时 "
            f"{min(held['SO_RCVBUF 8192'])} 字节）通告的窗口为 0；发送方留住其余数据（{closed} 次运"
            f"行），再来询问，第一次在 {show_duration(min(probed))} 之后。读得晚的程序照样按顺序读"
            f"到全部数据（{whole} 次运行）。只有 SO_RCVBUF 把缓冲区限得很小、来的又是很小的报文段时"
            f"才会丢弃（SO_RCVBUF 为 0 时丢了 {dropped['SO_RCVBUF 0']} 个），稍后重传。"
        ),
        more=(
            "Why they are dropped: the window counts octets, the buffer memory, and a small "
            "segment takes many times what it carries. Where SO_RCVBUF forbids the buffer to grow, "
            "Linux first copies what is there closely together, and then drops what comes, "
            "although it lies in the window; an ACK that closes the window answers each at once. "
            "With SO_RCVBUF 8192 or by default none is dropped. What comes when the window is "
            f"closed is dropped too, and answered with an ACK ({len(forged)} forged segments). The "
            "sender asks ever more rarely."
        ),
        more_zh=(
            "为什么会丢弃：窗口按字节计，缓冲区按内存计，小报文段占的内存是它所带数据的许多倍。如"
            "果 SO_RCVBUF 不许缓冲区增长，Linux 先把已有的数据紧凑地拷到一起，然后丢弃再来的，尽管"
            "它落在窗口之内；每一个都立即得到一个关闭窗口的 ACK。SO_RCVBUF 为 8192 或默认值时一个也"
            f"没有丢弃。窗口关闭时到来的数据也被丢弃，并以一个 ACK 回应（{len(forged)} 个伪造的报文"
            "段）。发送方的询问越来越稀。"
        ),
    )


def _check_nothing_is_lost_on_the_way(trace: Trace) -> None:
    for host in (CLIENT, SERVER):
        for seen in segments_from(trace, host):
            assert seen.why is None, "the network loses nothing"
            assert not seen.seg.flags & RST, "and nobody resets"


def _refused(trace: Trace, host: str) -> list[Seen]:
    """The segments with text that arrived and were not taken in: the reply still asks for them."""
    replies = segments_from(trace, SERVER)
    found = []
    for seen in segments_from(trace, host):
        if not seen.seg.text or seen.arrived_ns is None:
            continue
        until = seen.arrived_ns + REPLY_NS
        said = [r.seg.ack for r in replies if seen.arrived_ns <= r.t_ns <= until]
        if said and not any(lt(seen.seg.seq, ack) for ack in said):
            found.append(seen)
    return found


def _acknowledged(trace: Trace) -> int:
    """How many octets the server's host has acknowledged in the end."""
    acks = [seen.seg.ack for seen in segments_from(trace, SERVER)]
    return max((ack - acks[0]) & 0xFFFFFFFF for ack in acks)


def _closed_at(trace: Trace) -> int | None:
    """The instant at which the client first heard of a closed window; None where it never did."""
    for seen in segments_from(trace, SERVER):
        if not seen.seg.wnd:
            return seen.arrived_ns
    return None


def _probe(trace: Trace) -> Seen:
    """The first segment by which the client asks whether the window is still closed."""
    shut = _closed_at(trace)
    assert shut is not None
    return next(seen for seen in segments_from(trace, CLIENT) if seen.t_ns > shut)


def _check_forged(trace: Trace) -> Seen:
    """See that a segment at a closed window is answered at once, and is never read."""
    (forged,) = [s for s in segments_from(trace, CLIENT) if s.seg.text == NEWS.encode()]
    assert forged.arrived_ns is not None, "it arrives"
    replies = [s for s in segments_from(trace, SERVER) if s.t_ns == forged.arrived_ns]
    assert [s.seg.wnd for s in replies] == [0], "it is answered at once: still closed"
    heads = [call.result for call in calls(trace, process=SERVER, call="recv")]
    assert not any(NEWS in str(head) for head in heads), "and nobody reads it"
    return forged


NOTE: Final = Note(
    id="N01",
    question="The receive buffer is full, and more packets come: are they dropped?",
    question_zh="接收缓冲区满了，包还在来：会被丢弃吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.8.6.2",
        "RFC 9293 3.10.7.4",
        "Linux tcp_select_window",
        "Linux tcp_data_queue",
        "Linux tcp_prune_queue",
        "Linux tcp_collapse",
    ),
    words=(
        "receive buffer",
        "full",
        "dropped",
        "never reads",
        "window",
        "zero window",
        "SO_RCVBUF",
        "flow control",
        "rmem",
    ),
    tells=(("server", "recv"),),
)
