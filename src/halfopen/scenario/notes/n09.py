"""N09: write after the peer crashed; an RST, a timeout, or an ICMP message."""

import contextlib
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import HOUR, MS, S, show_duration
from halfopen.record.faults import Unreachable
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, OnMark, Step, Variant, each
from halfopen.scenario.notes import crashed
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import RST

HORIZON_NS: Final = 7 * S
#: Whoever is told at once is told before this; a silent router's word comes later.
ASKED_NS: Final = 5 * S
#: With three retries an unanswered write lasts 3 s and some.
SHORT: Final = {"net.ipv4.tcp_retries2": 3}
BETWEEN: Final = 0.4
BETWEEN_NS: Final = round(BETWEEN * S)
#: Linux in.h; Python's ``socket`` has no name for it.
IP_RECVERR: Final = 11

#: What a router on the way says of every packet to a host without power (code of ICMP type 3).
ROUTERS: Final = {"silent": None, "host unreachable": 1, "port unreachable": 3, "prohibited": 13}


def client(lab: Lab) -> None:
    """Write after the server's end, several times, and then read what there is to be told."""
    sock = crashed.connected(lab)
    if lab.settings.get("IP_RECVERR") == "on":
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    time.sleep(crashed.AFTER)
    lab.mark("writes")
    for _ in range(int(lab.settings["writes"])):
        with contextlib.suppress(OSError):
            sock.sendall(crashed.PING)
        time.sleep(BETWEEN)
    with contextlib.suppress(OSError):
        while sock.recv(100):
            pass
    sock.close()


def _variant(settings: Mapping[str, str], *, default: bool = False) -> Variant:
    steps: tuple[Step, ...] = ()
    code = ROUTERS[settings.get("router", "silent")]
    if code is not None:
        when = OnMark(process="client", name="all is well", delay_ns=crashed.END_AFTER_NS + MS)
        fault = Unreachable(link="client-server", towards="server", code=code, count=100)
        steps = (Step(when=when, fault=fault),)
    return crashed.variant(
        settings,
        client,
        horizon_ns=HOUR if default else ASKED_NS if "IP_RECVERR" in settings else HORIZON_NS,
        steps=steps,
        sysctl={} if default else SHORT,
        kernel=not default,
        because="an unanswered write takes a quarter of an hour" if default else "",
    )


