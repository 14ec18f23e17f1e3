"""N31: accept; the addresses of what it returns, what that inherits, and whom it still returns."""

import contextlib
import fcntl
import os
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.events import Mark
from halfopen.record.faults import Fault, Kill, PowerOff
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Host,
    Lab,
    Link,
    Note,
    OnMark,
    Process,
    Program,
    Step,
    Variant,
    each,
)
from halfopen.scenario.notes.pair import LONG
from halfopen.scenario.notes.reading import segments_from
from halfopen.wire.tcp import ACK, RST, SYN

SERVER: Final = "server"
CLIENT: Final = "client"
PORT: Final = 80
PING: Final = b"ping"
FIRST: Final = "10.0.0.2"
SECOND: Final = "10.0.0.3"
SIXTH: Final = "2001:db8::2"
CLIENT6: Final = "2001:db8::1"

#: Seconds after the server listens at which it accepts: whatever the client does is over then.
ACCEPTS: Final = 0.2
#: The client's own program, which begins a little later, and does what it does in two steps.
THEN: Final = 0.06
BEGIN_NS: Final = 20 * MS
HORIZON_NS: Final = 450 * MS

LISTENER: Final = ("0.0.0.0", FIRST, "::", SIXTH)
TO: Final = (FIRST, SECOND, SIXTH)


def names(lab: Lab) -> None:
    """Listen as the variant says, accept, and ask both sockets for their names."""
    host = lab.settings["listener"]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((host, PORT))
    listener.listen(5)
    lab.mark("listening")
    time.sleep(ACCEPTS)
    listener.setblocking(False)
    for _ in range(2):
        with contextlib.suppress(OSError):
            conn, _ = listener.accept()
            lab.mark("accepted")
            conn.getsockname()
            conn.getpeername()
            _KEPT.append(conn)
    listener.getsockname()
    with contextlib.suppress(OSError):
        listener.getpeername()
    time.sleep(LONG)


#: Keeps connections open to the end.
_KEPT: Final[list[socket.socket]] = []


def two_clients(lab: Lab) -> None:
    """Connect twice to one of the server's addresses."""
    host = lab.settings["connect to"]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(2):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.connect_ex((host, PORT))
        _KEPT.append(sock)
    time.sleep(LONG)


# Whom accept still returns.


def late(lab: Lab) -> None:
    """Accept long after the client has connected, and use what that gives."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((FIRST, PORT))
    listener.listen(5)
    lab.mark("listening")
    time.sleep(ACCEPTS)
    listener.setblocking(False)
    with contextlib.suppress(OSError):
        conn, _ = listener.accept()
        conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        with contextlib.suppress(OSError):
            conn.getpeername()
        conn.setblocking(False)
        for _ in range(2):
            with contextlib.suppress(OSError):
                conn.recv(100)
        with contextlib.suppress(OSError):
            conn.send(PING)
    time.sleep(LONG)


def _stays(sock: socket.socket) -> None:
    assert sock.fileno() >= 0


def _sends(sock: socket.socket) -> None:
    sock.sendall(PING)


def _resets(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    sock.close()


def _sends_and_closes(sock: socket.socket) -> None:
    sock.sendall(PING)
    sock.close()


def _sends_and_resets(sock: socket.socket) -> None:
    sock.sendall(PING)
    time.sleep(0.04)
    _resets(sock)


#: What the client does once it is connected, before the server accepts.
MEANWHILE: Final = {
    "stays": _stays,
    "sends": _sends,
    "closes": socket.socket.close,
    "sends, closes": _sends_and_closes,
    "resets": _resets,
    "sends, resets": _sends_and_resets,
    "killed": _stays,
    "host off": _stays,
}
FAULTS: Final[dict[str, Fault]] = {
    "killed": Kill(process=CLIENT),
    "host off": PowerOff(host=CLIENT),
}


def client(lab: Lab) -> None:
    """Connect, and do what the variant says before the server accepts."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((FIRST, PORT))
    lab.mark("connected")
    time.sleep(THEN)
    MEANWHILE[lab.settings["meanwhile the client"]](sock)
    time.sleep(LONG)


# What it inherits.

