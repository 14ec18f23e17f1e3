"""ESTABLISHED (RFC 9293 3.10.7.4): the checks, one after another, and every call."""

from errno import ECONNRESET
from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    SACKING,
    STAMPED,
    Cell,
    Step,
    Table,
    abort,
    case,
    cells,
    check,
    close,
    read,
    row,
    sacks,
    says,
    seg,
    shutdown_read,
    shutdown_write,
    wait,
    write,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, WINDOW, End, Options, Ours, Sent

from halfopen.base.units import HOUR, MS
from halfopen.tcp.states import State
from halfopen.wire.seq import WRAP
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, ESTABLISHED, CLOSE_WAIT = State.CLOSED, State.ESTABLISHED, State.CLOSE_WAIT
FIN_WAIT_1 = State.FIN_WAIT_1
SEQ: Final = IRS + 1
NXT: Final = ISS + 1

HERE = says(ACK, NXT, SEQ)  # where we are: a challenge, or the answer to the unacceptable


def got(octets: int) -> Sent:
    """Our ACK of so many octets."""
    return says(ACK, NXT, SEQ + octets)


SEGMENTS = (
    # First, check the sequence number.
    row("ACK in order", ACK, SEQ, NXT, ESTABLISHED),
    row("ACK one too early (a keepalive)", ACK, IRS, NXT, ESTABLISHED, HERE),
    row("ACK long ago", ACK, SEQ - 9_999, NXT, ESTABLISHED, HERE),
    row("ACK in the window", ACK, SEQ + 9, NXT, ESTABLISHED),
    row("ACK at the window's end", ACK, EDGE, NXT, ESTABLISHED),
    row("ACK beyond the window", ACK, EDGE + 1, NXT, ESTABLISHED, HERE),
    row("old text", ACK, SEQ - 5, NXT, ESTABLISHED, HERE, text=b"hello"),
    row("text beyond the window", ACK, EDGE + 1, NXT, ESTABLISHED, HERE, text=b"x"),
    row("FIN long ago", FIN | ACK, SEQ - 9, NXT, ESTABLISHED, HERE),
    row("FIN beyond the window", FIN | ACK, EDGE + 1, NXT, ESTABLISHED, HERE),
    # Second, check the RST bit (RFC 5961 3.2).
    row("RST with the next number", RST, SEQ, None, CLOSED, error=ECONNRESET),
    row("RST,ACK with the next number", RST | ACK, SEQ, NXT, CLOSED, error=ECONNRESET),
    row(
        "RST,ACK of the unsent, with the next number",
        RST | ACK,
        SEQ,
        NXT + 9,
        CLOSED,
        error=ECONNRESET,
    ),
    row("RST with text", RST, SEQ, None, CLOSED, error=ECONNRESET, text=b"why"),
    row("RST in the window", RST, SEQ + 1, None, ESTABLISHED, HERE),
    row("RST at the window's end", RST, EDGE, None, ESTABLISHED, HERE),
    row("RST one too early", RST, IRS, None, ESTABLISHED),
    row("RST outside", RST, EDGE + 1, None, ESTABLISHED),
    row("SYN,RST with the next number", SYN | RST, SEQ, None, CLOSED, error=ECONNRESET),
    # Fourth, check the SYN bit (RFC 5961 4.2): never more than a challenge.
    row("SYN with the next number", SYN, SEQ, None, ESTABLISHED, HERE),
    row("SYN again", SYN, IRS, None, ESTABLISHED, HERE),
    row("SYN in the window", SYN, SEQ + 9, None, ESTABLISHED, HERE),
    row("SYN outside", SYN, SEQ - 9_999, None, ESTABLISHED, HERE),
    row("SYN,ACK again", SYN | ACK, IRS, NXT, ESTABLISHED, HERE),
    row("SYN,ACK in the window", SYN | ACK, SEQ, NXT, ESTABLISHED, HERE),
    row("SYN,FIN", SYN | FIN, SEQ, None, ESTABLISHED, HERE),
    # Fifth, check the ACK field (RFC 5961 5.2).
    row("ACK of the unsent", ACK, SEQ, NXT + 1, ESTABLISHED, HERE),
    row("text with an ACK of the unsent", ACK, SEQ, NXT + 1, ESTABLISHED, HERE, text=b"x"),
    row("ACK of our SYN once more", ACK, SEQ, NXT, ESTABLISHED),
    row("ACK of what was before our SYN", ACK, SEQ, ISS - 1, ESTABLISHED, HERE),
    row(
        "text with an ACK of the long past",
        ACK,
        SEQ,
        NXT - WINDOW - 1,
        ESTABLISHED,
        HERE,
        text=b"x",
    ),
    row("text without ACK", PSH, SEQ, None, ESTABLISHED, text=b"x"),
    row("FIN without ACK", FIN, SEQ, None, ESTABLISHED),
    row("no flag at all", 0, SEQ, None, ESTABLISHED),
    row("no flag at all, outside", 0, EDGE + 9, None, ESTABLISHED),
    # Seventh, process the text.
    row("text in order", PSH | ACK, SEQ, NXT, ESTABLISHED, got(5), text=b"hello", gives=b"hello"),
    row("text before its turn", ACK, SEQ + 5, NXT, ESTABLISHED, HERE, text=b"later"),
    row(
        "text that overlaps what we have",
        ACK,
        SEQ - 2,
        NXT,
        ESTABLISHED,
        got(3),
        text=b"..new",
        gives=b"new",
    ),
    row("text at the window's end", ACK, EDGE, NXT, ESTABLISHED, HERE, text=b"x"),
    row("text across the window's end", ACK, EDGE - 2, NXT, ESTABLISHED, HERE, text=b"late"),
    case(
        "text once more",
        (seg(ACK, SEQ, NXT, b"hello"), seg(ACK, SEQ, NXT, b"hello")),
        ESTABLISHED,
        got(5),
        got(5),
        gives=b"hello",
    ),
    case(
        "a gap is filled",
        (seg(ACK, SEQ + 5, NXT, b"world"), seg(ACK, SEQ, NXT, b"hello")),
        ESTABLISHED,
        HERE,
        got(10),
        gives=b"helloworld",
    ),
    case(
        "a gap is filled with overlap on both sides",
        (
            seg(ACK, SEQ, NXT, b"abc"),
            seg(ACK, SEQ + 6, NXT, b"ghi"),
            seg(ACK, SEQ + 2, NXT, b"cdefg"),
        ),
        ESTABLISHED,
        got(3),
        got(3),
        got(9),
        gives=b"abcdefghi",
    ),
    # Eighth, check the FIN bit.
    row("FIN", FIN | ACK, SEQ, NXT, CLOSE_WAIT),
    row("FIN behind text", FIN | ACK, SEQ, NXT, CLOSE_WAIT, text=b"bye", gives=b"bye"),
    row("FIN before its turn", FIN | ACK, SEQ + 5, NXT, ESTABLISHED, HERE),
    case(
        "FIN before its turn, then the text",
        (seg(FIN | ACK, SEQ + 3, NXT), seg(ACK, SEQ, NXT, b"bye")),
        CLOSE_WAIT,
        HERE,
        got(4),
        gives=b"bye",
    ),
    case(
        "FIN behind early text",
        (seg(FIN | ACK, SEQ + 3, NXT, b"bye"), seg(ACK, SEQ, NXT, b"and")),
        CLOSE_WAIT,
        HERE,
        got(7),
        gives=b"andbye",
    ),
    # How often.
    case("two SYNs", (seg(SYN, SEQ), seg(SYN, SEQ)), ESTABLISHED, HERE),
    case("SYN, then an RST in the window", (seg(SYN, SEQ), seg(RST, SEQ + 1)), ESTABLISHED, HERE),
    case("two old ACKs", (seg(ACK, IRS, NXT), seg(ACK, IRS, NXT)), ESTABLISHED, HERE),
    case(
        "two old texts",
        (seg(ACK, IRS, NXT, b"x"), seg(ACK, IRS, NXT, b"x")),
        ESTABLISHED,
        HERE,
        HERE,
    ),
    case(
        "two old FINs",
        (seg(FIN | ACK, IRS - 1, NXT), seg(FIN | ACK, IRS - 1, NXT)),
        ESTABLISHED,
        HERE,
        HERE,
    ),
    case(
        "two SYNs, half a second apart",
        (seg(SYN, SEQ), wait(520 * MS), seg(SYN, SEQ)),
        ESTABLISHED,
        HERE,
        HERE,
    ),
)


