"""IPv6 in a world of people's programs: names, both families, the time line, the capture."""

import socket
import struct
from collections.abc import Mapping

import pytest
from tests.unit.wire.test_pcap import blocks

from halfopen.atlas.capture import capture
from halfopen.atlas.ladder import ladder
from halfopen.base.errors import MisuseError, NotPossibleHereError
from halfopen.base.rng import Rng
from halfopen.guest.public import World
from halfopen.guest.ran import Run
from halfopen.guest.stage import Stage
from halfopen.record.events import Output
from halfopen.record.faults import Unreachable
from halfopen.record.query import packets
from halfopen.sockets.kernel import Kernel
from halfopen.wire import ip
from halfopen.wire.address import to_bytes
from halfopen.world.faults import inject

PORT = 80


def serves() -> None:
    with socket.create_server(("", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        for _ in range(2):
            conn, peer = listener.accept()
            with conn:
                conn.sendall(f"{peer[0]} {conn.family.name}".encode())


def asks(*names: str) -> None:
    for name in names:
        with socket.create_connection((name, PORT)) as conn:
            print(conn.recv(100).decode(), conn.getpeername()[0])  # noqa: T201  as programs do


def resolves(*names: str) -> None:
    for name in names:
        try:
            found = socket.getaddrinfo(name, PORT, type=socket.SOCK_STREAM)
            print([entry[4][0] for entry in found])  # noqa: T201  as programs do
        except OSError as error:
            print(error)  # noqa: T201  as programs do


def two(*own: str, sysctl: Mapping[str, int | str] | None = None) -> World:
    world = World()
    world.host("client", "10.0.0.1", *own, sysctl=sysctl)
    world.host("server", "10.0.0.2", "2001:db8::2")
    world.link("client", "server")
    return world


def said(run: Run) -> list[str]:
    text = "".join(event.text for event in run.trace.events if isinstance(event, Output))
    return text.splitlines()


def test_a_name_leads_to_both_families_and_one_server_takes_them() -> None:
    world = two("2001:db8::1")
    world.hosts["server"].start(serves)
    world.hosts["client"].start(asks, "server", "10.0.0.2", at=0.1)
    run = world.run()
    assert said(run) == ["2001:db8::1 AF_INET6 2001:db8::2", "::ffff:10.0.0.1 AF_INET6 10.0.0.2"]
    sources = {ip.decode(packet.raw).src for packet in packets(run.trace, host="client")}
    assert sources == {"2001:db8::1", "10.0.0.1"}


def test_without_an_ipv6_address_a_name_leads_to_ipv4_first() -> None:
    world = two()
    world.hosts["server"].start(serves)
    world.hosts["client"].start(asks, "server", "server", at=0.1)
    assert said(world.run()) == ["::ffff:10.0.0.1 AF_INET6 10.0.0.2"] * 2


@pytest.mark.parametrize(
    ("disabled", "localhost"),
    [
        pytest.param(0, "['::1', '127.0.0.1']", id="with IPv6"),
        pytest.param(1, "['127.0.0.1', '::1']", id="without"),
    ],
)
def test_names(disabled: int, localhost: str) -> None:
    world = two("2001:db8::1", sysctl={"net.ipv6.conf.all.disable_ipv6": disabled})
    world.hosts["client"].start(resolves, "localhost", "server", "nobody")
    there = ["2001:db8::2", "10.0.0.2"]
    assert said(world.run()) == [
        localhost,
        str(there if not disabled else there[::-1]),
        "[Errno -3] Temporary failure in name resolution",
    ]


def test_the_views_show_it() -> None:
    world = two("2001:db8::1")
    world.hosts["server"].start(serves)
    world.hosts["client"].start(asks, "2001:db8::2", "2001:db8::9", at=0.1)
    run = world.run()
    lines = ladder(run.trace)
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].split() == ["time", "client", "2001:db8::1", "server", "2001:db8::2"]
    text = "\n".join(lines)
    assert "connect([2001:db8::2]:80)" in text
    assert "ENETUNREACH" in text
    data = capture(run.trace)
    (named,) = (body for kind, body in blocks(data) if kind == 4)
    assert to_bytes("2001:db8::1") + b"client\0" in named
    assert struct.pack("<HH", 2, 16 + len(b"client\0")) in named


@pytest.mark.parametrize("address", ["fe80::1", "ff02::1", "2001:DB8::1", "2001:db8::1%2"])
def test_what_is_no_address_of_a_host(address: str) -> None:
    with pytest.raises(MisuseError, match="host 'x'"):
        World().host("x", address)


# How a host shares its addresses out, and what its interfaces have beside.


def test_an_interface_with_ipv6_has_a_link_local_address() -> None:
    kernel = Kernel("a", {}, Rng(0))
    kernel.add_interface("eth0", ("10.0.0.1/24", "2001:db8::1/64"), mac="02:00:00:00:01:01")
    kernel.add_interface("eth1", ("10.0.1.1",), mac="02:00:00:00:01:02")
    first, second = kernel.ip.interfaces
    assert [table.v6 for table in first.neighbours] == [False, True]
    assert [table.v6 for table in second.neighbours] == [False]


# Errors of datagrams.

IPV6_RECVERR = 25


def sends_to_nobody(recverr: int) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, recverr)
        print(sock.getsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR))  # noqa: T201  as programs do
        print(sock.getsockopt(socket.IPPROTO_IP, 11))  # noqa: T201  IP_RECVERR is another one
        sock.connect(("2001:db8::2", PORT))
        sock.send(b"?")
        sock.settimeout(1)
        try:
            sock.recv(100)
        except OSError as error:
            print(type(error).__name__)  # noqa: T201  as programs do
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 0)  # what it kept is gone
        sock.setblocking(False)
        try:
            sock.recvmsg(100, 0, socket.MSG_ERRQUEUE)
        except OSError as error:
            print(type(error).__name__)  # noqa: T201  as programs do


@pytest.mark.parametrize(
    ("recverr", "soft", "told"),
    [
        pytest.param(0, True, "TimeoutError", id="a soft error, not asked for"),
        pytest.param(1, True, "OSError", id="a soft error"),
        pytest.param(0, False, "ConnectionRefusedError", id="a hard error, not asked for"),
        pytest.param(1, False, "ConnectionRefusedError", id="a hard error"),
    ],
)
def test_ipv6_recverr_lets_soft_errors_be_told(recverr: int, soft: bool, told: str) -> None:
    world = two("2001:db8::1")
    world.hosts["client"].start(sends_to_nobody, recverr, at=0.1)
    stage = Stage(world, seed=0)
    if soft:
        fault = Unreachable(link="client-server", towards="server", kind=1, code=3)
        inject(stage.world, fault, 0)
    run = stage.play(3 * 10**9)
    assert said(run) == [str(recverr), "0", told, "BlockingIOError"]


def reads_its_error_queue() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        sock.recvmsg(100, 0, socket.MSG_ERRQUEUE)


def test_the_error_queue_of_ipv6_is_not_simulated() -> None:
    world = two("2001:db8::1")
    world.hosts["client"].start(reads_its_error_queue)
    with pytest.raises(NotPossibleHereError, match="error queue of an AF_INET6 socket"):
        world.run()
