"""FIN-WAIT-1: our FIN is out; the user still reads (shutdown), or is gone (close: an orphan)."""

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
    seg,
    shutdown_read,
    shutdown_write,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, End, Ours, Sent

from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, FIN_WAIT_1, FIN_WAIT_2 = State.CLOSED, State.FIN_WAIT_1, State.FIN_WAIT_2
CLOSING, TIME_WAIT = State.CLOSING, State.TIME_WAIT
SEQ: Final = IRS + 1
UNA: Final = ISS + 1  # our FIN's number
NXT: Final = ISS + 2  # its ACK

HERE = says(ACK, NXT, SEQ)


def got(octets: int) -> Sent:
    return says(ACK, NXT, SEQ + octets)


#: Alike whether or not there is a user. What the user would be told is in the tables below.
SEGMENTS = (
    row("ACK of what was before our FIN", ACK, SEQ, UNA, FIN_WAIT_1),
    row("ACK of our FIN", ACK, SEQ, NXT, FIN_WAIT_2),
    row("ACK of our FIN, in the window", ACK, SEQ + 9, NXT, FIN_WAIT_2),
    row("ACK of our FIN, too early", ACK, IRS, NXT, FIN_WAIT_1, HERE),
    row("ACK of our FIN, beyond the window", ACK, EDGE + 1, NXT, FIN_WAIT_1, HERE),
    row("ACK of the unsent", ACK, SEQ, NXT + 1, FIN_WAIT_1, HERE),
    row("ACK of what was before our SYN", ACK, SEQ, ISS - 1, FIN_WAIT_1, HERE),
    row("FIN: they crossed", FIN | ACK, SEQ, UNA, CLOSING, got(1)),
    row("FIN with an ACK of ours", FIN | ACK, SEQ, NXT, TIME_WAIT, got(1)),
    row("FIN long ago", FIN | ACK, SEQ - 9, NXT, FIN_WAIT_1, HERE),
    row("FIN without ACK", FIN, SEQ, None, FIN_WAIT_1),
    row("old text", ACK, SEQ - 9, NXT, FIN_WAIT_1, HERE, text=b"hello"),
    row("text without ACK", PSH, SEQ, None, FIN_WAIT_1, text=b"x"),
    row("no flag at all", 0, SEQ, None, FIN_WAIT_1),
    row("SYN with the next number", SYN, SEQ, None, FIN_WAIT_1, HERE),
    row("SYN outside", SYN, SEQ - 999, None, FIN_WAIT_1, HERE),
    row("SYN,ACK", SYN | ACK, IRS, UNA, FIN_WAIT_1, HERE),
    row("RST in the window", RST, SEQ + 1, None, FIN_WAIT_1, HERE),
    row("RST one too early", RST, IRS, None, FIN_WAIT_1),
    row("RST outside", RST, EDGE + 1, None, FIN_WAIT_1),
)

