"""N19: connect without a route: what each ICMP code and local failure is told as, and when."""

import contextlib
import errno
import select
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MINUTE, MS
from halfopen.record.faults import AddressGone, Fault, InterfaceDown, Lose, Unreachable
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Host,
    Lab,
    Lan,
    Link,
    Note,
    OnMark,
    Process,
    Step,
    Variant,
    each,
)
from halfopen.scenario.notes.reading import in_chinese, linux_name, segments_from, span
from halfopen.wire.tcp import SYN

PORT: Final = 80
LONG: Final = 3_600.0
LINK: Final = "client-server"
#: Room for the second SYN, and its answer.
HORIZON_NS: Final = 1200 * MS
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25

#: What a router says, by type and code. Of each it says it once: of the first SYN.
CODES4: Final = (
    *(f"3/{code}" for code in range(16)),
    *("4/0", "11/0", "11/1", "12/0"),
)
CODES6: Final = (*(f"1/{code}" for code in range(8)), "2/0", "3/0", "3/1", "4/0")
#: Ways of connecting that ask for what is said of the SYN.
ASKED: Final = ("IP_RECVERR", "IPV6_RECVERR")
#: Of these, one speaks of a destination that can't be reached, one of a filter.
SOME: Final = ("3/1", "3/13")
SOME6: Final = ("1/3", "1/1")

#: What is wrong at one's own host, when (in ms, against the connect), and what befalls it then.
OWN: Final[dict[str, tuple[int, tuple[Fault, ...]]]] = {
    "no route": (0, ()),
    "interface down": (-20, (InterfaceDown(host="client"),)),
    "address gone": (-20, (AddressGone(host="client", address="10.0.0.1"),)),
    "bound to the loopback": (0, ()),
    "no IPv6 here": (0, ()),
    "unreachable route": (0, ()),
    "prohibit route": (0, ()),
    "blackhole route": (0, ()),
    "interface down while connecting": (300, (InterfaceDown(host="client"),)),
    "address gone while connecting": (300, (AddressGone(host="client", address="10.0.0.1"),)),
}
REFUSED: Final = tuple(OWN)[5:8]
MEANWHILE: Final = tuple(OWN)[8:]
LAN: Final = ("nobody on the LAN", "nobody on the LAN, twice")
ELSEWHERE: Final = {"4": "192.0.2.1", "6": "2001:db8:9::9"}
BEYOND: Final = {"4": "192.0.2.0/24", "6": "2001:db8:9::/48"}
NOBODY: Final = {"4": "10.0.0.99", "6": "2001:db8::99"}
OURS: Final = {"4": "10.0.0.1", "6": "2001:db8::1"}
THEIRS: Final = {"4": "10.0.0.2", "6": "2001:db8::2"}
LOOPBACK: Final = {"4": "127.0.0.1", "6": "::1"}


def server(lab: Lab) -> None:
    """Listen: who gets through is connected."""
    there = lab.address("server")
    family = socket.AF_INET6 if ":" in there else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((there, PORT))
    listener.listen(5)
    lab.mark("listening")
    time.sleep(LONG)


