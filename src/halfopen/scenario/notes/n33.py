"""N33: writing to a socket that has received an RST; which write is told what, and of SIGPIPE."""

import contextlib
import signal
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS, S
from halfopen.record.events import ProcessEnded
from halfopen.record.faults import Fault, Forge
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import Seen, segments, segments_from
from halfopen.wire.tcp import RST

CLIENT: Final = "client"
#: The RST comes so long after all is well; the client acts well after that.
RESET_AFTER: Final = 0.15
PONDER: Final = 0.05
RESET_AFTER_NS: Final = 150 * MS
ACTS_AFTER: Final = 0.25
BETWEEN: Final = 0.1
WRITES: Final = 3
HORIZON_NS: Final = 1 * S

#: How far from the number that the client expects next a forger's RST lies: the client's window is
#: some 64000 octets wide.
_FORGED: Final = {
    "forged, exact": 0,
    "forged, in the window": 1000,
    "forged, before the window": -1000,
    "forged, behind the window": 1_000_000,
}
_OURS: Final = "by the peer's close"
_AFTER_FIN: Final = "forged, exact, after a FIN"
#: Those that end the connection.
_ENDS: Final = (_OURS, "forged, exact", _AFTER_FIN)

FIRST: Final = ("write", "read, then write", "SO_ERROR, then write")
SIGNALS: Final = ("ignored", "default", "MSG_NOSIGNAL")


def server(lab: Lab) -> None:
    """Close with data unread, so that an RST is sent, or send a FIN, or nothing of its own."""
    conn = pair.accepted(lab)
    time.sleep(PONDER)
    if lab.settings["unread"] == "data":
        conn.sendall(pair.NEWS)
    if lab.settings["RST"] == _AFTER_FIN:
        conn.shutdown(socket.SHUT_WR)
    time.sleep(RESET_AFTER - PONDER + pair.WAY)
    if lab.settings["RST"] == _OURS:
        conn.close()
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Let the RST come, and write three times; perhaps something else looks at the socket first."""
    how = lab.settings["SIGPIPE"]
    if how != "ignored":  # as in C, where Python has not set it to be ignored
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    flags = socket.MSG_NOSIGNAL if how == "MSG_NOSIGNAL" else 0
    sock = pair.connected(lab)
    if lab.settings["RST"] == _OURS:
        sock.sendall(pair.NEWS)  # that the server leaves unread
    time.sleep(ACTS_AFTER)
    lab.mark("acts")
    first = lab.settings["first"]
    sock.setblocking(False)
    if first == "read, then write":
        for _ in range(2):
            with contextlib.suppress(OSError):
                sock.recv(100)
    elif first == "SO_ERROR, then write":
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    for _ in range(WRITES):
        with contextlib.suppress(OSError):
            sock.send(pair.NEWS, flags)
        time.sleep(BETWEEN)
    lab.mark("survived")
    time.sleep(pair.LONG)


def _variant(settings: Mapping[str, str]) -> Variant:
    how = settings["RST"]
    shift = 0 if how == _AFTER_FIN else _FORGED.get(how)
    steps: tuple[Step, ...] = ()
    if shift is not None:
        fault: Fault = Forge(link="client-server", towards=CLIENT, flags="RST", seq=shift)
        steps = (Step(when=pair.well(RESET_AFTER_NS), fault=fault),)
    return pair.variant(settings, server=server, client=client, horizon_ns=HORIZON_NS, steps=steps)


_VARIANTS: Final[tuple[Variant, ...]] = tuple(
    _variant(settings)
    for settings in (
        *each(RST=_ENDS, unread=("none", "data"), first=FIRST, SIGPIPE=SIGNALS),
        *each(
            RST=tuple(how for how in _FORGED if how not in _ENDS),
            unread=("none", "data"),
            first=("write",),
            SIGPIPE=("default",),
        ),
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what each write gave, and whether the process lived."""
    told: dict[str, set[tuple[str, ...]]] = {}
    killed: dict[str, int] = {}
    lived = read = 0
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        reset = _reset(trace)
        assert reset.arrived_ns is not None, "the RST arrived"
        writes = [call for call in calls(trace, process=CLIENT, call="send") if _acts(trace, call)]
        given = tuple(_outcome(call) for call in writes)
        if settings["RST"] not in _ENDS:
            assert given == ("4 bytes",) * WRITES, f"{variant.name}: {given}"
            lived += 1
            if settings["RST"] == "forged, in the window":
                (challenge,) = _answers(trace, reset)
                assert challenge.t_ns == reset.arrived_ns, "it is answered at once"
            else:
                assert not _answers(trace, reset), f"{variant.name}: it is dropped in silence"
            continue
        seen_before = _told_before(trace)
        read += _reads_what_came(trace, settings)
        kind = "after a FIN" if settings["RST"] == _AFTER_FIN else "told" if seen_before else "new"
        deadly = settings["SIGPIPE"] == "default"
        ended = [e.how for e in trace.events if isinstance(e, ProcessEnded) and e.process == CLIENT]
        assert ended == (["SIGPIPE"] if deadly else []), f"{variant.name}: {ended}"
        if deadly:
            killed[kind] = len(writes)
            assert given[-1] == "none", "the write that kills never returns"
            given = (*given[:-1], "EPIPE")
        told.setdefault(kind, set()).add((*given, "EPIPE", "EPIPE")[:WRITES])
    assert told["new"] == {("ECONNRESET", "EPIPE", "EPIPE")}, told
    assert told["told"] == {("EPIPE",) * WRITES}, told
    assert told["after a FIN"] == {("EPIPE",) * WRITES}, told
    assert killed == {"new": 2, "told": 1, "after a FIN": 1}, killed
    return Answer(
        verdict="qualified",
        text=(
            "The second write does. The first after the RST gives ECONNRESET, and no signal; from "
            "then on it is EPIPE with SIGPIPE, which kills a process that does not ignore it "
            "(Python does; MSG_NOSIGNAL keeps it away). The first write gives EPIPE and SIGPIPE at "
            "once where a read or SO_ERROR was told ECONNRESET before, and where the RST came "
            "after a FIN."
        ),
        zh=(
            "第二次 write 才会。RST 之后的第一次 write 得到 ECONNRESET，没有信号；从此以后才是 "
            "EPIPE 和 SIGPIPE，不忽略这个信号的进程会被杀死（Python 忽略它；MSG_NOSIGNAL 也不让它出"
            "现）。如果此前 read 或 SO_ERROR 已经报告过 ECONNRESET，或者 RST 是在 FIN 之后来的，那"
            "么第一次 write 就立即得到 EPIPE 和 SIGPIPE。"
        ),
        more=(
            "Without the signal the write gives EPIPE all the same. Data that had come before the "
            f"RST can still be read ({read} runs). An RST without the exact next number ends "
            f"nothing, and writing goes on ({lived} runs): in the window it is answered with a "
            "challenge ACK, outside of it dropped in silence."
        ),
        more_zh=(
            f"没有信号时 write 照样返回 EPIPE。RST 之前到达的数据还能读到（{read} 次运行）。序号不"
            f"恰好是下一个的 RST 什么也不会结束，write 继续成功（{lived} 次运行）：落在窗口内的得到"
            "一个质询 ACK（challenge ACK），窗口外的被默默丢弃。"
        ),
    )


