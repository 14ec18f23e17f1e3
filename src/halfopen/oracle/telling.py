"""What the children tell through their pipes, as events of the trace."""

import json
import os

from halfopen.oracle.machines import Child
from halfopen.record.events import CallEntry, CallReturn, Json, Mark, Output
from halfopen.record.trace import Trace

_READ_MAX = 65536


class Telling:
    """Reads the pipes of all children of a run into its trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.started_at = 0
        self._call_ids: dict[tuple[int, int], int] = {}
        self._closed: list[int] = []

    def open_pipes(self, child: Child) -> list[int]:
        """List the pipes of a child from which something may still come: events, output, errors."""
        pipes = (child.events_fd, child.output_fd, child.errors_fd)
        return [fd for fd in pipes if fd not in self._closed]

    def read(self, child: Child, fd: int, now: int) -> list[Mark]:
        """Take in what has come on one pipe, and return the marks among it."""
        chunks = []
        while True:
            try:
                chunk = os.read(fd, _READ_MAX)
            except BlockingIOError:
                break
            if not chunk:
                self._closed.append(fd)
                break
            chunks.append(chunk)
        data = b"".join(chunks)
        if fd != child.events_fd:
            self._add_output(child, fd, data, now)
            return []
        *lines, child.unfinished = (child.unfinished + data).split(b"\n")
        marks = [self._add(child, json.loads(line)) for line in lines]
        return [mark for mark in marks if mark is not None]

    def _add_output(self, child: Child, fd: int, data: bytes, now: int) -> None:
        if not data or child.powered_off_at is not None:
            return
        stream = 1 if fd == child.output_fd else 2
        self.trace.add(
            Output(
                t_ns=now,
                host=child.process.host,
                process=child.process.name,
                stream=stream,
                text=data.decode(errors="replace"),
            )
        )

    def _add(self, child: Child, fields: dict[str, Json]) -> Mark | None:
        kind = fields.pop("kind")
        if kind == "uncaught":
            child.uncaught = str(fields["text"])
            return None
        at = fields["t_ns"]
        assert isinstance(at, int), "every event carries its time"
        fields["t_ns"] = at = at - self.started_at
        if kind == "returned":
            child.returned_at = at
            return None
        if child.powered_off_at is not None and at > child.powered_off_at:
            return None  # the host had no power any more: nothing happened
        host, process = child.process.host, child.process.name
        if kind == "mark":
            mark = Mark(t_ns=at, host=host, process=process, name=str(fields["name"]))
            self.trace.add(mark)
            return mark
        number = fields["call_id"]
        assert isinstance(number, int), "a child numbers its calls"
        key = (child.number, number)
        if kind == "entry":
            fields["call_id"] = self._call_ids[key] = self.trace.next_id()
            self.trace.add(CallEntry(host=host, process=process, **fields))  # type: ignore[arg-type]
        else:
            fields["call_id"] = self._call_ids[key]
            self.trace.add(CallReturn(**fields))  # type: ignore[arg-type]
        return None
