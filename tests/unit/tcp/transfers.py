"""Random transfers: what passes both ways in an open connection, step by step.

Beside ``walks``, which go from state to state and soon end. A peer acknowledges, reports and sends
segment by segment; a user writes and reads. What is changed here asks for a new record
(``recorded``).
"""

from random import Random
from typing import Final

from tests.unit.tcp import cells, reach
from tests.unit.tcp.cells import PLAIN, SACKING, STAMPED, seg, wait, write
from tests.unit.tcp.ends import IRS, ISS, End, Options, Ours
from tests.unit.tcp.walks import Choice, octets

from halfopen.base.units import MS
from halfopen.tcp.states import MAY_SEND, State
from halfopen.tcp.tcb import Tcb
from halfopen.wire.tcp import ACK, FIN, PSH

FULL: Final = 1_460
OPTIONS: Final = (PLAIN, STAMPED, SACKING, Options(wscale=7, sack_ok=True, timestamps=True))
WAYS: Final = (reach.established, reach.accepted, reach.fin_wait_2, reach.close_wait)
_STEPS: Final = (
    *["write"] * 5,
    *["ack"] * 6,
    *["again"] * 2,
    "report",
    *["text"] * 6,
    *["early"] * 2,
    "fill",
    "overlap",
    *["read"] * 3,
    *("nodelay", "cork", "uncork", "pause", "shutdown", "end"),
)
_WRITES: Final = (1, 100, 536, FULL, FULL, 2_000, 5 * FULL, 12 * FULL)
_WINDOWS: Final = (*[60_000] * 6, 65_535, 10_000, 2_000, 500, 0)
_TEXTS: Final = (1, 20, 100, 127, 128, 536, 1_000, FULL - 12, FULL, FULL)


def _nodelay(end: End) -> None:
    end.nodelay()


def _cork(end: End) -> None:
    end.cork(on=True)


def _uncork(end: End) -> None:
    end.cork(on=False)


_CALLS: Final = {
    "nodelay": _nodelay,
    "cork": _cork,
    "uncork": _uncork,
    "pause": wait(60 * MS),
}


def choose(rng: Random, ours: Ours, options: Options) -> Choice | None:
    """Choose what happens next; None: nothing that could."""
    tcb = ours.tcb
    step = rng.choice(_STEPS)
    if tcb is None or tcb.orphan or tcb.minisock:
        return None
    if step in _CALLS:
        return Choice(step, _CALLS[step])
    if step == "read":
        size = rng.choice((1, 77, 1_000, 1 << 20, 1 << 20))
        return Choice(f"read {size}", cells.read(size))
    if step in {"write", "shutdown"}:
        return _sends(rng, tcb, step)
    if step in {"ack", "again", "report"}:
        return _acknowledges(rng, tcb, step, options)
    return _brings(rng, tcb, step)


def _sends(rng: Random, tcb: Tcb, step: str) -> Choice | None:
    size = rng.choice(_WRITES)
    if tcb.state not in MAY_SEND or tcb.snd_shutdown:
        return None
    if step == "shutdown":
        return Choice(step, cells.shutdown_write) if rng.random() < 0.2 else None
    if tcb.sndbuf - tcb.snd_queued < 2 * size:
        return None
    return Choice(f"write {size}", write(bytes(size)))


def _acknowledges(rng: Random, tcb: Tcb, step: str, options: Options) -> Choice | None:
    """What was sent is acknowledged, in whole segments mostly, or the peer says the same again."""
    nxt = _next(tcb)
    edges = [skb.end_seq - tcb.iss + ISS for skb in tcb.inflight]
    una, sent = tcb.snd_una - tcb.iss + ISS, tcb.snd_nxt - tcb.iss + ISS
    if step == "ack":
        ack = rng.choice((*edges, *[sent] * 3, (una + sent) // 2))
        wnd = rng.choice(_WINDOWS)
        return Choice(f"ack {ack} win {wnd}", seg(ACK, nxt, ack, wnd=wnd))
    wnd = tcb.snd_wnd >> tcb.snd_wscale
    if step == "again":
        return Choice(f"ack {una} again", seg(ACK, nxt, una, wnd=wnd))
    if not options.sack_ok or len(edges) < 2:
        return None
    first = rng.randrange(len(edges) - 1)
    last = rng.randrange(first + 1, len(edges))
    block = (edges[first], edges[last])
    return Choice(f"report {block}", seg(ACK, nxt, una, wnd=wnd, sack=(block,)))


def _brings(rng: Random, tcb: Tcb, step: str) -> Choice | None:
    """Text comes: in its turn, too early, or again."""
    nxt, size = _next(tcb), rng.choice(_TEXTS)
    flags = rng.choice((ACK, ACK, PSH | ACK))
    at = nxt
    if step == "early":
        at += rng.choice((1, 100, FULL, 2 * FULL, 4 * FULL, 6 * FULL))
    elif step == "overlap":
        at -= rng.choice((1, 50, size))
    elif step == "fill":
        if not tcb.ooo:
            return None
        size = min(tcb.ooo[0][0] - tcb.rcv_nxt, FULL)
    elif step == "end":
        if rng.random() < 0.8:
            return None
        flags |= FIN
    if at + size > nxt + tcb.rcv_wnd:
        return None
    ack = tcb.snd_nxt - tcb.iss + ISS if rng.random() < 0.7 else tcb.snd_una - tcb.iss + ISS
    wnd = tcb.snd_wnd >> tcb.snd_wscale
    name = f"{step} at {at - nxt:+} len {size} flags {flags} ack {ack}"
    return Choice(name, seg(flags, at, ack, octets(at, size), wnd=wnd))


def _next(tcb: Tcb) -> int:
    assert tcb.state is not State.SYN_SENT, "a transfer begins in an open connection"
    return tcb.rcv_nxt - tcb.irs + IRS
