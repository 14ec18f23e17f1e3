"""N49: SO_LINGER on, with no time and with some; what close does, and how long."""

import contextlib
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MINUTE, MS, S, show_duration
from halfopen.record.events import ProcessEnded, StateChange
from halfopen.record.faults import Kill
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, OnMark, Step, Variant, each
from halfopen.scenario.notes import lingering, pair, unread
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.scenario.notes.unread import CLIENT, DELAY_NS, SERVER
from halfopen.wire.tcp import RST

HORIZON_NS: Final = 2740 * MS
#: By when TCP itself has given up.
HORIZONS_NS: Final = {"host off": 3040 * MS, "2 min": 3 * MINUTE, "1 h": 18 * MINUTE}
SECONDS: Final = {"0": 0, "1 s": 1, "20 s": 20, "2 min": 120, "1 h": 3600}
#: An unacknowledged segment of a socket that is still held is repeated for less than 2 s, too.
SHORT: Final = {**lingering.SHORT, "net.ipv4.tcp_retries2": 2}

OTHERWISE: Final = (
    "close, non-blocking",
    "close, duplicate first",
    "shutdown, then close",
    "os._exit",
    "exit",
    "SIGKILL",
)
KILLED_AFTER_NS: Final = 300 * MS


def client(lab: Lab) -> None:
    """Set SO_LINGER, write, and let go of the socket while that is on its way."""
    sock = lingering.connected(lab)
    lingering.linger(sock, on=True, seconds=SECONDS[lab.settings["l_linger"]])
    lingering.write(sock, lab.settings["pending"])
    lab.mark("ends")
    lingering.ENDS[lab.settings["ends by"]](sock)
    lab.mark("goes on")
    time.sleep(pair.LONG)


