"""A run as a list of moments, each of them one line of a ladder; nothing is laid out yet."""

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from halfopen.atlas.annotate import Annotator, Seen
from halfopen.atlas.connections import connections_of_calls
from halfopen.atlas.phrases import AT_ONCE_NS, TELLING, call_name, show_call, show_result, show_wait
from halfopen.atlas.written import show_written, written
from halfopen.base.units import MS
from halfopen.base.value import value
from halfopen.record.events import (
    CallEntry,
    CallReturn,
    Event,
    FaultFired,
    Output,
    PacketArrived,
    PacketSent,
    ProcessEnded,
    ProcessStarted,
    StateChange,
)
from halfopen.record.faults import (
    AddressGone,
    CableIn,
    CableOut,
    Continue,
    Duplicate,
    Forge,
    Impair,
    InterfaceDown,
    InterfaceUp,
    Kill,
    Lose,
    PowerOff,
    PowerOn,
    Stop,
    Unreachable,
    describe_fault,
)
from halfopen.record.query import Packet, packets
from halfopen.record.trace import Trace

Kind: TypeAlias = Literal["call", "enter", "return", "state", "segment", "fault", "end", "silence"]

#: A packet that arrived so shortly before a call's return is what it waited for.
_CAUSE_NS: Final = 2 * MS
_QUIET: Final = frozenset(
    {"socket", "setblocking", "settimeout", "detach", "getsockname", "getpeername"}
)


@value
class Moment:
    """One thing to be shown. ``host`` is "" for what happens to a link; ``seen`` is its packet."""

    t_ns: int
    kind: Kind
    host: str
    text: str
    call_id: int = 0
    seen: Seen | None = None
    routine: bool = False  # one of many alike in a transfer, and may be folded away
    ends: tuple[int, ...] = ()  # calls that are over without having returned
    times: int = 1  # so many calls alike
    hides: tuple["Moment", ...] = ()  # what a fold stands for
    conns: tuple[str, ...] = ()  # the connections it is about, as far as the trace tells


