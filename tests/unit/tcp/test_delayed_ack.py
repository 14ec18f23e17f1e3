"""When an ACK goes: at once, or 40 to 200 ms later.

RFC 1122 4.2.3.2; Linux __tcp_ack_snd_check.
"""

from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    At,
    Cell,
    Table,
    case,
    cells,
    check,
    rcvlowat,
    read,
    says,
    seg,
    timeline,
    wait,
    write,
)
from tests.unit.tcp.ends import IRS, ISS, End, Options, Ours, Sent

from halfopen.base.units import MS, S
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, PSH, SYN

ESTABLISHED = State.ESTABLISHED
SEQ: Final = IRS + 1
NXT: Final = ISS + 1
SOON: Final = wait(20 * MS)
LATER: Final = wait(60 * MS)


def got(octets: int, sent: int = 0) -> Sent:
    """Our ACK of so many octets, behind so many of ours."""
    return says(ACK, NXT + sent, SEQ + octets)


FRESH = (
    case(
        "the first segment is acknowledged at once",
        (seg(ACK, SEQ, NXT, b"x"),),
        ESTABLISHED,
        got(1),
        gives=b"x",
    ),
    case(
        "and so are the next",
        tuple(seg(ACK, SEQ + n, NXT, b"x") for n in range(5)),
        ESTABLISHED,
        *(got(n + 1) for n in range(5)),
        gives=b"xxxxx",
    ),
)


HURRIED = (
    case(
        "after sixteen quick ACKs the next waits, until all is read",
        (*(seg(ACK, SEQ + n, NXT, b"x") for n in range(30)), read(), SOON),
        ESTABLISHED,
        *(got(n + 1) for n in range(16)),
        got(30),
    ),
)


def conversing(end: End) -> None:
    """We answered what we received: ping-pong. Three octets came, and six went."""
    reach.established(end)
    end.arrives(PSH | ACK, SEQ, NXT, b"ask")
    end.read()
    end.write(b"answer")
    end.arrives(ACK, SEQ + 3, NXT + 6)


AGAIN = seg(PSH | ACK, SEQ + 3, NXT + 6, b"again")

CONVERSATION = (
    case("the ACK waits for the answer", (AGAIN, SOON), ESTABLISHED, gives=b"again"),
    case(
        "it rides on it",
        (AGAIN, write(b"yes")),
        ESTABLISHED,
        says(PSH | ACK, NXT + 6, SEQ + 8, 3),
        gives=b"again",
    ),
    case("it does not wait for long", (AGAIN, LATER), ESTABLISHED, got(8, 6), gives=b"again"),
    case("half of what was pushed is read", (AGAIN, read(2)), ESTABLISHED, gives=b"ain"),
    case("all of it is read", (AGAIN, read(), SOON), ESTABLISHED),
    case(
        "all of what was pushed twice is read",
        (AGAIN, seg(PSH | ACK, SEQ + 8, NXT + 6, b"!"), read()),
        ESTABLISHED,
        got(9, 6),
    ),
    case(
        "one full segment waits",
        (seg(ACK, SEQ + 3, NXT + 6, bytes(1_460)), read(), SOON),
        ESTABLISHED,
    ),
    case(
        "two full segments don't",
        (
            seg(ACK, SEQ + 3, NXT + 6, bytes(1_460)),
            seg(ACK, SEQ + 1_463, NXT + 6, bytes(1_460)),
            read(),
        ),
        ESTABLISHED,
        got(2_923, 6),
    ),
    case("a gap is told at once", (seg(ACK, SEQ + 9, NXT + 6, b"x"),), ESTABLISHED, got(3, 6)),
    case(
        "a gap is filled",
        (seg(ACK, SEQ + 4, NXT + 6, b"b"), seg(ACK, SEQ + 3, NXT + 6, b"a")),
        ESTABLISHED,
        got(3, 6),
        got(5, 6),
        gives=b"ab",
    ),
    case(
        "after the timer the conversation is over",
        (AGAIN, LATER, seg(ACK, SEQ + 8, NXT + 6, b"x")),
        ESTABLISHED,
        got(8, 6),
        got(9, 6),
        gives=b"againx",
    ),
    case(
        "text in the rhythm of the delay makes it longer",
        (AGAIN, write(b"yes"), wait(30 * MS), seg(ACK, SEQ + 8, NXT + 9, b"x"), wait(35 * MS)),
        ESTABLISHED,
        says(PSH | ACK, NXT + 6, SEQ + 8, 3),
        gives=b"againx",
    ),
    case("what came twice is told at once", (AGAIN, AGAIN), ESTABLISHED, got(8, 6), gives=b"again"),
)


def answered_twice(end: End) -> None:
    """Two answers went, and three make a conversation."""
    conversing(end)
    end.arrives(PSH | ACK, SEQ + 3, NXT + 6, b"ask")
    end.read()
    end.write(b"answer")
    end.arrives(ACK, SEQ + 6, NXT + 12)


