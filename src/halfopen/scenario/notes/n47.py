"""N47: TCP_DEFER_ACCEPT; when accept returns, and what becomes of who sends nothing."""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MINUTE, MS, show_duration
from halfopen.record.faults import Fault, Kill, PowerOff
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    Answer,
    Lab,
    Note,
    OnMark,
    Program,
    Step,
    Variant,
    each,
)
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.pair import LONG, PORT
from halfopen.scenario.notes.reading import Seen, segments_from, span
from halfopen.wire.tcp import ACK, FIN, SYN

SERVER: Final = "server"
CLIENT: Final = "client"
PING: Final = b"ping"

#: Seconds after its connect that the client acts at, before the first of the listener's timeouts.
ACTS: Final = 0.3
#: By the option: the first timeout of a SYN,ACK, or the second, is over then.
HORIZON_NS: Final = {"off": 700 * MS, "1": 1500 * MS, "2": 3500 * MS}


def server(lab: Lab) -> None:
    """Listen with the option, accept, and read without waiting what has come."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), PORT))
    seconds = lab.settings["TCP_DEFER_ACCEPT"]
    if seconds != "off":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(seconds))
    listener.listen(5)
    lab.mark("listening")
    if lab.settings["waits by"] == "poll":
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.poll()
    conn, _ = listener.accept()
    conn.setblocking(False)
    with contextlib.suppress(OSError):
        conn.recv(100)
    conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
    with contextlib.suppress(OSError):
        conn.send(PING)
    time.sleep(LONG)


def _nothing(sock: socket.socket) -> None:
    assert sock.fileno() >= 0


def _sends(sock: socket.socket) -> None:
    sock.sendall(PING)


def _sends_later(sock: socket.socket) -> None:
    time.sleep(ACTS)
    sock.sendall(PING)


def _ends(sock: socket.socket) -> None:
    time.sleep(ACTS)
    sock.shutdown(socket.SHUT_WR)


def _resets(sock: socket.socket) -> None:
    time.sleep(ACTS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    sock.close()


#: What the client does once connect has returned.
CLIENT_DOES: Final[dict[str, Callable[[socket.socket], None]]] = {
    "sends at once": _sends,
    "sends later": _sends_later,
    "nothing": _nothing,
    "ends": _ends,
    "resets": _resets,
    "killed": _nothing,
    "host off": _nothing,
}
FAULTS: Final[dict[str, Fault]] = {
    "killed": Kill(process=CLIENT),
    "host off": PowerOff(host=CLIENT),
}


def client(lab: Lab) -> None:
    """Connect, do what the variant says, and see what the server has to say."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((lab.address(SERVER), PORT))
    lab.mark("connected")
    CLIENT_DOES[lab.settings["client"]](sock)
    with contextlib.suppress(OSError):
        sock.recv(100)
    time.sleep(LONG)


# What getsockopt tells.

ASKED: Final = (0, -1, 1, 2, 3, 4, 7, 8, 10, 60, 100, 200, 1000, 100000)


def asks(lab: Lab) -> None:
    """Set one time after another, and read it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    for seconds in ASKED:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, seconds)
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
    lab.mark("listening")
    time.sleep(LONG)


def absent(lab: Lab) -> None:
    """Do nothing."""
    assert lab.settings


# Who connects with the option.


def plain_server(lab: Lab) -> None:
    """Accept at once."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    conn.recv(100)
    time.sleep(LONG)


