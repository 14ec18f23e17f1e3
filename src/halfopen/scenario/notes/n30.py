"""N30: the size of a listener's queue, and what becomes of those who find it full."""

import contextlib
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MINUTE, MS, show_duration
from halfopen.record.faults import CableOut
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Lab,
    Note,
    OnMark,
    Step,
    Variant,
    each,
)
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.pair import LONG, PORT
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import ACK, RST, SYN

SERVER: Final = "server"
CLIENT: Final = "client"
CABLE: Final = "client-server"
PING: Final = b"ping"

#: Of TCP_INFO: the last two numbers of it are, of a listener, who waits in its queue, and its size.
INFO_LENGTH: Final = 32
ESTABLISHED: Final = 1
SYN_SENT: Final = 2
CLOSED: Final = 7

#: Seconds after the server listens: it looks at its queue, makes room for one, and looks again when
#: who was not let in has tried again (after a second).
LOOKS: Final = 0.5
FREES: Final = 0.6
TAKES: Final = 1.5
HORIZON_NS: Final = 1650 * MS
#: The client looks after the server, and sends.
CLIENT_LOOKS: Final = 0.45
CLIENT_LOOKS_AGAIN: Final = 1.45
APART: Final = 0.05
SENDS_APART: Final = 0.02

#: So many more than the backlog come.
EXTRA: Final = 3


def server(lab: Lab) -> None:
    """Listen; look at the queue; accept one; later all."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), PORT))
    listener.listen(int(lab.settings["backlog"]))
    lab.mark("listening")
    began = time.monotonic()
    listener.setblocking(False)
    time.sleep(began + LOOKS - time.monotonic())
    _look(listener)
    time.sleep(began + FREES - time.monotonic())
    if "then listen" in lab.settings:
        listener.listen(int(lab.settings["then listen"]))
    elif "nobody accepts" not in lab.settings.values():
        _accept(listener)
    time.sleep(began + TAKES - time.monotonic())
    _look(listener)
    while _accept(listener):
        pass
    time.sleep(LONG)


#: Keeps connections open to the end.
_KEPT: Final[list[socket.socket]] = []


def _accept(listener: socket.socket) -> bool:
    try:
        conn, _ = listener.accept()
    except BlockingIOError:
        return False
    _KEPT.append(conn)
    conn.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        conn.recv(100)
    return True


def _look(listener: socket.socket) -> None:
    listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_LENGTH)


def client(lab: Lab) -> None:
    """Connect more often than there is room for; look twice at what became of each."""
    comes = lab.settings["they come"]
    began = time.monotonic()
    for number in range(int(lab.settings["backlog"]) + EXTRA):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex((lab.address(SERVER), PORT))
        _KEPT.append(sock)
        if comes == "one by one" or (comes == "one, then the rest" and not number):
            time.sleep(began + (number + 1) * APART - time.monotonic())
    time.sleep(began + CLIENT_LOOKS - time.monotonic())
    for sock in _KEPT:
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        if lab.settings.get("client") == "sends" and state == bytes([ESTABLISHED]):
            sock.send(PING)
            time.sleep(SENDS_APART)
    time.sleep(began + CLIENT_LOOKS_AGAIN - time.monotonic())
    for sock in _KEPT:
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    time.sleep(LONG)


# Sizes.

SIZES: Final = (-1, 0, 1, 5, 128, 4096, 4097, 100000, 2**31 - 1)


def sizes(lab: Lab) -> None:
    """Listen again and again, each time with another backlog."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), PORT))
    for backlog in SIZES:
        listener.listen(backlog)
        _look(listener)
    lab.mark("listening")
    time.sleep(LONG)


def absent(lab: Lab) -> None:
    """Do nothing."""
    assert lab.settings


# Handshakes that do not end.

MANY: Final = 10


def flooded(lab: Lab) -> None:
    """Listen, and accept nobody."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), PORT))
    listener.listen(int(lab.settings["flooded, backlog"]))
    lab.mark("listening")
    time.sleep(LONG)


def flood(lab: Lab) -> None:
    """Connect many times at once; no answer arrives."""
    for _ in range(MANY):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex((lab.address(SERVER), PORT))
        _KEPT.append(sock)
    time.sleep(LONG)


# Who waits for a place.


def full(lab: Lab) -> None:
    """Listen, and never accept."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), PORT))
    listener.listen(0)
    lab.mark("listening")
    time.sleep(EVER)