READING = (
    row("RST with the next number", RST, SEQ, None, CLOSED, error=ECONNRESET),
    row("RST,ACK with the next number", RST | ACK, SEQ, UNA, CLOSED, error=ECONNRESET),
    row("text", PSH | ACK, SEQ, UNA, FIN_WAIT_1, got(5), text=b"hello", gives=b"hello"),
    row(
        "text with an ACK of our FIN",
        ACK,
        SEQ,
        NXT,
        FIN_WAIT_2,
        got(5),
        text=b"hello",
        gives=b"hello",
    ),
    row("text before its turn", ACK, SEQ + 5, UNA, FIN_WAIT_1, HERE, text=b"later"),
    row(
        "text that overlaps what we have",
        ACK,
        SEQ - 2,
        UNA,
        FIN_WAIT_1,
        got(3),
        text=b"..new",
        gives=b"new",
    ),
    row("text and FIN", FIN | ACK, SEQ, UNA, CLOSING, got(4), text=b"bye", gives=b"bye"),
    row("FIN before its turn", FIN | ACK, SEQ + 5, UNA, FIN_WAIT_1, HERE),
    case(
        "FIN before its turn, then the text",
        (seg(FIN | ACK, SEQ + 3, UNA), seg(ACK, SEQ, UNA, b"bye")),
        CLOSING,
        HERE,
        got(4),
        gives=b"bye",
    ),
    case("receive", (read(),), FIN_WAIT_1),
    case("shut down writing again", (shutdown_write,), FIN_WAIT_1),
    case("close", (close,), FIN_WAIT_1),
    case("abort: RST", (abort,), CLOSED, says(RST | ACK, NXT, SEQ)),
    case(
        "close with unread text: RST",
        (seg(ACK, SEQ, UNA, b"x"), close),
        CLOSED,
        got(1),
        says(RST | ACK, NXT, SEQ + 1),
    ),
    case(
        "text after shutting down reading: RST",
        (shutdown_read, seg(ACK, SEQ, UNA, b"x")),
        CLOSED,
        says(RST, UNA),
        error=ECONNRESET,
    ),
)

#: Nobody will read it: RFC 1122 4.2.2.13.
ORPHAN = (
    row("RST with the next number", RST, SEQ, None, CLOSED),
    row("text: RST", ACK, SEQ, UNA, CLOSED, says(RST, UNA), text=b"x"),
    row("text with an ACK of our FIN: RST", ACK, SEQ, NXT, CLOSED, says(RST, NXT), text=b"x"),
    row("text before its turn: RST", ACK, SEQ + 5, UNA, CLOSED, says(RST, UNA), text=b"x"),
    row(
        "text that overlaps what we have: RST",
        ACK,
        SEQ - 2,
        UNA,
        CLOSED,
        says(RST, UNA),
        text=b"..new",
    ),
    row("text and FIN: RST", FIN | ACK, SEQ, UNA, CLOSED, says(RST, UNA), text=b"bye"),
    row("FIN before its turn: RST", FIN | ACK, SEQ + 5, UNA, CLOSED, says(RST, UNA)),
)


def closed_with_linger2(end: End) -> None:
    """Closed with a negative TCP_LINGER2: no FIN-WAIT-2."""
    reach.established(end)
    end.linger2(-1)
    end.close()


NO_LINGER = (
    row("ACK of what was before our FIN", ACK, SEQ, UNA, FIN_WAIT_1),
    row("ACK of our FIN: RST", ACK, SEQ, NXT, CLOSED, says(RST, NXT)),
)

PAWS = (
    row("ACK of our FIN in time", ACK, SEQ, NXT, FIN_WAIT_2, ts=1),
    row("ACK of our FIN from the past", ACK, SEQ, NXT, FIN_WAIT_1, HERE, ts=-2),
    row("FIN from the past", FIN | ACK, SEQ, UNA, FIN_WAIT_1, HERE, ts=-2),
    row("RST from the past", RST, SEQ, None, CLOSED, error=ECONNRESET, ts=-2),
)

TABLES = (
    Table("by shutdown", reach.fin_wait_1, SEGMENTS),
    Table("by close", reach.fin_wait_1_closed, SEGMENTS),
    Table("by shutdown", reach.fin_wait_1, READING),
    Table("by close", reach.fin_wait_1_closed, ORPHAN),
    Table("TCP_LINGER2 < 0", closed_with_linger2, NO_LINGER),
    Table("timestamps", reach.fin_wait_1, PAWS, STAMPED),
)


@cells(*TABLES)
def test_fin_wait_1(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_text_with_the_ack_of_our_fin_is_refused_once() -> None:
    """TCP_LINGER2 is negative: nobody waits for the peer's FIN."""
    end = Ours()
    reach.established(end)
    end.linger2(-1)
    end.close()
    end.sent()
    end.arrives(ACK, IRS + 1, ISS + 2, b"text")
    assert end.sent() == [says(RST, ISS + 2)]
