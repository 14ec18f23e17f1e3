"""N02: the peer's receive buffer is full; whether write fails, and what a writer meets instead."""

import contextlib
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import HOUR, MINUTE, MS, S, show_duration
from halfopen.record.faults import CableIn, CableOut, Fault, Kill, PowerOff
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import pair, unread
from halfopen.scenario.notes.reading import segments_from, span, span_zh, stays
from halfopen.scenario.notes.unread import CABLE, CLIENT, DELAY_NS, SERVER
from halfopen.wire.tcp import FIN, RST

#: More than all buffers hold.
MESSAGE: Final = 1 << 20
SMALL: Final = 8192
#: Neither falls on a probe of the closed window, nor on its answer.
POLL_PATIENCE: Final = 0.45
PATIENCE: Final = 0.78
BETWEEN: Final = 0.06
WRITES: Final = 2
#: Each between two events, and a late reader's before the flow is so fast that µs of its round
#: trip decide how many segments leave at once.
HORIZON_NS: Final = {
    ("never", "small"): 2300 * MS,
    ("never", "default"): 2300 * MS,
    ("late", "small"): 2440 * MS,
    ("late", "default"): 2575 * MS,
    ("slowly", "small"): 2590 * MS,
    ("slowly", "default"): 2680 * MS,
}

WRITERS: Final = ("blocking", "non-blocking", "settimeout", "SO_SNDTIMEO")
READERS: Final = ("never", "late", "slowly")

#: What happens while the writer is blocked, so long after it began to write.
WHILE_NS: Final = 600 * MS
AGAIN_NS: Final = 900 * MS
MEANWHILE: Final[dict[str, Fault | None]] = {
    "nothing": None,
    "SIGKILL to the reader": Kill(process=SERVER),
    "reader's host off": PowerOff(host=SERVER),
    "cable out": CableOut(link=CABLE),
    "cable out and in": CableOut(link=CABLE),
}
USER_TIMEOUT_MS: Final = 1000
#: With two retries, unanswered probes end within seconds.
SHORT: Final = {"net.ipv4.tcp_retries2": 2}
MEANWHILE_HORIZON_NS: Final = 4430 * MS

#: An orphan's probes end when they are so far apart; a minute or two by default.
FAST: Final = {"net.ipv4.tcp_rto_max_ms": 1000}
CLOSES: Final = ("close", "SO_LINGER 1 s", "SO_LINGER 0")
CLOSE_HORIZON_NS: Final = 4430 * MS


def server(lab: Lab) -> None:
    """Accept a connection and read from it as the variant says."""
    conn = unread.listen(lab, SMALL if lab.settings["buffers"] == "small" else None)
    unread.read(lab, conn)


def client(lab: Lab) -> None:
    """Write much, twice, with one kind of patience."""
    small = lab.settings["buffers"] == "small"
    sock = unread.connect(lab, SMALL if small else None)
    if not small:
        unread.fill(sock)
    writer = lab.settings["writer"]
    if writer == "non-blocking":
        sock.setblocking(False)
    elif writer == "settimeout":
        sock.settimeout(POLL_PATIENCE)
    elif writer == "SO_SNDTIMEO":
        timeval = struct.pack("@qq", 0, round(PATIENCE * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    write = sock.sendall if lab.settings["call"] == "sendall" else sock.send
    lab.mark("writes")
    for _ in range(WRITES):
        with contextlib.suppress(OSError):
            write(bytes(MESSAGE))
        time.sleep(BETWEEN)
    time.sleep(pair.LONG)


def blocked_client(lab: Lab) -> None:
    """Write much, once, and then a little, whatever becomes of the reader meanwhile."""
    sock = unread.connect(lab, SMALL)
    if lab.settings["TCP_USER_TIMEOUT"] == "1 s":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    lab.mark("writes")
    for _ in range(2):
        with contextlib.suppress(OSError):
            sock.sendall(bytes(MESSAGE))
    time.sleep(pair.LONG)


def closing_client(lab: Lab) -> None:
    """Write what the kernel takes, and close, although most of it can't be sent yet."""
    sock = unread.connect(lab, SMALL)
    how = lab.settings["closes by"]
    if how.startswith("SO_LINGER"):
        seconds = 1 if how == "SO_LINGER 1 s" else 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, seconds))
    with contextlib.suppress(OSError):
        sock.send(bytes(MESSAGE), socket.MSG_DONTWAIT)
    time.sleep(0.3)
    lab.mark("closes")
    sock.close()
    lab.mark("closed")
    time.sleep(pair.LONG)


