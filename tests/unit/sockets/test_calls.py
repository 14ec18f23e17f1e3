"""Calls whose answer depends on another host, on a limit, or on who else is in the same call."""

import struct
from errno import (
    EACCES,
    EADDRINUSE,
    EAGAIN,
    EBADF,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EMFILE,
    ENETUNREACH,
    ENOTCONN,
    ENOTSOCK,
    EPIPE,
)
from functools import partial

import pytest
from tests.unit.sockets.hosts import HERE, NOWHERE, PEER, Program, alone, error

from halfopen.base.errors import NotSimulatedError
from halfopen.base.rng import Rng
from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.waiting import Blocked, Wait, WaitQueue
from halfopen.tcp.states import State
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, FIN, RST, SYN, URG, Segment

IN, OUT, HUP, NVAL = c.POLLIN, c.POLLOUT, c.POLLHUP, c.POLLNVAL


def hears(
    program: Program, fd: int, flags: int, text: bytes = b"", *, urg: int = 0, seq: int = 7_001
) -> None:
    """A segment of the peer arrives."""
    tcb = program.tcb(fd)
    ack = tcb.snd_nxt & 0xFFFFFFFF
    seg = Segment(arriving(tcb.flow), seq, ack, flags, 60_000, text, urg=urg)
    if flags & SYN:
        seg.mss = 1_460
    program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg), 0, program.now)


def opened(program: Program) -> int:
    """A connection to the peer."""
    fd = program.connecting()
    hears(program, fd, SYN | ACK, seq=7_000)
    assert program.tcb(fd).state is State.ESTABLISHED
    return fd


# Descriptors.


def test_a_process_has_so_many_descriptors() -> None:
    program = alone(nofile_max=5)
    assert [program.stream() for _ in range(2)] == [65_539, 65_540]
    assert error(program.stream) == EMFILE


def test_a_second_number_may_be_asked_for() -> None:
    """F_DUPFD."""
    program = alone()
    fd = program.stream()
    assert program.table.dup(fd, fd + 5) == fd + 5
    assert program.table.dup(fd) == fd + 1, "the lowest is still free"


def test_an_epoll_is_no_socket() -> None:
    program = alone()
    epfd = calls.epoll_create(program.table, program.now)
    assert error(lambda: calls.getsockname(program.table, epfd)) == ENOTSOCK
    assert error(lambda: calls.getsockname(program.table, 3)) == EBADF


def test_a_process_that_ends_closes_what_has_two_numbers_once() -> None:
    program = alone()
    fd = opened(program)
    datagram = program.datagram()
    calls.connect(program.table, datagram, (PEER, 53), program.wait(), program.now)
    for each in (fd, datagram, calls.epoll_create(program.table, program.now)):
        program.table.dup(each)
    program.leaves()
    program.table.close_all(program.now)
    assert len(program.leaves()) == 1, "one FIN"
    assert program.kernel.ip.udp.ends == {}


# Streams.


def test_while_it_connects_nothing_is_sent_and_poll_says_nothing() -> None:
    program = alone()
    fd = program.connecting()
    send = calls.send
    assert error(lambda: send(program.table, fd, b"x", 0, program.wait(), program.now)) == EAGAIN
    assert program.poll(fd) == 0


def test_a_send_that_waits_for_the_handshake_is_told_of_the_refusal() -> None:
    program = alone()
    fd = program.connecting()
    calls.setblocking(program.table, fd, True)
    wait = program.wait()
    blocked = calls.send(program.table, fd, b"x", 0, wait, program.now)
    assert isinstance(blocked, Blocked)
    assert blocked.what == "the handshake"
    hears(program, fd, RST | ACK, seq=0)
    assert error(lambda: calls.send(program.table, fd, b"x", 0, wait, program.now)) == 111
    again = program.wait()
    assert error(lambda: calls.send(program.table, fd, b"x", 0, again, program.now)) == EPIPE


def test_a_port_that_connect_picked_is_free_when_the_connection_is_over() -> None:
    """The socket is connected still, for the API, and may be bound."""
    program = alone()
    fd = opened(program)
    own = calls.getsockname(program.table, fd)
    hears(program, fd, RST)
    assert calls.getsockname(program.table, fd) == own
    calls.bind(program.table, fd, (HERE, 7_000), program.now)
    calls.bind(program.table, program.stream(), own, program.now)


