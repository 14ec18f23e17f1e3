"""IPv6 on a socket that has had a connection of IPv4: Linux goes on sending IPv4 (ipv6_mapped)."""

from errno import EAGAIN, ECONNRESET, EHOSTUNREACH, EINPROGRESS, EINVAL, ENETUNREACH

import pytest
from tests.unit.sockets.hosts import HERE, NOWHERE, PEER, Program, alone, error

from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.tcp.deadlines import next_deadline
from halfopen.tcp.states import State
from halfopen.wire import ip, tcp
from halfopen.wire.address import LOOPBACK4_IPV6
from halfopen.wire.errors import WireError
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, PSH, RST, SYN, Segment

HERE6, PEER6 = "2001:db8::1", "2001:db8::2"


def both() -> Program:
    """A program on a host whose two links lead to a peer, by IPv4 and by IPv6."""
    program = alone()
    program.kernel.add_interface("eth1", (HERE6,), peers=(PEER6,))
    return program


def stream6(program: Program) -> int:
    kind = c.SOCK_STREAM | c.SOCK_NONBLOCK
    return calls.socket(program.table, c.AF_INET6, kind, 0, program.now)


def connects(program: Program, fd: int, host: str, port: int = 80) -> int:
    """Connect, and return what connect tells."""
    to = (host, port, 0, 0)
    return error(lambda: calls.connect(program.table, fd, to, program.wait(), program.now))


def binds(program: Program, fd: int, host: str, port: int = 0) -> None:
    calls.bind(program.table, fd, (host, port, 0, 0), program.now)


def after_ipv4(program: Program, host: str = PEER) -> int:
    """A socket that was to be connected by IPv4, to port 79, and is no more."""
    fd = stream6(program)
    assert connects(program, fd, f"::ffff:{host}", 79) == EINPROGRESS
    calls.disconnect(program.table, fd, program.now)
    program.leaves()
    return fd


def listens(program: Program, fd: int, port: int = 80) -> int:
    binds(program, fd, "::", port)
    calls.listen(program.table, fd, 8, program.now)
    return fd


def accepts(program: Program, fd: int) -> int:
    calls.setblocking(program.table, fd, False)
    given = calls.accept(program.table, fd, program.wait(), program.now)
    assert isinstance(given, tuple)
    calls.setblocking(program.table, given[0], False)
    return given[0]


def name(program: Program, fd: int) -> str:
    return calls.getsockname(program.table, fd)[0]


def repeats(program: Program, fd: int) -> list[Packet]:
    """Let the RTO of a connection pass."""
    at = next_deadline(program.tcb(fd))
    assert at is not None
    program.kernel.deadline_passed(program.tcb(fd), at)
    return program.leaves()


def came(program: Program, seg: Segment) -> None:
    """Let a segment come by the link of its family."""
    source, _, there, _ = seg.flow
    packet = Packet(source, there, PROTO_TCP, seg)
    program.kernel.receive(packet, int(":" in source), program.now)


def test_its_syn_is_one_of_ipv4_to_the_old_peer_with_a_wrong_checksum() -> None:
    program = both()
    fd = after_ipv4(program)
    program.set(fd, c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS, 7)
    assert connects(program, fd, PEER6, 81) == EINPROGRESS
    assert name(program, fd) == HERE6
    (packet,) = program.leaves()
    assert (packet.src, packet.dst, packet.ttl, packet.df) == (HERE, PEER, 64, True)
    with pytest.raises(WireError, match="checksum"):
        ip.decode(ip.encode(packet))
    assert isinstance(packet.body, bytes)
    syn = tcp.decode(packet.body, "0.0.0.0", PEER)
    port = program.sock(fd).num
    assert (syn.flow[1:], syn.flags, syn.mss) == ((port, PEER, 81), SYN, 1_460)
    (again,) = repeats(program, fd)
    assert (again.src, again.dst) == (HERE, PEER), "and so is its repetition"


def test_the_answer_finds_nobody() -> None:
    program = both()
    fd = after_ipv4(program)
    connects(program, fd, PEER6)
    tcb = program.tcb(fd)
    program.leaves()
    came(program, Segment((PEER, 80, HERE, tcb.flow[1]), 5_000, tcb.snd_nxt, SYN | ACK, 60_000))
    (refusal,) = program.leaves()
    assert isinstance(refusal.body, Segment)
    assert (refusal.body.flags, tcb.state) == (RST, State.SYN_SENT)
    came(program, Segment(arriving(tcb.flow), 5_000, tcb.snd_nxt + 9, SYN | ACK, 60_000))
    (answer,) = program.leaves()
    assert (answer.src, answer.dst) == (HERE6, PEER6), "what answers IPv6 is no socket's"


