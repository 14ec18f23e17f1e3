"""N11: the peer's host crashes and boots again; whether this end gets to know."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import HOUR, S, show_duration
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import rebooted
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import RST

HORIZON_NS: Final = 3 * S


def client(lab: Lab) -> None:
    """Do after all was well what the variant says, and see at the end what the kernel knows."""
    sock = rebooted.connected(lab)
    peer = lab.settings["peer"]
    if peer == "idle, with keepalive":
        rebooted.heartbeat(sock)
    elif peer == "idle, keepalive by default":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    elif peer == "sends while it is down":
        time.sleep(rebooted.DURING)
        sock.sendall(rebooted.PING)
    elif peer == "sends when it is back":
        time.sleep(rebooted.AFTER)
        sock.sendall(rebooted.PING)
    if peer == "idle":
        time.sleep(2)
        lab.mark("looks")
        sock.settimeout(0.1)
    rebooted.told(sock)
    sock.close()


_VARIANTS: Final[tuple[Variant, ...]] = (
    *(
        rebooted.variant(settings, client, horizon_ns=HORIZON_NS)
        for settings in each(
            peer=(
                "idle",
                "idle, with keepalive",
                "sends while it is down",
                "sends when it is back",
            ),
            service=("starts again", "does not"),
        )
    ),
    *(
        rebooted.variant(
            settings,
            client,
            horizon_ns=4 * HOUR,
            kernel=False,
            because="the system's first keepalive probe leaves after two hours",
        )
        for settings in each(peer=("idle, keepalive by default",), service=("does not",))
    ),
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run by what, and how long after the boot, this end was told."""
    unaware = 0
    after: dict[str, list[int]] = {"sends": [], "probes": [], "default": []}
    for variant in _VARIANTS:
        trace, peer = runs[variant.name], variant.settings["peer"]
        back_at = rebooted.back_at(trace)
        resets = [seen for seen in segments_from(trace, "server") if seen.seg.flags & RST]
        last = _last_recv(trace)
        if peer == "idle":
            assert last.errno == "timeout", "nothing has told the idle end"
            assert last.returned_ns is not None, "its own timeout ends the call"
            assert all(reset.t_ns > last.returned_ns for reset in resets), (
                "who sends nothing is sent no RST"
            )
            unaware += 1
            continue
        assert last.errno == "ECONNRESET", f"{peer}: the next call is told"
        assert len(resets) == 1, "the new kernel knows no connection, and says so once"
        assert resets[0].t_ns >= back_at, "it is the new kernel that answers"
        assert last.returned_ns is not None, "the call returned"
        kind = "default" if "default" in peer else "probes" if "keepalive" in peer else "sends"
        after[kind].append(last.returned_ns - back_at)
    (default,) = after["default"]
    return Answer(
        verdict="confirmed",
        text=(
            f"It does not know: an idle end noticed nothing ({unaware} runs). The host that has "
            "booted again knows none of its connections, and answers what it gets with an RST, "
            f"whether the service runs again or not: ECONNRESET {span(after['sends'])} after the "
            "boot for an end that sent. A keepalive probe is sent too, by the kernel: "
            f"{span(after['probes'])} after the boot with one a second, {show_duration(default)} "
            "with the system's 7200 s."
        ),
        zh=(
            f"不会知道：空闲的一端什么也没有察觉（{unaware} 次运行）。"
            "重启后的主机不认识以前的任何连接，收到什么都以 RST 回应，不论服务是否重新运行："
            "发送了数据的一端在重启后 "
            f"{span_zh(after['sends'])} 得到 ECONNRESET。保活探测也算发送，由内核发出："
            f"每秒一次时在重启后 {span_zh(after['probes'])}，"
            f"用系统的 7200 s 时在 {show_duration(default)}。"
        ),
    )


def _last_recv(trace: Trace) -> Call:
    return calls(trace, process="client", call="recv")[-1]


NOTE: Final = Note(
    id="N11",
    question="The peer's host crashes and boots again: does the other end know?",
    question_zh="对端主机崩溃并重启：另一端会知道吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.5.1",
        "RFC 9293 3.10.7.1",
        "RFC 9293 3.8.4",
        "Linux tcp_v4_send_reset",
        "Linux tcp_keepalive_timer",
    ),
    words=("reboot", "crash", "boots again", "half-open", "RST", "ECONNRESET", "idle"),
)
