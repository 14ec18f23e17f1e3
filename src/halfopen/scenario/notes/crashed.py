"""What N08 and N09 share: a server that ends in one of several ways, and its peer's connection."""

import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.events import FaultFired, ProcessEnded
from halfopen.record.faults import Fault, Kill, PowerOff
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Lab, Link, OnMark, Process, Step, Variant

PORT: Final = 80
PING: Final = b"ping"
PONG: Final = b"pong"
NEWS: Final = b"news"

#: So long after all was well the server is no more.
END_AFTER_NS: Final = 150 * MS
#: Well before and well after that, in seconds.
BEFORE: Final = 0.05
AFTER: Final = 0.35

ENDS: Final[dict[str, Fault | None]] = {
    "close": None,
    "SIGKILL": Kill(process="server"),
    "SIGSEGV": Kill(process="server", signal="SIGSEGV"),
    "host off": PowerOff(host="server"),
}


def server(lab: Lab) -> None:
    """Answer one ping, read nothing more, and close, unless it is ended before that."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    conn.recv(100)
    conn.sendall(PONG)
    if lab.settings["server ends by"] == "close":
        time.sleep(0.16)
        conn.close()
        lab.mark("closed")
    time.sleep(30)


def connected(lab: Lab) -> socket.socket:
    """Connect, exchange ping and pong, say that all is well; then send what nobody will read."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((lab.address("server"), PORT))
    time.sleep(0.05)
    sock.sendall(PING)
    sock.recv(100)
    lab.mark("all is well")
    if lab.settings.get("unread") == "data":
        sock.sendall(NEWS)
    return sock


def variant(  # noqa: PLR0913  each is another part of a Variant
    settings: Mapping[str, str],
    client: Callable[[Lab], None],
    *,
    horizon_ns: int,
    steps: tuple[Step, ...] = (),
    sysctl: Mapping[str, int | str] | None = None,
    kernel: bool = True,
    because: str = "",
) -> Variant:
    """Build the run. ``server ends by`` is one of ENDS."""
    fault = ENDS[settings["server ends by"]]
    when = OnMark(process="client", name="all is well", delay_ns=END_AFTER_NS)
    ending = () if fault is None else (Step(when=when, fault=fault),)
    host_sysctl = {} if sysctl is None else sysctl
    return Variant(
        settings=settings,
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl=host_sysctl),
            Host(name="server", addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(Link(a="client", b="server"),),
        processes=(
            Process(host="server", name="server", program=server),
            Process(
                host="client",
                name="client",
                program=client,
                start=OnMark(process="server", name="listening", delay_ns=20 * MS),
            ),
        ),
        steps=(*ending, *steps),
        horizon_ns=horizon_ns,
        kernel=kernel,
        because=because,
    )


def ended_at(trace: Trace) -> int:
    """The instant at which the server was ended, or the connection closed."""
    for event in trace.events:
        if isinstance(event, FaultFired) and isinstance(event.fault, Kill | PowerOff):
            assert event.effect, "there was a server to end"
            return event.t_ns
    ends = [e.t_ns for e in trace.events if isinstance(e, ProcessEnded) and e.process == "server"]
    marks = [e.t_ns for e in trace.events if getattr(e, "name", "") == "closed"]
    return (marks or ends)[0]
