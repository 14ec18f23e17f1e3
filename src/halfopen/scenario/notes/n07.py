"""N07: a process crashes; what its host's kernel sends in its name."""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS, S
from halfopen.record.events import ProcessEnded
from halfopen.record.faults import Kill
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
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
from halfopen.scenario.notes.reading import Seen, segments_from, span, span_zh
from halfopen.wire.tcp import FIN, RST

PORT: Final = 80
MESSAGE: Final = b"hello"
#: What a blocked sender wants to send: more than both buffers hold.
FLOOD: Final = 1 << 20
_BUFFER: Final = 16384

#: The server crashes well between two of the client's messages: an interpreter takes 20 ms to exit.
LIFE: Final = 0.32
#: Well between the first and the second probe of a window that stays closed.
LIFE_OF_FLOODED: Final = 0.5
FIRST: Final = 0.05
BETWEEN: Final = 0.2
#: Well after the crash, in seconds after the client's message.
LATER: Final = 0.5

#: Descriptors of a program that exits without ``close``: a global keeps them open to the end.
_kept: list[socket.socket] = []


def server(lab: Lab) -> None:
    """Accept, read everything or nothing, and crash some time after the connection came."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if lab.settings["peer"] == "blocked in send":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    if lab.settings.get("unsent") == "data":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    _kept.append(listener)
    if lab.settings["peer"] != "not accepted":
        _served(lab, listener)
    else:
        time.sleep(LIFE)
    crash = lab.settings["crash"]
    if crash == "SIGKILL":
        lab.mark("to be killed")
        time.sleep(60)
    elif crash == "SIGSEGV":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif crash == "os._exit":
        os._exit(1)
    elif crash == "exit without close":
        sys.exit(0)


def _served(lab: Lab, listener: socket.socket) -> None:
    """Take the connection from the queue, and read or write as the variant wants it."""
    conn, _ = listener.accept()
    _kept.append(conn)
    lab.mark("accepted")
    if lab.settings.get("unsent") == "data":
        conn.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                conn.send(bytes(_BUFFER))
        conn.setblocking(True)
    if lab.settings["unread"] == "none":
        _read_for(conn, 2 if lab.settings["peer"] == "in send" else 1)
    else:
        time.sleep(LIFE_OF_FLOODED if lab.settings["peer"] == "blocked in send" else LIFE)


def _read_for(conn: socket.socket, messages: int) -> None:
    """Read so many of the client's messages, which come after 50 ms and every 200 ms from there."""
    for _ in range(messages):
        conn.recv(100)
    time.sleep(LIFE - FIRST - BETWEEN * (messages - 1))


