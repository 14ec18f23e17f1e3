"""N28: getsockname and getpeername in every state of a socket, at both ends."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario import unspec
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import CLIENT, KINDS, PORT, SERVER, name, own_name

OWN_PORT: Final = 7000
#: Longer than what the server does takes to come.
LATER: Final = 0.06
HORIZON_NS: Final = 300 * MS
_RESET: Final = struct.pack("ii", 1, 0)

#: What a socket binds to, and where its peer is.
OWN: Final = {"IPv4": CLIENT[0], "IPv6": CLIENT[2], "mapped": f"::ffff:{CLIENT[0]}"}
THERE: Final = {"IPv4": SERVER[0], "IPv6": SERVER[2], "mapped": f"::ffff:{SERVER[0]}"}
WILDCARD: Final = {"IPv4": "0.0.0.0", "IPv6": "::", "mapped": "::"}


def server(lab: Lab) -> None:
    """Accept, ask for the names, and end one's side in the way that the state needs."""
    state = lab.settings["state"]
    there = THERE[lab.settings["over"]]
    sock = socket.socket(addressed.family(there), KINDS[lab.settings["socket"]])
    sock.bind(name(there, PORT))
    if lab.settings["socket"] == "UDP":
        lab.mark("ready")
        time.sleep(10)
    sock.listen(5)
    lab.mark("ready")
    conn, _ = sock.accept()
    own_name(conn)
    if state == "peer closed":
        conn.shutdown(socket.SHUT_WR)
    elif state in {"TIME_WAIT", "peer closed, then this end"}:
        if state == "TIME_WAIT":
            conn.recv(1)
        conn.close()
    elif state in {"reset", "reset, and told"}:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        conn.close()
    time.sleep(10)


def client(lab: Lab) -> None:
    """Bring a socket into the state and ask for both names."""
    over = lab.settings["over"]
    sock = socket.socket(addressed.family(OWN[over]), KINDS[lab.settings["socket"]])
    with contextlib.suppress(ConnectionRefusedError):
        STATES[lab.settings["socket"]][lab.settings["state"]](sock, over)
    lab.mark("asks")
    with contextlib.suppress(OSError):
        sock.getsockname()
    with contextlib.suppress(OSError):
        sock.getpeername()
    time.sleep(10)


# The states.


def _new(sock: socket.socket, over: str) -> None:
    """Do nothing more."""


def _bound(sock: socket.socket, over: str) -> None:
    sock.bind(name(OWN[over], OWN_PORT))


def _bound_to_port_0(sock: socket.socket, over: str) -> None:
    sock.bind(name(OWN[over], 0))


def _bound_to_wildcard(sock: socket.socket, over: str) -> None:
    sock.bind(name(WILDCARD[over], OWN_PORT))


def _listening(sock: socket.socket, over: str) -> None:
    _bound(sock, over)
    sock.listen(5)


def _listening_unbound(sock: socket.socket, over: str) -> None:
    sock.listen(5)


def _connecting(sock: socket.socket, over: str) -> None:
    sock.setblocking(False)
    sock.connect_ex(name(THERE[over], PORT))


def _connected(sock: socket.socket, over: str) -> None:
    sock.connect(name(THERE[over], PORT))
    time.sleep(LATER)


def _bound_and_connected(sock: socket.socket, over: str) -> None:
    _bound_to_wildcard(sock, over)
    _connected(sock, over)


def _refused(sock: socket.socket, over: str) -> None:
    sock.connect(name(THERE[over], PORT + 1))


def _bound_and_refused(sock: socket.socket, over: str) -> None:
    _bound(sock, over)
    _refused(sock, over)


def _shut(sock: socket.socket, over: str) -> None:
    sock.connect(name(THERE[over], PORT))
    sock.shutdown(socket.SHUT_WR)
    time.sleep(LATER)


def _closed_after_peer(sock: socket.socket, over: str) -> None:
    _connected(sock, over)
    sock.recv(1)
    sock.shutdown(socket.SHUT_WR)
    time.sleep(LATER)


def _reset_and_told(sock: socket.socket, over: str) -> None:
    _connected(sock, over)
    with contextlib.suppress(ConnectionResetError):
        sock.recv(1)


def _closed(sock: socket.socket, over: str) -> None:
    _connected(sock, over)
    sock.close()


def _dissolved(sock: socket.socket, over: str) -> None:
    _connected(sock, over)
    unspec.dissolve(sock)


def _bound_and_dissolved(sock: socket.socket, over: str) -> None:
    _bound(sock, over)
    _dissolved(sock, over)


def _bound_to_port_0_and_dissolved(sock: socket.socket, over: str) -> None:
    _bound_to_port_0(sock, over)
    _dissolved(sock, over)


