"""N10: the other host loses power, or a cable is pulled; whether that is the same as a crash."""

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import HOUR, MS, S, show_duration
from halfopen.record.events import FaultFired
from halfopen.record.faults import (
    AddressGone,
    CableIn,
    CableOut,
    Fault,
    InterfaceDown,
    InterfaceUp,
    PowerOff,
    PowerOn,
)
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Host,
    Lab,
    Lan,
    Note,
    OnMark,
    Step,
    Variant,
    each,
)
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import FIN, RST

PORT: Final = 80
PING: Final = b"ping"
PONG: Final = b"pong"
NEWS: Final = b"news"

#: The client writes so long after it said that all is well; the cut lies in the middle.
QUIET: Final = 0.1
CUT_AFTER_NS: Final = 50 * MS
BETWEEN_WRITES: Final = 1.0
#: So that the timers of the two ends don't fall together: one's wheel slot is 32 ms wide.
PONDER: Final = 0.06
WRITES: Final = 5

#: With three retries an unanswered write lasts 3 s and some; "in time" lies before that.
SHORT: Final = {"net.ipv4.tcp_retries2": 3}
#: Well between the third time that an unanswered write is sent again and the fourth.
IN_TIME_NS: Final = 1200 * MS
TOO_LATE_NS: Final = 4600 * MS
HORIZON_NS: Final = 7 * S

#: On a LAN: a neighbour is believed for 1.1 s to 3.3 s, longer than it counts as used, so that
#: it is not asked then; at its next use it is doubted for a second, then asked three times.
NEIGH: Final = {
    "net.ipv4.neigh.eth0.base_reachable_time_ms": 2200,
    "net.ipv4.neigh.eth0.delay_first_probe_time": 1,
    "net.ipv4.neigh.eth0.retrans_time_ms": 100,
}
UNTIL_STALE: Final = 3.6

CUTS: Final[dict[str, Fault]] = {
    "host off": PowerOff(host="server"),
    "near cable": CableOut(link="client-server", seen_by=("client",)),
    "far cable": CableOut(link="client-server", seen_by=("server",)),
    "one way, to the peer": CableOut(link="client-server", towards="client"),
    "one way, from the peer": CableOut(link="client-server", towards="server"),
}
#: What ends a cut; a cable is plugged in.
BACK: Final[dict[str, Fault]] = {
    "host off": PowerOn(host="server"),
    "own interface down": InterfaceUp(host="client"),
}
#: What may go at one's own end; each is told by the routes, not by the wire.
OWN: Final[dict[str, Fault]] = {
    "own interface down": InterfaceDown(host="client"),
    "own address removed": AddressGone(host="client", address="10.0.0.1"),
}


def server(lab: Lab) -> None:
    """Answer one ping, then do the counterpart of what the peer does, until the connection ends."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    with contextlib.suppress(OSError):  # which one is in the record of the calls
        conn.recv(100)
        conn.sendall(PONG)
        if lab.settings["peer"] == "reads":
            time.sleep(0.01 + QUIET)
            conn.sendall(NEWS)
        while conn.recv(100):
            if lab.settings["peer"] == "both":
                time.sleep(PONDER)
                conn.sendall(PONG)
    conn.close()
    listener.close()


def client(lab: Lab) -> None:
    """Exchange ping and pong once, then read, write or both until an error, or the end."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((lab.address("server"), PORT))
    time.sleep(0.05)
    sock.sendall(PING)
    sock.recv(100)
    if lab.settings.get("neighbour") == "stale":
        time.sleep(UNTIL_STALE)
    lab.mark("all is well")
    with contextlib.suppress(OSError):
        PEERS[lab.settings["peer"]](sock)
    sock.close()


def _reads(sock: socket.socket) -> None:
    while sock.recv(100):
        pass


def _writes(sock: socket.socket) -> None:
    time.sleep(QUIET)
    for _ in range(WRITES):
        sock.sendall(PING)
        time.sleep(BETWEEN_WRITES)


def _both(sock: socket.socket) -> None:
    for _ in range(WRITES):
        time.sleep(QUIET)
        sock.sendall(PING)
        sock.recv(100)


def _writes_once_and_waits(sock: socket.socket) -> None:
    time.sleep(QUIET)
    sock.sendall(PING)
    sock.recv(100)


def _writes_just_before(sock: socket.socket) -> None:
    time.sleep(0.04)
    sock.sendall(PING)
    sock.recv(100)
    sock.recv(100)


