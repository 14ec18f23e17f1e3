"""Traces made by hand, packet by packet, for the tests of what shows them."""

from halfopen.base.units import MS
from halfopen.record.events import (
    CallEntry,
    CallReturn,
    FaultFired,
    Json,
    Output,
    PacketArrived,
    PacketLost,
    PacketSent,
    ProcessEnded,
    StateChange,
)
from halfopen.record.faults import Fault
from halfopen.record.trace import Trace
from halfopen.wire import ip
from halfopen.wire.tcp import Segment

ADDRESS = {"client": "10.0.0.1", "server": "10.0.0.2", "router": "10.0.0.254"}
PORT = {"client": 40000, "server": 80}
ISS = {"client": 1_000_000, "server": 4_294_967_000}  # the server's wraps after 296 octets
TRIP = 10 * MS


class Made:
    """A trace in the making; events are kept and sorted by time at the end."""

    def __init__(self, arm: str = "world", release: str = "") -> None:
        meta: dict[str, Json] = {"arm": arm}
        if release:
            meta |= {"release": release, "date": "2026-11-22"}
        self.trace = Trace(meta)

    def call(
        self,
        host: str,
        name: str,
        args: str,
        at: int,
        *,
        until: int | None = None,
        result: Json = None,
        errno: str | None = None,
        process: str = "",
        thread: str = "main",
        where: str = "",
        fd: int | None = 3,
    ) -> None:
        """Make a call; without ``until`` it never returns."""
        number = self.trace.next_id()
        self.trace.add(
            CallEntry(
                t_ns=at,
                call_id=number,
                host=host,
                process=process or host,
                thread=thread,
                call=name,
                fd=fd,
                args=args,
                where=where,
            )
        )
        if until is not None:
            self.trace.add(CallReturn(t_ns=until, call_id=number, result=result, errno=errno))

    def send(
        self,
        at: int,
        host: str,
        flags: int,
        seq: int,
        ack: int | None = None,
        text: bytes = b"",
        *,
        wnd: int = 502,
        lost: str | None = None,
        plain_numbers: bool = False,
        wscale: int = -1,
        trip: int = TRIP,
    ) -> None:
        """Send a segment; ``seq`` and ``ack`` count from the SYN, unless ``plain_numbers``."""
        peer = "server" if host == "client" else "client"
        raw_seq, raw_ack = seq, ack or 0
        if not plain_numbers:
            raw_seq = (ISS[host] + seq) % (1 << 32)
            raw_ack = (ISS[peer] + ack) % (1 << 32) if ack is not None else 0
        elif ack is not None:
            raw_ack = (ISS[peer] + ack) % (1 << 32)
        flow = (ADDRESS[host], PORT[host], ADDRESS[peer], PORT[peer])
        seg = Segment(flow, raw_seq, raw_ack, flags, wnd, text, wscale=wscale)
        raw = ip.encode(ip.Packet(ADDRESS[host], ADDRESS[peer], 6, seg))
        self.packet(at, host, peer, raw, lost=lost, trip=trip)

    def packet(
        self, at: int, host: str, to: str, raw: bytes, *, lost: str | None = None, trip: int = TRIP
    ) -> None:
        """Send any packet."""
        number = self.trace.next_id()
        self.trace.add(
            PacketSent(t_ns=at, packet_id=number, host=host, link="client-server", raw=raw)
        )
        if lost is None:
            self.trace.add(PacketArrived(t_ns=at + trip, packet_id=number, host=to))
        else:
            self.trace.add(PacketLost(t_ns=at, packet_id=number, why=lost))

    def state(self, at: int, host: str, old: str, new: str, *, port: int = 40000) -> None:
        """Move a connection from one state to another; ``port`` is the client's."""
        ends = {"client": f"10.0.0.1:{port}", "server": "10.0.0.2:80"}
        peer = "server" if host == "client" else "client"
        conn = f"{ends[host]} > {ends[peer]}"
        self.trace.add(StateChange(t_ns=at, host=host, conn=conn, old=old, new=new, why=""))

    def fault(self, at: int, fault: Fault, *, effect: bool = True) -> None:
        """Let a fault happen."""
        self.trace.add(FaultFired(t_ns=at, fault=fault, effect=effect))

    def prints(self, host: str, text: str, *, stream: int = 1) -> None:
        """Let a process print."""
        self.trace.add(Output(t_ns=0, host=host, process=host, stream=stream, text=text))

    def end(self, at: int, host: str, how: str, process: str = "") -> None:
        """End a process."""
        self.trace.add(ProcessEnded(t_ns=at, host=host, process=process or host, how=how))

    def done(self, at: int) -> Trace:
        """Close the trace: events in order of time; what arrives comes before who it wakes."""
        self.trace.events.sort(key=lambda event: (event.t_ns, isinstance(event, CallReturn)))
        self.trace.ended_ns = at
        return self.trace