TWICE = (
    case(
        "text is acknowledged at once",
        (seg(PSH | ACK, SEQ + 6, NXT + 12, b"again"),),
        ESTABLISHED,
        got(11, 12),
        gives=b"again",
    ),
    case(
        "after the next answer the ACK waits",
        (
            seg(PSH | ACK, SEQ + 6, NXT + 12, b"ask"),
            write(b"answer"),
            seg(ACK, SEQ + 9, NXT + 18),
            seg(PSH | ACK, SEQ + 9, NXT + 18, b"again"),
            SOON,
        ),
        ESTABLISHED,
        got(9, 12),
        says(PSH | ACK, NXT + 12, SEQ + 9, 6),
        gives=b"askagain",
    ),
)
THREE: Final[dict[str, int | str]] = {"net.ipv4.tcp_pingpong_thresh": 3}

SIXTEEN: Final = tuple(seg(ACK, SEQ + n, NXT, b"x") for n in range(16))
#: The peer's segments are small. The quick ACKs are used up.
SMALL = (
    case(
        "a full one that is not pushed waits also when it is read",
        (*SIXTEEN, read(), seg(ACK, SEQ + 16, NXT, bytes(100)), read(), SOON),
        ESTABLISHED,
        *(got(n + 1) for n in range(16)),
    ),
    case(
        "a pushed one does not, when it is read",
        (*SIXTEEN, read(), seg(PSH | ACK, SEQ + 16, NXT, bytes(100)), read(), SOON),
        ESTABLISHED,
        *(got(n + 1) for n in range(16)),
        got(116),
    ),
)

#: Four full segments of a conversation, of which nothing is read; the buffer has no more room.
UNREAD: Final = tuple(
    seg(ACK, SEQ + 3 + number * 1_460, NXT + 6, bytes(1_460)) for number in range(4)
)
LITTLE_ROOM: Final[dict[str, int | str]] = {"net.ipv4.tcp_rmem": "4096 16384 16384"}
ROOMLESS = (
    case(
        "where the window can't move, the ACK waits for the reader",
        (*UNREAD, SOON),
        ESTABLISHED,
        got(2_923, 6),
        gives=bytes(5_840),
    ),
    case(
        "it does not where the reader waits for more",
        (rcvlowat(8_000), *UNREAD, SOON),
        ESTABLISHED,
        got(2_923, 6),
        got(5_843, 6),
        gives=bytes(5_840),
    ),
)

TABLES = (
    Table("connected", reach.established, FRESH),
    Table("accepted", reach.accepted, FRESH),
    Table("in a hurry", reach.established, HURRIED),
    Table("conversation", conversing, CONVERSATION),
    Table("tcp_pingpong_thresh 3", answered_twice, TWICE, sysctl=THREE),
    Table("little room", conversing, ROOMLESS, sysctl=LITTLE_ROOM),
    Table("MSS 100", reach.established, SMALL, Options(mss=100)),
)


@cells(*TABLES)
def test_delayed_ack(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_the_ack_is_late_by_forty_ms() -> None:
    end = Ours()
    conversing(end)
    AGAIN(end)
    end.sent()
    assert timeline(end, S) == [(At(0.04), got(8, 6))]


def slowly(end: Ours) -> int:
    """A conversation over a way of 150 ms, whose rhythm made the delay long; our octets."""
    end.connect()
    end.wait(150 * MS)
    end.arrives(SYN | ACK, IRS, ISS + 1)
    end.arrives(PSH | ACK, SEQ, NXT, b"ask")
    end.read()
    end.write(b"answer")
    for at, gap in enumerate((189, 30, 45, 60), 3):
        end.wait(gap * MS)
        end.arrives(ACK, SEQ + at, NXT + at + 3, b"x")
        end.write(b"y")
    end.arrives(ACK, SEQ + 7, NXT + 10)
    end.wait(60 * MS)
    end.sent()
    return 10


@pytest.mark.parametrize(("gaps", "due_ms"), [((), 110), ((10,), 90), ((10, 10), 82)])
def test_text_that_follows_soon_brings_the_ack_forward(gaps: tuple[int, ...], due_ms: int) -> None:
    """The timer that runs already is set anew (Linux tcp_send_delayed_ack)."""
    end = Ours()
    ours = slowly(end)
    begun = end.now
    end.arrives(ACK, SEQ + 7, NXT + ours, b"x")
    for at, gap in enumerate(gaps, 8):
        end.wait(gap * MS)
        end.arrives(ACK, SEQ + at, NXT + ours, b"x")
    assert end.sent() == []
    assert end.next_deadline() == begun + due_ms * MS


def test_the_delay_is_long_where_no_round_trip_was_measured() -> None:
    """Our SYN,ACK was sent twice."""
    end = Ours()
    end.listen()
    end.arrives(SYN, IRS)
    end.wait(1_100 * MS)
    end.arrives(ACK, SEQ, NXT)
    end.accept()
    end.arrives(PSH | ACK, SEQ, NXT, b"ask")
    end.read()
    end.write(b"answer")
    end.wait(30 * MS)
    end.sent()
    end.arrives(ACK, SEQ + 3, NXT, b"x")
    assert timeline(end, 80 * MS) == [(At(0.05), got(4, 6))]