_ON: Final = 1
_TIMEVAL: Final = struct.pack("@qq", 2, 500000)
#: Level, name, and a value that is not the default.
OPTIONS: Final[dict[str, tuple[int, int, int | bytes]]] = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, socket.SO_KEEPALIVE, _ON),
    "SO_LINGER": (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 7)),
    "SO_RCVBUF": (socket.SOL_SOCKET, socket.SO_RCVBUF, 20000),
    "SO_SNDBUF": (socket.SOL_SOCKET, socket.SO_SNDBUF, 30000),
    "SO_RCVTIMEO": (socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL),
    "SO_SNDTIMEO": (socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL),
    "SO_RCVLOWAT": (socket.SOL_SOCKET, socket.SO_RCVLOWAT, 3),
    "SO_OOBINLINE": (socket.SOL_SOCKET, socket.SO_OOBINLINE, _ON),
    "SO_PRIORITY": (socket.SOL_SOCKET, socket.SO_PRIORITY, 3),
    "SO_REUSEADDR": (socket.SOL_SOCKET, socket.SO_REUSEADDR, _ON),
    "SO_REUSEPORT": (socket.SOL_SOCKET, socket.SO_REUSEPORT, _ON),
    "SO_DONTROUTE": (socket.SOL_SOCKET, socket.SO_DONTROUTE, _ON),
    "SO_BROADCAST": (socket.SOL_SOCKET, socket.SO_BROADCAST, _ON),
    "TCP_NODELAY": (socket.IPPROTO_TCP, socket.TCP_NODELAY, _ON),
    "TCP_CORK": (socket.IPPROTO_TCP, socket.TCP_CORK, _ON),
    "TCP_KEEPIDLE": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77),
    "TCP_KEEPINTVL": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 11),
    "TCP_KEEPCNT": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    "TCP_SYNCNT": (socket.IPPROTO_TCP, socket.TCP_SYNCNT, 3),
    "TCP_LINGER2": (socket.IPPROTO_TCP, socket.TCP_LINGER2, 9),
    "TCP_MAXSEG": (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000),
    "TCP_USER_TIMEOUT": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000),
}
#: When the listener's options are set: before listen, before the SYN, between the SYN and the ACK
#: that ends the handshake, while the connection waits for accept, and after accept.
SET: Final = ("before listen", "before the SYN", "in the handshake", "in the queue", "after accept")


def inherits(lab: Lab) -> None:
    """Set everything on the listener at the variant's moment, and read it on what accept gives."""
    when = lab.settings["set"]
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((FIRST, PORT))
    if when == "before listen":
        _set_all(listener)
    listener.listen(5)
    if when == "before the SYN":
        _set_all(listener)
    lab.mark("listening")
    began = time.monotonic()
    time.sleep(IN_HANDSHAKE)
    if when == "in the handshake":
        _set_all(listener)
    time.sleep(began + ACCEPTS / 2 - time.monotonic())
    if when == "in the queue":
        _set_all(listener)
    time.sleep(began + ACCEPTS - time.monotonic())
    listener.settimeout(0)
    conn, _ = listener.accept()
    if when == "after accept":
        _set_all(listener)
    for level, name, value in OPTIONS.values():
        conn.getsockopt(level, name, 0 if isinstance(value, int) else len(value))
    conn.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    for sock in (listener, conn):
        flags = fcntl.fcntl(sock, fcntl.F_GETFL)
        lab.mark("O_NONBLOCK" if flags & os.O_NONBLOCK else "blocks")
        lab.mark("inheritable" if os.get_inheritable(sock.fileno()) else "FD_CLOEXEC")
    time.sleep(LONG)


#: The SYN comes 30 ms after the server listens, the ACK of its SYN,ACK 20 ms later.
IN_HANDSHAKE: Final = 0.04


def _set_all(sock: socket.socket) -> None:
    for level, name, value in OPTIONS.values():
        sock.setsockopt(level, name, value)


