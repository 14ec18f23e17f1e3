"""TIME-WAIT: only numbers, a timestamp and a timer are left (Linux tcp_timewait_state_process)."""

from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    STAMPED,
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
    seg,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, End, Options, Ours

from halfopen.base.units import S
from halfopen.tcp.states import State
from halfopen.wire.seq import WRAP
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, TIME_WAIT, SYN_RECEIVED = State.CLOSED, State.TIME_WAIT, State.SYN_RECEIVED
SEQ: Final = IRS + 2
NXT: Final = ISS + 2

HERE = says(ACK, NXT, SEQ)

SEGMENTS = (
    row("ACK in order", ACK, SEQ, NXT, TIME_WAIT),
    row("ACK one too early", ACK, SEQ - 1, NXT, TIME_WAIT, HERE),
    row("ACK in the window", ACK, SEQ + 9, NXT, TIME_WAIT, HERE),
    row("ACK of the unsent, in order", ACK, SEQ, NXT + 9, TIME_WAIT),
    row("no flag at all, in order", 0, SEQ, None, TIME_WAIT),
    row("FIN once more", FIN | ACK, SEQ - 1, NXT, TIME_WAIT, HERE),
    row("FIN once more, without ACK", FIN, SEQ - 1, None, TIME_WAIT, HERE),
    row("text once more", PSH | ACK, SEQ - 4, NXT, TIME_WAIT, HERE, text=b"bye"),
    row("text behind the FIN", PSH | ACK, SEQ, NXT, TIME_WAIT, HERE, text=b"more"),
    row("SYN from before", SYN, IRS, None, TIME_WAIT, HERE),
    row("SYN with the next number", SYN, SEQ, None, TIME_WAIT, HERE),
    row("SYN beyond, and nobody listens", SYN, SEQ + 1, None, TIME_WAIT, HERE),
    row("SYN,ACK beyond", SYN | ACK, SEQ + 1, NXT, TIME_WAIT, HERE),
    row("RST with the next number", RST, SEQ, None, CLOSED),
    row("RST,ACK with the next number", RST | ACK, SEQ, NXT, CLOSED),
    row("RST with text", RST, SEQ, None, CLOSED, text=b"x"),
    row("RST with the number of the FIN", RST, SEQ - 1, None, TIME_WAIT),
    row("RST in the window", RST, SEQ + 1, None, TIME_WAIT),
    row("RST outside", RST, EDGE + 1, None, TIME_WAIT),
    row("SYN,RST beyond", SYN | RST, SEQ + 1, None, TIME_WAIT),
    case("FIN once more, with a TOS", (seg(FIN | ACK, SEQ - 1, NXT, tos=0x48),), TIME_WAIT, HERE),
    case("two old ACKs", (seg(ACK, SEQ - 1, NXT), seg(ACK, SEQ - 1, NXT)), TIME_WAIT, HERE),
    case("two old FINs", (seg(FIN | ACK, SEQ - 1, NXT),) * 2, TIME_WAIT, HERE, HERE),
    case("two SYNs beyond, and nobody listens", (seg(SYN, SEQ + 1),) * 2, TIME_WAIT, HERE, HERE),
)

PAWS = (
    row("ACK in order, from the past", ACK, SEQ, NXT, TIME_WAIT, HERE, ts=-2),
    row("RST with the next number, from the past", RST, SEQ, None, TIME_WAIT, ts=-2),
    row("SYN from before, with a newer timestamp", SYN, IRS, None, TIME_WAIT, HERE, ts=1),
)

#: So far behind the peer's SYN, whose clock then stood at its end, lies 0.
TO_ZERO: Final = 1 - WRAP


def at_the_clocks_end(end: End) -> None:
    end.peer_ts = WRAP - 1
    reach.time_wait(end)


