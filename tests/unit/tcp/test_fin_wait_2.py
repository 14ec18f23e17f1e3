"""FIN-WAIT-2: our FIN is acknowledged, theirs is to come; for an orphan, not for ever."""

from errno import ECONNRESET
from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    SACKING,
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
    shutdown_read,
    wait,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, End, Ours, Sent

from halfopen.base.units import MS, S
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, FIN_WAIT_2, TIME_WAIT = State.CLOSED, State.FIN_WAIT_2, State.TIME_WAIT
SEQ: Final = IRS + 1
NXT: Final = ISS + 2

HERE = says(ACK, NXT, SEQ)


def got(octets: int) -> Sent:
    return says(ACK, NXT, SEQ + octets)


READING = (
    row("ACK of our FIN once more", ACK, SEQ, NXT, FIN_WAIT_2),
    row("ACK one too early", ACK, IRS, NXT, FIN_WAIT_2, HERE),
    row("ACK beyond the window", ACK, EDGE + 1, NXT, FIN_WAIT_2, HERE),
    row("ACK of the unsent", ACK, SEQ, NXT + 1, FIN_WAIT_2, HERE),
    row("ACK of what was before our SYN", ACK, SEQ, ISS - 1, FIN_WAIT_2, HERE),
    row("FIN", FIN | ACK, SEQ, NXT, TIME_WAIT, got(1)),
    row("FIN with an old ACK", FIN | ACK, SEQ, NXT - 1, TIME_WAIT, got(1)),
    row("FIN before its turn", FIN | ACK, SEQ + 5, NXT, FIN_WAIT_2, HERE),
    row("FIN long ago", FIN | ACK, SEQ - 9, NXT, FIN_WAIT_2, HERE),
    row("FIN without ACK", FIN, SEQ, None, FIN_WAIT_2),
    row("text", PSH | ACK, SEQ, NXT, FIN_WAIT_2, got(5), text=b"hello", gives=b"hello"),
    row("text and FIN", FIN | ACK, SEQ, NXT, TIME_WAIT, got(4), text=b"bye", gives=b"bye"),
    row("text before its turn", ACK, SEQ + 5, NXT, FIN_WAIT_2, HERE, text=b"later"),
    row("old text", ACK, SEQ - 5, NXT, FIN_WAIT_2, HERE, text=b"hello"),
    row(
        "text that overlaps what we have",
        ACK,
        SEQ - 2,
        NXT,
        FIN_WAIT_2,
        got(3),
        text=b"..new",
        gives=b"new",
    ),
    row("text without ACK", PSH, SEQ, None, FIN_WAIT_2, text=b"x"),
    row("no flag at all", 0, SEQ, None, FIN_WAIT_2),
    row("SYN with the next number", SYN, SEQ, None, FIN_WAIT_2, HERE),
    row("SYN,ACK", SYN | ACK, IRS, NXT, FIN_WAIT_2, HERE),
    row("RST with the next number", RST, SEQ, None, CLOSED, error=ECONNRESET),
    row("RST,ACK with the next number", RST | ACK, SEQ, NXT, CLOSED, error=ECONNRESET),
    row("RST in the window", RST, SEQ + 1, None, FIN_WAIT_2, HERE),
    row("RST one too early", RST, IRS, None, FIN_WAIT_2),
    row("RST outside", RST, EDGE + 1, None, FIN_WAIT_2),
    case(
        "FIN before its turn, then the text",
        (seg(FIN | ACK, SEQ + 3, NXT), seg(ACK, SEQ, NXT, b"bye")),
        TIME_WAIT,
        HERE,
        got(4),
        gives=b"bye",
    ),
    case("receive", (read(),), FIN_WAIT_2),
    case("close: only a timer is left", (close,), FIN_WAIT_2),
    case(
        "close with unread text: RST",
        (seg(ACK, SEQ, NXT, b"x"), close),
        CLOSED,
        got(1),
        says(RST | ACK, NXT, SEQ + 1),
    ),
    case("abort: RST", (abort,), CLOSED, says(RST | ACK, NXT, SEQ)),
    case(
        "text after shutting down reading: RST",
        (shutdown_read, seg(ACK, SEQ, NXT, b"x")),
        CLOSED,
        says(RST, NXT),
        error=ECONNRESET,
    ),
)

#: What Linux keeps of an orphan can tell little apart (tcp_timewait_state_process).
ORPHAN = (
    row("ACK of our FIN once more", ACK, SEQ, NXT, FIN_WAIT_2),
    row("ACK one too early", ACK, IRS, NXT, FIN_WAIT_2, HERE),
    row("ACK beyond the window", ACK, EDGE + 1, NXT, FIN_WAIT_2, HERE),
    row("ACK of the unsent, which it does not see", ACK, SEQ, NXT + 1, FIN_WAIT_2),
    row("FIN", FIN | ACK, SEQ, NXT, TIME_WAIT, got(1)),
    row("FIN without ACK", FIN, SEQ, None, FIN_WAIT_2),
    row("FIN before its turn: RST", FIN | ACK, SEQ + 5, NXT, CLOSED, says(RST, NXT)),
    row("FIN long ago", FIN | ACK, SEQ - 9, NXT, FIN_WAIT_2, HERE),
    row("text: RST", PSH | ACK, SEQ, NXT, CLOSED, says(RST, NXT), text=b"x"),
    row("text and FIN: RST", FIN | ACK, SEQ, NXT, CLOSED, says(RST, NXT), text=b"bye"),
    row("old text", ACK, SEQ - 5, NXT, FIN_WAIT_2, HERE, text=b"hello"),
    row("text without ACK", PSH, SEQ, None, FIN_WAIT_2, text=b"x"),
    row("SYN in the window: RST", SYN, SEQ, None, CLOSED, says(RST | ACK, 0, SEQ + 1)),
    row("SYN again", SYN, IRS, None, FIN_WAIT_2, HERE),
    row("SYN,ACK again", SYN | ACK, IRS, NXT, FIN_WAIT_2, HERE),
    row("RST with the next number", RST, SEQ, None, CLOSED),
    row("RST in the window, which it does not doubt", RST, SEQ + 1, None, CLOSED),
    row("RST outside", RST, EDGE + 1, None, FIN_WAIT_2, HERE),
    row("RST one too early", RST, IRS, None, FIN_WAIT_2, HERE),
    case("two old ACKs", (seg(ACK, IRS, NXT), seg(ACK, IRS, NXT)), FIN_WAIT_2, HERE),
)