def plain_client(lab: Lab) -> None:
    """Connect, and stay."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((FIRST, PORT))
    lab.mark("connected")
    time.sleep(LONG)


def _variant(settings: Mapping[str, str], server: Program, client: Program) -> Variant:
    fault = FAULTS.get(settings.get("meanwhile the client", ""))
    when = OnMark(process=CLIENT, name="connected", delay_ns=int(THEN * 1000) * MS)
    return Variant(
        settings=settings,
        hosts=(
            Host(name=CLIENT, addresses=("10.0.0.1", CLIENT6), sysctl={}),
            Host(name=SERVER, addresses=(FIRST, SECOND, SIXTH), sysctl={}),
        ),
        links=(Link(a=CLIENT, b=SERVER),),
        processes=(
            Process(host=SERVER, name=SERVER, program=server),
            Process(
                host=CLIENT,
                name=CLIENT,
                program=client,
                start=OnMark(process=SERVER, name="listening", delay_ns=BEGIN_NS),
            ),
        ),
        steps=() if fault is None else (Step(when=when, fault=fault),),
        horizon_ns=HORIZON_NS,
    )


_NAMES: Final = tuple(
    _variant(settings, names, two_clients)
    for settings in each(**{"listener": LISTENER, "connect to": TO})
)
_LATE: Final = tuple(
    _variant(settings, late, client)
    for settings in each(**{"meanwhile the client": tuple(MEANWHILE)})
)
_INHERITS: Final = tuple(_variant(settings, inherits, plain_client) for settings in each(set=SET))
_VARIANTS: Final[tuple[Variant, ...]] = (*_NAMES, *_LATE, *_INHERITS)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read the names of both sockets, what accept gave whatever the client did, and its options."""
    given = sum(_named(runs[variant.name]) for variant in _NAMES)
    after = {meanwhile: _late(runs[variant.name]) for variant, meanwhile in _meanwhile()}
    assert all(told["accept"] == "a connection" for told in after.values()), after
    assert after["resets"] == after["sends, resets"], after
    reset, closed = after["resets"], after["closes"]
    for meanwhile in ("killed", "closes"):
        assert after[meanwhile] == closed, "what the kernel does for a killed process"
    assert after["host off"] == after["stays"], "nobody knows yet"
    kept = {when: _inherited(runs[f"set={when}"]) for when in SET}
    inherited, others = kept["before listen"]
    assert kept["before the SYN"] == kept["before listen"], kept
    in_handshake, _ = kept["in the handshake"]
    agreed = ", ".join(name for name in inherited if name not in in_handshake) or "none"
    assert kept["in the queue"] == kept["after accept"], "what is set later is not handed on"
    later, _ = kept["in the queue"]
    assert not later, later
    kept_back = f"; not: {', '.join(others)}" if others else ""
    kept_back_zh = f"；不继承：{'、'.join(others)}" if others else ""
    return Answer(
        verdict="answered",
        text=(
            "The returned socket has the listener's port, and for its own address the destination "
            "address of the client's SYN, also where the listener is bound to the wildcard. Its "
            "peer is the client's address and port, by which connections at one port differ. The "
            "listener keeps its name and has no peer (ENOTCONN). accept also gives a connection "
            f"whose client has gone: after a FIN recv then gives {closed['recv']}, after an RST "
            f"{reset['recv']}. {len(inherited)} of {len(OPTIONS)} options are inherited."
        ),
        zh=(
            "返回的套接字端口与监听套接字相同，本地地址是客户端 SYN 的目的地址，即使监听套接字绑定"
            "的是通配地址。对端是客户端的地址和端口，同一端口上的连接靠它区分。监听套接字的名字不"
            "变，没有对端（ENOTCONN）。客户端已离开的连接 accept 也照样返回：收到 FIN 之后 recv 得 "
            f"{closed['recv']}，收到 RST 之后得 {reset['recv']}。选项继承 {len(inherited)} 个，共 "
            f"{len(OPTIONS)} 个。"
        ),
        more=(
            f"{given} names were looked at; from :: an IPv4 client's destination is "
            f"::ffff:a.b.c.d. After an RST recv is told {reset['recv']} once, getpeername gives "
            f"{reset['getpeername']}; accept never gives ECONNABORTED. Inherited are "
            f"{', '.join(inherited[:8])} ...{kept_back}, as they were when the handshake ended "
            f"(when the SYN came: {agreed}): what is set on the listener later stays there. "
            "O_NONBLOCK is not inherited, nor is Python's timeout."
        ),
        more_zh=(
            f"看了 {given} 个名字；:: 上来自 IPv4 客户端的目的地址是 ::ffff:a.b.c.d。收到 RST 之后 "
            f"recv 得一次 {reset['recv']}，getpeername 得 {reset['getpeername']}；accept 从不返回 "
            f"ECONNABORTED。继承的有 {', '.join(inherited[:8])} 等{kept_back_zh}，取握手完成那一刻"
            f"的值（{agreed} 取 SYN 到达时的值），之后在监听套接字上设置的不再传下去。O_NONBLOCK 不"
            "继承，Python 的超时也不继承。"
        ),
    )


def _meanwhile() -> list[tuple[Variant, str]]:
    return [(variant, variant.settings["meanwhile the client"]) for variant in _LATE]


