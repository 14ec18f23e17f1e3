"""N17: connect to a peer that is down or too busy: what it is told, after how many SYNs, when."""

import contextlib
import select
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MINUTE, MS, S, show_duration
from halfopen.record.faults import CableOut, Fault, Lose, PowerOff, Stop
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Host,
    Lab,
    Lan,
    Link,
    Note,
    OnMark,
    Process,
    Step,
    Variant,
    each,
)
from halfopen.scenario.notes.reading import Seen, segments_from, span
from halfopen.wire.tcp import SYN

PORT: Final = 80
LONG: Final = 36_000.0
LINK: Final = "client-server"
#: When a server that was too busy takes what waits in its queue.
#: In seconds.
FREE_AFTER: Final = 0.5
#: How long a caller is patient who does not wait for the kernel to give up.
PATIENCE: Final = 0.4

#: What is wrong. Each befalls the server before the client connects.
FAULTS: Final[dict[str, tuple[Fault, ...]]] = {
    "host off": (PowerOff(host="server"),),
    "far cable out": (CableOut(link=LINK),),
    "own cable out": (CableOut(link=LINK, seen_by=("client",)),),
    "SYNs lost": (Lose(link=LINK, towards="server", count=1000, pick="SYN"),),
    "answers lost": (Lose(link=LINK, towards="client", count=1000, pick="SYN,ACK"),),
    "first SYN lost": (Lose(link=LINK, towards="server", pick="SYN"),),
    "host off, on the same LAN": (PowerOff(host="server"),),
    "program stopped": (Stop(process="server"),),
}
#: What a server is that is too busy: the queue of connections that wait for accept has one place.
BUSY: Final = ("queue full", "queue full, resets on overflow", "queue full, then room")
SILENT: Final = (*tuple(FAULTS)[:5], *BUSY[:2])
ANSWERS: Final = ("first SYN lost", BUSY[2], "never accepts", "program stopped")

#: What bounds the attempts: the client's sysctls, an option with its value, and the horizon.
RETRIES: Final = "net.ipv4.tcp_syn_retries"
LINEAR: Final = "net.ipv4.tcp_syn_linear_timeouts"
ONCE: Final = "1 retry"
LIMITS: Final[dict[str, tuple[dict[str, int], tuple[int, int] | None, int]]] = {
    ONCE: ({RETRIES: 1, LINEAR: 0}, None, 3300 * MS),
    "1 retry, 1 linear": ({RETRIES: 1, LINEAR: 1}, None, 4300 * MS),
    "TCP_SYNCNT 1": ({LINEAR: 0}, (socket.TCP_SYNCNT, 1), 3300 * MS),
    "TCP_SYNCNT 1, linear as usual": ({}, (socket.TCP_SYNCNT, 1), 3300 * MS),
    "2 retries, RTO 1 s at most": (
        {RETRIES: 2, LINEAR: 0, "net.ipv4.tcp_rto_max_ms": 1000},
        None,
        3300 * MS,
    ),
    "TCP_USER_TIMEOUT 0.5 s": ({}, (socket.TCP_USER_TIMEOUT, 500), 1300 * MS),
    "TCP_USER_TIMEOUT 1.5 s": ({}, (socket.TCP_USER_TIMEOUT, 1500), 1800 * MS),
    "TCP_USER_TIMEOUT 2.5 s": ({LINEAR: 0}, (socket.TCP_USER_TIMEOUT, 2500), 2800 * MS),
}
#: The same with the system's own figures, or near them; the world alone waits so long.
DEFAULTS: Final[dict[str, tuple[dict[str, int], tuple[int, int] | None]]] = {
    "default": ({}, None),
    "no linear": ({LINEAR: 0}, None),
    "3 retries": ({RETRIES: 3}, None),
    "10 retries": ({RETRIES: 10}, None),
    "TCP_SYNCNT 2": ({}, (socket.TCP_SYNCNT, 2)),
    "TCP_USER_TIMEOUT 30 s": ({}, (socket.TCP_USER_TIMEOUT, 30_000)),
}
TOO_LONG: Final = "the kernel's own patience is of minutes"


