"""N35: what /etc/resolv.conf holds, how servers are asked, and what needs a network at all."""

import socket
import time
from collections.abc import Mapping
from threading import Thread
from typing import Final

from halfopen.base.units import S, show_duration
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario import zones
from halfopen.scenario.etc import RESOLV_CONF
from halfopen.scenario.model import Answer, Lab, Note, Process, Variant
from halfopen.scenario.notes import naming
from halfopen.scenario.notes.naming import CLIENT, SERVER, Query
from halfopen.scenario.notes.reading import segments_from, span, span_zh

#: By what they do, the name servers that resolv.conf may name.
ADDRESSES: Final = {
    "answers": "10.0.0.2",
    "silent": "10.0.0.3",
    "closed": "10.0.0.4",
    "refuses": "10.0.0.5",
    "silent too": "10.0.0.6",
    "silent as well": "10.0.0.7",
    "no route": "203.0.113.1",
    "here": "127.0.0.1",
    "here too": "127.0.0.2",
}
_OF_SERVER: Final = tuple(address for address in ADDRESSES.values() if address.startswith("10."))
#: It knows nothing, and says so (REFUSED).
_NOTHING: Final = zones.Zone((), "")
ONCE: Final = "timeout:1 attempts:1"
TWICE: Final = "timeout:1 attempts:2"
LISTED: Final = "listed.example.org"
_LISTED: Final = f"192.0.2.77 {LISTED}\n{LISTED} 192.0.2.77\n"
ROUNDS: Final = 4


def server(lab: Lab) -> None:
    """Answer at one address, refuse at another, hold a third and read nothing there."""
    _silent = [naming.bound(ADDRESSES[which]) for which in ("silent", "silent too")]
    _more = naming.bound(ADDRESSES["silent as well"])
    refusing = naming.bound(ADDRESSES["refuses"])
    Thread(target=naming.answer_all, args=(refusing, None, _NOTHING), daemon=True).start()
    datagrams = naming.bound(ADDRESSES["answers"])
    listener = None
    if lab.settings["TCP"] == "yes":
        listener = naming.bound(ADDRESSES["answers"], socket.SOCK_STREAM)
        listener.listen(5)
    lab.mark("serving")
    naming.answer_all(datagrams, listener, naming.ZONE)


def server_here(lab: Lab) -> None:
    """Answer on the client's own host."""
    naming.serve_at(lab, ADDRESSES["here"], thinks=0)


def second_here(lab: Lab) -> None:
    """The same at another address of the loopback."""
    naming.serve_at(lab, ADDRESSES["here too"], thinks=0)


def client(lab: Lab) -> None:
    """Look the name up; with rotate several times."""
    settings = lab.settings
    family = socket.AF_INET if settings["family"] == "IPv4" else socket.AF_UNSPEC
    rotates = "rotate" in settings["options"]
    for _ in range(ROUNDS if rotates else 1):
        naming.attempt(
            lambda: socket.getaddrinfo(settings["ask"], None, family, socket.SOCK_STREAM)
        )
    lab.mark("told")
    time.sleep(naming.LONG)


def _variant(  # noqa: PLR0913  each is another line of resolv.conf
    ask: str,
    *,
    servers: tuple[str, ...] = ("answers",),
    options: str = ONCE,
    search: str = "",
    family: str = "any",
    tcp: bool = True,
    horizon_ns: int = S // 2,
    because: str = "",
) -> Variant:
    settings = {
        "ask": ask,
        "servers": ", ".join(servers) or "none named",
        "options": options or "none",
        "search": search or "none",
        "family": family,
        "TCP": "yes" if tcp else "no",
    }
    files = naming.resolv_conf(
        *(ADDRESSES[which] for which in servers), options=options, search=search
    )
    if ask == LISTED:
        files = {RESOLV_CONF: f"{files[RESOLV_CONF]}{_LISTED}"}
    if not servers:
        files = {}
    here = not servers or "here" in servers
    second = Process(host=CLIENT, name="second server", program=second_here)
    return naming.variant(
        settings,
        client=client,
        files=files,
        server=server_here if here else server,
        server_on=CLIENT if here else SERVER,
        more=(second,) if "here too" in servers else (),
        server_addresses=_OF_SERVER,
        horizon_ns=horizon_ns,
        kernel=not because,
        because=because,
    )