def _sent(sock: socket.socket, over: str) -> None:
    sock.sendto(b"x", name(THERE[over], PORT))


def _sent_to_nobody(sock: socket.socket, over: str) -> None:
    sock.connect(name(THERE[over], PORT + 1))
    sock.send(b"x")
    sock.recv(1)


_Prepare = Callable[[socket.socket, str], None]
_BOTH: Final[dict[str, _Prepare]] = {
    "new": _new,
    "bound": _bound,
    "bound to port 0": _bound_to_port_0,
    "bound to the wildcard": _bound_to_wildcard,
    "connected": _connected,
    "bound to the wildcard, connected": _bound_and_connected,
    "connected, dissolved": _dissolved,
    "bound, connected, dissolved": _bound_and_dissolved,
    "bound to port 0, connected, dissolved": _bound_to_port_0_and_dissolved,
    "closed": _closed,
}
STATES: Final[dict[str, dict[str, _Prepare]]] = {
    "TCP": _BOTH
    | {
        "listening": _listening,
        "listening, not bound": _listening_unbound,
        "SYN_SENT": _connecting,
        "refused": _refused,
        "bound, refused": _bound_and_refused,
        "this end shut": _shut,
        "peer closed": _connected,
        "TIME_WAIT": _shut,
        "peer closed, then this end": _closed_after_peer,
        "reset": _connected,
        "reset, and told": _reset_and_told,
    },
    "UDP": _BOTH | {"sent": _sent, "sent to nobody": _sent_to_nobody},
}
#: As programs of IPv6 see IPv4.
_MAPPED: Final = ("bound", "SYN_SENT", "connected")

_VARIANTS: Final[dict[tuple[str, str, str], Variant]] = {
    tuple(settings.values()): addressed.variant(  # type: ignore[misc]  # of three
        settings, server=server, client=client, horizon_ns=HORIZON_NS
    )
    for kind, states in STATES.items()
    for settings in each(socket=(kind,), state=tuple(states), over=tuple(OWN))
    if settings["over"] != "mapped" or (settings["state"] in _MAPPED and kind == "TCP")
}


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read what both calls gave in each state; addresses by what they are, not by their text."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    accepted = 0
    for (kind, state, over), variant in _VARIANTS.items():
        trace = runs[variant.name]
        found.setdefault((kind, state), []).append(_asked(trace, over))
        for at_server, client_name, came in _at_server(trace):
            assert at_server[:2] == [THERE[over], PORT], "the address of the SYN"
            assert client_name == came, "getpeername says what accept said"
            accepted += 1
    for key, given in found.items():
        assert len(set(given)) == 1, f"{key}: the families differ: {given}"
    own = {key: given[0][0] for key, given in found.items()}
    peer = {key: given[0][1] for key, given in found.items()}
    assert own["TCP", "new"] == own["UDP", "new"] == "wildcard, no port"
    assert own["TCP", "connected"] == own["TCP", "SYN_SENT"] == "own, picked port"
    assert own["UDP", "connected"] == "own, picked port", "UDP's connect asks nobody"
    assert own["UDP", "sent"] == "wildcard, picked port", "only each datagram has a source"
    early = sum(own[key] != "wildcard, no port" for key in own if key[1] in _BEFORE)
    knows = [state for kind, state in peer if kind == "TCP" and peer[kind, state] == "peer"]
    lost = [state for kind, state in peer if kind == "TCP" and peer[kind, state] == "ENOTCONN"]
    assert own["TCP", "closed"] == peer["UDP", "closed"] == "EBADF"
    assert {"connected", "peer closed", "this end shut"} <= set(knows)
    assert {"SYN_SENT", "listening", "refused", "reset", "TIME_WAIT"} <= set(lost)
    return Answer(
        verdict="qualified",
        text=(
            "getsockname gives the address from connect on, in SYN-SENT already. But it works in "
            f"every state ({len(own) - 2} of them): before connect it gives what bind or listen "
            f"gave, on a new socket {_EN[own['TCP', 'new']]}. getpeername gives the peer while "
            "there is a connection, at the client too, not only at the server; ENOTCONN before it, "
            "and after its end. On a closed descriptor both give EBADF."
        ),
        zh=(
            "从调用 connect 起 getsockname 就给出地址，SYN-SENT 时已经有了。但它在每种状态下都可用"
            f"（{len(own) - 2} 种）：connect 之前给出 bind 或 listen 得到的地址，新套接字是"
            f"{_ZH[own['TCP', 'new']]}。getpeername 在连接存在时给出对端，客户端也可用，不只是服务"
            "器；连接之前和结束之后返回 ENOTCONN。描述符已关闭时两者都返回 EBADF。"
        ),
        more=(
            f"bind or listen gave a name in {early} states before connect. After connect was "
            f"refused getsockname shows {_EN[own['TCP', 'refused']]}. getpeername gives the peer "
            f"of {accepted} accepted sockets, and when: {'; '.join(knows)}. ENOTCONN when: "
            f"{'; '.join(lost).replace('_', '-')}. UDP: connect gives both names; after sendto "
            f"alone it is {_EN[own['UDP', 'sent']]}."
        ),
        more_zh=(
            f"connect 之前由 bind 或 listen 得到地址的有 {early} 种状态。connect 被拒绝后又是"
            f"{_ZH[own['TCP', 'refused']]}。getpeername 对 accept 得到的 {accepted} 个套接字都给出"
            f"对端，此外还有：{_states_zh(knows)}。返回 ENOTCONN 的：{_states_zh(lost)}。UDP："
            f"connect 之后两者都有；只 sendto 过则是{_ZH[own['UDP', 'sent']]}。"
        ),
    )


