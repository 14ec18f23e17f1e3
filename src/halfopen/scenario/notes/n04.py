"""N04: read has returned 0; whether what one sends then still arrives."""

import contextlib
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import HOUR, S, show_duration
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import segments_from, span, span_zh, stays
from halfopen.wire.tcp import ACK, FIN, RST

#: The server ends its side so long after all is well; the client waits for that, and goes on.
END_AFTER: Final = 0.1
PATIENCE: Final = 0.25
PONDER: Final = 0.05
BETWEEN: Final = 0.1
#: By then the client has sent all that it sends, and closed.
READ_AFTER: Final = 0.7
HORIZON_NS: Final = 3 * S // 2

#: An orphan waits so long for the peer's FIN, in seconds, where a run is to be short.
SHORT: Final = {"net.ipv4.tcp_fin_timeout": 1}
SHORT_WAITS: Final = {"0.5 s": 0.5, "2 s": 2.0}
WAITS: Final = {"30 s": 30.0, "2 min": 120.0, "12 h": 43200.0}
ORPHAN_HORIZON_NS: Final = 5 * S // 2

#: Descriptors of a program that exits without ``close``: a global keeps them open to the end.
_kept: list[socket.socket] = []

_SHUTDOWNS: Final = {
    "shutdown SHUT_WR": socket.SHUT_WR,
    "shutdown SHUT_RDWR": socket.SHUT_RDWR,
    "shutdown SHUT_RD": socket.SHUT_RD,
}
_ENDS: Final = ("close", "exit", *_SHUTDOWNS)


def server(lab: Lab) -> None:
    """Be A: end one's side, and look later what has come all the same."""
    conn = pair.accepted(lab)
    time.sleep(END_AFTER + pair.WAY)
    how = lab.settings["server ends by"]
    lab.mark("ends")
    if how == "exit":
        _kept.append(conn)
        return
    if how == "close":
        conn.close()
        time.sleep(pair.LONG)
        return
    conn.shutdown(_SHUTDOWNS[how])
    time.sleep(READ_AFTER)
    lab.mark("reads")
    for _ in range(2):
        with contextlib.suppress(OSError):
            conn.recv(100)
    conn.close()
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Be B: read the end, send all the same, and see whether that is told to have failed."""
    sock = pair.connected(lab)
    sock.settimeout(PATIENCE)
    with contextlib.suppress(TimeoutError):
        sock.recv(100)
    sock.settimeout(None)
    time.sleep(PONDER)
    lab.mark("sends")
    for _ in range(int(lab.settings["client sends"])):
        with contextlib.suppress(OSError):
            sock.sendall(pair.NEWS)
        time.sleep(BETWEEN)
    sock.close()
    time.sleep(pair.LONG)


def orphaning_server(lab: Lab) -> None:
    """End one's side, by close or half, and wait for the peer's FIN."""
    conn = pair.accepted(lab)
    time.sleep(END_AFTER + pair.WAY)
    lab.mark("ends")
    if lab.settings["server ends by"] == "close":
        conn.close()
    else:
        conn.shutdown(socket.SHUT_WR)
        conn.recv(100)
        conn.close()
    time.sleep(max(WAITS.values()) + pair.LONG)


def patient_client(lab: Lab) -> None:
    """Read the end, keep the connection, and close late."""
    sock = pair.connected(lab)
    sock.recv(100)
    time.sleep((SHORT_WAITS | WAITS)[lab.settings["client closes after"]])
    lab.mark("closes")
    sock.close()
    time.sleep(pair.LONG)


_TALKING: Final = tuple(
    pair.variant(settings, server=server, client=client, horizon_ns=HORIZON_NS)
    for settings in each(**{"server ends by": _ENDS, "client sends": ("0", "1", "2")})
)
_ORPHANS: Final = tuple(
    pair.variant(
        settings,
        server=orphaning_server,
        client=patient_client,
        horizon_ns=ORPHAN_HORIZON_NS,
        sysctl=SHORT,
    )
    for settings in each(
        **{
            "server ends by": ("close", "shutdown SHUT_WR"),
            "client closes after": tuple(SHORT_WAITS),
        }
    )
)
_DEFAULT: Final = tuple(
    pair.variant(
        settings,
        server=orphaning_server,
        client=patient_client,
        horizon_ns=13 * HOUR,
        because="an orphan waits a minute for the peer's FIN, and a half-closed socket for ever",
    )
    for settings in each(
        **{"server ends by": ("close", "shutdown SHUT_WR"), "client closes after": tuple(WAITS)},
        durations=("default",),
    )
)
_VARIANTS: Final[tuple[Variant, ...]] = (*_TALKING, *_ORPHANS, *_DEFAULT)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the client's read gave, and what became of what it sent then."""
    arrived: dict[str, list[str]] = {how: [] for how in _ENDS}
    resets = []
    for variant in _TALKING:
        trace, how = runs[variant.name], variant.settings["server ends by"]
        words = int(variant.settings["client sends"])
        ended = calls(trace, process="client", call="recv")[1]
        silent = how == "shutdown SHUT_RD"
        assert (ended.errno == "timeout") == silent, "only SHUT_RD is not told to the peer"
        assert (ended.result == {"len": 0, "head": ""}) != silent, "read returns 0"
        if words:
            arrived[how].append(_became(trace, words))
            if arrived[how][-1] == "reset":
                resets.append(_reset_after(trace))
    refused = sum(fates.count("reset") for fates in arrived.values())
    assert {how for how, fates in arrived.items() if set(fates) == {"read"}} == {
        "shutdown SHUT_WR",
        "shutdown SHUT_RD",
    }, "what is sent to a half-closed socket is read"
    assert refused == 2 * len(_ENDS) - 4, "what is sent to a closed one is refused"
    short = _orphans(runs, _ORPHANS)
    default = _orphans(runs, _DEFAULT)
    (kept,) = {ns for v in _DEFAULT[1:3] for ns in stays(runs[v.name], "server", "FIN-WAIT-2")}
    return Answer(
        verdict="qualified",
        text=(
            "Only after a half-close. Read returns 0 because a FIN came, and a FIN does not say "
            "whether the peer still reads. After shutdown(SHUT_WR) it does: what is sent then "
            f"arrives ({len(arrived['shutdown SHUT_WR'])} runs). After close, exit or "
            "shutdown(SHUT_RDWR) the same FIN comes, the write succeeds, but the peer's kernel "
            f"answers with an RST ({refused} runs, {span(resets)} later), and the next write gives "
            "EPIPE."
        ),
        zh=(
            "只有半关闭之后才能。read 返回 0 是因为来了 FIN，而 FIN 并不说明对端是否还在读。"
            "shutdown(SHUT_WR) 之后对端还在读：此时发送的数据能到达"
            f"（{len(arrived['shutdown SHUT_WR'])} 次运行）。close、exit 或 shutdown(SHUT_RDWR) 之"
            f"后来的是同样的 FIN，write 成功，但对端的内核以 RST 回应（{refused} 次运行，"
            f"{span_zh(resets)} 后），下一次 write 得到 EPIPE。"
        ),
        more=(
            "shutdown(SHUT_RD) sends nothing, and what comes after it can even be read. A "
            f"half-closed connection stays for ever ({max(WAITS, key=lambda k: WAITS[k])} in one "
            f"run); one that was closed is forgotten after {show_duration(kept)} without the "
            "peer's FIN (tcp_fin_timeout), and that FIN is then answered with an RST "
            f"({short + default} runs)."
        ),
        more_zh=(
            "shutdown(SHUT_RD) 什么也不发送，之后到来的数据甚至还能读到。半关闭的连接会一直存在（其"
            f"中一次运行长达 {max(WAITS, key=lambda k: WAITS[k])}）；已经 close 的连接如果等不到对"
            f"端的 FIN，{show_duration(kept)} 后就被忘掉（tcp_fin_timeout），此后来的 FIN 得到的是 "
            f"RST（{short + default} 次运行）。"
        ),
    )


