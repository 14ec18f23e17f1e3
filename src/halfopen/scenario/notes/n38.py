"""N38: getaddrinfo; what its hints choose, in which order it answers, whether it is reentrant."""

import socket
import time
from collections.abc import Callable, Mapping
from itertools import product
from threading import Thread
from typing import Final

from halfopen.base.units import S
from halfopen.record.events import Json, Output
from halfopen.record.query import Call
from halfopen.record.trace import Trace
from halfopen.scenario import libc
from halfopen.scenario.etc import HOSTS
from halfopen.scenario.model import Answer, Lab, Note, Variant
from halfopen.scenario.notes import naming

#: The second thread asks so much after the first, in seconds; the slow answer takes longer.
LATER: Final = 0.02
_V4: Final = "10.0.0.1"
_V6: Final = "2001:db8::1"
SPEAKS: Final = {"both": (_V4, _V6), "IPv4": (_V4,), "IPv6": (_V6,)}

_HOSTS: Final = """\
127.0.0.1 localhost
::1 localhost
192.0.2.80 dual.example.org dual
2001:db8::80 dual.example.org dual
192.0.2.81 four.example.org
2001:db8::82 six.example.org
10.0.0.2 many
2001:db8::2 many
192.0.2.90 many
2001:db8:0:1::90 many
127.0.0.9 many
fec0::9 many
2002:c000:25a::1 many
fd00::9 many
::ffff:192.0.2.91 many
10.0.0.1 many
2001:db8::1 many
"""

_FAMILIES: Final = (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6)
_FLAGS: Final = (
    0,
    socket.AI_CANONNAME,
    socket.AI_NUMERICHOST,
    socket.AI_V4MAPPED,
    socket.AI_V4MAPPED | socket.AI_ALL,
    socket.AI_ADDRCONFIG,
    socket.AI_ADDRCONFIG | socket.AI_CANONNAME,
)
_NAMED: Final = (
    *("dual", "four.example.org", "six.example.org", "localhost", "nosuch.invalid"),
    *("192.0.2.7", "192.518", "2001:db8::7", "::ffff:192.0.2.7", "fe80::7%lo", "2001:db8::7%lo"),
)


def ask(*given: object) -> None:
    """Ask, and let the record of the call say what came."""
    call: Callable[..., object] = socket.getaddrinfo
    naming.attempt(lambda: call(*given))


def hints(lab: Lab) -> None:
    """Every family, type and protocol, with a service by name, by number, and without."""
    kinds = (0, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW)
    protocols = (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP)
    for family, kind, protocol, service in product(
        _FAMILIES, kinds, protocols, (None, "http", "domain", 80)
    ):
        ask("dual", service, family, kind, protocol)


def flags(lab: Lab) -> None:
    """Every name with every flag and family."""
    for name, flag, family in product(_NAMED, _FLAGS, _FAMILIES):
        ask(name, None, family, socket.SOCK_STREAM, 0, flag)


def nobody(lab: Lab) -> None:
    """No name at all: to connect to, or to bind."""
    for flag, family in product((0, socket.AI_PASSIVE, socket.AI_ADDRCONFIG), _FAMILIES):
        ask(None, 80, family, socket.SOCK_STREAM, 0, flag)


def order(lab: Lab) -> None:
    """One name with many addresses."""
    for family in _FAMILIES:
        ask("many", 80, family, socket.SOCK_STREAM)


def errors(lab: Lab) -> None:
    """What can't be asked for."""
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    for given in (
        (None, None),
        ("dual", "nosuch"),
        ("dual", "http", 0, datagram),
        ("dual", "ntp", 0, stream),
        ("dual", "80 "),
        ("dual", "80x"),
        ("dual", 80, socket.AF_UNIX),
        ("dual", 80, 0, stream, socket.IPPROTO_UDP),
        ("dual", 80, 0, 0, 250),
        ("dual", "http", 0, socket.SOCK_RAW),
        ("dual", 80, 0, 77),
        ("dual", 80, 0, stream, 0, 0x4000),
        (None, 80, 0, stream, 0, socket.AI_CANONNAME),
        ("dual", "http", 0, stream, 0, socket.AI_NUMERICSERV),
        ("dual", "80", 0, stream, 0, socket.AI_NUMERICSERV),
        ("dual", -1, 0, stream),
        ("dual", 65536, 0, stream),
        ("", 80, 0, stream),
        ("*", 80, 0, stream),
        ("two words", 80, 0, stream),
        ("-dash", 80, 0, stream),
        (b"a..b", 80, 0, stream),
    ):
        ask(*given)


