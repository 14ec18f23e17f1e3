"""What a run consists of: events, each at one instant of one host, in order.

A call is two events (entry and return), a packet two (sent, and arrived or lost): a run that ends
in between shows which call never returned and which packet never arrived. ``record.query`` pairs
them up again.
"""

from typing import Literal, TypeAlias

from halfopen.base.value import value
from halfopen.record.faults import Fault

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

#: What a connection does by itself when its time has come. ``window taken back``: it sends text
#: again that the peer has no room for any more, and goes on so while that is answered.
Timer: TypeAlias = Literal[
    "RTO",
    "SYN,ACK",
    "loss probe",
    "window taken back",
    "persist",
    "delayed ACK",
    "keepalive",
    "FIN-WAIT-2",
    "2MSL",
]


@value
class CallEntry:
    """A program enters a socket call, at the boundary of C modules (``_socket``, ``select``)."""

    t_ns: int
    call_id: int
    host: str
    process: str
    thread: str
    call: str  # "connect", "recv", "poll": as CPython's C method is named
    fd: int | None
    args: str  # short, for people; descriptors, ports and payloads as the program gave them
    where: str  # "client.py:31", the innermost line of the program itself; "" where unknown


@value
class CallReturn:
    """The call ends: a result, or an errno by name.

    ``timeout`` stands for Python's TimeoutError.
    """

    t_ns: int
    call_id: int
    # bytes as {"len": n, "head": "text of the first 32, latin-1"}; addresses as [host, port]
    result: Json
    errno: str | None


@value
class PacketSent:
    """A host's interface gives a packet to a link. ``raw`` is the IP packet.

    ``by`` is empty, or says who on the way made it, as if it came from ``host``: ``router``,
    ``forger``, ``doubled``.
    """

    t_ns: int
    packet_id: int
    host: str
    link: str
    raw: bytes
    by: str = ""


@value
class ArpSent:
    """A host asks a LAN for a hardware address, or answers; ``text`` says what."""

    t_ns: int
    host: str
    link: str
    text: str


@value
class PacketArrived:
    """The packet reaches the kernel of ``host``."""

    t_ns: int
    packet_id: int
    host: str


@value
class PacketLost:
    """The packet goes no further; ``why`` names what took it: ``cable out``, ``host off``."""

    t_ns: int
    packet_id: int
    why: str


@value
class StateChange:
    """A connection moves from one RFC 9293 state to another. Only the world can see it."""

    t_ns: int
    host: str
    conn: str  # "10.0.0.1:40000 > 10.0.0.2:80", local end first
    old: str  # RFC spelling: "SYN-SENT"
    new: str
    why: str


@value
class TimerFired:
    """A deadline of a connection passes and something is done about it.

    Only the world can see it.
    """

    t_ns: int
    host: str
    conn: str
    timer: Timer


@value
class FaultFired:
    """A fault happens. Where ``effect`` is False it found nothing to act on, and did not fire."""

    t_ns: int
    fault: Fault
    effect: bool


@value
class ProcessStarted:
    """A process begins."""

    t_ns: int
    host: str
    process: str


@value
class ProcessEnded:
    """A process is over: ``exit 0``, ``SIGKILL``, ``power off``, ``uncaught OSError: ...``."""

    t_ns: int
    host: str
    process: str
    how: str


@value
class Mark:
    """A program says where it is, so that a fault or another program can be tied to it."""

    t_ns: int
    host: str
    process: str
    name: str


@value
class Output:
    """A process writes to its standard output (``stream`` 1) or error (2)."""

    t_ns: int
    host: str
    process: str
    stream: int
    text: str


Event: TypeAlias = (
    CallEntry
    | CallReturn
    | PacketSent
    | ArpSent
    | PacketArrived
    | PacketLost
    | StateChange
    | TimerFired
    | FaultFired
    | ProcessStarted
    | ProcessEnded
    | Mark
    | Output
)
