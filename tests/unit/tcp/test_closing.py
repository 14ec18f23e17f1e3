"""CLOSING: both FINs crossed; ours is not acknowledged yet."""

from errno import ECONNRESET
from typing import Final

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
    shutdown_read,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, Ours

from halfopen.base.units import S
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, CLOSING, TIME_WAIT = State.CLOSED, State.CLOSING, State.TIME_WAIT
SEQ: Final = IRS + 2
UNA: Final = ISS + 1
NXT: Final = ISS + 2

HERE = says(ACK, NXT, SEQ)

SEGMENTS = (
    row("ACK of our FIN", ACK, SEQ, NXT, TIME_WAIT),
    row("ACK of our FIN, in the window", ACK, SEQ + 9, NXT, TIME_WAIT),
    row("ACK of our FIN, with the FIN's number", ACK, SEQ - 1, NXT, CLOSING, HERE),
    row("ACK of our FIN, beyond the window", ACK, EDGE + 1, NXT, CLOSING, HERE),
    row("ACK of what was before our FIN", ACK, SEQ, UNA, CLOSING),
    row("ACK of the unsent", ACK, SEQ, NXT + 1, CLOSING, HERE),
    row("ACK of what was before our SYN", ACK, SEQ, ISS - 1, CLOSING, HERE),
    row("FIN once more", FIN | ACK, SEQ - 1, UNA, CLOSING, HERE),
    row("FIN once more, with an ACK of ours", FIN | ACK, SEQ - 1, NXT, TIME_WAIT),
    row("a second FIN", FIN | ACK, SEQ, UNA, CLOSING),
    row("FIN without ACK", FIN, SEQ, None, CLOSING),
    row("text behind the FIN", ACK, SEQ, UNA, CLOSING, text=b"more"),
    row("text with an ACK of our FIN", ACK, SEQ, NXT, TIME_WAIT, text=b"more"),
    row("text without ACK", PSH, SEQ, None, CLOSING, text=b"x"),
    row("no flag at all", 0, SEQ, None, CLOSING),
    row("SYN with the next number", SYN, SEQ, None, CLOSING, HERE),
    row("SYN,ACK", SYN | ACK, IRS, NXT, CLOSING, HERE),
    row("RST in the window", RST, SEQ + 1, None, CLOSING, HERE),
    row("RST outside", RST, EDGE + 1, None, CLOSING),
    row("RST two too early", RST, SEQ - 2, None, CLOSING),
)

HELD = (
    row("RST with the next number", RST, SEQ, None, CLOSED, error=ECONNRESET),
    row("RST with the number of the FIN", RST, SEQ - 1, None, CLOSED, error=ECONNRESET),
    case("receive: the end", (read(),), CLOSING),
    case("shut down reading", (shutdown_read,), CLOSING),
    case("close", (close,), CLOSING),
    case("abort: nothing more to say", (abort,), CLOSED),
)

ORPHAN = (
    row("RST with the next number", RST, SEQ, None, CLOSED),
    row("RST with the number of the FIN", RST, SEQ - 1, None, CLOSED),
)

PAWS = (
    row("ACK of our FIN from the past", ACK, SEQ, NXT, CLOSING, HERE, ts=-2),
    row("ACK of our FIN in time", ACK, SEQ, NXT, TIME_WAIT, ts=2),
)

TABLES = (
    Table("by shutdown", reach.closing, SEGMENTS),
    Table("by close", reach.closing_closed, SEGMENTS),
    Table("by shutdown", reach.closing, HELD),
    Table("by close", reach.closing_closed, ORPHAN),
    Table("timestamps", reach.closing, PAWS, STAMPED),
)


@cells(*TABLES)
def test_closing(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_the_fin_is_repeated() -> None:
    end = Ours()
    reach.closing(end)
    end.sent()
    end.wait(S)
    again = says(FIN | ACK, UNA, SEQ)
    assert end.sent() == [again] * 2  # after 200 ms, and 400 later
    end.arrives(ACK, SEQ, NXT)
    assert end.state is TIME_WAIT
