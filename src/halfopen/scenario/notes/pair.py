"""What most rows' runs are built of: two hosts, a link, and a connection that has been used."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Lab, Link, OnMark, Process, Program, Step, Variant

PORT: Final = 80
PING: Final = b"ping"
PONG: Final = b"pong"
NEWS: Final = b"news"

#: How long a packet travels; so much earlier than the client does the server know that all is well.
WAY: Final = 0.01
#: A program that has nothing more to do stays until the run is over: its end says nothing.
LONG: Final = 30.0


def accepted(lab: Lab) -> socket.socket:
    """Listen, accept one connection, answer its ping; listen no more."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    listener.close()
    conn.recv(100)
    conn.sendall(PONG)
    return conn


def connected(lab: Lab) -> socket.socket:
    """Connect, exchange ping and pong, say that all is well."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((lab.address("server"), PORT))
    time.sleep(0.05)
    sock.sendall(PING)
    sock.recv(100)
    lab.mark("all is well")
    return sock


def variant(  # noqa: PLR0913  each is another part of a Variant
    settings: Mapping[str, str],
    *,
    server: Program,
    client: Program,
    horizon_ns: int,
    steps: tuple[Step, ...] = (),
    sysctl: Mapping[str, int | str] | None = None,
    client_sysctl: Mapping[str, int | str] | None = None,
    because: str = "",
    delay_ns: int = 10 * MS,
) -> Variant:
    """Build the run; both hosts have the same ``sysctl``, unless the client has its own.

    ``because`` keeps it from the kernel.
    """
    host_sysctl = {} if sysctl is None else sysctl
    return Variant(
        settings=settings,
        hosts=(
            Host(
                name="client",
                addresses=("10.0.0.1",),
                sysctl=host_sysctl if client_sysctl is None else client_sysctl,
            ),
            Host(name="server", addresses=("10.0.0.2",), sysctl=host_sysctl),
        ),
        links=(Link(a="client", b="server", delay_ns=delay_ns),),
        processes=(
            Process(host="server", name="server", program=server),
            Process(
                host="client",
                name="client",
                program=client,
                start=OnMark(process="server", name="listening", delay_ns=20 * MS),
            ),
        ),
        steps=steps,
        horizon_ns=horizon_ns,
        kernel=not because,
        because=because,
    )


def well(delay_ns: int) -> OnMark:
    """So long after the client said that all is well."""
    return OnMark(process="client", name="all is well", delay_ns=delay_ns)


def writes(delay_ns: int) -> OnMark:
    """So long after the client said that it writes."""
    return OnMark(process="client", name="writes", delay_ns=delay_ns)


def marked(trace: Trace, process: str, name: str) -> int:
    """The instant at which a process first said where it is."""
    for event in trace.events:
        if getattr(event, "name", "") == name and getattr(event, "process", "") == process:
            return event.t_ns
    msg = f"{process} never marked {name}"
    raise AssertionError(msg)