def waits(lab: Lab) -> None:
    """Fill the queue, and connect once more."""
    first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    first.connect((lab.address(SERVER), PORT))
    time.sleep(APART)
    second = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):
        second.connect((lab.address(SERVER), PORT))
    time.sleep(EVER)


EVER: Final = 600.0


def _overflow(settings: Mapping[str, str]) -> Variant:
    sysctl = {
        f"net.ipv4.{name}": int(settings[name])
        for name in ("tcp_abort_on_overflow", "tcp_syncookies")
        if name in settings
    }
    if "somaxconn" in settings:
        sysctl["net.core.somaxconn"] = int(settings["somaxconn"])
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=HORIZON_NS,
        sysctl=sysctl,
        client_sysctl={},
    )


ORDERS: Final = ("one by one", "at once", "one, then the rest")
_OVERFLOWS: Final = tuple(
    _overflow(settings)
    for settings in (
        *each(
            **{
                "backlog": ("0", "1", "4"),
                "they come": ("one by one",),
                "tcp_abort_on_overflow": ("0", "1"),
            }
        ),
        *each(
            **{
                "backlog": ("1", "4"),
                "they come": ("at once", "one, then the rest"),
                "tcp_abort_on_overflow": ("0", "1"),
            }
        ),
        # Two who are refused at one moment try again at one moment: there must be no place then.
        *each(
            **{
                "backlog": ("1",),
                "they come": ("at once", "one, then the rest"),
                "tcp_abort_on_overflow": ("0", "1"),
                "tcp_syncookies": ("0",),
                "later": ("nobody accepts",),
            }
        ),
        *each(**{"backlog": ("1",), "they come": ORDERS, "client": ("sends",)}),
        {"backlog": "4", "they come": "one by one", "somaxconn": "1"},
        {"backlog": "1", "they come": "one by one", "then listen": "4"},
        {"backlog": "4", "they come": "one by one", "then listen": "1"},
    )
)
_SIZES: Final = tuple(
    pair.variant(
        settings,
        server=sizes,
        client=absent,
        horizon_ns=100 * MS,
        client_sysctl={},
        sysctl={} if settings["somaxconn"] == "default" else {"net.core.somaxconn": 1000},
    )
    for settings in each(backlog=("many",), somaxconn=("default", "1000"))
)
_DEAF: Final = (
    Step(
        when=OnMark(process=SERVER, name="listening"),
        fault=CableOut(link=CABLE, towards=CLIENT),
    ),
)
_FLOODS: Final = tuple(
    pair.variant(
        settings,
        server=flooded,
        client=flood,
        horizon_ns=300 * MS,
        client_sysctl={},
        sysctl={
            "net.ipv4.tcp_syncookies": int(settings["tcp_syncookies"]),
            **(
                {"net.ipv4.tcp_max_syn_backlog": 8}
                if settings["tcp_max_syn_backlog"] == "8"
                else {}
            ),
        },
        steps=_DEAF,
    )
    for settings in (
        *each(
            **{
                "flooded, backlog": ("3",),
                "tcp_max_syn_backlog": ("default",),
                "tcp_syncookies": ("0", "1", "2"),
            }
        ),
        *each(
            **{
                "flooded, backlog": ("100",),
                "tcp_max_syn_backlog": ("8",),
                "tcp_syncookies": ("0", "1"),
            }
        ),
    )
)
_WAITS: Final = (
    pair.variant(
        {"queue": "full", "tcp_syn_retries": "1", "tcp_syn_linear_timeouts": "0"},
        server=full,
        client=waits,
        horizon_ns=3500 * MS,
        client_sysctl={"net.ipv4.tcp_syn_retries": 1, "net.ipv4.tcp_syn_linear_timeouts": 0},
    ),
    pair.variant(
        {"queue": "full", "durations": "default"},
        server=full,
        client=waits,
        horizon_ns=5 * MINUTE,
        because="a SYN is repeated for two minutes",
    ),
)
_VARIANTS: Final[tuple[Variant, ...]] = (*_OVERFLOWS, *_SIZES, *_FLOODS, *_WAITS)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read how many fit in, what became of the others, and when a place was free again."""
    kept = {limit: _sizes(runs[f"backlog=many somaxconn={limit}"]) for limit in ("default", "1000")}
    largest = max(kept["default"].values())
    assert max(kept["1000"].values()) == 1000, kept
    assert kept["default"] == {asked: max(min(asked, largest), 0) for asked in SIZES}, kept
    for variant in _OVERFLOWS:
        settings, (length, limit) = variant.settings, _queue(runs[variant.name], 0)
        assert limit == min(int(settings["backlog"]), int(settings.get("somaxconn", largest)))
        assert length == limit + 1, f"{variant.name}: {length} wait"
    alone = {b: runs[f"backlog={b} they come=one by one {_ABORT}=0"] for b in ("0", "1", "4")}
    fits = ", ".join(f"{_queue(trace, 0)[0]} at backlog {b}" for b, trace in alone.items())
    fits_zh = "，".join(f"backlog {b} 时 {_queue(trace, 0)[0]} 个" for b, trace in alone.items())
    for backlog, trace in alone.items():
        assert _states(trace, 0) == [ESTABLISHED] * (int(backlog) + 1) + [SYN_SENT] * (EXTRA - 1)
        other = runs[f"backlog={backlog} they come=one by one {_ABORT}=1"]
        assert _states(other, 0) == _states(trace, 0), "a SYN is dropped in either case"
    ghosts, reset = _believers(runs)
    freed = [_got_in(alone[backlog]) for backlog in alone]
    more = _states(runs["backlog=1 they come=one by one then listen=4"], 1).count(ESTABLISHED)
    less = _queue(runs["backlog=4 they come=one by one then listen=1"], 1)
    assert less == (5, 1), "a smaller backlog turns nobody out"
    short, long = (_gave_up(runs[variant.name]) for variant in _WAITS)
    flood = {variant.name: _answered(runs[variant.name]) for variant in _FLOODS}
    dropped, cookies, always, young, young_cookies = flood.values()
    assert cookies == always == young_cookies == MANY, flood
    return Answer(
        verdict="answered",
        text=(
            "The queue of finished connections holds backlog + 1; a larger backlog than "
            f"net.core.somaxconn ({largest} today) is cut to it. connect succeeds although nobody "
            "accepts. Past that the SYN is dropped without a word: the client tries again, and "
            f"gets in at its next try once a place is free ({span(freed)} after accept), or gives "
            f"up with ETIMEDOUT ({show_duration(long)}). Unfinished handshakes have a queue of "
            "their own, past which SYN cookies, the default, answer on."
        ),
        zh=(
            f"已完成连接队列容得下 backlog + 1 个；大于 net.core.somaxconn（如今是 {largest}）的 "
            "backlog 被截到它。没有人 accept，connect 也成功。再多的 SYN 被悄悄丢弃：客户端重传，一"
            f"旦有空位，下一次重传就进来（accept 之后 {span_zh(freed)}），否则以 ETIMEDOUT 放弃"
            f"（{show_duration(long)}）。未完成连接另有一个队列，满了之后有 SYN cookie（默认）照样"
            "应答。"
        ),
        more=(
            f"What fits: {fits}; listen({SIZES[-1]}) gives {kept['default'][SIZES[-1]]}. With one "
            f"retry the client gave up after {show_duration(short)}. A client that is still in the "
            f"handshake when the last place goes believes that it is connected ({ghosts}); with "
            f"tcp_abort_on_overflow 1 it is reset instead ({reset}), else the SYN,ACK is repeated "
            f"until there is a place. Of {MANY} SYNs {dropped} are answered at backlog 3 without "
            f"SYN cookies, {young} with tcp_max_syn_backlog 8, and all {cookies} with cookies. "
            f"listen again changes the backlog: with 4 instead of 1, {more} get in; a smaller one "
            "turns nobody out."
        ),
        more_zh=(
            f"容得下的：{fits_zh}；listen({SIZES[-1]}) 得 {kept['default'][SIZES[-1]]}。只重传一次"
            f"的客户端 {show_duration(short)} 后放弃。最后一个位置被占时仍在握手的客户端以为已连接"
            f"（{ghosts} 个）；tcp_abort_on_overflow 为 1 时则被重置（{reset} 个），否则重传 "
            f"SYN,ACK 直到有空位。{MANY} 个 SYN 中，backlog 3 且无 SYN cookie 时应答 {dropped} 个，"
            f"tcp_max_syn_backlog 为 8 时 {young} 个，有 cookie 时 {cookies} 个全部应答。再次 "
            f"listen 改变 backlog：由 1 改为 4，{more} 个都进来；改小不会赶走任何人。"
        ),
    )


_ABORT: Final = "tcp_abort_on_overflow"


def _look_at(trace: Trace, look: int) -> bytes:
    asked = calls(trace, process=SERVER, call="getsockopt")
    told = asked[look].result
    assert isinstance(told, dict)
    return str(told["head"]).encode("latin-1")


def _queue(trace: Trace, look: int) -> tuple[int, int]:
    """Give how many wait in the queue, and the backlog."""
    waiting, backlog = struct.unpack_from("<II", _look_at(trace, look), 24)
    return int(waiting), int(backlog)


def _sizes(trace: Trace) -> dict[int, int]:
    """Give the backlog that each listen made."""
    return {asked: _queue(trace, place)[1] for place, asked in enumerate(SIZES)}


def _states(trace: Trace, look: int) -> list[int]:
    """Give the state of each of the client's sockets, as TCP_INFO told it."""
    told = [
        ord(str(call.result["head"]))
        for call in calls(trace, process=CLIENT, call="getsockopt")
        if isinstance(call.result, dict)
    ]
    half = len(told) // 2
    return told[half:] if look else told[:half]


