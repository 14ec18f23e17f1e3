"""Options that people set beside those of the notes: what packets and calls show of them."""

from contextlib import suppress
from errno import EINVAL, EPERM
from typing import Final

import pytest
from tests.unit.sockets.hosts import alone, error
from tests.unit.sockets.socks import HERE, IRS, PEER, Socks

from halfopen.base.errors import NotSimulatedError
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, FIN, RST, SYN, Segment

TOS: Final = 0x10
TTL: Final = 33


class Shown(Socks):
    """What packets show: TTL, TOS and flags of each that was sent."""

    def packets(self) -> list[Packet]:
        found = [load for _, load in self.kernel.outbox if isinstance(load, Packet)]
        self.kernel.outbox.clear()
        return found

    def shown(self) -> list[tuple[int, int]]:
        return [(packet.ttl, packet.tos) for packet in self.packets()]

    def mark(self, fd: int) -> None:
        for name, setting in ((c.IP_TOS, TOS), (c.IP_TTL, TTL)):
            calls.setsockopt(self.table, fd, c.IPPROTO_IP, name, setting, self.now)

    def set(self, fd: int, name: int, setting: int) -> None:
        calls.setsockopt(self.table, fd, c.IPPROTO_TCP, name, setting, self.now)

    def get(self, fd: int, name: int) -> object:
        return calls.getsockopt(self.table, fd, c.IPPROTO_TCP, name, 0, self.now)

    def connecting(self, *, clamp: int = 0, rcvbuf: int = 0) -> tuple[int, Segment]:
        """Connect; return the descriptor and the SYN."""
        fd = self.socket()
        if rcvbuf:
            calls.setsockopt(self.table, fd, c.SOL_SOCKET, c.SO_RCVBUF, rcvbuf, self.now)
        if clamp:
            self.set(fd, c.TCP_WINDOW_CLAMP, clamp)
        with suppress(BlockingIOError):
            calls.connect(self.table, fd, (PEER, 80), Wait(self.now), self.now)
        (syn,) = self.sent()
        return fd, syn

    def comes(self, flags: int, seq: int, ack: int, *, tos: int = 0) -> None:
        seg = Segment(self.peers_flow(), seq, ack, flags, 60_000)
        self.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg, tos=tos), 0, self.now)


def test_a_connections_segments_have_its_ttl_and_tos() -> None:
    socks = Shown()
    fd = socks.opened()
    socks.mark(fd)
    calls.send(socks.table, fd, b"x", 0, Wait(socks.now), socks.now)
    assert socks.shown() == [(TTL, TOS)]
    for name, setting in ((c.IP_TOS, 0), (c.IP_TTL, -1)):
        calls.setsockopt(socks.table, fd, c.IPPROTO_IP, name, setting, socks.now)
    calls.send(socks.table, fd, b"x", c.MSG_OOB, Wait(socks.now), socks.now)
    assert socks.shown() == [(64, 0)]


def test_a_tos_alone_leaves_the_hosts_ttl() -> None:
    socks = Shown({"net.ipv4.ip_default_ttl": 77})
    fd = socks.opened()
    calls.setsockopt(socks.table, fd, c.IPPROTO_IP, c.IP_TOS, TOS, socks.now)
    calls.send(socks.table, fd, b"x", 0, Wait(socks.now), socks.now)
    assert socks.shown() == [(77, TOS)]


def test_a_listeners_ttl_and_tos_are_those_of_what_comes() -> None:
    socks = Shown()
    fd = socks.socket()
    socks.mark(fd)
    calls.bind(socks.table, fd, (HERE, 80), socks.now)
    calls.listen(socks.table, fd, 5, socks.now)
    socks.arrives(Segment((PEER, 40_000, HERE, 80), 5_000, 0, SYN, 60_000))
    ((_, synack),) = [(p, p.body) for p in socks.packets() if (p.ttl, p.tos) == (TTL, TOS)]
    assert isinstance(synack, Segment)
    socks.comes(ACK, 5_001, synack.seq + 1)
    accepted = calls.accept(socks.table, fd, Wait(socks.now), socks.now)
    assert not isinstance(accepted, Blocked), "a connection waits"
    child, _ = accepted
    calls.send(socks.table, child, b"x", 0, Wait(socks.now), socks.now)
    assert socks.shown() == [(TTL, TOS)]


