"""N27: a host with several addresses and interfaces: what comes in, and what it is sent from."""

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import MS
from halfopen.record.faults import AddressGone, Fault, InterfaceDown
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Host, Lab, Lan, Link, Note, OnMark, Step, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import KINDS, PORT, gave, name

PATIENCE: Final = 0.1
FAULT_AFTER_NS: Final = 10 * MS
HORIZON_NS: Final = 350 * MS

#: The host in question: eth0 leads to the client, eth1 to another host.
_OWN: Final = ("10.0.0.2", "10.1.0.2", "10.1.0.3", "2001:db8::2", "2001:db8:1::2", "2001:db8:1::3")
_CLIENT: Final = ("10.0.0.1", "2001:db8::1")
_OTHER: Final = ("10.1.0.9", "2001:db8:1::9")
#: To who comes over eth1 the arriving interface has two addresses of each family.
AT: Final = {
    ("IPv4", "the arriving interface's"): "10.1.0.2",
    ("IPv4", "its second"): "10.1.0.3",
    ("IPv4", "the other interface's"): "10.0.0.2",
    ("IPv6", "the arriving interface's"): "2001:db8:1::2",
    ("IPv6", "its second"): "2001:db8:1::3",
    ("IPv6", "the other interface's"): "2001:db8::2",
}
WILDCARD: Final = {"IPv4": "0.0.0.0", "IPv6": "::"}
PEER: Final = {"IPv4": _OTHER[0], "IPv6": _OTHER[1]}


# What comes in.


def serves(lab: Lab) -> None:
    """Give back what comes: from one socket at the wildcard, or one at the very address."""
    over = lab.settings["over"]
    own = WILDCARD[over]
    if lab.settings.get("bound") == "to the address":
        own = AT[over, lab.settings["to"]]
    sock = _socket(lab, own)
    sock.bind(name(own, PORT))
    if sock.type == socket.SOCK_STREAM:
        sock.listen(5)
        lab.mark("ready")
        conn, _ = sock.accept()
        conn.getsockname()
        conn.sendall(conn.recv(10))
    else:
        lab.mark("ready")
        data, peer = sock.recvfrom(10)
        sock.sendto(data, peer)
    time.sleep(10)


def asks(lab: Lab) -> None:
    """Ask at one of the addresses; of UDP with or without connect."""
    there = name(AT[lab.settings["over"], lab.settings["to"]], PORT)
    sock = _socket(lab, there[0])
    sock.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        if lab.settings.get("client") == "sendto":
            sock.sendto(b"x", there)
        else:
            sock.connect(there)
            sock.send(b"x")
        sock.recvfrom(10)
    time.sleep(10)


# What is sent.


def sends(lab: Lab) -> None:
    """Be the host itself, and open something to its peer."""
    over = lab.settings["over"]
    sock = _socket(lab, PEER[over])
    if lab.settings["source"] == "bound":
        sock.bind(name(AT[over, "the other interface's"], 0))
    sock.connect(name(PEER[over], PORT))
    sock.getsockname()
    sock.send(b"x")
    time.sleep(10)


def hears(lab: Lab) -> None:
    """Be the peer of ``sends``."""
    own = WILDCARD[lab.settings["over"]]
    sock = _socket(lab, own)
    sock.bind(name(own, PORT))
    if sock.type == socket.SOCK_STREAM:
        sock.listen(5)
        lab.mark("ready")
        conn, _ = sock.accept()
        conn.recv(10)
    else:
        lab.mark("ready")
        sock.recvfrom(10)
    time.sleep(10)


# An address is taken away.


def loses(lab: Lab) -> None:
    """Be connected from one address, lose one, go on; and connect again."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((AT["IPv4", "the arriving interface's"], 0))
    sock.connect((PEER["IPv4"], PORT))
    lab.mark("connected")
    time.sleep(0.05)
    sock.send(b"x")
    time.sleep(0.05)
    again = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    again.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        again.connect((PEER["IPv4"], PORT))
    again.getsockname()
    time.sleep(10)


def takes(lab: Lab) -> None:
    """Be the peer of ``loses``."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("0.0.0.0", PORT))
    sock.listen(5)
    lab.mark("ready")
    conn, _ = sock.accept()
    conn.recv(10)
    time.sleep(10)


