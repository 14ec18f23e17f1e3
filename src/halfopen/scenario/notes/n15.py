"""N15: when connect returns, and with what: the second segment, sooner, or not at all."""

import contextlib
import errno
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from halfopen.base.units import MS
from halfopen.record.faults import Fault, Lose
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    At,
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
from halfopen.scenario.notes.reading import Seen, in_chinese, segments_from, span
from halfopen.wire.tcp import ACK

PORT: Final = 80
#: Nobody listens there.
CLOSED: Final = 81
OWN: Final = 7000
LONG: Final = 30.0
LINK: Final = "client-server"
#: Host and port.
Place: TypeAlias = tuple[str, int]
#: When a signal comes, in seconds: in the middle of a slow handshake.
SOON: Final = 0.1
#: Longer than any of the attempts.
PATIENCE: Final = 2.0
HORIZON_NS: Final = 400 * MS
LONGER_NS: Final = 1400 * MS
SLOW_NS: Final = 200 * MS

#: What befalls the handshake.
FAULTS: Final[dict[str, Fault]] = {
    "third segment lost": Lose(link=LINK, towards="server", pick="bare ACK"),
    "first segment lost": Lose(link=LINK, towards="server", pick="SYN"),
}
PATHS: Final = ("usual", "slow", "never accepted", *FAULTS, "refused")
#: Where a connect may lead that needs no other host, or no host at all.
PLACES: Final[dict[str, tuple[str, int]]] = {
    "its own port": ("10.0.0.1", OWN),
    "one's own address": ("10.0.0.1", PORT),
    "0.0.0.0": ("0.0.0.0", PORT),
    "::": ("::", PORT),
    "::1": ("::1", PORT),
    "broadcast": ("10.0.0.255", PORT),
    "limited broadcast": ("255.255.255.255", PORT),
    "multicast": ("224.0.0.1", PORT),
    "multicast of IPv6": ("ff0e::1", PORT),
    "port 0": ("10.0.0.2", 0),
}


def server(lab: Lab) -> None:
    """Listen; accept at once, or never."""
    listener = socket.socket(_family(lab), socket.SOCK_STREAM)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    if lab.settings["handshake"] != "never accepted":
        conn, _ = listener.accept()
        time.sleep(LONG)
        conn.close()
    time.sleep(LONG)


def client(lab: Lab) -> None:
    """Connect to the server."""
    sock = socket.socket(_family(lab), socket.SOCK_STREAM)
    port = CLOSED if lab.settings["handshake"] == "refused" else PORT
    (WAYS | SIGNALLED)[lab.settings["connect"]](sock, (lab.address("server"), port))
    time.sleep(LONG)


def crossing(lab: Lab) -> None:
    """Connect from a fixed port to one at which the other does the same."""
    ours, theirs = lab.address("client"), lab.address("server")
    sock = socket.socket(_family(lab), socket.SOCK_STREAM)
    sock.bind((ours, OWN))
    WAYS[lab.settings["connect"]](sock, (theirs, OWN))
    time.sleep(LONG)


def crossing_back(lab: Lab) -> None:
    """Be the other."""
    ours, theirs = lab.address("server"), lab.address("client")
    sock = socket.socket(_family(lab), socket.SOCK_STREAM)
    sock.bind((ours, OWN))
    sock.connect((theirs, OWN))
    time.sleep(LONG)


def alone(lab: Lab) -> None:
    """Connect to where no other program is needed, and say something to whoever is there."""
    there = PLACES[lab.settings["to"]]
    family = socket.AF_INET6 if ":" in there[0] else socket.AF_INET
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", PORT))
    listener.listen(5)
    sock = socket.socket(family, socket.SOCK_STREAM)
    if lab.settings["to"] == "its own port":
        sock.bind(there)
    WAYS[lab.settings["connect"]](sock, there)
    sock.getsockname()
    with contextlib.suppress(OSError):
        sock.getpeername()
        sock.setblocking(True)
        sock.send(b"hello")
    if lab.settings["to"] == "its own port":
        sock.recv(100)
    time.sleep(LONG)


def _again(sock: socket.socket, there: Place) -> None:
    """Call it once more, whatever became of the first."""
    sock.setblocking(False)
    sock.connect_ex(there)


