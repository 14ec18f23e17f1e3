"""Options that a program without privileges, or one on its own host, can't show."""

import struct
from errno import EAGAIN, ECONNRESET, EHOSTUNREACH, EINVAL, ENOPROTOOPT, ENOTTY, EOPNOTSUPP, EPERM

import pytest
from tests.unit.sockets.hosts import HERE, PEER, Program, alone, error

from halfopen.base.build import running_build
from halfopen.base.errors import NotSimulatedError
from halfopen.net.demux import arriving
from halfopen.sockets import calls, sockopt4, sockopt_socket, sockopt_tcp, sockopt_udp
from halfopen.sockets import constants as c
from halfopen.sockets.ioctl import SIOCATMARK
from halfopen.sockets.options import FIELDS, Options
from halfopen.sockets.table import FdTable
from halfopen.tcp.errqueue import Report
from halfopen.tcp.icmp import keep
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, SYN, Segment

ROUTER = "10.0.0.254"
#: A third of ``struct tcp_info`` from where the segments are counted.
UNACKED, SACKED, LOST, RETRANS = 12, 13, 14, 15


@pytest.mark.skipif(
    running_build() == "compiled", reason="a compiled object does not list its attributes"
)
def test_a_copy_says_the_same() -> None:
    options = Options(alone().kernel.config)
    assert set(vars(options)) - {"shared"} == set(FIELDS)


@pytest.mark.parametrize(
    ("name", "asked", "given"),
    [
        pytest.param(c.SO_RCVBUFFORCE, 1 << 25, 1 << 26, id="more than rmem_max"),
        pytest.param(c.SO_RCVBUFFORCE, -1, 2304, id="a negative one"),
        pytest.param(c.SO_SNDBUFFORCE, 1 << 25, 1 << 26, id="more than wmem_max"),
        pytest.param(c.SO_RCVBUF, -1, 2 * 4_194_304, id="no negative one: a very large one"),
        pytest.param(c.SO_SNDBUF, -1, 2 * 4_194_304, id="of sending, too"),
    ],
)
def test_a_privileged_program_sets_buffers_beyond_the_limit(
    name: int, asked: int, given: int
) -> None:
    """Linux __sock_set_rcvbuf."""
    program = alone()
    fd = program.stream()
    program.set(fd, c.SOL_SOCKET, name, asked)
    reading = c.SO_RCVBUF if name in {c.SO_RCVBUF, c.SO_RCVBUFFORCE} else c.SO_SNDBUF
    assert program.get(fd, c.SOL_SOCKET, reading) == given


def test_a_low_water_mark_below_nothing_is_the_highest() -> None:
    program = alone({"net.ipv4.tcp_rmem": "4096 16384 100000"})
    fd = program.stream()
    program.set(fd, c.SOL_SOCKET, c.SO_RCVLOWAT, -1)
    assert program.get(fd, c.SOL_SOCKET, c.SO_RCVLOWAT) == 50_000
    assert program.get(fd, c.SOL_SOCKET, c.SO_RCVBUF) == 100_000


GAPS = {
    (c.SOL_SOCKET, kind): sockopt_socket.NOT_SIMULATED for kind in (c.SOCK_STREAM, c.SOCK_DGRAM)
} | {
    (c.IPPROTO_IP, c.SOCK_STREAM): sockopt4.NOT_SIMULATED,
    (c.IPPROTO_IP, c.SOCK_DGRAM): sockopt4.NOT_SIMULATED,
    (c.IPPROTO_TCP, c.SOCK_STREAM): sockopt_tcp.NOT_SIMULATED,
    (c.IPPROTO_UDP, c.SOCK_DGRAM): sockopt_udp.NOT_SIMULATED,
}


