"""SO_BINDTODEVICE on a host with two links."""

from contextlib import suppress
from errno import EADDRINUSE, EAGAIN, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPERM

import pytest
from tests.unit.sockets.hosts import error

from halfopen.base.errors import NotSimulatedError
from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.table import FdTable
from halfopen.sockets.udp import UdpSock
from halfopen.sockets.waiting import Wait
from halfopen.wire.ip import PROTO_TCP, PROTO_UDP, Packet
from halfopen.wire.tcp import ACK, RST, SYN, Segment
from halfopen.wire.udp import Datagram

HERE = ("10.0.0.1", "10.0.1.1")
PEER = ("10.0.0.2", "10.0.1.2")
HERE6 = ("fd00::1", "fd01::1")
LINKS = ("eth0", "eth1")


class Two:
    """A host with two links, each with a peer."""

    def __init__(self) -> None:
        self.now = 10 * S
        self.kernel = Kernel("here", {}, Rng(0))
        for name, here, here6, peer in zip(LINKS, HERE, HERE6, PEER, strict=True):
            self.kernel.add_interface(name, (here, here6), peers=(peer,))
        self.table = FdTable(self.kernel)

    def socket(self, link: int | None = None, kind: int = c.SOCK_STREAM) -> int:
        fd = calls.socket(self.table, c.AF_INET, kind | c.SOCK_NONBLOCK, 0, self.now)
        if link is not None:
            self.tie(fd, LINKS[link].encode())
        return fd

    def tie(self, fd: int, name: bytes | int) -> None:
        calls.setsockopt(self.table, fd, c.SOL_SOCKET, c.SO_BINDTODEVICE, name, self.now)

    def tied(self, fd: int) -> object:
        return calls.getsockopt(self.table, fd, c.SOL_SOCKET, c.SO_BINDTODEVICE, 16, self.now)

    def listens(self, link: int | None = None, *, port: int = 80) -> int:
        fd = self.socket(link)
        calls.bind(self.table, fd, ("0.0.0.0", port), self.now)
        calls.listen(self.table, fd, 5, self.now)
        return fd

    def connect(self, fd: int, host: str) -> None:
        with suppress(BlockingIOError):
            calls.connect(self.table, fd, (host, 80), Wait(self.now), self.now)

    def comes(self, link: int, seg: Segment) -> list[Segment]:
        """Let a segment come by a link; return what answers."""
        self.receives(link, seg)
        return self.sent()

    def receives(self, link: int, seg: Segment) -> None:
        source, _, destination, _ = seg.flow
        self.kernel.receive(Packet(source, destination, PROTO_TCP, seg), link, self.now)

    def sent(self) -> list[Segment]:
        return [seg for _, seg in self.left()]

    def left(self) -> list[tuple[int, Segment]]:
        """Return what has left since, and by which link."""
        loads = [(link, load) for link, load in self.kernel.outbox if isinstance(load, Packet)]
        self.kernel.outbox.clear()
        return [(link, load.body) for link, load in loads if isinstance(load.body, Segment)]

    def syn(self, link: int, *, to: int | None = None, port: int = 80) -> Segment:
        """Let a SYN come by a link, and return the answer."""
        there = HERE[link if to is None else to]
        syn = Segment((PEER[link], 40_000, there, port), 5_000, 0, SYN, 60_000)
        (answer,) = self.comes(link, syn)
        return answer

    def accepts(self, fd: int) -> int:
        calls.setblocking(self.table, fd, False)
        given = calls.accept(self.table, fd, Wait(self.now), self.now)
        assert isinstance(given, tuple)
        return given[0]

    def refuses(self, fd: int) -> bool:
        """Whether nobody waits for accept."""
        return error(lambda: self.accepts(fd)) == EAGAIN


def test_a_listener_takes_what_comes_by_its_interface() -> None:
    host = Two()
    host.listens(0)
    assert host.syn(0).flags == SYN | ACK
    assert host.syn(1).flags & RST
    assert host.syn(1, to=0).flags & RST, "whichever of the host's addresses is meant"


