"""N18: connect to a port where nobody listens; how the client is told, and how soon."""

import contextlib
import select
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS, S
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Host,
    Lab,
    Link,
    Note,
    OnMark,
    Process,
    Variant,
    each,
)
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import ACK, RST, SYN

PORT: Final = 80
#: The server host's second address; it listens on the first.
OTHER: Final = "10.0.0.3"


def server(lab: Lab) -> None:
    """Have no socket at the port, only bind one, or listen on the host's other address."""
    what = lab.settings["server"]
    if what == "nobody listens":
        lab.mark("ready")
        time.sleep(1)
        return
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((lab.address("server"), PORT))
    if what == "other address":
        sock.listen(5)
    lab.mark("ready")
    time.sleep(1)
    sock.close()


def client(lab: Lab) -> None:
    """Connect, and be told by connect itself, or by poll and SO_ERROR."""
    host = OTHER if lab.settings["server"] == "other address" else lab.address("server")
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if lab.settings["connect"] == "blocking":
        with contextlib.suppress(ConnectionRefusedError):
            sock.connect((host, PORT))
    else:
        sock.setblocking(False)
        sock.connect_ex((host, PORT))
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        poll.poll(2000)
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    time.sleep(0.1)
    sock.close()


def _variant(settings: dict[str, str]) -> Variant:
    return Variant(
        settings=settings,
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl={}),
            Host(name="server", addresses=("10.0.0.2", OTHER), sysctl={}),
        ),
        links=(Link(a="client", b="server"),),
        processes=(
            Process(host="server", name="server", program=server),
            Process(
                host="client",
                name="client",
                program=client,
                start=OnMark(process="server", name="ready", delay_ns=20 * MS),
            ),
        ),
        steps=(),
        horizon_ns=S * 3 // 2,
    )


_VARIANTS: Final = tuple(
    _variant(settings)
    for settings in each(
        server=("nobody listens", "bound only", "other address"),
        connect=("blocking", "non-blocking"),
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run the client's one SYN, the RST that answers it, and the error."""
    waits = []
    for variant in _VARIANTS:
        trace = runs[variant.name]
        syns, answers = segments_from(trace, "client"), segments_from(trace, "server")
        assert [seen.seg.flags for seen in syns] == [SYN], (
            "the client sends one SYN and nothing more"
        )
        assert [seen.seg.flags for seen in answers] == [RST | ACK], (
            "the server's host answers with one RST"
        )
        if variant.settings["connect"] == "blocking":
            (connect,) = calls(trace, process="client", call="connect")
            assert connect.errno == "ECONNREFUSED", "connect is told"
            assert connect.blocked_ns is not None
            waits.append(connect.blocked_ns)
        else:
            (poll,) = calls(trace, process="client", call="poll")
            (error,) = calls(trace, process="client", call="getsockopt")
            assert error.result == 111, "SO_ERROR tells a connect that did not wait: ECONNREFUSED"
            assert poll.returned_ns is not None
            waits.append(poll.returned_ns - syns[0].t_ns)
    took = span(waits)
    return Answer(
        verdict="confirmed",
        text=(
            "The peer's kernel answers the SYN with an RST, and connect fails with ECONNREFUSED "
            f"after one round trip ({took}); it is not tried again. So also where the port is "
            "bound only, or another address of the host is listened on; a non-blocking connect "
            "learns it by poll and SO_ERROR."
        ),
        zh=(
            "对端的内核以 RST 回应 SYN，connect 在一个往返之后"
            f"（{span_zh(waits)}）以 ECONNREFUSED 失败；不会再试。端口只是绑定而没有监听，"
            "或者监听的是该主机的另一个地址，结果也一样；"
            "非阻塞的 connect 由 poll 和 SO_ERROR 得知。"
        ),
    )


NOTE: Final = Note(
    id="N18",
    question="connect to a port where nobody listens",
    question_zh="connect 一个没有进程监听的端口",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.7.1",
        "RFC 9293 3.10.7.3",
        "Linux tcp_v4_send_reset",
        "Linux tcp_rcv_synsent_state_process",
        "Linux tcp_reset",
    ),
    words=("connect", "refused", "ECONNREFUSED", "nobody listens", "closed port", "RST", "bind"),
)