def test_a_port_that_bind_gave_stays_when_the_connection_is_over() -> None:
    program = alone()
    fd = program.stream(nonblock=True)
    calls.bind(program.table, fd, (HERE, 7_000), program.now)
    assert error(lambda: program.connect(fd, PEER)) == EINPROGRESS
    hears(program, fd, SYN | ACK, seq=7_000)
    hears(program, fd, RST)
    assert error(lambda: calls.bind(program.table, fd, (HERE, 7_001), program.now)) == EINVAL
    other = program.stream()
    assert error(lambda: calls.bind(program.table, other, (HERE, 7_000), program.now)) == EADDRINUSE


def test_the_port_of_an_accepted_connection_is_free_when_that_is_reset() -> None:
    """A server may start again while it holds what is left of its connections."""
    program = alone()
    listener = program.stream()
    calls.bind(program.table, listener, (HERE, 80), program.now)
    calls.listen(program.table, listener, 5, program.now)
    flow = (PEER, 5_000, HERE, 80)

    def arrives(seq: int, ack: int, flags: int) -> None:
        seg = Segment(flow, seq, ack, flags, 60_000, mss=1_460 if flags & SYN else 0)
        program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg), 0, program.now)

    arrives(7_000, 0, SYN)
    (answer,) = program.leaves()
    assert isinstance(answer.body, Segment)
    arrives(7_001, answer.body.seq + 1, ACK)
    calls.accept(program.table, listener, program.wait(), program.now)
    arrives(7_001, 0, RST)
    calls.close(program.table, listener, program.wait(), program.now)
    calls.bind(program.table, program.stream(), (HERE, 80), program.now)


def dissolves(program: Program, fd: int) -> None:
    calls.disconnect(program.table, fd, program.now)


def test_a_connection_that_is_dissolved_is_reset_and_its_socket_is_as_new() -> None:
    program = alone()
    fd = opened(program)
    program.leaves()
    dissolves(program, fd)
    (left,) = program.leaves()
    assert isinstance(left.body, Segment)
    assert left.body.flags & RST
    assert error(lambda: calls.getpeername(program.table, fd)) == ENOTCONN
    assert calls.getsockopt(program.table, fd, c.SOL_SOCKET, c.SO_ERROR, 0, program.now) == 104
    assert calls.getsockname(program.table, fd)[0] == "0.0.0.0"
    calls.listen(program.table, fd, 5, program.now)


def test_an_attempt_that_is_dissolved_ends_in_silence() -> None:
    program = alone()
    fd = program.connecting()
    program.leaves()
    dissolves(program, fd)
    assert program.leaves() == []
    calls.bind(program.table, fd, (HERE, 7_000), program.now)


def test_who_waits_for_the_handshake_is_told_when_that_is_dissolved() -> None:
    program = alone()
    fd = program.stream()
    wait = program.wait()
    there = (PEER, 80)
    assert isinstance(calls.connect(program.table, fd, there, wait, program.now), Blocked)
    dissolves(program, fd)
    assert error(lambda: calls.connect(program.table, fd, there, wait, program.now)) == EPIPE


def test_a_listener_that_is_dissolved_keeps_the_port_that_it_was_bound_to() -> None:
    program = alone()
    fd = program.stream()
    calls.bind(program.table, fd, (HERE, 7_000), program.now)
    calls.listen(program.table, fd, 5, program.now)
    dissolves(program, fd)
    assert calls.getsockname(program.table, fd) == (HERE, 7_000)
    assert program.poll(fd) & HUP
    other = program.stream()
    assert error(lambda: calls.bind(program.table, other, (HERE, 7_000), program.now)) == EADDRINUSE


def test_a_closed_socket_that_is_dissolved_keeps_the_port_that_it_was_given() -> None:
    program = alone()
    fd = program.stream()
    calls.bind(program.table, fd, (HERE, 0), program.now)
    own = calls.getsockname(program.table, fd)
    dissolves(program, fd)
    assert calls.getsockname(program.table, fd) == own
    other = program.stream()
    assert error(lambda: calls.bind(program.table, other, own, program.now)) == EADDRINUSE