def _blocking(sock: socket.socket, there: Place) -> None:
    with contextlib.suppress(OSError):
        sock.connect(there)
    _again(sock, there)


def _sndtimeo(sock: socket.socket, there: Place) -> None:
    timeval = int(PATIENCE).to_bytes(8, "little") + bytes(8)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    _blocking(sock, there)


def _settimeout(sock: socket.socket, there: Place) -> None:
    sock.settimeout(PATIENCE)
    _blocking(sock, there)


def _nonblocking(sock: socket.socket, there: Place) -> None:
    """Begin, look what a second call says, wait by poll, and call twice more."""
    sock.setblocking(False)
    sock.connect_ex(there)
    sock.connect_ex(there)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    poll.poll(PATIENCE * 1000)
    sock.connect_ex(there)
    sock.connect_ex(there)


class InterruptedByHandlerError(Exception):
    """What the handler raises to get out of connect."""


def _handles(number: int, frame: object) -> None:
    """Do nothing: Python goes on waiting."""


def _raises(number: int, frame: object) -> None:
    raise InterruptedByHandlerError


def _signalled(handler: Callable[[int, object], None], sock: socket.socket, there: Place) -> None:
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, SOON)
    with contextlib.suppress(InterruptedByHandlerError):
        sock.connect(there)
    _again(sock, there)


def _handler_returns(sock: socket.socket, there: Place) -> None:
    _signalled(_handles, sock, there)


def _handler_raises(sock: socket.socket, there: Place) -> None:
    _signalled(_raises, sock, there)


WAYS: Final[dict[str, Callable[[socket.socket, Place], None]]] = {
    "blocking": _blocking,
    "SO_SNDTIMEO": _sndtimeo,
    "settimeout": _settimeout,
    "non-blocking": _nonblocking,
}
SIGNALLED: Final[dict[str, Callable[[socket.socket, Place], None]]] = {
    "a handler returns": _handler_returns,
    "a handler raises": _handler_raises,
}


def _family(lab: Lab) -> socket.AddressFamily:
    return socket.AF_INET6 if lab.settings["IP"] == "6" else socket.AF_INET


def _hosts(version: str) -> tuple[Host, ...]:
    four, six = ("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")
    own, theirs = six if version == "6" else four
    return (
        Host(name="client", addresses=(own,), sysctl={}),
        Host(name="server", addresses=(theirs,), sysctl={}),
    )


def _with_a_server(settings: dict[str, str]) -> Variant:
    path = settings["handshake"]
    fault = FAULTS.get(path)
    start = OnMark(process="server", name="listening", delay_ns=20 * MS)
    now = OnMark(process="server", name="listening", delay_ns=10 * MS)
    return Variant(
        settings=settings,
        hosts=_hosts(settings["IP"]),
        links=(Link(a="client", b="server", delay_ns=SLOW_NS if path == "slow" else 10 * MS),),
        processes=(
            Process(host="server", name="server", program=server),
            Process(host="client", name="client", program=client, start=start),
        ),
        steps=() if fault is None else (Step(when=now, fault=fault),),
        horizon_ns=LONGER_NS
        if path in FAULTS
        else 2 * HORIZON_NS
        if path == "slow"
        else HORIZON_NS,
    )


def _crossed(settings: dict[str, str]) -> Variant:
    start = At(t_ns=100 * MS)
    return Variant(
        settings=settings,
        hosts=_hosts(settings["IP"]),
        links=(Link(a="client", b="server"),),
        processes=(
            Process(host="client", name="client", program=crossing, start=start),
            Process(host="server", name="server", program=crossing_back, start=start),
        ),
        steps=(),
        horizon_ns=HORIZON_NS,
    )


def _alone(settings: dict[str, str]) -> Variant:
    return Variant(
        settings=settings,
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl={}),
            Host(name="server", addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(),
        lans=(Lan(hosts=("client", "server")),),
        processes=(Process(host="client", name="client", program=alone),),
        steps=(),
        horizon_ns=HORIZON_NS,
    )


