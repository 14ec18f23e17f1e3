"""Which port is picked, and what happens where none is left (Linux inet_csk_find_open_port)."""

from errno import EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EINPROGRESS, EINVAL, ENETUNREACH

import pytest
from tests.unit.sockets.hosts import HERE, NOWHERE, PEER, Program, alone, error

from halfopen.base.units import S
from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.ports import Ephemeral
from halfopen.tcp.states import State
from halfopen.tcp.tcb import MSL2
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, FIN, SYN, Segment


def narrow(ports: str, reserved: str = "") -> Program:
    return alone(
        {"net.ipv4.ip_local_port_range": ports, "net.ipv4.ip_local_reserved_ports": reserved}
    )


def bind_picked(program: Program, fd: int) -> int:
    """Bind to port 0; return the port."""
    calls.bind(program.table, fd, (HERE, 0), program.now)
    return calls.getsockname(program.table, fd)[1]


@pytest.mark.parametrize("reuse", [False, True], ids=["plainly", "with SO_REUSEADDR"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_bind_picks_every_port_once_and_then_there_is_none(count: int, reuse: bool) -> None:
    """Of an odd range the last one is never picked, unless it is the only one."""
    program = narrow(f"40000 {40_000 + count - 1}")
    picked = []
    for _ in range(count + 1):
        fd = program.stream()
        program.set(fd, c.SOL_SOCKET, c.SO_REUSEADDR, reuse)
        failed = error(lambda: bind_picked(program, fd))  # noqa: B023  called at once
        assert failed in {0, EADDRINUSE}
        host, port = calls.getsockname(program.table, fd)[:2]
        assert (host, bool(port)) == (("0.0.0.0", False) if failed else (HERE, True))
        if not failed:
            picked.append(port)
    assert len(set(picked)) == len(picked)
    assert set(picked) <= set(range(40_000, 40_000 + count))
    assert len(picked) >= (count if count == 1 else count & ~1)


def test_bind_picks_no_reserved_port() -> None:
    program = narrow("40000 40007", "40000-40002,40004")
    picked = {bind_picked(program, program.stream()) for _ in range(4)}
    assert picked == {40_003, 40_005, 40_006, 40_007}


def test_bind_prefers_odd_distances_and_connect_even_ones() -> None:
    program = narrow("40000 40007")
    assert {bind_picked(program, program.stream()) for _ in range(4)} == {
        40_001,
        40_003,
        40_005,
        40_007,
    }
    connected = set()
    for _ in range(4):
        fd = program.connecting()
        connected.add(calls.getsockname(program.table, fd)[1])
    assert connected == {40_000, 40_002, 40_004, 40_006}


def test_with_reuseaddr_the_lower_half_is_filled_first() -> None:
    program = narrow("40000 40007")
    picked = []
    for _ in range(4):
        fd = program.stream()
        program.set(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
        picked.append(bind_picked(program, fd))
    assert sorted(picked) == [40_000, 40_001, 40_002, 40_003]


@pytest.mark.parametrize(("ports", "many"), [("40000 40003", 4), ("40000 40000", 1)])
def test_connect_has_no_address_left_where_every_port_is_taken(ports: str, many: int) -> None:
    program = narrow(ports)
    taken = {calls.getsockname(program.table, program.connecting())[1] for _ in range(many)}
    assert len(taken) == many
    fd = program.stream(nonblock=True)
    assert error(lambda: program.connect(fd)) == EADDRNOTAVAIL


def test_a_port_leads_to_several_places_at_once() -> None:
    program = narrow("40000 40000")
    first = program.connecting()
    fd = program.stream(nonblock=True)
    assert error(lambda: program.connect(fd, port=81)) == EINPROGRESS
    assert calls.getsockname(program.table, fd) == calls.getsockname(program.table, first)


def test_connect_takes_neither_a_reserved_port_nor_a_bound_one() -> None:
    program = narrow("40000 40003", "40000")
    program.bound(40_002)
    found = {calls.getsockname(program.table, program.connecting())[1] for _ in range(2)}
    assert found == {40_001, 40_003}


def test_the_candidates_begin_anew_at_the_lowest_port() -> None:
    program = narrow("40000 40009")
    candidates = Ephemeral(program.kernel.ports, 0, 6)
    assert [candidates.next() for _ in range(11)] == [
        *(40_006, 40_008, 40_000, 40_002, 40_004),
        *(40_007, 40_009, 40_001, 40_003, 40_005),
        0,
    ]


def test_a_bound_port_that_has_the_flow_already() -> None:
    program = alone()
    for result in (EINPROGRESS, EADDRNOTAVAIL):
        fd = program.bound(5_000, reuse=True)
        calls.setblocking(program.table, fd, False)
        assert error(lambda: program.connect(fd)) == result  # noqa: B023  called at once


def time_wait(program: Program) -> None:
    """A connection from port 40000 to the peer is in TIME-WAIT, and had timestamps."""
    fd = program.connecting()
    tcb = program.tcb(fd)
    answers(program, tcb.iss + 1, 0x12)
    calls.close(program.table, fd, program.wait(), program.now)
    answers(program, tcb.snd_nxt, 0x11)
    assert tcb.state is State.TIME_WAIT
    program.leaves()


def answers(program: Program, ack: int, flags: int) -> None:
    """The peer's SYN,ACK or FIN,ACK arrives."""
    sent = program.leaves()[-1].body
    assert isinstance(sent, Segment)
    seg = Segment((PEER, 80, HERE, 40_000), 7_000 + (flags & 1), ack & 0xFFFFFFFF, flags, 60_000)
    seg.ts_val, seg.ts_ecr = 9_000, sent.ts_val
    if flags & 2:
        seg.mss = 1_460
    program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg), 0, program.now)


@pytest.mark.parametrize(
    ("reuse", "later_ns", "taken"),
    [
        pytest.param(0, 2 * S, False, id="tcp_tw_reuse 0"),
        pytest.param(1, 2 * S, True, id="tcp_tw_reuse 1"),
        pytest.param(1, S, False, id="tcp_tw_reuse 1, too soon"),
        pytest.param(2, 2 * S, False, id="tcp_tw_reuse 2: on the loopback only"),
    ],
)
def test_connect_may_take_the_port_of_a_time_wait(reuse: int, later_ns: int, taken: bool) -> None:
    """Linux tcp_twsk_unique: the new one begins behind the old one's numbers."""
    program = alone(
        {
            "net.ipv4.ip_local_port_range": "40000 40000",
            "net.ipv4.tcp_tw_reuse": reuse,
        }
    )
    time_wait(program)
    (old,) = program.kernel.ip.demux.flows.values()
    program.now += later_ns
    fd = program.stream(nonblock=True)
    assert error(lambda: program.connect(fd)) == (EINPROGRESS if taken else EADDRNOTAVAIL)
    if taken:
        (syn,) = program.leaves()
        assert isinstance(syn.body, Segment)
        assert syn.body.seq == (old.snd_nxt + 65_537) & 0xFFFFFFFF
        assert syn.body.ts_ecr == 9_000
        assert old.state is State.CLOSED


def test_loopback_connects_are_reused_by_default() -> None:
    program = alone({"net.ipv4.ip_local_port_range": "40000 40000"})
    server = program.bound(80, "127.0.0.1")
    calls.listen(program.table, server, 8, program.now)
    for _ in range(2):
        fd = program.connecting("127.0.0.1")
        accepted = calls.accept(program.table, server, program.wait(), program.now)
        assert isinstance(accepted, tuple)
        calls.close(program.table, fd, program.wait(), program.now)
        calls.close(program.table, accepted[0], program.wait(), program.now)
        program.now += 2 * S


def test_where_no_way_leads() -> None:
    program = alone()
    fd = program.stream()
    assert error(lambda: program.connect(fd, NOWHERE)) == ENETUNREACH


def test_nothing_leaves_the_host_from_loopback() -> None:
    """Linux ip_route_output_key_hash."""
    program = alone()
    fd = program.bound(5_000, "127.0.0.1")
    assert error(lambda: program.connect(fd)) == EINVAL


def without_port(program: Program, fd: int) -> int:
    """Bind to an address, the port to be picked later."""
    program.set(fd, c.IPPROTO_IP, c.IP_BIND_ADDRESS_NO_PORT, 1)
    calls.bind(program.table, fd, (HERE, 0), program.now)
    assert calls.getsockname(program.table, fd) == (HERE, 0)
    return fd


def test_ip_bind_address_no_port_leaves_the_port_to_connect_and_listen() -> None:
    """Linux __inet_bind: so a port leads to several places, which one picked by bind does not."""
    program = narrow("40000 40001")
    for port in (80, 81):
        fd = without_port(program, program.stream(nonblock=True))
        assert error(lambda: program.connect(fd, port=port)) == EINPROGRESS  # noqa: B023  at once
        assert calls.getsockname(program.table, fd)[1] in {40_000, 40_001}
    fd = without_port(program, program.stream())
    calls.bind(program.table, fd, (HERE, 0), program.now)
    program.set(fd, c.IPPROTO_IP, c.IP_BIND_ADDRESS_NO_PORT, 0)
    program = narrow("40000 40001")
    fd = without_port(program, program.stream())
    calls.listen(program.table, fd, 1, program.now)
    assert calls.getsockname(program.table, fd) == (HERE, 40_001)


def test_datagrams_get_the_port_when_they_are_sent() -> None:
    program = narrow("40000 40000")
    fd = without_port(program, program.datagram())
    send = (b"x", 0, (PEER, 9), program.wait(), program.now)
    calls.sendto(program.table, fd, *send)
    assert calls.getsockname(program.table, fd) == (HERE, 40_000)
    other = program.datagram()
    assert error(lambda: bind_picked(program, other)) == EADDRINUSE
    assert error(lambda: calls.sendto(program.table, other, *send)) == EAGAIN, "Linux inet_autobind"


@pytest.mark.parametrize("bound", [False, True], ids=["the kernel's", "the user's"])
def test_a_refused_socket_keeps_a_port_only_that_the_user_chose(bound: bool) -> None:
    """Linux tcp_set_state: SOCK_BINDPORT_LOCK; without it bind may choose another."""
    program = narrow("40000 40000")
    fd = program.bound(40_000) if bound else program.stream()
    calls.setblocking(program.table, fd, False)
    assert error(lambda: program.connect(fd)) == EINPROGRESS
    refused = Segment((PEER, 80, HERE, 40_000), 0, program.tcb(fd).iss + 1, 0x14, 0)
    program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, refused), 0, program.now)
    assert calls.getsockname(program.table, fd) == (HERE, 40_000)
    assert (40_000 in program.kernel.ports.buckets) == bound
    again = error(lambda: calls.bind(program.table, fd, (HERE, 5_000), program.now))
    assert again == (EINVAL if bound else 0)


