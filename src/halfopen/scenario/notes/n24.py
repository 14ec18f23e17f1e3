"""N24: a socket with the wildcard address, and the call by which it gets one of its own."""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.trace import Trace
from halfopen.scenario import unspec
from halfopen.scenario.model import Answer, Host, Lab, Link, Note, Process, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import KINDS, PORT, name

OWN_PORT: Final = 7000
LATER: Final = 0.06
HORIZON_NS: Final = 350 * MS

#: Two interfaces: one leads to the server, one to the other host.
_CLIENT: Final = ("10.0.0.1", "10.1.0.1", "2001:db8::1", "2001:db8:1::1")
_OTHER: Final = ("10.1.0.2", "2001:db8:1::2")
THERE: Final = {
    ("IPv4", "server"): "10.0.0.2",
    ("IPv6", "server"): "2001:db8::2",
    ("IPv4", "other"): _OTHER[0],
    ("IPv6", "other"): _OTHER[1],
}
#: The address by which the way leads to each.
_SOURCE: Final = {
    ("IPv4", "server"): _CLIENT[0],
    ("IPv4", "other"): _CLIENT[1],
    ("IPv6", "server"): _CLIENT[2],
    ("IPv6", "other"): _CLIENT[3],
}
WILDCARD: Final = {"IPv4": "0.0.0.0", "IPv6": "::"}


def server(lab: Lab) -> None:
    """Be there for both protocols, on any address; both hosts run it."""
    taken = []
    for host in WILDCARD.values():
        for kind in KINDS.values():
            sock = socket.socket(addressed.family(host), kind)
            if ":" in host:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(name(host, PORT))
            if kind == socket.SOCK_STREAM:
                sock.listen(5)
            taken.append(sock)
    lab.mark("ready")
    time.sleep(10)


def client(lab: Lab) -> None:
    """Ask for the socket's name before and after each call."""
    over = lab.settings["over"]
    sock = socket.socket(addressed.family(WILDCARD[over]), KINDS[lab.settings["socket"]])
    sock.setblocking(False)
    sock.getsockname()
    if lab.settings["bound"] == "to the wildcard":
        sock.bind(name(WILDCARD[over], OWN_PORT))
    sock.getsockname()
    for step in lab.settings["then"].split(", then "):
        call, _, host = step.partition(" ")
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            CALLS[call](sock, over, host)
        sock.getsockname()
        time.sleep(LATER)
        if call == "refused":  # and this call is told
            with contextlib.suppress(ConnectionRefusedError):
                _refused(sock, over, host)
        sock.getsockname()
    time.sleep(10)


def _listen(sock: socket.socket, over: str, host: str) -> None:
    sock.listen(5)


def _connect(sock: socket.socket, over: str, host: str) -> None:
    sock.connect(name(THERE[over, host], PORT))


def _refused(sock: socket.socket, over: str, host: str) -> None:
    sock.connect(name(THERE[over, host], PORT + 1))


def _send(sock: socket.socket, over: str, host: str) -> None:
    sock.sendto(b"x", name(THERE[over, host], PORT))


def _dissolve(sock: socket.socket, over: str, host: str) -> None:
    unspec.dissolve(sock)


CALLS: Final[dict[str, Callable[[socket.socket, str, str], None]]] = {
    "listen": _listen,
    "connect": _connect,
    "refused": _refused,
    "sendto": _send,
    "dissolve": _dissolve,
}
_THEN: Final = {
    "TCP": (
        "listen",
        "connect server",
        "connect other",
        "refused server, then connect other",
        "connect server, then dissolve, then connect other",
    ),
    "UDP": (
        "sendto server, then sendto other",
        "connect server",
        "connect other",
        "connect server, then connect other, then sendto other",
        "connect server, then dissolve, then connect other",
    ),
}


def _variant(settings: dict[str, str]) -> Variant:
    return addressed.variant(
        settings,
        client=client,
        server=server,
        client_addresses=_CLIENT,
        hosts=(Host(name="other", addresses=_OTHER, sysctl={}),),
        links=(Link(a="client", b="other"),),
        processes=(Process(host="other", name="other", program=server),),
        horizon_ns=HORIZON_NS,
    )