def _reset(trace: Trace) -> Seen:
    """The RST that the client received."""
    return next(seen for seen in segments_from(trace, "server") if seen.seg.flags & RST)


def _answers(trace: Trace, reset: Seen) -> list[Seen]:
    """What the client sent between the RST and its own next call."""
    assert reset.arrived_ns is not None
    acts = pair.marked(trace, CLIENT, "acts")
    return [s for s in segments(trace) if s.host == CLIENT and reset.arrived_ns <= s.t_ns < acts]


def _acts(trace: Trace, call: Call) -> bool:
    return call.t_ns >= pair.marked(trace, CLIENT, "acts")


def _told_before(trace: Trace) -> bool:
    """Whether a call before the writes was told of the reset."""
    made = [call for call in calls(trace, process=CLIENT) if _acts(trace, call)]
    asked = any(call.call == "getsockopt" and bool(call.result) for call in made)
    return asked or any(call.call == "recv" and call.errno == "ECONNRESET" for call in made)


def _reads_what_came(trace: Trace, settings: Mapping[str, str]) -> bool:
    """Whether a read after the RST gave what had come before it; it must, where there was any."""
    reads = [c for c in calls(trace, process=CLIENT, call="recv") if _acts(trace, c)]
    news = {"len": len(pair.NEWS), "head": pair.NEWS.decode()}
    if not reads or settings["unread"] == "none":
        assert all(call.result != news for call in reads), "nothing had come"
        return False
    assert reads[0].result == news, "what came before the RST is not lost"
    return True


def _outcome(call: Call) -> str:
    if call.returned_ns is None:
        return "none"
    return call.errno or f"{call.result} bytes"


NOTE: Final = Note(
    id="N33",
    question="Does writing to a socket that has received an RST raise SIGPIPE (EPIPE)?",
    question_zh="写一个已经收到 RST 的套接字，会引发 SIGPIPE（EPIPE）吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.7.4",
        "RFC 5961 3.2",
        "Linux tcp_reset",
        "Linux tcp_sendmsg_locked",
        "Linux sk_stream_error",
        "Linux tcp_validate_incoming",
    ),
    words=(
        "RST",
        "SIGPIPE",
        "EPIPE",
        "ECONNRESET",
        "MSG_NOSIGNAL",
        "broken pipe",
        "write",
        "send after a reset",
    ),
)
