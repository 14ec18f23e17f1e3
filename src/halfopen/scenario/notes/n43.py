"""N43: how large the buffers of a socket are by default, and how they grow."""

import socket
import time
from collections.abc import Mapping
from typing import Final, TypeAlias

from halfopen.base.units import MS
from halfopen.base.value import value
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, each
from halfopen.scenario.notes import pair

#: What the claim says.
RCVBUF: Final = 87380
SNDBUF: Final = 16384

RMEM: Final = "net.ipv4.tcp_rmem"
WMEM: Final = "net.ipv4.tcp_wmem"
_RMEM_MAX: Final = "tcp_rmem at most 150000"
SYSCTL: Final[Mapping[str, Mapping[str, int | str]]] = {
    "as they come": {},
    "tcp_rmem 87380": {RMEM: "4096 87380 33554432"},
    _RMEM_MAX: {RMEM: "4096 131072 150000"},
    "tcp_moderate_rcvbuf 0": {"net.ipv4.tcp_moderate_rcvbuf": 0},
    "tcp_wmem 30000": {WMEM: "4096 30000 4194304"},
    "tcp_wmem at most 40000": {WMEM: "4096 16384 40000"},
}
BY_HAND: Final = 50_000
DELAY_NS: Final = 20 * MS
WAY: Final = 0.02
#: A reader takes what has come so long after, so that it does not run while segments come; a burst
#: later, so that reads lie farther apart than bursts: the kernel takes that for the round trip.
PONDER: Final = 0.03
PONDER_BURST: Final = 0.035
SEGMENT: Final = 1448
#: Each step doubles what is sent in a round trip; its first segment goes alone.
STEPS: Final = (10, 20, 36)
ALONE: Final = 0.11
STEP: Final = 0.24
READERS: Final = ("prompt", "late")
HORIZON_NS: Final = 1200 * MS


def _ask(sock: socket.socket) -> None:
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def server(lab: Lab) -> None:
    """Ask for the sizes whenever something has happened to a socket."""
    _ask(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    _ask(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    _ask(listener)
    _by_hand(lab, listener)
    listener.bind((lab.address("server"), pair.PORT))
    _ask(listener)
    listener.listen(5)
    _ask(listener)
    lab.mark("listening")
    conn, _ = listener.accept()
    _ask(conn)
    due = time.monotonic() - WAY
    for segments in STEPS:
        due += STEP
        if lab.settings["reader"] == "prompt":
            time.sleep(due + WAY + PONDER - time.monotonic())
            conn.recv(SEGMENT)
        time.sleep(due + ALONE + WAY + PONDER_BURST - time.monotonic())
        conn.recv(segments * SEGMENT)
        _ask(conn)
    time.sleep(pair.LONG)


def _by_hand(lab: Lab, sock: socket.socket) -> None:
    if lab.settings["set"] == "by hand":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BY_HAND)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BY_HAND)
        _ask(sock)


