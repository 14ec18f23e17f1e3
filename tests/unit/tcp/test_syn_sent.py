"""SYN-SENT (RFC 9293 3.10.7.3): the answer to our SYN, and everything else that may come."""

from errno import ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ETIMEDOUT
from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    PLAIN,
    STAMPED,
    At,
    Cell,
    Table,
    abort,
    case,
    cells,
    check,
    close,
    read,
    row,
    says,
    shutdown_write,
    timeline,
)
from tests.unit.tcp.ends import IRS, ISS, Ours

from halfopen.base.rng import Rng
from halfopen.base.units import MS, S
from halfopen.tcp import calls, icmp
from halfopen.tcp.iss import Secret
from halfopen.tcp.states import State, spell
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG

CLOSED, SYN_SENT, SYN_RECEIVED = State.CLOSED, State.SYN_SENT, State.SYN_RECEIVED
ESTABLISHED = State.ESTABLISHED
OPENED = says(ACK, ISS + 1, IRS + 1)
CROSSED = says(SYN | ACK, ISS, IRS + 1)

SEGMENTS = (
    # First, check the ACK bit: an ACK of anything but our SYN is answered with an RST.
    row("ACK of nothing", ACK, IRS, ISS, SYN_SENT, says(RST, ISS)),
    row("ACK of the past", ACK, IRS, ISS - 1, SYN_SENT, says(RST, ISS - 1)),
    row("ACK of the unsent", ACK, IRS, ISS + 2, SYN_SENT, says(RST, ISS + 2)),
    row("SYN,ACK of nothing", SYN | ACK, IRS, ISS, SYN_SENT, says(RST, ISS)),
    row("SYN,ACK of the unsent", SYN | ACK, IRS, ISS + 2, SYN_SENT, says(RST, ISS + 2)),
    row("FIN,ACK of nothing", FIN | ACK, IRS, ISS, SYN_SENT, says(RST, ISS)),
    row("text with an ACK of nothing", ACK, IRS, ISS, SYN_SENT, says(RST, ISS), text=b"x"),
    # Second, check the RST bit.
    row("RST,ACK of our SYN", RST | ACK, IRS, ISS + 1, CLOSED, error=ECONNREFUSED),
    row("RST,ACK of our SYN, with number 0", RST | ACK, 0, ISS + 1, CLOSED, error=ECONNREFUSED),
    row("RST,ACK of nothing", RST | ACK, IRS, ISS, SYN_SENT),
    row("RST,ACK of the unsent", RST | ACK, IRS, ISS + 2, SYN_SENT),
    row("RST without ACK", RST, IRS, None, SYN_SENT),
    row("SYN,RST", SYN | RST, IRS, None, SYN_SENT),
    row("SYN,RST,ACK of our SYN", SYN | RST | ACK, IRS, ISS + 1, CLOSED, error=ECONNREFUSED),
    # Fourth, check the SYN bit.
    row("SYN,ACK of our SYN", SYN | ACK, IRS, ISS + 1, ESTABLISHED, OPENED),
    row(
        "SYN,ACK with text, which is not kept",
        SYN | ACK,
        IRS,
        ISS + 1,
        ESTABLISHED,
        OPENED,
        text=b"hi",
    ),
    row("SYN,ACK with FIN, which is not seen", SYN | FIN | ACK, IRS, ISS + 1, ESTABLISHED, OPENED),
    row("SYN,ACK with a closed window", SYN | ACK, IRS, ISS + 1, ESTABLISHED, OPENED, wnd=0),
    row("SYN without ACK: both opened at once", SYN, IRS, None, SYN_RECEIVED, CROSSED),
    row("SYN without ACK, with text", SYN, IRS, None, SYN_RECEIVED, CROSSED, text=b"hi"),
    row("SYN,FIN", SYN | FIN, IRS, None, SYN_RECEIVED, CROSSED),
    # Fifth, neither SYN nor RST.
    row("ACK of our SYN without a SYN", ACK, IRS, ISS + 1, SYN_SENT),
    row("FIN,ACK of our SYN", FIN | ACK, IRS, ISS + 1, SYN_SENT),
    row("FIN without ACK", FIN, IRS, None, SYN_SENT),
    row("text with an ACK of our SYN", PSH | ACK, IRS, ISS + 1, SYN_SENT, text=b"x"),
    row("text without ACK", PSH, IRS, None, SYN_SENT, text=b"x"),
    row("URG without ACK", URG, IRS, None, SYN_SENT, urg=1),
    row("no flag at all", 0, IRS, None, SYN_SENT),
)

