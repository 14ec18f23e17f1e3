"""What the rows about names are built of: a client that asks, and a name server that answers."""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Final

from halfopen.base.units import MS, S
from halfopen.base.value import value
from halfopen.record.events import Mark
from halfopen.record.query import Call, calls, packets
from halfopen.record.trace import Trace
from halfopen.scenario import zones
from halfopen.scenario.etc import RESOLV_CONF
from halfopen.scenario.model import Host, Lab, Link, OnMark, Process, Program, Variant
from halfopen.wire import ip
from halfopen.wire.udp import Datagram

CLIENT: Final = "client"
SERVER: Final = "server"
DNS: Final = 53
CLIENT_ADDRESS: Final = "10.0.0.1"
SERVER_ADDRESS: Final = "10.0.0.2"
#: A program that has nothing more to do stays until the run is over: its end says nothing.
LONG: Final = 30.0
_DATAGRAM: Final = 4096
#: How long a server thinks before it answers: the answers to two questions don't come at once.
THINKS: Final = 0.005
SLOW: Final = 0.3

#: What the name servers know. Names say what is special about them.
ZONE: Final = zones.Zone(
    ("example.org", "example.net", "in-addr.arpa", "ip6.arpa"),
    """
    www.example.org A 192.0.2.10
    www.example.org AAAA 2001:db8::10
    both.example.org A 192.0.2.20
    dns-only.example.org A 192.0.2.21
    two.example.org A 192.0.2.31
    two.example.org A 192.0.2.32
    v4.example.org A 192.0.2.4
    v6.example.org AAAA 2001:db8::6
    alias.example.org CNAME www.example.org
    chain.example.org CNAME alias.example.org
    dangling.example.org CNAME nowhere.example.org
    mail.example.org TXT "no address"
    slow.example.org A 192.0.2.50
    silent.example.org A 192.0.2.51
    lost.example.org A 192.0.2.52
    half.example.org A 192.0.2.53
    half.example.org AAAA 2001:db8::53
    www.example.net A 192.0.2.60
    deep.sub.example.net A 192.0.2.61
    10.2.0.192.in-addr.arpa PTR www.example.org
    0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR www.example.org
    """
    + "\n".join(f"big.example.org A 198.51.100.{number}" for number in range(1, 41)),
    {"servfail.example.org": "SERVFAIL", "refused.example.org": "REFUSED"},
)


def serve(lab: Lab) -> None:
    """Answer queries at the host's address, over UDP and TCP, for as long as the run lasts."""
    serve_at(lab, lab.address(SERVER))


