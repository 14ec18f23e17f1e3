"""N42: SO_RCVBUF and SO_SNDBUF: what they set, and what it matters when they are set."""

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from halfopen.base.units import MS
from halfopen.base.value import value
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Answer, Lab, Note, Variant, Verdict, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import segments_from
from halfopen.wire.seq import lt

SOL: Final = socket.SOL_SOCKET
SMALL: Final = 8192
LARGE: Final = 400_000
DELAY_NS: Final = 20 * MS
#: So long a way that a delayed ACK comes back before a loss is probed for.
FAR_NS: Final = 50 * MS
WAY: Final = 0.02
SEGMENT: Final = 1448
#: Each step doubles what is sent in a round trip; its first segment goes alone.
STEPS: Final = (10, 20)
ALONE: Final = 0.11
STEP: Final = 0.22
#: A reader takes what has come so long after, so that it does not run while segments come.
PONDER: Final = 0.02
MUCH: Final = 1 << 20
HORIZON_NS: Final = 680 * MS
SHORT_NS: Final = 600 * MS
#: Where what was offered does not fit any more, until the first is dropped, and read what is there.
DROPPED_NS: Final = 470 * MS

NEVER: Final = "never"
BEFORE_BIND: Final = "before bind"
AFTER_BIND: Final = "after bind"
AFTER_LISTEN: Final = "after listen"
AFTER_ACCEPT: Final = "after accept"
BEFORE_CONNECT: Final = "before connect"
AFTER_CONNECT: Final = "after connect"
#: When the receiver, or the sender, sets its buffer: as the server, and as the client.
WHEN: Final[Mapping[str, tuple[str, ...]]] = {
    "server": (BEFORE_BIND, AFTER_BIND, AFTER_LISTEN, AFTER_ACCEPT),
    "client": (BEFORE_CONNECT, AFTER_CONNECT),
}


def _set(lab: Lab, sock: socket.socket, when: str) -> None:
    """Set the variant's options, if it is time; a second size is for the second time."""
    whens = lab.settings["set"].split(", then ")
    if when not in whens:
        return
    for name, option in NAMES.items():
        sizes = lab.settings.get(name, "").split(", then ")
        if sizes[0]:
            sock.setsockopt(SOL, option, int(sizes[whens.index(when)]))


NAMES: Final = {"SO_RCVBUF": socket.SO_RCVBUF, "SO_SNDBUF": socket.SO_SNDBUF}


def _be_narrow(lab: Lab, sock: socket.socket, own: str) -> None:
    """Offer a small window to the sender, so that his own buffer is what counts."""
    if lab.settings.get("sender", own) != own:
        sock.setsockopt(SOL, socket.SO_RCVBUF, SMALL)


def server(lab: Lab) -> None:
    """Set the buffer when the variant says; then be receiver or sender."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    _be_narrow(lab, listener, "server")
    _set(lab, listener, BEFORE_BIND)
    listener.bind((lab.address("server"), pair.PORT))
    _set(lab, listener, AFTER_BIND)
    listener.listen(5)
    _set(lab, listener, AFTER_LISTEN)
    lab.mark("listening")
    conn, _ = listener.accept()
    _set(lab, conn, AFTER_ACCEPT)
    _transfer(lab, conn, "server", time.monotonic() - WAY)


def client(lab: Lab) -> None:
    """Do so as the client."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    _be_narrow(lab, sock, "client")
    _set(lab, sock, BEFORE_CONNECT)
    sock.connect((lab.address("server"), pair.PORT))
    _set(lab, sock, AFTER_CONNECT)
    _transfer(lab, sock, "client", time.monotonic())


def _transfer(lab: Lab, sock: socket.socket, own: str, began: float) -> None:
    """Receive, send, or see how much a write takes; ``began`` is when the client had connected."""
    if lab.settings.get("sender") == own:
        time.sleep(began + ALONE - time.monotonic())
        sock.send(bytes(MUCH), socket.MSG_DONTWAIT)
        sock.getsockopt(SOL, socket.SO_SNDBUF)
    elif lab.settings.get("receiver") == own:
        _receive(sock, began)
        sock.getsockopt(SOL, socket.SO_RCVBUF)
    elif "receiver" in lab.settings:
        _send(sock, began)
    time.sleep(pair.LONG)


def _receive(sock: socket.socket, due: float) -> None:
    for _ in STEPS:
        due += STEP
        time.sleep(max(due + WAY + PONDER - time.monotonic(), 0))
        sock.recv(MUCH)
        time.sleep(max(due + ALONE + WAY + PONDER - time.monotonic(), 0))
        sock.recv(MUCH)


