"""Random walks: a state, and what a peer and a user may do from there, step by step.

A step is chosen by looking at the stack, and taken by any end; so the kernel walks with it. What is
changed here asks for a new record (``recorded``).
"""

from random import Random
from typing import Final, NamedTuple

from tests.unit.tcp import cells, reach
from tests.unit.tcp.cells import (
    PLAIN,
    SACKING,
    STAMPED,
    Step,
    seg,
    write,
    write_urgent,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, WINDOW, End, Options, Ours, spell_flags

from halfopen.tcp.states import MAY_SEND, State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG

OPTIONS: Final = (PLAIN, STAMPED, SACKING, Options(wscale=7, sack_ok=True, timestamps=True))
WAYS: Final = tuple(way for way in reach.WAYS if way is not reach.nothing)
_FLAGS: Final = (
    *[ACK] * 8,
    *[PSH | ACK] * 3,
    *[FIN | ACK] * 2,
    *(SYN, SYN | ACK, RST, RST | ACK, FIN, 0, SYN | FIN, FIN | PSH | ACK),
    *[URG | ACK] * 3,
    *(URG | FIN | ACK, URG | SYN | ACK, URG),
)
_SIZES: Final = (0, 0, 0, 0, 0, 1, 50, 100, 536, 1460)
_WINDOWS: Final = (*[WINDOW] * 8, 0, 1, 100, 1000, 65535)
_CALLS: Final = (
    "write",
    "write",
    "read",
    "read",
    "read some",
    "shutdown",
    "deafen",
    "close",
    "abort",
    "write urgent",
    "read urgent",
    "inline",
    "apart",
)


class Choice(NamedTuple):
    """A step, with its name."""

    name: str
    step: Step


def choose(rng: Random, ours: Ours, options: Options) -> Choice | None:
    """Choose what happens next; None: nothing that could."""
    tcb = ours.any
    if tcb is None or rng.random() < 0.62:
        return _segment(rng, ours, options)
    return _call(rng, ours)


def _segment(rng: Random, ours: Ours, options: Options) -> Choice:
    tcb = ours.any
    nxt, una, sent = IRS + 1, ISS + 1, ISS + 1
    if tcb is not None and tcb.irs:
        nxt = tcb.rcv_nxt - tcb.irs + IRS
        una, sent = tcb.snd_una - tcb.iss + ISS, tcb.snd_nxt - tcb.iss + ISS
    flags = rng.choice(_FLAGS)
    near = (*[nxt] * 8, nxt - 1, nxt + 1, nxt + 100, nxt - 100, nxt + 1460)
    seq = rng.choice((*near, EDGE, EDGE - 1, EDGE + 1))
    ack = rng.choice((*[sent] * 6, *[una] * 4, sent + 1, (una + sent) // 2))
    size, wnd = rng.choice(_SIZES), rng.choice(_WINDOWS)
    ts = rng.choice((*[0] * 8, -1, -2, 1, 5)) if options.timestamps else None
    place = f"RCV.NXT{seq - nxt:+}" if seq < EDGE >> 1 else f"window's end{seq - EDGE:+}"
    urg = rng.choice((0, 1, 2, size, size, size + 1, 77, 0xFFFF)) if flags & URG else 0
    name = (
        f"{spell_flags(flags)} seq {place} ack SND.NXT{ack - sent:+} len {size} win {wnd} ts {ts} "
        f"urg {urg}"
    )
    acked = ack if flags & ACK else None
    return Choice(name, seg(flags, seq, acked, octets(seq, size), wnd=wnd, ts=ts, urg=urg))


def octets(seq: int, size: int) -> bytes:
    """Text that tells where in the stream it belongs."""
    return bytes((seq + at) % 251 for at in range(size))


def _call(rng: Random, ours: Ours) -> Choice | None:
    tcb = ours.tcb
    if tcb is None or tcb.orphan:
        return None
    call = rng.choice(_CALLS)
    size = rng.choice((1, 100, 1460, 3000, 5000))
    if call in {"write", "write urgent"}:
        room = tcb.sndbuf - tcb.snd_queued
        if tcb.state not in MAY_SEND or tcb.snd_shutdown or room < 2 * size:
            return None
        step = write if call == "write" else write_urgent
        return Choice(f"{call} {size}", step(bytes(size)))
    if call in {"shutdown", "deafen"} and not (tcb.irs and tcb.state is not State.SYN_RECEIVED):
        return None  # the socket layer disconnects
    if call in {"shutdown", "deafen"} and (tcb.minisock or tcb.state is State.CLOSED):
        return None
    steps: dict[str, Step] = {
        "read": cells.read(),
        "read some": cells.read(77),
        "read urgent": cells.read_urgent,
        "inline": cells.inline,
        "apart": cells.apart,
        "shutdown": cells.shutdown_write,
        "deafen": cells.shutdown_read,
        "close": cells.close,
        "abort": cells.abort,
    }
    return Choice(call, steps[call])


def side_by_side(seed: int, length: int, ours: Ours, other: End, rng: Random) -> list[str]:
    """Let two ends walk together; return what was done up to the first difference, and that."""
    way = rng.choice(WAYS)
    trail = [f"seed {seed}, {ours.options}", way.__name__]
    way(ours)
    way(other)
    for _ in range(length):
        if difference := _compare(ours, other):
            return [*trail, difference]
        if ours.state in {State.CLOSED, State.LISTEN}:
            break
        choice = choose(rng, ours, ours.options)
        if choice is not None:
            trail.append(choice.name)
            choice.step(ours)
            choice.step(other)
    if difference := _compare(ours, other):
        return [*trail, difference]
    ends = [(end.error(), _urgent(end), *(end.read() for _ in range(3))) for end in (ours, other)]
    return [] if ends[0] == ends[1] else [*trail, f"ours ends with {ends[0]}, Linux with {ends[1]}"]


def _urgent(end: End) -> int:
    """Whether there is an urgent octet, not which: it may be one of a header, with its checksum."""
    got = end.read_urgent()
    return got if isinstance(got, int) else -len(got)


def _compare(ours: Ours, other: End) -> str:
    mine = (ours.state.name, ours.sent())
    theirs = (other.state.name, other.sent())
    return "" if mine == theirs else f"ours {mine}, Linux {theirs}"
