"""Whether what is still pending at the end of a run only repeats itself.

A world is deterministic: where its last events are three equal rounds, at equal distances, of
timers and packets alone (answered keepalives, window probes), and everything pending belongs to the
next round, it goes on so for ever. Programs are left out on purpose: what they count cannot be seen
from outside.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from halfopen.record.events import (
    Event,
    PacketArrived,
    PacketSent,
    Timer,
    TimerFired,
)
from halfopen.record.trace import Trace
from halfopen.wire import ip, tcp
from halfopen.wire.errors import WireError
from halfopen.world import events
from halfopen.world.process import Waiting

#: Equal rounds that are asked for, and the longest round that is looked for.
ROUNDS: Final = 3
ROUND_EVENTS_MAX: Final = 64

#: Timers that don't go on for ever: each counts how often it acted. So does whatever has no answer.
GIVES_UP: Final = frozenset[Timer]({"RTO", "SYN,ACK", "loss probe", "FIN-WAIT-2", "2MSL"})

Shape: TypeAlias = tuple[object, ...]


def only_repeats(
    trace: Trace, pending: Sequence[tuple[int, events.Event]], waiting: Sequence[Waiting]
) -> bool:
    """Whether the run ends in rounds that go on for ever.

    Requires: the run has come to its horizon.
    """
    since = max(waits.since_ns for waits in waiting)
    tail = trace.events[-ROUND_EVENTS_MAX * ROUNDS :]
    sent = {event.packet_id: event for event in trace.events if isinstance(event, PacketSent)}
    shapes = [_shape(event, sent) for event in tail]
    for length in range(1, len(tail) // ROUNDS + 1):
        period = _period(tail, shapes, length)
        if period is None or tail[-length * ROUNDS].t_ns <= since:
            continue
        return pending[-1][0] <= tail[-1].t_ns + period
    return False


def _period(tail: list[Event], shapes: list[Shape | None], length: int) -> int | None:
    """How long a round of ``length`` events takes; None where the last ones are not equal."""
    start = len(tail) - length * ROUNDS
    period = tail[-1].t_ns - tail[-1 - length].t_ns
    if period <= 0:
        return None
    for i in range(start, len(tail) - length):
        if shapes[i] is None or shapes[i] != shapes[i + length]:
            return None
        if tail[i + length].t_ns - tail[i].t_ns != period:
            return None
    return period


def _shape(event: Event, sent: dict[int, PacketSent]) -> Shape | None:
    """What must be the same in the next round; None for what no round may hold."""
    match event:
        case TimerFired() if event.timer in GIVES_UP:
            return None
        case TimerFired():
            return ("timer", event.host, event.conn, event.timer)
        case PacketSent():
            return ("sent", event.host, event.link, *_segment(event.raw))
        case PacketArrived():
            return ("arrived", event.host, *_segment(sent[event.packet_id].raw))
        case _:
            return None


def _segment(raw: bytes) -> Shape:
    """A packet without what changes from round to round: its number and its timestamps.

    One with a wrong checksum has nothing that could be left out.
    """
    try:
        packet = ip.decode(raw)
    except WireError:
        return (raw,)
    body = packet.body
    if isinstance(body, tcp.Segment):
        return (body.flow, body.seq, body.ack, body.flags, body.wnd, body.text)
    return (packet.src, packet.dst, packet.proto)
