"""N29: listen; of which sockets it makes listeners, what these do, and how they end."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import MS
from halfopen.record.events import CallEntry, Mark
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Host, Lab, Link, Note, OnMark, Process, Variant, each
from halfopen.scenario.notes.pair import LONG, marked
from halfopen.scenario.notes.reading import linux_name, segments_from
from halfopen.wire.tcp import ACK, RST, SYN

SERVER: Final = "server"
CLIENT: Final = "client"
PEER: Final = "peer"
PORT: Final = 80
#: The kernel has only this one to pick, where a program leaves the port to it.
PICKED: Final = 40000
#: Where the server's socket finds a peer, and where nobody listens.
PEER_PORT: Final = 9000
NOBODY: Final = 9001
BACKLOG: Final = 5
#: What a second listen says.
MORE: Final = 7

#: Seconds after the server is ready: the client's two connects, and in between the server acts.
FIRST: Final = 0.02
ACTS: Final = 0.1
SECOND: Final = 0.15
ENDS: Final = 0.25
HORIZON_NS: Final = 500 * MS
#: Longer than all that.
PATIENCE_MS: Final = 300

#: Of TCP_INFO: tcpi_state, the first octet, is one of these; the last four are tcpi_sacked, of a
#: listener its backlog.
INFO_LENGTH: Final = 32
TCP_CLOSE: Final = 7
TCP_LISTEN: Final = 10

_LINGER_0: Final = struct.pack("@ii", 1, 0)


def _new(lab: Lab) -> socket.socket:
    """Give a socket, whatever the lab says."""
    assert lab.settings
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def _bound(lab: Lab) -> socket.socket:
    sock = _new(lab)
    sock.bind((lab.address(SERVER), PORT))
    return sock


def _listening(lab: Lab) -> socket.socket:
    sock = _bound(lab)
    sock.listen(BACKLOG)
    return sock


def _shut_down(lab: Lab) -> socket.socket:
    sock = _listening(lab)
    sock.shutdown(socket.SHUT_RD)
    return sock


def _refused(lab: Lab) -> socket.socket:
    sock = _new(lab)
    sock.connect_ex((lab.address(CLIENT), NOBODY))
    return sock


def _connecting(lab: Lab) -> socket.socket:
    sock = _new(lab)
    sock.setblocking(False)
    sock.connect_ex((lab.address(CLIENT), PEER_PORT))
    return sock


def _connected(lab: Lab) -> socket.socket:
    sock = _new(lab)
    sock.connect((lab.address(CLIENT), PEER_PORT))
    return sock


def _reset(lab: Lab) -> socket.socket:
    sock = _connected(lab)
    sock.sendall(b"reset me")
    with contextlib.suppress(OSError):
        sock.recv(100)
    return sock


def _another_listens(lab: Lab) -> socket.socket:
    """Be bound to a port beside another socket, which then listens."""
    sock, other = _new(lab), _new(lab)
    for one in (sock, other):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((lab.address(SERVER), PORT))
    other.listen(BACKLOG)
    _OTHERS.append(other)
    return sock


def _udp(lab: Lab) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((lab.address(SERVER), PORT))
    return sock


#: Keeps the other listener open to the end.
_OTHERS: Final[list[socket.socket]] = []
#: What the socket was before listen is called.
BEFORE: Final[dict[str, Callable[[Lab], socket.socket]]] = {
    "new": _new,
    "bound": _bound,
    "connect refused": _refused,
    "listening": _listening,
    "listener, shut down": _shut_down,
    "connecting": _connecting,
    "connected": _connected,
    "connected, then reset": _reset,
    "bound, another listens": _another_listens,
    "UDP": _udp,
}
_PICKS: Final = ("new", "connect refused")


def listens(lab: Lab) -> None:
    """Call listen on a socket that is what the variant says; look at it before and after."""
    sock = BEFORE[lab.settings["before"]](lab)
    lab.mark("ready")
    _look(lab, sock)
    time.sleep(ACTS)
    lab.mark("listens")
    with contextlib.suppress(OSError):
        sock.listen(MORE)
    _look(lab, sock)
    time.sleep(ENDS - ACTS)
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.accept()
    time.sleep(LONG)


def _look(lab: Lab, sock: socket.socket) -> None:
    """Ask for the state, of a listener for its backlog too, whether it accepts, and its name."""
    if lab.settings["before"] != "UDP":
        accepts = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_LENGTH if accepts else 1)
    sock.getsockname()


def _accept(sock: socket.socket) -> None:
    sock.accept()


def _connect(sock: socket.socket) -> None:
    sock.connect(("10.0.0.1", NOBODY))


def _send(sock: socket.socket) -> None:
    sock.send(b"x", socket.MSG_NOSIGNAL)


def _recv(sock: socket.socket) -> None:
    sock.recv(1, socket.MSG_DONTWAIT)


def _bind(sock: socket.socket) -> None:
    sock.bind(("10.0.0.2", PORT + 1))


def _getpeername(sock: socket.socket) -> None:
    sock.getpeername()


def _shut_write(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


#: Each on a socket of its own.
CALLS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "accept": _accept,
    "connect": _connect,
    "send": _send,
    "recv": _recv,
    "bind": _bind,
    "getpeername": _getpeername,
    "shutdown": _shut_write,
}


def tries(lab: Lab) -> None:
    """Call what a connection can do, and what only a listener can, on one that is or is not."""
    for call in CALLS.values():
        sock = BEFORE[lab.settings["calls on"]](lab)
        lab.mark("tries")
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            call(sock)
        lab.mark("tried")
        sock.close()
    lab.mark("ready")
    time.sleep(LONG)


def _shuts(how: int) -> Callable[[socket.socket], None]:
    def shut(sock: socket.socket) -> None:
        sock.shutdown(how)

    return shut


def _nothing(sock: socket.socket) -> None:
    assert sock.fileno() >= 0


#: What becomes of the listener.
EVENTS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "nothing": _nothing,
    "close": socket.socket.close,
    "shutdown SHUT_RD": _shuts(socket.SHUT_RD),
    "shutdown SHUT_WR": _shuts(socket.SHUT_WR),
    "shutdown SHUT_RDWR": _shuts(socket.SHUT_RDWR),
}
WAITS: Final = ("accept", "accept, SO_RCVTIMEO", "accept, settimeout", "poll", "select")


def waits(lab: Lab) -> None:
    """Let a thread wait for a connection, and end the listener meanwhile."""
    sock = _listening(lab)
    how = lab.settings["waits in"]
    if how == "accept, SO_RCVTIMEO":
        timeval = struct.pack("@qq", 0, PATIENCE_MS * 1000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    elif how == "accept, settimeout":
        sock.settimeout(PATIENCE_MS / 1000)
    lab.mark("ready")
    began = time.monotonic()
    thread = threading.Thread(target=_wait, args=(lab, sock), name="waiter", daemon=True)
    thread.start()
    time.sleep(began + ACTS - time.monotonic())
    lab.mark("acts")
    EVENTS[lab.settings["event"]](sock)
    time.sleep(LONG)


def _wait(lab: Lab, sock: socket.socket) -> None:
    if lab.settings["waits in"] == "poll":
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.poll(PATIENCE_MS)
    elif lab.settings["waits in"] == "select":
        select.select([sock], [], [], PATIENCE_MS / 1000)
    else:
        with contextlib.suppress(OSError):
            sock.accept()


def keeps_waiting(lab: Lab) -> None:
    """Accept nobody, and end the listener while two wait; then listen again where that may be."""
    sock = _listening(lab)
    lab.mark("ready")
    time.sleep(ACTS)
    lab.mark("acts")
    event = lab.settings["two wait, then"]
    EVENTS[event](sock)
    time.sleep(ENDS - ACTS)
    if event != "close":
        sock.listen(BACKLOG)
        sock.setblocking(False)
        for _ in range(3):
            with contextlib.suppress(OSError):
                sock.accept()
    time.sleep(LONG)


def client(lab: Lab) -> None:
    """Connect twice, before the server acts and afterwards."""
    port = PICKED if lab.settings.get("before") in _PICKS else PORT
    first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    second = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    began = time.monotonic()
    if "waits in" not in lab.settings:
        first.connect_ex((lab.address(SERVER), port))
    time.sleep(began + SECOND - time.monotonic())
    second.connect_ex((lab.address(SERVER), port))
    time.sleep(LONG)


def two_clients(lab: Lab) -> None:
    """Connect twice, and see what becomes of both; then connect once more."""
    socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(3)]
    began = time.monotonic()
    for sock in socks[:2]:
        sock.connect((lab.address(SERVER), PORT))
    time.sleep(began + SECOND - time.monotonic())
    for sock in socks[:2]:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.recv(100)
    socks[2].connect_ex((lab.address(SERVER), PORT))
    time.sleep(LONG)


def peer(lab: Lab) -> None:
    """Be there for the server's own connects; reset who sends something."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(CLIENT), PEER_PORT))
    listener.listen(BACKLOG)
    lab.mark("peer ready")
    held = []
    while True:
        conn, _ = listener.accept()
        held.append(conn)
        if lab.settings.get("before") == "connected, then reset":
            conn.recv(100)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            conn.close()