class Reader:
    """Turns events into moments, in order."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._annotator = Annotator()
        self._packets = {packet.packet_id: packet for packet in packets(trace)}
        self._returns = {e.call_id: e for e in trace.events if isinstance(e, CallReturn)}
        self._entries = {e.call_id: e for e in trace.events if isinstance(e, CallEntry)}
        self._at_once = frozenset(_calls_at_once(trace))
        self._connections = connections_of_calls(trace)
        self._many = _programs_by_host(trace)
        self._open: dict[int, CallEntry] = {}
        self._arrived: dict[str, tuple[int, Packet]] = {}
        self._killed: set[str] = set()
        self._started_once: set[tuple[str, str]] = set()
        self._seen: dict[int, Seen] = {}

    def moments(self) -> Iterator[Moment]:
        """Yield every moment of the run, and last the calls that never returned."""
        for event in written(self._trace.events):
            yield from self._read(event)

    def waiting(self) -> list[CallEntry]:
        """List the calls that were still waiting when the run ended."""
        return list(self._open.values())

    def label(self, entry: CallEntry) -> str:
        """Say who calls, where a host runs more than one program or thread."""
        programs = self._many.get(entry.host, ())
        if len(programs) < 2:
            return ""
        if len({process for process, _ in programs}) == len(programs):
            return f"{entry.process}: "
        if len({process for process, _ in programs}) == 1:
            return f"{entry.thread}: "
        return f"{entry.process}/{entry.thread}: "

    def _read(self, event: Event) -> Iterator[Moment]:
        match event:
            case CallEntry():
                yield from self._entered(event)
            case CallReturn():
                yield from self._returned(event)
            case PacketSent():
                packet = self._packets[event.packet_id]
                yield _segment_moment(self._see(packet))
            case PacketArrived():
                self._arrived[event.host] = event.t_ns, self._packets[event.packet_id]
            case StateChange():
                yield _state_moment(event)
            case FaultFired():
                yield self._fault(event)
            case ProcessStarted():
                yield from self._started(event)
            case ProcessEnded():
                yield from self._ended(event)
            case Output():
                text = show_written(event)
                yield Moment(t_ns=event.t_ns, kind="end", host=event.host, text=text)
            case _:
                pass

    def _see(self, packet: Packet) -> Seen:
        seen = self._annotator.see(packet)
        self._seen[packet.packet_id] = seen
        return seen

    def _entered(self, entry: CallEntry) -> Iterator[Moment]:
        text = self.label(entry) + show_call(entry.call, entry.args)
        if entry.call_id not in self._at_once:
            self._open[entry.call_id] = entry
            yield Moment(
                t_ns=entry.t_ns,
                kind="enter",
                host=entry.host,
                text=f"{text} ...",
                call_id=entry.call_id,
                routine=self._ends_well(entry),
                conns=self._connections.get(entry.call_id, ()),
            )
            return
        end = self._returns[entry.call_id]
        if end.errno is None and call_name(entry.call) in _QUIET:
            return
        if end.errno is not None or call_name(entry.call) in TELLING:
            text += f" -> {show_result(entry.call, entry.args, end.result, end.errno)}"
        yield Moment(
            t_ns=entry.t_ns,
            kind="call",
            host=entry.host,
            text=text,
            routine=end.errno is None and call_name(entry.call) in TELLING,
            conns=self._connections.get(entry.call_id, ()),
        )

    def _ends_well(self, entry: CallEntry) -> bool:
        end = self._returns.get(entry.call_id)
        return end is not None and end.errno is None

    def _returned(self, end: CallReturn) -> Iterator[Moment]:
        entry = self._open.pop(end.call_id, None)
        if entry is None:
            return
        shown = show_result(entry.call, entry.args, end.result, end.errno)
        waited = show_wait(end.t_ns - entry.t_ns)
        cause = self._cause(entry.host, end.t_ns)
        yield Moment(
            t_ns=end.t_ns,
            kind="return",
            host=entry.host,
            text=f"{self.label(entry)}{call_name(entry.call)} -> {shown}{waited}{cause}",
            call_id=end.call_id,
            routine=end.errno is None,
            conns=self._connections.get(entry.call_id, ()),
        )

    def _cause(self, host: str, now: int) -> str:
        at, packet = self._arrived.get(host, (-1, None))
        if packet is None or not 0 <= now - at <= _CAUSE_NS or packet.packet_id not in self._seen:
            return ""
        seen = self._seen[packet.packet_id]
        return f", on {seen.flags}" if seen.flags not in {"", "ACK", "PSH,ACK"} else ""

    def _fault(self, event: FaultFired) -> Moment:  # noqa: C901  one arm for each fault
        host, text = "", ""
        ends: tuple[int, ...] = ()
        match event.fault:
            case Kill() as fault:
                self._killed.add(fault.process)
                text = f"KILLED: {fault.signal}"
                host = self._home(fault.process)
            case PowerOff() as fault:
                text, host = "POWER OFF", fault.host
                ends = self._over(host, None)
            case PowerOn() as fault:
                text, host = "POWER ON", fault.host
            case CableOut(towards=None) as fault:
                near = f", carrier lost at {', '.join(fault.seen_by)}" if fault.seen_by else ""
                text = f"CABLE OUT{near}"
            case CableOut() as fault:
                text = f"CABLE OUT towards {fault.towards}"
            case CableIn():
                text = "CABLE IN"
            case Stop() | Continue() as fault:
                text = "SIGSTOP" if isinstance(fault, Stop) else "SIGCONT"
                host = self._home(fault.process)
            case InterfaceDown() | InterfaceUp() | AddressGone() as fault:
                text, host = describe_fault(fault).upper(), fault.host
            case Lose() | Duplicate() | Unreachable() | Forge() | Impair() as fault:
                text = describe_fault(fault).upper()
        if not event.effect:
            text += " (no effect)"
        return Moment(t_ns=event.t_ns, kind="fault", host=host, text=text, ends=ends)

    def _started(self, event: ProcessStarted) -> Iterator[Moment]:
        """Say that a program starts again: that it started once goes without saying."""
        if (event.host, event.process) in self._started_once:
            text = f"{event.process} starts again"
            yield Moment(t_ns=event.t_ns, kind="end", host=event.host, text=text)
        self._started_once.add((event.host, event.process))

    def _ended(self, event: ProcessEnded) -> Iterator[Moment]:
        ends = self._over(event.host, event.process)
        already_told = event.process in self._killed or event.how == "power off"
        self._killed.discard(event.process)
        several = len({process for process, _ in self._many.get(event.host, ())}) > 1
        name = f"{event.process}: " if several else ""
        text = "" if already_told else f"{name}{event.how}"
        yield Moment(t_ns=event.t_ns, kind="end", host=event.host, text=text, ends=ends)

    def _over(self, host: str, process: str | None) -> tuple[int, ...]:
        over = tuple(
            call_id
            for call_id, entry in self._open.items()
            if entry.host == host and process in {None, entry.process}
        )
        for call_id in over:
            del self._open[call_id]
        return over

    def _home(self, process: str) -> str:
        for event in self._trace.events:
            if isinstance(event, ProcessStarted | CallEntry) and event.process == process:
                return event.host
        return ""


def _state_moment(change: StateChange) -> Moment:
    return Moment(
        t_ns=change.t_ns, kind="state", host=change.host, text=change.new, conns=(change.conn,)
    )


def _segment_moment(seen: Seen) -> Moment:
    plain_data = seen.flags in {"ACK", "PSH,ACK"} and not seen.note
    return Moment(
        t_ns=seen.packet.t_ns,
        kind="segment",
        host=seen.packet.host,
        text=seen.summary,
        seen=seen,
        routine=plain_data and seen.packet.why is None,
        conns=(f"{seen.src} > {seen.dst}",),
    )


def _calls_at_once(trace: Trace) -> Iterator[int]:
    """Find the calls that waited for nothing: quick, and no packet came in meanwhile."""
    last_arrival: dict[str, int] = {}
    arrivals_before: dict[int, int] = {}
    entries: dict[int, CallEntry] = {}
    for event in trace.events:
        if isinstance(event, PacketArrived):
            last_arrival[event.host] = last_arrival.get(event.host, 0) + 1
        elif isinstance(event, CallEntry):
            entries[event.call_id] = event
            arrivals_before[event.call_id] = last_arrival.get(event.host, 0)
        elif isinstance(event, CallReturn) and event.call_id in entries:
            entry = entries[event.call_id]
            quick = event.t_ns - entry.t_ns < AT_ONCE_NS
            if event.t_ns == entry.t_ns or (
                quick and arrivals_before[event.call_id] == last_arrival.get(entry.host, 0)
            ):
                yield event.call_id


def _programs_by_host(trace: Trace) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for event in trace.events:
        if isinstance(event, CallEntry):
            programs = found.setdefault(event.host, [])
            if (event.process, event.thread) not in programs:
                programs.append((event.process, event.thread))
    return found
