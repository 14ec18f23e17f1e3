"""N44: SO_RCVTIMEO and SO_SNDTIMEO: what they bound, by how much, and what the caller is told."""

import contextlib
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from halfopen.base.units import MS, US, S, show_duration
from halfopen.record.events import Json
from halfopen.record.faults import Lose
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, At, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import span, span_zh

CLIENT: Final = "client"
SERVER: Final = "server"
CABLE: Final = "client-server"
#: Where the client listens, in the runs about accept; and the server for datagrams.
BACK: Final = 81
LIMIT: Final = 0.3
SHORTER: Final = 0.2
LONGER: Final = 0.45
BETWEEN: Final = 0.05
#: What is waited for comes so long after the wait began, and the rest of it.
COMES_AFTER: Final = 0.16
REST_AFTER: Final = 0.3
NEWS: Final = b"news"
WHOLE: Final = 2 * len(NEWS)
#: More than all buffers hold.
MUCH: Final = 1 << 20
SMALL: Final = 8192
BEGIN: Final = 0.1
FILLS: Final = 3
FILL: Final = 0.14
#: So long a way, for them, that a delayed ACK comes back before a loss is probed for.
FAR_NS: Final = 50 * MS
FAR_LIMIT: Final = 0.45
ROOM_AFTER: Final = 0.02
#: A lost SYN is sent again within that time.
RESENT: Final = 0.6
LITTLE: Final = 1000
SET_AFTER: Final = 0.08
#: sizeof(struct timeval)
SIZE: Final = 16
HORIZON_NS: Final = 1000 * MS
LATER_NS: Final = {"send": 1700 * MS, "sendall": 1700 * MS, "connect": 1600 * MS}

RCV: Final = socket.SO_RCVTIMEO
SND: Final = socket.SO_SNDTIMEO
Wait: TypeAlias = Callable[[socket.socket], object]


def timeval(seconds: int, micros: int) -> bytes:
    """Write a ``struct timeval``."""
    return struct.pack("@qq", seconds, micros)


def limit(sock: socket.socket, seconds: float) -> None:
    """Set both timeouts."""
    value = timeval(0, round(seconds * 1_000_000))
    for option in (RCV, SND):
        sock.setsockopt(socket.SOL_SOCKET, option, value)


def _as_ever(_sock: socket.socket, _seconds: float) -> None:
    """Set nothing."""


def _least(sock: socket.socket, _seconds: float) -> None:
    limit(sock, 1e-6)


def _negative(sock: socket.socket, _seconds: float) -> None:
    for option in (RCV, SND):
        sock.setsockopt(socket.SOL_SOCKET, option, timeval(-1, 0))


def _taken_back(sock: socket.socket, seconds: float) -> None:
    limit(sock, seconds)
    limit(sock, 0)


def _settimeout(sock: socket.socket, seconds: float) -> None:
    sock.settimeout(seconds)


def _both(sock: socket.socket, seconds: float) -> None:
    limit(sock, seconds)
    sock.settimeout(LONGER)


def _non_blocking(sock: socket.socket, seconds: float) -> None:
    limit(sock, seconds)
    sock.setblocking(False)


LIMITS: Final[Mapping[str, Callable[[socket.socket, float], None]]] = {
    "none": _as_ever,
    "SO_*TIMEO": limit,
    "settimeout": _settimeout,
    "SO_*TIMEO 1 µs": _least,
    "SO_*TIMEO -1 s": _negative,
    "SO_*TIMEO, then 0": _taken_back,
    "SO_*TIMEO and settimeout": _both,
    "SO_*TIMEO, non-blocking": _non_blocking,
}
MAIN: Final = ("none", "SO_*TIMEO", "settimeout")
#: The calls that have a limit; connect goes on beyond it.
BOUNDED: Final = ("recv", "recv MSG_WAITALL", "recvfrom, UDP", "send", "accept")


def _poll(sock: socket.socket) -> object:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll(LONGER * 1000)


