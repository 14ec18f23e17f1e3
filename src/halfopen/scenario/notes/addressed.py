"""What the rows on bind and addresses share: two hosts with several addresses of both families."""

import contextlib
import socket
from collections.abc import Mapping
from typing import Final, TypeAlias

from halfopen.base.units import MS
from halfopen.record.events import Mark
from halfopen.record.query import Call, calls, packets
from halfopen.record.trace import Trace
from halfopen.scenario.model import (
    At,
    Host,
    Link,
    OnMark,
    Process,
    Program,
    Step,
    Variant,
    When,
)
from halfopen.wire import ip
from halfopen.wire.ip import Packet

PORT: Final = 80
CLIENT: Final = ("10.0.0.1", "10.0.0.9", "2001:db8::1", "2001:db8::9")
SERVER: Final = ("10.0.0.2", "10.0.0.3", "2001:db8::2", "2001:db8::3")
KINDS: Final = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}

#: As a socket takes and gives it.
Name: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


def family(host: str) -> socket.AddressFamily:
    """Return the family of an address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def name(host: str, port: int) -> Name:
    """Write an address as a socket of its family takes it; a zone stands behind a percent sign."""
    if ":" not in host:
        return host, port
    text, _, zone = host.partition("%")
    return text, port, 0, int(zone or 0)


def own_name(sock: socket.socket) -> None:
    """Ask for both names of a socket; what they are is in the record of the calls."""
    sock.getsockname()
    with contextlib.suppress(OSError):
        sock.getpeername()


def variant(  # noqa: PLR0913  each is another part of a Variant
    settings: Mapping[str, str],
    *,
    client: Program,
    server: Program | None = None,
    horizon_ns: int,
    client_sysctl: Mapping[str, int | str] | None = None,
    server_sysctl: Mapping[str, int | str] | None = None,
    client_addresses: tuple[str, ...] = CLIENT,
    server_addresses: tuple[str, ...] = SERVER,
    server_sources: tuple[tuple[str, str], ...] = (),
    hosts: tuple[Host, ...] = (),
    links: tuple[Link, ...] = (),
    processes: tuple[Process, ...] = (),
    steps: tuple[Step, ...] = (),
    client_host: str = "client",
    server_host: str = "server",
    privileged: bool = True,
) -> Variant:
    """Build the run: the client starts once the server says ``ready``, if there is one.

    ``hosts``, ``links`` and ``processes`` are those beside the two; the server waits for the last
    of these processes to be ready.
    """
    served = processes
    start: When = At(t_ns=0)
    if server is not None:
        after = OnMark(process=processes[-1].name, name="ready") if processes else start
        served = (Process(host=server_host, name="server", program=server, start=after), *processes)
        start = OnMark(process="server", name="ready", delay_ns=20 * MS)
    started = Process(
        host=client_host, name="client", program=client, start=start, privileged=privileged
    )
    return Variant(
        settings=settings,
        hosts=(
            Host(name="client", addresses=client_addresses, sysctl=dict(client_sysctl or {})),
            Host(
                name="server",
                addresses=server_addresses,
                sysctl=dict(server_sysctl or {}),
                sources=server_sources,
            ),
            *hosts,
        ),
        links=(Link(a="client", b="server"), *links),
        processes=(*served, started),
        steps=steps,
        horizon_ns=horizon_ns,
    )


# Reading.


def gave(call: Call) -> object:
    """Say what a call gave: its errno, or its result."""
    return call.errno if call.errno is not None else call.result


def names(trace: Trace, process: str, call: str = "getsockname") -> list[object]:
    """List what a process was told of its sockets' names, in order: ``[host, port]`` or errno."""
    return [
        given[:2] if isinstance(given := gave(each), list) else given
        for each in calls(trace, process=process, call=call)
    ]


def sent(trace: Trace, host: str) -> list[Packet]:
    """List the packets that a host sent by its links."""
    return [ip.decode(packet.raw) for packet in packets(trace, host=host)]


def marks(trace: Trace, process: str) -> list[str]:
    """List where a process said it was."""
    return [e.name for e in trace.events if isinstance(e, Mark) and e.process == process]
