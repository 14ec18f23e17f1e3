"""N08: read after the peer crashed; whether it tells, blocks, or times out."""

import contextlib
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import HOUR, S
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import crashed
from halfopen.scenario.notes.reading import span, span_zh

HORIZON_NS: Final = 3 * S // 2
PATIENCE: Final = 0.6


def client(lab: Lab) -> None:
    """Call recv before the server ends, or after; it may carry a timeout."""
    sock = crashed.connected(lab)
    if lab.settings["timeout"] == "settimeout":
        sock.settimeout(PATIENCE)
    elif lab.settings["timeout"] == "SO_RCVTIMEO":
        timeval = struct.pack("@qq", 0, round(PATIENCE * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    time.sleep(crashed.BEFORE if lab.settings["read"] == "before the end" else crashed.AFTER)
    lab.mark("reads")
    with contextlib.suppress(OSError):
        sock.recv(100)
    with contextlib.suppress(OSError):
        sock.recv(100)
    sock.close()


_VARIANTS: Final[tuple[Variant, ...]] = (
    *(
        crashed.variant(settings, client, horizon_ns=HORIZON_NS)
        for settings in (
            {"server ends by": ends, "unread": unread, "read": read, "timeout": timeout}
            for ends in crashed.ENDS
            for unread in ("none", "data")
            for read in ("before the end", "after the end")
            for timeout in ("none", "settimeout", "SO_RCVTIMEO")
        )
    ),
    *(
        crashed.variant(
            settings,
            client,
            horizon_ns=24 * HOUR,
            kernel=False,
            because="for ever is looked at for a day",
        )
        for settings in each(
            **{"server ends by": ("host off",), "unread": ("none",)},
            read=("before the end",),
            timeout=("none",),
            watched=("a day",),
        )
    ),
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the first recv after the end gave, and when."""
    by_end: dict[str, dict[str, list[int]]] = {}
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        call = calls(trace, process="client", call="recv")[1]
        ended_at = crashed.ended_at(trace)
        kinds = by_end.setdefault(settings["server ends by"], {})
        since = max(ended_at, call.t_ns)
        waited = (call.returned_ns or trace.ended_ns) - since
        kinds.setdefault(f"{_outcome(call)}, unread {settings['unread']}", []).append(waited)
    _check(by_end)
    told = by_end["SIGKILL"]
    dead = by_end["host off"]
    blocked = len(dead["blocks, unread none"])
    return Answer(
        verdict="qualified",
        text=(
            'A crashed process: read neither blocks nor times out. It returns b"" '
            f"({span(told['end, unread none'])} after the crash) as after an orderly close, so it "
            "does not tell that there was a crash; only where the process had left data unread it "
            f"gives ECONNRESET ({span(told['ECONNRESET, unread data'])}), as after such a close. A "
            f"crashed host: read blocks for ever ({blocked} runs, one watched for a day), or until "
            f"its own timeout ({span(dead['timeout, unread none'])})."
        ),
        zh=(
            '进程崩溃：read 既不阻塞，也不超时。它返回 b""（崩溃后 '
            f"{span_zh(told['end, unread none'])}），和正常关闭一样，所以看不出是崩溃；只有进程留下"
            f"了未读数据时才是 ECONNRESET（{span_zh(told['ECONNRESET, unread data'])}），这也和那样"
            f"的关闭一样。主机崩溃：read 永远阻塞（{blocked} 次运行，其中一次观察了一天），或者直到"
            f"它自己的超时（{span_zh(dead['timeout, unread none'])}）。"
        ),
    )


def _check(by_end: Mapping[str, Mapping[str, list[int]]]) -> None:
    """See that a crash looks like a close, and that a host without power looks like nothing."""
    for ends in ("close", "SIGKILL", "SIGSEGV"):
        assert set(by_end[ends]) == {"end, unread none", "ECONNRESET, unread data"}, ends
    kinds = {kind.partition(",")[0] for kind in by_end["host off"]}
    assert kinds == {"blocks", "timeout"}, "nothing tells of a host that lost its power so soon"


def _outcome(call: Call) -> str:
    if call.returned_ns is None:
        return "blocks"
    if call.errno in {"timeout", "EAGAIN"}:
        return "timeout"
    if call.errno is not None:
        return call.errno
    return "end" if call.result == {"len": 0, "head": ""} else "data"


NOTE: Final = Note(
    id="N08",
    question="The peer has crashed: what does read return, and does it tell?",
    question_zh="对端已经崩溃：read 返回什么，能看出是崩溃吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.3",
        "RFC 9293 3.10.7.4",
        "Linux tcp_recvmsg_locked",
        "Linux tcp_fin",
        "Linux tcp_reset",
    ),
    words=("read", "recv", "crash", "blocks", "timeout", "EOF", "ECONNRESET", "killed"),
)
