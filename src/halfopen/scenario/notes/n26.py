"""N26: port 0 and the wildcard: who chooses what, and by what; at a client, and at a server."""

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import MS
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Host, Lab, Link, Note, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import KINDS, PORT, gave, name

#: The one port that the kernel may pick, so that the other end can know it.
PICKED: Final = 20_000
PATIENCE: Final = 0.1
HORIZON_NS: Final = 300 * MS

#: Two interfaces: eth0 leads to the client, eth1 to another host.
_TWO: Final = ("10.0.0.2", "10.1.0.2", "2001:db8::2", "2001:db8:1::2")
#: Its addresses by interface, as they are to who comes by eth0.
ARRIVING: Final = "the arriving interface's"
OTHERS: Final = "the other interface's"
LINK_LOCAL: Final = "link-local"
AT: Final = {
    ("IPv4", ARRIVING): "10.0.0.2",
    ("IPv4", OTHERS): "10.1.0.2",
    ("IPv6", ARRIVING): "2001:db8::2",
    ("IPv6", OTHERS): "2001:db8:1::2",
}
#: By the end of the link that it has, and to the client with the number of its own interface.
_LINK_LOCAL: Final = {"client": "fe80::2%2", "other": "fe80::1%2"}
WILDCARD: Final = {"IPv4": "0.0.0.0", "IPv6": "::"}
SPECIFIC: Final = {"IPv4": "10.1.0.2", "IPv6": "2001:db8:1::2"}
#: Who connects: over eth0, or over eth1.
CLIENTS: Final = ("client", "other")


def binds(lab: Lab) -> None:
    """Bind to the wildcard or an address, with port 0 or one, and be served by the kernel."""
    over, address, port = (lab.settings[what] for what in ("over", "address", "port"))
    own = (WILDCARD if address == "wildcard" else SPECIFIC)[over]
    sock = socket.socket(addressed.family(own), KINDS[lab.settings["socket"]])
    sock.bind(name(own, 0 if port == "0" else PORT))
    sock.getsockname()
    if lab.settings["socket"] == "UDP":
        lab.mark("ready")
        data, peer = sock.recvfrom(10)
        sock.sendto(data, peer)
        sock.getsockname()
    else:
        sock.listen(5)
        lab.mark("ready")
        conn, _ = sock.accept()
        conn.getsockname()
        conn.recv(10)
    time.sleep(10)


def asks(lab: Lab) -> None:
    """Come by one interface, to an address of this one or the other."""
    over, to = lab.settings["over"], lab.settings["to"]
    there = _address(over, lab.settings["from"], to)
    sock = socket.socket(addressed.family(there), KINDS[lab.settings["socket"]])
    port = PICKED if lab.settings["port"] == "0" else PORT
    sock.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        sock.sendto(b"x", name(there, port)) if _is_udp(lab) else sock.connect(name(there, port))
        if _is_udp(lab):
            sock.recvfrom(10)
        else:
            sock.send(b"x")
    time.sleep(10)


def _address(over: str, who: str, to: str) -> str:
    """Return the server's address that ``to`` means to who comes by one of its interfaces."""
    if to == LINK_LOCAL:
        return _LINK_LOCAL[who]
    if who == "client":
        return AT[over, to]
    return AT[over, OTHERS if to == ARRIVING else ARRIVING]


def _is_udp(lab: Lab) -> bool:
    return lab.settings["socket"] == "UDP"


# Port 0 itself.


def zero(lab: Lab) -> None:
    """Let port 0 be where something goes to."""
    kind = KINDS[lab.settings["socket"]]
    sock = socket.socket(socket.AF_INET, kind)
    sock.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        if lab.settings["port 0 given to"] == "connect":
            sock.connect(("10.0.0.2", 0))
        else:
            sock.sendto(b"x", ("10.0.0.2", 0))
    addressed.own_name(sock)
    time.sleep(10)


def _variant(settings: dict[str, str]) -> Variant:
    variant = addressed.variant(
        settings,
        client=asks,
        server=binds,
        client_host=settings["from"],
        server_addresses=_TWO,
        server_sysctl={"net.ipv4.ip_local_port_range": f"{PICKED} {PICKED}"},
        hosts=(Host(name="other", addresses=("10.1.0.9", "2001:db8:1::9"), sysctl={}),),
        links=(Link(a="server", b="other"),),
        horizon_ns=HORIZON_NS,
    )
    return replace(variant, tells=(_TELLS[settings["socket"], settings["address"]],))


#: The name shows what was chosen; where there may be no connection, connect whether there is one.
_TELLS: Final = {
    ("TCP", "wildcard"): ("server", "getsockname"),
    ("TCP", "one"): ("client", "connect"),
    ("UDP", "wildcard"): ("client", "recvfrom"),
    ("UDP", "one"): ("client", "recvfrom"),
}


