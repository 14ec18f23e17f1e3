"""What N11 to N13 share: a server whose host loses power and boots again, and its peer."""

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.events import FaultFired
from halfopen.record.faults import PowerOff, PowerOn
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Lab, Link, OnMark, Process, Step, Variant

PORT: Final = 80
PING: Final = b"ping"
PONG: Final = b"pong"

OFF_AFTER_NS: Final = 50 * MS
ON_AFTER_NS: Final = 350 * MS
#: When the client acts, in seconds after all was well: its peer's host is off, or has booted again.
DURING: Final = 0.15
AFTER: Final = 0.7


def server(lab: Lab) -> None:
    """Listen, answer one ping, and wait; the host's end is this program's end."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    conn.recv(100)
    conn.sendall(PONG)
    time.sleep(30)


def connected(lab: Lab) -> socket.socket:
    """Connect, exchange ping and pong, and say that all is well."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((lab.address("server"), PORT))
    time.sleep(0.05)
    sock.sendall(PING)
    sock.recv(100)
    lab.mark("all is well")
    return sock


def heartbeat(sock: socket.socket) -> None:
    """Let the kernel probe an idle connection after a second, and every second from then on."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def told(sock: socket.socket) -> None:
    """Read until the end or an error; which one is in the record of the calls."""
    with contextlib.suppress(OSError):
        while sock.recv(100):
            pass


def variant(
    settings: Mapping[str, str],
    client: Callable[[Lab], None],
    *,
    horizon_ns: int,
    kernel: bool = True,
    because: str = "",
) -> Variant:
    """Build the run; ``service`` says whether the program starts again with its host."""
    return Variant(
        settings=settings,
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl={}),
            Host(name="server", addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(Link(a="client", b="server"),),
        processes=(
            Process(
                host="server",
                name="server",
                program=server,
                boots=settings.get("service") == "starts again",
            ),
            Process(
                host="client",
                name="client",
                program=client,
                start=OnMark(process="server", name="listening", delay_ns=20 * MS),
            ),
        ),
        steps=(
            Step(
                when=OnMark(process="client", name="all is well", delay_ns=OFF_AFTER_NS),
                fault=PowerOff(host="server"),
            ),
            Step(
                when=OnMark(process="client", name="all is well", delay_ns=ON_AFTER_NS),
                fault=PowerOn(host="server"),
            ),
        ),
        horizon_ns=horizon_ns,
        kernel=kernel,
        because=because,
    )


def back_at(trace: Trace) -> int:
    """The instant at which the server's host had booted again."""
    fired = [e for e in trace.events if isinstance(e, FaultFired) and e.effect]
    assert [type(e.fault) for e in fired] == [PowerOff, PowerOn], "the power went, and came back"
    return fired[1].t_ns