def _meanwhile(settings: Mapping[str, str], *, default: bool = False) -> Variant:
    fault = MEANWHILE[settings["meanwhile"]]
    steps = [] if fault is None else [Step(when=pair.writes(WHILE_NS), fault=fault)]
    if settings["meanwhile"] == "cable out and in":
        steps.append(Step(when=pair.writes(AGAIN_NS), fault=CableIn(link=CABLE)))
    return pair.variant(
        settings,
        server=server,
        client=blocked_client,
        horizon_ns=HOUR if default else MEANWHILE_HORIZON_NS,
        steps=tuple(steps),
        sysctl={} if default else SHORT,
        because="unanswered probes go on for a quarter of an hour" if default else "",
        delay_ns=DELAY_NS,
    )


def _closing(settings: Mapping[str, str], *, default: bool = False) -> Variant:
    return pair.variant(
        settings,
        server=server,
        client=closing_client,
        horizon_ns=10 * MINUTE if default else CLOSE_HORIZON_NS,
        sysctl={} if default else FAST,
        because="an orphan's probes go on for minutes" if default else "",
        delay_ns=DELAY_NS,
    )


_WRITING: Final = tuple(
    pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=HORIZON_NS[settings["reader"], settings["buffers"]],
        delay_ns=DELAY_NS,
    )
    for settings in each(
        writer=WRITERS, call=("send", "sendall"), reader=READERS, buffers=("small", "default")
    )
)
_BLOCKED: Final = tuple(
    _meanwhile({"writer": "blocking", "reader": "never", "buffers": "small", **settings})
    for settings in each(meanwhile=tuple(MEANWHILE), TCP_USER_TIMEOUT=("none", "1 s"))
)
_BLOCKED_LONG: Final = tuple(
    _meanwhile(
        {
            "writer": "blocking",
            "reader": "never",
            "buffers": "small",
            "meanwhile": meanwhile,
            "TCP_USER_TIMEOUT": "none",
            "durations": "default",
        },
        default=True,
    )
    for meanwhile in ("nothing", "reader's host off")
)
_CLOSING: Final = tuple(
    _closing({"buffers": "small", **settings})
    for settings in each(**{"closes by": CLOSES}, reader=("never", "late"))
)
_CLOSING_LONG: Final = _closing(
    {"buffers": "small", "closes by": "close", "reader": "never", "durations": "default"},
    default=True,
)
_VARIANTS: Final = (*_WRITING, *_BLOCKED, *_BLOCKED_LONG, *_CLOSING, _CLOSING_LONG)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the writer was given, by which call, and when."""
    patience: dict[str, list[int]] = {writer: [] for writer in WRITERS}
    taken: dict[str, set[int]] = {"small": set(), "default": set()}
    blocked = 0
    for variant in _WRITING:
        trace, settings = runs[variant.name], variant.settings
        writer = settings["writer"]
        writes = _writes(trace)
        errors = {call.errno for call in writes if call.errno is not None}
        allowed = {"blocking": set(), "settimeout": {"timeout"}}.get(writer, {"EAGAIN"})
        assert errors <= allowed, f"{variant.name}: {errors}"
        _check_connection_lives(trace)
        first = writes[0]
        if writer == "blocking":
            assert first.returned_ns is None, f"{variant.name}: it waits"
            blocked += 1
        elif first.blocked_ns is not None and (first.errno or writer == "SO_SNDTIMEO"):
            patience[writer].append(first.blocked_ns)
        if (writer, settings["call"], settings["reader"]) == ("non-blocking", "send", "never"):
            before = 0 if settings["buffers"] == "small" else unread.FILLS * unread.FILL
            assert isinstance(first.result, int), "it takes what fits"
            taken[settings["buffers"]].add(before + first.result)
        if settings["reader"] != "never":
            assert unread.octets_read(trace), "reading goes on"
    (small,), (default,) = taken["small"], taken["default"]
    assert set(patience["non-blocking"]) == {0}, "a non-blocking write never waits"
    told = _told_while_blocked(runs)
    lives = _after_close(runs)
    return Answer(
        verdict="answered",
        text=(
            f"No. Write takes what both buffers hold ({default} octets by default, {small} with "
            f"SO_RCVBUF and SO_SNDBUF {SMALL}). Then a blocking write waits, "
            f"{show_duration(told['ever'])} in one run; a non-blocking one gives EAGAIN, "
            "settimeout TimeoutError after its time, SO_SNDTIMEO EAGAIN or how much it took. The "
            "connection lives, and goes on when the peer reads. What does fail a write: the reader "
            f"is killed (ECONNRESET, {show_duration(told['killed'])} after), its host is silent "
            f"(ETIMEDOUT, {show_duration(told['silent'])} after), TCP_USER_TIMEOUT is over."
        ),
        zh=(
            f"不会。write 接受两边缓冲区装得下的数据（默认 {default} 字节，SO_RCVBUF 和 SO_SNDBUF "
            f"为 {SMALL} 时 {small} 字节）。此后阻塞的 write 等待，其中一次等了 "
            f"{show_duration(told['ever'])}；非阻塞的返回 EAGAIN；settimeout 到时抛出 "
            "TimeoutError；SO_SNDTIMEO 到时返回 EAGAIN 或已接受的字节数。连接还在，对端一读就继续。"
            f"会使 write 出错的是：读的一方被杀死（ECONNRESET，{show_duration(told['killed'])} "
            f"后）、对端主机没有声息（ETIMEDOUT，{show_duration(told['silent'])} 后）、"
            "TCP_USER_TIMEOUT 到期。"
        ),
        more=(
            f"A blocking write waited to the end of {blocked} runs; the window was probed all the "
            "time, and the probes were answered. settimeout ended it after "
            f"{span(patience['settimeout'])}, SO_SNDTIMEO after {span(patience['SO_SNDTIMEO'])}. "
            "How long a silent host is waited for is set by tcp_retries2; TCP_USER_TIMEOUT ends it "
            "with ETIMEDOUT although the peer answers every probe. If the writer closes with data "
            "unsent, the kernel goes on for the orphan: a late reader gets all of it; if it never "
            f"reads, the kernel gives up after {show_duration(lives['default'])} "
            f"({show_duration(lives['fast'])} with tcp_rto_max_ms = 1000), and tells nobody."
        ),
        more_zh=(
            f"阻塞的 write 在 {blocked} 次运行中一直等到运行结束；期间窗口一直被探测，探测也都得到"
            f"回应。settimeout 在 {span_zh(patience['settimeout'])} 后结束它，SO_SNDTIMEO "
            f"在 {span_zh(patience['SO_SNDTIMEO'])} 后。对没有声息的主机等多久由 tcp_retries2 决"
            "定；TCP_USER_TIMEOUT 到期时得到 ETIMEDOUT，尽管对端回应了每个探测。关闭时还有数据没有"
            "发出，内核就替这个孤儿连接继续发送：读得晚的一方能得到全部数据；如果它一直不读，内核"
            f"在 {show_duration(lives['default'])} 后放弃（tcp_rto_max_ms = 1000 时 "
            f"{show_duration(lives['fast'])}），并且不告诉任何人。"
        ),
    )


def _writes(trace: Trace) -> list[Call]:
    """The calls that want to write more than fits."""
    start = pair.marked(trace, CLIENT, "writes")
    made = calls(trace, process=CLIENT)
    return [call for call in made if call.call in {"send", "sendall"} and call.t_ns >= start]


def _check_connection_lives(trace: Trace) -> None:
    ends = [s for host in (CLIENT, SERVER) for s in segments_from(trace, host)]
    assert not any(s.seg.flags & (FIN | RST) for s in ends), "nothing ends the connection"


def _told_while_blocked(runs: Mapping[str, Trace]) -> dict[str, int]:
    """How long it took until a blocked writer was told what had happened, or how long it waited."""
    found: dict[str, int] = {}
    for variant in (*_BLOCKED, *_BLOCKED_LONG):
        trace, settings = runs[variant.name], variant.settings
        meanwhile, impatient = settings["meanwhile"], settings["TCP_USER_TIMEOUT"] != "none"
        first, *later = _writes(trace)
        since = pair.marked(trace, CLIENT, "writes") + WHILE_NS
        if meanwhile in {"nothing", "cable out and in"} and not impatient:
            assert first.returned_ns is None, f"{variant.name}: it waits on"
            found["ever"] = max(found.get("ever", 0), trace.ended_ns - first.t_ns)
            continue
        assert first.returned_ns is not None, f"{variant.name}: it is told"
        errno = "ECONNRESET" if meanwhile.startswith("SIGKILL") else "ETIMEDOUT"
        assert first.errno == errno, f"{variant.name}: {first.errno}"
        assert [call.errno for call in later] == ["EPIPE"], "once, and then EPIPE"
        if errno == "ECONNRESET":
            found["killed"] = first.returned_ns - since
        elif "durations" in settings:
            found["silent"] = first.returned_ns - since
        elif impatient:
            assert first.returned_ns - since < 2 * USER_TIMEOUT_MS * MS, "TCP_USER_TIMEOUT ends it"
    return found


def _after_close(runs: Mapping[str, Trace]) -> dict[str, int]:
    """How long the kernel goes on for what the writer leaves to it, if nobody ever reads."""
    lives: dict[str, int] = {}
    for variant in (*_CLOSING, _CLOSING_LONG):
        trace, settings = runs[variant.name], variant.settings
        (close,) = calls(trace, process=CLIENT, call="close")
        (written,) = calls(trace, process=CLIENT, call="send")
        how, late = settings["closes by"], settings["reader"] == "late"
        resets = [s for s in segments_from(trace, CLIENT) if s.seg.flags & RST]
        assert bool(resets) == (how == "SO_LINGER 0"), f"{variant.name}: an RST"
        if how == "SO_LINGER 0":
            assert close.blocked_ns == 0, "nothing is waited for"
            continue
        waits = S if how == "SO_LINGER 1 s" else 0
        assert close.blocked_ns is not None, "close returns"
        assert waits <= close.blocked_ns <= waits + 40 * MS, f"{variant.name}: close waits"
        (stay,) = stays(trace, CLIENT, "FIN-WAIT-1")
        if late:
            assert unread.octets_read(trace) == written.result, "a late reader gets it all"
        else:
            lives["default" if "durations" in settings else "fast"] = stay
    return lives


NOTE: Final = Note(
    id="N02",
    question="Does write fail because the peer's receive buffer is full?",
    question_zh="对端的接收缓冲区满了，write 会因此出错吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.8.6.1",
        "RFC 9293 3.10.2",
        "Linux tcp_sendmsg_locked",
        "Linux sk_stream_wait_memory",
        "Linux tcp_probe_timer",
        "Linux tcp_orphan_retries",
    ),
    words=(
        "write",
        "send",
        "full buffer",
        "zero window",
        "blocks",
        "EAGAIN",
        "SO_SNDTIMEO",
        "SO_SNDBUF",
        "persist",
        "window probe",
        "TCP_USER_TIMEOUT",
    ),
)
