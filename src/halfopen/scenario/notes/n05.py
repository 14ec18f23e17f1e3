"""N05: a FIN has come and nobody calls read; which calls tell."""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from halfopen.base.units import MS
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import FIN

#: So long after all is well data come that nobody reads, and so long after these the FIN.
DATA_AFTER: Final = 0.1
FIN_AFTER: Final = 0.15
#: The client looks once before all that, and twice well after it.
FIRST_LOOK: Final = 0.02
LATER_LOOKS: Final = 0.45
PATIENCE: Final = 0.5
BRIEF: Final = 0.08
HORIZON_NS: Final = 900 * MS

#: Looks once, and waits for so many seconds at most where it is a call that waits.
Look: TypeAlias = Callable[[float], object]


def server(lab: Lab) -> None:
    """Be A: send what the client will not read, or nothing, and end one's side, or not."""
    conn = pair.accepted(lab)
    time.sleep(DATA_AFTER + pair.WAY)
    if lab.settings["unread"] == "data":
        conn.sendall(pair.NEWS)
    time.sleep(FIN_AFTER)
    if lab.settings["server ends by"] == "close":
        conn.close()
    elif lab.settings["server ends by"] == "shutdown SHUT_WR":
        conn.shutdown(socket.SHUT_WR)
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Be B: look three times, and never read."""
    sock = pair.connected(lab)
    began = time.monotonic()
    look = WAYS[lab.settings["looks by"]](sock)
    time.sleep(began + FIRST_LOOK - time.monotonic())
    for at, patience in ((FIRST_LOOK, PATIENCE), (LATER_LOOKS, BRIEF), (LATER_LOOKS, BRIEF)):
        time.sleep(max(began + at - time.monotonic(), 0))
        lab.mark("looks")
        with contextlib.suppress(TimeoutError):
            look(patience)
    time.sleep(pair.LONG)


def _poll(events: int) -> Callable[[socket.socket], Look]:
    def prepare(sock: socket.socket) -> Look:
        poll = select.poll()
        poll.register(sock, events)
        return lambda patience: poll.poll(patience * 1000)

    return prepare


def _poll_own_side_shut(sock: socket.socket) -> Look:
    sock.shutdown(socket.SHUT_WR)
    return _poll(0)(sock)


def _epoll(events: int) -> Callable[[socket.socket], Look]:
    def prepare(sock: socket.socket) -> Look:
        epoll = select.epoll()
        epoll.register(sock, events)
        return epoll.poll

    return prepare


def _select(sock: socket.socket) -> Look:
    return lambda patience: select.select([sock], [], [], patience)


def _select_exceptional(sock: socket.socket) -> Look:
    return lambda patience: select.select([], [], [sock], patience)


def _peek(sock: socket.socket) -> Look:
    def look(patience: float) -> object:
        sock.settimeout(patience)
        return sock.recv(100, socket.MSG_PEEK)

    return look


def _info(sock: socket.socket) -> Look:
    """Ask for the first octet of struct tcp_info: the state."""
    return lambda _: sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)


def _error(sock: socket.socket) -> Look:
    return lambda _: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


WAYS: Final[dict[str, Callable[[socket.socket], Look]]] = {
    "poll POLLIN": _poll(select.POLLIN),
    "poll POLLRDHUP": _poll(select.POLLRDHUP),
    "poll POLLOUT": _poll(select.POLLOUT),
    "poll, nothing asked": _poll(0),
    "poll, nothing asked, own side shut": _poll_own_side_shut,
    "select read": _select,
    "select exceptional": _select_exceptional,
    "epoll EPOLLIN": _epoll(select.EPOLLIN),
    "epoll EPOLLIN edge": _epoll(select.EPOLLIN | select.EPOLLET),
    "epoll EPOLLRDHUP": _epoll(select.EPOLLRDHUP),
    "epoll EPOLLRDHUP edge": _epoll(select.EPOLLRDHUP | select.EPOLLET),
    "MSG_PEEK": _peek,
    "TCP_INFO": _info,
    "SO_ERROR": _error,
}
_ENDS: Final = ("close", "shutdown SHUT_WR")
_UNREAD: Final = ("none", "data")

_VARIANTS: Final[dict[tuple[str, str, str], Variant]] = {
    tuple(settings.values()): pair.variant(  # type: ignore[misc]
        settings, server=server, client=client, horizon_ns=HORIZON_NS
    )
    for settings in each(
        **{"looks by": tuple(WAYS), "unread": _UNREAD, "server ends by": (*_ENDS, "not at all")}
    )
    if (settings["unread"], settings["server ends by"]) != ("data", "shutdown SHUT_WR")
}


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Hold every run with a FIN against the one without: what the looks gave that is new."""
    told: dict[str, list[str]] = {way: [] for way in WAYS}
    after, again = [], set()
    for way in WAYS:
        for unread in _UNREAD:
            without = _results(runs[_VARIANTS[way, unread, "not at all"].name])
            for ends in _ENDS if unread == "none" else _ENDS[:1]:
                trace = runs[_VARIANTS[way, unread, ends].name]
                looks, given = _looks(trace), _results(trace)
                came = _fin_came(trace)
                if given == without:
                    continue
                told[way].append(unread)
                first = next(n for n in range(3) if given[n] != without[n])
                returned = looks[first].returned_ns
                assert returned is not None, f"{way} returned"
                if looks[first].t_ns < came:
                    after.append(returned - came)
                if given[2] != without[2]:
                    again.add(way)
    always = [way for way in WAYS if told[way] == ["none", "none", "data"]]
    drained = [way for way in WAYS if told[way] == ["none", "none"]]
    never = [way for way in WAYS if not told[way]]
    assert {"poll POLLRDHUP", "epoll EPOLLRDHUP", "TCP_INFO"} <= set(always), "these tell"
    assert {"poll POLLIN", "select read", "MSG_PEEK"} <= set(drained), "these tell, if drained"
    assert len(always) + len(drained) + len(never) == len(WAYS), (
        "unread data don't help, and shutdown tells as close does"
    )
    once = [way for way in WAYS if told[way] and way not in again]
    return Answer(
        verdict="answered",
        text=(
            f"Yes. Even behind unread data the FIN shows by: {_list(always)}. Only where nothing "
            f"is unread, else they tell of the data alone: {_list(drained)}. Who waits in such a "
            f"call is woken by the FIN. Nothing is told by: {_list(never)}. It is all the same "
            "after close and after shutdown(SHUT_WR)."
        ),
        zh=(
            f"能。FIN 前面还有未读数据时也能知道的有：{_list(always)}。只有没有未读数据时才知道，否"
            f"则只报告有数据的有：{_list(drained)}。正等在这些调用里的程序会被 FIN 唤醒。什么也不报"
            f"告的有：{_list(never)}。close 之后和 shutdown(SHUT_WR) 之后完全一样。"
        ),
        more=(
            f"Who waits is woken {span(after)} after the FIN came. Asked again, each tells again, "
            f"but these only once: {_list(once)}."
        ),
        more_zh=(
            f"正在等待的程序在 FIN 到达后 {span_zh(after)} 被唤醒。再问一次还会再报告，只报告一次的"
            f"是：{_list(once)}。"
        ),
    )