def test_a_segment_with_a_wrong_checksum_is_not_heard() -> None:
    program = both()
    listens(program, stream6(program))
    syn = Segment((PEER, 9, NOWHERE, 80), 5_000, 0, SYN, 60_000)
    packet = Packet(PEER, HERE, PROTO_TCP, tcp.encode(syn))
    program.kernel.receive(packet, 0, program.now)
    assert program.leaves() == []


def test_to_its_own_host_it_comes_from_the_way_and_is_in_vain() -> None:
    program = both()
    listener = listens(program, stream6(program))
    fd = after_ipv4(program, HERE)
    assert connects(program, fd, HERE6) == EINPROGRESS
    assert error(lambda: accepts(program, listener)) == EAGAIN
    assert program.tcb(fd).state is State.SYN_SENT
    assert list(program.kernel.ip.demux.flows.values()) == [program.tcb(fd)]


@pytest.mark.parametrize(
    ("own", "tie", "goes"),
    [
        pytest.param(HERE6, b"", (LOOPBACK4_IPV6, LOOPBACK4_IPV6), id="an address of IPv6"),
        pytest.param("::", b"", ("0.0.0.0", "127.0.0.1"), id="all addresses"),
        pytest.param("::", b"eth0", ("0.0.0.0", HERE), id="all addresses, of one interface"),
    ],
)
def test_bind_forgets_the_old_peer(own: str, tie: bytes, goes: tuple[str, str]) -> None:
    program = both()
    program.kernel.ip.routes.add(PEER6, program.kernel.ip.interfaces[0])
    fd = after_ipv4(program)
    binds(program, fd, own)
    program.set(fd, c.SOL_SOCKET, c.SO_BINDTODEVICE, tie)
    assert connects(program, fd, PEER6) == EINPROGRESS
    ((source, _, there, _),) = program.kernel.ip.demux.astray.values()
    assert (source, there) == goes
    assert program.leaves() == [], "the loopback has it"


def test_a_connection_of_ipv4_is_one_again() -> None:
    program = both()
    fd = after_ipv4(program)
    connects(program, fd, PEER6)
    calls.disconnect(program.table, fd, program.now)
    program.leaves()
    assert program.kernel.ip.demux.astray == {}
    assert connects(program, fd, f"::ffff:{PEER}") == EINPROGRESS
    (packet,) = program.leaves()
    assert isinstance(packet.body, Segment)


def test_where_connect_by_ipv4_fails_the_socket_is_as_before() -> None:
    program = both()
    fd = after_ipv4(program)
    assert connects(program, fd, f"::ffff:{NOWHERE}") == ENETUNREACH
    assert connects(program, fd, PEER6) == EINPROGRESS
    (packet,) = program.leaves()
    assert (packet.src, packet.dst) == (HERE6, PEER6)


@pytest.mark.parametrize(
    ("port", "holds"), [pytest.param(0, False, id="picked"), pytest.param(5_000, True, id="bound")]
)
def test_without_a_way_to_the_old_peer_connect_fails(port: int, holds: bool) -> None:
    program = both()
    fd = stream6(program)
    if port:
        binds(program, fd, "::", port)
    connects(program, fd, f"::ffff:{PEER}")
    calls.disconnect(program.table, fd, program.now)
    program.kernel.set_up(0, up=False, now=program.now)
    assert connects(program, fd, PEER6) == EHOSTUNREACH
    told = [program.get(fd, c.SOL_SOCKET, c.SO_ERROR) for _ in range(3)]
    assert told == [ECONNRESET, ENETUNREACH, 0]
    assert (name(program, fd), bool(program.sock(fd).num)) == ("::", holds)
    assert calls.getsockname(program.table, fd)[1] in ({port} if port else range(32_768, 61_000))


def test_the_way_to_the_old_peer_may_go_and_come_back() -> None:
    program = both()
    fd = after_ipv4(program)
    connects(program, fd, PEER6)
    tcb = program.tcb(fd)
    program.leaves()
    program.kernel.set_up(0, up=False, now=program.now)
    assert tcb.no_route == ENETUNREACH
    program.kernel.set_up(0, up=True, now=program.now)
    assert tcb.no_route == 0
    assert len(repeats(program, fd)) == 1