def deferring_client(lab: Lab) -> None:
    """Connect with the option, and send what the variant says."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    sock.connect((lab.address(SERVER), PORT))
    CLIENT_DOES[lab.settings["client defers, and"]](sock)
    time.sleep(LONG)


def _variant(
    settings: Mapping[str, str],
    server: Program,
    client: Program,
    *,
    horizon_ns: int,
    because: str = "",
) -> Variant:
    fault = FAULTS.get(settings.get("client", ""))
    when = OnMark(process=CLIENT, name="connected", delay_ns=int(ACTS * 1000) * MS)
    return pair.variant(
        settings,
        server=server,
        client=client,
        sysctl={} if because else {"net.ipv4.tcp_synack_retries": 1},
        client_sysctl={},
        steps=() if fault is None else (Step(when=when, fault=fault),),
        horizon_ns=horizon_ns,
        because=because,
    )


_DEFERRED: Final = tuple(
    _variant(settings, server, client, horizon_ns=HORIZON_NS[settings["TCP_DEFER_ACCEPT"]])
    for settings in (
        *each(
            **{
                "TCP_DEFER_ACCEPT": ("off", "1"),
                "client": tuple(CLIENT_DOES),
                "waits by": ("accept",),
            }
        ),
        *each(
            **{
                "TCP_DEFER_ACCEPT": ("2",),
                "client": ("sends later", "nothing", "host off"),
                "waits by": ("accept",),
            }
        ),
        *each(
            **{
                "TCP_DEFER_ACCEPT": ("off", "1"),
                "client": ("sends later", "nothing"),
                "waits by": ("poll",),
            }
        ),
    )
)
_LONG: Final = tuple(
    _variant(
        {
            "TCP_DEFER_ACCEPT": seconds,
            "client": does,
            "waits by": "accept",
            "durations": "default",
        },
        server,
        client,
        horizon_ns=3 * MINUTE,
        because="it waits for a quarter of a minute and longer",
    )
    for seconds, does in (("10", "nothing"), ("60", "nothing"), ("10", "host off"))
)
_ASKS: Final = _variant({"TCP_DEFER_ACCEPT": "many"}, asks, absent, horizon_ns=100 * MS)
_CLIENTS: Final = tuple(
    _variant(settings, plain_server, deferring_client, horizon_ns=700 * MS)
    for settings in each(**{"client defers, and": ("sends at once", "sends later", "nothing")})
)
_VARIANTS: Final[tuple[Variant, ...]] = (*_DEFERRED, *_LONG, _ASKS, *_CLIENTS)


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Read when accept returned, what could be read then, and what the client saw."""
    told = {
        variant.name: _told(
            runs[variant.name], deferred=variant.settings["TCP_DEFER_ACCEPT"] != "off"
        )
        for variant in (*_DEFERRED, *_LONG)
    }
    off = {client: told[_name("off", client)] for client in CLIENT_DOES}
    on = {client: told[_name("1", client)] for client in CLIENT_DOES}
    assert {when for when, _ in off.values()} == {WITH_THE_HANDSHAKE}, off
    for client in ("sends at once", "sends later"):
        assert on[client] == (WITH_TEXT, "text"), on
    ended, nothing = on["ends"], on["nothing"]
    assert ended == (WITH_TEXT, "the end") == on["killed"], on
    assert {on["resets"], on["host off"]} == {(NEVER, "")}, on
    assert told[_name("1", "nothing", "poll")] == nothing, "poll says what accept does"
    assert told[_name("2", "sends later")] == on["sends later"], told
    waits = {
        seconds: _waited(runs[_name(seconds, "nothing", long=long)])
        for seconds, long in (("1", False), ("2", False), ("10", True), ("60", True))
    }
    for variant in (*_DEFERRED, *_LONG):
        _client_sees(runs[variant.name])
    kept = _kept(runs["TCP_DEFER_ACCEPT=many"])
    rounded = ", ".join(f"{asked} to {kept[asked]}" for asked in (2, 10, 60, 200))
    rounded_zh = "，".join(f"{asked} 成 {kept[asked]}" for asked in (2, 10, 60, 200))
    late = ", ".join(f"{show_duration(ns)} for {seconds} s" for seconds, ns in waits.items())
    late_zh = "，".join(f"设 {seconds} 秒时 {show_duration(ns)}" for seconds, ns in waits.items())
    away = nothing[0] == NEVER
    acks = span(
        [_ack_after(runs[f"client defers, and={does}"]) for does in ("sends later", "nothing")]
    )
    return Answer(
        verdict="confirmed" if away else "qualified",
        text=(
            "Half true. accept and poll wake with the first data, or with a FIN; until then the "
            "kernel drops the ACK that would end the handshake. But who sends nothing is not "
            "turned away: when the time is up the SYN,ACK is repeated, the client's kernel answers "
            f"it, and accept returns with nothing to read: {late}. Only who resets in that time, "
            "or is gone, is never seen."
        ),
        zh=(
            "对一半。accept 和 poll 在第一份数据或 FIN 到达时才醒来；在此之前内核丢弃本该完成握手"
            "的 ACK。但只连接不发送的并不会被拒绝：时间一到，SYN,ACK 重传，客户端内核应答，accept "
            f"就返回，却没有数据可读：{late_zh}。只有在这段时间内重置或消失的才永远看不到。"
        ),
        more=(
            "The client does not notice: its connect returns on the first SYN,ACK. The time is "
            f"rounded up to whole timeouts of a SYN,ACK, as getsockopt tells: {rounded} s. On who "
            f"connects, the option delays the last ACK of the handshake by {acks}, unless data "
            "leaves before."
        ),
        more_zh=(
            "客户端没有察觉：它的 connect 在第一个 SYN,ACK 时就返回了。时间向上取整为 SYN,ACK 的整"
            f"数次超时，getsockopt 报告的就是它（秒）：{rounded_zh}。在主动连接的一方设此选项，握手"
            f"最后的 ACK 推迟 {acks}，除非数据先发出。"
        ),
    )