def test_one_that_is_tied_comes_before_one_that_is_not() -> None:
    host = Two()
    free, tied = host.socket(), host.socket(0)
    for fd in (free, tied):
        calls.setsockopt(host.table, fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1, host.now)
        calls.bind(host.table, fd, ("0.0.0.0", 80), host.now)
        calls.listen(host.table, fd, 5, host.now)
    for link, fd in ((0, tied), (1, free)):
        answer = host.syn(link)
        host.comes(
            link, Segment((PEER[link], 40_000, HERE[link], 80), 5_001, answer.seq + 1, ACK, 60_000)
        )
        child = host.accepts(fd)
        assert host.tied(child) == (b"eth0\0" if fd == tied else b"")


def test_a_connection_takes_what_comes_by_its_interface() -> None:
    host = Two()
    fd = host.socket(0)
    host.connect(fd, PEER[0])
    (syn,) = host.sent()
    assert syn.flow[0] == HERE[0]
    back = (PEER[0], 80, HERE[0], syn.flow[1])
    answer = Segment(back, 9_000, syn.seq + 1, SYN | ACK, 60_000)
    assert [seg.flags for seg in host.comes(1, answer)] == [RST]
    assert [seg.flags for seg in host.comes(0, answer)] == [ACK]
    host.tie(fd, b"")
    assert [seg.flags for seg in host.comes(1, answer)] == [ACK], "a challenge, from whom it is"


def test_two_may_have_a_port_on_two_interfaces() -> None:
    host = Two()
    host.listens(0)
    host.listens(1)
    third = host.socket(1)
    assert error(lambda: calls.bind(host.table, third, ("0.0.0.0", 80), host.now)) == EADDRINUSE
    assert [host.syn(link).flags for link in (0, 1)] == [SYN | ACK, SYN | ACK]


def test_the_same_flow_on_two_interfaces_is_not_simulated_and_says_so() -> None:
    """Linux inet_match: neither takes what is the other's."""
    two = Two()
    for link in (0, 1):
        fd = two.socket(link)
        calls.bind(two.table, fd, (HERE[0], 9), two.now)
        if link:
            with pytest.raises(NotSimulatedError, match="different interfaces"):
                two.connect(fd, PEER[0])
        else:
            two.connect(fd, PEER[0])


def test_the_same_flow_to_two_listeners_is_not_simulated_and_says_so() -> None:
    host = Two()
    host.listens(0)
    host.listens(1)
    syn = Segment((PEER[0], 50_000, HERE[0], 80), 1_000, 0, SYN, 60_000)
    assert [seg.flags for seg in host.comes(0, syn)] == [SYN | ACK]
    with pytest.raises(NotSimulatedError, match="different interfaces"):
        host.comes(1, syn)


def test_datagrams_come_by_the_interface_too() -> None:
    host = Two()
    ends = [host.socket(link, c.SOCK_DGRAM) for link in (0, 1)]
    for fd in ends:
        calls.bind(host.table, fd, ("0.0.0.0", 7), host.now)
    free = host.socket(None, c.SOCK_DGRAM)
    assert error(lambda: calls.bind(host.table, free, ("0.0.0.0", 7), host.now)) == EADDRINUSE
    for link, fd in enumerate(ends):
        packet = Packet(PEER[link], HERE[link], PROTO_UDP, Datagram(9, 7, b"x"))
        host.kernel.receive(packet, link, host.now)
        assert calls.recv(host.table, fd, 10, 0, Wait(host.now), host.now) == b"x"


def test_who_dissolves_a_datagram_socket_unties_it() -> None:
    host = Two()
    fd = host.socket(0, c.SOCK_DGRAM)
    file = host.table.files[fd]
    assert isinstance(file, UdpSock)
    calls.connect(host.table, fd, (PEER[0], 7), Wait(host.now), host.now)
    assert host.tied(fd) == b"eth0\0"
    file.disconnect()
    assert host.tied(fd) == b""