def in_flight(end: End) -> None:
    """100 octets are in flight, and as many are acknowledged."""
    reach.established(end)
    end.write(bytes(100))
    end.arrives(ACK, SEQ, NXT + 100)
    end.write(bytes(100))


FLIGHT: Final = NXT + 100  # SND.UNA of it
END: Final = NXT + 200  # SND.NXT of it
THERE = says(ACK, END, SEQ)

IN_FLIGHT = (
    row("ACK of all", ACK, SEQ, END, ESTABLISHED),
    row("ACK of a part", ACK, SEQ, FLIGHT + 50, ESTABLISHED),
    row("ACK once more", ACK, SEQ, FLIGHT, ESTABLISHED),
    row("ACK of the unsent", ACK, SEQ, END + 1, ESTABLISHED, THERE),
    row("ACK of what was acknowledged", ACK, SEQ, FLIGHT - 1, ESTABLISHED),
    row("ACK of our SYN", ACK, SEQ, NXT, ESTABLISHED),
    row("ACK of what was before our SYN", ACK, SEQ, ISS - 1, ESTABLISHED, THERE),
    row("RST with the next number", RST, SEQ, None, CLOSED, error=ECONNRESET),
    row("SYN", SYN, SEQ, None, ESTABLISHED, THERE),
    row("FIN with an ACK of all", FIN | ACK, SEQ, END, CLOSE_WAIT),
    case(
        "a small text waits for the ACK (Nagle)",
        (write(b"more"), seg(ACK, SEQ, END)),
        ESTABLISHED,
        says(PSH | ACK, END, SEQ, 4),
    ),
    case("close: the FIN goes behind it", (close,), FIN_WAIT_1, says(FIN | ACK, END, SEQ)),
    case("abort: RST", (abort,), CLOSED, says(RST | ACK, END, SEQ)),
)