PAWS = (
    row("FIN in time", FIN | ACK, SEQ, NXT, TIME_WAIT, got(1), ts=1),
    row("FIN from the past", FIN | ACK, SEQ, NXT, FIN_WAIT_2, HERE, ts=-2),
)


def waits_a_second(end: End) -> None:
    """By close, after TCP_LINGER2 was set to 1 s."""
    reach.established(end)
    end.linger2(1)
    end.close()
    end.arrives(ACK, SEQ, NXT)


ENDING = (
    case("for a second", (wait(900 * MS),), FIN_WAIT_2),
    case("and no longer", (wait(1_300 * MS),), CLOSED),
)


def acknowledged_with_an_old_fin(end: End) -> None:
    """The same, but the ACK of our FIN comes with a FIN that is no news: all is kept."""
    reach.established(end)
    end.linger2(1)
    end.close()
    end.arrives(FIN | ACK, IRS, NXT)


ENDING_WHOLE = (
    case("for a second", (wait(900 * MS),), FIN_WAIT_2),
    case("and no longer: RST", (wait(1_300 * MS),), CLOSED, says(RST | ACK, NXT, SEQ)),
)


def closed_behind_a_gap(end: End) -> None:
    """Text came before its turn, and nobody will read it."""
    reach.established(end)
    end.arrives(ACK, SEQ + 9, ISS + 1, b"x")
    end.close()
    end.arrives(ACK, SEQ, NXT)


#: Only numbers are left of a connection, and no SACK blocks.
FORGETFUL = (
    row("ACK one too early", ACK, IRS, NXT, FIN_WAIT_2, HERE),
    row("FIN", FIN | ACK, SEQ, NXT, TIME_WAIT, got(1)),
)

TABLES = (
    Table("by shutdown", reach.fin_wait_2, READING),
    Table("by close", reach.fin_wait_2_closed, ORPHAN),
    Table("by close, behind a gap", closed_behind_a_gap, FORGETFUL, SACKING),
    Table("TCP_LINGER2", waits_a_second, ENDING),
    Table("TCP_LINGER2, an old FIN", acknowledged_with_an_old_fin, ENDING_WHOLE),
    Table("by shutdown, timestamps", reach.fin_wait_2, PAWS, STAMPED),
    Table("by close, timestamps", reach.fin_wait_2_closed, PAWS, STAMPED),
)


@cells(*TABLES)
def test_fin_wait_2(table: Table, cell: Cell) -> None:
    check(table, cell)


def gone_after(end: Ours, seconds: float) -> bool:
    """Whether it is there until then, and not much longer.

    What it says at its end is not looked at.
    """
    end.wait(int(seconds * S) - 100 * MS)
    there = end.state is FIN_WAIT_2
    end.wait(int(seconds * S) // 8 + 200 * MS)
    return there and end.state is CLOSED


def test_with_a_user_it_lasts_for_ever() -> None:
    end = Ours()
    reach.fin_wait_2(end)
    end.wait(100_000 * S)
    assert end.state is FIN_WAIT_2


@pytest.mark.parametrize(
    ("linger2", "seconds"),
    [
        pytest.param(None, 60, id="tcp_fin_timeout, 60 s"),
        pytest.param(5, 5, id="TCP_LINGER2, 5 s"),
        pytest.param(90, 60, id="TCP_LINGER2, 90 s: twice what goes beyond 2MSL"),
        pytest.param(0, 0.7, id="TCP_LINGER2 0: as long as a FIN may take, 3.5 times the RTO"),
    ],
)
@pytest.mark.parametrize("first", ["the ACK, then close", "close, then the ACK"])
def test_an_orphan_waits(linger2: int | None, seconds: float, first: str) -> None:
    end = Ours()
    reach.established(end)
    if linger2 is not None:
        end.linger2(linger2)
    if first.startswith("close"):
        end.close()
        end.arrives(ACK, SEQ, NXT)
    else:
        end.shutdown_write()
        end.arrives(ACK, SEQ, NXT)
        end.close()
    assert gone_after(end, seconds)


def test_a_negative_linger2_does_not_wait() -> None:
    end = Ours()
    reach.fin_wait_2(end)
    end.linger2(-1)
    end.sent()
    end.close()
    assert (end.state, end.sent()) == (CLOSED, [says(RST | ACK, NXT, SEQ)])


def test_a_fin_from_before_is_none_and_its_wait_ends_with_a_reset() -> None:
    """It came with the ACK of ours, as TIME-WAIT would begin with (Linux tcp_keepalive_timer)."""
    end = Ours()
    reach.fin_wait_1_closed(end)
    end.arrives(FIN | ACK, IRS, ISS + 2)
    assert end.state is State.FIN_WAIT_2
    end.sent()
    end.wait(70 * S)
    assert (end.state, end.sent()) == (State.CLOSED, [says(RST | ACK, ISS + 2, IRS + 1)])
