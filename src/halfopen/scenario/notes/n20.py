"""N20: who picks address and port where bind does not, when, and which; and what bind refuses."""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.events import Mark
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import CLIENT, PORT, SERVER, gave

OWN_PORT: Final = 7000
#: Linux's number; the standard library names it from 3.12 on.
IP_BIND_ADDRESS_NO_PORT: Final = 24
HORIZON_NS: Final = 250 * MS
_DEFAULT: Final = "32768 60999"
#: So many sockets try for a port of a narrow range; there are two ports, or one.
TRIES: Final = 3
#: So many show of which parity the ports of the default range are.
MANY: Final = 8


def _tcp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    return sock


def _udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


# Which port is picked.


def picks(lab: Lab) -> None:
    """Let the kernel pick a port for one socket after another; all stay open."""
    count = MANY if lab.settings["ports"] == _DEFAULT else TRIES
    kept = []
    for number in range(count):
        sock = PICKS[lab.settings["picked by"]](number)
        port = sock.getsockname()[1]
        if count == MANY:
            lab.mark(f"{number}: {'odd' if port % 2 else 'even'}")
        kept.append(sock)
    time.sleep(10)


def _connect(number: int) -> socket.socket:
    return _connected(_tcp(), PORT)


def _connect_elsewhere(number: int) -> socket.socket:
    return _connected(_tcp(), PORT + number)


def _listen(number: int) -> socket.socket:
    sock = _tcp()
    with contextlib.suppress(OSError):
        sock.listen(5)
    return sock


def _bind(number: int) -> socket.socket:
    return _bound(_tcp())


def _bind_connect(number: int) -> socket.socket:
    return _connected(_bound(_tcp()), PORT + number)


def _bind_no_port_connect(number: int) -> socket.socket:
    sock = _tcp()
    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    _bound(sock).getsockname()
    return _connected(sock, PORT + number)


def _bind_udp(number: int) -> socket.socket:
    return _bound(_udp())


def _connect_udp(number: int) -> socket.socket:
    return _connected(_udp(), PORT + number)


def _sendto_udp(number: int) -> socket.socket:
    sock = _udp()
    with contextlib.suppress(OSError):
        sock.sendto(b"x", (SERVER[0], PORT))
    return sock


def _bound(sock: socket.socket) -> socket.socket:
    with contextlib.suppress(OSError):
        sock.bind((CLIENT[0], 0))
    return sock


def _connected(sock: socket.socket, port: int) -> socket.socket:
    with contextlib.suppress(OSError):
        sock.connect((SERVER[0], port))
    return sock


PICKS: Final[dict[str, Callable[[int], socket.socket]]] = {
    "connect": _connect,
    "connect to several": _connect_elsewhere,
    "listen": _listen,
    "bind": _bind,
    "bind, connect to several": _bind_connect,
    "bind without port, connect to several": _bind_no_port_connect,
    "bind, UDP": _bind_udp,
    "connect, UDP": _connect_udp,
    "sendto, UDP": _sendto_udp,
}


# Whether a client had better bind.


