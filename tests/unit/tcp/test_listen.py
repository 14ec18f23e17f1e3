"""LISTEN (RFC 9293 3.10.7.2): a SYN begins a connection, and nothing else does."""

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import Cell, Step, Table, case, cells, check, close, row, says, seg, wait
from tests.unit.tcp.ends import IRS, ISS, End, Nobody, Ours, Sent

from halfopen.base.units import S
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG

LISTEN, SYN_RECEIVED = State.LISTEN, State.SYN_RECEIVED
OURS = says(SYN | ACK, ISS, IRS + 1)

SEGMENTS = (
    # First, check for an RST.
    row("RST", RST, IRS, None, LISTEN),
    row("RST,ACK", RST | ACK, IRS, ISS + 1, LISTEN),
    row("SYN,RST", SYN | RST, IRS, None, LISTEN),
    # Second, check for an ACK.
    row("ACK", ACK, IRS, ISS + 1, LISTEN, says(RST, ISS + 1)),
    row("SYN,ACK", SYN | ACK, IRS, ISS + 1, LISTEN, says(RST, ISS + 1)),
    row("FIN,ACK", FIN | ACK, IRS, ISS + 1, LISTEN, says(RST, ISS + 1)),
    row("text with ACK", PSH | ACK, IRS, ISS + 1, LISTEN, says(RST, ISS + 1), text=b"x"),
    # Third, check for a SYN.
    row("SYN", SYN, IRS, None, SYN_RECEIVED, OURS),
    row("SYN,PSH", SYN | PSH, IRS, None, SYN_RECEIVED, OURS),
    row("SYN,URG", SYN | URG, IRS, None, SYN_RECEIVED, OURS, urg=1),
    row("SYN with text, which is not kept", SYN, IRS, None, SYN_RECEIVED, OURS, text=b"early"),
    row("SYN,FIN", SYN | FIN, IRS, None, LISTEN),
    # Fourth, other text or control.
    row("FIN without ACK", FIN, IRS, None, LISTEN),
    row("text without ACK", PSH, IRS, None, LISTEN, text=b"x"),
    row("no flag at all", 0, IRS, None, LISTEN),
)

CALLS = (
    case("close", (close,), State.CLOSED),
    case("close, then a SYN", (close, seg(SYN, IRS)), State.CLOSED, says(RST | ACK, 0, IRS + 1)),
    case("nothing comes", (wait(5 * S),), LISTEN, linux="it would wait 5 s"),
)


def crowded(*, backlog: int, others: int) -> Step:
    """The SYNs of so many others have come; they will not go on."""

    def reaches(end: End) -> None:
        end.listen(backlog)
        end.crowd(others)

    return reaches


#: One more than the backlog is kept.
ROOM = (row("SYN: the last that is kept", SYN, IRS, None, SYN_RECEIVED, OURS),)

TABLES = (
    Table("", reach.listen, SEGMENTS),
    Table("", reach.listen, CALLS),
    Table("backlog 1, another waits", crowded(backlog=1, others=1), ROOM),
    Table("backlog 3, three others wait", crowded(backlog=3, others=3), ROOM),
)


@cells(*TABLES)
def test_listen(table: Table, cell: Cell) -> None:
    check(table, cell)


class Clients:
    """Several peers of one listener; each speaks from its own port."""

    def __init__(self, backlog: int, *, abort_on_overflow: int = 0) -> None:
        self.end = Ours(sysctl={"net.ipv4.tcp_abort_on_overflow": abort_on_overflow})
        self.end.listen(backlog)
        self.iss: dict[int, int | None] = {}

    def turn_to(self, port: int) -> None:
        self.iss[self.end.flow[3]] = self.end.iss
        self.end.flow = (*self.end.flow[:3], port)
        self.end.iss = self.iss.get(port)

    def syn(self, port: int) -> State:
        self.turn_to(port)
        self.end.arrives(SYN, IRS)
        return self.end.state

    def ack(self, port: int) -> State:
        self.turn_to(port)
        self.end.sent()
        self.end.arrives(ACK, IRS + 1, ISS + 1)
        return self.end.state


def test_the_syn_queue_takes_one_more_than_the_backlog() -> None:
    clients = Clients(backlog=2)
    states = [clients.syn(port) for port in (1001, 1002, 1003, 1004)]
    assert states == [SYN_RECEIVED, SYN_RECEIVED, SYN_RECEIVED, LISTEN]


def test_the_accept_queue_takes_one_more_than_the_backlog() -> None:
    clients = Clients(backlog=1)
    for port in (1001, 1002):
        clients.syn(port)
        assert clients.ack(port) is State.ESTABLISHED
    assert clients.syn(1003) is LISTEN, "a SYN that finds it full is dropped without a word"


@pytest.mark.parametrize(
    ("aborts", "then", "answer"),
    [
        pytest.param(0, SYN_RECEIVED, [], id="its ACK is dropped, and the client believes"),
        pytest.param(1, LISTEN, [says(RST, ISS + 1)], id="tcp_abort_on_overflow: an RST"),
    ],
)
def test_a_handshake_that_ends_at_a_full_accept_queue(
    aborts: int, then: State, answer: list[Sent]
) -> None:
    clients = Clients(backlog=2, abort_on_overflow=aborts)
    clients.syn(1000)
    for port in (1001, 1002, 1003):
        clients.syn(port)
        clients.ack(port)
    assert (clients.ack(1000), clients.end.sent()) == (then, answer)


def test_closing_resets_who_waits_for_accept() -> None:
    end = Ours()
    reach.ready(end)
    end.sent()
    end.close()
    assert (end.state, end.sent()) == (State.CLOSED, [says(RST | ACK, ISS + 1, IRS + 1)])


@pytest.mark.parametrize("again", [SYN, ACK], ids=["by a SYN", "by the last ACK"])
def test_an_embryo_of_a_listener_that_is_gone_is_found_out(again: int) -> None:
    end = Ours()
    reach.syn_received(end)
    end.close()
    end.sent()
    end.arrives(again, IRS + (again == ACK), ISS + 1)
    refused = says(RST, ISS + 1) if again == ACK else says(RST | ACK, 0, IRS + 1)
    assert (end.state, end.sent()) == (State.CLOSED, [refused])


class Sized(Nobody):
    """A listener with TCP_MAXSEG."""

    def inherit(self, tcb: Tcb) -> None:
        tcb.user_mss = 1_000


def test_what_was_set_on_the_listener_holds_for_its_connections() -> None:
    """TCP_MAXSEG bounds what is offered and what is sent (Linux tcp_openreq_init)."""
    end = Ours()
    end.listen(owner=Sized())
    end.arrives(SYN, IRS)
    end.arrives(ACK, IRS + 1, ISS + 1)
    end.accept()
    assert end.segments[0].mss == 1_000
    end.write(bytes(1_500))
    assert [sent.size for sent in end.sent()[1:]] == [1_000, 500]