def server(lab: Lab) -> None:
    """Listen, with room for one that waits; accept never, or too late for the first SYN."""
    listener = socket.socket(_family(lab), socket.SOCK_STREAM)
    listener.bind((lab.address("server"), PORT))
    listener.listen(0 if lab.settings["peer"] in BUSY else 5)
    lab.mark("listening")
    if lab.settings["peer"] == "queue full, then room":
        time.sleep(FREE_AFTER)
        waited, _ = listener.accept()
        time.sleep(LONG)
        waited.close()
    time.sleep(LONG)


def filler(lab: Lab) -> None:
    """Take the one place in the queue."""
    sock = socket.socket(_family(lab), socket.SOCK_STREAM)
    sock.connect((lab.address("server"), PORT))
    time.sleep(LONG)


def client(lab: Lab) -> None:
    """Connect, and wait as the variant says."""
    sock = socket.socket(_family(lab), socket.SOCK_STREAM)
    limits = (DEFAULTS if "durations" in lab.settings else LIMITS)[lab.settings["limits"]]
    option = limits[1]
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, *option)
    there = (lab.address("server"), PORT)
    with contextlib.suppress(OSError):
        WAITS[lab.settings["connect"]](sock, there)
    time.sleep(LONG)


def _blocking(sock: socket.socket, there: tuple[str, int]) -> None:
    sock.connect(there)


def _sndtimeo(sock: socket.socket, there: tuple[str, int]) -> None:
    """The kernel itself is told to wait no longer; then wait for the end all the same."""
    brief = int(PATIENCE * 1_000_000)
    timeval = brief.to_bytes(8, "little")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bytes(8) + timeval)
    for _ in range(2):
        with contextlib.suppress(BlockingIOError):
            sock.connect(there)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bytes(16))
    sock.connect(there)


def _settimeout(sock: socket.socket, there: tuple[str, int]) -> None:
    """Python polls, and goes away; the kernel goes on."""
    sock.settimeout(PATIENCE)
    with contextlib.suppress(TimeoutError):
        sock.connect(there)
    sock.settimeout(None)
    sock.connect(there)


def _poll(sock: socket.socket, there: tuple[str, int]) -> None:
    sock.setblocking(False)
    sock.connect_ex(there)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    poll.poll(LONG * 1000)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


WAITS: Final = {
    "blocking": _blocking,
    "SO_SNDTIMEO": _sndtimeo,
    "settimeout": _settimeout,
    "non-blocking": _poll,
}


def _family(lab: Lab) -> socket.AddressFamily:
    return socket.AF_INET6 if lab.settings["IP"] == "6" else socket.AF_INET


def _variant(settings: dict[str, str]) -> Variant:
    peer, v6, default = settings["peer"], settings["IP"] == "6", "durations" in settings
    if default:
        (sysctl, _), horizon = DEFAULTS[settings["limits"]], 120 * MINUTE
    else:
        sysctl, _, horizon = LIMITS[settings["limits"]]
    on_lan = peer.endswith("LAN")
    if on_lan and not default:
        sysctl = sysctl | {f"net.ipv{settings['IP']}.neigh.eth0.retrans_time_ms": 300}
    overflow = {"net.ipv4.tcp_abort_on_overflow": int(peer == BUSY[1])}
    if peer == "answers lost":  # a server that keeps nothing repeats nothing by itself
        overflow = {"net.ipv4.tcp_syncookies": 2}
    processes = [
        Process(host="server", name="server", program=server),
        Process(
            host="client",
            name="client",
            program=client,
            start=OnMark(process="server", name="listening", delay_ns=60 * MS),
        ),
    ]
    if peer in BUSY:
        start = OnMark(process="server", name="listening", delay_ns=10 * MS)
        processes.append(Process(host="client", name="filler", program=filler, start=start))
    now = OnMark(process="server", name="listening", delay_ns=30 * MS)
    return Variant(
        settings=settings,
        hosts=(
            Host(name="client", addresses=("2001:db8::1" if v6 else "10.0.0.1",), sysctl=sysctl),
            Host(name="server", addresses=("2001:db8::2" if v6 else "10.0.0.2",), sysctl=overflow),
        ),
        links=() if on_lan else (Link(a="client", b="server"),),
        lans=(Lan(hosts=("client", "server")),) if on_lan else (),
        processes=tuple(processes),
        steps=tuple(Step(when=now, fault=fault) for fault in FAULTS.get(peer, ())),
        horizon_ns=horizon + 100 * MS,
        kernel=not default,
        because=TOO_LONG if default else "",
    )


