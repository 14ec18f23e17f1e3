"""N06: a program crashes; whether the other end knows at once, without writing or keepalive."""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import HOUR, MS, S, show_duration
from halfopen.record.events import FaultFired, ProcessEnded
from halfopen.record.faults import Continue, Fault, Kill, PowerOff, Stop
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.scenario.notes.rebooted import heartbeat

#: So long after all was well the server crashes, and goes on where it was only frozen.
CRASH_AFTER_NS: Final = 150 * MS
CRASH_AFTER: Final = 0.15
GO_ON_AFTER_NS: Final = 1700 * MS
#: When the client acts, in seconds after all was well.
IDLE: Final = 0.6
WRITE_AFTER: Final = 0.35
BETWEEN: Final = 0.4
WRITES: Final = 3

#: With three retries an unanswered write lasts 3 s and some.
SHORT: Final = {"net.ipv4.tcp_retries2": 3}
HORIZON_NS: Final = 3 * S // 2
LONG_HORIZON_NS: Final = 6 * S

CRASHES: Final[dict[str, Fault | None]] = {
    "SIGKILL": Kill(process="server"),
    "SIGSEGV": Kill(process="server", signal="SIGSEGV"),
    "uncaught exception": None,
    "host off": PowerOff(host="server"),
    "SIGSTOP": Stop(process="server"),
}
#: net.ipv4.tcp_keepalive_time, and tcp_keepalive_probes times tcp_keepalive_intvl.
_KEEPALIVE: Final = show_duration((7200 + 9 * 75) * S)
_PROCESS: Final = ("SIGKILL", "SIGSEGV", "uncaught exception")


def server(lab: Lab) -> None:
    """Read on to the end, unless something happens before."""
    conn = pair.accepted(lab)
    if lab.settings["crash"] == "uncaught exception":
        time.sleep(CRASH_AFTER + pair.WAY)
        lab.mark("crashes")
        raise RuntimeError("a bug")
    while conn.recv(100):
        pass
    conn.close()
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Be where the variant wants the other end to be, until it is told."""
    sock = pair.connected(lab)
    with contextlib.suppress(OSError):
        PEERS[lab.settings["peer"]](sock)
    sock.close()
    time.sleep(pair.LONG)


def _reads(sock: socket.socket) -> None:
    while sock.recv(100):
        pass


def _reads_with_keepalive(sock: socket.socket) -> None:
    heartbeat(sock)
    _reads(sock)


def _reads_with_default_keepalive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _reads(sock)


def _idle(sock: socket.socket) -> None:
    time.sleep(IDLE)
    _reads(sock)


def _writes(sock: socket.socket) -> None:
    time.sleep(WRITE_AFTER)
    for _ in range(WRITES):
        sock.sendall(pair.PING)
        time.sleep(BETWEEN)
    _reads(sock)


PEERS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "reads": _reads,
    "reads, SO_KEEPALIVE": _reads_with_keepalive,
    "reads, SO_KEEPALIVE as by default": _reads_with_default_keepalive,
    "reads later": _idle,
    "writes": _writes,
}
_SHORT_PEERS: Final = ("reads", "reads, SO_KEEPALIVE", "reads later", "writes")
_LONG_PEERS: Final = ("reads", "reads, SO_KEEPALIVE as by default", "writes")


def _variant(settings: Mapping[str, str], *, default: bool = False) -> Variant:
    crash = settings["crash"]
    fault = CRASHES[crash]
    steps = [] if fault is None else [Step(when=pair.well(CRASH_AFTER_NS), fault=fault)]
    if crash == "SIGSTOP" and not default:
        steps.append(Step(when=pair.well(GO_ON_AFTER_NS), fault=Continue(process="server")))
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=24 * HOUR if default else (HORIZON_NS if crash in _PROCESS else LONG_HORIZON_NS),
        steps=tuple(steps),
        sysctl={} if default else SHORT,
        because="keepalive probes after two hours, and for ever is looked at for a day"
        if default
        else "",
    )


_SHORT: Final = tuple(
    _variant(settings) for settings in each(crash=tuple(CRASHES), peer=_SHORT_PEERS)
)
_DEFAULT: Final = tuple(
    _variant(settings, default=True)
    for settings in each(crash=("host off", "SIGSTOP"), peer=_LONG_PEERS, durations=("default",))
)
_VARIANTS: Final[tuple[Variant, ...]] = (*_SHORT, *_DEFAULT)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run which call told the other end, and how long after the crash."""
    at_once: list[int] = []
    later: list[int] = []
    power: dict[str, tuple[str, str] | None] = {}
    alive = 0
    for variant in _VARIANTS:
        trace = runs[variant.name]
        crash, peer = variant.settings["crash"], variant.settings["peer"]
        told = _told(trace)
        if crash in _PROCESS:
            assert told is not None, f"{variant.name}: the other end is told"
            since = _returned(told) - _crashed_at(trace)
            (at_once if peer.startswith("reads") and peer != "reads later" else later).append(since)
        elif crash == "host off":
            power[f"{peer}, {variant.settings.get('durations', 'short')}"] = (
                None if told is None else (str(told.errno), _since_word(trace, told))
            )
        else:
            assert told is None, f"{variant.name}: nothing tells of a frozen process"
            alive += _signs_of_life(trace, variant.settings)
    assert power["reads, short"] == power["reads, default"] is None, "a reader never knows"
    slow = power["reads, SO_KEEPALIVE as by default, default"]
    fast = power["reads, SO_KEEPALIVE, short"]
    writer = power["writes, default"]
    assert slow is not None, "a probe tells"
    assert fast is not None, "a probe tells"
    assert writer is not None, "an unanswered write tells"
    return Answer(
        verdict="refuted",
        text=(
            "When a program crashes, the other end does know at once: the dead one's kernel closes "
            f"its connections, and recv returns {span(at_once)} after the crash, without a write "
            "and without SO_KEEPALIVE. The claim holds for a host without power: who only reads "
            f"never knows (watched for a day); with SO_KEEPALIVE it is told {slow[0]} after "
            f"{slow[1]} ({_KEEPALIVE} by its options; the kernel rounds long timers up), and who "
            f"writes {writer[0]} after {writer[1]}. Of a frozen process (SIGSTOP) nothing tells at "
            "all."
        ),
        zh=(
            "程序崩溃时，另一端立即就知道：死去程序的内核会关闭它的连接，recv 在崩溃后 "
            f"{span_zh(at_once)} 返回，不需要 write，也不需要 SO_KEEPALIVE。原文的说法对断电的主机"
            f"成立：只读的一端永远不会知道（等了一天也没有）；打开 SO_KEEPALIVE 时 {slow[1]} 后得"
            f"到 {slow[0]}（按选项是 {_KEEPALIVE}；内核把长定时器向上取整），"
            f"写的一端 {writer[1]} 后得到 {writer[0]}。进程被冻结（SIGSTOP）时什么迹象也没有。"
        ),
        more=(
            f"Who waits in a read was told in {len(at_once)} runs; who is in no call is told "
            f"by its next read, or by a write that fails ({len(later)} runs). By default "
            "SO_KEEPALIVE waits for 7200 s and 9 times 75 s. With 1 s and 3 times 1 s it is "
            f"{fast[0]} after {fast[1]}. The kernel of a frozen process acknowledges what is "
            f"written, and answers keepalive's probes ({alive} times)."
        ),
        more_zh=(
            f"等在读操作里的程序在 {len(at_once)} 次运行中立即得知；不在任何调用里的程序，"
            f"由下一次 read，或者由一次失败的 write 得知（{len(later)} 次运行）。SO_KEEPALIVE 默认"
            "等待 7200 s 加 9 次 75 s。用 1 s 和 3 次 1 s 时，"
            f"{fast[1]} 后得到 {fast[0]}。进程被冻结时，它的内核照样确认写来的数据，并回应"
            f"保活探测（{alive} 次）。"
        ),
    )