def bound(address: str, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    """Make a socket at the name server's port of an address."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.bind((address, DNS))
    return sock


def serve_at(lab: Lab, address: str, *, zone: zones.Zone = ZONE, thinks: float = THINKS) -> None:
    """Answer at an address, and say when that begins."""
    datagrams, listener = bound(address), bound(address, socket.SOCK_STREAM)
    listener.listen(5)
    lab.mark("serving")
    answer_all(datagrams, listener, zone, thinks=thinks)


def answer_all(
    datagrams: socket.socket,
    listener: socket.socket | None,
    zone: zones.Zone,
    *,
    thinks: float = THINKS,
    aside: bool = False,
) -> None:
    """Answer for ever. ``slow``, ``silent``, ``lost`` and ``half`` are treated as they say.

    ``aside``: others need not wait for what is slow.
    """
    room = bytearray(_DATAGRAM)  # what came is compared on the wire: it begins with a drawn number
    lost = 0
    watched = [datagrams] if listener is None else [datagrams, listener]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if listener is not None and listener in ready:
            _converse(listener, zone)
            continue
        with contextlib.suppress(ConnectionRefusedError):
            size, client = datagrams.recvfrom_into(room)
            came = time.monotonic()
            query = bytes(room[:size])
            name, kind = zones.asked(query)
            what = name.partition(".")[0]
            lost += what == "lost"
            if what == "silent" or (what == "lost" and lost <= 2):
                continue
            if what == "half" and kind == "AAAA":
                continue
            if what == "slow" and aside:
                late = Thread(target=_answer_late, args=(datagrams, zone, query, client))
                late.start()
                continue
            answer = zone.answer(query)  # it thinks meanwhile
            time.sleep(max(came + (SLOW if what == "slow" else thinks) - time.monotonic(), 0))
            datagrams.sendto(answer, client)


def _answer_late(
    datagrams: socket.socket, zone: zones.Zone, query: bytes, client: tuple[str, int]
) -> None:
    time.sleep(SLOW)
    datagrams.sendto(zone.answer(query), client)


def _converse(listener: socket.socket, zone: zones.Zone) -> None:
    """Answer the queries of one connection."""
    conn, _ = listener.accept()
    with conn, conn.makefile("rb") as stream:
        while length := stream.read(2):
            query = stream.read(int.from_bytes(length))
            response = zone.answer(query, over_tcp=True)
            conn.sendall(len(response).to_bytes(2) + response)


def variant(  # noqa: PLR0913  each is another part of a Variant
    settings: Mapping[str, str],
    *,
    client: Program,
    files: Mapping[str, str | None],
    server: Program = serve,
    server_on: str = SERVER,
    more: tuple[Process, ...] = (),
    addresses: tuple[str, ...] = (CLIENT_ADDRESS,),
    server_addresses: tuple[str, ...] = (SERVER_ADDRESS,),
    horizon_ns: int = S // 2,
    kernel: bool = True,
    because: str = "",
    delay_ns: int = 10 * MS,
) -> Variant:
    """Build the run: a client with these files, joined to a name server, which is there first."""
    return Variant(
        settings=settings,
        hosts=(
            Host(name=CLIENT, addresses=addresses, sysctl={}, files=files),
            Host(name=SERVER, addresses=server_addresses, sysctl={}),
        ),
        links=(Link(a=CLIENT, b=SERVER, delay_ns=delay_ns),),
        processes=(
            Process(host=server_on, name=SERVER, program=server),
            *more,
            Process(
                host=CLIENT,
                name=CLIENT,
                program=client,
                start=OnMark(process=SERVER, name="serving", delay_ns=20 * MS),
            ),
        ),
        steps=(),
        horizon_ns=horizon_ns,
        kernel=kernel,
        because=because,
    )


def alone(settings: Mapping[str, str], client: Program, files: Mapping[str, str | None]) -> Variant:
    """Build the run of a host that has its files, and nobody to ask."""
    return Variant(
        settings=settings,
        hosts=(Host(name=CLIENT, addresses=(CLIENT_ADDRESS,), sysctl={}, files=files),),
        links=(),
        processes=(Process(host=CLIENT, name=CLIENT, program=client),),
        steps=(),
        horizon_ns=S // 2,
    )


def resolv_conf(*servers: str, options: str = "", search: str = "") -> dict[str, str | None]:
    """Write a resolv.conf that names these servers."""
    lines = [f"nameserver {server}" for server in servers]
    lines += [f"search {search}"] if search else []
    lines += [f"options {options}"] if options else []
    return {RESOLV_CONF: "".join(f"{line}\n" for line in lines)}


def attempt(look: Callable[[], object]) -> None:
    """Look something up; what comes of it stands in the record of the call."""
    with contextlib.suppress(OSError):
        look()


# What the answers read.


@value
class Query:
    """A DNS message that a host sent over UDP."""

    t_ns: int
    host: str
    to: str
    sport: int
    name: str
    kind: str
    arrived: bool


def queries(trace: Trace, host: str = CLIENT) -> list[Query]:
    """List the queries that left a host over UDP."""
    found = []
    for packet in packets(trace, host=host):
        whole = ip.decode(packet.raw)
        datagram = whole.body
        if isinstance(datagram, Datagram) and datagram.dport == DNS:
            name, kind = zones.asked(datagram.data)
            found.append(
                Query(
                    t_ns=packet.t_ns,
                    host=packet.host,
                    to=whole.dst,
                    sport=datagram.sport,
                    name=name,
                    kind=kind,
                    arrived=packet.arrived_ns is not None,
                )
            )
    return found


def lookups(trace: Trace, call: str = "getaddrinfo", process: str = CLIENT) -> list[Call]:
    """List the client's lookups."""
    return calls(trace, process=process, call=call)


def found(call: Call) -> list[str]:
    """List the addresses that a getaddrinfo gave, each once, in their order."""
    if not isinstance(call.result, list):
        return []
    there: dict[str, None] = {}
    for entry in call.result:
        assert isinstance(entry, list), "an entry is a list of five"
        address = entry[4]
        assert isinstance(address, list), "the address is the last of it"
        there[str(address[0])] = None
    return list(there)


def outcome(call: Call) -> str:
    """Say what a lookup gave: the first address, or the error by name."""
    return call.errno or found(call)[0]


def marked(trace: Trace, name: str, process: str = CLIENT) -> int:
    """When a process said so for the first time."""
    return next(
        event.t_ns
        for event in trace.events
        if isinstance(event, Mark) and (event.process, event.name) == (process, name)
    )