def test_a_time_wait_lets_go_of_the_port_though_its_socket_is_open() -> None:
    """Linux inet_twsk_kill; the socket itself had lost it when the connection was over."""
    program = alone()
    server = program.bound(80, "127.0.0.1")
    calls.listen(program.table, server, 8, program.now)
    fd = program.connecting("127.0.0.1")
    port = calls.getsockname(program.table, fd)[1]
    tcb = program.tcb(fd)
    accepted = calls.accept(program.table, server, program.wait(), program.now)
    assert isinstance(accepted, tuple)
    calls.shutdown(program.table, fd, c.SHUT_WR, program.now)
    calls.close(program.table, accepted[0], program.wait(), program.now)
    assert tcb.state is State.TIME_WAIT
    other = program.stream()
    bound = (other, ("127.0.0.1", port))
    assert error(lambda: calls.bind(program.table, *bound, program.now)) == EADDRINUSE
    program.now += MSL2 + S
    program.kernel.deadline_passed(tcb, program.now)
    calls.bind(program.table, *bound, program.now)
    assert calls.getsockname(program.table, fd)[1] == port, "it shows what it had"


def test_a_datagram_socket_picks_a_port_that_others_would_share() -> None:
    """Linux udp_lib_lport_inuse: with SO_REUSEPORT at both it is not in use."""
    program = narrow("40000 40000")
    for shared, port in ((True, 40_000), (True, 40_000), (False, 0)):
        fd = program.datagram()
        program.set(fd, c.SOL_SOCKET, c.SO_REUSEPORT, shared)
        if port:
            assert bind_picked(program, fd) == port
        else:
            assert error(lambda: bind_picked(program, fd)) == EADDRINUSE  # noqa: B023  at once


def test_in_time_wait_who_bound_the_port_has_it_still() -> None:
    """Linux tcp_set_state, SOCK_BINDPORT_LOCK."""
    program = alone()
    fd = program.bound(40_000)
    sock = program.sock(fd)
    sock.nonblock = True
    assert error(lambda: program.connect(fd)) == EINPROGRESS
    tcb = program.tcb(fd)
    peer = arriving(tcb.flow)

    def hears(flags: int, seq: int) -> None:
        seg = Segment(peer, seq, tcb.snd_nxt & 0xFFFFFFFF, flags, 60_000)
        program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg), 0, program.now)

    hears(SYN | ACK, 7_000)
    calls.shutdown(program.table, fd, c.SHUT_WR, program.now)
    hears(FIN | ACK, 7_001)
    assert tcb.state is State.TIME_WAIT
    assert calls.getsockname(program.table, fd) == (HERE, 40_000)
    other = program.stream()
    assert (
        error(lambda: calls.bind(program.table, other, (HERE, 40_000), program.now)) == EADDRINUSE
    )