def client(lab: Lab) -> None:
    """Connect, be told, and ask what more there is to know."""
    sock = socket.socket(_family(lab), socket.SOCK_STREAM)
    failure, version = lab.settings["no way"], lab.settings["IP"]
    there = lab.address("server")
    if failure in {"no route", "no IPv6 here", *REFUSED}:
        there = ELSEWHERE[version]
    elif failure in LAN:
        there = NOBODY[version]
    elif failure == "bound to the loopback":
        sock.bind((LOOPBACK[version], 0))
    for _ in range(2 if failure.endswith("twice") else 1):
        with contextlib.suppress(OSError):
            WAYS[lab.settings["connect"]](sock, (there, PORT))
    if lab.settings["connect"] in {"blocking", *ASKED}:
        with contextlib.suppress(BlockingIOError):
            sock.recvmsg(0, 200, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    time.sleep(LONG)


def _blocking(sock: socket.socket, there: tuple[str, int]) -> None:
    sock.connect(there)


def _recverr(sock: socket.socket, there: tuple[str, int]) -> None:
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.connect(there)


def _recverr6(sock: socket.socket, there: tuple[str, int]) -> None:
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    sock.connect(there)


def _settimeout(sock: socket.socket, there: tuple[str, int]) -> None:
    sock.settimeout(0.5)
    sock.connect(there)


def _poll(sock: socket.socket, there: tuple[str, int]) -> None:
    sock.setblocking(False)
    sock.connect_ex(there)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    poll.poll(1000)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


WAYS: Final = {
    "blocking": _blocking,
    "IP_RECVERR": _recverr,
    "IPV6_RECVERR": _recverr6,
    "settimeout": _settimeout,
    "non-blocking": _poll,
}


def _family(lab: Lab) -> socket.AddressFamily:
    return socket.AF_INET6 if lab.settings["IP"] == "6" else socket.AF_INET


def _steps(failure: str) -> tuple[Step, ...]:
    """What goes wrong, and when, counted from the client's connect."""
    kind, _, code = failure.partition("/")
    if code:
        said = Unreachable(link=LINK, towards="server", kind=int(kind), code=int(code), mtu=1280)
        return (Step(when=_connects(-20), fault=said),)
    at, faults = OWN.get(failure, (0, ()))
    steps = [Step(when=_connects(at), fault=fault) for fault in faults]
    if at > 0:  # the peer is silent meanwhile
        lost = Lose(link=LINK, towards="server", count=100)
        steps.insert(0, Step(when=_connects(-20), fault=lost))
    return tuple(steps)


def _connects(after_ms: int) -> OnMark:
    return OnMark(process="server", name="listening", delay_ns=(60 + after_ms) * MS)


def _variant(settings: dict[str, str]) -> Variant:
    failure, version, default = settings["no way"], settings["IP"], "durations" in settings
    on_lan = failure in LAN
    hosts = "4" if failure == "no IPv6 here" else version
    sysctl = {
        "net.ipv4.tcp_syn_retries": 1,
        "net.ipv4.tcp_syn_linear_timeouts": 0,
        f"net.ipv{version}.neigh.eth0.retrans_time_ms": 150,
    }
    horizon = HORIZON_NS
    if default:
        sysctl, horizon = {}, 10 * MINUTE
    elif failure.endswith("while connecting"):
        horizon = 3300 * MS
    return Variant(
        settings=settings,
        hosts=(
            Host(
                name="client",
                addresses=(OURS[hosts],),
                sysctl=sysctl,
                refuses=((BEYOND[version], failure.split()[0]),) if failure in REFUSED else (),
            ),
            Host(name="server", addresses=(THEIRS[hosts],), sysctl={}),
        ),
        links=() if on_lan else (Link(a="client", b="server"),),
        lans=(Lan(hosts=("client", "server")),) if on_lan else (),
        processes=(
            Process(host="server", name="server", program=server),
            Process(host="client", name="client", program=client, start=_connects(0)),
        ),
        steps=_steps(failure),
        horizon_ns=horizon + 100 * MS,
        kernel=not default,
        because="a neighbour is asked for 3 s by default" if default else "",
    )


def _variants() -> tuple[Variant, ...]:
    one, both = ("blocking",), ("4", "6")
    products = [
        each(**{"no way": CODES4, "connect": one, "IP": ("4",)}),
        each(**{"no way": CODES6, "connect": one, "IP": ("6",)}),
        each(
            **{
                "no way": SOME,
                "connect": ("IP_RECVERR", "settimeout", "non-blocking"),
                "IP": ("4",),
            }
        ),
        each(**{"no way": SOME6, "connect": ("IPV6_RECVERR",), "IP": ("6",)}),
        each(
            **{
                "no way": tuple(failure for failure in OWN if failure != "no IPv6 here"),
                "connect": one,
                "IP": ("4",),
            }
        ),
        each(
            **{
                "no way": (
                    "no route",
                    "no IPv6 here",
                    "interface down",
                    "interface down while connecting",
                ),
                "connect": one,
                "IP": ("6",),
            }
        ),
        each(**{"no way": ("no route", *REFUSED), "connect": ("non-blocking",), "IP": both}),
        each(**{"no way": REFUSED, "connect": one, "IP": ("6",)}),
        each(**{"no way": LAN, "connect": one, "IP": both}),
        each(**{"no way": LAN[:1], "connect": one, "IP": both, "durations": ("default",)}),
    ]
    return tuple(_variant(settings) for product in products for settings in product)


_VARIANTS: Final = _variants()


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what connect was told, and when; and whether the SYN was sent again."""
    router: dict[str, dict[str, list[str]]] = {"4": {}, "6": {}}
    own: dict[str, list[str]] = {}
    meanwhile: set[str] = set()
    took: dict[str, list[int]] = {"router": [], "ignored": [], "meanwhile": []}
    lan: dict[str, list[int]] = {"short": [], "default": []}
    queued: dict[tuple[str, str], set[bool]] = {}
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        failure, version = settings["no way"], settings["IP"]
        told, after = _told(trace)
        syns = len([s for s in segments_from(trace, "client") if s.seg.flags == SYN])
        if "/" in failure:
            if settings["connect"] == "blocking":
                router[version].setdefault(linux_name(told), []).append(failure)
            else:
                assert failure in router[version][linux_name(told)], (
                    "it is told so however one connects"
                )
            took["ignored" if told == "none" else "router"].append(after)
            assert syns == (2 if told == "none" else 1), f"{failure}: {syns} SYNs"
            if told != "none" and settings["connect"] in {"blocking", *ASKED}:
                queued.setdefault((version, settings["connect"]), set()).add(_is_queued(trace))
        elif failure in LAN:
            assert told == "EHOSTUNREACH", f"{failure}: {told}"
            assert not syns, "no SYN leaves for a neighbour that is not found"
            lan[settings.get("durations", "short")].append(after)
        elif failure in MEANWHILE:
            meanwhile.add(told)
            took["meanwhile"].append(after)
            assert syns == 1, "there is no way for a second SYN"
        else:
            reasons = own.setdefault(told, [])
            reasons += [failure] if failure not in reasons else []
            assert after == 0, "the host itself knows at once"
            assert not syns, "nothing is sent"
    assert all("none" in ends for ends in router.values()), "not every message ends the attempt"
    unasked = queued.pop(("6", "blocking"))
    assert unasked == {False}, "IPv6 keeps the message only where that was asked for"
    assert set(map(tuple, queued.values())) == {(True,)}, "IPv4 also unasked"
    lan["again"] = _again(runs)
    router4, router6 = (_by_errno(router[version]) for version in ("4", "6"))
    ignored4, ignored6 = (", ".join(router[version]["none"]) for version in ("4", "6"))
    local = _by_errno(own)
    by_code = {code: errno for errno, codes in router["4"].items() for code in codes}
    told_late = ", ".join(sorted(meanwhile))
    at_once, ignored, late = (span(took[k]) for k in ("router", "ignored", "meanwhile"))
    missed, short, again = (span(lan[kind]) for kind in ("default", "short", "again"))
    return Answer(
        verdict="qualified",
        text=(
            "It fails, and each reason has its errno. A router's ICMP error ends the attempt as "
            f"soon as it comes ({at_once}), also one that the RFC calls soft: net unreachable "
            f"{by_code['3/0']}, host unreachable {by_code['3/1']}, port unreachable "
            f"{by_code['3/3']}, filtered {by_code['3/13']}. But {ignored4} (type/code; IPv6: "
            f"{ignored6}) are ignored. One's own host knows at once, and sends nothing: without a "
            f"route it is {local.split()[0]}. Nobody at an address of one's own LAN: EHOSTUNREACH "
            f"after {missed}."
        ),
        zh=(
            f"会失败，各种原因有各自的 errno。路由器的 ICMP 差错一到（{at_once}）connect 就结束，"
            f"RFC 所说的“软”差错也一样：网络不可达 {by_code['3/0']}，主机不可达 {by_code['3/1']}，"
            f"端口不可达 {by_code['3/3']}，被过滤 {by_code['3/13']}。但 {ignored4}（类型/代码；"
            f"IPv6：{ignored6}）被忽略。本机自己的原因立即返回，什么也不发：没有路由时是 "
            f"{local.split()[0]}。同一局域网内该地址无人：{missed} 后返回 EHOSTUNREACH。"
        ),
        more=(
            f"By type/code, IPv4: {router4}. IPv6: {router6}. After an ignored one the next SYN "
            f"connects ({ignored}). IP_RECVERR and IPV6_RECVERR change nothing; MSG_ERRQUEUE tells "
            f"who sent the message, in IPv4 also unasked. At one's own host: {local}. Where its "
            f"interface or address goes while connecting, {told_late} is told when the retries are "
            f"used up ({late} with one). On the LAN it is {short} where the neighbour is asked for "
            f"every 150 ms; the next attempt waits as long ({again})."
        ),
        more_zh=(
            f"按类型/代码，IPv4：{router4}。IPv6：{router6}。忽略之后，下一个 SYN 照样连上"
            f"（{ignored}）。IP_RECVERR 和 IPV6_RECVERR 不改变结果；MSG_ERRQUEUE 可读出是谁发的报"
            f"文，IPv4 不必事先设置。本机自己的原因：{in_chinese(local, CHINESE)}。接口或地址在连接"
            f"途中才消失的，重传用尽后返回 {told_late}（重传一次为 {late}）。局域网上每 150 ms 询问"
            f"一次邻居时为 {short}；再连一次，还要等同样久（{again}）。"
        ),
    )


#: What is wrong at one's own host, in Chinese.
CHINESE: Final = {
    "no route": "没有路由",
    "interface down": "接口已关闭",
    "address gone": "地址已删",
    "bound to the loopback": "绑定在回环地址上",
    "no IPv6 here": "本机没有 IPv6",
    "unreachable route": "unreachable 路由",
    "prohibit route": "prohibit 路由",
    "blackhole route": "blackhole 路由",
}


def _told(trace: Trace) -> tuple[str, int]:
    """What the first attempt was told, and how long after it began."""
    made = calls(trace, process="client")
    first = next(call for call in made if call.call in {"connect", "connect_ex"})
    assert first.returned_ns is not None, "connect returned"
    if first.call == "connect":
        return first.errno or "none", first.returned_ns - first.t_ns
    if first.result != errno.EINPROGRESS:
        return _name(first.result), 0
    (poll,) = (call for call in made if call.call == "poll")
    (error,) = (call for call in made if call.call == "getsockopt")
    assert poll.returned_ns is not None, "poll returned"
    return _name(error.result), poll.returned_ns - first.t_ns


def _name(number: object) -> str:
    assert isinstance(number, int), "an errno is a number"
    return errno.errorcode[number]


def _is_queued(trace: Trace) -> bool:
    (read,) = calls(trace, process="client", call="recvmsg")
    return read.errno is None


def _again(runs: Mapping[str, Trace]) -> list[int]:
    """How long the second attempt to a neighbour that is not there took."""
    found = []
    for variant in _VARIANTS:
        if variant.settings["no way"].endswith("twice"):
            second: Call = calls(runs[variant.name], process="client", call="connect")[1]
            assert second.errno == "EHOSTUNREACH", "the second attempt ends as the first"
            assert second.blocked_ns is not None, "it returned"
            found.append(second.blocked_ns)
    return found


def _by_errno(ends: Mapping[str, list[str]]) -> str:
    """Write which reasons are told as what: ``ENETUNREACH 3/0, 3/6; EHOSTUNREACH 3/1``."""
    return "; ".join(
        f"{told} {', '.join(reasons)}" for told, reasons in ends.items() if told != "none"
    )


NOTE: Final = Note(
    id="N19",
    question="connect without a route to the peer: what is told, by which ICMP message, and when?",
    question_zh="路由不可达时 connect：返回什么错误，由哪种 ICMP 报文引起，何时返回？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.9.2.2",
        "RFC 5461 4",
        "RFC 792",
        "RFC 4443 3.1",
        "Linux tcp_v4_err",
        "Linux tcp_v6_err",
        "Linux icmp_err_convert",
        "Linux ip_route_output_key_hash",
        "Linux arp_error_report",
    ),
    words=(
        "connect",
        "no route",
        "unreachable",
        "ICMP",
        "EHOSTUNREACH",
        "ENETUNREACH",
        "blackhole",
        "prohibit",
        "ENOPROTOOPT",
        "EACCES",
        "EPROTO",
        "IP_RECVERR",
        "MSG_ERRQUEUE",
        "LAN",
        "ARP",
        "interface down",
    ),
)