@pytest.mark.parametrize(("level", "kind"), GAPS)
def test_what_is_not_simulated_says_so(level: int, kind: int) -> None:
    """Also of a value that would be too short: what is not simulated is not looked at."""
    program = alone()
    fd = calls.socket(program.table, c.AF_INET, kind, 0, program.now)
    for name, shown in GAPS[level, kind].items():
        for value in (1, b"x"):
            with pytest.raises(NotSimulatedError, match=f"{shown} is not simulated"):
                program.set(fd, level, name, value)
        with pytest.raises(NotSimulatedError, match=f"{shown} is not simulated"):
            program.get(fd, level, name)


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
@pytest.mark.parametrize("name", [c.SO_RCVBUFFORCE, c.SO_SNDBUFFORCE, c.SO_MARK, c.SO_PRIORITY])
def test_a_number_that_is_too_short_comes_before_whose_it_is(name: int, kind: int) -> None:
    """Linux sk_setsockopt; held against the kernel in tests/scenarios/test_beside.py."""
    program = alone()
    program.table = FdTable(program.kernel, privileged=False)
    fd = calls.socket(program.table, c.AF_INET, kind, 0, program.now)
    for value, expected in ((b"", EINVAL), (b"\7\0", EINVAL), (b"\7\0\0\0", EPERM)):
        with pytest.raises(OSError, match=f"Errno {expected}"):
            program.set(fd, c.SOL_SOCKET, name, value)


def test_datagrams_have_a_low_water_mark_that_nothing_looks_at() -> None:
    """Held against the kernel, as the next one."""
    program = alone()
    fd = program.datagram()
    for asked, given in ((0, 1), (5_000_000, 5_000_000), (-1, (1 << 31) - 1)):
        program.set(fd, c.SOL_SOCKET, c.SO_RCVLOWAT, asked)
        assert program.get(fd, c.SOL_SOCKET, c.SO_RCVLOWAT) == given
    assert program.get(fd, c.SOL_SOCKET, c.SO_SNDLOWAT) == 1


@pytest.mark.parametrize(
    ("level", "name", "on_reading"),
    [
        (c.IPPROTO_UDP, 9999, ENOPROTOOPT),
        (c.IPPROTO_TCP, c.TCP_CONGESTION, EOPNOTSUPP),
        (c.IPPROTO_IPV6, c.IPV6_V6ONLY, EOPNOTSUPP),
    ],
)
def test_what_udp_does_not_know(level: int, name: int, on_reading: int) -> None:
    program = alone()
    fd = program.datagram()
    assert error(lambda: program.set(fd, level, name, b"reno")) == ENOPROTOOPT
    assert error(lambda: program.get(fd, level, name, 16)) == on_reading
    short = error(lambda: program.set(fd, level, name, b"1"))
    assert short == (EINVAL if level == c.IPPROTO_UDP else ENOPROTOOPT)


@pytest.mark.parametrize("size", [-1, 1025])
def test_a_length_that_no_option_has(size: int) -> None:
    program = alone()
    fd = program.stream()
    assert error(lambda: program.get(fd, c.SOL_SOCKET, c.SO_TYPE, size)) == EINVAL


def counts(program: Program, fd: int) -> tuple[int, ...]:
    """In flight, SACKed, lost, sent again, as TCP_INFO tells them."""
    info = program.get(fd, c.IPPROTO_TCP, c.TCP_INFO, 104)
    assert isinstance(info, bytes)
    fields = struct.unpack("=8B24I", info)
    return tuple(fields[place] for place in (UNACKED, SACKED, LOST, RETRANS))


def test_tcp_info_counts_what_is_in_flight() -> None:
    program = alone()
    fd = program.connecting()
    assert counts(program, fd) == (1, 0, 0, 0), "the SYN"
    tcb = program.tcb(fd)
    peer = arriving(tcb.flow)
    opened = Segment(peer, 7_000, tcb.iss + 1 & 0xFFFFFFFF, SYN | ACK, 60_000)
    opened.mss, opened.sack_ok = 1_460, True
    program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, opened), 0, program.now)
    calls.setsockopt(program.table, fd, c.IPPROTO_TCP, c.TCP_NODELAY, 1, program.now)
    for _ in range(5):
        calls.send(program.table, fd, b"x", 0, program.wait(), program.now)
    assert counts(program, fd) == (5, 0, 0, 0)
    una = tcb.snd_una & 0xFFFFFFFF
    sack = ((una + 2, una + 5),)
    reported = Segment(peer, 7_001, una, ACK, 60_000, sack=sack)
    program.kernel.receive(Packet(PEER, HERE, PROTO_TCP, reported), 0, program.now)
    assert counts(program, fd) == (4, 3, 1, 1), "the first two were sent again as one"


