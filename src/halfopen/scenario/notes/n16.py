"""N16: a connect has failed; what the same socket can still be used for."""

import contextlib
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.faults import Fault, Lose, Unreachable
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario import unspec
from halfopen.scenario.model import (
    Answer,
    Lab,
    Note,
    OnMark,
    Step,
    Variant,
    each,
)
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import in_chinese

#: Where the first connect goes, and the second; nobody listens at the third.
FIRST: Final = 80
SECOND: Final = 82
CLOSED: Final = 81
#: One's own ports: where the socket is bound before, and where it is bound afterwards.
BEFORE: Final = 7000
AFTER: Final = 7001
ELSEWHERE: Final = "192.0.2.1"
LINK: Final = "client-server"
LONG: Final = 30.0
PATIENCE: Final = 0.3
HORIZON_NS: Final = 1700 * MS
SHORTER_NS: Final = 700 * MS


def server(lab: Lab) -> None:
    """Answer one ping at the second port; reset whoever comes to the first, or let him wait."""
    first, second = socket.socket(), socket.socket()
    for listener, port in ((first, FIRST), (second, SECOND)):
        listener.bind((lab.address("server"), port))
        listener.listen(5)
    lab.mark("listening")
    if lab.settings["connect"] == "reset later":
        conn, _ = first.accept()
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        conn.close()
    conn, _ = second.accept()
    with contextlib.suppress(OSError):
        conn.sendall(conn.recv(100))
    time.sleep(LONG)


_LINGER_0: Final = (1).to_bytes(4, "little") + bytes(4)


def client(lab: Lab) -> None:
    """Let a connect fail, look at the socket, and use it again."""
    sock = socket.socket()
    if lab.settings["bound"] == "yes":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((lab.address("client"), BEFORE))
    FAILURES[lab.settings["connect"]](sock, lab.address("server"))
    lab.mark("failed")
    _looks(sock)
    NEXT[lab.settings["then"]](sock, lab)
    time.sleep(LONG)


def _looks(sock: socket.socket) -> None:
    """Ask for both names, and what poll sees."""
    with contextlib.suppress(OSError):
        sock.getpeername()
    sock.getsockname()
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    poll.poll(0)


# How it fails.


def _refused(sock: socket.socket, there: str) -> None:
    with contextlib.suppress(ConnectionRefusedError):
        sock.connect((there, CLOSED))


def _refused_unasked(sock: socket.socket, there: str) -> None:
    """Do not wait for the answer, and do not ask for it."""
    sock.setblocking(False)
    sock.connect_ex((there, CLOSED))
    time.sleep(PATIENCE)


def _refused_asked(sock: socket.socket, there: str) -> None:
    """Do not wait: be told by poll, and by SO_ERROR."""
    sock.setblocking(False)
    sock.connect_ex((there, CLOSED))
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    poll.poll(1000)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _timed_out(sock: socket.socket, there: str) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
    with contextlib.suppress(TimeoutError):
        sock.connect((there, FIRST))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)


def _unreachable(sock: socket.socket, there: str) -> None:
    with contextlib.suppress(OSError):
        sock.connect((there, FIRST))


def _no_route(sock: socket.socket, there: str) -> None:
    with contextlib.suppress(OSError):
        sock.connect((ELSEWHERE, FIRST))


def _taken(sock: socket.socket, there: str) -> None:
    """Another socket of ours has this very connection."""
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind((sock.getsockname()[0], BEFORE))
    other.connect((there, FIRST))
    with contextlib.suppress(OSError):
        sock.connect((there, FIRST))
    _KEPT.append(other)


_KEPT: Final[list[socket.socket]] = []


def _given_up(sock: socket.socket, there: str) -> None:
    """The caller goes away; the kernel's attempt does not."""
    sock.settimeout(PATIENCE)
    with contextlib.suppress(TimeoutError):
        sock.connect((there, FIRST))
    sock.settimeout(None)


class InterruptedByHandlerError(Exception):
    """What the handler raises to get out of connect."""


def _raise(number: int, frame: object) -> None:
    raise InterruptedByHandlerError


def _interrupted(sock: socket.socket, there: str) -> None:
    """A signal's handler leaves the call; the kernel's attempt goes on."""
    signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    with contextlib.suppress(InterruptedByHandlerError):
        sock.connect((there, FIRST))


def _reset(sock: socket.socket, there: str) -> None:
    """It does not fail; the connection ends later."""
    sock.connect((there, FIRST))
    with contextlib.suppress(ConnectionResetError):
        sock.recv(100)


FAILURES: Final[dict[str, Callable[[socket.socket, str], None]]] = {
    "refused": _refused,
    "refused unasked": _refused_unasked,
    "refused and asked": _refused_asked,
    "timed out": _timed_out,
    "unreachable": _unreachable,
    "no route": _no_route,
    "address taken": _taken,
    "given up": _given_up,
    "interrupted": _interrupted,
    "reset later": _reset,
}
#: Those that take a second, or may.
LATE: Final = ("timed out", "given up", "interrupted")
FAULTS: Final[dict[str, Fault]] = {
    "timed out": Lose(link=LINK, towards="server", count=2, pick="SYN"),
    "unreachable": Unreachable(link=LINK, towards="server", code=1, pick="SYN"),
    "given up": Lose(link=LINK, towards="server", pick="SYN"),
    "interrupted": Lose(link=LINK, towards="server", pick="SYN"),
}

