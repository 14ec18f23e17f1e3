"""N45: SO_REUSEADDR and SO_REUSEPORT before bind; a restart while the old socket is still there."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from halfopen.base.units import MINUTE, MS, S, show_duration
from halfopen.record.events import CallEntry, Mark
from halfopen.record.faults import CableOut
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Host,
    Lab,
    Link,
    Note,
    OnMark,
    Process,
    Program,
    Step,
    Variant,
    each,
)

SERVER: Final = "server"
RESTARTED: Final = "restarted"
CLIENT: Final = "client"
CABLE: Final = "client-server"
PORT: Final = 80
BACKLOG: Final = 32

#: Seconds after the server accepted: the client ends, the cable is pulled, the server ends, and all
#: is as the variant wants it.
CLIENT_ENDS: Final = 0.05
CUT_NS: Final = 90 * MS
SERVER_ENDS: Final = 0.1
SETTLED: Final = 0.16
RESTART_NS: Final = 20 * MS
#: After the first connect, the client connects again; after its start the new server accepts.
AGAIN: Final = 0.3
ACCEPTS: Final = 0.15
HORIZON_NS: Final = 460 * MS
#: Longer than the kernel keeps anything.
EVER: Final = 600.0

#: Which options a socket has.
OPTIONS: Final[dict[str, tuple[int, ...]]] = {
    "none": (),
    "SO_REUSEADDR": (socket.SO_REUSEADDR,),
    "SO_REUSEPORT": (socket.SO_REUSEPORT,),
    "both": (socket.SO_REUSEADDR, socket.SO_REUSEPORT),
}
LATER: Final = "SO_REUSEADDR after bind"


def _stays(sock: socket.socket) -> None:
    assert sock.fileno() >= 0


def _half_closes(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def _waits_and_closes(sock: socket.socket) -> None:
    sock.recv(100)
    sock.close()


#: What the old server's socket is in, and how the server and the client bring it there.
_Acts: TypeAlias = tuple[Callable[[socket.socket], None], Callable[[socket.socket], None]]
STATES: Final[dict[str, _Acts]] = {
    "bound": (_stays, _stays),
    "LISTEN": (_stays, _stays),
    "ESTABLISHED": (_stays, _stays),
    "CLOSE-WAIT": (_stays, socket.socket.close),
    "LAST-ACK": (socket.socket.close, socket.socket.close),
    "FIN-WAIT-1": (socket.socket.close, _stays),
    "FIN-WAIT-2": (_half_closes, _stays),
    "FIN-WAIT-2, closed": (socket.socket.close, _stays),
    "TIME-WAIT": (socket.socket.close, _waits_and_closes),
}
#: There the FIN must not arrive.
CUT: Final = ("LAST-ACK", "FIN-WAIT-1")


def server(lab: Lab) -> None:
    """Be the old server: have a socket at the port, in the state that the variant says."""
    state, options = lab.settings["old socket"], lab.settings["old options"]
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for option in OPTIONS.get(options, ()):
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
    listener.bind((lab.address(SERVER), PORT))
    if options == LATER:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if state != "bound":
        listener.listen(BACKLOG)
    lab.mark("listening")
    if state in {"bound", "LISTEN"}:
        time.sleep(SETTLED)
    else:
        conn, _ = listener.accept()
        listener.close()
        lab.mark("accepted")
        time.sleep(SERVER_ENDS)
        STATES[state][0](conn)
        time.sleep(SETTLED - SERVER_ENDS)
    lab.mark("settled")
    time.sleep(EVER)


def restarted(lab: Lab) -> None:
    """Be the new server: try with every option; what listens last goes on."""
    kept = None
    for options in OPTIONS.values():
        lab.mark("tries")
        kept = _tries(lab, options) or kept
    lab.mark("tried")
    time.sleep(ACCEPTS)
    if kept is not None:
        kept.setblocking(False)
        with contextlib.suppress(OSError):
            kept.accept()
    time.sleep(EVER)


def _tries(lab: Lab, options: tuple[int, ...]) -> socket.socket | None:
    """Bind and listen; the last one that may do so stays."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for option in options:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    with contextlib.suppress(OSError):
        sock.bind((lab.address(SERVER), PORT))
        sock.listen(BACKLOG)
        if options == OPTIONS["both"]:
            return sock
    sock.close()
    return None


