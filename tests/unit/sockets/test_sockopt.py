"""setsockopt and getsockopt, beside what the rows of the guests show."""

import struct
from contextlib import suppress
from errno import EINVAL, EPERM

import pytest
from tests.unit.sockets.socks import HERE, IRS, PEER, Socks

from halfopen.base.units import S
from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Wait
from halfopen.wire.tcp import ACK, SYN, Segment


def syncnt(socks: Socks, fd: int, value: int) -> None:
    calls.setsockopt(socks.table, fd, c.IPPROTO_TCP, c.TCP_SYNCNT, value, socks.now)


def synacks(socks: Socks) -> int:
    """Let a SYN come that nobody will go on from, and count the answers."""
    socks.arrives(Segment((PEER, 40_000, HERE, 80), 5_000, 0, SYN, 1_000))
    socks.wait(300 * S)
    return len(socks.sent())


def listening(socks: Socks, *, first: int = 0) -> int:
    fd = socks.socket()
    calls.bind(socks.table, fd, (HERE, 80), socks.now)
    if first:
        syncnt(socks, fd, first)
    calls.listen(socks.table, fd, 5, socks.now)
    return fd


def test_a_listener_repeats_its_answer_as_tcp_synack_retries_says() -> None:
    socks = Socks()
    listening(socks)
    assert synacks(socks) == 1 + 5


def test_or_as_tcp_syncnt_said_before_it_listened() -> None:
    socks = Socks()
    listening(socks, first=2)
    assert synacks(socks) == 1 + 2


def test_or_says_afterwards() -> None:
    socks = Socks()
    fd = listening(socks, first=2)
    syncnt(socks, fd, 1)
    assert synacks(socks) == 1 + 1


def test_tcp_syncnt_is_tcp_syn_retries_where_nobody_set_it() -> None:
    socks = Socks({"net.ipv4.tcp_syn_retries": 3})
    fd = socks.socket()
    assert calls.getsockopt(socks.table, fd, c.IPPROTO_TCP, c.TCP_SYNCNT, 0, socks.now) == 3
    syncnt(socks, fd, 4)
    assert calls.getsockopt(socks.table, fd, c.IPPROTO_TCP, c.TCP_SYNCNT, 0, socks.now) == 4


@pytest.mark.parametrize("value", [-1, 0, 128])
def test_tcp_syncnt_has_bounds(value: int) -> None:
    socks = Socks()
    with pytest.raises(OSError, match=f"Errno {EINVAL}"):
        syncnt(socks, socks.socket(), value)


def test_tcp_syncnt_of_a_connection_counts_at_once() -> None:
    socks = Socks()
    fd = socks.opened()
    syncnt(socks, fd, 4)
    assert socks.tcb().syn_retries == 4


def defer(socks: Socks, fd: int, value: int) -> int | bytes:
    """Set TCP_DEFER_ACCEPT, and read it."""
    key = (c.IPPROTO_TCP, c.TCP_DEFER_ACCEPT)
    calls.setsockopt(socks.table, fd, *key, value, socks.now)
    return calls.getsockopt(socks.table, fd, *key, 0, socks.now)


def test_tcp_defer_accept_is_kept_in_timeouts_of_a_syn_ack() -> None:
    """Rounded up; an octet holds no more, and none is longer than two minutes."""
    socks = Socks()
    fd = socks.socket()
    asked = (0, -1, 1, 2, 3, 4, 15, 16, 127, 128, 1_000_000)
    told = [defer(socks, fd, seconds) for seconds in asked]
    assert told == [0, 0, 1, 3, 3, 7, 15, 31, 127, 247, 127 + 248 * 120]


def test_a_listener_hears_of_tcp_defer_accept_before_and_afterwards() -> None:
    socks = Socks()
    fd = socks.socket()
    calls.bind(socks.table, fd, (HERE, 80), socks.now)
    defer(socks, fd, 3)
    calls.listen(socks.table, fd, 5, socks.now)
    file = socks.table.files[fd]
    assert isinstance(file, TcpSock)
    assert file.listening is not None
    assert file.listening.defer_accept == 2
    defer(socks, fd, 0)
    assert file.listening.defer_accept == 0


def test_a_connection_hears_of_tcp_defer_accept_too() -> None:
    socks = Socks()
    fd = socks.opened()
    assert socks.tcb().defer_accept == 0
    defer(socks, fd, 1)
    assert socks.tcb().defer_accept == 1


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
@pytest.mark.parametrize(
    ("force", "plain", "least"),
    [(c.SO_RCVBUFFORCE, c.SO_RCVBUF, 2304), (c.SO_SNDBUFFORCE, c.SO_SNDBUF, 4608)],
)
def test_by_force_a_buffer_is_as_large_as_was_asked_for(
    kind: int, force: int, plain: int, least: int
) -> None:
    """Held against the kernel in N42: the superuser is not bound by net.core.rmem_max."""
    socks = Socks()
    fd = calls.socket(socks.table, c.AF_INET, kind, 0, socks.now)

    def reads(name: int, value: int) -> object:
        calls.setsockopt(socks.table, fd, c.SOL_SOCKET, name, value, socks.now)
        return calls.getsockopt(socks.table, fd, c.SOL_SOCKET, plain, 0, socks.now)

    most = 2 * 4_194_304
    assert [reads(plain, value) for value in (0, 5000, 1 << 30, -1)] == [least, 10_000, most, most]
    assert [reads(force, value) for value in (0, 5_000_000, -1)] == [least, 10_000_000, least]
    assert reads(force, 1 << 30) == 2**31 - 2


def test_the_first_window_is_as_large_as_the_buffer_was_made_before() -> None:
    """Linux tcp_select_initial_window; held against the kernel in N42."""
    socks = Socks()
    fd = socks.socket()
    calls.setsockopt(socks.table, fd, c.SOL_SOCKET, c.SO_RCVBUF, 400_000, socks.now)
    with suppress(BlockingIOError):
        calls.connect(socks.table, fd, (PEER, 80), Wait(socks.now), socks.now)
    (syn,) = socks.sent()
    assert (syn.wnd, syn.wscale) == (65535, 3)
    flow = arriving(syn.flow)
    socks.arrives(Segment(flow, IRS, syn.seq + 1, SYN | ACK, 60_000, mss=1_460, wscale=7))
    (ack,) = socks.sent()
    whole = 400_000 // 1460 * 1460
    assert ack.wnd == -(-whole >> 3)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (c.SO_RCVBUFFORCE, 5000, EPERM),
        (c.SO_SNDBUFFORCE, 5000, EPERM),
        (c.SO_PRIORITY, 7, EPERM),
        (c.SO_PRIORITY, struct.pack("=i", -1), EPERM),
        (c.SO_PRIORITY, 6, 0),
        (c.SO_RCVBUF, 5000, 0),
    ],
)
def test_some_options_are_the_superusers(name: int, value: int | bytes, error: int) -> None:
    """Linux sk_setsockopt: CAP_NET_ADMIN."""
    socks = Socks()
    for table, expected in (
        (FdTable(socks.kernel, privileged=False), error),
        (FdTable(socks.kernel), 0),
    ):
        fd = calls.socket(table, c.AF_INET, c.SOCK_STREAM, 0, socks.now)
        found = 0
        try:
            calls.setsockopt(table, fd, c.SOL_SOCKET, name, value, socks.now)
        except OSError as failed:
            found = failed.errno or 0
        assert found == expected