_VARIANTS: Final[dict[tuple[str, str, str, str], Variant]] = {
    tuple(settings.values()): _variant(settings)  # type: ignore[misc]  # of four
    for kind, then in _THEN.items()
    for settings in each(
        socket=(kind,), over=tuple(WILDCARD), bound=("not at all", "to the wildcard"), then=then
    )
}


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read the name before and after each call, and the sources of what was sent."""
    resolved = kept = listening = 0
    for (kind, over, bound, then), variant in _VARIANTS.items():
        trace = runs[variant.name]
        hosts = [given[0] for given in addressed.names(trace, "client") if isinstance(given, list)]
        sources = [packet.src for packet in addressed.sent(trace, "client")]
        wildcard = WILDCARD[over]
        assert hosts[:2] == [wildcard, wildcard], "bind alone resolves nothing"
        asked = hosts[2:]
        if then == "listen":
            assert asked == [wildcard] * 2, "a listener keeps it"
            listening += 1
        elif then.startswith("sendto"):
            assert asked == [wildcard] * 4, "sendto leaves the socket as it is"
            assert sources[:2] == [_SOURCE[over, "server"], _SOURCE[over, "other"]]
            kept += 1
        elif then.startswith("refused") or "dissolve" in then:
            first, after, second = asked[0], asked[-3], asked[-2]
            assert first == _SOURCE[over, "server"]
            assert after == wildcard, f"{bound}: it is undone"
            assert second == _SOURCE[over, "other"], "and chosen anew"
        else:
            to = then.partition(",")[0].removeprefix("connect ")
            assert set(asked) == {_SOURCE[over, to]}, "at once, for good, by the way there"
            if kind == "UDP" and "then" in then:
                assert sources == [_SOURCE[over, "server"]], "what the first connect chose stays"
            resolved += 1
    return Answer(
        verdict="answered",
        text=(
            "At connect, before anything is sent: the socket then has the source address of the "
            f"route to that peer ({resolved} of {resolved} runs, TCP and UDP, IPv4 and IPv6), "
            "whether it was bound to the wildcard before or not at all. bind and listen do not "
            f"choose ({listening} listeners keep the wildcard; each accepted connection has its "
            "own address, from the SYN). Nor does UDP's sendto: each datagram has the source of "
            f"its own route ({kept} runs)."
        ),
        zh=(
            f"在 connect 时，在发出任何报文之前：套接字得到通往对端的路由的源地址（{resolved} 次中 "
            f"{resolved} 次，TCP 和 UDP，IPv4 和 IPv6），不管之前绑定了通配地址还是根本没有 bind。"
            f"bind 和 listen 时都不选（{listening} 个监听套接字一直是通配地址；accept 得到的连接各"
            "有自己的地址，取自 SYN）。UDP 的 sendto 也不选：每个数据报用自己那条路由的源地址"
            f"（{kept} 次）。"
        ),
        more=(
            "A refused TCP connect undoes it, and a connect with AF_UNSPEC does for both; the next "
            "one chooses anew. Without that UDP keeps the address of its first connect, even for a "
            "second peer behind another interface."
        ),
        more_zh=(
            "TCP 的 connect 被拒绝后又恢复通配地址，用 AF_UNSPEC 调用 connect 则两者都恢复，下一次"
            "重新选择。否则 UDP 保留第一次 connect 的地址，即使第二个对端在另一个接口后面。"
        ),
    )


NOTE: Final = Note(
    id="N24",
    question="INADDR_ANY: the kernel chooses the address; when?",
    question_zh="INADDR_ANY：由内核选择地址，什么时候选？",
    variants=tuple(_VARIANTS.values()),
    answer=answer,
    why=(
        "Linux __inet_bind",
        "Linux tcp_v4_connect",
        "Linux tcp_disconnect",
        "Linux __ip4_datagram_connect",
        "Linux udp_sendmsg",
    ),
    words=("INADDR_ANY", "wildcard", "0.0.0.0", "bind", "connect", "getsockname", "source address"),
    tells=(("client", "getsockname"),),
)
