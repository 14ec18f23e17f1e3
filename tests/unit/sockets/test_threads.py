"""Two threads of a program in calls on one socket at once."""

from errno import ECONNREFUSED, EMFILE, EPIPE

import pytest
from tests.unit.sockets.hosts import alone, error
from tests.unit.sockets.socks import HERE, IRS, PEER, WINDOW, Socks

from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.wire.tcp import ACK, PSH, RST, SYN, Segment


class Connecting(Socks):
    """A blocking socket whose connect waits."""

    def __init__(self) -> None:
        super().__init__()
        self.fd = calls.socket(self.table, c.AF_INET, c.SOCK_STREAM, 0, self.now)
        self.first = Wait(self.now)
        assert isinstance(self.connect(self.first), Blocked)
        (self.syn,) = self.sent()

    def connect(self, wait: Wait) -> object:
        return calls.connect(self.table, self.fd, (PEER, 80), wait, self.now)

    def write(self, wait: Wait) -> object:
        return calls.send(self.table, self.fd, b"hello", 0, wait, self.now)

    def receive(self, wait: Wait) -> object:
        return calls.recv(self.table, self.fd, 10, 0, wait, self.now)

    def answered(self, flags: int) -> None:
        """Let the peer's answer to the SYN come."""
        seq = IRS if flags & SYN else 0
        flow = arriving(self.syn.flow)
        self.arrives(Segment(flow, seq, self.syn.seq + 1, flags, WINDOW, mss=1_460))


@pytest.mark.parametrize("call", ["connect", "write", "receive"])
def test_a_failed_attempt_is_told_to_one_and_to_the_others_that_it_is_over(call: str) -> None:
    socks, second = Connecting(), Wait(0)
    assert isinstance(getattr(socks, call)(second), Blocked)
    socks.answered(RST | ACK)
    assert error(lambda: socks.connect(socks.first)) == ECONNREFUSED
    assert error(lambda: getattr(socks, call)(second)) == EPIPE


def test_the_acknowledgment_of_the_syn_waits_for_who_wants_to_send() -> None:
    socks, second = Connecting(), Wait(0)
    assert isinstance(socks.write(second), Blocked)
    socks.answered(SYN | ACK)
    assert not socks.sent()
    assert socks.connect(socks.first) is None
    assert socks.write(second) == 5
    (data,) = socks.sent()
    assert (data.flags, data.text) == (PSH | ACK, b"hello")


def test_not_for_who_has_given_up() -> None:
    socks = Connecting()
    calls.setsockopt(
        socks.table, socks.fd, c.SOL_SOCKET, c.SO_SNDTIMEO, bytes(8) + b"\x01" + bytes(7), 0
    )
    second = Wait(socks.now)
    blocked = socks.write(second)
    assert isinstance(blocked, Blocked)
    assert blocked.deadline is not None
    socks.now = blocked.deadline
    assert error(lambda: socks.write(second))
    socks.answered(SYN | ACK)
    (ack,) = socks.sent()
    assert (ack.flags, ack.text) == (ACK, b"")


def test_accept_has_its_number_before_it_waits() -> None:
    socks = Socks()
    fd = calls.socket(socks.table, c.AF_INET, c.SOCK_STREAM, 0, socks.now)
    calls.bind(socks.table, fd, (HERE, 80), socks.now)
    calls.listen(socks.table, fd, 5, socks.now)
    wait = Wait(socks.now)
    assert isinstance(calls.accept(socks.table, fd, wait, socks.now), Blocked)
    assert socks.socket() == fd + 2
    calls.shutdown(socks.table, fd, c.SHUT_RD, socks.now)
    assert error(lambda: calls.accept(socks.table, fd, wait, socks.now))
    assert socks.socket() == fd + 1


def test_accept_does_not_wait_where_no_number_is_left() -> None:
    program = alone(nofile_max=4)
    fd = program.listener()
    assert error(lambda: calls.accept(program.table, fd, program.wait(), program.now)) == EMFILE