CLOCK_WRAPS = (
    case(
        "a timestamp of 0 is kept, and stands for none",
        (seg(ACK, SEQ, NXT, ts=TO_ZERO), seg(ACK, SEQ, NXT, ts=-6)),
        TIME_WAIT,
    ),
    row("without it the past is refused", ACK, SEQ, NXT, TIME_WAIT, HERE, ts=-6),
)

CALLS = (
    case("receive: the end", (read(),), TIME_WAIT),
    case("close", (close,), TIME_WAIT),
    case("abort", (abort,), TIME_WAIT),
)

TABLES = (
    Table("by shutdown", reach.time_wait, SEGMENTS),
    Table("by close", reach.time_wait_closed, SEGMENTS),
    Table("timestamps", reach.time_wait, PAWS, STAMPED),
    Table("timestamps wrap", at_the_clocks_end, CLOCK_WRAPS, STAMPED),
    Table("", reach.time_wait, CALLS),
)


@cells(*TABLES)
def test_time_wait(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_it_lasts_a_minute() -> None:
    end = Ours()
    reach.time_wait_closed(end)
    end.wait(60 * S)
    assert end.state is TIME_WAIT
    end.wait(5 * S)
    assert (end.state, end.next_deadline()) == (CLOSED, None)


@pytest.mark.parametrize(
    ("flags", "seq", "lasts"),
    [
        pytest.param(ACK, SEQ, True, id="by an ACK in order"),
        pytest.param(FIN | ACK, SEQ - 1, True, id="by the FIN once more"),
        pytest.param(SYN, IRS, False, id="not by an old SYN"),
        pytest.param(RST, SEQ - 1, False, id="not by an RST that is ignored"),
    ],
)
def test_it_begins_again(flags: int, seq: int, lasts: bool) -> None:
    end = Ours()
    reach.time_wait_closed(end)
    end.wait(30 * S)
    end.arrives(flags, seq, NXT)
    end.wait(40 * S)
    assert (end.state is TIME_WAIT) is lasts


def test_tcp_rfc1337_keeps_it_alive() -> None:
    end = Ours(sysctl={"net.ipv4.tcp_rfc1337": 1})
    reach.time_wait(end)
    end.arrives(RST, SEQ)
    assert end.state is TIME_WAIT


@pytest.mark.parametrize(
    ("seq", "ts", "makes_way"),
    [
        pytest.param(SEQ + 1, 0, True, id="a number beyond"),
        pytest.param(SEQ, 0, False, id="the next number"),
        pytest.param(IRS, 1, True, id="an old number with a newer timestamp (RFC 6191)"),
        pytest.param(IRS, 0, False, id="an old number with the same timestamp"),
    ],
)
def test_a_new_syn_may_take_its_place(seq: int, ts: int, makes_way: bool) -> None:
    """Its numbers begin behind the old one's (Linux tcp_timewait_state_process)."""
    end = Ours(Options(timestamps=True))
    reach.accepted(end)
    end.close()
    end.arrives(ACK, IRS + 1, NXT)
    end.arrives(FIN | ACK, IRS + 1, NXT)
    assert end.state is TIME_WAIT
    end.listen()
    end.sent()
    end.arrives(SYN, seq, ts=ts)
    if makes_way:
        assert end.state is SYN_RECEIVED
        assert end.sent() == [says(SYN | ACK, NXT + 65_537, seq + 1)]
    else:
        assert (end.state, end.sent()) == (TIME_WAIT, [HERE])


def test_a_new_syn_whose_timestamp_is_0_may_take_its_place() -> None:
    """The peer's clock went round."""
    end = Ours(Options(timestamps=True))
    end.peer_ts = WRAP - 1
    reach.accepted(end)
    end.close()
    end.arrives(ACK, IRS + 1, NXT)
    end.arrives(FIN | ACK, IRS + 1, NXT)
    end.listen()
    end.arrives(SYN, IRS, ts=TO_ZERO)
    assert end.state is SYN_RECEIVED