#: When accept returned.
WITH_THE_HANDSHAKE: Final = "with the handshake"
WITH_TEXT: Final = "with text or FIN"
WITH_THE_TIMEOUT: Final = "with the answer to a repeated SYN,ACK"
NEVER: Final = "never"


def _name(seconds: str, client: str, waits: str = "accept", *, long: bool = False) -> str:
    name = f"TCP_DEFER_ACCEPT={seconds} client={client} waits by={waits}"
    return f"{name} durations=default" if long else name


def _told(trace: Trace, *, deferred: bool) -> tuple[str, str]:
    """Say with which segment accept returned, and what recv then gave."""
    (accept,) = calls(trace, process=SERVER, call="accept")
    if accept.returned_ns is None:
        return NEVER, ""
    (read,) = calls(trace, process=SERVER, call="recv")
    if read.errno is not None:
        given = "nothing" if read.errno == "EAGAIN" else read.errno
    else:
        assert isinstance(read.result, dict)
        given = "text" if read.result["len"] else "the end"
    woke = [seen for seen in segments_from(trace, CLIENT) if seen.arrived_ns == accept.returned_ns]
    if any(seen.seg.text or seen.seg.flags & FIN for seen in woke):
        return WITH_TEXT if deferred else WITH_THE_HANDSHAKE, given
    again = [seen for seen in _answers(trace) if seen.t_ns < accept.returned_ns]
    return WITH_THE_HANDSHAKE if len(again) == 1 else WITH_THE_TIMEOUT, given


def _answers(trace: Trace) -> list[Seen]:
    """Give the SYN,ACKs."""
    return [seen for seen in segments_from(trace, SERVER) if seen.seg.flags == SYN | ACK]


def _waited(trace: Trace) -> int:
    """Say how long after the client's connect accept returned."""
    (accept,) = calls(trace, process=SERVER, call="accept")
    (connect,) = calls(trace, process=CLIENT, call="connect")
    assert accept.returned_ns is not None
    assert connect.returned_ns is not None
    return round((accept.returned_ns - connect.returned_ns) / 10**8) * 10**8


def _client_sees(trace: Trace) -> None:
    (connect,) = calls(trace, process=CLIENT, call="connect")
    assert connect.errno is None, "the client is connected"
    assert connect.returned_ns == _answers(trace)[0].arrived_ns, "on the first SYN,ACK"


def _kept(trace: Trace) -> dict[int, int]:
    """Give what getsockopt told of each time that was set."""
    told = [call.result for call in calls(trace, process=SERVER, call="getsockopt")]
    kept = {}
    for asked, value in zip(ASKED, told, strict=True):
        assert isinstance(value, int)
        kept[asked] = value
    return kept


def _ack_after(trace: Trace) -> int:
    """Say how long after connect returned the ACK of the SYN,ACK left."""
    (connect,) = calls(trace, process=CLIENT, call="connect")
    ack = next(seen for seen in segments_from(trace, CLIENT) if seen.seg.flags & ACK)
    assert connect.returned_ns is not None
    return ack.t_ns - connect.returned_ns


NOTE: Final = Note(
    id="N47",
    question="Does TCP_DEFER_ACCEPT let accept return only with data, and turn silent peers away?",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 9293 3.10.7.4",
        "Linux tcp_check_req",
        "Linux syn_ack_recalc",
        "Linux secs_to_retrans",
        "Linux tcp_rcv_synsent_state_process",
    ),
    words=("TCP_DEFER_ACCEPT", "accept", "data", "silent client", "SYN,ACK", "SYN-RECEIVED"),
    question_zh="TCP_DEFER_ACCEPT 是否让 accept 有数据时才返回，并拒绝只连接不发送数据的请求？",
    tells=(
        ("server", "accept"),
        ("server", "poll"),
        ("server", "recv"),
    ),
)