#: An answer to our SYN echoes its timestamp (RFC 7323 3.2): ``ecr`` is the distance to it, in ms.
ECHOES = (
    row("SYN,ACK that echoes our SYN", SYN | ACK, IRS, ISS + 1, ESTABLISHED, OPENED),
    row(
        "SYN,ACK that echoes what was before",
        SYN | ACK,
        IRS,
        ISS + 1,
        SYN_SENT,
        says(RST, ISS + 1),
        ecr=-1,
    ),
    row(
        "SYN,ACK that echoes what is to come",
        SYN | ACK,
        IRS,
        ISS + 1,
        SYN_SENT,
        says(RST, ISS + 1),
        ecr=9_000,
    ),
    row("RST,ACK that echoes what was before", RST | ACK, IRS, ISS + 1, SYN_SENT, ecr=-1),
    row("SYN,ACK without a timestamp", SYN | ACK, IRS, ISS + 1, ESTABLISHED, OPENED, ts=-1),
)

CALLS = (
    case("receive gives nothing yet", (read(),), SYN_SENT),
    case("close: nobody is told", (close,), CLOSED),
    case("abort: nobody is told", (abort,), CLOSED),
)

TABLES = (
    Table("", reach.syn_sent, SEGMENTS, PLAIN),
    Table("timestamps", reach.syn_sent, ECHOES, STAMPED),
    Table("", reach.syn_sent, CALLS),
)


@cells(*TABLES)
def test_syn_sent(table: Table, cell: Cell) -> None:
    check(table, cell)


SYN_ALONE: Final = says(SYN, ISS)


def test_an_unanswered_syn_is_repeated_evenly_at_first_and_then_ever_more_rarely() -> None:
    """tcp_syn_linear_timeouts is 4, tcp_syn_retries 6.

    Linux tcp_retransmit_timer, tcp_write_timeout.
    """
    end = Ours()
    reach.syn_sent(end)
    end.sent()
    assert timeline(end, 300 * S) == [
        (At(at), SYN_ALONE) for at in (1, 2, 3, 4, 5, 7, 11, 19, 35, 67)
    ]
    assert (end.state, end.error()) == (CLOSED, ETIMEDOUT)


def test_without_linear_timeouts_every_wait_is_twice_the_last() -> None:
    end = Ours(sysctl={"net.ipv4.tcp_syn_linear_timeouts": 0, "net.ipv4.tcp_syn_retries": 3})
    reach.syn_sent(end)
    end.sent()
    assert timeline(end, 60 * S) == [(At(at), SYN_ALONE) for at in (1, 3, 7)]
    assert (end.state, end.error()) == (CLOSED, ETIMEDOUT)


def test_user_timeout_ends_the_attempt() -> None:
    end = Ours()
    reach.syn_sent(end)
    end.held().user_timeout_ns = 2_500 * MS  # TCP_USER_TIMEOUT
    end.wait(2_400 * MS)
    assert end.state is SYN_SENT
    end.wait(200 * MS)
    assert (end.state, end.error()) == (CLOSED, ETIMEDOUT)


def test_a_segment_of_an_old_connection_hastens_the_next_syn() -> None:
    """The peer is told by an RST to forget it; then our SYN may get through (RFC 9293 3.5.1)."""
    end = Ours()
    reach.syn_sent(end)
    end.arrives(ACK, IRS, ISS)
    end.sent()
    end.wait(20 * MS)
    assert end.sent() == [SYN_ALONE]


def test_it_does_not_once_the_syn_was_repeated() -> None:
    end = Ours()
    reach.syn_sent(end)
    end.wait(1_100 * MS)
    end.sent()
    end.arrives(ACK, IRS, ISS)
    assert end.sent() == [says(RST, ISS)]
    end.wait(20 * MS)
    assert end.sent() == []