def _send(sock: socket.socket, due: float) -> None:
    sock.setblocking(False)
    for segments in STEPS:
        due += STEP
        time.sleep(max(due - time.monotonic(), 0))
        with contextlib.suppress(BlockingIOError):
            sock.send(bytes(SEGMENT))
        time.sleep(max(due + ALONE - time.monotonic(), 0))
        with contextlib.suppress(BlockingIOError):
            sock.send(bytes((segments - 1) * SEGMENT))


OPTIONS: Final = {
    "SO_RCVBUF": socket.SO_RCVBUF,
    "SO_SNDBUF": socket.SO_SNDBUF,
    "SO_RCVBUFFORCE": 33,
    "SO_SNDBUFFORCE": 32,
}
KINDS: Final = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
TRIED: Final = (
    0,
    1,
    1152,
    1153,
    5000,
    4_194_304,
    4_194_305,
    (1 << 30) - 1,
    1 << 30,
    -1,
    -(1 << 31),
)


def asking(lab: Lab) -> None:
    """Try every value, and ask what became of it."""
    sock = socket.socket(socket.AF_INET, KINDS[lab.settings["socket"]])
    option = OPTIONS[lab.settings["option"]]
    read = socket.SO_RCVBUF if "RCV" in lab.settings["option"] else socket.SO_SNDBUF
    with contextlib.suppress(OSError):
        sock.getsockopt(SOL, option)
    for size in TRIED:
        with contextlib.suppress(OSError):
            sock.setsockopt(SOL, option, size)
        sock.getsockopt(SOL, read)
    lab.mark("listening")
    time.sleep(pair.LONG)


def nothing(lab: Lab) -> None:
    """Do nothing."""


def _horizon(settings: Mapping[str, str]) -> int:
    if "sender" in settings:
        return SHORT_NS
    late = settings["set"] in {AFTER_ACCEPT, AFTER_CONNECT}
    return DROPPED_NS if late and settings["SO_RCVBUF"] == str(SMALL) else HORIZON_NS


def _variant(settings: Mapping[str, str]) -> Variant:
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=_horizon(settings),
        delay_ns=FAR_NS if "sender" in settings else DELAY_NS,
    )


_RECEIVING: Final = tuple(
    _variant(settings)
    for receiver, whens in WHEN.items()
    for settings in (
        {"receiver": receiver, "set": NEVER},
        *each(receiver=(receiver,), set=whens, SO_RCVBUF=(str(SMALL), str(LARGE))),
        {
            "receiver": receiver,
            "set": f"{whens[0]}, then {whens[-1]}",
            "SO_RCVBUF": f"{SMALL}, then {LARGE}",
        },
    )
)
_SENDING: Final = tuple(
    _variant(settings)
    for sender, whens in WHEN.items()
    for settings in (
        {"sender": sender, "set": NEVER},
        *each(sender=(sender,), set=whens, SO_SNDBUF=(str(SMALL), str(LARGE))),
    )
)
_ASKED: Final = tuple(
    pair.variant(settings, server=asking, client=nothing, horizon_ns=200 * MS)
    for settings in each(socket=tuple(KINDS), option=tuple(OPTIONS))
)


def _unprivileged(settings: Mapping[str, str]) -> Variant:
    variant = pair.variant(settings, server=asking, client=nothing, horizon_ns=200 * MS)
    asks, does_nothing = variant.processes
    return replace(variant, processes=(replace(asks, privileged=False), does_nothing))


