"""poll and select while another thread closes what they wait for."""

from tests.unit.sockets.socks import HERE, Socks

from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.wire.tcp import FIN


def test_a_poll_that_waits_holds_what_is_closed_meanwhile() -> None:
    socks = Socks()
    fd, wait = socks.opened(), Wait(socks.now)
    asked = [(fd, c.POLLIN)]
    assert isinstance(calls.poll(socks.table, asked, None, wait, socks.now), Blocked)
    calls.close(socks.table, fd, Wait(socks.now), socks.now)
    assert not socks.sent()
    assert calls.poll(socks.table, asked, None, wait, socks.now) == [(fd, c.POLLNVAL)]
    (fin,) = socks.sent()
    assert fin.flags & FIN


def test_it_waits_where_it_began_to_whatever_takes_the_number() -> None:
    socks = Socks()
    fd, wait = socks.opened(), Wait(socks.now)
    asked = [(fd, c.POLLIN)]
    first = calls.poll(socks.table, asked, None, wait, socks.now)
    calls.close(socks.table, fd, Wait(socks.now), socks.now)
    assert socks.socket() == fd
    calls.bind(socks.table, fd, (HERE, 80), socks.now)
    calls.listen(socks.table, fd, 5, socks.now)
    again = calls.poll(socks.table, asked, None, wait, socks.now)
    assert isinstance(first, Blocked)
    assert isinstance(again, Blocked)
    assert again.queues == first.queues


def test_a_select_that_waits_holds_what_is_closed_meanwhile() -> None:
    socks = Socks()
    fd, wait = socks.opened(), Wait(socks.now)

    def select() -> object:
        return calls.select(socks.table, [fd], [], [], 50, wait, socks.now)

    assert isinstance(select(), Blocked)
    calls.close(socks.table, fd, Wait(socks.now), socks.now)
    assert not socks.sent()
    assert select() == ([fd], [], [])
    (fin,) = socks.sent()
    assert fin.flags & FIN


def test_what_a_dead_process_polled_is_let_go() -> None:
    socks = Socks()
    fd, wait = socks.opened(), Wait(socks.now)
    calls.poll(socks.table, [(fd, c.POLLIN)], None, wait, socks.now)
    socks.table.close_all(socks.now)
    (fin,) = socks.sent()
    assert fin.flags & FIN


def test_who_waits_longest_for_a_datagram_gets_it() -> None:
    socks = Socks()
    fd = calls.socket(socks.table, c.AF_INET, c.SOCK_DGRAM, 0, socks.now)
    blocked = calls.recv(socks.table, fd, 10, 0, Wait(socks.now), socks.now)
    assert isinstance(blocked, Blocked)
    assert blocked.exclusive