def _variants() -> tuple[Variant, ...]:
    one = ("blocking",)
    products = [
        each(peer=SILENT, limits=(ONCE,), connect=one, IP=("4",)),
        each(peer=("host off",), limits=tuple(LIMITS)[1:], connect=one, IP=("4",)),
        each(peer=("host off",), limits=(ONCE,), connect=tuple(WAITS)[1:], IP=("4",)),
        each(peer=("host off", "queue full"), limits=(ONCE,), connect=one, IP=("6",)),
        each(peer=("host off, on the same LAN",), limits=(ONCE,), connect=one, IP=("4", "6")),
        each(peer=ANSWERS, limits=(ONCE,), connect=one, IP=("4",)),
        each(
            peer=("host off", "host off, on the same LAN"),
            limits=("default",),
            connect=one,
            IP=("4", "6"),
            durations=("default",),
        ),
        each(
            peer=("host off",),
            limits=tuple(DEFAULTS)[1:],
            connect=one,
            IP=("4",),
            durations=("default",),
        ),
    ]
    return tuple(_variant(settings) for product in products for settings in product)


_VARIANTS: Final = _variants()


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run how many SYNs went, and when and with what the attempt ended."""
    seen: dict[tuple[str, str, str], list[tuple[str, int, list[Seen]]]] = {}
    waited = set()
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        told, after, syns = _end(trace)
        key = settings["peer"], settings["limits"], settings.get("durations", "")
        seen.setdefault(key, []).append((told, after, syns))
        if settings["connect"] != "blocking":
            first, last = _before_the_end(trace)
            waited.add(f"{settings['connect']}: {first}")
            assert last <= after, "who does not wait for the kernel is back earlier"
    for peer in SILENT:
        for told, _, syns in seen[peer, ONCE, ""]:
            assert told == "ETIMEDOUT", f"{peer}: silence is told as ETIMEDOUT, not {told}"
            most = 0 if peer == "own cable out" else 2  # without carrier none gets as far
            assert len(syns) == most, f"{peer}: one SYN, and one retry"
    for peer in ANSWERS:
        ((told, _, _),) = seen[peer, ONCE, ""]
        assert told == "none", f"{peer}: connected, not {told}"
    lan = [end for key, ends in seen.items() for end in ends if key[0].endswith("LAN")]
    assert {told for told, _, _ in lan} == {"EHOSTUNREACH"}, "a neighbour that is down is missed"
    assert not any(syns for _, _, syns in lan), "no SYN leaves for a neighbour that is not found"
    usual = [seen["host off", name, "default"][0] for name in DEFAULTS]
    short = [seen["host off", name, ""][0] for name in LIMITS]
    for told, _, _ in usual + short:
        assert told == "ETIMEDOUT", "however patient, it is told as ETIMEDOUT"
    (_, patience, syns), (_, exponential, fewer), (_, few, _), (_, many, _), *_ = usual
    distances = [round((syn.t_ns - syns[0].t_ns) / S) for syn in syns]
    user = usual[list(DEFAULTS).index("TCP_USER_TIMEOUT 30 s")][1]
    syncnt, syncnt_syns = short[list(LIMITS).index("TCP_SYNCNT 1, linear as usual")][1:]
    late = span([seen[peer, ONCE, ""][0][1] for peer in ANSWERS[:2]])
    at_once = span([seen[peer, ONCE, ""][0][1] for peer in ANSWERS[2:]])
    missed = span([end[1] for end in seen["host off, on the same LAN", "default", "default"]])
    at = ", ".join(map(str, distances))
    even, doubled = len(syns) - len(fewer), len(fewer) - 1
    figures = (
        show_duration(patience),
        show_duration(exponential),
        show_duration(few),
        show_duration(many),
        show_duration(user),
        show_duration(syncnt),
    )
    return Answer(
        verdict="qualified",
        text=(
            f"Yes where nothing answers: ETIMEDOUT after {figures[0]} and {len(syns)} SYNs, at "
            f"{at} s. It is the same whether the host is off, a cable is out, SYNs or answers are "
            "lost, or the accept queue is full. But a host that is off on one's own LAN is told as "
            f"EHOSTUNREACH, after {missed} and without a SYN. And too busy is not enough: where "
            "the program never accepts, or is stopped, its kernel answers all the same, and "
            f"connect returns after {at_once}."
        ),
        zh=(
            f"若毫无应答，确实如此：{figures[0]} 后返回 ETIMEDOUT，共发 {len(syns)} 个 SYN（第 "
            f"{at} 秒）。对端断电、网线断开、SYN 或应答丢失、已完成连接队列满，结果都相同。但若对端"
            f"在同一局域网且已断电，则返回 EHOSTUNREACH，在 {missed} 后，一个 SYN 也不发。仅仅“太"
            f"忙”并不够：程序从不 accept 或已被冻结，其内核照样应答，connect 在 {at_once} 后返回。"
        ),
        more=(
            f"The SYN is repeated {even} times at even distances (tcp_syn_linear_timeouts), then "
            f"{doubled} times at doubled ones (tcp_syn_retries). With no even ones it is "
            f"{len(fewer)} SYNs and {figures[1]}; with 3 retries {figures[2]}, with 10 "
            f"{figures[3]}. TCP_USER_TIMEOUT of 30 s ends it after {figures[4]}, TCP_SYNCNT 1 "
            f"after {figures[5]} and {len(syncnt_syns)} SYNs: it bounds the time too. A full "
            "accept queue is silent with tcp_abort_on_overflow as well; once there is room in it, "
            f"or the second SYN gets through, connect returns after {late}."
        ),
        more_zh=(
            f"SYN 先等间隔重传 {even} 次（tcp_syn_linear_timeouts），再以加倍的间隔重传 {doubled} "
            f"次（tcp_syn_retries）。没有等间隔重传时 {len(fewer)} 个 SYN、{figures[1]}；重传 3 次"
            f"时 {figures[2]}，10 次时 {figures[3]}。TCP_USER_TIMEOUT 设 30 s 则 {figures[4]} 后结"
            f"束；TCP_SYNCNT 设 1 则 {figures[5]}、{len(syncnt_syns)} 个 SYN：它也限定时间。设了 "
            "tcp_abort_on_overflow，已完成连接队列满时也不应答；队列腾出位置，或第二个 SYN 送达，"
            f"connect 在 {late} 后返回。"
        ),
    )


def _end(trace: Trace) -> tuple[str, int, list[Seen]]:
    """What the attempt ended with, how long after it began, and the SYNs of it."""
    made = calls(trace, process="client")
    first = next(call for call in made if call.call in {"connect", "connect_ex"})
    syns = [s for s in segments_from(trace, "client") if s.seg.flags == SYN]
    last = made[-1]
    assert last.returned_ns is not None, "the attempt ended"
    told = last.errno or "none"
    if last.call == "getsockopt":
        assert last.result == 110, "SO_ERROR is ETIMEDOUT"
        told, last = "ETIMEDOUT", made[-2]
    assert last.returned_ns is not None, "poll returned"
    return told, last.returned_ns - first.t_ns, [s for s in syns if s.t_ns >= first.t_ns]


def _before_the_end(trace: Trace) -> tuple[str, int]:
    """What the first call gave to one who would not wait, and how long it took."""
    made = calls(trace, process="client")
    first: Call = next(call for call in made if call.call in {"connect", "connect_ex"})
    assert first.blocked_ns is not None, "it returned"
    return first.errno or str(first.result), first.blocked_ns


NOTE: Final = Note(
    id="N17",
    question="connect to a peer that is down or too busy: ETIMEDOUT? After how many SYNs, when?",
    question_zh="对端宕机或太忙时 connect：返回 ETIMEDOUT 吗？多久之后，发了几个 SYN？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.8.3",
        "RFC 6298 2",
        "RFC 5482 3.2",
        "Linux tcp_write_timeout",
        "Linux retransmits_timed_out",
        "Linux tcp_retransmit_timer",
        "Linux tcp_conn_request",
        "Linux arp_error_report",
    ),
    words=(
        "connect",
        "ETIMEDOUT",
        "timeout",
        "SYN",
        "tcp_syn_retries",
        "tcp_syn_linear_timeouts",
        "TCP_SYNCNT",
        "TCP_USER_TIMEOUT",
        "host down",
        "too busy",
        "accept queue full",
        "EHOSTUNREACH",
    ),
)