def _became(trace: Trace, words: int) -> str:
    """What became of the client's words: the server's program read them, or its kernel reset."""
    sends = _sends(trace)
    assert sends[0].errno is None, "the first write succeeds"
    if any(s.seg.flags & RST for s in segments_from(trace, "server")):
        assert [send.errno for send in sends[1:]] == ["EPIPE"] * (words - 1), "then EPIPE"
        return "reset"
    assert [send.errno for send in sends[1:]] == [None] * (words - 1), "every write succeeds"
    first, second = calls(trace, process="server", call="recv")[1:]
    news = pair.NEWS * words
    assert first.result == {"len": len(news), "head": news.decode()}, "all of it is read"
    assert second.result == {"len": 0, "head": ""}, "and then the end"
    return "read"


def _sends(trace: Trace) -> list[Call]:
    since = pair.marked(trace, "client", "sends")
    return [c for c in calls(trace, process="client", call="sendall") if c.t_ns >= since]


def _reset_after(trace: Trace) -> int:
    """How long after the write the RST was there."""
    reset = next(s for s in segments_from(trace, "server") if s.seg.flags & RST)
    assert reset.arrived_ns is not None, "the RST arrived"
    return reset.arrived_ns - _sends(trace)[0].t_ns


def _orphans(runs: Mapping[str, Trace], variants: tuple[Variant, ...]) -> int:
    """See which late FINs are acknowledged; how many came too late."""
    late = 0
    waits = tuple(dict.fromkeys(v.settings["client closes after"] for v in variants))
    for variant in variants:
        trace = runs[variant.name]
        closes = pair.marked(trace, "client", "closes")
        assert any(s.seg.flags & FIN and s.t_ns >= closes for s in segments_from(trace, "client"))
        last = segments_from(trace, "server")[-1]
        assert last.t_ns > closes, "the client's FIN is answered"
        closed = variant.settings["server ends by"] == "close"
        too_late = closed and variant.settings["client closes after"] != waits[0]
        assert last.seg.flags == (RST if too_late else ACK), variant.name
        late += too_late
    return late


NOTE: Final = Note(
    id="N04",
    question="B's read returns 0: A has closed; can it still receive?",
    question_zh="B 的 read 返回 0：A 已经关闭；A 还能接收数据吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.6",
        "RFC 9293 3.6.1",
        "RFC 1122 4.2.2.13",
        "Linux tcp_shutdown",
        "Linux tcp_rcv_state_process",
        "Linux tcp_timewait_state_process",
        "Linux tcp_fin_time",
    ),
    words=(
        "read",
        "recv",
        "EOF",
        "half-close",
        "shutdown",
        "SHUT_WR",
        "SHUT_RD",
        "FIN_WAIT2",
        "tcp_fin_timeout",
        "orphan",
        "EPIPE",
    ),
)