def test_an_rst_that_answers_is_no_sockets() -> None:
    """Linux tcp_v4_send_reset: with the TOS of what it answers."""
    socks = Shown()
    fd = socks.opened()
    socks.mark(fd)
    nxt = socks.tcb().snd_nxt & 0xFFFFFFFF
    calls.close(socks.table, fd, Wait(socks.now), socks.now)
    assert socks.shown() == [(TTL, TOS)]
    seg = Segment(socks.peers_flow(), IRS + 1, nxt, ACK, 60_000, b"late")
    socks.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg, tos=0x22), 0, socks.now)
    assert socks.shown() == [(64, 0x20)]


def test_nor_is_one_from_where_nobody_listens() -> None:
    socks = Shown()
    seg = Segment((PEER, 40_000, HERE, 80), 5_000, 0, SYN, 60_000)
    socks.kernel.receive(Packet(PEER, HERE, PROTO_TCP, seg, tos=0x48), 0, socks.now)
    (packet,) = socks.packets()
    assert isinstance(packet.body, Segment)
    assert (packet.body.flags, packet.ttl, packet.tos) == (RST | ACK, 64, 0x48)
    fd = socks.opened()
    calls.setsockopt(socks.table, fd, c.SOL_SOCKET, c.SO_LINGER, b"\1" + bytes(7), socks.now)
    calls.close(socks.table, fd, Wait(socks.now), socks.now)
    assert socks.shown() == [(64, 0)], "and what is sent later is no answer to it"


def test_an_rst_that_answers_nothing_has_no_tos() -> None:
    """Linux tcp_send_active_reset, though what came last, and was not answered, had one."""
    socks = Shown()
    fd = socks.opened()
    socks.packets()
    socks.comes(ACK, IRS + 1, socks.tcb().snd_nxt & 0xFFFFFFFF, tos=0x48)
    calls.setsockopt(socks.table, fd, c.SOL_SOCKET, c.SO_LINGER, b"\1" + bytes(7), socks.now)
    calls.close(socks.table, fd, Wait(socks.now), socks.now)
    assert socks.shown() == [(64, 0)]


def test_time_wait_keeps_the_tos_alone() -> None:
    socks = Shown()
    fd = socks.opened()
    socks.mark(fd)
    calls.close(socks.table, fd, Wait(socks.now), socks.now)
    socks.packets()
    nxt = socks.tcb().snd_nxt & 0xFFFFFFFF
    socks.comes(FIN | ACK, IRS + 1, nxt)
    assert socks.shown() == [(TTL, TOS)], "the last ACK is the connection's own"
    socks.now += 1
    socks.comes(FIN | ACK, IRS + 1, nxt)
    assert socks.shown() == [(64, TOS)]


def test_a_datagram_has_its_sockets_ttl_and_tos() -> None:
    socks = Shown()
    fd = calls.socket(socks.table, c.AF_INET, c.SOCK_DGRAM, 0, socks.now)
    for expected in ((64, 0), (TTL, TOS)):
        calls.sendto(socks.table, fd, b"x", 0, (PEER, 7), Wait(socks.now), socks.now)
        assert socks.shown() == [expected]
        socks.mark(fd)


@pytest.mark.parametrize("name", sorted({b"cubic", b"bbr\0"}))
def test_only_reno_is_simulated(name: bytes) -> None:
    program = alone()
    with pytest.raises(NotSimulatedError, match="only reno"):
        program.set(program.stream(), c.IPPROTO_TCP, c.TCP_CONGESTION, name)


@pytest.mark.parametrize(
    ("level", "name", "setting", "refused"),
    [
        (c.SOL_SOCKET, c.SO_MARK, 1, True),
        (c.SOL_SOCKET, c.SO_RCVBUFFORCE, 5000, True),
        (c.SOL_SOCKET, c.SO_SNDBUFFORCE, 5000, True),
        (c.SOL_SOCKET, c.SO_PRIORITY, 7, True),
        (c.SOL_SOCKET, c.SO_PRIORITY, -1, True),
        (c.SOL_SOCKET, c.SO_PRIORITY, 6, False),
        (c.IPPROTO_TCP, c.TCP_NODELAY, 1, False),
    ],
)
def test_some_options_are_the_superusers(
    level: int, name: int, setting: int, *, refused: bool
) -> None:
    program = alone()
    program.table = FdTable(program.kernel, privileged=False)
    fd = program.stream()
    if refused:
        assert error(lambda: program.set(fd, level, name, setting)) == EPERM
    else:
        program.set(fd, level, name, setting)


