"""N41: SO_KEEPALIVE: when it probes, what it reports and when, and where it is set."""

import contextlib
import errno
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import HOUR, MS, S, show_duration
from halfopen.record.faults import (
    CableIn,
    CableOut,
    Fault,
    InterfaceDown,
    Kill,
    PowerOff,
    PowerOn,
    Stop,
    Unreachable,
)
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Program, Step, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import Seen, segments_from, span, span_zh
from halfopen.wire.tcp import RST

CABLE: Final = "client-server"
TCP: Final = socket.IPPROTO_TCP
#: The options of the heartbeat, with a unit of a second.
IDLE: Final = 1
INTVL: Final = 1
CNT: Final = 1
#: So long after all was well the peer goes, and comes back: before the first probe, and between
#: the first and the second.
GOES_NS: Final = 200 * MS
BACK_NS: Final = 1400 * MS
#: Another two probes before that, in the runs without them.
HORIZONS_NS: Final = {
    "SIGKILL": 600 * MS,
    "host off and on": 1600 * MS,
    "cable out and in": 2700 * MS,
}
HORIZON_NS: Final = 2600 * MS
PATIENT_NS: Final = 3600 * MS
#: When something is done to an idle connection; the second is longer than ``IDLE``.
EARLY: Final = 0.6
LATE: Final = 1.5
#: The peer sends news, whose acknowledgment a router returns; then it is gone, before it repeats.
ACK_RETURNED: Final = "router returns an ACK, then host off"
#: With three retries an unanswered write lasts 3 s and some.
SHORT: Final = {"net.ipv4.tcp_retries2": 3}
UNANSWERED_NS: Final = 4600 * MS
SYSCTLS: Final = {
    "net.ipv4.tcp_keepalive_time": IDLE,
    "net.ipv4.tcp_keepalive_intvl": INTVL,
    "net.ipv4.tcp_keepalive_probes": CNT,
}

BEFORE: Final = "client, before connect"
CONNECTED: Final = "client, connected"
LISTENER: Final = "listener"

#: What becomes of the other end, and when; ``{}`` stands for its name.
FATES: Final[Mapping[str, Callable[[str, str], tuple[tuple[int, Fault], ...]]]] = {
    "lives": lambda _peer, _self: (),
    "SIGSTOP": lambda peer, _self: ((GOES_NS, Stop(process=peer)),),
    "SIGKILL": lambda peer, _self: ((GOES_NS, Kill(process=peer)),),
    "host off": lambda peer, _self: ((GOES_NS, PowerOff(host=peer)),),
    "host off and on": lambda peer, _self: (
        (GOES_NS, PowerOff(host=peer)),
        (2 * GOES_NS, PowerOn(host=peer)),
    ),
    "cable out": lambda _peer, _self: ((GOES_NS, CableOut(link=CABLE)),),
    "cable out and in": lambda _peer, _self: (
        (GOES_NS, CableOut(link=CABLE)),
        (BACK_NS, CableIn(link=CABLE)),
    ),
    "router: host unreachable": lambda peer, _self: (
        (GOES_NS, Unreachable(link=CABLE, towards=peer, code=1, count=100)),
    ),
    ACK_RETURNED: lambda peer, _self: (
        (GOES_NS, Unreachable(link=CABLE, towards=peer, code=1, pick="bare ACK")),
        (700 * MS, PowerOff(host=peer)),
    ),
    "own interface down": lambda _peer, own: ((GOES_NS, InterfaceDown(host=own)),),
}
USER_TIMEOUTS: Final = {"none": 0, "0.5 s": 500, "1.5 s": 1500, "2.5 s": 2500}