@pytest.mark.parametrize(
    ("own", "left"),
    [
        pytest.param(None, ("0.0.0.0", 0), id="not bound"),
        pytest.param(("0.0.0.0", 7_000), ("0.0.0.0", 7_000), id="bound to a port"),
        pytest.param((HERE, 7_000), (HERE, 7_000), id="bound to an address and a port"),
        pytest.param((HERE, 0), (HERE, 0), id="bound to an address"),
    ],
)
def test_a_socket_for_datagrams_that_is_dissolved(
    own: tuple[str, int] | None, left: tuple[str, int]
) -> None:
    """Linux __udp_disconnect."""
    program = alone()
    fd = program.datagram()
    if own is not None:
        calls.bind(program.table, fd, own, program.now)
    dissolves(program, fd)
    program.connect(fd)
    assert calls.getsockname(program.table, fd)[0] == HERE
    dissolves(program, fd)
    assert calls.getsockname(program.table, fd) == left
    assert error(lambda: calls.getpeername(program.table, fd)) == ENOTCONN
    program.connect(fd)
    assert calls.getsockname(program.table, fd)[1]


def test_a_time_wait_goes_on_without_the_socket_that_is_dissolved() -> None:
    program = alone()
    fd = opened(program)
    calls.shutdown(program.table, fd, c.SHUT_WR, program.now)
    hears(program, fd, ACK | FIN)
    tcb = program.tcb(fd)
    dissolves(program, fd)
    assert tcb in program.kernel.ip.demux.flows.values()
    assert tcb.state is State.TIME_WAIT
    assert program.sock(fd).tcb is None
    assert calls.getsockname(program.table, fd) == ("0.0.0.0", tcb.flow[1]), "the port still shows"
    assert error(lambda: program.connect(fd)) == EINPROGRESS
    assert program.tcb(fd) is not tcb


def test_who_shut_down_before_connecting_has_it_shut() -> None:
    """Linux inet_shutdown: ENOTCONN, and yet sk_shutdown is set."""
    program = alone()
    server = program.bound(80, "127.0.0.1")
    calls.listen(program.table, server, 8, program.now)
    fd = program.stream(nonblock=True)
    assert error(lambda: calls.shutdown(program.table, fd, c.SHUT_RDWR, program.now)) == ENOTCONN
    assert error(lambda: program.connect(fd, "127.0.0.1")) == EINPROGRESS
    send = partial(calls.send, program.table, fd, b"x", c.MSG_NOSIGNAL)
    assert error(lambda: send(program.wait(), program.now)) == EPIPE
    assert calls.recv(program.table, fd, 9, 0, program.wait(), program.now) == b""


def test_fast_open_is_not_simulated_and_says_so() -> None:
    program = alone()
    fd = opened(program)
    with pytest.raises(NotSimulatedError, match="is not simulated"):
        calls.send(program.table, fd, b"x", c.MSG_FASTOPEN, program.wait(), program.now)


def test_urgent_data_is_seen_by_poll() -> None:
    program = alone()
    fd = opened(program)
    assert not program.poll(fd) & c.POLLPRI
    hears(program, fd, ACK | URG, b"x", urg=1)
    assert program.poll(fd) & c.POLLPRI


def test_a_reset_while_recv_waits_for_all_gives_what_there_is() -> None:
    program = alone()
    fd = opened(program)
    calls.setblocking(program.table, fd, True)
    hears(program, fd, ACK, b"he")
    wait = program.wait()
    recv = calls.recv
    blocked = recv(program.table, fd, 5, c.MSG_WAITALL, wait, program.now)
    assert isinstance(blocked, Blocked)
    hears(program, fd, RST, seq=7_003)
    assert recv(program.table, fd, 5, c.MSG_WAITALL, wait, program.now) == b"he"
    assert error(lambda: recv(program.table, fd, 5, 0, program.wait(), program.now)) == ECONNRESET