def _named(trace: Trace) -> int:
    """Count the connections of a run; each has the name that the SYN asked for."""
    syns = [seen.seg.flow for seen in segments_from(trace, CLIENT) if seen.seg.flags == SYN]
    answers = [
        seen.seg.flags
        for seen in segments_from(trace, SERVER)
        if seen.seg.flags in {SYN | ACK, RST | ACK}
    ]
    accepted = [c for c in calls(trace, process=SERVER, call="accept") if c.errno is None]
    if not accepted:
        assert answers == [RST | ACK] * len(syns), "nobody listens at that address"
        return 0
    names = calls(trace, process=SERVER, call="getsockname")
    peers = calls(trace, process=SERVER, call="getpeername")
    for flow, call, name, peer in zip(syns, accepted, names, peers, strict=False):
        source, sport, destination, dport = flow
        assert _plain(name) == (destination, dport), "its own address is the SYN's destination"
        assert _plain(peer) == (source, sport), "its peer is who sent the SYN"
        assert isinstance(call.result, dict)
        assert call.result["peer"] == peer.result, "accept tells the peer"
    assert names[-1].fd == accepted[0].fd, "the listener's own name comes last"
    assert _plain(names[-1])[1] == PORT, "it has the same port"
    assert peers[-1].errno == "ENOTCONN", "the listener has no peer"
    return len(accepted)


def _plain(call: Call) -> tuple[str, int]:
    """Give an address without the mapping of IPv4 into IPv6."""
    assert isinstance(call.result, list)
    host, port = call.result[:2]
    assert isinstance(port, int)
    return str(host).removeprefix("::ffff:"), port


def _late(trace: Trace) -> dict[str, str]:
    """Give what accept told, and what the calls on the new socket did."""
    told = {}
    for name in ("accept", "getpeername", "recv", "send"):
        made = calls(trace, process=SERVER, call=name)
        given = [_outcome(call) for call in made]
        told[name] = given[0] if len(given) > 1 and "ECONNRESET" in given[0] else given[-1]
    return told


def _outcome(call: Call) -> str:
    if call.errno is not None:
        return call.errno
    if call.call == "recv":
        assert isinstance(call.result, dict)
        return 'b""' if not call.result["len"] else f"{call.result['len']} bytes"
    return {"accept": "a connection", "getpeername": "a name"}.get(call.call, "success")


def _inherited(trace: Trace) -> tuple[list[str], list[str]]:
    """Say which options the new socket has, and which it has not, in the order of OPTIONS."""
    asked = calls(trace, process=SERVER, call="getsockopt")
    assert asked[-1].result == 0, "it does not listen"
    kept: list[str] = []
    others: list[str] = []
    for (name, (_, _, value)), call in zip(OPTIONS.items(), asked, strict=False):
        wanted: object = value
        if isinstance(value, bytes):
            wanted = {"len": len(value), "head": value.decode("latin-1")}
        elif name in DOUBLED:
            wanted = 2 * value
        has = call.result == wanted
        if name == "TCP_MAXSEG":  # what is told of a connection is what its segments hold
            assert isinstance(call.result, int)
            assert isinstance(value, int)
            has = call.result <= value
        (kept if has else others).append(name)
    marks = [e.name for e in trace.events if isinstance(e, Mark) and e.process == SERVER]
    assert marks[-4:] == ["O_NONBLOCK", "FD_CLOEXEC", "blocks", "FD_CLOEXEC"], marks
    return kept, others


#: getsockopt tells twice of what was asked for.
DOUBLED: Final = ("SO_RCVBUF", "SO_SNDBUF")


NOTE: Final = Note(
    id="N31",
    question="How do the addresses of the socket that accept returns differ from the listener's?",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.7.2",
        "Linux inet_csk_accept",
        "Linux inet_reqsk_alloc",
        "Linux tcp_v4_syn_recv_sock",
        "Linux tcp_create_openreq_child",
        "Linux inet_getname",
    ),
    words=("accept", "getsockname", "getpeername", "inherit", "ECONNABORTED", "O_NONBLOCK"),
    question_zh="accept 返回的套接字，其源地址和目的地址与监听套接字有何不同？",
    tells=(
        ("server", "getsockname"),
        ("server", "getpeername"),
        ("server", "recv"),
        ("server", "SO_KEEPALIVE"),
        ("server", "TCP_MAXSEG"),
        ("server", "SO_PRIORITY"),
    ),
)
