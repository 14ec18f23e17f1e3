"""N03: an orderly close; what goes to the peer, and when."""

import contextlib
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MINUTE, MS, S, show_duration
from halfopen.record.events import ProcessEnded
from halfopen.record.faults import CableIn, CableOut
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import Seen, segments_from, span, span_zh, stays
from halfopen.wire.tcp import FIN, RST

#: So long after all is well somebody closes first, and all is over well after that.
CLOSE_AFTER: Final = 0.1
LATER: Final = 0.1
PONDER: Final = 0.05
OVER: Final = 0.5
#: What waits to be sent when close is called: more than a new connection may send at once.
MUCH: Final = 40_000
HORIZON_NS: Final = 3 * S // 2
#: An interpreter takes its time to exit: that two exits cross, a packet must travel longer.
FAR: Final = 0.06

CABLE: Final = "client-server"
CUT_AFTER_NS: Final = 50 * MS
AGAIN_NS: Final = {"in time": 700 * MS, "too late": 2600 * MS}
#: With one retry an orphan's FIN is repeated for less than 2 s.
SHORT: Final = {"net.ipv4.tcp_orphan_retries": 1}
PATIENCE: Final = 3.2
CABLE_HORIZON_NS: Final = 5 * S

_SIDES: Final = ("client", "server")
#: Descriptors of a program that exits without ``close``: a global keeps them open to the end.
_kept: list[socket.socket] = []


def server(lab: Lab) -> None:
    """Be one side; it knows a packet's way earlier that all is well."""
    _side(lab, "server", pair.accepted(lab), head_start=_way(lab.settings))


def client(lab: Lab) -> None:
    """Be the other side."""
    _side(lab, "client", pair.connected(lab), head_start=0)


def _way(settings: Mapping[str, str]) -> float:
    return FAR if settings["how"] == "exit" else pair.WAY


def _side(lab: Lab, name: str, sock: socket.socket, *, head_start: float) -> None:
    """Close first, or when the peer has closed; then see whether the port is free again."""
    own = sock.getsockname()
    first, how = lab.settings["first"], lab.settings["how"]
    mine = first in {name, "both at once"}
    if how == "close, unread data" and first != name:
        sock.sendall(pair.NEWS)
    if mine:
        time.sleep(CLOSE_AFTER + head_start)
        lab.mark("ends")
        with contextlib.suppress(OSError):
            HOW[how](sock)
    else:
        if how == "close, data to send":
            time.sleep(CLOSE_AFTER + LATER)  # until they are all there
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                pass
        time.sleep(PONDER)
        sock.close()
    if how == "exit" and mine:
        return
    time.sleep(OVER)
    lab.mark("is over")
    again = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):
        again.bind(own)
    again.close()
    time.sleep(pair.LONG)


def _close(sock: socket.socket) -> None:
    sock.close()


def _duplicate(sock: socket.socket) -> None:
    other = sock.dup()
    sock.close()
    time.sleep(LATER)
    other.close()