#: What waits, once.
WAITS: Final[Mapping[str, Wait]] = {
    "recv": lambda sock: sock.recv(100),
    "recv MSG_WAITALL": lambda sock: sock.recv(WHOLE, socket.MSG_WAITALL),
    "recvfrom, UDP": lambda sock: sock.recvfrom(100),
    "send": lambda sock: sock.send(bytes(MUCH)),
    "sendall": lambda sock: sock.sendall(bytes(MUCH)),
    "accept": lambda sock: sock.accept(),
    "connect": lambda sock: sock.connect(("10.0.0.2", pair.PORT)),
    "poll": _poll,
}
SENDS: Final = frozenset({"send", "sendall"})


def limit_of(call: str) -> float:
    """Tell how long a call may wait, where it has a limit: room comes slowly."""
    return FAR_LIMIT if call in SENDS else LIMIT


def server(lab: Lab) -> None:
    """Do what the client waits for, while it waits; or nothing."""
    call = lab.settings["call"]
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if call in SENDS:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    listener.bind((lab.address(SERVER), pair.PORT))
    listener.listen(5)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((lab.address(SERVER), BACK))
    lab.mark("listening")
    conn, _ = listener.accept()
    if call in SENDS:
        time.sleep(BEGIN - FAR_NS / S + FILLS * FILL + ROOM_AFTER)
    else:
        conn.recv(1)  # the client begins to wait now
        time.sleep(COMES_AFTER - pair.WAY)
    if lab.settings["meanwhile"] != "nothing":
        _comes(lab, conn, datagrams)
    time.sleep(pair.LONG)


def _comes(lab: Lab, conn: socket.socket, datagrams: socket.socket) -> None:
    call = lab.settings["call"]
    there = (lab.address(CLIENT), BACK)
    if call in SENDS:
        conn.recv(MUCH)
    elif call == "accept":
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(there)
    elif call == "recvfrom, UDP":
        datagrams.sendto(NEWS, there)
    else:
        conn.sendall(NEWS)
        if lab.settings["meanwhile"] == "all of it":
            time.sleep(REST_AFTER)
            conn.sendall(NEWS)


def _waiting(lab: Lab) -> tuple[socket.socket, socket.socket]:
    """Give the socket that is waited with, and the one that says when it begins."""
    call = lab.settings["call"]
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if call in SENDS:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    if call == "connect":
        return sock, sock
    sock.connect((lab.address(SERVER), pair.PORT))
    if call in SENDS:
        time.sleep(BEGIN)
        for _ in range(FILLS):
            sock.send(bytes(MUCH), socket.MSG_DONTWAIT)
            time.sleep(FILL)
    if call in {"accept", "recvfrom, UDP"}:
        kind = socket.SOCK_STREAM if call == "accept" else socket.SOCK_DGRAM
        other = socket.socket(socket.AF_INET, kind)
        other.bind((lab.address(CLIENT), BACK))
        if call == "accept":
            other.listen(5)
        return other, sock
    return sock, sock


def client(lab: Lab) -> None:
    """Wait, with a limit; and again, twice."""
    sock, said = _waiting(lab)
    name = lab.settings["call"]
    LIMITS[lab.settings["limit"]](sock, limit_of(name))
    if name not in SENDS | {"connect"}:
        said.sendall(b"!")
    lab.mark("waits")
    for pause in (BETWEEN, RESENT if name == "connect" else BETWEEN):
        with contextlib.suppress(OSError):
            WAITS[name](sock)
        time.sleep(pause)
    if name == "connect":
        with contextlib.suppress(OSError):
            WAITS[name](sock)
    time.sleep(pair.LONG)


def held_client(lab: Lab) -> None:
    """Let one thread wait while the other sets a limit; then wait with that."""
    sock, said = _waiting(lab)
    LIMITS[lab.settings["before"]](sock, limit_of(lab.settings["call"]))
    if lab.settings["call"] not in SENDS:
        said.sendall(b"!")
    lab.mark("waits")
    threading.Thread(target=_twice, args=(sock, lab.settings["call"])).start()
    time.sleep(SET_AFTER)
    SETS[lab.settings["set meanwhile"]](sock)
    time.sleep(pair.LONG)


