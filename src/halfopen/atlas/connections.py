"""Which connections each call of a run is on, as far as the trace tells."""

from collections.abc import Iterable, Iterator

from halfopen.record.events import CallEntry, CallReturn, Json, ProcessEnded, StateChange
from halfopen.record.shapes import POLLS
from halfopen.record.trace import Trace
from halfopen.wire.address import spell, unmapped


def connections_of_calls(trace: Trace) -> dict[int, tuple[str, ...]]:
    """Name the connections of every call, local end first; none where there is a doubt."""
    reader = _Reader(trace)
    for event in trace.events:
        match event:
            case CallEntry():
                reader.entered(event)
            case StateChange():
                reader.moved(event)
            case CallReturn():
                reader.returned(event)
            case ProcessEnded():
                reader.ended(event)
            case _:
                pass
    return reader.found


class _Reader:
    """Follows who has which connection as which descriptor."""

    def __init__(self, trace: Trace) -> None:
        self.found: dict[int, tuple[str, ...]] = {}
        self._only = _only_connections(trace)
        self._owned: dict[tuple[str, str, int], str] = {}  # by host, process and descriptor
        self._entries: dict[int, CallEntry] = {}
        self._acting: dict[str, CallEntry] = {}  # by host: the call that was entered last
        self._live: dict[tuple[str, str], dict[str, None]] = {}  # by host and peer

    def entered(self, entry: CallEntry) -> None:
        """Take note of a call; one on a descriptor is on its connection."""
        self._entries[entry.call_id] = entry
        self._acting[entry.host] = entry
        if entry.call in POLLS:
            self.found[entry.call_id] = self._connections(entry, ())
        elif entry.fd is not None:
            self.found[entry.call_id] = self._connections(entry, (entry.fd,))

    def moved(self, change: StateChange) -> None:
        """Take note of a connection; who opens it is the call that was entered just now."""
        peer = change.conn.rpartition(" > ")[2]
        live = self._live.setdefault((change.host, peer), {})
        live[change.conn] = None
        if change.new == "CLOSED":
            del live[change.conn]
        opener = self._acting.get(change.host)
        if change.new == "SYN-SENT" and opener is not None and opener.fd is not None:
            self._owned[opener.host, opener.process, opener.fd] = change.conn
            self.found[opener.call_id] = (change.conn,)

    def returned(self, end: CallReturn) -> None:
        """Learn from a result which connection it is about."""
        entry = self._entries.pop(end.call_id, None)
        if entry is None:
            return
        self._acting.pop(entry.host, None)
        if entry.call in POLLS:
            self.found[end.call_id] = self._connections(entry, _ready(entry.call, end.result))
        elif entry.call == "close" and entry.fd is not None:
            self._owned.pop((entry.host, entry.process, entry.fd), None)
        else:
            self._got_descriptor(entry, end.result)

    def ended(self, end: ProcessEnded) -> None:
        """Forget what a process had."""
        for owner in [o for o in self._owned if o[:2] == (end.host, end.process)]:
            del self._owned[owner]

    def _got_descriptor(self, entry: CallEntry, result: Json) -> None:
        """Take note of a new descriptor: of a connection that was accepted, or of none yet."""
        match result:
            case {"fd": int(fd), "peer": [str(host), int(port), *_]}:
                peer = spell(unmapped(host), port)
            case {"fd": int(fd)}:
                peer = ""
            case _:
                return
        self._owned.pop((entry.host, entry.process, fd), None)
        meant = tuple(self._live.get((entry.host, peer), ()))
        if len(meant) == 1:
            self._owned[entry.host, entry.process, fd] = meant[0]
            self.found[entry.call_id] = meant

    def _connections(self, entry: CallEntry, descriptors: Iterable[int]) -> tuple[str, ...]:
        """Name the connections behind descriptors; of a host with a single one it is that."""
        owners = [(entry.host, entry.process, fd) for fd in descriptors]
        known = tuple(self._owned[owner] for owner in owners if owner in self._owned)
        return known or self._only.get(entry.host, ())


def _only_connections(trace: Trace) -> dict[str, tuple[str, ...]]:
    """Find the hosts that have a single connection in the whole run, and name it."""
    found: dict[str, dict[str, None]] = {}
    for event in trace.events:
        if isinstance(event, StateChange):
            found.setdefault(event.host, {})[event.conn] = None
    return {host: tuple(conns) for host, conns in found.items() if len(conns) == 1}


def _ready(call: str, result: Json) -> Iterator[int]:
    """Yield the descriptors that a poll found ready: ``[[3, 1]]``, or of select three lists."""
    for entry in result if isinstance(result, list) else []:
        if isinstance(entry, list):
            found = entry if call == "select" else entry[:1]
            yield from (fd for fd in found if isinstance(fd, int))
