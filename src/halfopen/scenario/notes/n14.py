"""N14: whether a call may be made by several threads at once; on one descriptor, two by two."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import MS, show_duration
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.at_once import BETWEEN, CASES, HALF, MUCH, ONE, TWO, WHOLE
from halfopen.scenario.notes.pair import NEWS, PING
from halfopen.scenario.notes.reading import segments_from
from halfopen.wire.tcp import FIN

HORIZON_NS: Final = 930 * MS
#: A SYN,ACK takes so long that a second thread comes while the first connects.
DELAY_NS: Final = 50 * MS


def server(lab: Lab) -> None:
    """Be the server of the case."""
    CASES[lab.settings["at once"]].server(lab)


def client(lab: Lab) -> None:
    """Be the client of the case."""
    CASES[lab.settings["at once"]].client(lab)


#: What a case calls options, and the other names of a call.
_CALLS: Final = {"options": ("SO_RCVBUF", "getpeername"), "send": ("send", "sendall")}


def _tells(case: str) -> tuple[tuple[str, str], ...]:
    """Name the two calls of a case; where a number is used again, what the peers read shows it."""
    if case.startswith("close"):
        return (("server", "recv"),)
    process = "server" if case.startswith("accept") else "client"
    named = dict.fromkeys(word.split()[0] for word in case.partition(":")[0].split(", "))
    return tuple((process, call) for name in named for call in _CALLS.get(name, (name,)))


_VARIANTS: Final = {
    name: replace(
        pair.variant(
            {"at once": name},
            server=server,
            client=client,
            horizon_ns=HORIZON_NS,
            delay_ns=DELAY_NS,
        ),
        tells=_tells(name),
    )
    for name in CASES
}


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what each thread was given, and whether octets were lost or doubled."""
    given = {name: _given(runs[variant.name]) for name, variant in _VARIANTS.items()}
    _check_reading(given)
    _check_connecting(given)
    at = _between(runs[_VARIANTS["send, send: room comes"].name])
    assert given["send, send: room"] == given["send, send: no room"] == ["500", "500"], "whole"
    woken = [_name(name) for name in CASES if name.endswith("SHUT_RDWR") and _woken(runs, name)]
    assert len(woken) == sum(name.endswith("SHUT_RDWR") for name in CASES), "shutdown ends a wait"
    held = [_name(name) for name in CASES if name.endswith(", close") and not _woken(runs, name)]
    assert len(held) == sum(name.endswith(", close") for name in CASES), "close ends none"
    late = _fin_after_close(runs)
    wrong = _wrong_connection(runs[_VARIANTS["close, write to its number"].name]).replace("'", '"')
    reset = [octets.replace("'", '"') for octets in sorted(given["recv, recv: a reset"])]
    refused = sorted(given["connect, connect: refused"])
    return Answer(
        verdict="answered",
        text=(
            f"Socket calls: yes, the kernel locks the socket in each of them ({len(CASES)} pairs "
            "of calls on one descriptor). No octet is lost or doubled, but which thread gets which "
            "is up to the scheduler. One thread may send while another receives; a send that must "
            "wait for room lets others' octets in between. shutdown ends another thread's call at "
            "once, close does not. Not safe is the number of a closed socket: the next one gets "
            f"it, and {wrong} meant for the old connection went to the new one."
        ),
        zh=(
            f"套接字调用：可以。内核在每个调用里给套接字加锁（同一描述符上试了 {len(CASES)} 对调"
            "用）。字节不丢也不重，但哪个线程得到哪些由调度器决定。一个线程发、另一个线程收互不影"
            "响；要等空间的 send 会被别的线程的数据插入。shutdown 立即结束另一个线程的调用，close "
            f"不会。不安全的是已关闭的描述符号码：下一个套接字就用这个号码，本要给旧连接的 {wrong} "
            "发到了新连接上。"
        ),
        more=(
            "A call that waits gives the lock up. Of two threads in recv each message goes to one, "
            "and one message may be split between both. accept and datagrams go to the thread that "
            f"has waited longest. A send that fits is in one piece; behind the first {at} of "
            f"{MUCH} octets of one that had to wait came another thread's. The end is told to all, "
            f"an error to one only (reset: {reset[0]} and {reset[1]}; connect refused: "
            f"{refused[0]} and {refused[1]}). shutdown ended the other thread's {_list(woken)}; "
            f"close did not end {_list(held)}: the call goes on, and the FIN leaves only when it "
            f"is over ({show_duration(late)} later in recv)."
        ),
        more_zh=(
            "调用在等待时放开锁。两个线程都在 recv 时，每条消息只给其中一个，一条消息也可能分给两"
            f"个。accept 和数据报给等得最久的线程。放得下的 send 是完整的；等待过的 send，{MUCH} 字"
            f"节中前 {at} 字节之后插进了别的线程的数据。结束（EOF）所有线程都知道，错误只告诉一个"
            f"（被重置：{reset[0]} 和 {reset[1]}；连接被拒绝：{refused[0]} 和 {refused[1]}）。"
            f"shutdown 结束了另一个线程的 {_list(woken)}；close 没有结束 {_list(held)}：那个调用继"
            f"续等，等它结束才发 FIN（recv 时晚了 {show_duration(late)}）。"
        ),
    )