# What is done next.


def _connects(sock: socket.socket, lab: Lab) -> None:
    """Try until it works, three times at most; then say something."""
    sock.setblocking(True)
    for _ in range(3):
        with contextlib.suppress(OSError):
            sock.connect((lab.address("server"), SECOND))
            break
    _looks(sock)
    with contextlib.suppress(OSError):
        sock.send(b"ping")
        sock.recv(100)


def _binds(sock: socket.socket, lab: Lab) -> None:
    with contextlib.suppress(OSError):
        sock.bind((lab.address("client"), AFTER))
    _connects(sock, lab)


def _dissolves(sock: socket.socket, lab: Lab) -> None:
    """Call connect with AF_UNSPEC, then with an address."""
    unspec.dissolve(sock)
    _looks(sock)
    _connects(sock, lab)


def _listens(sock: socket.socket, lab: Lab) -> None:
    with contextlib.suppress(OSError):
        sock.listen(5)
    _looks(sock)


NEXT: Final[dict[str, Callable[[socket.socket, Lab], None]]] = {
    "connects": _connects,
    "binds": _binds,
    "listens": _listens,
    "dissolves": _dissolves,
}


def _variant(settings: dict[str, str]) -> Variant:
    fault = FAULTS.get(settings["connect"])
    now = OnMark(process="server", name="listening", delay_ns=10 * MS)
    return pair.variant(
        settings,
        server=server,
        client=client,
        steps=() if fault is None else (Step(when=now, fault=fault),),
        horizon_ns=HORIZON_NS if settings["connect"] in LATE else SHORTER_NS,
    )


def _variants() -> tuple[Variant, ...]:
    free = tuple(name for name in FAILURES if name != "address taken")
    products = [
        each(connect=free, then=tuple(NEXT), bound=("no",)),
        each(
            connect=("refused", "address taken", "given up", "reset later"),
            then=tuple(NEXT),
            bound=("yes",),
        ),
    ]
    return tuple(_variant(settings) for product in products for settings in product)


_VARIANTS: Final = _variants()


#: What a next call leads to.
_WORKS: Final = "works"
_FIRST: Final = "waits, and is connected to the first peer"
_OLD: Final = "the old port"
#: The call itself, of what is done next.
_CALL: Final = {"binds": "bind", "listens": "listen"}
#: Failures that are told to the caller of connect, as it is used most.
_PLAIN: Final = ("refused", "timed out", "unreachable", "no route")

