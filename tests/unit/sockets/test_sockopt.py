"""setsockopt and getsockopt, beside what the rows of the guests show."""

from errno import EINVAL

import pytest
from tests.unit.sockets.socks import HERE, PEER, Socks

from halfopen.base.units import S
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.wire.tcp import SYN, Segment


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