def test_its_own_address_is_reached_over_the_loopback() -> None:
    host = Two()
    fd = host.socket(0)
    host.connect(fd, HERE[0])
    refused = calls.getsockopt(host.table, fd, c.SOL_SOCKET, c.SO_ERROR, 0, host.now)
    assert refused == ECONNREFUSED


def test_of_ipv6_it_is_not_reached() -> None:
    host = Two()
    fd = calls.socket(host.table, c.AF_INET6, c.SOCK_STREAM, 0, host.now)
    host.tie(fd, b"eth0")
    there = (HERE6[1], 80, 0, 0)
    assert (
        error(lambda: calls.connect(host.table, fd, there, Wait(host.now), host.now)) == ENETUNREACH
    )


def test_who_has_no_privileges_may_tie_a_socket_once() -> None:
    host = Two()
    host.table = FdTable(host.kernel, privileged=False)
    fd = host.socket(0)
    assert error(lambda: host.tie(fd, b"eth1")) == EPERM
    assert host.tied(fd) == b"eth0\0"
    other = host.socket()
    host.tie(other, 0)
    assert host.tied(other) == b""


def test_what_the_loopback_carries_for_nobody_of_the_host_is_not_answered() -> None:
    """There is no way back from another host's address (Linux inet_csk_route_req)."""
    two = Two()
    listener = two.listens()
    fd = two.socket()
    two.tie(fd, b"lo")
    two.connect(fd, PEER[0])
    assert calls.getsockname(two.table, fd)[0] == HERE[0]
    assert two.sent() == []
    assert calls.poll(two.table, [(fd, c.POLLOUT)], 0, Wait(two.now), two.now) == []
    assert two.refuses(listener)
    assert len(two.kernel.ip.demux.flows) == 1


def test_what_the_loopback_carries_comes_by_it_for_who_is_tied_to_it() -> None:
    """To whichever of the host's addresses (Linux inet_iif)."""
    two = Two()
    listener = two.listens()
    two.tie(listener, b"lo")
    for host in (*HERE, "127.0.0.1"):
        fd = two.socket()
        two.tie(fd, b"lo")
        two.connect(fd, host)
        assert two.tied(two.accepts(listener)) == b"lo\0"
    two.connect(two.socket(), HERE[0])
    assert two.refuses(listener), "without a tie it comes by the interface of the address"


@pytest.mark.parametrize(
    ("host", "told"),
    [
        pytest.param("127.0.0.1", ECONNREFUSED, id="its own address"),
        pytest.param(HERE[0], 0, id="another interface's"),
        pytest.param(PEER[0], 0, id="another host's"),
    ],
)
def test_who_is_tied_to_the_loopback_is_refused_at_its_addresses_alone(
    host: str, told: int
) -> None:
    """To others leads no local route, and there is no RST (Linux tcp_v4_send_reset)."""
    two = Two()
    fd = two.socket()
    two.tie(fd, b"lo")
    calls.bind(two.table, fd, ("127.0.0.1", 0), two.now)
    two.connect(fd, host)
    assert calls.getsockopt(two.table, fd, c.SOL_SOCKET, c.SO_ERROR, 0, two.now) == told


def test_the_answer_of_who_is_not_tied_comes_by_the_interface_of_the_address() -> None:
    two = Two()
    listener = two.listens()
    fd = two.socket()
    two.tie(fd, b"lo")
    two.connect(fd, HERE[1])
    assert two.refuses(listener)
    assert calls.poll(two.table, [(fd, c.POLLOUT)], 0, Wait(two.now), two.now) == []