def _socket(lab: Lab, host: str) -> socket.socket:
    return socket.socket(addressed.family(host), KINDS[lab.settings["socket"]])


def _variant(
    settings: dict[str, str],
    *,
    fault: Fault | None = None,
    after: tuple[str, str] = ("server", "ready"),
    sources: tuple[tuple[str, str], ...] = (),
) -> Variant:
    """Build a run; the host in question is asked, or does something itself."""
    asked = "to" in settings
    sending, hearing = (loses, takes) if "gone" in settings else (sends, hears)
    at = OnMark(process=after[0], name=after[1], delay_ns=FAULT_AFTER_NS)
    return addressed.variant(
        settings,
        client=asks if asked else sending,
        server=serves if asked else hearing,
        client_host="other" if asked else "server",
        server_host="server" if asked else "other",
        client_addresses=_CLIENT,
        server_addresses=_OWN,
        server_sources=sources,
        hosts=(Host(name="other", addresses=_OTHER, sysctl={}),),
        links=(Link(a="server", b="other"),),
        steps=() if fault is None else (Step(when=at, fault=fault),),
        horizon_ns=HORIZON_NS,
    )


def _on_lan(settings: dict[str, str]) -> Variant:
    """Both hosts at one switch: who has the address is asked by ARP."""
    run = _variant(settings)
    own = tuple(AT["IPv4", to] for to in _TO[:2])
    server = Host(name="server", addresses=own, sysctl={})
    other = Host(name="other", addresses=_OTHER[:1], sysctl={})
    return replace(run, hosts=(server, other), links=(), lans=(Lan(hosts=("server", "other")),))