#: ``ts`` is the distance from the latest timestamp, in ms (RFC 7323 5; PAWS).
PAWS = (
    row("ACK from the past, the first one", ACK, SEQ, NXT, ESTABLISHED, HERE, ts=-2),
    row("text in time", PSH | ACK, SEQ, NXT, ESTABLISHED, got(1), text=b"x", ts=1, gives=b"x"),
    row("text of the same ms", PSH | ACK, SEQ, NXT, ESTABLISHED, got(1), text=b"x", gives=b"x"),
    row("text from the past", PSH | ACK, SEQ, NXT, ESTABLISHED, HERE, text=b"x", ts=-2),
    row("text from the long past", PSH | ACK, SEQ, NXT, ESTABLISHED, HERE, text=b"x", ts=-90_000),
    row(
        "text without a timestamp",
        PSH | ACK,
        SEQ,
        NXT,
        ESTABLISHED,
        got(1),
        text=b"x",
        ts=-1,
        gives=b"x",
    ),
    row("FIN from the past", FIN | ACK, SEQ, NXT, ESTABLISHED, HERE, ts=-2),
    row("SYN from the past", SYN, SEQ, None, ESTABLISHED, HERE, ts=-2),
    row("RST from the past counts", RST, SEQ, None, CLOSED, error=ECONNRESET, ts=-2),
    row("ACK from the past that was overtaken", ACK, SEQ - 9, NXT, ESTABLISHED, ts=-2),
    case(
        "ACK from the past, like the last",
        (seg(ACK, SEQ, NXT), seg(ACK, SEQ, NXT, ts=-2)),
        ESTABLISHED,
    ),
    case(
        "ACK from the long past",
        (seg(ACK, SEQ, NXT), seg(ACK, SEQ, NXT, ts=-900)),
        ESTABLISHED,
        HERE,
    ),
    row("ACK from the past that closes the window", ACK, SEQ, NXT, ESTABLISHED, HERE, ts=-2, wnd=0),
    row(
        "ACK from the past that opens the window",
        ACK,
        SEQ,
        NXT,
        ESTABLISHED,
        HERE,
        ts=-2,
        wnd=WINDOW + 1,
    ),
    row("ACK from the past beyond RCV.NXT", ACK, SEQ + 9, NXT, ESTABLISHED, HERE, ts=-2),
    case(
        "the latest timestamp is kept",
        (seg(ACK, SEQ, NXT, b"a", ts=9), seg(ACK, SEQ + 1, NXT, b"b", ts=5)),
        ESTABLISHED,
        got(1),
        got(1),
        gives=b"a",
    ),
    case(
        "early text does not set the clock",
        (seg(ACK, SEQ + 1, NXT, b"b", ts=9), seg(ACK, SEQ, NXT, b"a", ts=5)),
        ESTABLISHED,
        HERE,
        got(2),
        gives=b"ab",
    ),
)