@pytest.mark.parametrize(
    ("hard", "then", "error"),
    [
        pytest.param(True, CLOSED, EHOSTUNREACH, id="hard: it ends the attempt"),
        pytest.param(False, SYN_SENT, 0, id="soft: it is kept"),
    ],
)
def test_icmp(hard: bool, then: State, error: int) -> None:
    end = Ours()
    reach.syn_sent(end)
    icmp.error(end.held(), EHOSTUNREACH, hard=hard, now=end.now)
    end.settle()
    assert (end.state, end.error()) == (then, error)


def test_a_soft_error_is_told_when_the_attempt_gives_up() -> None:
    end = Ours()
    reach.syn_sent(end)
    icmp.error(end.held(), EHOSTUNREACH, hard=False, now=end.now)
    end.wait(300 * S)
    assert (end.state, end.error()) == (CLOSED, EHOSTUNREACH)


def test_disconnecting_tells_the_user() -> None:
    end = Ours()
    reach.syn_sent(end)
    calls.abort(end.held(), end.now)
    end.settle()
    assert (end.state, end.error()) == (CLOSED, ECONNRESET)


def test_shutdown_during_the_handshake_is_made_up_for_by_a_fin() -> None:
    """The socket layer disconnects instead; TCP by itself remembers it."""
    end = Ours()
    reach.syn_sent(end)
    shutdown_write(end)
    end.sent()
    end.arrives(SYN, IRS)
    end.arrives(SYN | ACK, IRS, ISS + 1)
    assert end.state is State.FIN_WAIT_1
    again = says(ACK, ISS + 2, IRS + 1)  # their SYN was there already
    assert end.sent() == [CROSSED, says(FIN | ACK, ISS + 1, IRS + 1), again]


@pytest.mark.parametrize(
    ("waits", "answers"),
    [
        pytest.param(False, [OPENED], id="at once"),
        pytest.param(True, [], id="on the text that waits to be written"),
    ],
)
def test_the_last_ack_goes(waits: bool, answers: list[object]) -> None:
    end = Ours()
    reach.syn_sent(end)
    end.sent()
    end.held().write_waits = waits  # a blocking send came before the handshake's end
    end.arrives(SYN | ACK, IRS, ISS + 1)
    assert end.sent() == answers
    end.wait(S)
    assert end.sent() == ([] if answers else [OPENED])


def test_every_connection_has_numbers_of_its_own() -> None:
    """They are drawn by a secret from the flow (RFC 9293 3.4.1)."""
    secret = Secret(Rng(0))
    flows = [("10.0.0.1", port, "10.0.0.2", 80) for port in range(1_000, 1_020)]
    assert len({secret.iss(flow, 0) for flow in flows}) == len(flows)
    assert len({secret.cookie(flow, 0) for flow in flows}) == len(flows)
    assert len({Secret(Rng(seed)).iss(flows[0], 0) for seed in range(20)}) == 20


def test_states_are_spelled_as_in_the_rfc() -> None:
    assert spell(State.SYN_SENT) == "SYN-SENT"
    assert spell(State.FIN_WAIT_1) == "FIN-WAIT-1"


def crosses_of_the_past() -> list[list[str]]:
    """SYNs cross ours, which takes the place of a TIME-WAIT: how each of them is answered.

    The first is older than the connection that was, the second is not.
    """
    end = Ours(STAMPED)
    end.connect()
    tcb = end.held()
    tcb.ts_recent, tcb.ts_recent_at = end.peer_ts, end.now  # as sockets/connect.py has it
    end.sent()
    answers = []
    for ts in (-50, 0):
        end.arrives(SYN, IRS, ts=ts)
        answers.append([str(sent) for sent in end.sent()])
    return answers


def test_a_syn_from_before_a_time_wait_does_not_cross_ours() -> None:
    """Linux tcp_rcv_synsent_state_process; witnessed in test_on_linux."""
    assert crosses_of_the_past() == [[], [str(CROSSED)]]