def client(lab: Lab) -> None:
    """Connect, end as the variant says, and connect again when the new server is there."""
    first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    began = time.monotonic()
    first.connect_ex((lab.address(SERVER), PORT))
    time.sleep(CLIENT_ENDS)
    if lab.settings["old socket"] != "bound":
        STATES[lab.settings["old socket"]][1](first)
    time.sleep(began + AGAIN - time.monotonic())
    second = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    second.setblocking(False)
    second.connect_ex((lab.address(SERVER), PORT))
    time.sleep(EVER)


# How long it takes without the options.

#: Seconds after the old socket is as the variant wants it. It stays for 60 s, and then to the next
#: slot of the timer wheel; these are 2.048 s apart: no try falls in there, where chance decides.
LOOKS: Final = (1.0, 30.0, 59.0, 63.0)


def retries(lab: Lab) -> None:
    """Bind at certain times, without any option, until that works."""
    began = time.monotonic()
    for look in LOOKS:
        time.sleep(began + look - time.monotonic())
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.bind((lab.address(SERVER), PORT))
        except OSError:
            sock.close()
        else:
            break
    time.sleep(EVER)


# Several listeners at one port.

#: So many that by chance none of two listeners is left out.
MANY: Final = 16
OWN_PORT: Final = 5000
ASKS: Final = 0.25
GROUP_HORIZON_NS: Final = 600 * MS
#: Closed so, a connection leaves nothing behind: the next may have its ports at once.
_LINGER_0: Final = struct.pack("@ii", 1, 0)


def group(lab: Lab) -> None:
    """Listen twice at one port, and see to whom connections go."""
    pair = []
    for _ in range(2):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((lab.address(SERVER), PORT))
        sock.listen(BACKLOG)
        # Which one is chosen is drawn: both go by new numbers, named when they are first chosen.
        pair.append(socket.fromfd(sock.fileno(), socket.AF_INET, socket.SOCK_STREAM))
        sock.close()
    lab.mark("listening")
    GROUPS[lab.settings["two listeners"]](lab, pair)
    time.sleep(EVER)


def _spread(lab: Lab, pair: list[socket.socket]) -> None:
    assert lab.settings
    time.sleep(ASKS)
    for sock in pair:
        select.select([sock], [], [], 0)


def _same(lab: Lab, pair: list[socket.socket]) -> None:
    assert lab.settings
    for _ in range(3):
        time.sleep(ASKS - 0.1)
        (chosen, *_), _, _ = select.select(pair, [], [], 0)
        conn, _ = chosen.accept()
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        conn.close()


def _closed(lab: Lab, pair: list[socket.socket]) -> None:
    time.sleep(ASKS)
    (chosen, *_), _, _ = select.select(pair, [], [], 0)
    lab.mark("closes")
    chosen.close()
    (other,) = (sock for sock in pair if sock is not chosen)
    time.sleep(ASKS)
    select.select([other], [], [], 0)


GROUPS: Final = {
    "many connections": _spread,
    "one client, from one port": _same,
    "the one with a connection is closed": _closed,
}


def group_client(lab: Lab) -> None:
    """Connect as often as the variant wants it."""
    there = lab.address(SERVER), PORT
    which = lab.settings["two listeners"]
    socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(MANY)]
    if which == "many connections":
        for sock in socks:
            sock.setblocking(False)
            sock.connect_ex(there)
    elif which == "one client, from one port":
        for sock in socks[:3]:
            began = time.monotonic()
            sock.bind((lab.address(CLIENT), OWN_PORT))
            sock.connect(there)
            with contextlib.suppress(ConnectionResetError):
                sock.recv(100)
            sock.close()
            time.sleep(began + ASKS - 0.1 - time.monotonic())
    else:
        socks[0].connect(there)
        with contextlib.suppress(OSError):
            socks[0].recv(100)
        socks[1].connect(there)
    time.sleep(EVER)


