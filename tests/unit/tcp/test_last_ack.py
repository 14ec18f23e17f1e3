"""LAST-ACK: both FINs are out, the peer's first; only the ACK of ours is to come."""

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
    shutdown_write,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, End, Ours

from halfopen.base.units import S
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, LAST_ACK = State.CLOSED, State.LAST_ACK
SEQ: Final = IRS + 2
UNA: Final = ISS + 1
NXT: Final = ISS + 2

HERE = says(ACK, NXT, SEQ)

SEGMENTS = (
    row("ACK of our FIN", ACK, SEQ, NXT, CLOSED),
    row("ACK of our FIN, in the window", ACK, SEQ + 9, NXT, CLOSED),
    row("ACK of our FIN, with the FIN's number", ACK, SEQ - 1, NXT, LAST_ACK, HERE),
    row("ACK of our FIN, beyond the window", ACK, EDGE + 1, NXT, LAST_ACK, HERE),
    row("ACK of our FIN, with text", ACK, SEQ, NXT, CLOSED, text=b"x"),
    row("ACK of what was before our FIN", ACK, SEQ, UNA, LAST_ACK),
    row("ACK of the unsent", ACK, SEQ, NXT + 1, LAST_ACK, HERE),
    row("ACK of what was before our SYN", ACK, SEQ, ISS - 1, LAST_ACK, HERE),
    row("FIN once more", FIN | ACK, SEQ - 1, UNA, LAST_ACK, HERE),
    row("FIN once more, with an ACK of ours", FIN | ACK, SEQ - 1, NXT, CLOSED),
    row("a second FIN", FIN | ACK, SEQ, UNA, LAST_ACK),
    row("FIN without ACK", FIN, SEQ, None, LAST_ACK),
    row("text behind the FIN", ACK, SEQ, UNA, LAST_ACK, text=b"more"),
    row("text without ACK", PSH, SEQ, None, LAST_ACK, text=b"x"),
    row("no flag at all", 0, SEQ, None, LAST_ACK),
    row("SYN with the next number", SYN, SEQ, None, LAST_ACK, HERE),
    row("SYN,ACK", SYN | ACK, IRS, NXT, LAST_ACK, HERE),
    row("RST in the window", RST, SEQ + 1, None, LAST_ACK, HERE),
    row("RST outside", RST, EDGE + 1, None, LAST_ACK),
    row("RST two too early", RST, SEQ - 2, None, LAST_ACK),
)

HELD = (
    row("RST with the next number", RST, SEQ, None, CLOSED, error=ECONNRESET),
    row("RST with the number of the FIN", RST, SEQ - 1, None, CLOSED, error=ECONNRESET),
    case("receive: the end", (read(),), LAST_ACK),
    case("shut down writing again", (shutdown_write,), LAST_ACK),
    case("close", (close,), LAST_ACK),
    case("abort: nothing more to say", (abort,), CLOSED),
)

ORPHAN = (
    row("RST with the next number", RST, SEQ, None, CLOSED),
    row("RST with the number of the FIN", RST, SEQ - 1, None, CLOSED),
)


def half_sent(end: End) -> None:
    """The FIN waits behind text that the window does not take."""
    reach.close_wait(end)
    end.arrives(ACK, SEQ, UNA, wnd=3)
    end.write(b"hello")
    end.shutdown_write()


HALF_SENT = (
    case("abort: RST", (abort,), CLOSED, says(RST | ACK, UNA, SEQ)),
    row("the window opens", ACK, SEQ, UNA, LAST_ACK, says(FIN | PSH | ACK, UNA, SEQ, 5)),
)

PAWS = (
    row("ACK of our FIN from the past", ACK, SEQ, NXT, LAST_ACK, HERE, ts=-2),
    row("ACK of our FIN in time", ACK, SEQ, NXT, CLOSED, ts=2),
)

TABLES = (
    Table("by shutdown", reach.last_ack, SEGMENTS),
    Table("by close", reach.last_ack_closed, SEGMENTS),
    Table("by shutdown", reach.last_ack, HELD),
    Table("by close", reach.last_ack_closed, ORPHAN),
    Table("FIN behind a closed window", half_sent, HALF_SENT),
    Table("timestamps", reach.last_ack, PAWS, STAMPED),
)


@cells(*TABLES)
def test_last_ack(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_an_orphan_gives_up_in_the_end() -> None:
    """tcp_orphan_retries 0 means 8 (Linux tcp_orphan_retries, tcp_out_of_resources)."""
    end = Ours()
    reach.last_ack_closed(end)
    end.wait(100 * S)
    assert end.state is LAST_ACK
    end.wait(30 * S)
    assert end.state is CLOSED
    assert end.next_deadline() is None
