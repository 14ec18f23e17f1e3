"""N13: write called when the server has rebooted; which call is told of the RST, and how."""

import contextlib
import errno
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import S
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import rebooted
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import RST

HORIZON_NS: Final = 5 * S // 2
#: Longer than a round trip, and than the retransmission that finds the host booted again.
BETWEEN: Final = 0.4


def client(lab: Lab) -> None:
    """Write while the server's host is down, or after it has booted; then go on as told."""
    sock = rebooted.connected(lab)
    if lab.settings["write"] == "non-blocking":
        sock.setblocking(False)
    time.sleep(rebooted.DURING if lab.settings["called"] == "while it is down" else rebooted.AFTER)
    sock.send(rebooted.PING)
    lab.mark("written")
    pause = 0.0 if lab.settings["then"] == "writes at once" else BETWEEN
    time.sleep(pause)
    for _ in range(3):
        with contextlib.suppress(OSError):
            THEN[lab.settings["then"]](sock)
        time.sleep(BETWEEN)
    sock.close()


def _writes(sock: socket.socket) -> None:
    sock.send(rebooted.PING)


def _reads(sock: socket.socket) -> None:
    sock.recv(100)


def _asks(sock: socket.socket) -> None:
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


THEN: Final = {
    "writes": _writes,
    "writes at once": _writes,
    "reads": _reads,
    "asks SO_ERROR": _asks,
}

_VARIANTS: Final[tuple[Variant, ...]] = tuple(
    rebooted.variant(settings, client, horizon_ns=HORIZON_NS)
    for settings in each(
        write=("blocking", "non-blocking"),
        called=("while it is down", "when it is back"),
        then=tuple(THEN),
    )
)

#: What the calls after the RST give, in order.
_TOLD: Final[dict[str, list[object]]] = {
    "writes": ["ECONNRESET", "EPIPE", "EPIPE"],
    "reads": ["ECONNRESET", b"", b""],
    "asks SO_ERROR": [errno.ECONNRESET, 0, 0],
}


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the first write gave, and which call was told of the RST."""
    first_ok = 0
    reset_after: list[int] = []
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        (reset, *_) = [seen for seen in segments_from(trace, "server") if seen.seg.flags & RST]
        assert reset.t_ns >= rebooted.back_at(trace), "the booted kernel answers"
        sends = calls(trace, process="client", call="send")
        first = sends[0]
        assert first.errno is None, "the write that meets the reboot succeeds"
        assert first.result == len(rebooted.PING), "it takes all bytes"
        first_ok += 1
        assert reset.arrived_ns is not None, "the RST arrived"
        if settings["called"] == "when it is back":
            reset_after.append(reset.arrived_ns - first.t_ns)
        later = [call for call in _later(trace, first) if call.t_ns > reset.arrived_ns]
        results = [_outcome(call) for call in later]
        kind = "writes" if settings["then"] == "writes at once" else settings["then"]
        assert results == _TOLD[kind][: len(results)], f"{variant.name}: {results}"
        assert len(results) >= 2, "calls were made after the RST"
    return Answer(
        verdict="refuted",
        text=(
            f"Not this write: it succeeds ({first_ok} of {len(_VARIANTS)} runs), its bytes are "
            f"only queued, and they are lost. The RST comes {span(reset_after)} later, and the "
            "next call is told, once: a write or a read gives ECONNRESET, SO_ERROR too. After that "
            'write gives EPIPE (with SIGPIPE), read b"".'
        ),
        zh=(
            f"不是这次 write：它成功（{first_ok} 次，共 {len(_VARIANTS)} 次），数据只是进了队列，而"
            f"且会丢失。RST 在 {span_zh(reset_after)} 后到来，由下一次调用得知，而且只报告一次："
            "write 或 read 得到 ECONNRESET，SO_ERROR 也一样。此后 write 得到 EPIPE（伴随 "
            'SIGPIPE），read 得到 b""。'
        ),
    )


def _later(trace: Trace, first: Call) -> list[Call]:
    return [
        call
        for call in calls(trace, process="client")
        if call.t_ns > first.t_ns and call.call in {"send", "recv", "getsockopt"}
    ]


def _outcome(call: Call) -> object:
    if call.errno is not None:
        return call.errno
    return b"" if call.result == {"len": 0, "head": ""} else call.result


NOTE: Final = Note(
    id="N13",
    question="write is called when the server has rebooted: does this write give ECONNRESET?",
    question_zh="server 重启后调用 write：这次 write 返回 ECONNRESET 吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.7.1",
        "Linux tcp_sendmsg_locked",
        "Linux tcp_reset",
        "Linux sk_stream_error",
    ),
    words=("write", "send", "reboot", "RST", "ECONNRESET", "EPIPE", "SIGPIPE", "first write"),
)
