"""N32: writing to a socket that has received a FIN; what becomes of what is written."""

import contextlib
import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS, S
from halfopen.record.faults import PowerOff
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import segments_from, span, span_zh
from halfopen.wire.tcp import FIN, RST

CLIENT: Final = "client"
SERVER: Final = "server"
END_AFTER: Final = 0.1
#: The FIN has come long before; a round trip and more lies between two writes.
WRITE_AFTER: Final = 0.2
BETWEEN: Final = 0.1
WRITES: Final = 3
READ_AFTER: Final = 0.5
HORIZON_NS: Final = 1 * S

#: With one retry an unanswered write is given up within a second or so.
SHORT: Final = {"net.ipv4.tcp_retries2": 1}
OFF_AFTER_NS: Final = 150 * MS
WRITE_TO_NOBODY: Final = 1.0
OFF_HORIZON_NS: Final = 4 * S

#: Descriptors of a program that exits without ``close``: a global keeps them open to the end.
_kept: list[socket.socket] = []

HALF: Final = "shutdown SHUT_WR"
OFF: Final = "shutdown SHUT_WR, then host off"
ENDS: Final = (HALF, "close", "exit", "shutdown SHUT_RDWR")
#: What the client does before it writes.
BEFORE: Final = ("nothing", "reads the end")