def _variant(  # noqa: PLR0913  each is another part of a Variant
    settings: Mapping[str, str],
    old: Program,
    client: Program,
    *,
    new: Program | None = None,
    horizon_ns: int = HORIZON_NS,
    because: str = "",
) -> Variant:
    cut = Step(
        when=OnMark(process=SERVER, name="accepted", delay_ns=CUT_NS), fault=CableOut(link=CABLE)
    )
    programs = [
        Process(host=SERVER, name=SERVER, program=old),
        Process(
            host=CLIENT,
            name=CLIENT,
            program=client,
            start=OnMark(process=SERVER, name="listening", delay_ns=20 * MS),
        ),
    ]
    if new is not None:
        start = OnMark(process=SERVER, name="settled", delay_ns=RESTART_NS)
        programs.append(Process(host=SERVER, name=RESTARTED, program=new, start=start))
    return Variant(
        settings=settings,
        hosts=(
            Host(name=CLIENT, addresses=("10.0.0.1",), sysctl={}),
            Host(name=SERVER, addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(Link(a=CLIENT, b=SERVER),),
        processes=tuple(programs),
        steps=(cut,) if settings.get("old socket") in CUT else (),
        horizon_ns=horizon_ns,
        kernel=not because,
        because=because,
    )


_RESTARTS: Final = tuple(
    _variant(settings, server, client, new=restarted)
    for settings in (
        *each(**{"old socket": tuple(STATES), "old options": tuple(OPTIONS)}),
        *each(**{"old socket": ("ESTABLISHED", "TIME-WAIT"), "old options": (LATER,)}),
    )
)
_GROUPS: Final = tuple(
    _variant(settings, group, group_client, horizon_ns=GROUP_HORIZON_NS)
    for settings in each(**{"two listeners": tuple(GROUPS)})
)
_LONG: Final = tuple(
    _variant(
        {"old socket": state, "old options": "none", "durations": "default"},
        server,
        client,
        new=retries,
        horizon_ns=2 * MINUTE,
        because="the old socket is there for a minute",
    )
    for state in ("TIME-WAIT", "FIN-WAIT-2, closed")
)
_VARIANTS: Final[tuple[Variant, ...]] = (*_RESTARTS, *_GROUPS, *_LONG)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read which combinations of options let a new server have the port of each old socket."""
    may = {
        (variant.settings["old socket"], variant.settings["old options"]): _cells(
            runs[variant.name]
        )
        for variant in _RESTARTS
    }
    gone = [state for state in STATES if state not in {"bound", "LISTEN"}]
    by_old = {old: may["TIME-WAIT", old] for old in OPTIONS}
    assert all(may[state, old] == by_old[old] for state in gone for old in OPTIONS), may
    reuse = _pairs(by_old, "SO_REUSEADDR")
    assert not any(may[state, "none"] for state in STATES), "without an option on the old one"
    assert may["TIME-WAIT", LATER] == by_old["SO_REUSEADDR"] == may["ESTABLISHED", LATER]
    listening = {old: may["LISTEN", old] for old in OPTIONS}
    assert all("SO_REUSEADDR" not in new for new in listening.values()), listening
    assert "SO_REUSEPORT" in listening["SO_REUSEPORT"], listening
    for variant in _RESTARTS:
        _serves(variant, runs[variant.name])
    ((held, free),) = {_held(runs[variant.name]) for variant in _LONG}
    chosen = [runs[f"two listeners={which}"] for which in GROUPS]
    assert all(_ready(call) for call in _selects(chosen[0])), "each has some"
    same = _selects(chosen[1])
    assert len({str(call.result) for call in same}) == 1, "always the same one"
    (reset,) = calls(chosen[2], process=CLIENT, call="recv")
    assert reset.returned_ns is not None
    return Answer(
        verdict="qualified",
        text=(
            "Yes, if both the old and the new socket have the option: SO_REUSEADDR on both, or "
            f"SO_REUSEPORT on both. Then bind and listen succeed whichever of {len(gone)} states "
            "the old connection is in, TIME-WAIT among them. With it on one of them only, bind "
            f"succeeds in {reuse} of 2 cases (EADDRINUSE). A socket that still listens keeps the "
            "port from SO_REUSEADDR; with SO_REUSEPORT on both, both listen. Without an option the "
            f"port is held for a minute: bind fails after {show_duration(held)} and works after "
            f"{show_duration(free)}."
        ),
        zh=(
            "可以，但新旧两个套接字都要设选项：都设 SO_REUSEADDR，或都设 SO_REUSEPORT。这时不论旧连"
            f"接处于 {len(gone)} 种状态中的哪一种（包括 TIME-WAIT），bind 和 listen 都成功。只有一"
            f"方设了，bind 得到 EADDRINUSE（2 种情形中成功 {reuse} 种）。仍在监听的套接字，"
            "SO_REUSEADDR 拿不走它的端口；双方都设 SO_REUSEPORT 则两个都能监听。不设选项时端口被占"
            f"住一分钟：{show_duration(held)} 后 bind 仍失败，{show_duration(free)} 后成功。"
        ),
        more=(
            f"The states: {'; '.join(gone)}. The option is inherited from the listener by its "
            "connections, and may be set after its bind. The new server gets the new connections. "
            "The minute is that of TIME-WAIT, and of tcp_fin_timeout for an orphan in FIN-WAIT-2, "
            "rounded up to a slot of the kernel's timers. Two listeners with SO_REUSEPORT share "
            f"the connections ({MANY} reach both) by addresses and ports: {len(same)} connects of "
            "one client from one port reach the same one. If one is closed, who waits in its queue "
            f"is reset ({reset.errno}), not handed to the other."
        ),
        more_zh=(
            f"这些状态是：{'；'.join(gone)}。监听套接字上设的选项由其连接继承，在它 bind 之后设也"
            "行。新连接归新的服务器。一分钟是 TIME-WAIT 的时间，对 FIN-WAIT-2 的孤儿连接则是 "
            "tcp_fin_timeout，都向上取整到内核定时器的一格。两个设了 SO_REUSEPORT 的监听套接字按地"
            f"址和端口分担连接（{MANY} 个连接两边都有）：同一客户端从同一端口连 {len(same)} 次，总"
            f"是同一个收到。关闭其中一个，等在它队列里的连接被重置（{reset.errno}），不会转给另一"
            "个。"
        ),
    )


def _cells(trace: Trace) -> list[str]:
    """Give the options with which a new socket may bind and listen."""
    marks = [e for e in trace.events if isinstance(e, Mark) and e.process == RESTARTED]
    place = {id(event): number for number, event in enumerate(trace.events)}
    entries = {
        event.call_id: place[id(event)] for event in trace.events if isinstance(event, CallEntry)
    }
    works = []
    for options, begin, end in zip(OPTIONS, marks, marks[1:], strict=False):
        made = [
            call
            for call in calls(trace, process=RESTARTED)
            if place[id(begin)] < entries[call.call_id] < place[id(end)]
            and call.call in {"bind", "listen"}
        ]
        errors = [call.errno for call in made if call.errno is not None]
        assert errors in ([], ["EADDRINUSE"]), errors
        if not errors:
            works.append(options)
    return works


def _pairs(by_old: Mapping[str, list[str]], option: str) -> int:
    """Count in how many of two ways it is enough that one of the two sockets has an option."""
    assert option in by_old[option], "it is enough that both have it"
    return sum((option in by_old["none"], "none" in by_old[option]))


def _serves(variant: Variant, trace: Trace) -> None:
    """Check that the new server has the client's second connection, where it may listen alone."""
    may = _cells(trace)
    accepted = calls(trace, process=RESTARTED, call="accept")
    if "both" not in may:
        assert not accepted, "nobody listens anew"
    elif variant.settings["old socket"] not in {"bound", "LISTEN", *CUT}:
        assert accepted[-1].errno is None, f"{variant.name}: the new server accepts"


def _held(trace: Trace) -> tuple[int, int]:
    """Say how long the old socket held the port at least, and after how long it did not."""
    ended = max(call.t_ns for call in calls(trace, process=SERVER, call="close"))
    binds = calls(trace, process=RESTARTED, call="bind")
    *in_vain, last = [(round((call.t_ns - ended) / 1e9) * S, call.errno) for call in binds]
    assert {errno for _, errno in in_vain} == {"EADDRINUSE"}
    assert last[1] is None, "bound at last"
    return in_vain[-1][0], last[0]


def _selects(trace: Trace) -> list[Call]:
    return calls(trace, process=SERVER, call="select")


def _ready(call: Call) -> bool:
    assert isinstance(call.result, list)
    return bool(call.result[0])


NOTE: Final = Note(
    id="N45",
    question="Do SO_REUSEADDR, SO_REUSEPORT before bind let a restarted server have its port?",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.6.1",
        "Linux inet_csk_get_port",
        "Linux inet_bind_conflict",
        "Linux reuseport_select_sock",
        "Linux inet_csk_listen_stop",
    ),
    words=("SO_REUSEADDR", "SO_REUSEPORT", "bind", "EADDRINUSE", "TIME_WAIT", "restart"),
    question_zh="bind 前设 SO_REUSEADDR、SO_REUSEPORT，重启的服务器能再用 TIME-WAIT 的地址吗？",
    tells=(("restarted", "bind"),),
)