def _variant(
    settings: Mapping[str, str],
    server: Callable[[Lab], None],
    client: Callable[[Lab], None] = client,
) -> Variant:
    picks = settings.get("before") in _PICKS
    own = Process(host=SERVER, name=SERVER, program=server)
    programs: tuple[Process, ...] = (own,)
    if settings.get("before", settings.get("calls on", "")).startswith("connect"):
        start = OnMark(process=PEER, name="peer ready", delay_ns=20 * MS)
        programs = (
            Process(host=CLIENT, name=PEER, program=peer),
            Process(host=SERVER, name=SERVER, program=server, start=start),
        )
    ports = {"net.ipv4.ip_local_port_range": f"{PICKED} {PICKED}"} if picks else {}
    return Variant(
        settings=settings,
        hosts=(
            Host(name=CLIENT, addresses=("10.0.0.1",), sysctl={}),
            Host(name=SERVER, addresses=("10.0.0.2",), sysctl=ports),
        ),
        links=(Link(a=CLIENT, b=SERVER),),
        processes=(
            *programs,
            Process(
                host=CLIENT,
                name=CLIENT,
                program=client,
                start=OnMark(process=SERVER, name="ready", delay_ns=int(FIRST * 1000) * MS),
            ),
        ),
        steps=(),
        horizon_ns=HORIZON_NS,
    )