_BOUND: Final = tuple(
    _variant(settings)
    for over in WILDCARD
    for settings in each(
        **{
            "socket": tuple(KINDS),
            "over": (over,),
            "address": ("wildcard", "one"),
            "port": ("0", str(PORT)),
            "from": CLIENTS,
            "to": (ARRIVING, OTHERS, LINK_LOCAL),
        }
    )
    if settings["to"] != LINK_LOCAL or (over == "IPv6" and settings["address"] == "wildcard")
    if over == "IPv4" or settings["port"] == "0"
)
_ZERO: Final = tuple(
    addressed.variant(settings, client=zero, horizon_ns=HORIZON_NS)
    for settings in (
        {"socket": "TCP", "port 0 given to": "connect"},
        {"socket": "UDP", "port 0 given to": "connect"},
        {"socket": "UDP", "port 0 given to": "sendto"},
    )
)
_VARIANTS: Final = (*_BOUND, *_ZERO)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read the port after bind, and the address that the server has for each who comes."""
    picked = by_destination = crossed = by_route = unheard = 0
    zones: set[object] = set()
    for variant in _BOUND:
        trace, settings = runs[variant.name], variant.settings
        over = settings["over"]
        there = _address(over, settings["from"], settings["to"]).partition("%")[0]
        first, *later = addressed.names(trace, "server")
        wanted = WILDCARD[over] if settings["address"] == "wildcard" else SPECIFIC[over]
        assert first == [wanted, PICKED if settings["port"] == "0" else PORT], "at bind, the port"
        picked += settings["port"] == "0"
        if settings["address"] == "one":
            if there != SPECIFIC[over]:
                assert not later, "what is sent to another address does not come"
            continue
        crossed += settings["to"] == OTHERS
        if settings["socket"] == "TCP":
            assert later == [[there, first[1]]], "its destination, whichever interface it came by"
            by_destination += 1
            if settings["to"] == LINK_LOCAL:
                zones.add((settings["from"], _zone(trace)))
            continue
        assert later == [first], "a socket for datagrams stays at the wildcard"
        (answered,) = {packet.src for packet in addressed.sent(trace, "server")}
        by_route += 1
        if settings["to"] != LINK_LOCAL:
            assert answered == _address(over, settings["from"], ARRIVING)
        unheard += answered != there
    assert len(zones) == len(CLIENTS), "each interface has a number of its own"
    told = {
        (v.settings["socket"], v.settings["port 0 given to"]): _told(runs[v.name]) for v in _ZERO
    }
    return Answer(
        verdict="qualified",
        text=(
            f"Port 0: yes, the kernel chooses, at bind already ({picked} of {picked} runs). The "
            f"wildcard: for TCP the destination address of the SYN alone decides ({by_destination} "
            "runs), not the arriving interface: an address of another interface is taken as well "
            f"({crossed} runs, TCP and UDP). For UDP neither does: the socket stays at the "
            f"wildcard and answers from the address of the route back ({by_route} runs), so that "
            f"in {unheard} the client was answered from an address that it had not asked."
        ),
        zh=(
            f"端口 0：是由内核选，在 bind 时就选定（{picked} 次中 {picked} 次）。通配地址：对 TCP "
            f"只由 SYN 的目的地址决定（{by_destination} 次），与到达的接口无关：发给另一个接口的地"
            f"址的也照收（TCP 和 UDP 共 {crossed} 次）。对 UDP 两者都不决定：套接字一直是通配地址，"
            f"用返回路由的地址应答（{by_route} 次），其中 {unheard} 次客户端得到的应答来自它没有询"
            "问的地址。"
        ),
        more=(
            "Only of a link-local address the interface is a part (scope id). As a destination "
            f"port 0 is no wildcard: {told['TCP', 'connect']} from TCP's connect, "
            f"{told['UDP', 'sendto']} from UDP's sendto."
        ),
        more_zh=(
            "只有链路本地地址包含接口（scope id）。作为目的端口，0 不是通配：TCP 的 connect 返回 "
            f"{told['TCP', 'connect']}，UDP 的 sendto 返回 {told['UDP', 'sendto']}。"
        ),
    )


def _zone(trace: Trace) -> object:
    """Of which interface the accepted socket's name speaks."""
    given = calls(trace, process="server", call="getsockname")[-1].result
    assert isinstance(given, list), "a name is a list"
    return given[3]


def _told(trace: Trace) -> object:
    (call,) = [c for c in calls(trace, process="client") if c.call in {"connect", "sendto"}]
    return gave(call)


NOTE: Final = Note(
    id="N26",
    question="Port 0 and the wildcard address: who chooses, when, and by what?",
    question_zh="端口 0 和通配地址：谁来选，何时选，依据什么？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "Linux __inet_bind",
        "Linux inet_csk_find_open_port",
        "Linux tcp_v4_syn_recv_sock",
        "Linux udp_sendmsg",
    ),
    words=(
        "port 0",
        "bind",
        "wildcard",
        "INADDR_ANY",
        "interface",
        "destination address",
        "UDP reply",
    ),
)
