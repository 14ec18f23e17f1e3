"""N25: the wildcards of both families, and which clients a socket of each takes."""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import MS
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, each
from halfopen.scenario.notes import addressed
from halfopen.scenario.notes.addressed import CLIENT, KINDS, PORT, SERVER, gave, name

PATIENCE: Final = 0.1
HORIZON_NS: Final = 300 * MS

#: What the server binds, in order; True and False set IPV6_V6ONLY.
SOCKETS: Final[dict[str, tuple[tuple[str, bool | None], ...]]] = {
    "0.0.0.0": (("0.0.0.0", None),),
    "::": (("::", None),),
    ":: IPV6_V6ONLY": (("::", True),),
    ":: bindv6only": (("::", None),),
    ":: bindv6only, IPV6_V6ONLY 0": (("::", False),),
    ":: disable_ipv6": (("::", None),),
    "::ffff:0.0.0.0": (("::ffff:0.0.0.0", None),),
    ":: and 0.0.0.0": (("::", None), ("0.0.0.0", None)),
    "0.0.0.0 and ::": (("0.0.0.0", None), ("::", None)),
    ":: IPV6_V6ONLY and 0.0.0.0": (("::", True), ("0.0.0.0", None)),
}
#: Of which family the client's socket is, and where it goes.
OVER: Final = {"IPv4": SERVER[0], "IPv6": SERVER[2], "mapped": f"::ffff:{SERVER[0]}"}


def server(lab: Lab) -> None:
    """Bind what one can; after a while say which of the sockets was reached."""
    socks, refused = [], []
    for host, only in SOCKETS[lab.settings["server"]]:
        sock = socket.socket(addressed.family(host), KINDS[lab.settings["socket"]])
        if only is not None:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        refused.append(sock)
        with contextlib.suppress(OSError):
            sock.bind(name(host, PORT))
            if sock.type == socket.SOCK_STREAM:
                sock.listen(5)
            socks.append(refused.pop())
        if sock.family == socket.AF_INET6:
            sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    lab.mark("ready")
    time.sleep(0.13)
    kept = []
    for sock in socks:
        sock.setblocking(False)
        sock.getsockname()
        with contextlib.suppress(BlockingIOError):
            if sock.type == socket.SOCK_STREAM:
                conn, _ = sock.accept()
                conn.getsockname()
                kept.append(conn)
            else:
                sock.recvfrom(10)
            lab.mark(f"reached: {sock.family.name}")
    time.sleep(10)


def client(lab: Lab) -> None:
    """Try to reach it."""
    there = OVER[lab.settings["over"]]
    sock = socket.socket(addressed.family(there), KINDS[lab.settings["socket"]])
    sock.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        sock.connect(name(there, PORT))
        if sock.type == socket.SOCK_DGRAM:
            sock.send(b"x")
            sock.recv(10)
    time.sleep(10)


# What an AF_INET6 socket is told.


def asks(lab: Lab) -> None:
    """Say what the wildcards are made of, or do what does not go together."""
    if lab.settings["asks"] == "constants":
        four = socket.inet_pton(socket.AF_INET, "0.0.0.0")
        six = socket.inet_pton(socket.AF_INET6, "::")
        lab.mark(f"INADDR_ANY: the number {socket.INADDR_ANY}, {len(four)} octets")
        lab.mark(f"in6addr_any: {len(six)} octets, all zero: {not any(six)}")
        return
    of_four = lab.settings["asks"].endswith("of an AF_INET socket")
    sock = socket.socket(socket.AF_INET if of_four else socket.AF_INET6, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):
        ASKS[lab.settings["asks"]](sock)
    time.sleep(10)