def _shutdown(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(100):
        pass
    time.sleep(PONDER)
    sock.close()


def _exit(sock: socket.socket) -> None:
    _kept.append(sock)


def _linger(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    sock.close()


def _much(sock: socket.socket) -> None:
    sock.sendall(bytes(MUCH))
    sock.close()


HOW: Final = {
    "close": _close,
    "close, duplicate open": _duplicate,
    "shutdown, then close": _shutdown,
    "exit": _exit,
    "close, data to send": _much,
    "close, unread data": _close,
    "close, SO_LINGER 0": _linger,
}
_RESET: Final = frozenset({"close, unread data", "close, SO_LINGER 0"})


def _resets(settings: Mapping[str, str]) -> bool:
    """Whether an RST is to be expected: also where both sides' data come to a closed socket."""
    crossing = settings["how"] == "close, data to send" and settings["first"] == "both at once"
    return crossing or settings["how"] in _RESET


def cut_off_server(lab: Lab) -> None:
    """Wait for the end for a while, then write, and look what that brings."""
    conn = pair.accepted(lab)
    conn.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        if not conn.recv(100):
            conn.close()
            time.sleep(pair.LONG)
    with contextlib.suppress(OSError):
        conn.sendall(pair.NEWS)
        conn.recv(100)
    conn.close()
    time.sleep(pair.LONG)


def cut_off_client(lab: Lab) -> None:
    """Close while the cable is out."""
    sock = pair.connected(lab)
    time.sleep(CLOSE_AFTER)
    lab.mark("ends")
    sock.close()
    time.sleep(pair.LONG)


def _cable(settings: Mapping[str, str], *, default: bool = False) -> Variant:
    steps = [Step(when=pair.well(CUT_AFTER_NS), fault=CableOut(link=CABLE))]
    if (again := AGAIN_NS.get(settings["cable in again"])) is not None:
        steps.append(Step(when=pair.well(again), fault=CableIn(link=CABLE)))
    return pair.variant(
        settings,
        server=cut_off_server,
        client=cut_off_client,
        horizon_ns=10 * MINUTE if default else CABLE_HORIZON_NS,
        steps=tuple(steps),
        sysctl={} if default else SHORT,
        because="an orphan sends its FIN again for minutes" if default else "",
    )


_ORDERLY: Final = tuple(
    pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=HORIZON_NS,
        delay_ns=round(_way(settings) * S),
    )
    for settings in each(how=tuple(HOW), first=(*_SIDES, "both at once"))
)
_TIME_WAITS: Final = tuple(
    pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=5 * MINUTE,
        because="TIME-WAIT lasts a minute, and no sysctl shortens it",
    )
    for settings in each(how=("close",), first=(*_SIDES, "both at once"), watched=("5 min",))
)
_CABLE: Final = tuple(
    _cable(settings)
    for settings in each(
        how=("close, cable out",), first=("client",), **{"cable in again": (*AGAIN_NS, "never")}
    )
)
_CABLE_DEFAULT: Final = _cable(
    {
        "how": "close, cable out",
        "first": "client",
        "cable in again": "never",
        "durations": "default",
    },
    default=True,
)
_VARIANTS: Final[tuple[Variant, ...]] = (*_ORDERLY, *_TIME_WAITS, *_CABLE, _CABLE_DEFAULT)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run which segment closed each side, when, and who is in TIME-WAIT."""
    fins = resets = waiting = 0
    held = []
    for variant in _ORDERLY:
        trace, settings = runs[variant.name], variant.settings
        for side in _closers(settings):
            closing = _closing(trace, side)
            reset = _resets(settings)
            assert bool(closing.seg.flags & RST) == reset, f"{variant.name}: an RST where it must"
            assert bool(closing.seg.flags & FIN) != reset, f"{variant.name}: else a FIN"
            fins, resets = fins + (not reset), resets + reset
            after = closing.t_ns - _cause(trace, side, settings)
            assert 0 <= after < MS or settings["how"] == "close, data to send", variant.name
            if settings["how"] == "close, duplicate open":
                held.append(closing.t_ns - pair.marked(trace, side, "ends"))
        waiting += _check_time_wait(trace, settings)
    lasts = [
        ns for v in _TIME_WAITS for side in _SIDES for ns in stays(runs[v.name], side, "TIME-WAIT")
    ]
    short, default = (_orphan(runs, v) for v in (_CABLE[-1], _CABLE_DEFAULT))
    in_time, too_late, never = (_told(runs[v.name]) for v in _CABLE)
    assert (in_time, too_late, never) == ("end", "ECONNRESET", "timeout"), "what the peer is told"
    return Answer(
        verdict="qualified",
        text=(
            f"Yes, normally: a FIN in {fins} closes, whichever side closes first, also by exit and "
            "by shutdown(SHUT_WR), and behind data that still wait; close returns at once. But in "
            f"{resets} closes an RST: the closer had left data unread, more came after its close, "
            "or SO_LINGER is 0. And nothing is sent while a duplicate of the descriptor is open. "
            f"Who sends the first FIN is in TIME-WAIT then, for a minute ({span(lasts)})."
        ),
        zh=(
            f"正常情况下会：{fins} 次关闭发出的是 FIN，不论哪一边先关，exit 和 shutdown(SHUT_WR) 也"
            f"一样；还有数据等着时 FIN 排在数据后面，close 立即返回。但有 {resets} 次关闭发出的是 "
            "RST：关闭方还有未读的数据，close 之后又有数据到来，或者 SO_LINGER 为 0。描述符还有副本"
            f"打开时什么也不发。先发 FIN 的一方随后处于 TIME-WAIT，持续一分钟（{span_zh(lasts)}）。"
        ),
        more=(
            f"With a duplicate open the FIN came with the last close, {span(held)} later. In "
            f"TIME-WAIT were {waiting} sides, both where the two FINs crossed. With the cable out "
            "close returns at once too, and the kernel repeats the FIN for "
            f"{show_duration(default)} (tcp_orphan_retries; {show_duration(short)} with 1). "
            "Plugged in again in that time, the peer reads the end; later it gets ECONNRESET when "
            "it writes."
        ),
        more_zh=(
            f"描述符有副本时，FIN 随最后一次 close 发出，晚了 {span_zh(held)}。处于 TIME-WAIT 的有 "
            f"{waiting} 方；两个 FIN 相遇时双方都是。网线拔掉时 close 也立即返回，内核重传 FIN 长"
            f"达 {show_duration(default)}（tcp_orphan_retries；为 1 时 {show_duration(short)}）。在"
            "这段时间内重新插上，对端读到结束；更晚则对端写的时候得到 ECONNRESET。"
        ),
    )


def _closers(settings: Mapping[str, str]) -> tuple[str, ...]:
    first = settings["first"]
    return _SIDES if first == "both at once" else (first,)


def _closing(trace: Trace, side: str) -> Seen:
    """The segment by which a side closed first; none of another kind follows."""
    found = [s for s in segments_from(trace, side) if s.seg.flags & (FIN | RST)]
    assert len({s.seg.flags & (FIN | RST) for s in found}) == 1, f"{side} closes in one way"
    return found[0]


def _cause(trace: Trace, side: str, settings: Mapping[str, str]) -> int:
    """The instant of what should send the FIN: a shutdown, the last close, or the exit."""
    if settings["how"] == "exit":
        (end,) = [e for e in trace.events if isinstance(e, ProcessEnded) and e.process == side]
        return end.t_ns
    ends = pair.marked(trace, side, "ends")
    name = "shutdown" if settings["how"] == "shutdown, then close" else "close"
    made = [c for c in calls(trace, process=side, call=name) if c.t_ns >= ends]
    assert made[0].blocked_ns == 0, f"{name} returns at once"
    return made[1 if settings["how"] == "close, duplicate open" else 0].t_ns


def _check_time_wait(trace: Trace, settings: Mapping[str, str]) -> int:
    """See whose port is not free at the end: of who sent the first FIN; how many these are."""
    waiting = 0
    for side in _SIDES:
        tries = calls(trace, process=side, call="bind")[1 if side == "server" else 0 :]
        for bind in tries:
            held = side in _closers(settings) and not _resets(settings)
            assert bind.errno == ("EADDRINUSE" if held else None), f"{side} in {settings}"
            waiting += held
    return waiting


def _orphan(runs: Mapping[str, Trace], variant: Variant) -> int:
    """How long the closer's kernel tried to get rid of its FIN."""
    trace = runs[variant.name]
    (close,) = calls(trace, process="client", call="close")
    assert close.blocked_ns == 0, "close returns at once"
    fins = [s for s in segments_from(trace, "client") if s.seg.flags & FIN]
    assert len(fins) > 1, "the FIN is sent again"
    assert all(s.arrived_ns is None for s in fins), "none arrives"
    (stay,) = stays(trace, "client", "FIN-WAIT-1")
    return stay


def _told(trace: Trace) -> str:
    """What the peer of a closer without a cable is told in the end."""
    reads = calls(trace, process="server", call="recv")
    last = [call for call in reads if call.returned_ns is not None][-1]
    return last.errno or ("end" if last.result == {"len": 0, "head": ""} else "data")


NOTE: Final = Note(
    id="N03",
    question="A calls close: does a FIN go to B?",
    question_zh="A 调用 close：会给 B 发送 FIN 吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.6",
        "RFC 9293 3.10.4",
        "RFC 2525 2.17",
        "Linux __tcp_close",
        "Linux tcp_shutdown",
        "Linux tcp_time_wait",
        "Linux tcp_orphan_retries",
    ),
    words=(
        "close",
        "FIN",
        "shutdown",
        "dup",
        "TIME_WAIT",
        "CLOSING",
        "exit",
        "orphan",
        "SO_LINGER",
    ),
    tells=(("client", "recv"), ("server", "recv")),
)