PEERS: Final = {
    "writes just before": _writes_just_before,
    "reads": _reads,
    "writes": _writes,
    "both": _both,
    "writes once and waits": _writes_once_and_waits,
}


def _variant(settings: dict[str, str]) -> Variant:
    cut = Step(
        when=OnMark(process="client", name="all is well", delay_ns=CUT_AFTER_NS),
        fault=(CUTS | OWN)[settings["cut"]],
    )
    steps = [cut]
    again_after = {"in time": IN_TIME_NS, "too late": TOO_LATE_NS}.get(settings["again"])
    if again_after is not None:
        back = BACK.get(settings["cut"], CableIn(link="client-server"))
        when = OnMark(process="client", name="all is well", delay_ns=CUT_AFTER_NS + again_after)
        steps.append(Step(when=when, fault=back))
    short = settings["durations"] == "short"
    sysctl = SHORT if short else {}
    return pair.variant(
        settings,
        server=server,
        client=client,
        steps=tuple(steps),
        sysctl=sysctl,
        horizon_ns=HORIZON_NS if short else 24 * HOUR,
        because=""
        if short
        else "an unanswered write takes a quarter of an hour, and a reader waits for ever",
    )


def _on_lan(settings: dict[str, str]) -> Variant:
    sysctl = SHORT | (NEIGH if settings["neighbour"] == "stale" else {})
    return replace(
        _variant(settings),
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl=sysctl),
            Host(name="server", addresses=("10.0.0.2",), sysctl=sysctl),
        ),
        links=(),
        lans=(Lan(hosts=("client", "server")),),
        horizon_ns=HORIZON_NS + (round(UNTIL_STALE * S) if settings["neighbour"] == "stale" else 0),
    )