def test_one_that_is_tied_has_no_other_way_to_the_old_peer() -> None:
    program = both()
    fd = after_ipv4(program)
    connects(program, fd, PEER6)
    program.kernel.ip.routes.add(PEER, program.kernel.ip.interfaces[1])
    program.set(fd, c.SOL_SOCKET, c.SO_BINDTODEVICE, b"eth0")
    program.leaves()
    program.kernel.set_up(0, up=False, now=program.now)
    assert repeats(program, fd) == []
    program.set(fd, c.SOL_SOCKET, c.SO_BINDTODEVICE, b"")
    assert len(repeats(program, fd)) == 1


def test_what_its_listener_takes_of_ipv6_sends_to_nobody() -> None:
    program = both()
    listener = listens(program, after_ipv4(program))
    flow = (PEER6, 9, HERE6, 80)
    came(program, Segment(flow, 5_000, 0, SYN, 60_000))
    (answer,) = program.leaves()
    assert isinstance(answer.body, Segment)
    assert (answer.dst, answer.body.flags) == (PEER6, SYN | ACK), "no socket's yet"
    came(program, Segment(flow, 5_001, answer.body.seq + 1, ACK, 60_000))
    child = accepts(program, listener)
    came(program, Segment(flow, 5_001, answer.body.seq + 1, ACK | PSH, 60_000, b"abc"))
    program.set(child, c.IPPROTO_TCP, c.TCP_NODELAY, 1)
    got = calls.recv(program.table, child, 9, 0, program.wait(), program.now)
    sent = calls.send(program.table, child, b"xyz", 0, program.wait(), program.now)
    assert (got, sent, program.leaves()) == (b"abc", 3, [])
    assert program.kernel.ip.demux.astray == {
        arriving(flow): (LOOPBACK4_IPV6, 80, LOOPBACK4_IPV6, 9)
    }
    program.set(child, c.SOL_SOCKET, c.SO_BINDTODEVICE, b"eth0")
    calls.send(program.table, child, b"xyz", 0, program.wait(), program.now)
    assert program.leaves() == [], "what is the loopback's does not leave"
    program.set(child, c.SOL_SOCKET, c.SO_BINDTODEVICE, b"")
    calls.disconnect(program.table, child, program.now)
    assert connects(program, child, PEER6, 81) == EINPROGRESS
    assert program.leaves() == [], "nor does it itself, later"


def test_what_its_tied_listener_takes_has_no_way_afterwards() -> None:
    program = both()
    listener = after_ipv4(program)
    program.set(listener, c.SOL_SOCKET, c.SO_BINDTODEVICE, b"eth1")
    binds(program, listener, HERE6, 80)
    calls.listen(program.table, listener, 8, program.now)
    flow = (PEER6, 9, HERE6, 80)
    came(program, Segment(flow, 5_000, 0, SYN, 60_000))
    (answer,) = program.leaves()
    assert isinstance(answer.body, Segment)
    came(program, Segment(flow, 5_001, answer.body.seq + 1, ACK, 60_000))
    child = accepts(program, listener)
    calls.disconnect(program.table, child, program.now)
    program.get(child, c.SOL_SOCKET, c.SO_ERROR)
    assert connects(program, child, PEER6) == EHOSTUNREACH
    assert program.get(child, c.SOL_SOCKET, c.SO_ERROR) == EINVAL


def test_what_its_listener_takes_of_ipv4_is_sound() -> None:
    program = both()
    listener = listens(program, after_ipv4(program))
    flow = (PEER, 9, HERE, 80)
    came(program, Segment(flow, 5_000, 0, SYN, 60_000))
    (answer,) = program.leaves()
    assert isinstance(answer.body, Segment)
    came(program, Segment(flow, 5_001, answer.body.seq + 1, ACK, 60_000))
    child = accepts(program, listener)
    calls.send(program.table, child, b"xyz", 0, program.wait(), program.now)
    (text,) = program.leaves()
    assert isinstance(text.body, Segment)
    assert text.dst == PEER
    calls.disconnect(program.table, child, program.now)
    program.leaves()
    assert connects(program, child, PEER6, 81) == EINPROGRESS
    (syn,) = program.leaves()
    assert (syn.dst, isinstance(syn.body, bytes)) == (PEER, True)