def test_recv_that_waits_for_nothing_more_after_peeking() -> None:
    """MSG_PEEK and MSG_WAITALL together begin anew at every wake-up."""
    program = alone()
    fd = opened(program)
    calls.setblocking(program.table, fd, True)
    hears(program, fd, ACK, b"he")
    wait = program.wait()
    flags = c.MSG_PEEK | c.MSG_WAITALL
    assert isinstance(calls.recv(program.table, fd, 4, flags, wait, program.now), Blocked)
    hears(program, fd, ACK, b"llo", seq=7_003)
    assert calls.recv(program.table, fd, 4, flags, wait, program.now) == b"hell"


# Datagrams.


def test_a_datagram_to_nowhere() -> None:
    program = alone()
    fd = program.datagram()
    send, there = calls.sendto, (NOWHERE, 53)
    wait = program.wait()
    assert error(lambda: send(program.table, fd, b"", 0, there, wait, program.now)) == ENETUNREACH
    connect = calls.connect
    assert error(lambda: connect(program.table, fd, there, wait, program.now)) == ENETUNREACH


def test_a_datagram_to_everybody_needs_leave() -> None:
    """SO_BROADCAST."""
    program = alone()
    kernel = program.kernel
    kernel.add_interface("eth1", ("192.168.0.1/24",), mac="02:00:00:00:00:01")
    fd = program.datagram()
    send, there, now = calls.sendto, ("192.168.0.255", 53), program.now
    assert error(lambda: send(program.table, fd, b"", 0, there, program.wait(), now)) == EACCES
    program.set(fd, c.SOL_SOCKET, c.SO_BROADCAST, 1)
    assert send(program.table, fd, b"x", 0, there, program.wait(), now) == 1


@pytest.mark.parametrize(("size", "fits"), [(1_472, True), (1_473, False)])
def test_a_datagram_longer_than_a_packet_is_not_simulated(size: int, fits: bool) -> None:
    program = alone()
    fd = program.datagram()
    there = (PEER, 53)

    def send() -> int | Blocked:
        return calls.sendto(program.table, fd, bytes(size), 0, there, program.wait(), program.now)

    if fits:
        assert send() == size
    else:
        with pytest.raises(NotSimulatedError, match="fragmented"):
            send()


def test_where_every_port_is_taken_a_datagram_has_none() -> None:
    sysctl: dict[str, int | str] = {
        "net.ipv4.ip_local_port_range": "40000 40002",
        "net.ipv4.ip_local_reserved_ports": "40001",
    }
    program = alone(sysctl)
    ports = set()
    for _ in range(2):
        fd = program.datagram()
        calls.bind(program.table, fd, (HERE, 0), program.now)
        ports.add(calls.getsockname(program.table, fd)[1])
    assert ports == {40_000, 40_002}
    fd = program.datagram()
    assert error(lambda: calls.bind(program.table, fd, (HERE, 0), program.now)) == EADDRINUSE


# Readiness.


def test_poll_passes_over_what_is_negative_and_names_what_is_not_open() -> None:
    program = alone()
    fd = program.stream()
    asked = [(-1, IN), (fd, OUT), (99, IN)]
    found = calls.poll(program.table, asked, 0, program.wait(), program.now)
    assert found == [(fd, OUT | HUP), (99, NVAL)]


def test_poll_that_waits_passes_over_what_is_negative() -> None:
    program = alone()
    fd = program.connecting()
    blocked = calls.poll(program.table, [(-1, IN), (fd, IN)], None, program.wait(), program.now)
    assert isinstance(blocked, Blocked)
    assert blocked.queues == (program.sock(fd).read_wait,)
    assert blocked.deadline is None


def test_poll_takes_no_more_than_a_process_may_have() -> None:
    program = alone(nofile_max=2)
    asked = [(-1, 0)] * 3
    wait = program.wait()
    assert error(lambda: calls.poll(program.table, asked, 0, wait, program.now)) == EINVAL
    assert calls.poll(program.table, asked[1:], 0, wait, program.now) == []


def test_select_waits_for_no_error_that_nobody_asked_for() -> None:
    """A socket that hung up is no news for who waits for exceptions only."""
    program = alone()
    fd = program.stream()
    wait = program.wait()
    blocked = calls.select(program.table, [], [], [fd], 50, wait, program.now)
    assert isinstance(blocked, Blocked)
    assert blocked.deadline == wait.started_at + 50
    late = program.now + 50
    assert calls.select(program.table, [], [], [fd], 50, wait, late) == ([], [], [])
    endless = calls.select(program.table, [], [], [fd], None, wait, late)
    assert isinstance(endless, Blocked)
    assert endless.deadline is None