def dns(lab: Lab) -> None:
    """What needs the DNS: aliases, one family or both, mapped addresses, no data."""
    for name, flag, family in product(
        ("alias.example.org", "v4.example.org", "mail.example.org", "nowhere.example.org"),
        (0, socket.AI_CANONNAME, socket.AI_V4MAPPED, socket.AI_V4MAPPED | socket.AI_ALL),
        _FAMILIES,
    ):
        ask(name, None, family, socket.SOCK_STREAM, 0, flag)


def threads(lab: Lab) -> None:
    """Two threads in the call at once: both wait for a server that takes its time."""
    names = ("slow.example.org", "two.example.org")
    started = [
        Thread(target=ask, args=(name, None, socket.AF_INET, socket.SOCK_STREAM), name=name)
        for name in names
    ]
    for thread in started:
        thread.start()
        time.sleep(LATER)  # else it is chance whose question leaves first
    for thread in started:
        thread.join()


def pointers(lab: Lab) -> None:
    """Two results of C's own call, one after the other, both read in the end."""
    (_, first), (_, second) = (libc.getaddrinfo(name, "80") for name in ("dual", "many"))
    before = [libc.addrinfo(each) for each in (first, second)]
    print("apart" if first != second else "one place")
    libc.freeaddrinfo(first)
    after = libc.addrinfo(second)
    print("untouched" if after == before[1] else "changed")
    print("two" if before[0] != before[1] else "the same")
    libc.freeaddrinfo(second)


_ABOUT: Final[Mapping[str, Callable[[Lab], None]]] = {
    "hints": hints,
    "flags": flags,
    "no name": nobody,
    "order": order,
    "errors": errors,
    "DNS": dns,
    "threads": threads,
    "pointers": pointers,
}


def client(lab: Lab) -> None:
    """Do what the variant is about."""
    _ABOUT[lab.settings["about"]](lab)
    lab.mark("told")
    time.sleep(naming.LONG)


def _variant(about: str, speaks: str) -> Variant:
    mine = SPEAKS[speaks]
    v6 = speaks == "IPv6"
    server = tuple(
        address
        for address in (naming.SERVER_ADDRESS, "2001:db8::2")
        if speaks == "both" or (":" in address) == v6
    )
    return naming.variant(
        {"about": about, "host speaks": speaks},
        client=client,
        files={HOSTS: _HOSTS} | naming.resolv_conf(server[0]),
        addresses=mine,
        server_addresses=server,
        horizon_ns=2 * S if about in {"DNS", "flags"} else S,
    )