def _given(trace: Trace) -> list[str]:
    """What the calls of the threads gave, in the order of the threads: only the first of each."""
    first: dict[str, Call] = {}
    for call in calls(trace):
        if call.thread != "main":
            first.setdefault(f"{call.process} {call.thread}", call)
    return [_show(first[key]) for key in sorted(first)]


def _show(call: Call) -> str:
    if call.returned_ns is None:
        return "waits"
    if call.errno is not None:
        return call.errno
    match call.result:
        case {"head": str(head)} | [{"head": str(head)}, _]:
            return repr(head.encode("latin-1"))
        case _:
            return str(call.result)


def _check_reading(given: Mapping[str, list[str]]) -> None:
    assert sorted(given["recv, recv: two messages"]) == [repr(ONE), repr(TWO)], "each once"
    halves = [repr(WHOLE[:HALF]), repr(WHOLE[HALF:])]
    assert sorted(given["recv, recv: one message"]) == halves, "half and half"
    assert given["recv, recv: the end"] == [repr(b"")] * 2, "the end is told to both"
    assert given["recvfrom, recvfrom: datagrams"] == [repr(ONE), repr(TWO)], "in their order"
    assert given["recv, send"] == [repr(PING), "None"], "one sends, the other receives"
    assert given["recv, options"][0] == repr(ONE), "options need not wait for recv"
    assert given["recv, setblocking"] == [repr(ONE), "None"], "who waits goes on waiting"
    assert given["recv, shutdown SHUT_RD"] == [repr(b""), "None"], "who waits is told the end"


def _check_connecting(given: Mapping[str, list[str]]) -> None:
    assert given["connect, connect: accepted"] == ["None", "None"], "both are told"
    assert given["connect, send"] == ["None", "None"], "send waits for the handshake"
    assert given["connect, recv"] == ["None", "waits"], "and recv"
    assert len({*given["accept, accept"]}) == 2, "another connection for each"


def _between(trace: Trace) -> int:
    """How many octets of the long send had gone before the short one's."""
    sent = segments_from(trace, "client")
    base = sent[0].seg.seq + 1
    stream = {(seen.seg.seq - base) % (1 << 32): seen.seg.text for seen in sent if seen.seg.text}
    whole = b"".join(stream[at] for at in sorted(stream))
    at = whole.index(BETWEEN)
    assert whole[:at] == b"a" * at, "before it the other's"
    assert whole[at + len(BETWEEN) :].startswith(b"a"), "and behind it"
    return at


def _name(case: str) -> str:
    return case.split(",", maxsplit=1)[0]


def _woken(runs: Mapping[str, Trace], case: str) -> bool:
    """Whether the first thread's call returned when the second's was made."""
    first, second = [call for call in calls(runs[_VARIANTS[case].name]) if call.thread != "main"][
        :2
    ]
    return first.returned_ns == second.t_ns


def _fin_after_close(runs: Mapping[str, Trace]) -> int:
    """How long after the close of who another waits for in recv the FIN left."""
    trace = runs[_VARIANTS["recv, close"].name]
    (close,) = calls(trace, process="client", call="close")
    (fin,) = [seen for seen in segments_from(trace, "client") if seen.seg.flags & FIN]
    return fin.t_ns - close.t_ns


def _wrong_connection(trace: Trace) -> str:
    """What the server read from the second connection, to which nobody meant to write."""
    first, second = calls(trace, process="server", call="recv")
    assert first.fd != second.fd, "of two connections"
    assert _show(second) == repr(NEWS), "it went to the second"
    return _show(second)


def _list(names: list[str]) -> str:
    return ", ".join(names)


NOTE: Final = Note(
    id="N14",
    question="Is every socket call safe from several threads at once?",
    question_zh="每个套接字调用都可重入（多线程安全）吗？",
    variants=tuple(_VARIANTS.values()),
    answer=answer,
    why=(
        "Linux lock_sock_nested",
        "Linux sk_wait_data",
        "Linux sk_stream_wait_memory",
        "Linux inet_csk_wait_for_connect",
        "Linux __skb_wait_for_more_packets",
        "Linux inet_shutdown",
        "Linux fdget",
    ),
    words=(
        "reentrant",
        "thread-safe",
        "threads",
        "close while recv",
        "shutdown",
        "interleaved send",
        "file descriptor reuse",
        "accept",
        "ECONNABORTED",
    ),
)