#: Before connect, and with a name by bind or listen.
_BEFORE: Final = (
    "bound",
    "bound to port 0",
    "bound to the wildcard",
    "listening",
    "listening, not bound",
)
_STATES_ZH: Final = {
    "new": "新建",
    "bound": "已绑定",
    "bound to port 0": "绑定了端口 0",
    "bound to the wildcard": "绑定了通配地址",
    "connected": "已连接",
    "bound to the wildcard, connected": "绑定通配地址后已连接",
    "connected, dissolved": "连接后解除（AF_UNSPEC）",
    "bound, connected, dissolved": "绑定、连接后解除",
    "bound to port 0, connected, dissolved": "绑定端口 0、连接后解除",
    "listening": "在监听",
    "listening, not bound": "未绑定就监听",
    "SYN_SENT": "SYN-SENT",
    "refused": "被拒绝",
    "bound, refused": "绑定后被拒绝",
    "this end shut": "本端已 shutdown",
    "peer closed": "对端已关闭",
    "TIME_WAIT": "TIME-WAIT",
    "peer closed, then this end": "对端先关、本端后关",
    "reset": "被重置",
    "reset, and told": "被重置且已得知",
}
_EN: Final = {
    "wildcard, no port": "the wildcard address and port 0",
    "wildcard, picked port": "the wildcard address and the port that was picked",
}
_ZH: Final = {
    "wildcard, no port": "通配地址和端口 0",
    "wildcard, picked port": "通配地址和内核选的端口",
}


def _states_zh(states: list[str]) -> str:
    return "；".join(_STATES_ZH[state] for state in states)


def _asked(trace: Trace, over: str) -> tuple[str, str]:
    """Say what the two calls gave at the client."""
    told = []
    for call in ("getsockname", "getpeername"):
        (given,) = addressed.names(trace, "client", call)
        told.append(given if isinstance(given, str) else _shape(given, over))
    return told[0], told[1]


def _shape(given: object, over: str) -> str:
    assert isinstance(given, list), "a name is a list"
    host, port = given
    if host == THERE[over]:
        return "peer"
    assert host in {WILDCARD[over], OWN[over]}, f"no other address than its own: {host}"
    ports = {0: "no port", OWN_PORT: "given port"}
    return f"{'own' if host == OWN[over] else 'wildcard'}, {ports.get(port, 'picked port')}"


def _at_server(trace: Trace) -> list[tuple[list[object], object, object]]:
    """The names of the accepted socket, and what accept said of its peer."""
    found: list[tuple[list[object], object, object]] = []
    for accept in calls(trace, process="server", call="accept"):
        if not isinstance(accept.result, Mapping):
            continue
        (own,) = calls(trace, process="server", call="getsockname")
        (peer,) = calls(trace, process="server", call="getpeername")
        assert isinstance(own.result, list), "a name is a list"
        found.append((list(own.result), peer.result, accept.result["peer"]))
    return found


NOTE: Final = Note(
    id="N28",
    question="getsockname and getpeername: what do they give in each state, and when do they fail?",
    question_zh="getsockname 和 getpeername：在每种状态下给出什么，何时出错？",
    variants=tuple(_VARIANTS.values()),
    answer=answer,
    why=(
        "Linux inet_getname",
        "Linux inet6_getname",
        "Linux tcp_v4_connect",
        "Linux tcp_set_state",
    ),
    words=(
        "getsockname",
        "getpeername",
        "ENOTCONN",
        "EBADF",
        "own address",
        "peer address",
        "ephemeral port",
    ),
    tells=(("client", "getsockname"), ("client", "getpeername")),
)