@pytest.mark.parametrize(
    ("clamp", "rcvbuf", "window", "scale"),
    [
        (0, 0, 64_240, 10),
        (5_000, 0, 4_380, 0),
        (1, 0, 1_152, 0),
        (100_000, 0, 64_240, 1),
        (0, 5_000, 4_380, 0),
        (2_000, 5_000, 1_460, 0),
        (50_000, 5_000, 4_380, 0),
    ],
)
def test_a_clamp_bounds_the_first_window_and_the_scale(
    clamp: int, rcvbuf: int, window: int, scale: int
) -> None:
    _, syn = Shown().connecting(clamp=clamp, rcvbuf=rcvbuf)
    assert (syn.wnd, syn.wscale) == (window, scale)


def test_a_clamp_can_be_taken_back_before_there_is_a_connection() -> None:
    socks = Shown()
    fd = socks.socket()
    for setting, kept in ((5_000, 5_000), (0, 0)):
        socks.set(fd, c.TCP_WINDOW_CLAMP, setting)
        assert socks.get(fd, c.TCP_WINDOW_CLAMP) == kept
    opened = socks.opened()
    assert error(lambda: socks.set(opened, c.TCP_WINDOW_CLAMP, 0)) == EINVAL
    socks.set(opened, c.TCP_WINDOW_CLAMP, 3_000)
    assert (socks.get(opened, c.TCP_WINDOW_CLAMP), socks.tcb().rcv_ssthresh) == (3_000, 3_000)


def test_no_more_is_taken_than_may_be_unsent() -> None:
    """Linux tcp_stream_memory_free: half of it makes it writeable again."""
    socks = Shown()
    fd = socks.opened()
    calls.setsockopt(socks.table, fd, c.SOL_SOCKET, c.SO_SNDBUF, 1 << 20, socks.now)
    socks.set(fd, c.TCP_NOTSENT_LOWAT, 3_000)
    assert socks.get(fd, c.TCP_NOTSENT_LOWAT) == 3_000
    taken = calls.send(socks.table, fd, bytes(1 << 20), 0, Wait(socks.now), socks.now)
    tcb = socks.tcb()
    unsent = tcb.write_seq - tcb.snd_nxt
    assert isinstance(taken, int)
    assert 3_000 <= unsent < 3_000 + (1 << 16)
    assert not calls.poll(socks.table, [(fd, c.POLLOUT)], 0, Wait(socks.now), socks.now)
    socks.set(fd, c.TCP_NOTSENT_LOWAT, 2 * unsent + 1)
    assert calls.poll(socks.table, [(fd, c.POLLOUT)], 0, Wait(socks.now), socks.now)
    socks.set(fd, c.TCP_NOTSENT_LOWAT, 0)
    assert tcb.notsent_lowat == 0xFFFFFFFF


def test_what_may_be_unsent_is_said_before_the_connection_too() -> None:
    socks = Shown({"net.ipv4.tcp_notsent_lowat": 9_000})
    fd, _ = socks.connecting()
    assert socks.tcb().notsent_lowat == 9_000
    other = Shown()
    fd = other.socket()
    other.set(fd, c.TCP_NOTSENT_LOWAT, -1)
    assert other.get(fd, c.TCP_NOTSENT_LOWAT) == -1


def test_a_low_water_mark_makes_room_for_itself() -> None:
    """Linux tcp_set_rcvlowat."""
    socks = Shown()
    fd = socks.opened()
    tcb = socks.tcb()
    before, clamp = tcb.rcvbuf, tcb.window_clamp
    for mark in (100, 500_000):
        calls.setsockopt(socks.table, fd, c.SOL_SOCKET, c.SO_RCVLOWAT, mark, socks.now)
    assert tcb.rcvbuf >= 500_000 > before
    assert tcb.window_clamp == 500_000 > clamp


def test_a_low_water_mark_makes_room_before_the_connection_too() -> None:
    socks = Shown()
    fd = socks.socket()
    calls.setsockopt(socks.table, fd, c.SOL_SOCKET, c.SO_RCVLOWAT, 500_000, socks.now)
    with suppress(BlockingIOError):
        calls.connect(socks.table, fd, (PEER, 80), Wait(socks.now), socks.now)
    assert socks.tcb().rcvbuf == 1_000_000