def _told(trace: Trace) -> Call | None:
    """Find the call by which the other end was told: an error, or the end."""
    for call in calls(trace, process="client"):
        if call.errno is not None or call.result == {"len": 0, "head": ""}:
            return call
    return None


def _returned(call: Call) -> int:
    assert call.returned_ns is not None, "the call returned"
    return call.returned_ns


def _crashed_at(trace: Trace) -> int:
    ends = [e.t_ns for e in trace.events if isinstance(e, ProcessEnded) and e.process == "server"]
    assert len(ends) == 1, "the server crashed once"
    return ends[0]


def _since_word(trace: Trace, told: Call) -> str:
    """How long after the last word that went either way: the write, or the server's pong."""
    sends = [c.t_ns for c in calls(trace, process="client", call="sendall")]
    heard = [s.arrived_ns or 0 for s in segments_from(trace, "server") if s.seg.text]
    wrote = sends[1:2]  # the first is the ping
    return show_duration(_returned(told) - (wrote or heard)[0])


def _signs_of_life(trace: Trace, settings: Mapping[str, str]) -> int:
    """How often a frozen process's kernel answered; see that a thawed one gets what was written."""
    thawed = trace.ended_ns
    for event in trace.events:
        if isinstance(event, FaultFired) and isinstance(event.fault, Continue):
            thawed = event.t_ns
    stopped = pair.marked(trace, "client", "all is well") + CRASH_AFTER_NS
    answers = [s for s in segments_from(trace, "server") if stopped < s.t_ns < thawed]
    asks = settings["peer"] not in {"reads", "reads later"}
    assert bool(answers) == asks, f"{settings}: its kernel answers whoever asks"
    if settings["peer"] == "writes" and thawed < trace.ended_ns:
        got = calls(trace, process="server", call="recv")[1].result
        words = pair.PING * WRITES
        assert got == {"len": len(words), "head": words.decode()}, "nothing written was lost"
    return len(answers)


NOTE: Final = Note(
    id="N06",
    question="A program crashes: does the other end know at once?",
    question_zh="程序崩溃：另一端会立即知道吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.4",
        "RFC 9293 3.8.4",
        "RFC 1122 4.2.3.6",
        "Linux do_exit",
        "Linux tcp_keepalive_timer",
        "Linux tcp_write_timeout",
    ),
    words=(
        "crash",
        "SO_KEEPALIVE",
        "heartbeat",
        "power off",
        "SIGKILL",
        "SIGSTOP",
        "frozen",
        "half-open",
        "dead peer",
        "recv",
    ),
)