@pytest.mark.parametrize(
    ("name", "wrong"), [(c.IPV6_UNICAST_HOPS, 256), (c.IPV6_UNICAST_HOPS, -2), (c.IPV6_TCLASS, 256)]
)
def test_options_of_ipv6_have_limits(name: int, wrong: int) -> None:
    program = alone()
    fd = calls.socket(program.table, c.AF_INET6, c.SOCK_STREAM, 0, program.now)
    assert error(lambda: program.set(fd, c.IPPROTO_IPV6, name, wrong)) == EINVAL


@pytest.mark.parametrize("name", [c.IP_RECVERR, c.IP_TOS, c.IP_TTL])
@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
def test_what_ipv4_may_be_told_is_not_simulated_on_ipv6(kind: int, name: int) -> None:
    program = alone()
    fd = calls.socket(program.table, c.AF_INET6, kind, 0, program.now)
    with pytest.raises(NotSimulatedError, match=f"option {name} of IPPROTO_IP"):
        program.set(fd, c.IPPROTO_IP, name, 1)


def test_errors_about_a_syn_are_kept_until_they_are_taken_or_dropped() -> None:
    """Linux ip_icmp_error, sock_dequeue_err_skb; IP_RECVERR 0 empties the queue."""
    program = alone()
    fd = program.connecting()

    def take() -> object:
        wait = program.wait()
        return calls.recvmsg(program.table, fd, 9, 999, c.MSG_ERRQUEUE, wait, program.now)

    for _ in range(3):
        keep(program.tcb(fd), Report(EHOSTUNREACH, (PEER, 80), b"", origin=2, offender=ROUTER))
    assert program.poll(fd) & c.POLLERR
    for _ in range(2):
        take()
        assert program.get(fd, c.SOL_SOCKET, c.SO_ERROR) == EHOSTUNREACH, "of the next one"
    take()
    assert program.get(fd, c.SOL_SOCKET, c.SO_ERROR) == 0
    assert error(take) == EAGAIN
    keep(program.tcb(fd), Report(EHOSTUNREACH, (PEER, 80), b"", origin=2, offender=ROUTER))
    program.set(fd, c.IPPROTO_IP, c.IP_RECVERR, 1)
    program.set(fd, c.IPPROTO_IP, c.IP_RECVERR, 0)
    assert error(take) == EAGAIN
    assert not program.poll(fd) & c.POLLERR


def test_errors_outlast_the_connection_that_was_given_up() -> None:
    """Linux tcp_disconnect tells of itself; sk_error_queue stays, each report names the next."""
    program = alone()
    fd = program.connecting()
    for _ in range(2):
        keep(program.tcb(fd), Report(EHOSTUNREACH, (PEER, 80), b"", origin=2, offender=ROUTER))
    calls.disconnect(program.table, fd, program.now)
    assert program.get(fd, c.SOL_SOCKET, c.SO_ERROR) == ECONNRESET
    for left in (EHOSTUNREACH, 0):
        wait = program.wait()
        calls.recvmsg(program.table, fd, 9, 999, c.MSG_ERRQUEUE, wait, program.now)
        assert program.get(fd, c.SOL_SOCKET, c.SO_ERROR) == left


def test_datagrams_have_no_mark() -> None:
    """Linux udp_ioctl."""
    program = alone()
    fd = program.datagram()
    assert error(lambda: calls.ioctl(program.table, fd, SIOCATMARK, program.now)) == ENOTTY