def _twice(sock: socket.socket, name: str) -> None:
    with contextlib.suppress(OSError):
        if name == "send":
            sock.send(bytes(LITTLE))
        else:
            WAITS[name](sock)
    time.sleep(BETWEEN)
    with contextlib.suppress(OSError):
        WAITS[name](sock)


SETS: Final[Mapping[str, Callable[[socket.socket], None]]] = {
    "SO_*TIMEO shorter": lambda sock: limit(sock, SHORTER),
    "settimeout shorter": lambda sock: sock.settimeout(SHORTER),
    "SO_*TIMEO 0": lambda sock: limit(sock, 0),
}


def limited_server(lab: Lab) -> None:
    """Set the limits on the listener only; receive from the connection."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), pair.PORT))
    listener.listen(5)
    limit(listener, LIMIT)
    lab.mark("listening")
    conn, _ = listener.accept()
    limit(listener, 0)
    lab.mark("waits")
    for option in (RCV, SND):
        conn.getsockopt(socket.SOL_SOCKET, option, SIZE)
    with contextlib.suppress(OSError):
        conn.recv(100)
    time.sleep(pair.LONG)


def silent_client(lab: Lab) -> None:
    """Connect, and say nothing."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((lab.address(SERVER), pair.PORT))
    time.sleep(pair.LONG)


def idle(lab: Lab) -> None:
    """Do nothing."""


def asking(lab: Lab) -> None:
    """Set every value, and ask what became of it."""
    kind, option = OPTIONS[lab.settings["option"]]
    sock = socket.socket(socket.AF_INET, kind)
    sock.getsockopt(socket.SOL_SOCKET, option, SIZE)
    for value in VALUES:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, value)
        sock.getsockopt(socket.SOL_SOCKET, option, SIZE)
    for size in (0, 8, 2 * SIZE):
        sock.getsockopt(socket.SOL_SOCKET, option, size)
    lab.mark("listening")
    time.sleep(pair.LONG)


OPTIONS: Final = {
    "SO_RCVTIMEO": (socket.SOCK_STREAM, RCV),
    "SO_SNDTIMEO": (socket.SOCK_STREAM, SND),
    "SO_RCVTIMEO, UDP": (socket.SOCK_DGRAM, RCV),
}
#: In the order in which they are set. The last two are no ``struct timeval``.
TIMES: Final = (
    (0, 1),
    (0, 3_999),
    (0, 4_000),
    (0, 4_001),
    (0, 999_999),
    (0, 1_000_000),
    (0, -1),
    (1, 500_000),
    (-1, 0),
    (-1, 1_000_000),
    (1 << 31, 0),
    ((1 << 63) - 1, 0),
    (5, 0),
    (0, 0),
)
VALUES: Final[tuple[bytes | int, ...]] = (
    *(timeval(*each_) for each_ in TIMES),
    timeval(7, 0)[:8],
    7,
)


def _variant(settings: Mapping[str, str]) -> Variant:
    connects = settings["call"] == "connect"
    steps: tuple[Step, ...] = ()
    if connects:
        lost = Lose(link=CABLE, towards=SERVER, pick="SYN")
        steps = (Step(when=At(t_ns=0), fault=lost),)
    return pair.variant(
        settings,
        server=server,
        client=held_client if "set meanwhile" in settings else client,
        horizon_ns=LATER_NS.get(settings["call"], HORIZON_NS),
        steps=steps,
        delay_ns=FAR_NS if settings["call"] in SENDS else 10 * MS,
    )


