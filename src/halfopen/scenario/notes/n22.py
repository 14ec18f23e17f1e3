"""N22: a socket bound to one address: where all it sends comes from, and what reaches it."""

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import MS
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Host, Lab, Link, Note, Process, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import KINDS, PORT, gave, name
from halfopen.wire.tcp import Segment
from halfopen.wire.udp import Datagram

OWN_PORT: Final = 7000
PATIENCE: Final = 0.1
HORIZON_NS: Final = 300 * MS

#: The host in question has two interfaces, the second with two addresses of IPv4.
_TWO: Final = ("10.0.0.1", "10.1.0.1", "10.1.0.9", "2001:db8::1", "2001:db8:1::1")
_PEER: Final = ("10.0.0.2", "2001:db8::2")
_OTHER: Final = ("10.1.0.2", "2001:db8:1::2")
#: What it binds to, by family; the peer's link leads to the first.
BOUND: Final = {
    "IPv4": {
        "nothing": "0.0.0.0",
        "the first interface's": "10.0.0.1",
        "the other's": "10.1.0.1",
        "the other's second": "10.1.0.9",
    },
    "IPv6": {
        "nothing": "::",
        "the first interface's": "2001:db8::1",
        "the other's": "2001:db8:1::1",
    },
}
THERE: Final = {
    ("IPv4", "the peer"): _PEER[0],
    ("IPv4", "another host"): _OTHER[0],
    ("IPv6", "the peer"): _PEER[1],
    ("IPv6", "another host"): _OTHER[1],
}


# What is sent.


def echoes(lab: Lab) -> None:
    """Give back what comes, by both protocols, at any address."""
    sock = _socket(lab, "0.0.0.0" if lab.settings["over"] == "IPv4" else "::")
    sock.bind(name("0.0.0.0" if lab.settings["over"] == "IPv4" else "::", PORT))
    if lab.settings["socket"] == "UDP":
        lab.mark("ready")
        data, peer = sock.recvfrom(10)
        sock.sendto(data, peer)
        time.sleep(10)
    sock.listen(5)
    lab.mark("ready")
    conn, _ = sock.accept()
    conn.sendall(conn.recv(10))
    conn.recv(10)
    conn.close()
    time.sleep(10)


def sends(lab: Lab) -> None:
    """Bind to an address, connect, talk, close."""
    over = lab.settings["over"]
    own = BOUND[over][lab.settings["bound to"]]
    sock = _socket(lab, own)
    sock.bind(name(own, OWN_PORT))
    sock.connect(name(THERE[over, lab.settings["to"]], PORT))
    sock.settimeout(PATIENCE)
    sock.send(b"x")
    with contextlib.suppress(OSError):
        sock.recv(10)
    sock.close()
    time.sleep(10)


# What is received.


def takes(lab: Lab) -> None:
    """Bind to one address, or to each with a socket of its own; the first byte tells which."""
    over, bound = lab.settings["over"], lab.settings["taken at"]
    addresses = BOUND[over]
    socks = [
        _taking(lab, addresses[which]) for which in (addresses if bound == "each" else (bound,))
    ]
    lab.mark("ready")
    time.sleep(0.13)
    kept = []
    for number, sock in enumerate(socks):
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            kept.append(sock.accept() if lab.settings["socket"] == "TCP" else sock.recvfrom(10))
            lab.mark(f"taken by number {number}")
    time.sleep(10)


def _taking(lab: Lab, own: str) -> socket.socket:
    sock = _socket(lab, own)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if ":" in own:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(name(own, PORT))
    if lab.settings["socket"] == "TCP":
        sock.listen(5)
    return sock


def tries(lab: Lab) -> None:
    """Send to one of the addresses, and hear whether it is taken."""
    there = BOUND[lab.settings["over"]][lab.settings["sent to"]]
    sock = _socket(lab, there)
    sock.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        sock.connect(name(there, PORT))
        if lab.settings["socket"] == "UDP":
            sock.send(b"x")
            sock.recv(10)
    time.sleep(10)


def _socket(lab: Lab, host: str) -> socket.socket:
    return socket.socket(addressed.family(host), KINDS[lab.settings["socket"]])


def _sending(settings: dict[str, str]) -> Variant:
    return addressed.variant(
        settings,
        client=sends,
        server=echoes,
        client_addresses=_TWO,
        server_addresses=_PEER,
        hosts=(Host(name="other", addresses=_OTHER, sysctl={}),),
        links=(Link(a="client", b="other"),),
        processes=(Process(host="other", name="other", program=echoes),),
        horizon_ns=HORIZON_NS,
    )


def _receiving(settings: dict[str, str]) -> Variant:
    return addressed.variant(
        settings,
        client=tries,
        server=takes,
        client_addresses=_PEER,
        server_addresses=_TWO,
        hosts=(Host(name="other", addresses=_OTHER, sysctl={}),),
        links=(Link(a="server", b="other"),),
        horizon_ns=HORIZON_NS,
    )