def beat(sock: socket.socket, *, count: int = CNT) -> None:
    """Switch the heartbeat on."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(TCP, socket.TCP_KEEPIDLE, IDLE)
    sock.setsockopt(TCP, socket.TCP_KEEPINTVL, INTVL)
    sock.setsockopt(TCP, socket.TCP_KEEPCNT, count)


def _switch(lab: Lab, sock: socket.socket, where: str) -> None:
    if lab.settings["set on"] != where:
        return
    if lab.settings.get("durations") is not None:  # the kernel's own
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return
    beat(sock, count=int(lab.settings.get("TCP_KEEPCNT", CNT)))
    timeout = USER_TIMEOUTS[lab.settings.get("TCP_USER_TIMEOUT", "none")]
    if timeout:
        sock.setsockopt(TCP, socket.TCP_USER_TIMEOUT, timeout)


def server(lab: Lab) -> None:
    """Answer a ping; then be the other end, or watch over it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    _switch(lab, listener, LISTENER)
    listener.bind((lab.address("server"), pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    listener.close()
    conn.recv(100)
    conn.sendall(pair.PONG)
    if lab.settings["set on"] == LISTENER:
        for level, option in OPTIONS.values():
            conn.getsockopt(level, option)
        _recv(conn)
    else:
        _be_the_other_end(lab, conn)
    time.sleep(pair.LONG)


def _be_the_other_end(lab: Lab, sock: socket.socket) -> None:
    if lab.settings.get("meanwhile") == "news" or lab.settings.get("fate") == ACK_RETURNED:
        time.sleep(EARLY)
        sock.sendall(pair.NEWS)
    while sock.recv(100):
        pass


def client(lab: Lab) -> None:
    """Exchange ping and pong; then watch over the other end, or be it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    _switch(lab, sock, BEFORE)
    sock.connect((lab.address("server"), pair.PORT))
    time.sleep(0.05)
    sock.sendall(pair.PING)
    sock.recv(100)
    lab.mark("all is well")
    _switch(lab, sock, CONNECTED)
    with contextlib.suppress(OSError):
        if lab.settings["set on"] == LISTENER:
            _be_the_other_end(lab, sock)
        else:
            WATCHES[lab.settings.get("watches by", "recv")](sock)
    time.sleep(pair.LONG)


def _recv(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(100):
            pass
    sock.recv(100)
    sock.close()


def _poll(sock: socket.socket) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(2400)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.recv(100)


def _send_later(sock: socket.socket) -> None:
    time.sleep(2.3)
    for _ in range(2):
        with contextlib.suppress(OSError):
            sock.send(pair.PING)


def _ask_later(sock: socket.socket) -> None:
    time.sleep(2.3)
    for _ in range(2):
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.recv(100)


WATCHES: Final[Mapping[str, Callable[[socket.socket], None]]] = {
    "recv": _recv,
    "poll": _poll,
    "send, later": _send_later,
    "SO_ERROR, later": _ask_later,
}


def changing_client(lab: Lab) -> None:
    """Do something to the heartbeat of an idle connection, or something that counts as a beat."""
    sock = pair.connected(lab)
    if lab.settings["fate"] == "host off":
        time.sleep(GOES_NS / S)
    MEANWHILE[lab.settings["meanwhile"]](sock)
    lab.mark("changed")
    with contextlib.suppress(OSError):
        while sock.recv(100):
            pass
    time.sleep(pair.LONG)


def _on(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _idle(sock: socket.socket) -> None:
    sock.setsockopt(TCP, socket.TCP_KEEPIDLE, IDLE)


def _on_first(sock: socket.socket) -> None:
    time.sleep(LATE)
    _on(sock)
    _idle(sock)


def _idle_first(sock: socket.socket) -> None:
    time.sleep(LATE)
    _idle(sock)
    _on(sock)


def _shortened(sock: socket.socket) -> None:
    _on(sock)
    time.sleep(EARLY)
    _idle(sock)


def _off_again(sock: socket.socket) -> None:
    beat(sock)
    time.sleep(EARLY)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)


def _writes(sock: socket.socket) -> None:
    beat(sock)
    time.sleep(EARLY)
    sock.sendall(pair.PING)


def _is_written_to(sock: socket.socket) -> None:
    beat(sock)
    sock.recv(100)


MEANWHILE: Final[Mapping[str, Callable[[socket.socket], None]]] = {
    "SO_KEEPALIVE late, then TCP_KEEPIDLE": _on_first,
    "TCP_KEEPIDLE late, then SO_KEEPALIVE": _idle_first,
    "TCP_KEEPIDLE made shorter": _shortened,
    "SO_KEEPALIVE off again": _off_again,
    "a write": _writes,
    "news": _is_written_to,
}

OPTIONS: Final = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "TCP_KEEPIDLE": (TCP, socket.TCP_KEEPIDLE),
    "TCP_KEEPINTVL": (TCP, socket.TCP_KEEPINTVL),
    "TCP_KEEPCNT": (TCP, socket.TCP_KEEPCNT),
}
TRIED: Final = (-1, 0, 1, 2, 127, 128, 32767, 32768, (1 << 31) - 1)


def asking(lab: Lab) -> None:
    """Ask for the defaults, try every value, and ask again."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for level, option in OPTIONS.values():
        sock.getsockopt(level, option)
        for value in TRIED:
            with contextlib.suppress(OSError):
                sock.setsockopt(level, option, value)
            sock.getsockopt(level, option)
    lab.mark("listening")
    time.sleep(pair.LONG)


def nothing(lab: Lab) -> None:
    """Do nothing."""


def _variant(
    settings: Mapping[str, str],
    *,
    client: Program = client,
    horizon_ns: int = 0,
    sysctl: Mapping[str, int | str] | None = None,
    because: str = "",
) -> Variant:
    peer, own = ("client", "server") if settings["set on"] == LISTENER else ("server", "client")
    fate = settings["fate"]
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=horizon_ns or HORIZONS_NS.get(fate, HORIZON_NS),
        steps=tuple(Step(when=pair.well(at), fault=fault) for at, fault in FATES[fate](peer, own)),
        sysctl=sysctl,
        because=because,
    )


_FATES: Final = tuple(
    _variant(settings, horizon_ns=PATIENT_NS if settings["fate"] == ACK_RETURNED else 0)
    for settings in (
        *(
            {"set on": CONNECTED, "fate": fate, "TCP_KEEPCNT": "2" if "in" in fate.split() else "1"}
            for fate in FATES
        ),
        *each(
            **{"set on": (BEFORE, LISTENER)},
            fate=("lives", "host off", "host off and on"),
            TCP_KEEPCNT=("1",),
        ),
    )
)
_WATCHED: Final = tuple(
    _variant(settings)
    for settings in each(
        **{"set on": (CONNECTED,), "fate": ("host off",), "watches by": tuple(WATCHES)[1:]}
    )
)
_USER_TIMEOUT: Final = tuple(
    _variant(
        {
            "set on": CONNECTED,
            "fate": "host off",
            "TCP_KEEPCNT": count,
            "TCP_USER_TIMEOUT": timeout,
        },
        horizon_ns=PATIENT_NS,
    )
    for count, timeout in (("2", "none"), ("2", "0.5 s"), ("2", "1.5 s"), ("1", "2.5 s"))
)
_CHANGED: Final = tuple(
    _variant(settings, client=changing_client)
    for settings in each(
        **{"set on": ("nobody",), "fate": ("lives",), "meanwhile": tuple(MEANWHILE)}
    )
)
_UNANSWERED: Final = _variant(
    {"set on": "nobody", "fate": "host off", "meanwhile": "a write"},
    client=changing_client,
    horizon_ns=UNANSWERED_NS,
    sysctl=SHORT,
)
_BY_SYSCTL: Final = _variant(
    {"set on": CONNECTED, "fate": "host off", "durations": "by sysctl"}, sysctl=SYSCTLS
)
_ASKED: Final = pair.variant(
    {"asked": "every value"}, server=asking, client=nothing, horizon_ns=200 * MS
)
_DEFAULT: Final = tuple(
    _variant(
        settings,
        horizon_ns=24 * HOUR,
        because="the first probe goes after two hours",
    )
    for settings in each(
        **{"set on": (CONNECTED,), "fate": ("lives", "host off", "host off and on")},
        durations=("default",),
    )
)
_VARIANTS: Final = (
    *_FATES,
    *_WATCHED,
    *_USER_TIMEOUT,
    *_CHANGED,
    _UNANSWERED,
    _BY_SYSCTL,
    _ASKED,
    *_DEFAULT,
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run the probes, what answered them, and what the watcher was told when."""
    told = {variant.name: _told(runs[variant.name], variant.settings) for variant in _VARIANTS}
    lives = _check_lives(runs, told)
    gone = [told[v.name] for v in _FATES if v.settings["fate"] in SILENT]
    assert {who and who.errno for who in gone} == {"ETIMEDOUT"}, "silence is a timeout"
    rebooted = [told[v.name] for v in _FATES if v.settings["fate"] == "host off and on"]
    assert {who and who.errno for who in rebooted} == {"ECONNRESET"}, "a reboot is told by an RST"
    returned = _by(told, CONNECTED, ACK_RETURNED)
    assert returned.errno == "EHOSTUNREACH", "an ICMP error from before"
    killed = _by(told, CONNECTED, "SIGKILL")
    assert killed.errno is None, "a FIN needs no heartbeat"
    limits, defaults = _check_limits(runs[_ASKED.name])
    _check_once(runs)
    _check_inherited(runs)
    off, back = (_since(runs, told, v) for v in _DEFAULT[1:])
    two = _since(runs, told, _USER_TIMEOUT[0])
    _check_user_timeout(runs, told)
    _check_changes(runs)
    resent = _check_unanswered(runs[_UNANSWERED.name])
    one = [_since(runs, told, v) for v in _FATES if v.settings["fate"] in SILENT]
    in_all = (defaults["TCP_KEEPIDLE"] + defaults["TCP_KEEPCNT"] * defaults["TCP_KEEPINTVL"]) * S
    assert off > in_all, "the kernel rounds long timers up"
    return Answer(
        verdict="answered",
        text=(
            "Off by default. On, the kernel probes when nothing was heard for TCP_KEEPIDLE "
            f"({defaults['TCP_KEEPIDLE']} s), then every TCP_KEEPINTVL "
            f"({defaults['TCP_KEEPINTVL']} s). A living host's kernel answers, also for a frozen "
            f"process, and nobody is told. After TCP_KEEPCNT ({defaults['TCP_KEEPCNT']}) without "
            "an answer the next call, or who waits in one, is told ETIMEDOUT: "
            f"{show_duration(off)} after the last word by default ({show_duration(in_all)}, but "
            f"the kernel rounds long timers up), {span(one)} with 1 s, 1 s and 1 probe. A rebooted "
            "host answers the first probe with an RST: ECONNRESET."
        ),
        zh=(
            f"默认关闭。打开后，若 TCP_KEEPIDLE（{defaults['TCP_KEEPIDLE']} s）内没有收到任何东西，"
            f"内核就发送探测，以后每隔 TCP_KEEPINTVL（{defaults['TCP_KEEPINTVL']} s）一次。活着的主"
            "机的内核会应答，进程被冻结时也一样，谁也不会被告知。"
            f"TCP_KEEPCNT（{defaults['TCP_KEEPCNT']}）次没有应答之后，正在等待的调用或下一个调用得"
            f"到 ETIMEDOUT：默认在最后一次收到之后 {show_duration(off)}"
            f"（算来是 {show_duration(in_all)}，但内核把长定时器向上取整），设为 1 s、1 s、1 次时 "
            f"{span_zh(one)}。重启过的主机用 RST 应答第一次探测：ECONNRESET。"
        ),
        more=(
            f"A probe is an empty segment with an old sequence number ({lives} were answered). "
            "With TCP_KEEPCNT 2 the end came after "
            f"{show_duration(two)}, with an RST, and it is told once. From a booted host "
            f"ECONNRESET came by default after {show_duration(back)}. What a router says about a "
            "probe is not looked at (ETIMEDOUT); EHOSTUNREACH comes only if a router refused an "
            "ordinary ACK before. The options may be set before connect, on the listener "
            "(inherited) or later; TCP_KEEPIDLE set later counts from the last word heard, "
            "SO_KEEPALIVE from now on. TCP_USER_TIMEOUT takes the place of TCP_KEEPCNT. While a "
            "write is unacknowledged nothing is probed: sending it again decides "
            f"({show_duration(resent)} with tcp_retries2 = 3). Limits: {limits}; else EINVAL."
        ),
        more_zh=(
            f"探测是序列号陈旧的空报文段（{lives} 次得到应答）。TCP_KEEPCNT 为 2 "
            f"时在 {show_duration(two)} 后结束，同时发出 RST，错误只报告一次。重启过的主机，默"
            f"认在 {show_duration(back)} 后得到 ECONNRESET。路由器关于探测的 ICMP 不被理会"
            "（ETIMEDOUT）；只有它先前拒绝转发过一个 ACK，才得到 EHOSTUNREACH。这些选项可以在 "
            "connect 之前、在监听套接字上（被继承）或之后设置；之后设置的 TCP_KEEPIDLE 从最后一次收"
            "到算起，SO_KEEPALIVE 从设置时算起。TCP_USER_TIMEOUT 取代 TCP_KEEPCNT。写出的数据未被确"
            f"认时不探测：由重传决定（tcp_retries2 = 3 时 {show_duration(resent)}）。取值范围："
            f"{limits}；否则 EINVAL。"
        ),
    )


#: Fates after which nothing comes any more.
SILENT: Final = ("host off", "cable out", "router: host unreachable", "own interface down")


def _watcher(settings: Mapping[str, str]) -> str:
    return "server" if settings.get("set on") == LISTENER else "client"


def _told(trace: Trace, settings: Mapping[str, str]) -> Call | None:
    """Find the call by which the watcher was told: an error, or the end."""
    if "asked" in settings:
        return None
    since = pair.marked(trace, "client", "all is well")
    for call in calls(trace, process=_watcher(settings)):
        if (call.returned_ns or 0) < since:
            continue
        if call.errno is not None or call.result == {"len": 0, "head": ""}:
            return call
    return None


def _by(told: Mapping[str, Call | None], where: str, fate: str) -> Call:
    call = told[f"set on={where} fate={fate} TCP_KEEPCNT=1"]
    assert call is not None, f"{fate}: the watcher is told"
    return call


def _since(runs: Mapping[str, Trace], told: Mapping[str, Call | None], variant: Variant) -> int:
    """How long after the last word that it heard the watcher was told."""
    trace, watcher = runs[variant.name], _watcher(variant.settings)
    other = "client" if watcher == "server" else "server"
    call = told[variant.name]
    assert call is not None, f"{variant.name}: the watcher is told"
    assert call.returned_ns is not None, "the call returned"
    heard = [s.arrived_ns for s in segments_from(trace, other) if not s.seg.flags & RST]
    return call.returned_ns - max(at for at in heard if at is not None)


def _probes(trace: Trace, host: str) -> list[Seen]:
    """The empty segments with the number of an octet that was acknowledged long ago."""
    found, next_seq = [], 0
    for seen in segments_from(trace, host):
        seg = seen.seg
        if next_seq and not seg.seq_len() and (seg.seq + 1) & 0xFFFFFFFF == next_seq:
            found.append(seen)
        if seg.seq_len():
            next_seq = (seg.seq + seg.seq_len()) & 0xFFFFFFFF
    return found


def _check_lives(runs: Mapping[str, Trace], told: Mapping[str, Call | None]) -> int:
    """See that nobody is told where the other end's kernel answers; count the probes."""
    count = 0
    for variant in (*_FATES, *_DEFAULT, *_CHANGED):
        settings = variant.settings
        if settings["fate"] not in {"lives", "SIGSTOP", "cable out and in"}:
            continue
        assert told[variant.name] is None, f"{variant.name}: nobody is told"
        probes = _probes(runs[variant.name], _watcher(settings))
        lost = [probe for probe in probes if probe.arrived_ns is None]
        answers = len(_answers(runs[variant.name], probes))
        assert answers == len(probes) - len(lost), f"{variant.name}: each is answered"
        assert bool(lost) == (settings["fate"] == "cable out and in"), "one is lost"
        count += answers
    return count


def _answers(trace: Trace, probes: list[Seen]) -> list[Seen]:
    times = {probe.arrived_ns for probe in probes}
    hosts = ("client", "server")
    return [s for host in hosts for s in segments_from(trace, host) if s.t_ns in times]


def _check_limits(trace: Trace) -> tuple[str, dict[str, int]]:
    """Read which values each option takes, and what it was as new."""
    reads = iter(calls(trace, process="server", call="getsockopt"))
    sets = iter(calls(trace, process="server", call="setsockopt"))
    limits, defaults = [], {}
    for name in OPTIONS:
        last = defaults[name] = int(str(next(reads).result))
        taken = []
        for value in TRIED:
            error, read = next(sets).errno, int(str(next(reads).result))
            if error is None:
                taken.append(value)
                last = read
                assert read == (value if name != "SO_KEEPALIVE" else value != 0), f"{name}: {value}"
            else:
                assert (error, read) == ("EINVAL", last), f"{name}: {value} changes nothing"
        if name == "SO_KEEPALIVE":
            assert taken == list(TRIED), "a flag"
            assert last == 1, "on or off"
        else:
            limits.append(f"{name} {min(taken)}..{max(taken)}")
    assert defaults["SO_KEEPALIVE"] == 0, "off by default"
    return ", ".join(limits), defaults


def _check_once(runs: Mapping[str, Trace]) -> None:
    """See that whichever call comes is told, and none after it."""
    for variant in _WATCHED:
        looks = [
            call.errno or call.result
            for call in calls(runs[variant.name], process="client")
            if call.t_ns >= pair.marked(runs[variant.name], "client", "all is well")
            and call.call in {"poll", "recv", "send", "getsockopt"}
        ]
        end = {"len": 0, "head": ""}
        match variant.settings["watches by"]:
            case "poll":
                assert isinstance(looks[0], list), "poll tells of the socket"
                (ready,) = looks[0]
                assert isinstance(ready, list), "with what is to be seen"
                events = ready[1]
                seen = select.POLLIN | select.POLLERR | select.POLLHUP
                assert int(str(events)) & seen == seen, "poll wakes"
                assert looks[1:] == [errno.ETIMEDOUT, end], "SO_ERROR says why"
            case "send, later":
                assert looks == ["ETIMEDOUT", "EPIPE"], "the first send is told"
            case _:
                assert looks == [errno.ETIMEDOUT, 0, end], "SO_ERROR is told"


def _check_inherited(runs: Mapping[str, Trace]) -> None:
    for variant in _FATES:
        if variant.settings["set on"] == LISTENER:
            reads = calls(runs[variant.name], process="server", call="getsockopt")
            assert [call.result for call in reads] == [1, IDLE, INTVL, CNT], "all is inherited"


def _check_user_timeout(runs: Mapping[str, Trace], told: Mapping[str, Call | None]) -> None:
    """See that it ends at the first probe's time after TCP_USER_TIMEOUT, whatever their number."""
    for variant in _USER_TIMEOUT[1:]:
        timeout = USER_TIMEOUTS[variant.settings["TCP_USER_TIMEOUT"]] * MS
        probes = _probes(runs[variant.name], "client")
        took = _since(runs, told, variant)
        assert took >= timeout, "not before"
        assert took - INTVL * S < max(timeout, (IDLE + INTVL) * S), "at the next probe's time"
        assert len(probes) != int(variant.settings["TCP_KEEPCNT"]) or took < 3 * S, "uncounted"


def _check_changes(runs: Mapping[str, Trace]) -> None:
    """See from when the idle time counts."""
    slack = 100 * MS
    for variant in _CHANGED:
        trace, meanwhile = runs[variant.name], variant.settings["meanwhile"]
        changed = pair.marked(trace, "client", "changed")
        well = pair.marked(trace, "client", "all is well")
        probes = [probe.t_ns for probe in _probes(trace, "client")]
        first = probes[0] if probes else trace.ended_ns + slack
        expected = {
            "SO_KEEPALIVE late, then TCP_KEEPIDLE": changed,
            "TCP_KEEPIDLE late, then SO_KEEPALIVE": changed + IDLE * S,
            "TCP_KEEPIDLE made shorter": well + IDLE * S,
            "SO_KEEPALIVE off again": trace.ended_ns,
        }.get(meanwhile, changed + IDLE * S)
        assert expected <= first <= expected + slack, f"{variant.name}: {first}"


def _check_unanswered(trace: Trace) -> int:
    """See that nothing is probed while a write is unacknowledged; return when it was given up."""
    (*_, write) = calls(trace, process="client", call="sendall")
    (*_, told) = calls(trace, process="client", call="recv")
    assert told.errno == "ETIMEDOUT", "the write is given up"
    assert told.returned_ns is not None, "the call returned"
    assert not _probes(trace, "client"), "and nothing was probed"
    took = told.returned_ns - write.t_ns
    assert took > (IDLE + CNT * INTVL) * S + 500 * MS, "the heartbeat would have been sooner"
    return took


NOTE: Final = Note(
    id="N41",
    question="SO_KEEPALIVE: what does it report, and when?",
    question_zh="SO_KEEPALIVE：报告什么，什么时候报告？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.8.4",
        "RFC 1122 4.2.3.6",
        "Linux tcp_keepalive_timer",
        "Linux tcp_write_wakeup",
        "Linux tcp_set_keepalive",
        "Linux tcp_sock_set_keepidle_locked",
        "Linux tcp_v4_err",
    ),
    words=(
        "SO_KEEPALIVE",
        "keepalive",
        "heartbeat",
        "TCP_KEEPIDLE",
        "TCP_KEEPINTVL",
        "TCP_KEEPCNT",
        "TCP_USER_TIMEOUT",
        "ETIMEDOUT",
        "ECONNRESET",
        "EHOSTUNREACH",
        "probe",
        "half-open",
        "dead peer detection",
    ),
)
