"""N51: recv into a buffer too small; whether the rest is lost, of a stream and of a datagram."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import S
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.lines import asked_since
from halfopen.scenario.model import Answer, Lab, Note, each
from halfopen.scenario.notes import pair

#: No letter comes twice, so that what was read shows where it is from.
MESSAGES: Final = (b"0123456789", b"abcdefghij")
SMALL: Final = 4
#: Long enough that both messages have come.
BOTH_CAME: Final = 0.3
BETWEEN: Final = 0.05
HORIZON_NS: Final = S

READS: Final = ("recv", "recvfrom", "recv_into", "recvmsg", "MSG_PEEK", "MSG_TRUNC")


def server(lab: Lab) -> None:
    """Wait for a greeting, and send two messages, one after the other."""
    bound = socket.socket(type=_kind(lab))
    bound.bind((lab.address("server"), pair.PORT))
    sock = bound
    if lab.settings["socket"] == "stream":
        bound.listen(5)
    lab.mark("listening")
    if lab.settings["socket"] == "stream":
        sock, _ = bound.accept()
    _, peer = sock.recvfrom(100)
    for message in MESSAGES:
        time.sleep(BETWEEN)
        if lab.settings["socket"] == "stream":
            sock.send(message)
        else:
            sock.sendto(message, peer)
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Read with a buffer too small, and then with one that is large enough."""
    sock = socket.socket(type=_kind(lab))
    sock.connect((lab.address("server"), pair.PORT))
    sock.send(pair.PING)
    if lab.settings["reads"] == "late":
        time.sleep(BOTH_CAME)
    lab.mark(f"first {_read(lab, sock).decode()}")
    time.sleep(BOTH_CAME)
    lab.mark(f"then {sock.recv(100).decode()}")
    time.sleep(pair.LONG)


def _kind(lab: Lab) -> int:
    return socket.SOCK_STREAM if lab.settings["socket"] == "stream" else socket.SOCK_DGRAM


def _read(lab: Lab, sock: socket.socket) -> bytes:
    """Read once, by the variant's way; what there is in the buffer then."""
    how = lab.settings["first read"]
    room = bytearray(SMALL)
    if how == "recv":
        return sock.recv(SMALL)
    if how == "recvfrom":
        return sock.recvfrom(SMALL)[0]
    if how == "recvmsg":
        data, _, flags, _ = sock.recvmsg(SMALL)
        if flags & socket.MSG_TRUNC:
            lab.mark("told")
        return data
    if how == "MSG_PEEK":
        return sock.recv(SMALL, socket.MSG_PEEK)
    sock.recv_into(room, SMALL, socket.MSG_TRUNC if how == "MSG_TRUNC" else 0)
    return bytes(room).rstrip(b"\0")


_VARIANTS: Final = tuple(
    pair.variant(settings, server=server, client=client, horizon_ns=HORIZON_NS)
    for settings in each(
        socket=("stream", "datagram"), **{"first read": READS}, reads=("late", "waiting")
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run which octets of the first message were ever in a buffer."""
    lost: dict[str, list[int]] = {"stream": [], "datagram": []}
    thrown: list[int] = []
    whole: list[int] = []
    peeked = 0
    one, two = (message.decode() for message in MESSAGES)
    for variant in _VARIANTS:
        trace, settings = runs[variant.name], variant.settings
        kind, how = settings["socket"], settings["first read"]
        assert not any(call.errno for call in calls(trace)), "no error tells"
        (first,), (then,) = _marked(trace, "first "), _marked(trace, "then ")
        gone = len(set(one) - set(first + then))
        if how == "MSG_PEEK":
            assert first == one[:SMALL], "it shows what fits"
            assert not gone, "and takes nothing"
            peeked += 1
            continue
        if (how, kind) == ("MSG_TRUNC", "stream"):
            assert not first, "nothing is copied"
            thrown.append(gone)
            continue
        assert first == one[:SMALL], "the buffer is filled"
        lost[kind].append(gone)
        if kind == "stream":
            continue
        assert then == two, "the next read gives the next datagram"
        assert _marked(trace, "told") == [""] * (how == "recvmsg"), "recvmsg tells"
        if how == "MSG_TRUNC":
            (call,) = calls(trace, process="client", call="recv_into")
            assert isinstance(call.result, int), "a number of octets"
            whole.append(call.result)
    assert set(lost["stream"]) == {0}, "a stream loses nothing"
    (rest,), (counted,), (length,) = set(lost["datagram"]), set(thrown), set(whole)
    assert rest == len(MESSAGES[0]) - SMALL, "all that did not fit"
    return Answer(
        verdict="answered",
        text=(
            "Of a stream, no: what did not fit is there for the next read, in order "
            f"({len(lost['stream'])} runs). Of a datagram, yes: the rest of it is gone ({rest} of "
            f"{len(MESSAGES[0])} octets in {len(lost['datagram'])} runs), no error tells, and the "
            "next read gives the next datagram. Two ways tell: recvmsg sets MSG_TRUNC in its "
            "flags, and a read with the flag MSG_TRUNC returns how long the datagram was "
            f"({length})."
        ),
        zh=(
            f"流不会丢：装不下的部分按顺序留给下一次读（{len(lost['stream'])} 次运行）。数据报会"
            f"丢：剩下的部分就没有了（{len(lost['datagram'])} 次运行中，{len(MESSAGES[0])} 字节都丢"
            f"了 {rest} 字节），没有错误提示，下一次读得到的是下一个数据报。有两种办法可以得知："
            "recvmsg 在返回的标志中置 MSG_TRUNC；带 MSG_TRUNC 标志读，返回的是数据报原来的长度"
            f"（{length}）。"
        ),
        more=(
            f"On a stream the flag MSG_TRUNC throws away what it counts ({counted} octets). "
            f"MSG_PEEK looks and takes nothing ({peeked} runs)."
        ),
        more_zh=(
            f"在流上，MSG_TRUNC 标志会把它计数的数据丢弃（{counted} 字节）。MSG_PEEK 只看不取"
            f"（{peeked} 次运行）。"
        ),
    )


def _marked(trace: Trace, word: str) -> list[str]:
    """What the client had in its buffer, by its own words."""
    names = [str(getattr(event, "name", "")) for event in trace.events]
    return [name.removeprefix(word) for name in names if name.startswith(word)]


LINE: Final = asked_since(
    id_="N51",
    title="recv, buffer too small: is the rest lost?",
    note="recv is called with a buffer too small for what has come: is the rest lost?"
    " On a stream, and of a datagram.",
    title_zh="recv 的缓冲区太小：剩下的会丢吗？",
    note_zh="调用 recv 时缓冲区比到来的数据小，剩下的会丢吗？流和数据报各怎样？",
)

NOTE: Final = Note(
    id="N51",
    question="recv is called with a buffer too small: is the rest lost?",
    question_zh="调用 recv 时缓冲区太小：剩下的会丢吗？",
    variants=_VARIANTS,
    answer=answer,
    why=("RFC 9293 3.10.3", "RFC 768", "Linux tcp_recvmsg_locked", "Linux udp_recvmsg"),
    words=("recv", "buffer too small", "MSG_TRUNC", "MSG_PEEK", "datagram", "UDP", "truncated"),
    tells=(
        ("client", "recvfrom"),
        ("client", "recv_into"),
        ("client", "recvmsg"),
        ("client", "recv"),
    ),
)