def _variants() -> tuple[Variant, ...]:
    """Build the product; with the system's own durations, nothing is plugged in again."""
    found = [
        _variant(settings)
        for settings in each(
            cut=tuple(CUTS),
            peer=("reads", "writes", "both"),
            again=("in time", "too late", "never"),
            durations=("short",),
        )
    ]
    found += [
        _variant(settings)
        for cut, again in (
            ("own interface down", ("in time", "never")),
            ("own address removed", ("never",)),
        )
        for settings in each(
            cut=(cut,),
            peer=("reads", "writes", "both", "writes just before"),
            again=again,
            durations=("short",),
        )
    ]
    found += [
        _variant(settings)
        for settings in each(
            cut=tuple(CUTS),
            peer=("reads", "writes once and waits"),
            again=("never",),
            durations=("default",),
        )
    ]
    found += [
        _on_lan(settings)
        for settings in each(
            cut=("host off",),
            peer=("reads", "writes", "writes once and waits"),
            again=("never",),
            durations=("short",),
            neighbour=("fresh", "stale"),
        )
    ]
    return tuple(found)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the peer was told, by which call, and how long after the cut."""
    times: dict[str, list[int]] = {
        "ETIMEDOUT": [],
        "ECONNRESET": [],
        "ENETUNREACH": [],
        "EHOSTUNREACH": [],
        "default": [],
    }
    unaware = went_on = 0
    for variant in _variants():
        trace, settings = runs[variant.name], variant.settings
        cut_at = _cut_at(trace)
        _assert_nothing_was_said(trace, settings, cut_at)
        told = _first_error(trace)
        if told is None:
            if settings["again"] == "in time" and settings["cut"] != "host off":
                went_on += 1
            else:
                assert settings["peer"] == "reads", "only a peer that sends nothing never knows"
                unaware += 1
            continue
        assert told.errno is not None
        assert told.returned_ns is not None
        after = told.returned_ns - cut_at
        if settings["durations"] == "default":
            assert told.errno == "ETIMEDOUT", "silence ends in ETIMEDOUT"
            times["default"].append(told.returned_ns - _last_send(trace))
            continue
        assert told.errno == _expected(settings), "an RST after a reboot only"
        times[told.errno].append(after)
    return Answer(
        verdict="refuted",
        text=(
            "It is not. Nothing is sent in the dead host's name: no FIN, no RST. A peer that only "
            f"reads never knows ({unaware} runs, watched for up to {show_duration(24 * HOUR)}); "
            f"one that writes gets ETIMEDOUT {span(times['default'])} after an unanswered write. "
            f"Plugged in again in time, the connection goes on ({went_on} runs). A host that has "
            "booted again answers the next retransmission with an RST: ECONNRESET."
        ),
        zh=(
            "不一样。没有谁替断电的主机发送任何东西：没有 FIN，也没有 RST。只读的对端永远不会知道"
            f"（{unaware} 次运行，最长观察了 {show_duration(24 * HOUR)}）；写数据的对端在没有回应"
            f"的 write 之后 {span_zh(times['default'])} 得到 ETIMEDOUT。及时插回网线，连接就继续"
            f"（{went_on} 次运行）。重启过的主机对下一次重传以 RST 回应：ECONNRESET。"
        ),
        more=(
            f"The time is tcp_retries2's (15 by default; with 3 it is {span(times['ETIMEDOUT'])} "
            f"after the cut). The RST after a boot came {span(times['ECONNRESET'])} after the cut. "
            "One's own interface down, or one's own address gone: the same, but what was already "
            f"on its way is told as ENETUNREACH ({span(times['ENETUNREACH'])} after the cut). On a "
            "LAN a host whose hardware address has become doubtful is asked for it, in vain, and "
            f"then the error is EHOSTUNREACH ({span(times['EHOSTUNREACH'])} after the cut)."
        ),
        more_zh=(
            f"时间由 tcp_retries2 决定（默认 15；为 3 时是断开后 {span_zh(times['ETIMEDOUT'])}）。"
            f"重启后的 RST 在断开后 {span_zh(times['ECONNRESET'])} 到来。自己的接口被关闭，或者"
            "自己的地址被删除：结果相同，只是已经在途中的数据会以 ENETUNREACH 报告（断开后 "
            f"{span_zh(times['ENETUNREACH'])}）。在局域网上，若对端的硬件地址已不再可信，内核会徒劳"
            f"地查询它，这时得到的是 EHOSTUNREACH（断开后 {span_zh(times['EHOSTUNREACH'])}）。"
        ),
    )


def _expected(settings: Mapping[str, str]) -> str:
    """Name the one error by which a shortened run that is given up is told."""
    if settings["cut"] == "host off" and settings["again"] == "in time":
        return "ECONNRESET"
    if settings.get("neighbour") == "stale":
        return "EHOSTUNREACH"
    if settings["cut"] in OWN and settings["peer"] == "writes just before":
        return "ENETUNREACH"
    return "ETIMEDOUT"


def _cut_at(trace: Trace) -> int:
    fired = [e for e in trace.events if isinstance(e, FaultFired) and e.effect]
    assert fired, "the cut happened"
    return fired[0].t_ns


def _assert_nothing_was_said(trace: Trace, settings: Mapping[str, str], cut_at: int) -> None:
    """Check that no FIN or RST reached the peer while the cut lasted."""
    back = [e.t_ns for e in trace.events if isinstance(e, FaultFired) and e.t_ns > cut_at]
    until = back[0] if back else trace.ended_ns
    for seen in segments_from(trace, "server"):
        if seen.arrived_ns is not None and cut_at <= seen.arrived_ns < until:
            # One way, from the peer: what the far host says in its own name still arrives.
            assert not seen.seg.flags & (FIN | RST), (
                f"nothing closes the connection ({settings['cut']})"
            )


def _first_error(trace: Trace) -> Call | None:
    """Find the call by which the peer's program was told of an error."""
    for call in calls(trace, process="client"):
        if call.errno is not None:
            return call
    return None


def _last_send(trace: Trace) -> int:
    return [call for call in calls(trace, process="client") if call.call == "sendall"][-1].t_ns


NOTE: Final = Note(
    id="N10",
    question="A loses power, or its cable is pulled: is it the same as a crash?",
    question_zh="A 突然断电，或网线被拔掉：和程序崩溃一样吗？",
    variants=_variants(),
    answer=answer,
    why=(
        "RFC 9293 3.8.3",
        "RFC 6298 5",
        "RFC 1122 4.2.3.5",
        "Linux tcp_retransmit_timer",
        "Linux tcp_write_timeout",
        "Linux tcp_write_err",
    ),
    words=(
        "power cut",
        "power off",
        "recv",
        "cable",
        "unplugged",
        "carrier",
        "half-open",
        "dead peer",
        "reboot",
        "ETIMEDOUT",
        "tcp_retries2",
        "unanswered write lasts",
    ),
)