_VARIANTS: Final = tuple(
    _variant(about, speaks)
    for about in _ABOUT
    for speaks in (SPEAKS if about not in {"hints", "threads", "pointers"} else ("both",))
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every call what its hints made of it."""
    of = {(v.settings["about"], v.settings["host speaks"]): runs[v.name] for v in _VARIANTS}
    calls = {key: {call.args: call for call in naming.lookups(trace)} for key, trace in of.items()}
    plain = _entries(calls["hints", "both"]["'dual', 80, 0, 0, 0, 0"])
    one = _entries(calls["hints", "both"]["'dual', 80, 0, 1, 0, 0"])
    kinds = {entry[1] for entry in plain}
    assert (len(plain), kinds, len(one)) == (6, {1, 2, 3}, 2), "each type, unless one is named"
    assert {entry[0] for entry in plain} == {2, 10}, "and each family"
    orders = {
        speaks: naming.found(next(iter(calls["order", speaks].values()))) for speaks in SPEAKS
    }
    firsts = {speaks: there[0] for speaks, there in orders.items()}
    assert [":" in firsts[speaks] for speaks in SPEAKS] == [True, False, True], firsts
    assert all(sorted(there) == sorted(orders["both"]) for there in orders.values()), "all of them"
    passive = naming.found(calls["no name", "both"]["None, 80, 0, 1, 0, 1"])
    active = naming.found(calls["no name", "both"]["None, 80, 0, 1, 0, 0"])
    assert (set(passive), set(active)) == ({"0.0.0.0", "::"}, {"127.0.0.1", "::1"}), "to bind"
    flagged = calls["flags", "both"]
    mapped = naming.found(flagged[f"'four.example.org', None, 10, 1, 0, {int(socket.AI_V4MAPPED)}"])
    assert mapped == ["::ffff:192.0.2.81"], mapped
    only4 = naming.found(calls["flags", "IPv4"][f"'dual', None, 0, 1, 0, {_ADDRCONFIG}"])
    only6 = naming.found(calls["flags", "IPv6"][f"'dual', None, 0, 1, 0, {_ADDRCONFIG}"])
    assert (only4, only6) == (["192.0.2.80"], ["2001:db8::80"]), "what the host itself speaks"
    canonical = _entries(calls["DNS", "both"][f"'alias.example.org', None, 0, 1, 0, {_CANON}"])
    assert [entry[3] for entry in canonical] == ["www.example.org", ""], "once, with the first"
    errors = {call.errno or "" for trace in of.values() for call in naming.lookups(trace)}
    told = sorted(each for each in errors if each.startswith("EAI_"))
    assert len(told) > 5, told
    together = naming.lookups(of["threads", "both"])
    answers = {
        call.args.partition("'")[2].partition(".")[0]: naming.found(call) for call in together
    }
    assert answers == {"slow": ["192.0.2.50"], "two": ["192.0.2.31", "192.0.2.32"]}, answers
    spans = [(call.t_ns, call.returned_ns or 0) for call in together]
    assert max(began for began, _ in spans) < min(ended for _, ended in spans), "both at once"
    said = [e.text for e in of["pointers", "both"].events if isinstance(e, Output)]
    assert "".join(said).split("\n")[:3] == ["apart", "untouched", "two"], said
    count = sum(len(found) for found in calls.values())
    return Answer(
        verdict="qualified",
        text=(
            "It is more general, and reentrant. One call gives both families, and for each address "
            f"every type that is not ruled out ({len(plain)} entries for a name with two "
            f"addresses, {len(one)} for streams alone). Each result is the caller's own: two lay "
            "apart, freeaddrinfo of one left the other alone, and two threads in the call at once "
            "got each its own answer. What can be reached comes first, then IPv6 before IPv4."
        ),
        zh=(
            "它更通用，也可重入。一次调用给出两个地址族，每个地址再列出没有被排除的每种套接字类型"
            f"（一个有两个地址的名字给出 {len(plain)} 项，只要流式时 {len(one)} 项）。每个结果都归"
            "调用者所有：两个结果在不同的地方，对一个调用 freeaddrinfo 不影响另一个，两个线程同时调"
            "用也各得各的回答。能到达的地址在前，其次 IPv6 先于 IPv4。"
        ),
        more=(
            f"Of one name the first was {firsts['both']}, on a host without IPv6 {firsts['IPv4']}. "
            f"Without a name it gives the loopback ({', '.join(active)}), with AI_PASSIVE what a "
            f"server binds to ({', '.join(passive)}). AI_ADDRCONFIG leaves the host's own "
            f"families, AI_V4MAPPED writes IPv4 as IPv6 ({mapped[0]}), AI_CANONNAME names the last "
            f"alias ({canonical[0][3]}). In {count} calls the errors were {', '.join(told)}."
        ),
        more_zh=(
            f"同一个名字的第一个地址是 {firsts['both']}，在没有 IPv6 的主机上是 {firsts['IPv4']}。"
            f"不给名字时得到回环地址（{'、'.join(active)}），加 AI_PASSIVE 得到服务器绑定用的地址"
            f"（{'、'.join(passive)}）。AI_ADDRCONFIG 只留下本机有的地址族，AI_V4MAPPED 把 IPv4 写"
            f"成 IPv6（{mapped[0]}），AI_CANONNAME 给出别名最后指向的名字（{canonical[0][3]}）。"
            f"{count} 次调用中出现的错误有 {'、'.join(told)}。"
        ),
    )


_ADDRCONFIG: Final = int(socket.AI_ADDRCONFIG)
_CANON: Final = int(socket.AI_CANONNAME)


def _entries(call: Call) -> list[list[Json]]:
    assert isinstance(call.result, list), call.errno
    return [entry for entry in call.result if isinstance(entry, list)]


NOTE: Final = Note(
    id="N38",
    question="Is getaddrinfo more general than gethostbyname? Is it reentrant?",
    question_zh="getaddrinfo 比 gethostbyname 更通用吗？它可重入吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 3493 6.1",
        "RFC 6724 6",
        "glibc gaih_inet",
        "glibc get_nss_addresses",
        "glibc generate_addrinfo",
    ),
    words=(
        *("getaddrinfo", "freeaddrinfo", "hints", "AI_PASSIVE", "AI_CANONNAME", "AI_V4MAPPED"),
        *("AI_ADDRCONFIG", "AI_NUMERICHOST", "EAI_NONAME", "EAI_SERVICE", "reentrant", "order"),
    ),
)