def client(lab: Lab) -> None:
    """Connect, send one message, and be where the variant wants the peer to be."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    peer = lab.settings["peer"]
    if peer == "blocked in send":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    if peer == "reads later":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    sock.connect((lab.address("server"), PORT))
    time.sleep(FIRST)
    if peer != "not accepted" or lab.settings["unread"] == "data":
        sock.sendall(MESSAGE)
    with contextlib.suppress(OSError):  # which one is in the record of the calls
        PEERS[peer](sock)
    time.sleep(0.1)
    sock.close()


def _in_recv(sock: socket.socket) -> None:
    sock.recv(100)


def _in_send(sock: socket.socket) -> None:
    for _ in range(4):
        time.sleep(BETWEEN)
        sock.sendall(MESSAGE)


def _blocked_in_send(sock: socket.socket) -> None:
    sock.sendall(bytes(FLOOD))


def _in_poll(sock: socket.socket) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(5000)
    sock.recv(100)


def _idle(sock: socket.socket) -> None:
    time.sleep(0.6)
    sock.recv(100)


def _reads_later(sock: socket.socket) -> None:
    time.sleep(LATER)
    while sock.recv(_BUFFER):
        time.sleep(FIRST)


PEERS: Final = {
    "in recv": _in_recv,
    "in send": _in_send,
    "in poll": _in_poll,
    "idle": _idle,
    "blocked in send": _blocked_in_send,
    "not accepted": _in_recv,
    "reads later": _reads_later,
}
_CRASHES: Final = ("SIGKILL", "SIGSEGV", "os._exit", "exit without close")


def _variant(settings: dict[str, str]) -> Variant:
    killed = Step(when=OnMark(process="server", name="to be killed"), fault=Kill(process="server"))
    return pair.variant(
        settings,
        server=server,
        client=client,
        steps=(killed,) if settings["crash"] == "SIGKILL" else (),
        horizon_ns=2 * S,
    )


def _variants() -> tuple[Variant, ...]:
    """Build the product; a sender can be blocked only where the crashing process does not read."""
    found = [
        _variant(settings)
        for settings in each(
            crash=_CRASHES,
            unread=("data", "none"),
            peer=("in recv", "in send", "in poll", "idle"),
        )
    ]
    found += [
        _variant(settings)
        for settings in each(crash=_CRASHES, unread=("data",), peer=("blocked in send",))
    ]
    found += [
        _variant(settings)
        for settings in each(crash=_CRASHES, unread=("data", "none"), peer=("not accepted",))
    ]
    found += [
        _variant(settings)
        for settings in each(
            crash=_CRASHES, unread=("data", "none"), peer=("reads later",), unsent=("data",)
        )
    ]
    return tuple(found)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what the dead process's host sent last, and what the peer's call gave."""
    fins = resets = queued = taken = 0
    ended_by: dict[str, list[int]] = {"eof": [], "reset": []}
    delivered: dict[bool, set[int]] = {False: set(), True: set()}
    for variant in _variants():
        trace = runs[variant.name]
        unread, peer = variant.settings["unread"] == "data", variant.settings["peer"]
        if variant.settings.get("unsent") == "data":
            taken = _taken(trace)
            delivered[unread].add(taken - _read(trace, ends_well=not unread))
            continue
        first = _first_after_death(trace)
        reset = unread or peer == "not accepted"
        assert bool(first.seg.flags & RST) == reset, (
            "an RST is sent exactly where data was unread, or the connection not accepted"
        )
        assert bool(first.seg.flags & FIN) != reset, "in all other runs a FIN is sent"
        fins, resets = fins + (not reset), resets + reset
        queued += reset and not unread
        told = _told(trace, first)
        if peer in {"in recv", "in poll"}:
            kind = "reset" if told.errno == "ECONNRESET" else "eof"
            assert kind == ("reset" if unread else "eof"), "the peer's recv tells FIN from RST"
            assert told.returned_ns is not None, "the peer's recv returned"
            ended_by[kind].append(told.returned_ns - first.t_ns)
    assert delivered[False] == {0}, "all is delivered that was written before a FIN"
    (lost,) = delivered[True]
    assert lost > 0, "an RST does not wait for what was written"
    return Answer(
        verdict="refuted",
        text=(
            "Yes. Its host's kernel closes the socket at once, however the process ended: a FIN in "
            f"{fins} of {fins + resets} runs, and an RST in the {resets} where it had left data "
            f"unread, or not yet accepted the connection (without data: {queued}). A peer that "
            f'waits in recv is told {span(ended_by["eof"])} after the FIN left, by b"", and '
            f"{span(ended_by['reset'])} after the RST, by ECONNRESET. What the process had written "
            f"is still sent before a FIN, but not before an RST (of {taken} bytes {lost} were "
            "lost)."
        ),
        zh=(
            f"会。不论进程怎样结束，它所在主机的内核都立即关闭套接字：{fins + resets} 次运行中有 "
            f"{fins} 次发出 FIN，有 {resets} 次因为还留有未读数据，或者连接还没有被 accept（其中没"
            f"有数据的 {queued} 次），而发出 RST。等在 recv 里的对端在 FIN 发出 "
            f'{span_zh(ended_by["eof"])} 后得知，得到 b""；在 RST 发出 '
            f"{span_zh(ended_by['reset'])} 后得知，得到 ECONNRESET。进程已经写入的数据，在 FIN 之前"
            f"仍会发完，在 RST 之前则不会（{taken} 字节中丢失 {lost} 字节）。"
        ),
    )


def _taken(trace: Trace) -> int:
    """How many bytes the kernel took from the process that was to crash."""
    sends = calls(trace, process="server", call="send")
    return sum(call.result for call in sends if isinstance(call.result, int))


def _read(trace: Trace, *, ends_well: bool) -> int:
    """How many bytes the peer read in the end."""
    reads = calls(trace, process="client", call="recv")
    assert reads[-1].errno == (None if ends_well else "ECONNRESET"), "the last call tells the end"
    sizes = [call.result["len"] for call in reads if isinstance(call.result, dict)]
    return sum(size for size in sizes if isinstance(size, int))


def _first_after_death(trace: Trace) -> Seen:
    """Find the first segment that the server's host sent in the dead process's name.

    A process counts as ended once its descriptors are closed: the segment may be the earlier.
    """
    ends = [e for e in trace.events if isinstance(e, ProcessEnded) and e.process == "server"]
    assert len(ends) == 1, "the server ended once"
    closing = [seen for seen in segments_from(trace, "server") if seen.seg.flags & (FIN | RST)]
    assert closing, "the dead process's host sent a FIN or an RST"
    assert abs(closing[0].t_ns - ends[0].t_ns) < 50 * MS, "it was sent when the process ended"
    return closing[0]


def _told(trace: Trace, first: Seen) -> Call:
    """Find the call by which the peer's program was told."""
    for call in calls(trace, process="client"):
        ended = call.returned_ns is not None and call.returned_ns >= first.t_ns
        if ended and (call.errno is not None or call.result == {"len": 0, "head": ""}):
            return call
    msg = "the peer's program was told by no call"
    raise AssertionError(msg)


NOTE: Final = Note(
    id="N07",
    question="A process crashes: is a FIN sent?",
    question_zh="进程崩溃：会发出 FIN 吗？",
    variants=_variants(),
    answer=answer,
    why=(
        "RFC 9293 3.10.4",
        "RFC 2525 2.17",
        "Linux do_exit",
        "Linux __tcp_close",
        "Linux tcp_send_active_reset",
    ),
    words=(
        "crash",
        "killed",
        "SIGKILL",
        "segmentation fault",
        "SIGSEGV",
        "exit",
        "FIN",
        "unread data",
    ),
)