#: So far behind the peer's SYN, whose clock then stood at its end, lies 0.
TO_ZERO: Final = 1 - WRAP


def at_the_clocks_end(end: End) -> None:
    end.peer_ts = WRAP - 1
    reach.established(end)


#: 0 stands for none in Linux: what comes next is not held against it.
CLOCK_WRAPS = (
    case(
        "a timestamp of 0 is kept",
        (seg(ACK, SEQ, NXT, ts=TO_ZERO), seg(PSH | ACK, SEQ, NXT, b"x", ts=-6)),
        ESTABLISHED,
        got(1),
        gives=b"x",
    ),
    case(
        "without it the past is refused",
        (seg(ACK, SEQ, NXT), seg(PSH | ACK, SEQ, NXT, b"x", ts=-6)),
        ESTABLISHED,
        HERE,
    ),
)

#: Two octets are missing, and what lies behind them is reported.
REPORTED = (seg(ACK, SEQ + 2, NXT, b"later"),)
LATER = sacks(HERE, (SEQ + 2, SEQ + 7))

SACKS = (
    case(
        "RST behind all that was reported",
        (*REPORTED, seg(RST, SEQ + 7)),
        CLOSED,
        LATER,
        error=ECONNRESET,
    ),
    case("RST behind a part of it", (*REPORTED, seg(RST, SEQ + 6)), ESTABLISHED, LATER, LATER),
    case("RST with the next number", (*REPORTED, seg(RST, SEQ)), CLOSED, LATER, error=ECONNRESET),
    case(
        "RST behind a FIN that was reported",
        (seg(FIN | ACK, SEQ + 2, NXT, b"bye"), seg(RST, SEQ + 6)),
        CLOSED,
        sacks(HERE, (SEQ + 2, SEQ + 6)),
        error=ECONNRESET,
    ),
    case(
        "text once more",
        (seg(ACK, SEQ, NXT, b"x"),) * 2,
        ESTABLISHED,
        got(1),
        sacks(got(1), (SEQ, SEQ + 1)),
        gives=b"x",
    ),
    row(
        "old text",
        ACK,
        SEQ - 9,
        NXT,
        ESTABLISHED,
        sacks(HERE, (SEQ - 9, SEQ - 4)),
        text=b"hello",
    ),
    case(
        "early text once more",
        REPORTED * 2,
        ESTABLISHED,
        LATER,
        sacks(HERE, (SEQ + 2, SEQ + 7), (SEQ + 2, SEQ + 7)),
    ),
    case(
        "an early FIN once more",
        (seg(FIN | ACK, SEQ + 2, NXT),) * 2,
        ESTABLISHED,
        sacks(HERE, (SEQ + 2, SEQ + 3)),
        sacks(HERE, (SEQ + 2, SEQ + 3), (SEQ + 2, SEQ + 3)),
    ),
)