_WWW: Final = "www.example.org"
_NOWHERE: Final = "nowhere.example.org"
_LONG: Final = "the default durations"

_NAMES: Final = tuple(
    _variant(f"{name}.example.org", horizon_ns=S)
    for name in (
        *("www", "v4", "v6", "alias", "chain", "dangling", "mail", "nowhere", "slow"),
        *("servfail", "refused", "big", "listed"),
    )
)
_ONE: Final = (
    _variant(_WWW, family="IPv4"),
    _variant("big.example.org", tcp=False),
    _variant("big.example.org", options=f"{ONCE} edns0"),
    _variant(_WWW, options=f"{ONCE} use-vc"),
    _variant(_WWW, options=f"{ONCE} single-request"),
    _variant("silent.example.org", options=ONCE, horizon_ns=S * 3 // 2),
    _variant("silent.example.org", options=TWICE, horizon_ns=S * 5 // 2),
    _variant("lost.example.org", options=TWICE, horizon_ns=S * 3 // 2),
    _variant("half.example.org", options=ONCE, horizon_ns=S * 7 // 2),
)
_SEVERAL: Final = tuple(
    _variant(_WWW, servers=(first, "answers"), horizon_ns=S * 3 // 2)
    for first in ("silent", "closed", "refuses", "no route")
)
_NONE: Final = (
    _variant(_WWW, servers=("closed",), options=TWICE),
    _variant(_WWW, servers=("no route",), options=TWICE),
    _variant(_WWW, servers=("refuses",), options=TWICE),
    _variant(_WWW, servers=("silent", "silent too"), options=TWICE, horizon_ns=S * 9 // 2),
    _variant(_WWW, servers=("answers", "silent", "closed", "refuses")),
)
_ALONE: Final = tuple(
    _variant(ask, servers=("no route",)) for ask in ("192.0.2.9", "2001:db8::9", CLIENT)
)
_HERE: Final = (
    _variant(_WWW, servers=(), options=""),
    _variant(_WWW, servers=("here", "here too"), options="rotate", family="IPv4"),
)
_SEARCH: Final = tuple(
    _variant(ask, search="example.org example.net", options=options)
    for ask, options in (
        ("www", ONCE),
        ("www.", ONCE),
        ("nowhere", ONCE),
        ("deep.sub", ONCE),
        ("deep.sub", f"{ONCE} ndots:2"),
        (_WWW, ONCE),
        (_WWW, f"{ONCE} ndots:3"),
    )
)
_DEFAULTS: Final = tuple(
    _variant(_WWW, servers=servers, options="", horizon_ns=60 * S, because=_LONG)
    for servers in (
        ("silent",),
        ("silent", "silent too"),
        ("silent", "silent too", "silent as well"),
    )
)
_VARIANTS: Final = (*_NAMES, *_ONE, *_SEVERAL, *_NONE, *_ALONE, *_HERE, *_SEARCH, *_DEFAULTS)


class Run:
    """One run as the answer reads it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.calls = naming.lookups(trace)
        self.call = self.calls[0]
        self.queries = naming.queries(trace)
        self.got = naming.outcome(self.call)
        took = self.call.blocked_ns
        assert took is not None, "the lookup came to an end"
        self.took = took

    @property
    def kinds(self) -> list[str]:
        """Which types were asked for, in their order."""
        return [query.kind for query in self.queries]

    @property
    def names(self) -> list[str]:
        """Which names were asked for, each once, in their order."""
        return list(dict.fromkeys(query.name for query in self.queries))

    @property
    def rounds(self) -> list[Query]:
        """The queries for A alone: one for each time that a server was asked."""
        return [query for query in self.queries if query.kind == "A"]

    @property
    def connections(self) -> int:
        """How many connections were opened to a server."""
        return len([seen for seen in segments_from(self.trace, CLIENT) if seen.seg.flags == _SYN])


_SYN: Final = 2


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from the runs what was asked, of whom, when, and what came of it."""
    of = {variant.name: Run(runs[variant.name]) for variant in _VARIANTS}
    listed = of[_NAMES[-1].name]
    assert (listed.got, bool(listed.queries)) == ("EAI_NONAME", True), "no name is looked up there"
    _check_names(of)
    big = of[_NAMES[-2].name]
    assert len(naming.found(big.call)) == 40, "all of what was cut off"
    assert big.connections == len(big.rounds) > 0, "each time over TCP what was cut off over UDP"
    no_tcp, edns, use_vc, single = (of[variant.name] for variant in _ONE[1:5])
    assert (no_tcp.got, edns.connections) == ("EAI_AGAIN", 0), "TCP is needed, but with EDNS"
    assert (use_vc.queries, use_vc.connections) == ([], 1), "over TCP alone"
    assert single.queries[0].t_ns < single.queries[1].t_ns, "one after another"
    once, twice, lost, half = (of[variant.name] for variant in _ONE[5:])
    assert (once.got, twice.got, len(once.rounds), len(twice.rounds)) == (
        "EAI_AGAIN",
        "EAI_AGAIN",
        1,
        2,
    ), "a server that says nothing is asked as often as attempts says"
    again = twice.rounds[1]
    assert again.sport == twice.rounds[0].sport, "from the same port"
    waits = [again.t_ns - twice.rounds[0].t_ns, lost.rounds[1].t_ns - lost.rounds[0].t_ns]
    assert lost.got == "192.0.2.52", "a lost query is asked again"
    assert half.got == "192.0.2.53", "half an answer is better than none"
    silent, *others = (of[variant.name] for variant in _SEVERAL)
    assert {run.got for run in (silent, *others)} == {of[_NAMES[0].name].got}, "the next one knows"
    at_once = [run.took for run in others]
    closed, unreachable, refused, dead, four = (of[variant.name] for variant in _NONE)
    assert {closed.got, unreachable.got, refused.got, dead.got} == {"EAI_AGAIN"}, "for now"
    assert not unreachable.queries, "nothing can be sent"
    assert [query.to[-1] for query in dead.rounds] == ["3", "6", "3", "6"], "round after round"
    assert four.got == of[_NAMES[0].name].got, "the first one answers"
    for run in (of[variant.name] for variant in _ALONE):
        assert (run.call.errno, run.queries) == (None, []), "numbers and the hosts file"
    here, rotate = (of[variant.name] for variant in _HERE)
    assert (here.got, here.queries) == (four.got, []), "the loopback is network enough"
    assert _turns(rotate) == [0, 1] * (ROUNDS // 2), "with rotate, by turns"
    _check_search(of)
    waited = [of[variant.name].took for variant in _DEFAULTS]
    assert {of[variant.name].got for variant in _DEFAULTS} == {"EAI_AGAIN"}, "for now"
    tries = [len(of[variant.name].rounds) for variant in _DEFAULTS]
    assert tries == [2, 4, 6], "two attempts by default"
    first_wait = _gap(of[_DEFAULTS[0].name])
    return Answer(
        verdict="refuted",
        text=(
            "Not always: numbers and the hosts file need none, nor does a server on the host "
            "itself. And resolv.conf holds no names: one that was written into it was not found. "
            "It says which servers are asked (up to three), over UDP, how long, how often, and "
            "with which endings. A silent server is asked again after "
            f"{show_duration(first_wait)}; where none answers it ends with EAI_AGAIN: after "
            f"{show_duration(waited[0])} with one server, {show_duration(waited[1])} with two, "
            f"{show_duration(waited[2])} with three."
        ),
        zh=(
            "不一定：数字地址和 hosts 文件不需要网络，本机上的服务器也不需要。而 resolv.conf 里没有"
            "名字：写在里面的名字并没有被找到。它只说明用 UDP 问哪些服务器（最多三个）、等多久、问"
            f"几次、加哪些后缀。服务器不作声时，{show_duration(first_wait)} 后再问；都不应答时以 "
            f"EAI_AGAIN 结束：一个服务器 {show_duration(waited[0])} 后，两个 "
            f"{show_duration(waited[1])}，三个 {show_duration(waited[2])}。"
        ),
        more=(
            f"A server on the host itself (127.0.0.1, where none is named) gave {here.got} without "
            "a packet on the wire. The questions for A and AAAA go out side by side. An answer "
            f"that is cut off at 512 bytes is fetched over TCP ({len(naming.found(big.call))} "
            f"addresses). With timeout:1 each wait is {span(waits)}. A server that refuses, whose "
            "port is closed, or to which no way leads is passed over at once: the next one's "
            f"answer was there after {span(at_once)}. NXDOMAIN gives EAI_NONAME, SERVFAIL "
            "EAI_AGAIN. A name with fewer dots than ndots is first tried with each ending of "
            "search."
        ),
        more_zh=(
            "本机上的服务器（没有写 nameserver 时就问 127.0.0.1）线上不发一个包就给出了 "
            f"{here.got}。A 和 AAAA 两个问题同时发出；超过 512 字节被截断的回答改用 TCP 取"
            f"（{len(naming.found(big.call))} 个地址）。timeout:1 时每次等 {span_zh(waits)}。端口没"
            f"有开、拒绝回答、没有路由的服务器不用等，下一个服务器的回答在 {span_zh(at_once)} 后到"
            "来。NXDOMAIN 得到 EAI_NONAME，SERVFAIL 得到 EAI_AGAIN。点数少于 ndots 的名字先加上 "
            "search 的各个后缀再问。"
        ),
    )


def _check_names(of: Mapping[str, Run]) -> None:
    """What each name gives by itself, with one query for A and one for AAAA side by side."""
    expected = {}
    for variant in _NAMES[:-2]:
        run = of[variant.name]
        name = variant.settings["ask"].partition(".")[0]
        expected[name] = run.got
        assert run.kinds == ["A", "AAAA"], f"{variant.name}: {run.kinds}"
        a, aaaa = run.queries
        assert (a.t_ns, a.sport) == (aaaa.t_ns, aaaa.sport), "side by side, from one socket"
    assert expected["alias"] == expected["chain"] == expected["www"], "aliases are followed"
    kinds = {name: got for name, got in expected.items() if got.startswith("EAI_")}
    assert kinds == {
        "dangling": "EAI_NONAME",
        "mail": "EAI_NODATA",
        "nowhere": "EAI_NONAME",
        "servfail": "EAI_AGAIN",
        "refused": "EAI_AGAIN",
    }, kinds
    assert of[_ONE[0].name].kinds == ["A"], "who wants IPv4 alone asks for that alone"


def _check_search(of: Mapping[str, Run]) -> None:
    """Which names were asked for, by search and ndots."""
    names = [of[variant.name].names for variant in _SEARCH]
    assert names == [
        ["www.example.org"],
        ["www"],
        ["nowhere.example.org", "nowhere.example.net", "nowhere"],
        ["deep.sub", "deep.sub.example.org", "deep.sub.example.net"],
        ["deep.sub.example.org", "deep.sub.example.net"],
        ["www.example.org"],
        ["www.example.org.example.org", "www.example.org.example.net", "www.example.org"],
    ], names


def _turns(run: Run) -> list[int]:
    """Which of the two servers on the host was asked, each time; the first one is 0."""
    heard: list[Call] = [
        call
        for call in calls(run.trace, call="recvfrom_into")
        if call.returned_ns is not None and call.errno is None
    ]
    order = [call.process for call in sorted(heard, key=lambda call: call.call_id)]
    return [int(process != order[0]) for process in order]


def _gap(run: Run) -> int:
    return run.rounds[1].t_ns - run.rounds[0].t_ns


NOTE: Final = Note(
    id="N35",
    question="Does looking up names need the network? Is it done through /etc/resolv.conf?",
    question_zh="查名字必须联网吗？是通过 /etc/resolv.conf 查的吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 1035 4.2.1",
        "RFC 7766 5",
        "RFC 1123 6.1.3.5",
        "glibc res_vinit_1",
        "glibc send_dg",
        "glibc send_vc",
        "glibc __res_context_search",
    ),
    words=(
        *("resolv.conf", "DNS", "nameserver", "search", "ndots", "timeout", "attempts", "rotate"),
        *("UDP", "TCP", "truncation", "NXDOMAIN", "SERVFAIL", "EAI_AGAIN", "CNAME", "resolver"),
    ),
)
