"""Questions to a trace: calls and packets put together again from their two events."""

from halfopen.base.value import value
from halfopen.record.events import (
    CallEntry,
    CallReturn,
    FaultFired,
    Json,
    PacketArrived,
    PacketLost,
    PacketSent,
)
from halfopen.record.trace import Trace


@value
class Call:
    """One call, from entry to return. ``returned_ns`` is None where the run ended inside it."""

    call_id: int
    t_ns: int
    host: str
    process: str
    thread: str
    call: str
    fd: int | None
    args: str
    where: str
    returned_ns: int | None
    result: Json
    errno: str | None

    @property
    def blocked_ns(self) -> int | None:
        """How long it took; None where it never returned."""
        return None if self.returned_ns is None else self.returned_ns - self.t_ns


@value
class Packet:
    """One packet's way over one link.

    Neither arrived nor lost: still under way when the run ended.
    """

    packet_id: int
    t_ns: int
    host: str
    link: str
    raw: bytes
    arrived_ns: int | None
    arrived_at: str | None
    lost_ns: int | None
    why: str | None
    by: str = ""


def calls(
    trace: Trace, *, host: str | None = None, process: str | None = None, call: str | None = None
) -> list[Call]:
    """Pair entries with returns, in order of entry; the filters are exact names."""
    returns = {event.call_id: event for event in trace.events if isinstance(event, CallReturn)}
    found = []
    for entry in trace.events:
        if not isinstance(entry, CallEntry):
            continue
        if any(
            want not in (None, is_)
            for want, is_ in ((host, entry.host), (process, entry.process), (call, entry.call))
        ):
            continue
        end = returns.get(entry.call_id)
        found.append(
            Call(
                call_id=entry.call_id,
                t_ns=entry.t_ns,
                host=entry.host,
                process=entry.process,
                thread=entry.thread,
                call=entry.call,
                fd=entry.fd,
                args=entry.args,
                where=entry.where,
                returned_ns=end.t_ns if end else None,
                result=end.result if end else None,
                errno=end.errno if end else None,
            )
        )
    return found


def packets(trace: Trace, *, host: str | None = None) -> list[Packet]:
    """Pair departures with arrivals and losses, in order of departure; ``host`` is the sender."""
    arrived = {event.packet_id: event for event in trace.events if isinstance(event, PacketArrived)}
    lost = {event.packet_id: event for event in trace.events if isinstance(event, PacketLost)}
    found = []
    for sent in trace.events:
        if not isinstance(sent, PacketSent) or host not in (None, sent.host):
            continue
        there, gone = arrived.get(sent.packet_id), lost.get(sent.packet_id)
        found.append(
            Packet(
                packet_id=sent.packet_id,
                t_ns=sent.t_ns,
                host=sent.host,
                link=sent.link,
                raw=sent.raw,
                arrived_ns=there.t_ns if there else None,
                arrived_at=there.host if there else None,
                lost_ns=gone.t_ns if gone else None,
                why=gone.why if gone else None,
                by=sent.by,
            )
        )
    return found


def faults(trace: Trace) -> list[FaultFired]:
    """List the faults in the order in which they happened."""
    return [event for event in trace.events if isinstance(event, FaultFired)]