_LISTENS: Final = tuple(_variant(settings, listens) for settings in each(before=tuple(BEFORE)))
_TRIES: Final = tuple(
    _variant(settings, tries)
    for settings in each(**{"calls on": ("bound", "listening", "connected", "listener, shut down")})
)
_WAITS: Final = tuple(
    _variant(settings, waits) for settings in each(**{"waits in": WAITS, "event": tuple(EVENTS)})
)
_QUEUED: Final = tuple(
    _variant(settings, keeps_waiting, two_clients)
    for settings in each(**{"two wait, then": tuple(EVENTS)})
)
#: What shows how it went, by what a variant is about.
_TELLS: Final = {
    "before": (("server", "listen"), ("server", "TCP_INFO"), ("client", "connect_ex")),
    "calls on": tuple(("server", call) for call in ("accept", "connect", "send", "recv")),
    "waits in": tuple(("server", call) for call in ("accept", "poll", "select")),
    "two wait, then": (("server", "accept"), ("client", "recv"), ("client", "connect_ex")),
}
_VARIANTS: Final[tuple[Variant, ...]] = tuple(
    replace(variant, tells=_TELLS[next(iter(variant.settings))])
    for variant in (*_LISTENS, *_TRIES, *_WAITS, *_QUEUED)
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read of which sockets listen made listeners, and what became of who waited for one."""
    became, refused = _listened(runs)
    backlog = _backlogs(runs["before=listening"])
    assert backlog == (BACKLOG, MORE), backlog
    on = {how: _tried(runs[f"calls on={how}"]) for how in ("bound", "listening", "connected")}
    assert {on["bound"]["accept"], on["connected"]["accept"]} == {"EINVAL"}, on
    ended = {event: _ended(runs, event) for event in EVENTS}
    assert ended["nothing"] == ended["shutdown SHUT_WR"], ended
    assert ended["shutdown SHUT_RD"] == ended["shutdown SHUT_RDWR"], ended
    shut, closed = ended["shutdown SHUT_RD"], ended["close"]
    assert closed["accept"] == "a connection", closed
    assert closed["client"] == "0", "who waits in a call keeps the listener alive"
    reset = [_queue_reset(runs[f"two wait, then={event}"]) for event in EVENTS]
    assert reset == [False, True, True, False, True], reset
    states = [refused[how] for how in ("connecting", "connected", "connected, then reset")]
    assert states == ["EINVAL"] * 3, states
    told = ", ".join(f"{how}: {linux_name(error)}" for how, error in refused.items())
    told_zh = "，".join(f"{BEFORE_ZH[how]} {linux_name(error)}" for how, error in refused.items())
    return Answer(
        verdict="confirmed" if set(became) == set(_FREE) else "qualified",
        text=(
            "Yes: before listen a SYN to the port is answered with RST, afterwards with SYN,ACK, "
            "by the kernel itself, and TCP_INFO says LISTEN instead of CLOSE. It needs a socket "
            "that is closed and was never connected, else it gives EINVAL; one that is not bound "
            "gets a port from the kernel. A second listen only changes the backlog. "
            "shutdown(SHUT_RD) turns the listener back into a closed socket."
        ),
        zh=(
            "是的：listen 之前，发往该端口的 SYN 得到 RST；之后得到 SYN,ACK，由内核自己应答，"
            "TCP_INFO 的状态由 CLOSE 变为 LISTEN。要求套接字处于关闭状态且从未连接过，否则返回 "
            "EINVAL；没有 bind 的由内核分配端口。第二次 listen 只改变 backlog。shutdown(SHUT_RD) 使"
            "监听套接字变回关闭状态。"
        ),
        more=(
            f"It may listen: {', '.join(became)}. It fails: {told}. On a listener connect gives "
            f"{on['listening']['connect']}, send {on['listening']['send']}, recv "
            f"{on['listening']['recv']}; accept on what does not listen gives "
            f"{on['bound']['accept']}. After shutdown(SHUT_RD) an accept that waits gets "
            f"{shut['accept']}, poll {shut['poll']}, those who wait in its queue an RST, and it "
            "may listen again; SHUT_WR does nothing. close by another thread does not wake who "
            "waits: the listener lives on until that call ends, accept still returns "
            f"{closed['accept']}, poll {closed['poll']}."
        ),
        more_zh=(
            f"可以 listen 的有：{'、'.join(BEFORE_ZH[how] for how in became)}。失败的有："
            f"{told_zh}。在监听套接字上 connect 得 {on['listening']['connect']}，send 得 "
            f"{on['listening']['send']}，recv 得 {on['listening']['recv']}；对不在监听的套接字 "
            f"accept 得 {on['bound']['accept']}。shutdown(SHUT_RD) 之后，正在等待的 accept 得 "
            f"{shut['accept']}，poll 得 {shut['poll']}，队列中等待的连接收到 RST，之后可以再次 "
            "listen；SHUT_WR 没有作用。另一线程 close 不会唤醒等待的调用：监听一直活到那个调用结"
            f"束，accept 仍返回一个连接，poll 得 {closed['poll']}。"
        ),
    )


#: Those that are closed and were never connected.
_FREE: Final = ("new", "bound", "connect refused", "listening", "listener, shut down")
BEFORE_ZH: Final = {
    "new": "新建的",
    "bound": "已 bind 的",
    "connect refused": "connect 被拒绝的",
    "listening": "已在监听的",
    "listener, shut down": "监听后被 shutdown 的",
    "connecting": "正在连接的",
    "connected": "已连接的",
    "connected, then reset": "连接后被重置的",
    "bound, another listens": "端口上已有别的监听套接字的",
    "UDP": "UDP 的",
}


def _listened(runs: Mapping[str, Trace]) -> tuple[list[str], dict[str, str]]:
    """Say which sockets became listeners, and what the others were told."""
    became, refused = [], {}
    for how in BEFORE:
        trace = runs[f"before={how}"]
        before, after = _states(trace)
        assert before == (TCP_LISTEN if how == "listening" else before), "it listened already"
        listen = next(c for c in calls(trace, process=SERVER, call="listen") if _later(trace, c))
        port = PICKED if how in _PICKS else PORT
        answers = [
            seen.seg.flags
            for seen in segments_from(trace, SERVER)
            if seen.seg.flow[1] == port and seen.seg.flags in {RST | ACK, SYN | ACK}
        ]
        if listen.errno is not None:
            refused[how] = listen.errno
            assert before == after or how == "connecting", "a listen that fails changes nothing"
            assert answers[0] == answers[1], "the port answers as before"
            continue
        became.append(how)
        assert after == TCP_LISTEN, after
        assert answers[1] == SYN | ACK, "the SYN after it is answered"
        if how != "listening":
            assert before == TCP_CLOSE, before
            assert answers[0] == RST | ACK, "the SYN before it is refused"
        (accept,) = calls(trace, process=SERVER, call="accept")
        assert accept.errno is None, "accept gives the connection"
    return became, refused


def _later(trace: Trace, call: Call) -> bool:
    return call.t_ns >= marked(trace, SERVER, "listens")


def _states(trace: Trace) -> tuple[int, int]:
    """Give what TCP_INFO said before and after listen; of UDP nothing."""
    told = [_octets(call)[0] for call in _infos(trace)] or [0, 0]
    return told[0], told[1]


def _backlogs(trace: Trace) -> tuple[int, int]:
    first, second = (struct.unpack_from("<I", _octets(call), 28)[0] for call in _infos(trace))
    return first, second


def _infos(trace: Trace) -> list[Call]:
    asked = calls(trace, process=SERVER, call="getsockopt")
    return [call for call in asked if isinstance(call.result, dict)]


def _octets(call: Call) -> bytes:
    assert isinstance(call.result, dict)
    return str(call.result["head"]).encode("latin-1")


def _tried(trace: Trace) -> dict[str, str]:
    """Give what each call of CALLS gave, between its two marks."""
    told = {}
    marks = [e for e in trace.events if isinstance(e, Mark) and e.name in {"tries", "tried"}]
    order = {id(event): place for place, event in enumerate(trace.events)}
    entries = {
        event.call_id: order[id(event)] for event in trace.events if isinstance(event, CallEntry)
    }
    for name, begin, end in zip(CALLS, marks[::2], marks[1::2], strict=True):
        (call,) = (
            call
            for call in calls(trace, process=SERVER, call=name)
            if order[id(begin)] < entries[call.call_id] < order[id(end)]
        )
        told[name] = call.errno or "success"
    return told


def _ended(runs: Mapping[str, Trace], event: str) -> dict[str, str]:
    """Give what each way to wait told when its listener ended, and what the client was told."""
    told = {}
    for how in WAITS:
        trace = runs[f"waits in={how} event={event}"]
        (call,) = (
            c
            for c in calls(trace, process=SERVER)
            if c.thread == "waiter" and c.call in {"accept", "poll", "select"}
        )
        (connect,) = calls(trace, process=CLIENT, call="connect_ex")
        told[how] = _told(call)
        told["client"] = str(connect.result)
    return told


def _told(call: Call) -> str:
    if call.errno is not None:
        return call.errno
    if call.call == "accept":
        return "a connection"
    if call.call == "select":
        return "readable"
    assert isinstance(call.result, list)
    assert isinstance(call.result[0], list)
    bits = call.result[0][1]
    assert isinstance(bits, int)
    return "|".join(name for bit, name in POLL_BITS.items() if bits & bit)


POLL_BITS: Final = {select.POLLIN: "POLLIN", select.POLLHUP: "POLLHUP", select.POLLNVAL: "POLLNVAL"}


def _queue_reset(trace: Trace) -> bool:
    """Whether those who waited for accept were reset."""
    told = {call.errno for call in calls(trace, process=CLIENT, call="recv")}
    assert len(told) == 1, told
    return told == {"ECONNRESET"}


NOTE: Final = Note(
    id="N29",
    question="Does listen turn a closed socket into one that accepts connection requests?",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.1",
        "Linux __inet_listen_sk",
        "Linux inet_csk_listen_start",
        "Linux inet_shutdown",
        "Linux inet_csk_listen_stop",
        "Linux inet_csk_accept",
        "Linux __pollwait",
    ),
    words=("listen", "LISTEN", "passive open", "SO_ACCEPTCONN", "EINVAL", "EADDRINUSE", "shutdown"),
    question_zh="listen 是否把关闭状态的套接字变成被动的，由内核接受连接请求？",
)
