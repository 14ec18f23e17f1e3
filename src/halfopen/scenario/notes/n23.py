"""N23: a server that binds no address; which one a connection has at its end."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Host, Lab, Link, Note, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import PORT, name
from halfopen.scenario.notes.reading import segments
from halfopen.wire.tcp import ACK, SYN

#: The only port that the kernel may pick where the server's program asks for none.
PICKED: Final = 20_000
HORIZON_NS: Final = 250 * MS

#: Two interfaces: the client's link leads to the first one, with the first address of each family.
_SERVER: Final = ("10.0.0.2", "10.1.0.2", "10.1.0.3", "2001:db8::2", "2001:db8:1::2")
#: Where the client connects to.
TO: Final = {
    "first address": "10.0.0.2",
    "another interface's": "10.1.0.2",
    "another's second": "10.1.0.3",
    "IPv6": "2001:db8::2",
    "IPv6, another interface's": "2001:db8:1::2",
    "link-local": "fe80::2%2",
    "from the host itself": "10.1.0.3",
    "127.0.0.1": "127.0.0.1",
    "127.9.9.9": "127.9.9.9",
}
#: What the server binds to; None: it does not.
BOUND: Final = {
    "not at all": ("0.0.0.0", None),
    "not at all, AF_INET6": ("::", None),
    "to 0.0.0.0": ("0.0.0.0", PORT),
    "to ::": ("::", PORT),
}


def server(lab: Lab) -> None:
    """Listen, and ask for the names of the listener and of what accept gives."""
    host, port = BOUND[lab.settings["bound"]]
    sock = socket.socket(addressed.family(host), socket.SOCK_STREAM)
    if port is not None:
        sock.bind(name(host, port))
    sock.listen(5)
    sock.getsockname()
    lab.mark("ready")
    conn, _ = sock.accept()
    conn.getsockname()
    sock.getsockname()
    conn.sendall(b"x")
    time.sleep(10)


def client(lab: Lab) -> None:
    """Connect to one of the host's addresses, and ask who is at the other end."""
    there = TO[lab.settings["to"]]
    port = PICKED if BOUND[lab.settings["bound"]][1] is None else PORT
    sock = socket.socket(addressed.family(there), socket.SOCK_STREAM)
    sock.connect(name(there, port))
    sock.getpeername()
    sock.recv(1)
    time.sleep(10)


def _from_itself(to: str) -> bool:
    return to == "from the host itself" or to.startswith("127")


def _is_v4(bound: str) -> bool:
    return BOUND[bound][0] == "0.0.0.0"


def _variant(settings: dict[str, str]) -> Variant:
    itself = _from_itself(settings["to"])
    picked = BOUND[settings["bound"]][1] is None
    return addressed.variant(
        settings,
        client=client,
        server=server,
        client_host="server" if itself else "client",
        server_addresses=_SERVER,
        server_sysctl={"net.ipv4.ip_local_port_range": f"{PICKED} {PICKED}"} if picked else {},
        hosts=(Host(name="other", addresses=("10.1.0.9", "2001:db8:1::9"), sysctl={}),),
        links=(Link(a="server", b="other"),),
        horizon_ns=HORIZON_NS,
    )


_VARIANTS: Final = tuple(
    _variant(settings)
    for settings in each(bound=tuple(BOUND), to=tuple(TO))
    if not (_is_v4(settings["bound"]) and ":" in TO[settings["to"]])
    and not (settings["bound"].startswith("not") and _from_itself(settings["to"]))
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Hold the accepted socket's name against the SYN's destination, and the listener's."""
    same = elsewhere = mapped = 0
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        listener, conn, after = addressed.names(trace, "server")
        (peer,) = addressed.names(trace, "client", "getpeername")
        assert isinstance(conn, list), "the connection has a name"
        wildcard = BOUND[settings["bound"]][0]
        assert listener == after, "the listener's own name stays"
        assert isinstance(listener, list), "the listener has a name"
        assert listener[0] == wildcard, "which is the wildcard"
        plain = str(conn[0]).removeprefix("::ffff:")
        mapped += plain != conn[0]
        assert [plain, conn[1]] == peer, "both ends agree"
        for seen in segments(trace):
            if seen.seg.flags == SYN:
                assert seen.seg.flow[2:] == (plain, conn[1]), "it is the SYN's destination"
            if seen.seg.flags == SYN | ACK:
                assert seen.seg.flow[:2] == (plain, conn[1]), "and the answer's source"
        there = TO[settings["to"]].partition("%")[0]
        assert plain == there, "where the client went to"
        same += 1
        elsewhere += "another" in settings["to"]
    accepts = sum(len(calls(trace, call="accept")) for trace in runs.values())
    assert same == accepts == len(_VARIANTS)
    return Answer(
        verdict="confirmed",
        text=(
            f"In {same} of {len(_VARIANTS)} runs the accepted socket's address is the destination "
            "of the client's SYN, and all that is sent comes from it; the listener itself stays "
            "at the wildcard. So also where that address is on another interface than the one the "
            f"SYN came by ({elsewhere} runs), on the loopback, and where the server never called "
            f"bind. A socket of AF_INET6 shows IPv4 as ::ffff:a.b.c.d ({mapped} runs)."
        ),
        zh=(
            f"{len(_VARIANTS)} 次运行中有 {same} 次，accept 得到的套接字的地址"
            "就是客户端 SYN 的目的地址，发出的一切都以它为源；监听套接字本身仍是通配地址。"
            f"即使该地址在 SYN 到达的接口之外的另一个接口上（{elsewhere} 次）、在回环上，"
            "或服务器根本没有调用 bind，也是如此。"
            f"AF_INET6 套接字把 IPv4 显示为 ::ffff:a.b.c.d（{mapped} 次）。"
        ),
    )


NOTE: Final = Note(
    id="N23",
    question="A server that binds no address: which address has it?",
    question_zh="服务器没有绑定地址：它的地址是什么？",
    variants=_VARIANTS,
    answer=answer,
    why=("RFC 9293 3.10.7.2", "Linux tcp_v4_syn_recv_sock", "Linux inet_csk_listen_start"),
    words=("bind", "wildcard", "SYN", "destination address", "accept", "getsockname", "listen"),
    tells=(("server", "getsockname"),),
)
