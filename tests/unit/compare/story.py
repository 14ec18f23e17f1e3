"""A short run as both arms could tell it, step by step, so that a test can change one step.

The client connects, sends five octets, waits, sends them again when a timer says so, and closes;
the server reads and acknowledges. Then the cable is pulled.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from halfopen.base.units import MS, S
from halfopen.record.events import (
    CallEntry,
    CallReturn,
    FaultFired,
    Json,
    Mark,
    Output,
    PacketArrived,
    PacketLost,
    PacketSent,
    ProcessEnded,
    ProcessStarted,
    TimerFired,
)
from halfopen.record.faults import CableOut, Fault
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Link, Variant
from halfopen.wire import ip
from halfopen.wire.icmp import Icmp
from halfopen.wire.tcp import ACK, FIN, PSH, SYN, Segment
from halfopen.wire.udp import Datagram

ADDRESS = {"client": "10.0.0.1", "server": "10.0.0.2"}
OTHER = {"client": "server", "server": "client"}
TRIP = 10 * MS
ENDED = 5 * S

VARIANT = Variant(
    settings={"story": "short"},
    hosts=tuple(Host(name=name, addresses=(ADDRESS[name],), sysctl={}) for name in ADDRESS),
    links=(Link(a="client", b="server", delay_ns=TRIP),),
    processes=(),
    steps=(),
    horizon_ns=ENDED,
)


@dataclass(frozen=True)
class Drawn:
    """What an arm draws, or numbers in its own way."""

    port: int = 40000
    fd: int = 3
    iss: dict[str, int] = field(default_factory=lambda: {"client": 1000, "server": 9000})
    ts: int = 5
    ident: int = 0


WORLD = Drawn()
KERNEL = Drawn(port=51234, fd=65539, iss={"client": 0xFFFFFFFF, "server": 77}, ts=99, ident=17)


@dataclass(frozen=True)
class Call:
    """A socket call; ``fd`` counts from the first descriptor that the arm gives."""

    at: int
    until: int | None
    host: str
    name: str
    fd: int | None = None
    args: str = ""
    result: Json | Callable[[Drawn], Json] = None
    errno: str | None = None
    thread: str = "main"
    process: str = ""

    def tell(self, trace: Trace, drawn: Drawn) -> None:
        number = trace.next_id()
        trace.add(
            CallEntry(
                t_ns=self.at,
                call_id=number,
                host=self.host,
                process=self.process or self.host,
                thread=self.thread,
                call=self.name,
                fd=None if self.fd is None else drawn.fd + self.fd,
                args=self.args,
                where="",
            )
        )
        if self.until is not None:
            result = self.result(drawn) if callable(self.result) else self.result
            trace.add(CallReturn(t_ns=self.until, call_id=number, result=result, errno=self.errno))


@dataclass(frozen=True)
class Seg:
    """A segment; ``seq`` and ``ack`` count from the SYN."""

    at: int
    host: str
    flags: int
    seq: int
    ack: int | None = None
    text: bytes = b""
    lost: str | None = None
    trip: int | None = TRIP  # None: still under way
    by: str = ""
    head: dict[str, Any] = field(default_factory=dict)  # ttl, tos, df
    options: dict[str, Any] = field(default_factory=dict)  # mss, wscale, sack_ok, wnd, urg
    sack: tuple[tuple[int, int], ...] = ()

    def tell(self, trace: Trace, drawn: Drawn) -> None:
        peer = OTHER[self.host]
        ports = {"client": drawn.port, "server": 80}
        ours, theirs = drawn.iss[self.host], drawn.iss[peer]
        flow = (ADDRESS[self.host], ports[self.host], ADDRESS[peer], ports[peer])
        seg = Segment(
            flow,
            (ours + self.seq) % (1 << 32),
            0 if self.ack is None else (theirs + self.ack) % (1 << 32),
            self.flags,
            self.options.get("wnd", 502),
            self.text,
            urg=self.options.get("urg", 0),
            mss=self.options.get("mss", 0),
            wscale=self.options.get("wscale", -1),
            sack_ok=self.options.get("sack_ok", False),
            ts_val=self.options.get("ts", drawn.ts),
            ts_ecr=0,
            sack=tuple(((theirs + a) % (1 << 32), (theirs + b) % (1 << 32)) for a, b in self.sack),
        )
        head = {"df": True} | self.head
        packet = ip.Packet(ADDRESS[self.host], ADDRESS[peer], 6, seg, ident=drawn.ident, **head)
        _send(trace, self, ip.encode(packet))


@dataclass(frozen=True)
class Raw:
    """A datagram or an ICMP message."""

    at: int
    host: str
    body: Datagram | Icmp | Callable[[Drawn], Datagram | Icmp]
    lost: str | None = None
    trip: int | None = TRIP
    by: str = ""

    def tell(self, trace: Trace, drawn: Drawn) -> None:
        body = self.body(drawn) if callable(self.body) else self.body
        proto = ip.PROTO_UDP if isinstance(body, Datagram) else ip.PROTO_ICMP
        packet = ip.Packet(ADDRESS[self.host], ADDRESS[OTHER[self.host]], proto, body)
        _send(trace, self, ip.encode(packet))


def _send(trace: Trace, step: Seg | Raw, raw: bytes) -> None:
    number = trace.next_id()
    trace.add(
        PacketSent(
            t_ns=step.at,
            packet_id=number,
            host=step.host,
            link="client-server",
            raw=raw,
            by=step.by,
        )
    )
    if step.lost is not None:
        trace.add(PacketLost(t_ns=step.at, packet_id=number, why=step.lost))
    elif step.trip is not None:
        at = step.at + step.trip
        trace.add(PacketArrived(t_ns=at, packet_id=number, host=OTHER[step.host]))


@dataclass(frozen=True)
class Other:
    """Whatever else happens; ``make`` builds the event from its time."""

    at: int
    make: Callable[[int], Mark | ProcessStarted | ProcessEnded | FaultFired | Output | TimerFired]

    def tell(self, trace: Trace, drawn: Drawn) -> None:
        del drawn
        trace.add(self.make(self.at))


def mark(at: int, host: str, name: str, process: str = "") -> Other:
    return Other(at, lambda t: Mark(t_ns=t, host=host, process=process or host, name=name))


def starts(at: int, host: str) -> Other:
    return Other(at, lambda t: ProcessStarted(t_ns=t, host=host, process=host))


def ends(at: int, host: str, how: str) -> Other:
    return Other(at, lambda t: ProcessEnded(t_ns=t, host=host, process=host, how=how))


def fault(at: int, what: Fault, *, effect: bool = True) -> Other:
    return Other(at, lambda t: FaultFired(t_ns=t, fault=what, effect=effect))


def timer(at: int, host: str) -> Other:
    """The world's alone: the kernel's timers are not seen."""
    return Other(at, lambda t: TimerFired(t_ns=t, host=host, conn="", timer="delayed ACK"))


def prints(at: int, host: str, text: str, stream: int = 1) -> Other:
    return Other(at, lambda t: Output(t_ns=t, host=host, process=host, stream=stream, text=text))


Step = Call | Seg | Raw | Other
Story = dict[str, Step]


def story() -> Story:
    """Tell the whole run; every step has a name."""
    hello: Json = {"len": 5, "head": "hello"}
    syn = {"mss": 1460, "wscale": 10, "sack_ok": True}
    return {
        "server starts": starts(0, "server"),
        "listen": Call(0, 0, "server", "listen", fd=0, args="5"),
        "accept": Call(
            0,
            50 * MS,
            "server",
            "accept",
            fd=0,
            result=lambda drawn: {"fd": drawn.fd + 1, "peer": ["10.0.0.1", drawn.port]},
        ),
        "client starts": starts(20 * MS, "client"),
        "connect": Call(20 * MS, 40 * MS, "client", "connect", fd=0, args="10.0.0.2:80"),
        "SYN": Seg(20 * MS, "client", SYN, 0, options=syn),
        "SYN,ACK": Seg(30 * MS, "server", SYN | ACK, 0, 1, options=syn),
        "ACK": Seg(40 * MS, "client", ACK, 1, 1),
        "accepted": mark(50 * MS, "server", "accepted"),
        "recv": Call(50 * MS, 100 * MS, "server", "recv", fd=1, args="100", result=hello),
        "send": Call(90 * MS, 90 * MS, "client", "send", fd=0, args="b'hello'", result=5),
        "hello": Seg(90 * MS, "client", PSH | ACK, 1, 1, b"hello"),
        "ACK of hello": Seg(100 * MS, "server", ACK, 1, 6, lost="lost on the way"),
        "recv again": Call(
            100 * MS, 430 * MS, "server", "recv", fd=1, args="100", result={"len": 0, "head": ""}
        ),
        "hello again": Seg(320 * MS, "client", PSH | ACK, 1, 1, b"hello"),
        "ACK of both": Seg(330 * MS, "server", ACK, 1, 6, sack=((1, 6),)),
        "prints": prints(400 * MS, "client", "sent\n"),
        "close": Call(420 * MS, 420 * MS, "client", "close", fd=0),
        "FIN": Seg(420 * MS, "client", FIN | ACK, 6, 1),
        "client ends": ends(420 * MS, "client", "exit 0"),
        "ACK of FIN": Seg(430 * MS, "server", ACK, 1, 7),
        "poll": Call(430 * MS, None, "server", "poll", args="1000"),
        "cable": fault(1000 * MS, CableOut(link="client-server")),
        "server ends": ends(4000 * MS, "server", "SIGKILL"),
    }


def tell(steps: Story, drawn: Drawn = WORLD) -> Trace:
    """Make the trace. At one instant, what arrives and what a timer does come first."""
    trace = Trace({"arm": "told"})
    for step in steps.values():
        step.tell(trace, drawn)
    trace.events.sort(
        key=lambda event: (event.t_ns, not isinstance(event, PacketArrived | TimerFired))
    )
    trace.ended_ns = ENDED
    return trace