_TO: Final = tuple(dict.fromkeys(to for _, to in AT))
_ASKED: Final = tuple(
    _variant(settings) for settings in each(socket=tuple(KINDS), over=tuple(WILDCARD), to=_TO)
)
_AT_SWITCH: Final = tuple(
    _on_lan(settings)
    for settings in each(socket=tuple(KINDS), over=("IPv4",), to=_TO[:2], on=("a LAN",))
)
_UNCONNECTED: Final = tuple(
    _variant(settings)
    for settings in each(
        socket=("UDP",),
        over=tuple(WILDCARD),
        to=_TO[1:],
        client=("connect", "sendto"),
        bound=("to the wildcard", "to the address"),
    )
    if (settings["client"], settings["bound"]) != ("connect", "to the wildcard")
)
_DOWN: Final = tuple(
    _variant(settings, fault=InterfaceDown(host="server"))
    for settings in each(socket=("TCP",), over=tuple(WILDCARD), to=_TO[2:], eth0=("down",))
)
_SENT: Final = tuple(
    _variant(
        settings,
        sources=((PEER[over], AT[over, "its second"]),) if settings["source"] == "route's" else (),
    )
    for over in WILDCARD
    for settings in each(socket=tuple(KINDS), over=(over,), source=("first", "route's", "bound"))
)
_GONE: Final = tuple(
    _variant(
        settings,
        fault=AddressGone(host="server", address=AT["IPv4", settings["gone"]]),
        after=("client", "connected"),
    )
    for settings in each(socket=("TCP",), gone=_TO)
)
_VARIANTS: Final = (*_ASKED, *_AT_SWITCH, *_UNCONNECTED, *_DOWN, *_SENT, *_GONE)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read who was answered, and from where; then what the host sent from, and what it lost."""
    taken = other = odd = 0
    for variant in (*_ASKED, *_AT_SWITCH):
        trace, settings = runs[variant.name], variant.settings
        there = AT[settings["over"], settings["to"]]
        sources = {packet.src for packet in addressed.sent(trace, "server")}
        last = _last(trace)
        if settings["socket"] == "TCP":
            assert sources == {there}, "TCP answers from the address that was asked"
        elif settings["to"] != _TO[0]:
            assert there not in sources, "UDP answers from the address of the route"
            assert last == "timeout", "and a client that is connected does not take it"
            odd += 1
            continue
        assert isinstance(last, list), f"{variant.name}: answered"
        taken += 1
        other += settings["to"] == _TO[2]
    unasked = _unconnected(runs)
    down = {variant.settings["over"]: _last(runs[variant.name]) for variant in _DOWN}
    assert isinstance(down["IPv4"], list), "an address is the host's, not the interface's"
    assert isinstance(down["IPv6"], str), "those of IPv6 go with the interface"
    for variant in _SENT:
        settings = variant.settings
        place = {"first": _TO[0], "route's": _TO[1], "bound": _TO[2]}[settings["source"]]
        sources = {packet.src for packet in addressed.sent(runs[variant.name], "server")}
        assert sources == {AT[settings["over"], place]}, variant.name
    lost = {variant.settings["gone"]: _after_loss(runs[variant.name]) for variant in _GONE}
    silent, error = lost.pop(_TO[0])
    assert silent, "the connection's own address is gone"
    assert all(after == (False, None) for after in lost.values()), "the others do without theirs"
    return Answer(
        verdict="answered",
        text=(
            "It takes what is sent to any of its addresses, by whichever interface it comes "
            f"({taken} runs; the weak host model). TCP answers from the address that was asked. "
            "UDP from a socket at the wildcard answers from that of the route back: a client that "
            f"used connect never hears it ({odd} of {odd} runs), one that uses sendto hears from "
            "an address that it did not ask. What the host begins comes from the source that the "
            f"route prefers ({len(_SENT)} runs), by default the interface's first address, unless "
            "bind chose one."
        ),
        zh=(
            f"发给它任何一个地址的报文它都收，不管从哪个接口来（{taken} 次；弱主机模型）。TCP 用被"
            "询问的地址应答。绑定通配地址的 UDP 用返回路由的地址应答：connect 过的客户端收不到"
            f"（{odd} 次中 {odd} 次），用 sendto 的客户端收到来自它没有询问的地址的应答。主机自己发"
            f"起的，以路由首选的地址为源（{len(_SENT)} 次），默认是接口的第一个地址，除非 bind 指"
            "定。"
        ),
        more=(
            f"{other} of the runs were to an address of another interface. Of IPv4 such a packet "
            "is taken even where the interface with that address is down; of IPv6 the address goes "
            f"with it ({down['IPv6']}). With sendto the odd answer came in {unasked} runs; a UDP "
            "socket that is bound to the address answers rightly. An address that is taken away "
            "silences its own connections only; but if it was the route's, the route goes too, and "
            f"connect gives {error} though others remain."
        ),
        more_zh=(
            f"其中 {other} 次发给另一个接口的地址。对 IPv4，即使拥有该地址的接口已关闭也收；IPv6 的"
            f"地址则随接口消失（{down['IPv6']}）。用 sendto 时，来自别的地址的应答有 {unasked} 次；"
            "绑定到该地址的 UDP 套接字则应答正确。删除一个地址只使用该地址的连接中断；但如果它是路"
            f"由首选的地址，路由也随之消失，尽管还有别的地址，connect 也返回 {error}。"
        ),
    )


def _last(trace: Trace) -> object:
    """What the client's last call gave."""
    return gave(calls(trace, process="client")[-1])


def _unconnected(runs: Mapping[str, Trace]) -> int:
    """Count the answers from elsewhere, where the server's socket is bound to no address."""
    unasked = 0
    for variant in _UNCONNECTED:
        settings, trace = variant.settings, runs[variant.name]
        assert isinstance(_last(trace), list), "this client takes what comes to its port"
        (answered,) = {packet.src for packet in addressed.sent(trace, "server")}
        right = answered == AT[settings["over"], settings["to"]]
        assert right == (settings["bound"] == "to the address"), variant.name
        unasked += not right
    return unasked


def _after_loss(trace: Trace) -> tuple[bool, str | None]:
    """Whether the connection fell silent, and what the next connect gave."""
    recv = calls(trace, process="server", call="recv")[0]
    return recv.returned_ns is None, calls(trace, process="client", call="connect")[-1].errno


NOTE: Final = Note(
    id="N27",
    question="What happens on a host with several addresses?",
    question_zh="主机有多个地址时会怎样？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 1122 3.3.4.2",
        "Linux ip_route_input_rcu",
        "Linux fib_select_path",
        "Linux udp_sendmsg",
        "Linux fib_sync_down_addr",
    ),
    words=(
        "multihomed",
        "several addresses",
        "weak host model",
        "source address",
        "preferred source",
        "UDP reply",
        "interface",
    ),
    tells=(
        ("client", "connect"),
        ("client", "recvfrom"),
        ("client", "getsockname"),
    ),
)