def _only(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _option_after_bind(sock: socket.socket) -> None:
    sock.bind(name("::", PORT))
    _only(sock)


def _only_connects_to_ipv4(sock: socket.socket) -> None:
    _only(sock)
    sock.connect(name(OVER["mapped"], PORT))


def _only_binds_ipv4(sock: socket.socket) -> None:
    _only(sock)
    sock.bind(name(f"::ffff:{CLIENT[0]}", PORT))


def _ipv4_connects_to_ipv6(sock: socket.socket) -> None:
    sock.bind(name(f"::ffff:{CLIENT[0]}", PORT))
    sock.connect(name(OVER["IPv6"], PORT))


def _ipv6_connects_to_ipv4(sock: socket.socket) -> None:
    sock.bind(name(CLIENT[2], PORT))
    sock.connect(name(OVER["mapped"], PORT))


ASKS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "IPV6_V6ONLY after bind": _option_after_bind,
    "IPV6_V6ONLY of an AF_INET socket": _only,
    "IPV6_V6ONLY, then connect to IPv4": _only_connects_to_ipv4,
    "IPV6_V6ONLY, then bind to IPv4": _only_binds_ipv4,
    "bound to IPv4, connect to IPv6": _ipv4_connects_to_ipv6,
    "bound to IPv6, connect to IPv4": _ipv6_connects_to_ipv4,
}


def _variant(settings: dict[str, str]) -> Variant:
    sysctl = {"net.ipv6.bindv6only": int("bindv6only" in settings["server"])}
    if "disable_ipv6" in settings["server"]:
        sysctl["net.ipv6.conf.all.disable_ipv6"] = 1
    variant = addressed.variant(
        settings, client=client, server=server, server_sysctl=sysctl, horizon_ns=HORIZON_NS
    )
    takes, told = ("accept", "connect") if settings["socket"] == "TCP" else ("recvfrom", "recv")
    two = (("server", "bind"),) if " and " in settings["server"] else ()
    return replace(variant, tells=(*two, ("server", takes), ("client", told)))


