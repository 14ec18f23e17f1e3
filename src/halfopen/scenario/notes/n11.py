"""N11: the peer's host crashes and boots again; whether this end gets to know."""

import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import HOUR, MS, S, show_duration
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, OnMark, Process, Variant, each
from halfopen.scenario.notes import rebooted
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import RST, SYN

HORIZON_NS: Final = 3 * S
OWN_PORT: Final = 4000


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


def called(lab: Lab) -> None:
    """Be connected to, wait for what is said, and take the next connection after the error."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address("client"), rebooted.PORT))
    listener.listen(5)
    lab.mark("listening")
    for _ in range(2):
        conn, _ = listener.accept()
        conn.recv(100)
        conn.sendall(rebooted.PONG)
        lab.mark("all is well")
        rebooted.told(conn)
        conn.close()


def caller(lab: Lab) -> None:
    """Connect from a port of one's own, the same one after every boot."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((lab.address("server"), OWN_PORT))
    sock.connect((lab.address("client"), rebooted.PORT))
    sock.sendall(rebooted.PING)
    sock.recv(100)
    time.sleep(30)


def _called_again(settings: Mapping[str, str]) -> Variant:
    """Let the host that reboots be the one that had connected."""
    usual = rebooted.variant(settings, called, horizon_ns=HORIZON_NS)
    return replace(
        usual,
        processes=(
            Process(host="client", name="client", program=called),
            Process(
                host="server",
                name="server",
                program=caller,
                start=OnMark(process="client", name="listening", delay_ns=20 * MS),
                boots=True,
            ),
        ),
    )


_AGAIN: Final = tuple(
    _called_again(settings)
    for settings in each(peer=("connected to, and again from the same port",))
)

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
    *_AGAIN,
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run by what, and how long after the boot, this end was told."""
    unaware = 0
    after: dict[str, list[int]] = {"sends": [], "probes": [], "default": []}
    (again,) = _AGAIN
    told, through = _connected_again(runs[again.name])
    for variant in _VARIANTS:
        if variant is again:
            continue
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
            f"It does not: an idle end noticed nothing ({unaware} runs). The host that has booted "
            "again knows none of its connections, and answers what it gets with an RST, whether "
            f"the service runs again or not: who sends gets ECONNRESET ({span(after['sends'])} "
            f"after the boot). With SO_KEEPALIVE the kernel sends: {span(after['probes'])} after "
            f"the boot with a probe every second, {show_duration(default)} with the system's 7200 "
            "s."
        ),
        zh=(
            f"不会：空闲的一端什么也没有察觉（{unaware} 次运行）。重启后的主机不认识以前的任何连"
            "接，收到什么都以 RST 回应，不论服务是否重新运行：发送数据的一端得到 ECONNRESET（重启"
            f"后 {span_zh(after['sends'])}）。打开 SO_KEEPALIVE 时由内核发送：每秒探测一次时在重启"
            f"后 {span_zh(after['probes'])} 得知，用系统的 7200 s 时在 {show_duration(default)}。"
        ),
        more=(
            "A booted host that connects from the port that it had before gets through "
            f"({show_duration(through)}): its SYN is answered with the old connection's ACK, its "
            f"RST to that ends the old connection (ECONNRESET {show_duration(told)} after the "
            "boot), and it sends its SYN once more."
        ),
        more_zh=(
            f"重启后的主机从原来的端口再次连接，也能连上（{show_duration(through)}）：旧连接用自己"
            f"的 ACK 回应它的 SYN，它再用 RST 回应，旧连接就此结束（重启后 {show_duration(told)} 得"
            "到 ECONNRESET），然后它重传 SYN。"
        ),
    )


def _connected_again(trace: Trace) -> tuple[int, int]:
    """Give when the old connection's end was told, and when the new connection was there.

    Both in ns after the boot.
    """
    back_at = rebooted.back_at(trace)
    sent = [seen for seen in segments_from(trace, "server") if seen.t_ns >= back_at]
    assert [seen.seg.flags for seen in sent[:3]] == [SYN, RST, SYN], "a SYN, an RST, a SYN"
    assert sent[0].seg.seq == sent[2].seg.seq, "it is the same SYN once more"
    old = [call for call in calls(trace, process="client", call="recv") if call.errno is not None]
    assert old[0].errno == "ECONNRESET", "the old connection was reset"
    new = [call for call in calls(trace, process="server", call="connect") if call.t_ns >= back_at]
    assert new[0].errno is None, "the new connection is there"
    assert old[0].returned_ns is not None, "the read returned"
    assert new[0].returned_ns is not None, "connect returned"
    return old[0].returned_ns - back_at, new[0].returned_ns - back_at


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