_PROCESS: Final = tuple(
    _variant(settings)
    for settings in each(**{"server ends by": ("close", "SIGKILL", "SIGSEGV")}, writes=("1", "3"))
)
_HOST: Final = tuple(
    _variant(settings)
    for settings in each(
        **{"server ends by": ("host off",)}, writes=("1", "3"), router=tuple(ROUTERS)
    )
)
_ASKED: Final = tuple(
    _variant(settings)
    for settings in each(
        **{"server ends by": ("host off",)},
        writes=("1", "3"),
        router=tuple(ROUTERS),
        IP_RECVERR=("on",),
    )
)
_DEFAULT: Final = tuple(
    _variant(settings, default=True)
    for settings in each(
        **{"server ends by": ("host off",)},
        writes=("1",),
        router=("silent", "host unreachable"),
        durations=("default",),
    )
)
_VARIANTS: Final[tuple[Variant, ...]] = (*_PROCESS, *_HOST, *_ASKED, *_DEFAULT)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the writes gave, and how the connection ended."""
    resets = []
    for variant in _PROCESS:
        trace = runs[variant.name]
        first = _writes(trace)[0]
        assert first.errno is None, "the first write succeeds"
        (reset, *_) = [s for s in segments_from(trace, "server") if s.seg.flags & RST]
        assert reset.arrived_ns is not None, "the RST arrived"
        resets.append(reset.arrived_ns - first.t_ns)
        later = [call.errno for call in _writes(trace)[1:]]
        assert later in ([], ["EPIPE", "EPIPE"]), "after the FIN and the RST, writing is EPIPE"
    gave: dict[str, list[int]] = {}
    for variant in _HOST:
        trace = runs[variant.name]
        first, last = _writes(trace)[0], _last(trace)
        assert first.errno is None, "the first write succeeds"
        assert last.errno is not None, "the connection is given up"
        gave.setdefault(last.errno, []).append(_returned(last) - first.t_ns)
        silent = variant.settings["router"] == "silent"
        assert (last.errno == "ETIMEDOUT") == silent, "a router's word is told instead"
    asked = set()
    for variant in _ASKED:
        trace = runs[variant.name]
        first, told = _writes(trace)[0], _last(trace)
        assert first.errno is None, "the first write succeeds"
        if variant.settings["router"] == "silent":
            assert told.errno == "ETIMEDOUT", "who is sent no ICMP has nothing to be told"
            continue
        assert told.t_ns - first.t_ns == BETWEEN_NS, "the next call is told"
        assert told.blocked_ns == 0, "it is told at once"
        asked.add(told.errno)
        after = [seen.seg for seen in segments_from(trace, "client") if seen.t_ns > told.t_ns]
        assert after, "the connection goes on"
        assert not any(seg.flags & RST for seg in after), "the connection is not given up"
    assert asked == set(gave) - {"ETIMEDOUT"}, "it is told what others are told at the end"
    default = [
        show_duration(_returned(_last(runs[v.name])) - _writes(runs[v.name])[0].t_ns)
        for v in _DEFAULT
    ]
    words = ", ".join(sorted(set(gave) - {"ETIMEDOUT"}))
    return Answer(
        verdict="qualified",
        text=(
            "A crashed process: the write does not block and succeeds; the kernel of its host "
            f"answers with an RST {span(resets)} later, and the next write gives EPIPE. A crashed "
            "host: no RST. The write succeeds too, the kernel sends again and again, and gives up "
            f"after {default[0]} with ETIMEDOUT. An ICMP message does not end it sooner; it only "
            f"changes what is told in the end ({words})."
        ),
        zh=(
            f"进程崩溃：write 不阻塞，并且成功；对端主机的内核 {span_zh(resets)} 后以 RST 回应，下"
            "一次 write 得到 EPIPE。主机崩溃：没有 RST。write 同样成功，内核一次次重传，"
            f"{default[0]} 后放弃，得到 ETIMEDOUT。ICMP 消息不会让它更早结束，只改变最后得到的错误"
            f"（{words}）。"
        ),
        more=(
            f"It is tcp_retries2 that says when (with 3 instead of 15: {span(gave['ETIMEDOUT'])}). "
            f"With a router that answers every packet it took {default[1]}. Whoever asked for ICMP "
            f"(IP_RECVERR) is told by the next call, {span([BETWEEN_NS])} later here, and the "
            "connection goes on."
        ),
        more_zh=(
            f"何时放弃由 tcp_retries2 决定（由 15 改为 3 时：{span_zh(gave['ETIMEDOUT'])}）。路由器"
            f"对每个包都回应时用了 {default[1]}。设置了 IP_RECVERR 的一方，下一次调用（这里是 "
            f"{span_zh([BETWEEN_NS])} 后）就会得知 ICMP，而连接继续存在。"
        ),
    )


def _writes(trace: Trace) -> list[Call]:
    marks = [e.t_ns for e in trace.events if getattr(e, "name", "") == "writes"]
    return [
        call for call in calls(trace, process="client", call="sendall") if call.t_ns >= marks[0]
    ]


def _last(trace: Trace) -> Call:
    """The first call after the first write that was told of an error."""
    for call in calls(trace, process="client"):
        if call.errno is not None:
            return call
    msg = "no call was told of an error"
    raise AssertionError(msg)


def _returned(call: Call) -> int:
    assert call.returned_ns is not None, "the call returned"
    return call.returned_ns


NOTE: Final = Note(
    id="N09",
    question="The peer has crashed: does write block until a timeout, or until an ICMP message?",
    question_zh="对端已经崩溃：write 会阻塞到超时，还是到 ICMP 消息来？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.8.3",
        "RFC 9293 3.9.2.2",
        "RFC 5461 2.1",
        "Linux tcp_write_err",
        "Linux tcp_v4_err",
        "Linux tcp_retransmit_timer",
    ),
    words=("write", "send", "crash", "ICMP", "unreachable", "RST", "ETIMEDOUT", "EHOSTUNREACH"),
)