#: How each kind of socket shows from where what it takes came, and how a client is told.
_SHOWS: Final = {"TCP": ("accept", "connect"), "UDP": ("recvfrom", "recv")}


def _sent(settings: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    taker = "server" if settings["to"] == "the peer" else "other"
    return ((taker, _SHOWS[settings["socket"]][0]),)


def _came(settings: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    takes, told = _SHOWS[settings["socket"]]
    return (("server", takes), ("client", told))


_SENDING: Final = tuple(
    replace(_sending(settings), tells=_sent(settings))
    for over, bound in BOUND.items()
    for settings in each(
        socket=tuple(KINDS),
        over=(over,),
        **{"bound to": tuple(bound), "to": ("the peer", "another host")},
    )
    if over == "IPv4" or settings["bound to"] != "nothing"
)
_RECEIVING: Final = tuple(
    replace(_receiving(settings), tells=_came(settings))
    for over, bound in BOUND.items()
    for settings in each(
        socket=tuple(KINDS),
        over=(over,),
        **{"taken at": (*bound, "each"), "sent to": tuple(bound)[1:]},
    )
    if over == "IPv4" or settings["taken at"] == "the first interface's"
)
_VARIANTS: Final = (*_SENDING, *_RECEIVING)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read every packet's source, and which packets found a socket."""
    from_it = elsewhere = 0
    for variant in _SENDING:
        settings = variant.settings
        over, bound = settings["over"], settings["bound to"]
        sources = {packet.src for packet in addressed.sent(runs[variant.name], "client")}
        if bound == "nothing":
            way = "the first interface's" if settings["to"] == "the peer" else "the other's"
            assert sources == {BOUND[over][way]}, "without bind the route says"
            continue
        assert sources == {BOUND[over][bound]}, f"{variant.name}: {sources}"
        from_it += sum(
            isinstance(packet.body, Segment | Datagram)
            for packet in addressed.sent(runs[variant.name], "client")
        )
        elsewhere += (bound == "the first interface's") != (settings["to"] == "the peer")
    taken = refused = 0
    for variant in _RECEIVING:
        settings, trace = variant.settings, runs[variant.name]
        at, to = settings["taken at"], settings["sent to"]
        error, number = _fate(trace)
        if at == "each":
            assert number == list(BOUND[settings["over"]]).index(to), "the closest one has it"
        elif at in {"nothing", to}:
            assert number == 0, f"{variant.name}: what is sent to it is taken"
            taken += at == "nothing"
        else:
            assert error == "ECONNREFUSED", f"{variant.name}: {error}"
            assert number is None
            refused += 1
    return Answer(
        verdict="confirmed",
        text=(
            f"Both, with TCP and UDP, IPv4 and IPv6. All {from_it} segments and datagrams of bound "
            "sockets came from the bound address, also those that left by an interface which does "
            f"not have it ({elsewhere} runs): the route chooses the interface. Only what is sent "
            "to the bound address is received; to another address of the same host the client is "
            f"told ECONNREFUSED, by RST or ICMP ({refused} runs)."
        ),
        zh=(
            f"两者都限制，TCP 和 UDP、IPv4 和 IPv6 都如此。已绑定的套接字发出的 {from_it} 个报文都"
            f"以绑定的地址为源，从没有该地址的接口发出时也一样（{elsewhere} 次）：接口由路由决定。"
            "只收到发给绑定地址的报文；发到同一主机的另一个地址，客户端得到 ECONNREFUSED（RST 或 "
            f"ICMP，{refused} 次）。"
        ),
        more=(
            f"A socket at the wildcard takes what is sent to either address ({taken} runs). Where "
            "sockets at the same port are bound to the wildcard and to addresses (SO_REUSEPORT), "
            "the one with the very address has it. By which interface a packet comes does not "
            "matter."
        ),
        more_zh=(
            f"绑定通配地址的套接字，发给哪个地址的都收（{taken} 次）。同一端口上既有通配又有具体地"
            "址（SO_REUSEPORT）时，地址完全相同的那个得到报文。报文从哪个接口来无关紧要。"
        ),
    )


def _fate(trace: Trace) -> tuple[object, int | None]:
    """What the client was told, and the number of the socket that took what it sent."""
    told = [gave(c) for c in calls(trace, process="client") if c.call in {"connect", "recv"}]
    marks = addressed.marks(trace, "server")
    numbers = [int(mark.rpartition(" ")[2]) for mark in marks if mark.startswith("taken")]
    return told[-1], numbers[0] if numbers else None


NOTE: Final = Note(
    id="N22",
    question="What does a bound address restrict: what is sent, what is received?",
    question_zh="绑定的地址限制什么：发送的，还是接收的？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "Linux inet_csk_listen_start",
        "Linux __inet_lookup_listener",
        "Linux udp4_lib_lookup2",
        "Linux ip_queue_xmit",
    ),
    words=(
        "bind",
        "source address",
        "ECONNREFUSED",
        "interface",
        "wildcard",
        "SO_REUSEPORT",
        "received",
    ),
)