#: Where six pieces of early text begin; each has 100 octets.
PIECES: Final = range(100, 1_300, 200)
#: Linux sends no more than three duplicate ACKs at once, and the others a little later.
PAUSE: Final = wait(5 * MS)


def piece(at: int) -> tuple[Step, ...]:
    """100 octets of early text arrive."""
    return seg(ACK, SEQ + at, NXT, bytes(100)), PAUSE


def reports(*spans: tuple[int, int]) -> Sent:
    """What is reported by SACK, counted from the next number."""
    return sacks(HERE, *((SEQ + left, SEQ + right) for left, right in spans))


UPWARDS: Final = tuple(step for at in PIECES for step in piece(at))
DOWNWARDS: Final = tuple(step for at in reversed(PIECES) for step in piece(at))
#: What is said on the way: the latest piece first, and four of them at most.
GOING_UP: Final = tuple(
    reports(*((at, at + 100) for at in range(last, max(last - 800, 0), -200))) for last in PIECES
)
GOING_DOWN: Final = tuple(
    reports(*((at, at + 100) for at in range(last, min(last + 800, 1_300), 200)))
    for last in reversed(PIECES)
)

#: A fifth block is forgotten (RFC 2018 4 lets us; Linux TCP_NUM_SACKS).
MANY_SACKS = (
    case(
        "two of many pieces are joined: three are left",
        (*UPWARDS, *piece(1_000)),
        ESTABLISHED,
        *GOING_UP,
        reports((900, 1_200), (700, 800), (500, 600)),
    ),
    case(
        "text beside a piece that was forgotten",
        (*UPWARDS, *piece(200)),
        ESTABLISHED,
        *GOING_UP,
        reports((200, 300), (1_100, 1_200), (900, 1_000), (700, 800)),
    ),
    case(
        "RST behind a piece that was forgotten",
        (*DOWNWARDS, seg(RST, SEQ + 1_200)),
        ESTABLISHED,
        *GOING_DOWN,
        GOING_DOWN[-1],
    ),
    case(
        "RST behind the last that is still reported",
        (*DOWNWARDS, seg(RST, SEQ + 800)),
        CLOSED,
        *GOING_DOWN,
        error=ECONNRESET,
    ),
    case(
        "the first gap is filled",
        (*UPWARDS, seg(ACK, SEQ, NXT, bytes(100))),
        ESTABLISHED,
        *GOING_UP,
        sacks(got(200), *GOING_UP[-1].sack),
        gives=bytes(200),
    ),
)

#: What comes from the past, where SACK would report it.
SACKS_STAMPED = (
    row("a SYN of the past is challenged", SYN, IRS, None, ESTABLISHED, HERE, ts=-5),
    row(
        "text of the past is reported",
        ACK,
        SEQ - 9,
        NXT,
        ESTABLISHED,
        sacks(HERE, (SEQ - 9, SEQ - 4)),
        text=b"hello",
        ts=-5,
    ),
)

