"""One run, whole: its events in order, and what it ran on. Written and read as JSON lines."""

import json
from dataclasses import fields
from typing import Any, Final

from halfopen.base.errors import MisuseError
from halfopen.record import events
from halfopen.record.events import Event, Json
from halfopen.record.faults import fault_from_json, fault_to_json

_EVENTS: Final[dict[str, Any]] = {
    cls.__name__: cls
    for cls in (
        events.CallEntry,
        events.CallReturn,
        events.PacketSent,
        events.ArpSent,
        events.PacketArrived,
        events.PacketLost,
        events.StateChange,
        events.TimerFired,
        events.FaultFired,
        events.ProcessStarted,
        events.ProcessEnded,
        events.Mark,
        events.Output,
    )
}


class Trace:
    """The events of one run.

    ``meta`` says what it ran on: ``arm`` (``world`` or ``kernel``), and for a kernel its
    ``release`` and the ``date`` of the run. ``ended_ns`` is the instant at which the run was over.
    """

    def __init__(self, meta: dict[str, Json]) -> None:
        self.meta = meta
        self.events: list[Event] = []
        self.ended_ns = 0
        self._ids = 0

    def next_id(self) -> int:
        """Number a call or a packet; numbers rise in the order of entry and departure."""
        self._ids += 1
        return self._ids

    def add(self, event: Event) -> None:
        """Append what happened just now."""
        self.events.append(event)

    def take(self, event: Event) -> None:
        """Append what was read back; ``next_id`` goes on behind it."""
        self.events.append(event)
        self._ids = max(self._ids, getattr(event, "call_id", 0), getattr(event, "packet_id", 0))

    def dumps(self) -> str:
        """Write the run as JSON lines; the same run gives the same bytes."""
        head = {"meta": self.meta, "ended_ns": self.ended_ns}
        return (
            "\n".join(
                json.dumps(line, sort_keys=True) for line in [head, *map(_to_json, self.events)]
            )
            + "\n"
        )


def loads(text: str) -> Trace:
    """Read what ``Trace.dumps`` wrote.

    Raises MisuseError where a line is not one of ours.
    """
    traces = loads_all(text)
    if len(traces) != 1:
        msg = f"a trace is one run, here are {len(traces)}"
        raise MisuseError(msg)
    return traces[0]


def loads_all(text: str) -> list[Trace]:
    """Read several runs, written by ``Trace.dumps`` one behind the other.

    Raises MisuseError where a line is not one of ours.
    """
    traces: list[Trace] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            body = json.loads(line)
            if "meta" in body:
                traces.append(Trace(body["meta"]))
                traces[-1].ended_ns = body["ended_ns"]
                continue
            event = _from_json(body)
        except (KeyError, TypeError, ValueError) as error:
            msg = f"line {number} of the trace is damaged: {error}"
            raise MisuseError(msg) from error
        if not traces:
            msg = "not a trace: its first line has no 'meta'"
            raise MisuseError(msg)
        traces[-1].take(event)
    return traces


def _to_json(event: Event) -> dict[str, Any]:
    body = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, events.PacketSent):
        body["raw"] = event.raw.hex()
    if isinstance(event, events.FaultFired):
        body["fault"] = fault_to_json(event.fault)
    return {"event": type(event).__name__} | body


def _from_json(body: dict[str, Any]) -> Event:
    cls = _EVENTS[body.pop("event")]
    if "raw" in body:
        body["raw"] = bytes.fromhex(body["raw"])
    if "fault" in body:
        body["fault"] = fault_from_json(body["fault"])
    event: Event = cls(**body)
    return event
