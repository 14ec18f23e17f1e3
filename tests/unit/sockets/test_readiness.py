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


def test_no_poll_is_begun_anew_after_a_signal() -> None:
    """Whatever SA_RESTART says (signal(7)); what is no poll is."""
    socks = Socks()
    fd, now = socks.opened(), socks.now
    calls.setblocking(socks.table, fd, True)
    epfd = calls.epoll_create(socks.table, now)
    polls = (
        calls.poll(socks.table, [(fd, c.POLLIN)], None, Wait(now), now),
        calls.select(socks.table, [fd], [], [], None, Wait(now), now),
        calls.epoll_wait(socks.table, epfd, 1, None, Wait(now), now),
    )
    for poll in polls:
        assert isinstance(poll, Blocked)
        assert not poll.restarts
    blocked = calls.recv(socks.table, fd, 1, 0, Wait(now), now)
    assert isinstance(blocked, Blocked)
    assert blocked.restarts


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