CALLS = (
    case("send: at once", (write(b"hello"),), ESTABLISHED, says(PSH | ACK, NXT, SEQ, 5)),
    case(
        "send: as the window allows",
        (seg(ACK, SEQ, NXT, wnd=3), write(b"hello"), seg(ACK, SEQ, NXT, wnd=4)),
        ESTABLISHED,
    ),
    case(
        "send: in full segments",
        (write(bytes(3_000)),),
        ESTABLISHED,
        says(ACK, NXT, SEQ, 1_460),
        says(ACK, NXT + 1_460, SEQ, 1_460),
        says(PSH | ACK, NXT + 2_920, SEQ, 80),
    ),
    case("receive: nothing there", (read(),), ESTABLISHED),
    case("receive", (seg(ACK, SEQ, NXT, b"hello"), read(2)), ESTABLISHED, got(5), gives=b"llo"),
    case("shut down writing: FIN", (shutdown_write,), FIN_WAIT_1, says(FIN | ACK, NXT, SEQ)),
    case("shut down reading: nobody is told", (shutdown_read,), ESTABLISHED),
    case(
        "text after shutting down reading is taken",
        (shutdown_read, seg(ACK, SEQ, NXT, b"hello")),
        ESTABLISHED,
        got(5),
        gives=b"hello",
    ),
    case("close: FIN", (close,), FIN_WAIT_1, says(FIN | ACK, NXT, SEQ)),
    case(
        "close with unread text: RST",
        (seg(ACK, SEQ, NXT, b"hello"), close),
        CLOSED,
        got(5),
        says(RST | ACK, NXT, SEQ + 5),
    ),
    case(
        "close after half was read: RST",
        (seg(ACK, SEQ, NXT, b"hello"), read(2), close),
        CLOSED,
        got(5),
        says(RST | ACK, NXT, SEQ + 5),
    ),
    case(
        "close after all was read: FIN",
        (seg(ACK, SEQ, NXT, b"hello"), read(), close),
        FIN_WAIT_1,
        got(5),
        says(FIN | ACK, NXT, SEQ + 5),
    ),
    case(
        "close with early text: FIN",
        (seg(ACK, SEQ + 9, NXT, b"x"), close),
        FIN_WAIT_1,
        HERE,
        says(FIN | ACK, NXT, SEQ),
    ),
    case("abort: RST", (abort,), CLOSED, says(RST | ACK, NXT, SEQ)),
    case(
        "close with text that waits for the window",
        (seg(ACK, SEQ, NXT, wnd=0), write(b"x"), close),
        FIN_WAIT_1,
    ),
)

TABLES = (
    Table("connected", reach.established, SEGMENTS),
    Table(
        "accepted", reach.accepted, tuple(cell for cell in SEGMENTS if "our SYN" not in cell.name)
    ),
    Table("in flight", in_flight, IN_FLIGHT),
    Table("timestamps", reach.established, PAWS, STAMPED),
    Table("accepted, timestamps", reach.accepted, PAWS[1:], STAMPED),
    Table("timestamps wrap", at_the_clocks_end, CLOCK_WRAPS, STAMPED),
    Table("SACK", reach.established, SACKS, SACKING),
    Table("many SACKs", reach.established, MANY_SACKS, SACKING),
    Table(
        "SACK, timestamps",
        reach.established,
        SACKS_STAMPED,
        Options(sack_ok=True, timestamps=True),
    ),
    Table("", reach.established, CALLS),
)


@cells(*TABLES)
def test_established(table: Table, cell: Cell) -> None:
    check(table, cell)


@pytest.mark.parametrize(("after_ms", "answers"), [(499, 1), (500, 2)])
def test_the_next_challenge_may_go_when_tcp_invalid_ratelimit_has_passed(
    after_ms: int, answers: int
) -> None:
    end = Ours()
    reach.established(end)
    end.sent()
    end.arrives(SYN, SEQ)
    end.wait(after_ms * MS)
    end.arrives(SYN, SEQ)
    assert end.sent() == [HERE] * answers


@pytest.mark.parametrize(
    ("silent_days", "taken"), [(0, False), (23, False), (24, True)], ids=["now", "23", "24"]
)
@pytest.mark.parametrize("age_days", [0, 13, 30])
def test_a_timestamp_proves_nothing_after_24_days(
    age_days: int, silent_days: int, taken: bool
) -> None:
    """However old the connection is (RFC 7323 5.5)."""
    end = Ours(STAMPED)
    reach.established(end)
    end.wait(age_days * 24 * HOUR)
    end.peer_ts += 1_000
    end.arrives(ACK, SEQ, NXT)
    end.wait(silent_days * 24 * HOUR)
    end.arrives(PSH | ACK, SEQ, NXT, b"x", ts=-9)
    assert end.read() == (b"x" if taken else b"")
