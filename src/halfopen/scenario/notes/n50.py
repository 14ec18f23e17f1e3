"""N50: whether linger tells a normal from an abnormal end, to the peer and to the closer."""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.faults import Fault, Kill, PowerOff
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Step, Variant, each
from halfopen.scenario.notes import lingering, pair, unread
from halfopen.scenario.notes.reading import span, span_zh
from halfopen.scenario.notes.unread import CLIENT, DELAY_NS, SERVER

PONDER: Final = 0.1
OFF_AFTER_NS: Final = 50 * MS
HORIZON_NS: Final = 900 * MS
#: By when TCP has given up, where the peer's host is off.
CLOSER_HORIZON_NS: Final = {
    "reads and closes": 1440 * MS,
    "is killed, data unread": 1440 * MS,
    "host off": 3040 * MS,
}
#: An unacknowledged segment is repeated for less than 2 s.
SHORT: Final = {**lingering.SHORT, "net.ipv4.tcp_retries2": 2}

OFF: Final = "off"
SWITCHED: Final = "0, off before close"
LINGERS: Final = (OFF, "0", "1 s", SWITCHED)
#: Descriptors of a program that ends without ``close``: a global keeps them open to the end.
_kept: list[socket.socket] = []


def server(lab: Lab) -> None:
    """Be the peer that wants to know how the other one ended."""
    sock = pair.accepted(lab)
    if lab.settings["unread"] == "data":
        sock.sendall(pair.NEWS)
    if lab.settings["peer looks by"] == "poll":
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.poll(5000)
    with contextlib.suppress(ConnectionResetError):
        sock.recv(100)
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Use the connection, and end, normally or not."""
    sock = pair.connected(lab)
    _kept.append(sock)
    so_linger = lab.settings["SO_LINGER"]
    if so_linger != OFF:
        lingering.linger(sock, on=True, seconds=1 if so_linger == "1 s" else 0)
    time.sleep(PONDER)
    if lab.settings["end"] == "close":
        if so_linger == SWITCHED:
            lingering.linger(sock, on=False, seconds=0)
        lab.mark("ends")
        sock.close()
        time.sleep(pair.LONG)
    lab.mark("ends")
    ABNORMAL[lab.settings["end"]]()


def _exit_now() -> None:
    os._exit(1)


def _exit() -> None:
    sys.exit(0)


def _fail() -> None:
    msg = "the program has a bug"
    raise RuntimeError(msg)


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _waits() -> None:
    time.sleep(pair.LONG)


#: Ends of a program that does not come to its close.
ABNORMAL: Final[dict[str, Callable[[], None]]] = {
    "exit": _exit,
    "exception": _fail,
    "os._exit": _exit_now,
    "SIGKILL": _killed,
    "host off": _waits,
}


def closer(lab: Lab) -> None:
    """Write, and ask in one way whether it arrived."""
    sock = lingering.connected(lab)
    lingering.write(sock, "data")
    lab.mark("ends")
    way = lab.settings["closer asks by"]
    if way == "shutdown, then recv":
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            sock.recv(100)
    else:
        lingering.linger(sock, on=way != "close", seconds=1)
        sock.close()
    time.sleep(pair.LONG)


def answering_server(lab: Lab) -> None:
    """Read everything and close, or read nothing."""
    conn = unread.listen(lab, lingering.SMALL)
    if lab.settings["peer"] != "reads and closes":
        time.sleep(unread.FOR_EVER)
    time.sleep(unread.BEGIN + lingering.SOON)
    lingering.read(conn)
    conn.close()
    time.sleep(pair.LONG)


_FATES: Final[dict[str, Fault | None]] = {
    "reads and closes": None,
    "is killed, data unread": Kill(process=SERVER),
    "host off": PowerOff(host=SERVER),
}


def _seen_by_peer(settings: Mapping[str, str]) -> Variant:
    off = (Step(when=pair.well(OFF_AFTER_NS), fault=PowerOff(host=CLIENT)),)
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=HORIZON_NS,
        steps=off if settings["end"] == "host off" else (),
    )


def _seen_by_closer(settings: Mapping[str, str]) -> Variant:
    fault = _FATES[settings["peer"]]
    after = lingering.KILLED_AFTER_NS if isinstance(fault, Kill) else lingering.GONE_AFTER_NS
    return pair.variant(
        settings,
        server=answering_server,
        client=closer,
        horizon_ns=CLOSER_HORIZON_NS[settings["peer"]],
        steps=() if fault is None else (Step(when=pair.well(after), fault=fault),),
        sysctl=SHORT,
        delay_ns=DELAY_NS,
    )


_PEER: Final = {
    tuple(settings.values()): _seen_by_peer(settings)
    for settings in each(
        **{
            "SO_LINGER": LINGERS,
            "end": ("close", *ABNORMAL),
            "peer looks by": ("recv", "poll"),
            "unread": ("none", "data"),
        }
    )
    if settings["peer looks by"] == "recv" or settings["end"] in {"close", "SIGKILL"}
    if settings["unread"] == "none" or (settings["end"], settings["SO_LINGER"]) == ("close", OFF)
}
_CLOSER: Final = tuple(
    _seen_by_closer(settings)
    for settings in each(
        **{
            "closer asks by": ("close", "close, l_linger 1 s", "shutdown, then recv"),
            "peer": tuple(_FATES),
        }
    )
)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """See for each setting whether the peer is told of close what it is told of no other end."""
    told = {key: lingering.told(runs[variant.name]) for key, variant in _PEER.items()}
    tells, ended = {}, 0
    for so_linger in LINGERS:
        for look in ("recv", "poll"):
            normal = told[so_linger, "close", look, "none"]
            crashes = {
                told[so_linger, end, look, "none"]
                for end in ABNORMAL
                if end != "host off" and (so_linger, end, look, "none") in told
            }
            assert len(crashes) == 1, f"{so_linger}: every end of the process looks alike"
            tells[so_linger] = normal not in crashes
            ended += normal in crashes
        assert told[so_linger, "host off", "recv", "none"] == "nothing", "power-off is silent"
    assert not tells[OFF], "without linger the peer can't tell"
    alone = [so_linger for so_linger in LINGERS[1:3] if tells[so_linger]]
    assert not alone, f"{alone} tells"
    assert tells[SWITCHED], "switched off in time it tells"
    crashed = told[SWITCHED, "SIGKILL", "recv", "none"]
    assert (told[OFF, "close", "recv", "none"], told["0", "close", "recv", "none"]) == (
        "end",
        crashed,
    ), "FIN and RST"
    assert told[OFF, "close", "recv", "data"] == crashed, "a normal close that looks like a crash"
    silent, waits, asked = _closer_told(runs)
    return Answer(
        verdict="qualified",
        text=(
            "Not by itself. With linger off, or l_linger 1 s, a close, exit, an exception, "
            'os._exit and SIGKILL all send a FIN: recv gives b"". With l_linger 0 all send an RST: '
            f"{crashed}. One way works: set l_linger 0 at the start, and switch linger off right "
            'before the normal close; then only that gives b"". The closer is not told either: '
            "close gives no error. Who must know asks with shutdown(SHUT_WR) and then recv."
        ),
        zh=(
            "只设 linger 分不出来。不设 linger，或 l_linger 为 1 s：close、exit、未捕获的异常、"
            'os._exit、SIGKILL 都发 FIN，对端的 recv 得到 b""。l_linger 为 0：都发 RST，对端得到 '
            f"{crashed}。有一种用法能区分：一开始设 l_linger 为 0，正常 close 之前再关掉 linger；这"
            '样只有正常 close 让 recv 得到 b""。关闭的一方也不知道：close 不报错。要知道就先 '
            "shutdown(SHUT_WR) 再 recv。"
        ),
        more=(
            f"With that way every end before the normal close gives {crashed}; but a host without "
            f"power tells nothing in any case, and {crashed} also comes where a normal close finds "
            f"unread data. close gave no error in {silent} of {silent} runs, whether the peer had "
            f"read all, was killed or without power; l_linger only lets it wait ({span(waits)}). "
            f"shutdown(SHUT_WR) and then recv tells: {asked['reads and closes']} if the peer read "
            f"all and closed, {asked['is killed, data unread']} if it was killed, "
            f"{asked['host off']} if its host is off."
        ),
        more_zh=(
            f"用那种办法，正常 close 之前的任何结束都是 {crashed}；但主机断电时怎么设都没有消息，正"
            f"常 close 时如果有未读数据，对端也得到 {crashed}。{silent} 次运行中 {silent} 次 close "
            "都不报错，不管对端读完了、被杀了还是断电了；l_linger 只是让它等待"
            f"（{span_zh(waits)}）。先 shutdown(SHUT_WR) 再 recv：对端读完并关闭时得到 "
            f"{asked['reads and closes']}，被杀时 {asked['is killed, data unread']}，断电时 "
            f"{asked['host off']}。"
        ),
    )


def _closer_told(runs: Mapping[str, Trace]) -> tuple[int, list[int], dict[str, str]]:
    """How many closes gave no error, how long the lingering ones took, and what recv gave."""
    silent, waits, asked = 0, [], {}
    for variant in _CLOSER:
        trace, settings = runs[variant.name], variant.settings
        if settings["closer asks by"].startswith("close"):
            (close,) = calls(trace, process=CLIENT, call="close")
            assert close.errno is None, f"{variant.name}: close gives no error"
            assert close.blocked_ns is not None, "close returns"
            silent += 1
            if "l_linger" in settings["closer asks by"]:
                waits.append(close.blocked_ns)
            continue
        (recv,) = calls(trace, process=CLIENT, call="recv")
        assert recv.returned_ns is not None, f"{variant.name}: recv tells"
        asked[settings["peer"]] = recv.errno or 'b""'
    assert len(set(asked.values())) == len(asked), "each in its own way"
    return silent, waits, asked


NOTE: Final = Note(
    id="N50",
    question="Does linger tell a normal from an abnormal end?",
    question_zh="linger 能区分正常关闭和异常关闭吗？",
    variants=(*_PEER.values(), *_CLOSER),
    answer=answer,
    why=(
        "RFC 9293 3.10.4",
        "RFC 9293 3.10.5",
        "RFC 2525 2.17",
        "Linux inet_release",
        "Linux __tcp_close",
        "Linux do_exit",
        "Linux tcp_reset",
    ),
    words=(
        "SO_LINGER",
        "linger",
        "normal close",
        "abnormal close",
        "crash",
        "RST",
        "ECONNRESET",
        "FIN",
        "killed",
        "shutdown",
    ),
    tells=(("server", "recv"), ("server", "poll")),
)