_REACHING: Final = tuple(
    _variant(settings)
    for settings in each(socket=tuple(KINDS), server=tuple(SOCKETS), over=tuple(OVER))
    if settings["over"] != "mapped" or settings["server"] in {"0.0.0.0", "::", ":: IPV6_V6ONLY"}
    if settings["over"] != "IPv6" or "disable" not in settings["server"]
)
_ASKING: Final = tuple(
    addressed.variant(settings, client=asks, horizon_ns=HORIZON_NS)
    for settings in each(asks=("constants", *ASKS))
)
_VARIANTS: Final = (*_REACHING, *_ASKING)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read who reached which socket, and what the others were told."""
    reached: dict[str, dict[str, set[str]]] = {}
    shown = 0
    for variant in _REACHING:
        settings, trace = variant.settings, runs[variant.name]
        marks = [mark for mark in addressed.marks(trace, "server") if mark.startswith("reached")]
        by = marks[0].removeprefix("reached: ") if marks else _refused(trace)
        reached.setdefault(settings["server"], {}).setdefault(settings["over"], set()).add(by)
        shown += _shows_mapped(trace)
    both = [server for server, by in reached.items() if _reaching(by, "IPv4") == "AF_INET6"]
    refused = [server for server, by in reached.items() if _reaching(by, "IPv4") == "ECONNREFUSED"]
    assert {"::", ":: and 0.0.0.0", ":: bindv6only, IPV6_V6ONLY 0"} <= set(both)
    assert {":: IPV6_V6ONLY", ":: bindv6only"} == set(refused)
    assert _reaching(reached["::ffff:0.0.0.0"], "IPv6") == "ECONNREFUSED"
    assert _reaching(reached["0.0.0.0"], "mapped") == "AF_INET", "the packets are IPv4"
    error = _reaching(reached[":: IPV6_V6ONLY"], "IPv4")
    split = reached[":: IPV6_V6ONLY and 0.0.0.0"]
    assert (_reaching(split, "IPv4"), _reaching(split, "IPv6")) == ("AF_INET", "AF_INET6")
    second = {
        gave(calls(runs[v.name], process="server", call="bind")[1])
        for v in _REACHING
        if v.settings["server"] in {":: and 0.0.0.0", "0.0.0.0 and ::"}
    }
    (taken,) = second
    told = {v.settings["asks"]: _told(runs[v.name]) for v in _ASKING[1:]}
    marks = addressed.marks(runs[_ASKING[0].name], "client")
    assert marks[0] == "INADDR_ANY: the number 0, 4 octets"
    assert marks[1] == "in6addr_any: 16 octets, all zero: True"
    errors = "; ".join(f"{what}: {error}" for what, error in told.items())
    in_chinese = "；".join(f"{_ZH[what]}：{error}" for what, error in told.items())
    return Answer(
        verdict="confirmed",
        text=(
            "INADDR_ANY is the number 0, in 4 octets; in6addr_any has 16, which no C number holds "
            "(to Python both are text, 0.0.0.0 and ::). A socket at :: takes clients of both "
            f"families, and shows an IPv4 one as ::ffff:a.b.c.d ({shown} runs). With IPV6_V6ONLY, "
            f"or by net.ipv6.bindv6only, it takes only those of IPv6: IPv4 gets {error}. So :: and "
            f"0.0.0.0 at one port exclude each other ({taken}), unless IPV6_V6ONLY is set."
        ),
        zh=(
            "INADDR_ANY 是数字 0，4 个字节；in6addr_any 有 16 个字节，C 的整数放不下（在 Python 里"
            "两者都是文本，0.0.0.0 和 ::）。绑定 :: 的套接字接受两个地址族的客户端，把 IPv4 的显示"
            f"为 ::ffff:a.b.c.d（{shown} 次）。设置 IPV6_V6ONLY 或 net.ipv6.bindv6only 后只接受 "
            f"IPv6：IPv4 得到 {error}。所以同一端口上 :: 和 0.0.0.0 互相排斥（{taken}），除非设置 "
            "IPV6_V6ONLY。"
        ),
        more=(
            "A socket at :: takes IPv4 even where the host has no IPv6. With IPV6_V6ONLY, :: and "
            f"0.0.0.0 at one port each take their own. What does not go together: {errors}."
        ),
        more_zh=(
            "主机没有 IPv6 时，绑定 :: 的套接字照样接受 IPv4。设置 IPV6_V6ONLY 后，同一端口上的 :: "
            f"和 0.0.0.0 各收各的。不能搭配的：{in_chinese}。"
        ),
    )


_ZH: Final = {
    "IPV6_V6ONLY after bind": "bind 之后设置 IPV6_V6ONLY",
    "IPV6_V6ONLY of an AF_INET socket": "对 AF_INET 套接字设置 IPV6_V6ONLY",
    "IPV6_V6ONLY, then connect to IPv4": "设置 IPV6_V6ONLY 后 connect 到 IPv4",
    "IPV6_V6ONLY, then bind to IPv4": "设置 IPV6_V6ONLY 后 bind 到 IPv4",
    "bound to IPv4, connect to IPv6": "绑定 IPv4 后 connect 到 IPv6",
    "bound to IPv6, connect to IPv4": "绑定 IPv6 后 connect 到 IPv4",
}


def _reaching(by: Mapping[str, set[str]], over: str) -> str:
    """TCP and UDP agree on who is reached."""
    (one,) = by[over]
    return one


def _refused(trace: Trace) -> str:
    told = [c.errno for c in calls(trace, process="client") if c.call in {"connect", "recv"}]
    assert told[-1] is not None, "who reaches nobody is told"
    return told[-1]


def _shows_mapped(trace: Trace) -> bool:
    """Whether a socket was told of an IPv4 peer as of one of IPv6."""
    results = [c.result for c in calls(trace, process="server")]
    return "::ffff:" + CLIENT[0] in str(results)


def _told(trace: Trace) -> object:
    """What the last call gave."""
    return gave(calls(trace, process="client")[-1])


NOTE: Final = Note(
    id="N25",
    question="in6addr_any and INADDR_ANY: what are they, and what does a dual-stack socket take?",
    question_zh="in6addr_any 和 INADDR_ANY：各是什么？双栈套接字接受哪些客户端？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 3493 3.8",
        "RFC 3493 5.3",
        "Linux __inet6_bind",
        "Linux inet_rcv_saddr_equal",
        "Linux tcp_v6_connect",
    ),
    words=(
        "in6addr_any",
        "INADDR_ANY",
        "IPV6_V6ONLY",
        "dual-stack",
        "bindv6only",
        "v4-mapped",
        "::ffff",
        "EADDRINUSE",
    ),
    tells=(
        ("client", "setsockopt"),
        ("client", "bind"),
        ("client", "connect"),
    ),
)