def server(lab: Lab) -> None:
    """Take two connections, one after the other, and wait for the end of each."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((SERVER[0], PORT))
    sock.listen(5)
    lab.mark("ready")
    for _ in range(2):
        conn, _ = sock.accept()
        conn.sendall(b"hello")
        conn.recv(1)
        conn.close()
    time.sleep(10)


def client(lab: Lab) -> None:
    """Bind in one way or not at all, connect, talk, close first; and the same again."""
    for _ in range(2):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if lab.settings["client"].endswith("SO_REUSEADDR"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            own = CLIENTS[lab.settings["client"]]
            if own is not None:
                sock.bind(own)
            sock.connect((SERVER[0], PORT))
            sock.recv(10)
            sock.close()
        time.sleep(0.05)
    time.sleep(10)


CLIENTS: Final[dict[str, tuple[str, int] | None]] = {
    "does not bind": None,
    "binds address": (CLIENT[1], 0),
    "binds 0.0.0.0, port 0": ("0.0.0.0", 0),
    "binds port": ("0.0.0.0", OWN_PORT),
    "binds address and port": (CLIENT[1], OWN_PORT),
    "binds port, SO_REUSEADDR": ("0.0.0.0", OWN_PORT),
}


# What bind refuses.


def binds(lab: Lab) -> None:
    """Bring a socket where bind has nothing to do, and call it."""
    sock = _tcp()
    BEFORE[lab.settings["bind"]](sock)
    low = lab.settings["bind"].startswith("a low port")
    with contextlib.suppress(OSError):
        sock.bind((CLIENT[0], PORT if low else OWN_PORT))
    sock.getsockname()
    time.sleep(10)


def _nothing(sock: socket.socket) -> None:
    """Leave it new."""


def _bound_already(sock: socket.socket) -> None:
    sock.bind((CLIENT[0], OWN_PORT))


def _no_port_yet(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind((CLIENT[1], 0))


def _connecting(sock: socket.socket) -> None:
    _connected(sock, PORT)


def _listening(sock: socket.socket) -> None:
    sock.listen(5)


def _refused(sock: socket.socket) -> None:
    sock.settimeout(0.1)
    _connected(sock, PORT + 1)


def _another(sock: socket.socket) -> None:
    _KEPT.append(_tcp())
    _KEPT[-1].bind((CLIENT[0], OWN_PORT))


_KEPT: Final[list[socket.socket]] = []
BEFORE: Final[dict[str, Callable[[socket.socket], None]]] = {
    "of a new socket": _nothing,
    "again": _bound_already,
    "again, without port before": _no_port_yet,
    "after connect": _connecting,
    "after listen": _listening,
    "after a refused connect": _refused,
    "to what another has": _another,
    "a low port, superuser": _nothing,
    "a low port, another user": _nothing,
    "a low port, another user, ip_unprivileged_port_start 80": _nothing,
}


def _picks(by: str, ports: str) -> Variant:
    return addressed.variant(
        {"picked by": by, "ports": ports},
        client=picks,
        client_sysctl={
            "net.ipv4.ip_local_port_range": ports.partition(",")[0],
            "net.ipv4.ip_local_reserved_ports": str(RESERVED) if "reserved" in ports else "",
        },
        horizon_ns=HORIZON_NS,
    )


def _binds(settings: dict[str, str]) -> Variant:
    named = settings["bind"].partition("ip_unprivileged_port_start ")[2]
    return addressed.variant(
        settings,
        client=binds,
        client_sysctl={"net.ipv4.ip_unprivileged_port_start": int(named or 1024)},
        privileged="another user" not in settings["bind"],
        horizon_ns=HORIZON_NS,
    )


#: A port of the range that is kept for somebody.
RESERVED: Final = 20_000
_RESERVED: Final = f"20000 20001, {RESERVED} reserved"
_NARROW: Final = ("20000 20001", "20001 20002", "20000 20000")
_PICKS: Final = {
    (by, ports): _picks(by, ports)
    for by in PICKS
    for ports in (*(_NARROW[-1:] if "UDP" in by else _NARROW), _DEFAULT)
    if "UDP" not in by or ports != _DEFAULT
} | {(by, _RESERVED): _picks(by, _RESERVED) for by in ("connect", "listen", "bind, UDP")}
_CLIENTS: Final = {
    settings["client"]: addressed.variant(
        settings, client=client, server=server, horizon_ns=2 * HORIZON_NS
    )
    for settings in each(client=tuple(CLIENTS))
}
_BINDS: Final = {settings["bind"]: _binds(settings) for settings in each(bind=tuple(BEFORE))}
_VARIANTS: Final = (*_PICKS.values(), *_CLIENTS.values(), *_BINDS.values())


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read which ports were picked, what is told where none is left, and what bind refuses."""
    connect, listen = _parity(runs, "connect"), _parity(runs, "listen")
    assert _parity(runs, "bind") == listen, "bind to port 0 picks as listen does"
    assert connect != listen
    for by in ("connect", "listen"):
        for ports in _NARROW[:2]:
            low = int(ports.split()[0])
            wanted = [low, low + 1] if by == "connect" else [low + 1, low]
            assert _ports(runs, by, ports)[:2] == wanted, "parity counts from the lowest port"
        assert set(_ports(runs, by, _RESERVED)) <= {0, RESERVED + 1}, "never a reserved one"
    none_left = {by: _none_left(runs, by) for by in PICKS}
    shares = [by for by, error in none_left.items() if error is None]
    assert shares == [
        "connect to several",
        "bind without port, connect to several",
    ], "these have as many connections as there are peers"
    again = {how: _again(runs[variant.name]) for how, variant in _CLIENTS.items()}
    fixed = [how for how, error in again.items() if error is not None]
    assert all("port" in how for how in fixed)
    refused = {how: gave(calls(runs[v.name], call="bind")[-1]) for how, v in _BINDS.items()}
    assert refused["of a new socket"] is None
    denied = refused["a low port, another user"]
    assert refused["a low port, superuser"] is None
    twice = [how for how, error in refused.items() if error == "EINVAL"]
    return Answer(
        verdict="qualified",
        text=(
            "The kernel picks: the port from ip_local_port_range, at connect, listen or UDP's "
            "first send; the address by the route, at connect. A client works with bind and "
            f"without ({len(again)} ways tried); but one that binds a fixed port can't come back "
            f"while its last connection is in TIME-WAIT ({again[fixed[0]]}), unless SO_REUSEADDR "
            "is set. A server needs no bind to listen, only nobody knows its port. When no port is "
            f"left, connect gives {none_left['connect']}, bind and listen {none_left['bind']}."
        ),
        zh=(
            "由内核选：端口在 connect、listen 或 UDP 第一次发送时从 ip_local_port_range 里选；地址"
            f"在 connect 时由路由决定。客户端 bind 不 bind 都能工作（试了 {len(again)} 种方式）；但"
            f"绑定固定端口的客户端在上一个连接处于 TIME-WAIT 时不能再来（{again[fixed[0]]}），除非"
            "设置 SO_REUSEADDR。服务器不 bind 也能 listen，只是没有人知道它的端口。没有空闲端口时，"
            f"connect 返回 {none_left['connect']}，bind 和 listen 返回 {none_left['bind']}。"
        ),
        more=(
            f"connect takes {connect} ports of the default range, bind to port 0 and listen "
            f"{listen} ones, the others when those are used up; nobody takes one of "
            "ip_local_reserved_ports. connect shares a port between peers; a port that bind picked "
            "is taken for good, unless IP_BIND_ADDRESS_NO_PORT leaves it to connect. None left, "
            f"UDP's send and connect give {none_left['sendto, UDP']}. bind is EINVAL "
            f"{', '.join(twice)}; below ip_unprivileged_port_start it is {denied} to who is not "
            "the superuser."
        ),
        more_zh=(
            f"connect 取默认范围里的{_ZH[connect]}端口，bind 端口 0 和 listen 取{_ZH[listen]}端口，"
            "用完了才取另一半；ip_local_reserved_ports 里的谁也不取。connect 可以让几个对端共用一个"
            "端口；bind 选的端口则被独占，除非用 IP_BIND_ADDRESS_NO_PORT 留给 connect 去选。没有空"
            f"闲端口时，UDP 的发送和 connect 返回 {none_left['sendto, UDP']}。bind 返回 EINVAL 的情"
            f"形：{'、'.join(_TWICE_ZH[how] for how in twice)}；低于 ip_unprivileged_port_start 的"
            f"端口，非超级用户得到 {denied}。"
        ),
    )