def connecting_client(lab: Lab) -> None:
    """Close while the handshake is under way."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    lingering.linger(sock, on=True, seconds=SECONDS[lab.settings["l_linger"]])
    sock.setblocking(False)
    sock.connect_ex((lab.address(SERVER), pair.PORT))
    sock.close()
    time.sleep(pair.LONG)


def reading_client(lab: Lab) -> None:
    """Connect, be silent for a while, and then read to the end."""
    sock = unread.connect(lab)
    time.sleep(lingering.LATE)
    with contextlib.suppress(OSError):
        while sock.recv(1 << 17):
            pass
    time.sleep(pair.LONG)


def listening_server(lab: Lab) -> None:
    """Set SO_LINGER on the listener; close what it accepts, or the listener itself."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    seconds = SECONDS[lab.settings["l_linger"]]
    when = lab.settings["set"]
    if when == "before listen":
        lingering.linger(listener, on=True, seconds=seconds)
    listener.bind((lab.address(SERVER), pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    time.sleep(0.3)  # the connection has come, and waits to be accepted
    if when == "after the handshake":
        lingering.linger(listener, on=True, seconds=seconds)
    if lab.settings["closes"] == "listener":
        listener.close()
    else:
        conn, _ = listener.accept()
        conn.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        conn.sendall(bytes(lingering.SMALL))
        conn.close()
    time.sleep(pair.LONG)


def _variant(settings: Mapping[str, str], *, because: str = "") -> Variant:
    return lingering.variant(
        settings,
        client,
        horizon_ns=HORIZONS_NS.get(settings["l_linger"])
        or HORIZONS_NS.get(settings["peer"], HORIZON_NS),
        because=because,
        sysctl={} if because else SHORT,
    )


def _killed(settings: Mapping[str, str]) -> Variant:
    """Kill the client while its close waits."""
    return pair.variant(
        settings,
        server=lingering.server,
        client=client,
        horizon_ns=HORIZON_NS,
        steps=(
            Step(
                when=OnMark(process=CLIENT, name="ends", delay_ns=KILLED_AFTER_NS),
                fault=Kill(process=CLIENT),
            ),
        ),
        sysctl=SHORT,
        delay_ns=DELAY_NS,
    )


def _at_close() -> list[Variant]:
    """Close with l_linger 0 and more, whatever the peer does."""
    plain = {"ends by": "close", "unread": "none"}
    products = (
        each(
            l_linger=("0",),
            pending=("none", "data"),
            peer=("reads", "never reads", "host off"),
        ),
        each(l_linger=("1 s",), pending=("none",), peer=("reads", "host off")),
        each(l_linger=("1 s", "20 s"), pending=("data",), peer=lingering.PEERS),
    )
    return [
        _variant({"l_linger": settings["l_linger"], **plain, **settings})
        for product in products
        for settings in product
        if (settings["l_linger"], settings["peer"]) != ("1 s", "cable out and in")  # both at once
    ]


def _otherwise() -> list[Variant]:
    """Let go of the socket in other ways, have something unread, be killed meanwhile."""
    found = [
        _variant(
            {"l_linger": settings["l_linger"], "unread": "none", "pending": "data", **settings}
        )
        for settings in each(
            l_linger=("0", "1 s"), **{"ends by": OTHERWISE}, peer=("reads late", "never reads")
        )
    ]
    found += [
        _variant(
            {
                "l_linger": seconds,
                "ends by": "close",
                "unread": "data",
                "pending": "data",
                "peer": "reads late",
            }
        )
        for seconds in ("0", "1 s")
    ]
    found += [
        _killed(
            {
                "l_linger": "1 s",
                "ends by": "close",
                "unread": "none",
                "pending": "data",
                "peer": peer,
                "meanwhile": "SIGKILL",
            }
        )
        for peer in ("reads late", "never reads")
    ]
    return found


def _elsewhere() -> list[Variant]:
    """Close while connecting; a listener, and what it gives."""
    found = [
        pair.variant(
            {"socket": "connecting", "l_linger": seconds},
            server=lingering.server_that_is_busy,
            client=connecting_client,
            horizon_ns=700 * MS,
            delay_ns=DELAY_NS,
        )
        for seconds in ("0", "1 s")
    ]
    found += [
        pair.variant(
            {"socket": "listener", **settings},
            server=listening_server,
            client=reading_client,
            horizon_ns=HORIZON_NS,
            delay_ns=DELAY_NS,
        )
        for settings in each(
            set=("before listen", "after the handshake"),
            closes=("accepted", "listener"),
            l_linger=("0", "1 s"),
        )
    ]
    return found


def _default() -> list[Variant]:
    plain = {"ends by": "close", "unread": "none", "pending": "data"}
    return [
        _variant(
            {"l_linger": seconds, **plain, "peer": peer, "durations": "default"},
            because="the system goes on for a quarter of an hour",
        )
        for seconds, peer in (("2 min", "never reads"), ("1 h", "host off"))
    ]


_CLOSE: Final = _at_close()
_OTHERWISE: Final = _otherwise()
_ELSEWHERE: Final = _elsewhere()
_DEFAULT: Final = _default()


#: A timer of the kernel may be so late.
_TICKS_NS: Final = 40 * MS


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run how long close waited, what it waited for, and what the peer got."""
    thrown = _thrown_away(runs)
    waits = _waits(runs)
    exits = _exits(runs)
    inherited = _elsewhere_read(runs)
    long = {
        each.settings["l_linger"]: show_duration(_blocked(runs[each.name])) for each in _DEFAULT
    }
    said = {why: (span(took), span_zh(took)) for why, took in waits.items()}
    (times_up, times_up_zh), (acked, acked_zh) = said["time"], said["acknowledged"]
    broken, broken_zh = said["broken"]
    got = [str(octets) for octets in sorted(set(thrown))]
    return Answer(
        verdict="answered",
        text=(
            "l_linger 0: close returns at once, sends an RST and throws away what is not sent; the "
            "peer gets ECONNRESET behind what had arrived. Exit and SIGKILL do the same. l_linger "
            f"N: close sends a FIN and waits until all is acknowledged ({acked}), the connection "
            f"breaks or N seconds are over ({times_up} with 1 s), also on a non-blocking socket. "
            "It gives no error in any of these; after N seconds the system goes on sending."
        ),
        zh=(
            "l_linger 为 0：close 立即返回，发 RST，没发出的数据丢弃；对端读完已到达的数据后得到 "
            "ECONNRESET。exit 和 SIGKILL 也一样。l_linger 为 N：close 发 FIN 并等待，直到全部数据被"
            f"确认（{acked_zh}），或连接断掉，或 N 秒到时（N 为 1 s 时 {times_up_zh}），非阻塞套接"
            "字也会等。三种情况 close 都不报错；到时之后系统继续发送。"
        ),
        more=(
            f"With l_linger 0, {' or '.join(got)} octets had arrived ({len(thrown)} runs). With N "
            f"the connection broke after {broken}. Only the last descriptor's close waits. With "
            "unread data an RST is sent at once. SIGKILL and os._exit do not wait, Python's exit "
            f"does ({span(exits)}). Accepted sockets inherit it ({inherited} runs); a listener's "
            "own close never waits. With 2 min and a peer that never reads close took "
            f"{long['2 min']}; with 1 h and a dead peer {long['1 h']}: then TCP itself gave up."
        ),
        more_zh=(
            f"l_linger 为 0 时已到达 {' 或 '.join(got)} 字节（{len(thrown)} 次运行）。l_linger 为 "
            f"N 时，连接在 {broken_zh} 后断掉。只有最后一个描述符的 close 才等。有未读数据时立即发 "
            f"RST。SIGKILL 和 os._exit 不等，Python 正常退出时会等（{span_zh(exits)}）。accept 得到"
            f"的套接字继承这个设置（{inherited} 次运行）；监听套接字自己的 close 从不等待。N 为 2 "
            f"min 而对端从不读：close 用了 {long['2 min']}；N 为 1 h 而对端断电：{long['1 h']}，那"
            "时 TCP 自己放弃了。"
        ),
    )


def _blocked(trace: Trace) -> int:
    """How long the client's last close took; it returns, and without an error."""
    close = lingering.closing(trace)
    assert close.errno is None, "close gives no error"
    assert close.blocked_ns is not None, "close returns"
    return close.blocked_ns


def _thrown_away(runs: Mapping[str, Trace]) -> list[int]:
    """See l_linger 0 send an RST at once; how much a peer that reads got."""
    got = []
    for variant in (*_CLOSE, *_OTHERWISE):
        trace, settings = runs[variant.name], variant.settings
        if settings["l_linger"] != "0":
            continue
        assert lingering.kinds(trace) == {"RST"}, f"{variant.name}: an RST and no FIN"
        if "close" in settings["ends by"]:
            assert _blocked(trace) == 0, f"{variant.name}: at once"
        if settings["peer"].startswith("reads"):
            assert lingering.told(trace) == "ECONNRESET", f"{variant.name}: the peer is told"
            if settings["pending"] == "data":
                got.append(unread.octets_read(trace))
                assert got[-1] < lingering.written(trace), f"{variant.name}: not all arrives"
    return got


def _waits(runs: Mapping[str, Trace]) -> dict[str, list[int]]:
    """See what every lingering close waited for, and how long."""
    found: dict[str, list[int]] = {"acknowledged": [], "broken": [], "time": []}
    for variant in (*_CLOSE, *_OTHERWISE):
        trace, settings = runs[variant.name], variant.settings
        limit = SECONDS[settings["l_linger"]] * S
        if not limit or "close" not in settings["ends by"] or "meanwhile" in settings:
            continue
        if settings["unread"] == "data":
            assert _blocked(trace) == 0, "with unread data close returns at once"
            assert lingering.kinds(trace) == {"RST"}, "and sends an RST"
            continue
        if limit > HORIZON_NS and settings["peer"] == "never reads":
            assert lingering.closing(trace).returned_ns is None, "it waits on"
            continue
        took = _blocked(trace)
        close = lingering.closing(trace)
        left = [at for at in _left_fin_wait_1(trace) if at <= (close.returned_ns or 0)]
        if not left:
            assert limit <= took <= limit + _TICKS_NS, f"{variant.name}: the time is up"
            found["time"].append(took)
        elif lingering.told(trace) == "end":
            assert left == [close.returned_ns], f"{variant.name}: it waits no longer than that"
            found["acknowledged"].append(took)
        else:
            assert left == [close.returned_ns], f"{variant.name}: it is over with the connection"
            found["broken"].append(took)
        if settings["peer"].startswith("reads"):
            assert unread.octets_read(trace) == lingering.written(trace), "all of it arrives"
            assert lingering.told(trace) == "end"
    return found


def _left_fin_wait_1(trace: Trace) -> list[int]:
    """When the client's connection left FIN-WAIT-1."""
    return [
        event.t_ns
        for event in trace.events
        if isinstance(event, StateChange) and event.host == CLIENT and event.old == "FIN-WAIT-1"
    ]


def _exits(runs: Mapping[str, Trace]) -> list[int]:
    """See how long the ends of a process took that lingers; of exit alone they take any time."""
    waited = []
    for variant in _OTHERWISE:
        trace, settings = runs[variant.name], variant.settings
        killed = "meanwhile" in settings
        if settings["l_linger"] != "1 s" or ("close" in settings["ends by"] and not killed):
            continue
        (end,) = [e for e in trace.events if isinstance(e, ProcessEnded) and e.process == CLIENT]
        took = end.t_ns - pair.marked(trace, CLIENT, "ends")
        if settings["ends by"] == "exit":
            waited.append(took)
        else:
            assert took == (KILLED_AFTER_NS if killed else 0), f"{variant.name}: it is not held up"
        if settings["peer"] == "reads late":
            assert unread.octets_read(trace) == lingering.written(trace), "all of it arrives"
            assert lingering.told(trace) == "end"
    return waited


def _elsewhere_read(runs: Mapping[str, Trace]) -> int:
    """See a close while connecting, and what comes of a listener; how many inherited."""
    inherited = 0
    for variant in _ELSEWHERE:
        trace, settings = runs[variant.name], variant.settings
        if settings["socket"] == "connecting":
            assert _blocked(trace) == 0, "who is still connecting does not wait"
            continue
        resets = any(seen.seg.flags & RST for seen in segments_from(trace, SERVER))
        *_, close = calls(trace, process=SERVER, call="close")
        if settings["closes"] == "listener":
            assert close.blocked_ns == 0, "a listener does not wait"
            assert resets, "who waits to be accepted is reset"
            continue
        (given,) = calls(trace, process=SERVER, call="getsockopt")
        assert isinstance(given.result, dict), "a structure"
        on, seconds = struct.unpack("@ii", str(given.result["head"]).encode("latin-1"))
        has = bool(on) and seconds == SECONDS[settings["l_linger"]]
        assert has == (settings["set"] == "before listen"), f"{variant.name}: {on} {seconds}"
        inherited += has
        assert resets == (has and not seconds), f"{variant.name}: an RST"
        assert bool(close.blocked_ns) == (has and bool(seconds)), f"{variant.name}: it waits"
    return inherited


NOTE: Final = Note(
    id="N49",
    question="SO_LINGER on: what does close do with l_linger 0, and with more?",
    question_zh="设了 SO_LINGER：l_linger 为 0 和大于 0 时 close 各做什么？",
    variants=(*_CLOSE, *_OTHERWISE, *_ELSEWHERE, *_DEFAULT),
    answer=answer,
    why=(
        "RFC 9293 3.10.4",
        "RFC 9293 3.10.5",
        "Linux inet_release",
        "Linux __tcp_close",
        "Linux sk_stream_wait_close",
        "Linux tcp_disconnect",
        "Linux inet_csk_listen_stop",
        "Linux sk_clone_lock",
    ),
    words=(
        "SO_LINGER",
        "l_onoff",
        "l_linger",
        "linger",
        "close",
        "close blocks",
        "RST",
        "abort",
        "non-blocking",
        "dup",
        "exit",
        "inherit",
    ),
    tells=(("client", "close"), ("server", "recv")),
)
