"""CLOSE-WAIT: the peer's FIN has come, ours is to go when the user closes."""

from errno import EPIPE
from typing import Final

from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
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
    seg,
    shutdown_read,
    shutdown_write,
    timeline,
    write,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, End, Ours

from halfopen.base.units import S
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, CLOSE_WAIT, LAST_ACK = State.CLOSED, State.CLOSE_WAIT, State.LAST_ACK
SEQ: Final = IRS + 2  # behind the peer's FIN
NXT: Final = ISS + 1

HERE = says(ACK, NXT, SEQ)


def settled(end: End) -> None:
    """The peer's FIN is acknowledged: what rode on our text."""
    reach.close_wait(end)
    end.write(b"x")
    end.arrives(ACK, SEQ, NXT + 1)


UNA: Final = NXT + 1
THERE = says(ACK, UNA, SEQ)

SEGMENTS = (
    row("ACK in order", ACK, SEQ, UNA, CLOSE_WAIT),
    row("ACK one too early", ACK, SEQ - 1, UNA, CLOSE_WAIT, THERE),
    row("ACK beyond the window", ACK, EDGE + 1, UNA, CLOSE_WAIT, THERE),
    row("ACK of the unsent", ACK, SEQ, UNA + 1, CLOSE_WAIT, THERE),
    row("ACK of the past", ACK, SEQ, UNA - 1, CLOSE_WAIT),
    row("ACK of what was before our SYN", ACK, SEQ, ISS - 1, CLOSE_WAIT, THERE),
    row("FIN once more", FIN | ACK, SEQ - 1, UNA, CLOSE_WAIT, THERE),
    row("a second FIN", FIN | ACK, SEQ, UNA, CLOSE_WAIT),
    row(
        "a second FIN, behind an octet in the place of the first",
        FIN | ACK,
        SEQ - 1,
        UNA,
        CLOSE_WAIT,
        text=b"x",
    ),
    row("FIN without ACK", FIN, SEQ, None, CLOSE_WAIT),
    row("text behind the FIN", ACK, SEQ, UNA, CLOSE_WAIT, text=b"more"),
    row("text without ACK", PSH, SEQ, None, CLOSE_WAIT, text=b"x"),
    row("old text", ACK, SEQ - 9, UNA, CLOSE_WAIT, THERE, text=b"hello"),
    row("no flag at all", 0, SEQ, None, CLOSE_WAIT),
    row("SYN with the next number", SYN, SEQ, None, CLOSE_WAIT, THERE),
    row("SYN,ACK", SYN | ACK, IRS, UNA, CLOSE_WAIT, THERE),
    row("RST with the next number", RST, SEQ, None, CLOSED, error=EPIPE),
    row("RST,ACK with the next number", RST | ACK, SEQ, UNA, CLOSED, error=EPIPE),
    row("RST with the number of the FIN", RST, SEQ - 1, None, CLOSED, error=EPIPE),
    row("RST in the window", RST, SEQ + 1, None, CLOSE_WAIT, THERE),
    row("RST outside", RST, EDGE + 1, None, CLOSE_WAIT),
    row("RST two too early", RST, SEQ - 2, None, CLOSE_WAIT),
)

#: What goes on beyond the window is looked at only where nothing waits for the reader.
ACROSS = seg(ACK, EDGE - 1, UNA, b"xx")
END = (
    case("the FIN waits for the reader", (ACROSS,), CLOSE_WAIT, THERE),
    case("the reader has met it", (read(), ACROSS), CLOSE_WAIT),
)

#: The ACK of the FIN is still due.
FRESH = (
    row("RST with the next number", RST, SEQ, None, CLOSED, error=EPIPE),
    row("RST with the number of the FIN", RST, SEQ - 1, None, CLOSED, error=EPIPE),
    row("SYN", SYN, SEQ, None, CLOSE_WAIT, HERE),
    case("receive: the end", (read(),), CLOSE_WAIT),
    case("send: the ACK rides on it", (write(b"hi"),), CLOSE_WAIT, says(PSH | ACK, NXT, SEQ, 2)),
    case("shut down writing: FIN", (shutdown_write,), LAST_ACK, says(FIN | ACK, NXT, SEQ)),
    case("shut down reading", (shutdown_read,), CLOSE_WAIT),
    case("close: FIN", (close,), LAST_ACK, says(FIN | ACK, NXT, SEQ)),
    case("abort: RST", (abort,), CLOSED, says(RST | ACK, NXT, SEQ)),
)


def unread(end: End) -> None:
    """Text came with the FIN, and waits for the reader."""
    reach.established(end)
    end.arrives(FIN | ACK, IRS + 1, NXT, b"bye")


UNREAD = (
    case("receive", (read(1),), CLOSE_WAIT, gives=b"ye"),
    case("close: RST", (close,), CLOSED, says(RST | ACK, NXT, SEQ + 3)),
    case("receive, then close: FIN", (read(), close), LAST_ACK, says(FIN | ACK, NXT, SEQ + 3)),
    row("RST: the text stays readable", RST, SEQ + 3, None, CLOSED, error=EPIPE, gives=b"bye"),
    row(
        "text across the window's end",
        ACK,
        EDGE - 1,
        NXT,
        CLOSE_WAIT,
        says(ACK, NXT, SEQ + 3),
        text=b"xx",
        gives=b"bye",
    ),
)


def behind(end: End) -> None:
    """Text came, and then the FIN by itself."""
    reach.established(end)
    end.arrives(ACK, IRS + 1, NXT, b"bye")
    end.arrives(FIN | ACK, IRS + 4, NXT)


BEHIND = (
    case(
        "receive a part",
        (read(1), seg(ACK, EDGE - 1, NXT, b"xx")),
        CLOSE_WAIT,
        says(ACK, NXT, SEQ + 3),
        gives=b"ye",
    ),
    case(
        "receive the text: the FIN goes with it",
        (read(3), seg(ACK, EDGE - 1, NXT, b"xx")),
        CLOSE_WAIT,
    ),
    case(
        "receive the text, then the end",
        (read(3), read(), seg(ACK, EDGE - 1, NXT, b"xx")),
        CLOSE_WAIT,
    ),
)

PAWS = (
    row("ACK from the past", ACK, SEQ, NXT, CLOSE_WAIT, HERE, ts=-2),
    row("RST from the past", RST, SEQ, None, CLOSED, error=EPIPE, ts=-2),
)

TABLES = (
    Table("", settled, SEGMENTS),
    Table("across the window's end", settled, END),
    Table("fresh", reach.close_wait, FRESH),
    Table("unread text", unread, UNREAD),
    Table("unread text and FIN", behind, BEHIND),
    Table("timestamps", reach.close_wait, PAWS, STAMPED),
)


@cells(*TABLES)
def test_close_wait(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_the_fin_is_acknowledged_without_waiting_long() -> None:
    """No text has set a delay yet, so the timer fires at the next tick.

    Linux tcp_send_delayed_ack.
    """
    end = Ours()
    reach.close_wait(end)
    end.sent()
    assert timeline(end, S) == [(At(0), HERE)]