def test_a_tied_listener_takes_nobody_to_whom_its_interface_does_not_lead() -> None:
    two = Two()
    fd = calls.socket(two.table, c.AF_INET6, c.SOCK_STREAM, 0, two.now)
    two.tie(fd, b"eth0")
    calls.bind(two.table, fd, ("::", 80, 0, 0), two.now)
    calls.listen(two.table, fd, 5, two.now)
    syn = Segment(("fd00::9", 40_000, HERE6[0], 80), 5_000, 0, SYN, 60_000)
    two.kernel.ip.routes.add("fd00::9", two.kernel.ip.interfaces[1])
    assert two.comes(0, syn) == []
    two.kernel.ip.routes.add("fd00::9", two.kernel.ip.interfaces[0])
    (answer,) = two.comes(0, syn)
    assert answer.flags == SYN | ACK


def test_datagrams_come_by_the_loopback_whomever_they_are_for() -> None:
    two = Two()
    taker = two.socket(None, c.SOCK_DGRAM)
    calls.bind(two.table, taker, ("0.0.0.0", 7), two.now)
    fd = two.socket(None, c.SOCK_DGRAM)
    two.tie(fd, b"lo")
    for host in (HERE[0], PEER[0], HERE[1]):
        calls.sendto(two.table, fd, b"x", 0, (host, 7), Wait(two.now), two.now)
        assert calls.recv(two.table, taker, 10, 0, Wait(two.now), two.now) == b"x"
    assert not two.kernel.outbox


@pytest.mark.parametrize(
    ("interface", "host", "told"),
    [
        pytest.param(b"", HERE[0], ECONNREFUSED, id="not tied"),
        pytest.param(b"lo", HERE[0], ECONNREFUSED, id="the loopback"),
        pytest.param(b"lo", HERE[1], ECONNREFUSED, id="the loopback, to the other link's address"),
        pytest.param(b"lo", PEER[0], 0, id="nobody refuses at another host's address"),
        pytest.param(b"eth0", HERE[0], 0, id="it comes by the loopback"),
        pytest.param(b"eth0", HERE6[0], ECONNREFUSED, id="IPv6: by the address's interface"),
    ],
)
def test_who_hears_that_a_datagram_was_refused(interface: bytes, host: str, told: int) -> None:
    """Linux __udp4_lib_err asks for the device, __udp6_lib_err for inet6_iif."""
    two = Two()
    family = c.AF_INET6 if ":" in host else c.AF_INET
    fd = calls.socket(two.table, family, c.SOCK_DGRAM, 0, two.now)
    two.tie(fd, interface)
    to = (host, 7, 0, 0) if ":" in host else (host, 7)
    calls.connect(two.table, fd, to, Wait(two.now), two.now)
    calls.send(two.table, fd, b"x", 0, Wait(two.now), two.now)
    assert calls.getsockopt(two.table, fd, c.SOL_SOCKET, c.SO_ERROR, 0, two.now) == told


@pytest.mark.parametrize(
    ("interface", "host", "told"),
    [
        pytest.param(b"", "10.0.0.9", EHOSTUNREACH, id="not tied"),
        pytest.param(b"eth0", "10.0.0.9", EHOSTUNREACH, id="it comes by the address's interface"),
        pytest.param(b"", "fd00::9", EHOSTUNREACH, id="IPv6, not tied"),
        pytest.param(b"eth0", "fd00::9", 0, id="IPv6: it comes by the loopback"),
    ],
)
def test_who_hears_that_a_neighbour_does_not_answer(interface: bytes, host: str, told: int) -> None:
    """The host tells it itself; Linux tcp_v4_err asks for inet_iif, tcp_v6_err for the device."""
    two = Two()
    own = (f"{HERE[0]}/24", f"{HERE6[0]}/64")
    kernel = Kernel("here", {}, Rng(0))
    kernel.add_interface("eth0", own, peers=("10.0.0.0/24",), mac="02:00:00:00:00:01")
    two.kernel, two.table = kernel, FdTable(kernel)
    family = c.AF_INET6 if ":" in host else c.AF_INET
    fd = calls.socket(two.table, family, c.SOCK_STREAM | c.SOCK_NONBLOCK, 0, two.now)
    two.tie(fd, interface)
    to = (host, 80, 0, 0) if ":" in host else (host, 80)
    with suppress(BlockingIOError):
        calls.connect(two.table, fd, to, Wait(two.now), two.now)
    neighbours = kernel.ip.interfaces[0].neighbours_of(host)
    assert neighbours is not None
    neighbour = neighbours.find(host)
    while neighbour.at is not None:
        kernel.neighbour_passed(neighbour, neighbour.at)
    assert calls.getsockopt(two.table, fd, c.SOL_SOCKET, c.SO_ERROR, 0, two.now) == told