def _believers(runs: Mapping[str, Trace]) -> tuple[int, int]:
    """Count who was connected for itself alone, and who was reset in its place."""
    found = []
    for abort in ("0", "1"):
        trace = runs[
            f"backlog=1 they come=one, then the rest {_ABORT}={abort} tcp_syncookies=0 "
            "later=nobody accepts"
        ]
        states = _states(trace, 0)
        resets = [seen for seen in segments_from(trace, SERVER) if seen.seg.flags & RST]
        assert len(resets) == states.count(CLOSED), "who is reset is told"
        found.append((states.count(ESTABLISHED) - _queue(trace, 0)[0], len(resets)))
    (ghosts, none), (others, reset) = found
    assert not none, "nobody is reset"
    assert not others, "nobody is left to believe it"
    return ghosts, reset


def _got_in(trace: Trace) -> int:
    """Say how long after the first accept the next handshake ended."""
    first = next(call for call in calls(trace, process=SERVER, call="accept"))
    later = [
        seen
        for seen in segments_from(trace, SERVER)
        if seen.seg.flags == SYN | ACK and seen.t_ns > first.t_ns
    ]
    assert len(later) == 1, "for one place there is one answer"
    return round((later[0].t_ns - first.t_ns) / 10**8) * 10**8


def _gave_up(trace: Trace) -> int:
    """Say how long the last connect took to give up."""
    *_, last = calls(trace, process=CLIENT, call="connect")
    assert last.errno == "ETIMEDOUT", last
    assert last.blocked_ns is not None
    return round(last.blocked_ns / 10**9) * 10**9


def _answered(trace: Trace) -> int:
    """Count the SYNs that were answered."""
    return len([seen for seen in segments_from(trace, SERVER) if seen.seg.flags == SYN | ACK])


NOTE: Final = Note(
    id="N30",
    question="listen sets the size of the queue: how large may it be, and what happens past it?",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "Linux __sys_listen",
        "Linux sk_acceptq_is_full",
        "Linux tcp_conn_request",
        "Linux inet_csk_reqsk_queue_is_full",
        "Linux tcp_check_req",
        "RFC 4987 3.6",
    ),
    words=(
        "listen",
        "backlog",
        "somaxconn",
        "accept queue",
        "overflow",
        "SYN cookies",
        "SYN flood",
    ),
    question_zh="listen 设定队列的大小：如今最大是多少，超过了会怎样？",
    tells=(
        ("server", "TCP_INFO"),
        ("client", "TCP_INFO"),
        ("client", "connect"),
    ),
)