def server(lab: Lab) -> None:
    """Send a FIN in one of several ways; one that has only said its last word reads on."""
    conn = pair.accepted(lab)
    time.sleep(END_AFTER + pair.WAY)
    lab.mark("ends")
    ends = lab.settings["FIN by"]
    if ends == "exit":
        _kept.append(conn)
        return
    if ends == "close":
        conn.close()
        time.sleep(pair.LONG)
    conn.shutdown(socket.SHUT_RDWR if ends == "shutdown SHUT_RDWR" else socket.SHUT_WR)
    time.sleep(READ_AFTER)
    with contextlib.suppress(OSError):
        conn.recv(100)
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Let the FIN come, and write three times all the same."""
    sock = pair.connected(lab)
    time.sleep(WRITE_AFTER)
    if lab.settings["before"] == "reads the end":
        sock.recv(100)
    if lab.settings["socket"] == "non-blocking":
        sock.setblocking(False)
    lab.mark("writes")
    off = lab.settings["FIN by"] == OFF
    for _ in range(WRITES):
        with contextlib.suppress(OSError):
            sock.send(pair.NEWS)
        time.sleep(WRITE_TO_NOBODY if off else BETWEEN)
    time.sleep(pair.LONG)


def _variant(settings: Mapping[str, str]) -> Variant:
    if settings["FIN by"] != OFF:
        return pair.variant(settings, server=server, client=client, horizon_ns=HORIZON_NS)
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=OFF_HORIZON_NS,
        steps=(Step(when=pair.well(OFF_AFTER_NS), fault=PowerOff(host=SERVER)),),
        sysctl=SHORT,
    )


_VARIANTS: Final[tuple[Variant, ...]] = tuple(
    _variant(settings)
    for settings in each(
        **{"FIN by": (*ENDS, OFF)}, before=BEFORE, socket=("blocking", "non-blocking")
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read from every run what each write gave, and whether what was written was ever read."""
    fine = delivered = lost = 0
    reset_after: list[int] = []
    gave_up: list[int] = []
    for variant in _VARIANTS:
        trace, ends = runs[variant.name], variant.settings["FIN by"]
        writes = calls(trace, process=CLIENT, call="send")
        given = [call.errno or f"{call.result} bytes" for call in writes]
        fin = next(s for s in segments_from(trace, SERVER) if s.seg.flags & FIN)
        assert fin.arrived_ns is not None, "the FIN arrived"
        assert fin.arrived_ns < writes[0].t_ns, "before the first write"
        assert given[0] == "4 bytes", f"{variant.name}: the first write is fine"
        assert writes[0].blocked_ns == 0, "and does not wait"
        fine += 1
        resets = [s for s in segments_from(trace, SERVER) if s.seg.flags & RST]
        if ends == HALF:
            assert given == ["4 bytes"] * WRITES, f"{variant.name}: {given}"
            assert not resets, "a half-closed peer takes it all"
            assert _read(trace) == len(pair.NEWS) * WRITES, "and reads it"
            delivered += 1
        elif ends == OFF:
            assert given == ["4 bytes", "4 bytes", "ETIMEDOUT"], f"{variant.name}: {given}"
            assert not resets, "nobody is there to reset"
            gave_up.append(_told_at(trace, writes) - writes[0].t_ns)
        else:
            assert given == ["4 bytes", "EPIPE", "EPIPE"], f"{variant.name}: {given}"
            assert resets, "the peer's host answers with an RST"
            assert resets[0].arrived_ns is not None, "which arrives"
            reset_after.append(resets[0].arrived_ns - writes[0].t_ns)
            assert not _read(trace), "nobody reads what was written"
            lost += 1
    return Answer(
        verdict="qualified",
        text=(
            "The write itself is: a FIN keeps nobody from writing, and the first write after it "
            f"succeeds at once ({fine} runs). A peer that has only said its last word (shutdown "
            f"SHUT_WR) reads all of it ({delivered} runs). But a FIN does not tell whether the "
            "peer still reads. If it has closed, or exited, what is written is lost: an RST comes "
            f"{span(reset_after)} later and the next write gives EPIPE, with SIGPIPE ({lost} runs)."
        ),
        zh=(
            f"写本身没有问题：FIN 不妨碍写，之后的第一次 write 立即成功（{fine} 次运行）。对端如果"
            f"只是说完了自己的话（shutdown SHUT_WR），就会读到全部数据（{delivered} 次运行）。但是 "
            "FIN 并不说明对端是否还在读。如果它已经 close 或退出，写的数据就丢失了："
            f"{span_zh(reset_after)} 后来一个 RST，下一次 write 得到 EPIPE，并伴随 SIGPIPE（{lost} "
            "次运行）。"
        ),
        more=(
            "It does not matter whether the end was read before. If the peer's host has gone "
            f"since, writes go on to succeed until the kernel gives up ({span(gave_up)} here, "
            "tcp_retries2 = 1): then ETIMEDOUT."
        ),
        more_zh=(
            "此前是否读到过结束没有关系。如果对端的主机此后消失了，write 会一直成功，直到内核放弃"
            f"（这里是 {span_zh(gave_up)}，tcp_retries2 = 1）：然后是 ETIMEDOUT。"
        ),
    )


def _read(trace: Trace) -> int:
    """How many octets of what the client wrote the server's program read."""
    ends = pair.marked(trace, SERVER, "ends")
    reads = [call for call in calls(trace, process=SERVER, call="recv") if call.t_ns > ends]
    read = [call.result for call in reads if isinstance(call.result, dict)]
    return sum(int(str(each["len"])) for each in read)


def _told_at(trace: Trace, writes: list[Call]) -> int:
    """The instant at which the client's connection was given up."""
    gone = [e.t_ns for e in trace.events if getattr(e, "new", "") == "CLOSED"]
    after = [t_ns for t_ns in gone if t_ns > writes[0].t_ns]
    assert after, "the kernel gave up"
    return after[0]


NOTE: Final = Note(
    id="N32",
    question="Is writing to a socket that has received a FIN fine?",
    question_zh="写一个已经收到 FIN 的套接字，没有问题吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.6",
        "RFC 9293 3.10.2",
        "Linux tcp_sendmsg_locked",
        "Linux tcp_fin",
        "Linux tcp_rcv_state_process",
    ),
    words=(
        "FIN",
        "write",
        "send",
        "send after the peer closed",
        "half-close",
        "CLOSE_WAIT",
        "EPIPE",
        "shutdown",
        "close",
    ),
)
