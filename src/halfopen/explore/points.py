"""A fault point: before or after a segment's departure or arrival, a socket call's entry or return.

They are numbered from 1 in the order of the undisturbed run. A run that has met no fault yet
reaches the same points in the same order, so a number names an instant for good.
"""

from typing import Final

from halfopen.base.value import value
from halfopen.record.events import CallEntry, PacketSent
from halfopen.record.trace import Trace

CALL: Final = "call"
RETURN: Final = "return"
BEFORE_DEPARTURE: Final = "before departure"
AFTER_DEPARTURE: Final = "after departure"
BEFORE_ARRIVAL: Final = "before arrival"
AFTER_ARRIVAL: Final = "after arrival"
KINDS: Final = (
    CALL,
    RETURN,
    BEFORE_DEPARTURE,
    AFTER_DEPARTURE,
    BEFORE_ARRIVAL,
    AFTER_ARRIVAL,
)


@value
class Point:
    """One of them. ``subject`` numbers the packet or the call, as the trace does."""

    number: int
    kind: str
    host: str
    subject: int
    t_ns: int


class Recorder:
    """Lists the points of a run."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def point(self, kind: str, host: str, number: int, now: int) -> None:
        """Note the point."""
        assert kind in KINDS, f"an unknown kind of point: {kind}"
        ordinal = len(self.points) + 1
        self.points.append(Point(number=ordinal, kind=kind, host=host, subject=number, t_ns=now))


def describe_point(point: Point, trace: Trace) -> str:
    """Say where in the run a point lies: ``segment 9 arrives at server``."""
    if point.kind in {CALL, RETURN}:
        return _describe_call(point, trace)
    sent = [event.packet_id for event in trace.events if isinstance(event, PacketSent)]
    # The trace of a run that a fault cut short before this departure does not have it.
    ordinal = sent.index(point.subject) + 1 if point.subject in sent else len(sent) + 1
    verb = {
        BEFORE_DEPARTURE: "before segment {} leaves {}",
        AFTER_DEPARTURE: "segment {} has left {}",
        BEFORE_ARRIVAL: "before segment {} arrives at {}",
        AFTER_ARRIVAL: "segment {} has arrived at {}",
    }[point.kind]
    return verb.format(ordinal, point.host)


def _describe_call(point: Point, trace: Trace) -> str:
    for event in trace.events:
        if isinstance(event, CallEntry) and event.call_id == point.subject:
            at = f", {event.where}" if event.where else ""
            what = "calls" if point.kind == CALL else "returns from"
            return f"{event.process} {what} {event.call}{at}"
    return f"a call on {point.host} {'is entered' if point.kind == CALL else 'returns'}"