_SERVED: Final = tuple(
    _with_a_server(settings)
    for product in (
        each(handshake=PATHS, connect=tuple(WAYS), IP=("4",)),
        each(handshake=("usual", "refused"), connect=("blocking", "non-blocking"), IP=("6",)),
        each(handshake=("slow",), connect=tuple(SIGNALLED), IP=("4",)),
    )
    for settings in product
)
_CROSSED: Final = tuple(
    _crossed(settings)
    for settings in each(
        handshake=("crossed",), connect=("blocking", "non-blocking"), IP=("4", "6")
    )
)
_ALONE: Final = tuple(
    _alone(settings) for settings in each(to=tuple(PLACES), connect=("blocking", "non-blocking"))
)
_VARIANTS: Final = (*_SERVED, *_CROSSED, *_ALONE)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run when connect returned, against the segments of the handshake."""
    took: dict[str, list[int]] = {}
    told: dict[str, set[tuple[str, ...]]] = {}
    raised = []
    for variant in (*_SERVED, *_CROSSED):
        trace, settings = runs[variant.name], variant.settings
        path, way = settings["handshake"], settings["connect"]
        tries = _tries(trace)
        outcomes = tuple(map(_outcome, tries))
        if way == "a handler raises":
            assert outcomes[1] == "EALREADY", "the attempt goes on"
            raised.append(_blocked(tries[0]))
            continue
        over = _waited_until(trace)
        second = _second(trace)
        assert over == second.arrived_ns, "what ends the wait is the peer's answer to the SYN"
        took.setdefault(path, []).append(over - tries[0].t_ns)
        if path != "refused":
            third = next(s for s in segments_from(trace, "client") if s.t_ns >= over)
            assert third.seg.flags == ACK, "only then the third segment leaves"
            assert path != "third segment lost" or third.arrived_ns is None, "it may be lost"
        if way == "non-blocking":
            assert _blocked(tries[0]) == 0, "it returns at once"
        told.setdefault(f"{way}, {_kind(path)}", set()).add(outcomes)
    assert told["blocking, connected"] == {("0", "EISCONN")}, "then it is connected"
    assert told["settimeout, connected"] == {("0", "0")}, "Python asked SO_ERROR, not connect"
    ((*going, done, after),) = told["non-blocking, connected"]
    ((*_, refused, _),) = told["non-blocking, refused"]
    own = {to: _alone_outcome(runs, to) for to in PLACES}
    own_names, nowhere = _reached(own), _grouped(own)
    usual, slow, late, crossed = (
        span(took[path]) for path in ("usual", "slow", "first segment lost", "crossed")
    )
    early = span(raised)
    return Answer(
        verdict="qualified",
        text=(
            "A connect that waits does: it returns when the answer to its SYN arrives, SYN,ACK or "
            f"RST ({usual}, one round trip; {late} where the first SYN is lost). It waits for "
            "nothing more: the third segment leaves only then and may get lost, and whether the "
            f"server ever accepts does not matter. A non-blocking one gives {going[0]} at once, "
            "and poll tells the end. A waiting one is left sooner when its own time is up, or when "
            "a signal's handler raises; the kernel goes on connecting."
        ),
        zh=(
            f"会等待的 connect 正是如此：对 SYN 的应答（SYN,ACK 或 RST）一到就返回（{usual}，一个往"
            f"返；第一个 SYN 丢失时 {late}）。此外什么也不等：第三个报文段那时才发出，丢了也无妨，"
            f"服务器是否 accept 也无关。非阻塞的立即返回 {going[0]}，由 poll 告知结束。会等待的也可"
            "能提前返回：自己的超时到了，或信号处理函数抛出异常；内核仍继续连接。"
        ),
        more=(
            f"On a slow way it took {slow}; where two opens cross it is the SYN,ACK too that ends "
            f"it ({crossed}). A non-blocking connect, called again, gives {going[1]}; when poll "
            f"has told the end, {done} once and then {after}, or {refused}. The handler raised "
            f"after {early}; if it returns, Python waits on. At once, and without a peer, connect "
            f"reaches {own_names}. What is no peer fails ({nowhere})."
        ),
        more_zh=(
            f"慢速线路上用了 {slow}；双方同时打开时，也是收到 SYN,ACK 才返回（{crossed}）。非阻塞"
            f"的 connect 再调用得 {going[1]}；poll 告知结束后再调用，先得一次 {done}，以后是 "
            f"{after}，失败则是 {refused}。信号处理函数在 {early} 后抛出异常；如果它正常返回，"
            f"Python 继续等。连接这些目的地不需要对端，立即完成：{in_chinese(own_names, CHINESE)}。"
            f"不能作对端的则失败（{in_chinese(nowhere, CHINESE)}）。"
        ),
    )


#: Destinations in Chinese.
CHINESE: Final = {
    "its own port": "自己的端口",
    "one's own address": "本机地址",
    "limited broadcast": "受限广播",
    "broadcast": "广播",
    "multicast of IPv6": "IPv6 组播",
    "multicast": "组播",
    "port 0": "端口 0",
}


def _kind(path: str) -> str:
    return "refused" if path == "refused" else "connected"


def _tries(trace: Trace) -> list[Call]:
    made = calls(trace, process="client")
    return [call for call in made if call.call in {"connect", "connect_ex"}]


def _outcome(call: Call) -> str:
    if call.errno is not None or not call.result:
        return call.errno or "0"
    assert isinstance(call.result, int), "connect_ex gives an errno"
    return errno.errorcode[call.result]


def _blocked(call: Call) -> int:
    assert call.blocked_ns is not None, "it returned"
    return call.blocked_ns


def _waited_until(trace: Trace) -> int:
    """When the first connect was over, or the poll that waited for its end."""
    polls = calls(trace, process="client", call="poll")
    call = polls[0] if polls else _tries(trace)[0]
    return call.t_ns + _blocked(call)


def _second(trace: Trace) -> Seen:
    """The first segment of the peer that answers the SYN, and has arrived."""
    return next(
        seen
        for seen in segments_from(trace, "server")
        if seen.seg.flags & ACK and seen.arrived_ns is not None
    )


def _alone_outcome(runs: Mapping[str, Trace], to: str) -> str:
    """Where a connect that needs no other host led, or what it was told; however it waited."""
    outcomes = set()
    for variant in _ALONE:
        if variant.settings["to"] != to:
            continue
        trace = runs[variant.name]
        (name,) = calls(trace, process="client", call="getpeername")
        tries = _tries(trace)
        if name.errno is None:
            assert isinstance(name.result, list), "a name is a list"
            assert _waited_until(trace) == tries[0].t_ns, "it takes no time"
            outcomes.add(str(name.result[0]))
        else:
            outcomes.add(next(o for o in map(_outcome, tries) if o not in _GOING))
    (outcome,) = outcomes
    return outcome


#: What is no end.
_GOING: Final = ("EINPROGRESS", "EALREADY")


def _reached(own: Mapping[str, str]) -> str:
    """Write which destinations are the host itself, and by which address."""
    return ", ".join(f"{to} ({host})" for to, host in own.items() if not host.startswith("E"))


def _grouped(own: Mapping[str, str]) -> str:
    """Write which destinations can't be connected to, by what is told: ``ENETUNREACH: a, b``."""
    groups: dict[str, list[str]] = {}
    for to, outcome in own.items():
        if outcome.startswith("E"):
            groups.setdefault(outcome, []).append(to)
    return "; ".join(f"{outcome}: {', '.join(tos)}" for outcome, tos in groups.items())


NOTE: Final = Note(
    id="N15",
    question="Does connect return on the second segment, the peer's SYN,ACK, or on failure?",
    question_zh="connect 是否在收到第二个报文段（对端的 SYN,ACK）或失败后才返回？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.5",
        "RFC 9293 3.10.7.3",
        "Linux __inet_stream_connect",
        "Linux inet_wait_for_connect",
        "Linux tcp_rcv_synsent_state_process",
        "Linux tcp_v4_connect",
    ),
    words=(
        "connect",
        "handshake",
        "SYN,ACK",
        "EINPROGRESS",
        "EALREADY",
        "EISCONN",
        "EINTR",
        "non-blocking",
        "simultaneous open",
        "connect to itself",
        "0.0.0.0",
        "broadcast",
        "multicast",
    ),
)