def test_epoll_refuses_what_makes_no_sense() -> None:
    program = alone()
    fd, now = program.stream(), program.now
    epfd = calls.epoll_create(program.table, now)
    control, waits = calls.epoll_ctl, calls.epoll_wait
    assert error(lambda: control(program.table, epfd, 9, fd, IN, now)) == EINVAL
    assert error(lambda: control(program.table, epfd, c.EPOLL_CTL_ADD, epfd, IN, now)) == EINVAL
    assert error(lambda: control(program.table, fd, c.EPOLL_CTL_ADD, fd, IN, now)) == EINVAL
    assert error(lambda: waits(program.table, epfd, 0, 0, program.wait(), now)) == EINVAL
    with pytest.raises(NotSimulatedError, match="EPOLLEXCLUSIVE"):
        control(program.table, epfd, c.EPOLL_CTL_ADD, fd, IN | c.EPOLLEXCLUSIVE, now)


class Sleeper:
    """Counts how often it was woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.mark.parametrize("exclusive", [False, True], ids=["sharing", "exclusive"])
def test_who_leaves_a_queue_is_not_woken_and_the_others_are(exclusive: bool) -> None:
    queue, sleepers = WaitQueue(), [Sleeper() for _ in range(3)]
    for sleeper in sleepers:
        queue.add(sleeper, exclusive=exclusive)
    queue.remove(sleepers[1])
    queue.remove(sleepers[1])
    queue.wake_all()
    assert [sleeper.woken for sleeper in sleepers] == [1, 0, 1]
    for sleeper in sleepers[::2]:
        queue.add(sleeper, exclusive=exclusive)
    for sleeper in sleepers:
        queue.remove(sleeper)
    queue.wake_all()
    assert [sleeper.woken for sleeper in sleepers] == [1, 0, 1]


def test_one_wake_up_ends_one_exclusive_wait_and_all_others() -> None:
    queue, sleepers = WaitQueue(), [Sleeper() for _ in range(4)]
    for number, sleeper in enumerate(sleepers):
        queue.add(sleeper, exclusive=number < 2)
    queue.wake()
    assert [sleeper.woken for sleeper in sleepers] == [1, 0, 1, 1]
    queue.wake()
    assert [sleeper.woken for sleeper in sleepers] == [1, 1, 1, 1]


def test_a_call_that_is_given_up_lets_go_of_its_socket() -> None:
    program = alone()
    fd = opened(program)
    calls.setblocking(program.table, fd, True)
    wait = program.wait()
    assert isinstance(calls.recv(program.table, fd, 1, 0, wait, program.now), Blocked)
    calls.close(program.table, fd, program.wait(), program.now)
    assert program.tcb_of(wait).state is State.ESTABLISHED, "the call still holds it"
    program.leaves()
    program.table.abandon(wait, program.now)
    program.kernel.settle(program.now)
    (fin,) = program.leaves()
    assert isinstance(fin.body, Segment)
    assert fin.body.flags & 1


# The host.


def test_an_interface_goes_down_and_comes_up_and_an_address_goes() -> None:
    program = alone()
    fd = opened(program)
    kernel = program.kernel
    kernel.set_up(0, up=False, now=program.now)
    assert program.tcb(fd).no_route == ENETUNREACH
    kernel.set_up(0, up=True, now=program.now)
    assert program.tcb(fd).no_route == 0
    kernel.remove_address(HERE, program.now)
    assert program.tcb(fd).no_route == ENETUNREACH


def test_a_cable_is_pulled() -> None:
    program = alone()
    program.kernel.set_carrier(0, carrier=False)
    program.connecting()
    assert program.leaves() == []


def test_an_untraced_host_notes_nothing() -> None:
    kernel = Kernel("a", {}, Rng(0))
    kernel.add_interface("eth0", (HERE,), peers=(PEER,))
    program = Program(kernel)
    tcb = program.tcb(program.connecting())
    assert tcb.xmit_at is not None
    kernel.deadline_passed(tcb, tcb.xmit_at)
    assert (kernel.effects.history, kernel.effects.fired) == ([], [])
    assert [packet.ident for packet in program.leaves()] == [0, 0]


def test_a_wait_belongs_to_one_call() -> None:
    program = alone()
    first, second = opened(program), program.datagram()
    calls.setblocking(program.table, first, True)
    wait = Wait(program.now)
    assert isinstance(calls.recv(program.table, first, 1, 0, wait, program.now), Blocked)
    assert program.table.entered(second, wait) is program.sock(first)


def test_accept_that_waits_is_woken_by_the_end_of_a_handshake() -> None:
    program = alone()
    fd = program.listener()
    wait, sleeper = program.wait(), Sleeper()
    blocked = calls.accept(program.table, fd, wait, program.now)
    assert isinstance(blocked, Blocked)
    blocked.queues[0].add(sleeper, exclusive=blocked.exclusive)
    flow = (PEER, 40_000, HERE, 80)

    def comes(seg: Segment) -> None:
        program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg), 0, program.now)

    comes(Segment(flow, 7_000, 0, SYN, 60_000))
    assert sleeper.woken == 0
    (answer,) = program.leaves()
    assert isinstance(answer.body, Segment)
    comes(Segment(flow, 7_001, answer.body.seq + 1 & 0xFFFFFFFF, ACK, 60_000))
    assert sleeper.woken == 1
    taken = calls.accept(program.table, fd, wait, program.now)
    assert isinstance(taken, tuple)
    assert taken[1] == (PEER, 40_000)


def test_a_connection_has_the_options_that_its_listener_had_when_the_handshake_ended() -> None:
    """Linux tcp_create_openreq_child, of the listener as it is then."""
    program = alone()
    fd = program.listener()
    flow = (PEER, 40_000, HERE, 80)
    keepalive = (c.SOL_SOCKET, c.SO_KEEPALIVE)
    maxseg = (c.IPPROTO_TCP, c.TCP_MAXSEG)

    def comes(seg: Segment) -> None:
        program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg), 0, program.now)

    syn = Segment(flow, 7_000, 0, SYN, 60_000)
    syn.mss = 1_460
    comes(syn)
    (answer,) = program.leaves()
    assert isinstance(answer.body, Segment)
    assert answer.body.mss == 1_460
    program.set(fd, *keepalive, 1)
    program.set(fd, *maxseg, 1_000)
    comes(Segment(flow, 7_001, answer.body.seq + 1 & 0xFFFFFFFF, ACK, 60_000))
    program.set(fd, *keepalive, 0)
    taken = calls.accept(program.table, fd, program.wait(), program.now)
    assert not isinstance(taken, Blocked)
    assert program.get(taken[0], *keepalive) == 1
    assert program.get(fd, *keepalive) == 0
    assert program.tcb(taken[0]).keepalive_at is not None
    assert program.tcb(taken[0]).adv_mss == 1_000
    assert program.get(taken[0], *maxseg) == 1_460, "what we send was agreed on by the SYN"


def test_who_connects_with_tcp_defer_accept_lets_the_ack_wait_for_text() -> None:
    """Linux tcp_rcv_synsent_state_process; after 200 ms it goes alone."""
    program = alone()
    fd = program.stream(nonblock=True)
    program.set(fd, c.IPPROTO_TCP, c.TCP_DEFER_ACCEPT, 1)
    assert error(lambda: program.connect(fd)) == EINPROGRESS
    program.leaves()
    hears(program, fd, SYN | ACK, seq=7_000)
    assert program.tcb(fd).state is State.ESTABLISHED
    assert program.leaves() == []
    assert program.tcb(fd).delack_at is not None


@pytest.mark.parametrize(
    "key",
    [(c.SOL_SOCKET, c.SO_PRIORITY), (c.IPPROTO_TCP, c.TCP_DEFER_ACCEPT)],
    ids=["SO_PRIORITY", "TCP_DEFER_ACCEPT"],
)
def test_some_options_are_not_handed_down(key: tuple[int, int]) -> None:
    """Linux sk_clone, inet_csk_clone_lock."""
    program = alone()
    fd, client = program.listener(), program.stream(nonblock=True)
    program.set(fd, *key, 3)
    program.set(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, 1)
    assert error(lambda: program.connect(client, HERE)) == EINPROGRESS
    calls.send(program.table, client, b"text", 0, program.wait(), program.now)
    taken = calls.accept(program.table, fd, program.wait(), program.now)
    assert not isinstance(taken, Blocked)
    assert program.get(taken[0], *key) == 0
    assert program.get(taken[0], c.SOL_SOCKET, c.SO_KEEPALIVE) == 1
    assert program.get(fd, *key) == 3


def test_poll_says_writeable_while_a_third_of_the_buffer_is_free() -> None:
    """Linux __sk_stream_is_writeable; a writer is woken when it is so again."""
    program = alone()
    fd = opened(program)
    calls.setblocking(program.table, fd, False)
    tcb = program.tcb(fd)
    tcb.sndbuf, tcb.sndbuf_locked = 90_000, True
    seen = []
    while tcb.has_room():
        calls.send(program.table, fd, bytes(1_000), 0, program.wait(), program.now)
        seen.append((bool(program.poll(fd) & OUT), tcb.snd_queued))
    assert {free for free, queued in seen if queued <= 60_000} == {True}
    assert {free for free, queued in seen if queued > 60_000} == {False}


def test_recvmsg_waits_as_recv_does() -> None:
    program = alone()
    fd = opened(program)
    calls.setblocking(program.table, fd, True)
    wait = program.wait()
    assert isinstance(calls.recvmsg(program.table, fd, 9, 0, 0, wait, program.now), Blocked)
    hears(program, fd, ACK, b"hello")
    message = calls.recvmsg(program.table, fd, 9, 0, 0, wait, program.now)
    assert not isinstance(message, Blocked)
    assert message[0] == b"hello"


def test_waiting_for_all_gathers_what_comes() -> None:
    program = alone()
    fd = opened(program)
    calls.setblocking(program.table, fd, True)
    wait, got = program.wait(), None
    for at, text in enumerate((b"a", b"b", b"c")):
        got = calls.recv(program.table, fd, 3, c.MSG_WAITALL, wait, program.now)
        assert isinstance(got, Blocked)
        hears(program, fd, ACK, text, seq=7_001 + at)
    assert calls.recv(program.table, fd, 3, c.MSG_WAITALL, wait, program.now) == b"abc"


def test_where_the_urgent_octet_never_comes_it_is_the_end() -> None:
    """It was announced, and then came the FIN (Linux tcp_recv_urg)."""
    program = alone()
    fd = opened(program)

    def urgent() -> bytes | Blocked:
        return calls.recv(program.table, fd, 1, c.MSG_OOB, program.wait(), program.now)

    hears(program, fd, ACK | URG, b"x", urg=9)
    assert error(urgent) == EAGAIN
    hears(program, fd, ACK | FIN, seq=7_002)
    assert urgent() == b""


def test_a_datagram_that_waited_for_more_finds_no_way_any_longer() -> None:
    """MSG_MORE."""
    program = alone()
    fd = program.datagram()
    calls.connect(program.table, fd, (PEER, 53), program.wait(), program.now)
    send = calls.send
    assert send(program.table, fd, b"a", c.MSG_MORE, program.wait(), program.now) == 1
    program.kernel.set_up(0, up=False, now=program.now)
    assert (
        error(lambda: send(program.table, fd, b"b", 0, program.wait(), program.now)) == ENETUNREACH
    )


def test_a_close_that_lingers_is_woken_by_the_ack_of_its_fin() -> None:
    program = alone()
    fd = opened(program)
    program.set(fd, c.SOL_SOCKET, c.SO_LINGER, struct.pack("=ii", 1, 5))
    wait, sleeper = program.wait(), Sleeper()
    tcb = program.tcb(fd)
    blocked = calls.close(program.table, fd, wait, program.now)
    assert isinstance(blocked, Blocked)
    for queue in blocked.queues:
        queue.add(sleeper)
    seg = Segment(arriving(tcb.flow), 7_001, tcb.snd_nxt & 0xFFFFFFFF, ACK, 60_000)
    assert sleeper.woken == 0
    program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg), 0, program.now)
    assert sleeper.woken > 0
    assert calls.close(program.table, fd, wait, program.now) is None