def client(lab: Lab) -> None:
    """Ask likewise, and send ever more at a time."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    _ask(sock)
    _by_hand(lab, sock)
    sock.connect((lab.address("server"), pair.PORT))
    _ask(sock)
    due = time.monotonic()
    for segments in STEPS:
        due += STEP
        time.sleep(due - time.monotonic())
        sock.sendall(bytes(SEGMENT))
        time.sleep(due + ALONE - time.monotonic())
        sock.sendall(bytes((segments - 1) * SEGMENT))
        _ask(sock)
    time.sleep(pair.LONG)


_VARIANTS: Final = tuple(
    pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=HORIZON_NS,
        sysctl=SYSCTL[settings["sysctl"]],
        delay_ns=DELAY_NS,
    )
    for settings in (
        *each(sysctl=tuple(SYSCTL), set=("nothing",), reader=READERS),
        *each(sysctl=("as they come",), set=("by hand",), reader=READERS),
    )
)


#: Sizes: of the receive buffer and the send buffer.
Sizes: TypeAlias = tuple[int, int]


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read what each socket said of itself: as new, when connected, and after each step."""
    plain = _told(runs, "as they come", "prompt")
    (new,) = set(plain.new)
    rcvbuf, sndbuf = new
    (open_,) = {plain.connected, plain.accepted}
    late = _told(runs, "as they come", "late")
    hand = _told(runs, "as they come", "prompt", by_hand=True)
    assert set(hand.steps + hand.sent) == {(2 * BY_HAND, 2 * BY_HAND)}, "what is set stays"
    old, full = _told(runs, "tcp_rmem 87380", "late"), _told(runs, _RMEM_MAX, "prompt")
    assert set(old.new) == {(RCVBUF, sndbuf)}, "tcp_rmem says what it is"
    wmem = _told(runs, "tcp_wmem 30000", "late")
    assert set(wmem.new) == {(rcvbuf, 30_000)}, "tcp_wmem says what it is"
    assert wmem.connected[1] == open_[1], "and connected it is the same"
    narrow = _told(runs, "tcp_wmem at most 40000", "prompt")
    assert narrow.connected[1] == narrow.sent[-1][1] == 40_000, "it ends at tcp_wmem's last"
    assert full.steps[-1][0] == 150_000, "it ends at tcp_rmem's last"
    fixed = _told(runs, "tcp_moderate_rcvbuf 0", "prompt")
    assert {size for size, _ in (*fixed.steps, *late.steps)} == {rcvbuf}, "these don't grow"
    grown, sent = plain.steps[-1][0], plain.sent[-1][1]
    assert grown > rcvbuf, "the receive buffer grows"
    assert sent > open_[1], "the send buffer grows"
    right = (rcvbuf == RCVBUF) + (sndbuf == SNDBUF)
    return Answer(
        verdict=("refuted", "qualified", "confirmed")[right],
        text=(
            f"Today SO_RCVBUF is {rcvbuf}, the middle number of net.ipv4.tcp_rmem ({RCVBUF}, where "
            f"that says so, as it did before Linux 4.20). SO_SNDBUF is {sndbuf}, the middle number "
            f"of tcp_wmem, but only until the connection is open; then it is {open_[1]}, room for "
            f"two first windows. Both are only where TCP begins: they grew to {grown} and {sent} "
            f"in use. What setsockopt fixed ({BY_HAND} reads {2 * BY_HAND}) does not grow."
        ),
        zh=(
            f"如今 SO_RCVBUF 是 {rcvbuf}，即 net.ipv4.tcp_rmem 的中间值（若那里写的是 {RCVBUF}，就"
            f"是它，Linux 4.20 之前正是如此）。SO_SNDBUF 是 {sndbuf}，即 tcp_wmem 的中间值，但只到"
            f"连接建立为止；之后是 {open_[1]}，够放两个初始窗口。这两个值只是 TCP 的起点：使用中它"
            f"们增长到 {grown} 和 {sent}。用 setsockopt 设定的（设 {BY_HAND}，读回 {2 * BY_HAND}）"
            "不会增长。"
        ),
        more=(
            "SO_RCVBUF is the same before and after connect; bind and listen change nothing, and "
            f"IPv6 is the same. A UDP socket has {plain.udp[0]} (net.core.rmem_default). The "
            f"receive buffer grew when {STEPS[1] * SEGMENT} octets were read in a round trip (not "
            "with a reader who lets data lie, nor with tcp_moderate_rcvbuf 0), the send buffer "
            "when a write filled it, as far as the last numbers of tcp_rmem and tcp_wmem let them."
        ),
        more_zh=(
            "SO_RCVBUF 在 connect 前后都一样；bind 和 listen 什么也不改变，IPv6 也一样。UDP 套接字"
            f"是 {plain.udp[0]}（net.core.rmem_default）。一个往返时间内读走 {STEPS[1] * SEGMENT} "
            "字节时接收缓冲区增长（读者让数据积压时，或 tcp_moderate_rcvbuf 为 0 时不增长）；一次写"
            "把发送缓冲区填满时它增长；上限是 tcp_rmem 和 tcp_wmem 的最后一个值。"
        ),
    )


@value
class Told:
    """What the sockets of a run said: receive and send buffer."""

    udp: Sizes
    new: tuple[Sizes, ...]
    accepted: Sizes
    steps: tuple[Sizes, ...]
    connected: Sizes
    sent: tuple[Sizes, ...]


def _told(runs: Mapping[str, Trace], sysctl: str, reader: str, *, by_hand: bool = False) -> Told:
    by = "by hand" if by_hand else "nothing"
    trace = runs[f"sysctl={sysctl} set={by} reader={reader}"]
    theirs, ours = _sizes(trace, "server"), _sizes(trace, "client")
    udp, *new = theirs[:3]
    later = theirs[4 if by_hand else 3 :]
    bound, listening, accepted, *steps = later
    assert bound == listening == later[0], "bind and listen change nothing"
    if not by_hand:
        new += [bound, listening]
    connected, *sent = ours[2 if by_hand else 1 :]
    return Told(
        udp=udp,
        new=(*new, ours[0]),
        accepted=accepted,
        steps=tuple(steps),
        connected=connected,
        sent=tuple(sent),
    )


def _sizes(trace: Trace, process: str) -> list[Sizes]:
    asked = [call.result for call in calls(trace, process=process, call="getsockopt")]
    sizes = [int(str(each_)) for each_ in asked]
    return list(zip(sizes[::2], sizes[1::2], strict=True))


NOTE: Final = Note(
    id="N43",
    question="Are SO_RCVBUF 87380 and SO_SNDBUF 16384 by default?",
    question_zh="SO_RCVBUF 默认是 87380，SO_SNDBUF 默认是 16384 吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "Linux tcp_init_sock",
        "Linux tcp_sndbuf_expand",
        "Linux tcp_new_space",
        "Linux tcp_rcv_space_adjust",
        "Linux tcp_rcvbuf_grow",
    ),
    words=(
        "SO_RCVBUF",
        "SO_SNDBUF",
        "default",
        "buffer size",
        "tcp_rmem",
        "tcp_wmem",
        "tcp_moderate_rcvbuf",
        "autotuning",
        "87380",
        "131072",
        "16384",
    ),
    tells=(
        ("server", "SO_RCVBUF"),
        ("client", "SO_SNDBUF"),
    ),
)
