"""send and recv, beside what the rows of the guests and of TCP show."""

import pytest
from tests.unit.sockets.socks import IRS, WINDOW, Socks

from halfopen.sockets import constants as c
from halfopen.wire.tcp import ACK, FIN, Segment


@pytest.mark.parametrize(
    ("flags", "size", "answers"),
    [
        pytest.param(0, 1, 0, id="recv takes it"),
        pytest.param(0, 0, 0, id="recv of no octets, too"),
        pytest.param(c.MSG_PEEK, 1, 1, id="MSG_PEEK leaves it"),
    ],
)
def test_a_fin_by_itself_waits_for_the_reader(flags: int, size: int, answers: int) -> None:
    """While it waits, a segment that goes on beyond the window is answered and not looked at."""
    socks = Socks()
    fd = socks.opened()
    tcb = socks.tcb()
    flow, ack = socks.peers_flow(), tcb.snd_nxt
    socks.arrives(Segment(flow, IRS + 1, ack, FIN | ACK, WINDOW))
    assert socks.recv(fd, size, flags) == b""
    socks.wait(200_000_000)
    socks.sent()
    across = tcb.rcv_wup + tcb.rcv_wnd - 1
    socks.arrives(Segment(flow, across, ack, ACK, WINDOW, b"xx"))
    assert len(socks.sent()) == answers