#: The same words in Chinese.
#: What the settings mean, where they are too short to say.
_PLAINLY: Final = {
    "refused unasked": "refused while non-blocking",
    "refused and asked": "refused and read by SO_ERROR",
    "address taken": "these ports taken",
    "given up": "own timeout",
    "interrupted": "left by a signal",
    "reset later": "reset after it connected",
}
CHINESE: Final = {
    _FIRST: "等待，并连到第一个对端",
    " once, then it works": " 一次，然后成功",
    " for ever": "（每次都是）",
    _WORKS: "成功",
    "refused unasked": "非阻塞时被拒绝而未查询",
    "refused and asked": "非阻塞时被拒绝且已读 SO_ERROR",
    "refused": "被拒绝",
    "timed out": "超时",
    "unreachable": "不可达",
    "no route": "没有路由",
    "address taken": "四元组已被占用",
    "given up": "调用者自己超时",
    "interrupted": "被信号打断",
    "reset later": "连上后被重置",
}


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the next calls gave, and which connection came of them."""
    after: dict[str, dict[str, list[str]]] = {name: {} for name in NEXT}
    shown: dict[str, list[str]] = {}
    noisy, free = [], []
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        how, then, bound = settings["connect"], settings["then"], settings["bound"] == "yes"
        made = _since_failed(trace)
        assert made[0].errno == "ENOTCONN", "getpeername knows no peer"
        own = made[1].result
        assert isinstance(own, list), "getsockname tells an address"
        if bound:
            assert own == ["10.0.0.1", BEFORE], "what bind gave stays"
            if how != "address taken":
                continue
        outcome = _may(made, _CALL[then]) if then in _CALL else _connected(made)
        after[then].setdefault(outcome, []).append(how)
        if then == "connects" and not bound:
            shown.setdefault(_OLD if own[1] else "0", []).append(how)
            free.append(how)
            if _sees(made) & select.POLLERR:
                noisy.append(how)
    works = after["connects"][_WORKS]
    assert set(_PLAIN) <= set(works), "who was told of the failure may use the socket again"
    assert set(_PLAIN) <= set(after["binds"][_WORKS]) & set(after["listens"][_WORKS]), "for all"
    assert set(after["dissolves"]) == {_WORKS}, "AF_UNSPEC helps in every case"
    rest = {how for outcome, hows in after["connects"].items() if outcome != _WORKS for how in hows}
    assert rest == set(_PLAINLY) - {"address taken"}, "going on, not told of, or reset"
    told = {then: _grouped(after[then]) for then in NEXT}
    ways = len(after["dissolves"][_WORKS])
    old = sum(len(hows) for port, hows in shown.items() if port == _OLD)
    errors = ", ".join(noisy)
    next_calls = f"connect: {told['connects']}. bind: {told['binds']}. listen: {told['listens']}."
    plainly = next_calls
    for setting, meaning in _PLAINLY.items():
        plainly = plainly.replace(setting, meaning)
    return Answer(
        verdict="refuted",
        text=(
            "No: on Linux its state is well defined, and it can be used again once the failure has "
            "been told: after a connect that was refused, timed out or found no way, connect, bind "
            "and listen all work. POSIX leaves the state unspecified, so portable programs close "
            "it. In the way is only an attempt that still goes on, a failure that was not yet "
            "told, or a connection that was reset; connect with AF_UNSPEC dissolves these too: the "
            f"next connect then works after each of {ways} failures."
        ),
        zh=(
            "不必：在 Linux 上其状态有明确定义，失败一旦告知，套接字就可以再用：connect 被拒绝、超"
            "时或不可达之后，connect、bind、listen 都成功。POSIX 没有规定其状态，所以可移植的程序应"
            "关闭它。碍事的只是仍在进行的连接、尚未告知的失败，或被重置的连接；用 AF_UNSPEC 再 "
            f"connect 一次即可解除：{ways} 种失败之后都能再连。"
        ),
        more=(
            f"What the next call does, by failure. {plainly} getpeername gives ENOTCONN; "
            f"getsockname still shows the port that it had ({old} of {len(free)} failures), and "
            f"what bind gave stays. After {errors}, poll says POLLERR on the new connection too, "
            "until MSG_ERRQUEUE is read."
        ),
        more_zh=(
            f"失败之后的下一个调用，{in_chinese(next_calls[:-1], CHINESE)}。getpeername 返回 "
            f"ENOTCONN；getsockname 仍显示原端口（{len(free)} 种失败中的 {old} 种），bind 所给的则"
            f"保留不变。“{in_chinese(errors, CHINESE)}”之后，poll 在新连接上也报告 POLLERR，直到读"
            "完 MSG_ERRQUEUE。"
        ),
    )


def _since_failed(trace: Trace) -> list[Call]:
    """The calls after the failure; the first asks for the peer's name."""
    (failed,) = [e.t_ns for e in trace.events if getattr(e, "name", "") == "failed"]
    made = [call for call in calls(trace, process="client") if call.t_ns >= failed]
    first = max(n for n, call in enumerate(made[:3]) if call.call == "getpeername")
    return [call for call in made[first:] if call.call != "setblocking"]


def _connected(made: list[Call]) -> str:
    """What the attempts gave, one after another, and with whom the socket was connected then."""
    tried = [call for call in made if call.call == "connect"]
    failures = [call.errno for call in tried if call.errno is not None]
    peer = [call for call in made if call.call == "getpeername"][-1]
    if peer.errno is not None:
        assert len(set(failures)) == 1, "it gives the same again and again"
        return f"{failures[0]} for ever"
    if peer.result == ["10.0.0.2", FIRST]:
        return _FIRST
    assert peer.result == ["10.0.0.2", SECOND], "it is connected where it was to be"
    assert made[-1].result == {"len": 4, "head": "ping"}, "and what it says is answered"
    return f"{', '.join(map(str, failures))} once, then it works" if failures else _WORKS


def _may(made: list[Call], name: str) -> str:
    (call,) = (call for call in made if call.call == name)
    return call.errno or _WORKS


def _sees(made: list[Call]) -> int:
    """What poll said after the new connect."""
    seen = [call for call in made if call.call == "poll"][1].result
    assert isinstance(seen, list), "poll gives a list"
    (pair,) = seen
    assert isinstance(pair, list), "of descriptors with what they see"
    assert isinstance(pair[1], int), "which is a number"
    return pair[1]


def _grouped(outcomes: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{what} ({', '.join(hows)})" for what, hows in outcomes.items())


NOTE: Final = Note(
    id="N16",
    question="After a failed connect, must the socket be closed? Is its state undefined?",
    question_zh="connect 失败后，套接字就不能再用、必须关闭吗？其状态未定义吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.1",
        "Linux __inet_stream_connect",
        "Linux tcp_disconnect",
        "Linux inet_bind_sk",
        "Linux __inet_listen_sk",
        "Linux tcp_poll",
    ),
    words=(
        "connect",
        "connect again",
        "failed connect",
        "reuse",
        "ECONNABORTED",
        "EISCONN",
        "EINVAL",
        "getsockname",
        "getpeername",
    ),
    tells=(
        ("client", "connect_ex"),
        ("client", "SO_ERROR"),
        ("client", "connect"),
        ("client", "bind"),
        ("client", "listen"),
    ),
)