def _tells(settings: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Name what shows a buffer's size: how much was read or taken at a time, and the option."""
    if "receiver" in settings:
        return tuple((settings["receiver"], what) for what in ("recv", "SO_RCVBUF"))
    if "sender" in settings:
        return tuple((settings["sender"], what) for what in ("send", "SO_SNDBUF"))
    return (("server", "setsockopt"), ("server", settings["option"].removesuffix("FORCE")))


_REFUSED: Final = tuple(
    _unprivileged(settings)
    for settings in each(
        socket=("TCP",),
        option=("SO_RCVBUFFORCE", "SO_SNDBUFFORCE"),
        who=("not the superuser",),
    )
)
_VARIANTS: Final = tuple(
    replace(variant, tells=_tells(variant.settings))
    for variant in (*_RECEIVING, *_SENDING, *_ASKED, *_REFUSED)
)


@value
class Received:
    """What a receiver offered: in its SYN, and then; and what it dropped."""

    scale: int
    first: int
    largest: int
    last: int
    dropped: int


def answer(runs: Mapping[str, Trace]) -> Answer:
    """Hold the runs in which the buffer was set early against those in which it was set late."""
    limits = _limits(runs)
    _check_kept(runs)
    for variant in _REFUSED:
        sets = calls(runs[variant.name], process="server", call="setsockopt")
        assert {call.errno for call in sets} == {"EPERM"}, "force is the superuser's"
    effect = False
    for who, (*whens, last) in WHEN.items():
        for size in SIZES:
            offers = {_received(runs, who, when, size) for when in whens}
            takes = {_taken(runs, who, when, size) for when in whens}
            assert len(offers) == len(takes) == 1, f"{who}: bind and listen make no difference"
        effect |= _received(runs, who, last, LARGE) != _received(runs, who, NEVER)
        effect |= _taken(runs, who, last, SMALL) != _taken(runs, who, NEVER)
        assert _narrowed(runs, who).largest == WINDOW_MAX, "the scale was fixed by the small one"
    early = _received(runs, "server", BEFORE_BIND, LARGE)
    late = _received(runs, "server", AFTER_ACCEPT, LARGE)
    never = _received(runs, "server", NEVER)
    small = _received(runs, "server", BEFORE_BIND, SMALL)
    shrunk = _received(runs, "server", AFTER_ACCEPT, SMALL)
    assert shrunk.first == never.first, "the window was offered before"
    assert shrunk.dropped, "and what comes does not fit"
    assert not small.dropped, "what is offered fits, where it was set before"
    taken = {
        size: {_taken(runs, "client", when, size) for when in WHEN["client"]} for size in SIZES
    }
    (few,), (much,) = taken[SMALL], taken[LARGE]
    usual = _taken(runs, "client", NEVER)
    verdict: Verdict = "confirmed"  # nothing that is set later has an effect
    if effect:
        verdict = "refuted" if early == late else "qualified"
    return Answer(
        verdict=verdict,
        text=(
            "SO_RCVBUF yes: before connect, and at a server on the listener, from which "
            "connections inherit it; before or after bind is the same. Only so the first window "
            f"and its scale follow from it: {LARGE} gives scale {early.scale} and a window of "
            f"{early.largest} octets; set on the connection, the first window stays the default's "
            f"({late.first}), and grew to {late.largest} meanwhile. Made small later, it is too "
            "late for what was offered. SO_SNDBUF may be set at any time. Both are doubled, and "
            "neither grows by itself any more."
        ),
        zh=(
            "SO_RCVBUF 是的：在 connect 之前设置，服务器则设在监听套接字上，连接会继承它；在 bind "
            f"之前还是之后都一样。只有这样，初始窗口及其缩放因子才由它决定：{LARGE} 得到缩放因子 "
            f"{early.scale}，窗口 {early.largest} 字节；设在连接上时，初始窗口是默认的"
            f"（{late.first}），其间增长到 {late.largest}。之后才改小，对已经通告的窗口来说太晚了。"
            "SO_SNDBUF 随时可设。两者都会加倍，而且不再自动增长。"
        ),
        more=(
            f"The windows are those when {SENT} octets were sent (never set: {never.largest}); the "
            f"default's scale is {late.scale}. Small first and large later is the worst: without a "
            f"scale the window stays at {WINDOW_MAX}. Made small later ({SMALL}), {shrunk.dropped} "
            f"segment that came did not fit into the {shrunk.first} octets that were offered, and "
            f"was dropped; set before ({small.first} offered) none. A write that does not wait "
            f"took {few} octets with SO_SNDBUF {SMALL}, {usual} by default, {much} with {LARGE}, "
            f"whenever it was set. Doubled they are {limits[0]} (SO_RCVBUF) and {limits[1]} at "
            f"least and {limits[2]} at most (twice net.core.rmem_max; the superuser's "
            "SO_RCVBUFFORCE goes beyond)."
        ),
        more_zh=(
            f"窗口是发送了 {SENT} 字节时的（从不设置：{never.largest}）；默认的缩放因子是 "
            f"{late.scale}。先小后大最糟：没有缩放，窗口停在 {WINDOW_MAX}。之后才改小（{SMALL}），"
            f"已经通告了 {shrunk.first} 字节，到来的 {shrunk.dropped} 个报文段放不下，被丢弃；之前"
            f"设置（通告 {small.first}）则没有。不等待的写，SO_SNDBUF 设为 {SMALL} 时收下 {few} 字"
            f"节，默认 {usual}，设为 {LARGE} 时 {much}，无论何时设置。加倍之后至少 "
            f"{limits[0]}（SO_RCVBUF）和 {limits[1]}，至多 {limits[2]}（net.core.rmem_max 的两倍；"
            "超级用户的 SO_RCVBUFFORCE 可以超过）。"
        ),
    )


#: Without a scale no more can be offered.
WINDOW_MAX: Final = 65535
SENT: Final = sum(STEPS) * SEGMENT
SIZES: Final = (SMALL, LARGE)


def _received(runs: Mapping[str, Trace], who: str, when: str, size: int = 0) -> Received:
    end = f" SO_RCVBUF={size}" if size else ""
    return _offers(runs[f"receiver={who} set={when}{end}"], who)


def _narrowed(runs: Mapping[str, Trace], who: str) -> Received:
    """Read the run in which it was made small early, and large late."""
    first, *_, last = WHEN[who]
    sizes = f"{SMALL}, then {LARGE}"
    return _offers(runs[f"receiver={who} set={first}, then {last} SO_RCVBUF={sizes}"], who)


def _offers(trace: Trace, who: str) -> Received:
    syn, *later = segments_from(trace, who)
    scale, last = syn.seg.wscale, later[-1]
    windows = [seen.seg.wnd << scale for seen in later]
    other = "server" if who == "client" else "client"
    came = [
        seen.seg
        for seen in segments_from(trace, other)
        if seen.seg.text and (seen.arrived_ns or trace.ended_ns) <= last.t_ns
    ]
    return Received(
        scale=scale,
        first=syn.seg.wnd,
        largest=max(windows),
        last=windows[-1],
        dropped=sum(not lt(seg.seq, last.seg.ack) for seg in came),
    )


def _taken(runs: Mapping[str, Trace], who: str, when: str, size: int = 0) -> int:
    end = f" SO_SNDBUF={size}" if size else ""
    (sent,) = calls(runs[f"sender={who} set={when}{end}"], process=who, call="send")
    assert isinstance(sent.result, int), "a part is taken"
    return sent.result


def _check_kept(runs: Mapping[str, Trace]) -> None:
    """See that a size that was set does not grow."""
    for variant in (*_RECEIVING, *_SENDING):
        settings = variant.settings
        asked = settings.get("SO_RCVBUF") or settings.get("SO_SNDBUF")
        who = settings.get("receiver") or settings["sender"]
        for read in calls(runs[variant.name], process=who, call="getsockopt"):
            if asked is not None and settings["set"] in {BEFORE_BIND, BEFORE_CONNECT}:
                assert read.result == 2 * int(asked), f"{variant.name}: {read.result}"


def _limits(runs: Mapping[str, Trace]) -> tuple[int, int, int]:
    """Read the least of each buffer, and the most, from what was set and read back."""
    least: dict[str, set[int]] = {}
    most: set[int] = set()
    for variant in _ASKED:
        trace, option = runs[variant.name], variant.settings["option"]
        assert not any(call.errno for call in calls(trace, process="server", call="setsockopt"))
        _, *reads = calls(trace, process="server", call="getsockopt")
        sizes = dict(zip(TRIED, (int(str(read.result)) for read in reads), strict=True))
        low, high = sizes[0], max(sizes.values())
        below = sizes[-1]
        if option.endswith("FORCE"):
            assert high == 2 * (2**30 - 1), "as large as an int can be"
            assert below == low, "below 0 is 0"
        else:
            most.add(high)
            assert below == high, "below 0 is more than there may be"
        least.setdefault(option[:6], set()).add(low)
        for size, read in sizes.items():
            assert read in {low, high, 2 * size}, f"{variant.name}: {size}"
    ((receive,), (send,)), (most_,) = least.values(), most
    return receive, send, most_


NOTE: Final = Note(
    id="N42",
    question="SO_RCVBUF and SO_SNDBUF: must they be set before connect or bind?",
    question_zh="SO_RCVBUF、SO_SNDBUF：必须在 connect 或 bind 之前设置吗？",
    variants=_VARIANTS,
    answer=answer,
    why=(
        "RFC 7323 2.3",
        "RFC 9293 3.8.6",
        "Linux __sock_set_rcvbuf",
        "Linux tcp_select_initial_window",
        "Linux tcp_init_buffer_space",
        "Linux tcp_set_window_clamp",
        "Linux sk_stream_memory_free",
    ),
    words=(
        "SO_RCVBUF",
        "SO_SNDBUF",
        "SO_RCVBUFFORCE",
        "SO_SNDBUFFORCE",
        "buffer size",
        "window scale",
        "window",
        "before connect",
        "before bind",
        "rmem_max",
        "wmem_max",
        "doubled",
    ),
)