def test_what_is_from_the_loopback_does_not_leave_the_host() -> None:
    """Linux __mkroute_output."""
    two = Two()
    two.listens()
    fd = two.socket()
    two.connect(fd, "127.0.0.1")
    two.tie(fd, b"eth0")
    calls.send(two.table, fd, b"x", 0, Wait(two.now), two.now)
    assert two.sent() == []


def test_an_answer_of_nobodys_goes_the_usual_way() -> None:
    """Linux tcp_v4_send_reset: without a socket there is no tie."""
    two = Two()
    fd = two.socket(1)
    two.connect(fd, PEER[0])
    ((link, syn),) = two.left()
    assert (link, syn.flow[0]) == (1, HERE[1])
    back = arriving(syn.flow)
    two.receives(0, Segment(back, 9_000, syn.seq + 1, SYN | ACK, 60_000))
    assert [(link, seg.flags) for link, seg in two.left()] == [(0, RST)]
    two.receives(1, Segment(back, 9_000, syn.seq + 9, SYN | ACK, 60_000))
    assert [(link, seg.flags) for link, seg in two.left()] == [(1, RST)], "of the connection"


def test_an_answer_of_a_tied_listener_goes_its_way() -> None:
    two = Two()
    two.listens(1)
    two.receives(1, Segment((PEER[0], 40_000, HERE[1], 80), 5_000, 9, ACK, 60_000))
    assert [(link, seg.flags) for link, seg in two.left()] == [(1, RST)]
    two.receives(1, Segment((PEER[0], 40_000, HERE[1], 80), 5_000, 0, RST, 60_000))
    assert two.left() == []
    fd = two.socket()
    two.connect(fd, PEER[0])
    assert [link for link, _ in two.left()] == [0], "what comes later is no answer"


def test_a_link_local_address_without_a_tie_is_one_of_every_link() -> None:
    """Linux compares it without an interface, and asks for that by itself."""
    kernel = Kernel("here", {}, Rng(0))
    for name in LINKS:
        kernel.add_interface(name, ("fe80::1",))
    two = Two()
    two.kernel, two.table = kernel, FdTable(kernel)
    kinds = (c.SOCK_DGRAM, c.SOCK_STREAM)
    kind = c.SOCK_NONBLOCK
    ends = [calls.socket(two.table, c.AF_INET6, each | kind, 0, two.now) for each in kinds]
    for fd in ends:
        calls.bind(two.table, fd, ("fe80::1", 7, 0, 3), two.now)
    taker, listener = ends
    calls.listen(two.table, listener, 5, two.now)
    calls.disconnect(two.table, taker, two.now)
    two.tie(listener, b"")
    for zone in (2, 3):
        to = ("fe80::1", 7, 0, zone)
        fd = calls.socket(two.table, c.AF_INET6, c.SOCK_DGRAM, 0, two.now)
        calls.sendto(two.table, fd, b"x", 0, to, Wait(two.now), two.now)
        assert calls.recv(two.table, taker, 9, 0, Wait(two.now), two.now) == b"x"
        fd = calls.socket(two.table, c.AF_INET6, c.SOCK_STREAM | kind, 0, two.now)
        with suppress(BlockingIOError):
            calls.connect(two.table, fd, to, Wait(two.now), two.now)
        two.accepts(listener)
    calls.close(two.table, listener, Wait(two.now), two.now)
    assert kernel.ip.demux.listening == {}