def _list(names: list[str]) -> str:
    return "; ".join(names)


def _looks(trace: Trace) -> list[Call]:
    since = pair.marked(trace, "client", "looks")
    return [c for c in calls(trace, process="client") if c.t_ns >= since and c.call != "settimeout"]


def _results(trace: Trace) -> list[object]:
    """What the three looks gave."""
    given: list[object] = [call.errno or call.result for call in _looks(trace)]
    assert len(given) == 3, "the client looked three times"
    return given


def _fin_came(trace: Trace) -> int:
    (fin,) = [s for s in segments_from(trace, "server") if s.seg.flags & FIN]
    assert fin.arrived_ns is not None, "the FIN arrived"
    return fin.arrived_ns


NOTE: Final = Note(
    id="N05",
    question="If B never calls read, can it learn of A's FIN?",
    question_zh="B 不调用 read，能知道 A 发送的 FIN 吗？",
    variants=tuple(_VARIANTS.values()),
    answer=answer,
    why=(
        "RFC 9293 3.10.7.4",
        "Linux tcp_fin",
        "Linux tcp_poll",
        "Linux tcp_get_info",
        "Linux ep_poll_callback",
    ),
    words=(
        "poll",
        "epoll",
        "select",
        "POLLRDHUP",
        "POLLHUP",
        "EPOLLET",
        "TCP_INFO",
        "CLOSE_WAIT",
        "MSG_PEEK",
        "FIN",
        "peer closes",
    ),
)
