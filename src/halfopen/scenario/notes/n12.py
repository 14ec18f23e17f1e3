"""N12: read called when the server has rebooted; whether it blocks, times out, or is told."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import HOUR, S
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import rebooted
from halfopen.scenario.notes.reading import segments_from, span, span_zh

HORIZON_NS: Final = 3 * S
PATIENCE: Final = 0.6


def client(lab: Lab) -> None:
    """Call recv while the server's host is down, or after it has booted again."""
    sock = rebooted.connected(lab)
    if lab.settings["keepalive"] == "every second":
        rebooted.heartbeat(sock)
    time.sleep(rebooted.DURING if lab.settings["called"] == "while it is down" else rebooted.AFTER)
    READS[lab.settings["read"]](sock)
    time.sleep(0.1)
    sock.close()


def _blocking(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.recv(100)


def _with_rcvtimeo(sock: socket.socket) -> None:
    seconds = int(PATIENCE)
    micros = round((PATIENCE - seconds) * 1_000_000)
    timeval = struct.pack("@qq", seconds, micros)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    with contextlib.suppress(OSError):
        sock.recv(100)


def _with_settimeout(sock: socket.socket) -> None:
    sock.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        sock.recv(100)


def _non_blocking(sock: socket.socket) -> None:
    sock.setblocking(False)
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(PATIENCE * 1000)
    with contextlib.suppress(OSError):
        sock.recv(100)


READS: Final = {
    "blocking": _blocking,
    "SO_RCVTIMEO": _with_rcvtimeo,
    "settimeout": _with_settimeout,
    "non-blocking, poll": _non_blocking,
}

_VARIANTS: Final[tuple[Variant, ...]] = (
    *(
        rebooted.variant(settings, client, horizon_ns=HORIZON_NS)
        for settings in each(
            read=tuple(READS),
            called=("while it is down", "when it is back"),
            keepalive=("off", "every second"),
        )
    ),
    *(
        rebooted.variant(
            settings,
            client,
            horizon_ns=24 * HOUR,
            kernel=False,
            because="for ever is looked at for a day",
        )
        for settings in each(
            read=("blocking",), called=("when it is back",), keepalive=("off",), watched=("a day",)
        )
    ),
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run how the call ended, and after how long."""
    blocked = 0
    waited: list[int] = []
    told: list[int] = []
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        back_at = rebooted.back_at(trace)
        call = _read(trace)
        if settings["keepalive"] == "off":
            assert not [
                s for s in segments_from(trace, "client") if s.t_ns > back_at and s.seg.text
            ]
            if settings["read"] == "blocking":
                assert call.returned_ns is None, "nothing ends a read that waits"
                blocked += 1
            else:
                assert call.errno in {"timeout", "EAGAIN"}, "its own timeout ends it"
                waited.append(_took(trace, call))
        elif call.errno == "ECONNRESET":
            assert call.returned_ns is not None
            told.append(call.returned_ns - back_at)
        else:
            assert call.errno in {"timeout", "EAGAIN"}, "it was too impatient for the first probe"
            waited.append(_took(trace, call))
    assert told, "a probe is answered with an RST"
    return Answer(
        verdict="confirmed",
        text=(
            f"It blocks: for ever, if nothing else was arranged ({blocked} runs, one watched for a "
            f"day). SO_RCVTIMEO, settimeout and poll end it after their own time ({span(waited)}). "
            "Nothing of the reboot reaches a reader that sends nothing; with SO_KEEPALIVE the "
            f"kernel sends, and the read is told: ECONNRESET {span(told)} after the boot with a "
            "probe every second."
        ),
        zh=(
            f"阻塞：没有别的安排就永远阻塞（{blocked} 次运行，其中一次观察了一天）。"
            f"SO_RCVTIMEO、settimeout 和 poll 到了自己的时间就结束它（{span_zh(waited)}）。"
            "不发送数据的读者对重启一无所知；打开 SO_KEEPALIVE 时由内核发送探测，read 就会得知："
            f"每秒探测一次时，重启后 {span_zh(told)} 得到 ECONNRESET。"
        ),
    )


def _read(trace: Trace) -> Call:
    return calls(trace, process="client", call="recv")[-1]


def _took(trace: Trace, call: Call) -> int:
    """How long the call waited, or the poll before it."""
    polls = calls(trace, process="client", call="poll")
    waits = [each.blocked_ns for each in (*polls, call) if each.blocked_ns is not None]
    return max(waits)


NOTE: Final = Note(
    id="N12",
    question="read is called when the server has rebooted: does it block, or time out?",
    question_zh="server 重启后调用 read：阻塞，还是超时？",
    variants=_VARIANTS,
    answer=answer,
    why=("RFC 9293 3.8.4", "Linux tcp_recvmsg_locked", "Linux sk_wait_data", "Linux tcp_reset"),
    words=("read", "recv", "reboot", "blocks", "timeout", "SO_RCVTIMEO", "settimeout", "hang"),
)