_TWICE_ZH: Final = {
    "again": "再次 bind",
    "after connect": "connect 之后",
    "after listen": "listen 之后",
}
_ZH: Final = {"odd": "奇数", "even": "偶数"}


def _parity(runs: Mapping[str, Trace], by: str) -> str:
    """Of which parity all the ports were that were picked from the default range."""
    trace = runs[_PICKS[by, _DEFAULT].name]
    marks = [event.name.split(": ")[1] for event in trace.events if isinstance(event, Mark)]
    assert len(marks) == MANY
    (parity,) = set(marks)
    return parity


def _ports(runs: Mapping[str, Trace], by: str, ports: str) -> list[object]:
    trace = runs[_PICKS[by, ports].name]
    names = addressed.names(trace, "client")[-TRIES:]
    return [given[1] for given in names if isinstance(given, list)]


def _none_left(runs: Mapping[str, Trace], by: str) -> str | None:
    """What is told who finds no port in a range of one; None: there is always one."""
    trace = runs[_PICKS[by, _NARROW[-1]].name]
    told = [call for call in calls(trace, process="client") if call.errno not in _FINE]
    assert {call.errno for call in told} <= {None, "EADDRINUSE", "EADDRNOTAVAIL", "EAGAIN"}
    errors = [call.errno for call in told if call.errno is not None]
    return errors[0] if errors else None


_FINE: Final = (None, "EINPROGRESS")


def _again(trace: Trace) -> str | None:
    """What the second time gave."""
    first, *_ = calls(trace, process="client", call="connect")
    assert first.errno is None, "the first time it connects"
    errors = [call.errno for call in calls(trace, process="client") if call.errno is not None]
    return errors[0] if errors else None


NOTE: Final = Note(
    id="N20",
    question="Without bind, who picks address and port, when, and does a client care?",
    question_zh="不 bind 时谁来选地址和端口，何时选？客户端在意吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "Linux __inet_hash_connect",
        "Linux inet_csk_find_open_port",
        "Linux inet_autobind",
        "Linux __inet_bind",
    ),
    words=(
        "bind",
        "ephemeral port",
        "ip_local_port_range",
        "EADDRINUSE",
        "EADDRNOTAVAIL",
        "EACCES",
        "IP_BIND_ADDRESS_NO_PORT",
        "TIME_WAIT",
    ),
    tells=(
        ("client", "bind"),
        ("client", "connect"),
        ("client", "listen"),
        ("client", "sendto"),
        ("client", "getsockname"),
    ),
)