_WAITING: Final = tuple(
    _variant(settings)
    for settings in (
        *each(
            call=("recv", "recv MSG_WAITALL", "send", "accept", "connect"),
            limit=MAIN,
            meanwhile=("nothing",),
        ),
        *each(
            call=("recv", "recv MSG_WAITALL", "send", "accept"),
            limit=MAIN[1:],
            meanwhile=("a part",),
        ),
        *each(call=("recvfrom, UDP", "sendall"), limit=MAIN[:2], meanwhile=("nothing",)),
        *each(call=("poll",), limit=MAIN[1:2], meanwhile=("nothing",)),
        *each(
            call=("recv", "connect"),
            limit=("SO_*TIMEO 1 µs", "SO_*TIMEO -1 s"),
            meanwhile=("nothing",),
        ),
        *each(
            call=("recv",),
            limit=(
                "SO_*TIMEO, then 0",
                "SO_*TIMEO and settimeout",
                "SO_*TIMEO, non-blocking",
            ),
            meanwhile=("nothing",),
        ),
    )
)
_SET_MEANWHILE: Final = tuple(
    _variant(settings)
    for settings in (
        *each(
            call=("recv", "recv MSG_WAITALL", "send", "accept"),
            before=("none",),
            **{"set meanwhile": ("SO_*TIMEO shorter",)},
            meanwhile=("all of it",),
        ),
        *each(
            call=("recv", "send"),
            before=("none",),
            **{"set meanwhile": ("settimeout shorter",)},
            meanwhile=("all of it",),
        ),
        *each(
            call=("recv",),
            before=("SO_*TIMEO",),
            **{"set meanwhile": ("SO_*TIMEO shorter", "SO_*TIMEO 0")},
            meanwhile=("nothing",),
        ),
    )
)
_INHERITED: Final = pair.variant(
    {"call": "recv", "limit": "SO_*TIMEO of the listener"},
    server=limited_server,
    client=silent_client,
    horizon_ns=HORIZON_NS,
)
_ASKED: Final = tuple(
    pair.variant(settings, server=asking, client=idle, horizon_ns=200 * MS)
    for settings in each(option=tuple(OPTIONS))
)
_VARIANTS: Final = (*_WAITING, *_SET_MEANWHILE, _INHERITED, *_ASKED)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run how long each call waited, and what it gave."""
    defaults, ticks = _asked(runs)
    ever = sum(
        _waited(runs, call, "none", meanwhile="nothing")[0].returned_ns is None
        for call in (*BOUNDED, "sendall")
    )
    told: dict[str, set[str | None]] = {}
    took: list[int] = []
    for call in (*BOUNDED, "sendall"):
        for each_ in _waited(runs, call, "SO_*TIMEO", meanwhile="nothing"):
            told.setdefault(call, set()).add(each_.errno)
            _check_length(each_, limit_of(call))
            took += [] if call in SENDS else [_length(each_)]
    connects = _waited(runs, "connect", "SO_*TIMEO", meanwhile="nothing")
    assert [call.errno for call in connects] == ["EINPROGRESS", "EALREADY", None], "it goes on"
    took += map(_length, connects[:2])
    errors = {error for each_ in told.values() for error in each_}
    assert errors == {"EAGAIN"}, f"the others give one error: {told}"
    exact = [
        _length(each_)
        for call in ("recv", "recv MSG_WAITALL", "accept", "connect")
        for each_ in _waited(runs, call, "settimeout", meanwhile="nothing")
        if each_.errno == "timeout"
    ]
    part, filled = _parts(runs)
    assert max(map(_length, _limited_by(runs, "SO_*TIMEO 1 µs"))) <= 2 * ticks, "a tick or two"
    negative = {_length(c) for c in _limited_by(runs, "SO_*TIMEO -1 s")}
    assert negative == {0}, "a negative time is not waited for"
    _check_others(runs)
    held = _held(runs)
    confirmed = defaults == {(0, 0)} and ever == len(BOUNDED) + 1
    return Answer(
        verdict="confirmed" if confirmed else "refuted",
        text=(
            f"Yes: 0 by default, and that is no limit ({ever} calls waited to the end of their "
            "runs). SO_RCVTIMEO bounds recv, recvfrom and accept, SO_SNDTIMEO send and connect; "
            f"poll is not bounded. Set to {show_duration(round(LIMIT * S))} they end after "
            f"{span(took)}, never early. The error is EAGAIN, of connect EINPROGRESS; connecting "
            "goes on. Who has a part by then gets that and no error. Python's settimeout is "
            "something else: it polls, and gives TimeoutError."
        ),
        zh=(
            f"是的：默认为 0，即没有时限（{ever} 个调用一直等到运行结束）。SO_RCVTIMEO 限制 recv、"
            "recvfrom 和 accept，SO_SNDTIMEO 限制 send 和 connect；poll 不受限制。设为 "
            f"{show_duration(round(LIMIT * S))} 时，它们在 {span_zh(took)} 后结束，从不提前。错误"
            "是 EAGAIN，connect 则是 EINPROGRESS，而且连接仍在进行。到时已有一部分的，得到这一部分"
            "而不是错误。Python 的 settimeout 是另一回事：它用 poll 等待，抛出 TimeoutError。"
        ),
        more=(
            f"The kernel counts in ticks of {show_duration(ticks)}, and longer waits in coarser "
            "ones. connect called again gives EALREADY, and later succeeds. A part: recv with "
            f"MSG_WAITALL {part} of {WHOLE} octets, send {filled}. A time below 0 is not waited "
            "for at all, although it reads as 0; µs outside of 0 to 999999 give EDOM. A call that "
            f"waits keeps the limit that it began with ({held} runs); an accepted socket has its "
            f"listener's. settimeout takes exactly {span(exact)}, and does not look at these "
            "options."
        ),
        more_zh=(
            f"内核按 {show_duration(ticks)} 的节拍计时，较长的等待更粗。再次调用 connect 得到 "
            f"EALREADY，之后成功。已有一部分的：带 MSG_WAITALL 的 recv 得到 {part} 字节（共 "
            f"{WHOLE} 字节），send 收下 {filled} 字节。小于 0 的时间根本不等待，尽管读回为 0；微秒"
            f"超出 0 到 999999 得 EDOM。正在等待的调用保持它开始时的时限（{held} 次运行）；accept "
            f"得到的套接字继承监听套接字的时限。settimeout 正好是 {span_zh(exact)}，不看这两个选"
            "项。"
        ),
    )


def _length(call: Call) -> int:
    assert call.blocked_ns is not None, f"{call.call} returned"
    return call.blocked_ns


def _check_length(call: Call, seconds: float) -> None:
    """See that a call took as long as it may, and what the timer wheel rounds up."""
    late = _length(call) - round(seconds * S)
    assert 0 <= late < 40 * MS, f"{call.call} took {_length(call)}"


def _waits(trace: Trace, process: str, name: str) -> list[Call]:
    """The calls that the run is about, in their order."""
    since = pair.marked(trace, process, "waits")
    kind = re.split("[ ,]", name)[0]
    return [c for c in calls(trace, process=process, call=kind) if c.t_ns >= since]


def _waited(runs: Mapping[str, Trace], call: str, limit: str, *, meanwhile: str) -> list[Call]:
    name = f"call={call} limit={limit} meanwhile={meanwhile}"
    return _waits(runs[name], CLIENT, call)


def _limited_by(runs: Mapping[str, Trace], limit: str) -> list[Call]:
    return [
        each_
        for call in ("recv", "connect")
        for each_ in _waited(runs, call, limit, meanwhile="nothing")
    ]


def _parts(runs: Mapping[str, Trace]) -> tuple[int, int]:
    """How much a call gave that had a part when its time was up."""
    limit = "SO_*TIMEO"
    waited, again = _waited(runs, "recv MSG_WAITALL", limit, meanwhile="a part")
    assert waited.result == {"len": len(NEWS), "head": NEWS.decode()}, "a part is given"
    sent, _ = _waited(runs, "send", limit, meanwhile="a part")
    assert isinstance(sent.result, int), "a part is taken"
    _check_length(waited, LIMIT)  # a part does not prolong it
    _check_length(sent, FAR_LIMIT)
    assert again.errno == "EAGAIN", "the next begins anew"
    (early, *_) = _waited(runs, "recv", limit, meanwhile="a part")
    assert _length(early) < LIMIT * S, "what comes in time ends the wait"
    return len(NEWS), sent.result


def _check_others(runs: Mapping[str, Trace]) -> None:
    def first(limit: str, call: str = "recv") -> Call:
        return _waited(runs, call, limit, meanwhile="nothing")[0]

    assert first("SO_*TIMEO, then 0").returned_ns is None, "0 takes the limit back"
    both = first("SO_*TIMEO and settimeout")
    assert (both.errno, both.blocked_ns) == ("timeout", round(LONGER * S)), "settimeout rules"
    at_once = first("SO_*TIMEO, non-blocking")
    assert (at_once.errno, at_once.blocked_ns) == ("EAGAIN", 0), "a non-blocking one does not wait"
    assert first("SO_*TIMEO", "poll").blocked_ns == round(LONGER * S), "poll is not bounded"
    for call in ("recv", "recv MSG_WAITALL", "send", "accept"):
        for limit in MAIN[1:]:
            (early, *_) = _waited(runs, call, limit, meanwhile="a part")
            timed_out = early.errno is not None
            assert not timed_out, f"{call}, {limit}: what comes in time is given"
    (inherited,) = _waits(runs[_INHERITED.name], SERVER, "recv")
    assert inherited.errno == "EAGAIN", "an accepted socket has its listener's limit"
    _check_length(inherited, LIMIT)


def _held(runs: Mapping[str, Trace]) -> int:
    """Count the runs in which a call that waited did not mind what was set meanwhile."""
    for variant in _SET_MEANWHILE:
        settings = variant.settings
        waited, *again = _waits(runs[variant.name], CLIENT, settings["call"])
        if settings["before"] == "none":
            assert waited.errno is None, f"{variant.name}: it waits on"
        else:
            _check_length(waited, LIMIT)
        for call in again:
            if settings["set meanwhile"] == "SO_*TIMEO 0":
                assert call.returned_ns is None, f"{variant.name}: without a limit"
            elif settings["call"] == "send" and "settimeout" in settings["set meanwhile"]:
                assert call.blocked_ns == 0, f"{variant.name}: there is room"
            else:
                _check_length(call, SHORTER)
    return len(_SET_MEANWHILE)


def _asked(runs: Mapping[str, Trace]) -> tuple[set[tuple[int, int]], int]:
    """Read the defaults, and the granularity, from what was set and read back."""
    defaults, ticks = set(), set()
    for variant in _ASKED:
        trace = runs[variant.name]
        reads = [c.result for c in calls(trace, process=SERVER, call="getsockopt")]
        sets = [c.errno for c in calls(trace, process=SERVER, call="setsockopt")]
        before, *after = [_timeval(read) for read in reads[: 1 + len(VALUES)]]
        defaults.add(before)
        last = before
        for (seconds, micros), errno, read in zip(TIMES, sets, after, strict=False):
            if not 0 <= micros < 1_000_000:
                assert (errno, read) == ("EDOM", last), f"{variant.name}: {micros} µs"
            else:
                assert errno is None, f"{variant.name}: {seconds} s {micros} µs"
                if 0 <= seconds < 1 << 62:
                    asked, got = seconds * S + micros * US, read[0] * S + read[1] * US
                    assert got >= asked, "rounded up"
                    ticks.add(got - asked + US if micros == 1 else 0)
                else:
                    assert read == (0, 0), "no limit, or no time at all"
            last = read
        assert sets[len(TIMES) :] == ["EINVAL", "EINVAL"], "no struct timeval"
    ticks.discard(0)
    (tick,) = ticks
    return defaults, tick


def _timeval(result: Json) -> tuple[int, int]:
    assert isinstance(result, dict), "a structure is read"
    seconds, micros = struct.unpack("@qq", str(result["head"]).encode("latin-1"))
    return seconds, micros


NOTE: Final = Note(
    id="N44",
    question="SO_RCVTIMEO and SO_SNDTIMEO: what do they bound? Are they 0 by default?",
    question_zh="SO_RCVTIMEO、SO_SNDTIMEO：限制什么？默认是 0 吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "Linux sock_set_timeout",
        "Linux sock_rcvtimeo",
        "Linux sk_stream_wait_memory",
        "Linux tcp_recvmsg_locked",
        "Linux inet_csk_accept",
        "Linux __inet_stream_connect",
    ),
    words=(
        "SO_RCVTIMEO",
        "SO_SNDTIMEO",
        "timeout",
        "settimeout",
        "EAGAIN",
        "EINPROGRESS",
        "EDOM",
        "recv",
        "send",
        "accept",
        "connect",
        "MSG_WAITALL",
    ),
)
