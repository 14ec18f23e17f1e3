"""Urgent data (RFC 9293 3.8.5): both ends of it, in every state.

A row's ``gives`` has a bar where a read ended in front of the mark.
"""

from errno import EAGAIN, EINVAL, ENOTCONN
from typing import Final

from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    SACKING,
    Cell,
    Step,
    Table,
    abort,
    apart,
    case,
    cells,
    check,
    close,
    inline,
    read,
    read_urgent,
    row,
    sacked,
    says,
    seg,
    shutdown_read,
    wait,
    write,
    write_urgent,
)
from tests.unit.tcp.ends import IRS, ISS, End, Options, Ours, Sent

from halfopen.base.units import MS
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG

ESTABLISHED, CLOSE_WAIT, CLOSED = State.ESTABLISHED, State.CLOSE_WAIT, State.CLOSED
SEQ: Final = IRS + 1
NXT: Final = ISS + 1
MSS: Final = 1_460


def got(octets: int, *, nxt: int = NXT) -> Sent:
    return says(ACK, nxt, SEQ + octets)


HERE = got(0)


def pointed(text: bytes, urg: int, *, at: int = 0) -> Step:
    """A segment with a pointer arrives."""
    return seg(ACK | URG, SEQ + at, NXT, text, urg=urg)


def plain(text: bytes, *, at: int = 0) -> Step:
    return seg(ACK, SEQ + at, NXT, text)


def accept(end: End) -> None:
    end.accept()


ARRIVING = (
    row(
        "no URG", ACK, SEQ, NXT, ESTABLISHED, got(2), text=b"ab", urg=2, gives=b"ab", urgent=EINVAL
    ),
    case("the last", (pointed(b"abc", 3),), ESTABLISHED, got(3), urgent=b"c", gives=b"ab"),
    case("in the middle", (pointed(b"abcd", 2),), ESTABLISHED, got(4), urgent=b"b", gives=b"a|cd"),
    case("the first", (pointed(b"abc", 1),), ESTABLISHED, got(3), urgent=b"a", gives=b"bc"),
    case("the only one", (pointed(b"a", 1),), ESTABLISHED, got(1), urgent=b"a"),
    case("a pointer of 0", (pointed(b"abc", 0),), ESTABLISHED, got(3), urgent=b"a", gives=b"bc"),
    case("not here yet", (pointed(b"ab", 9),), ESTABLISHED, got(2), urgent=EAGAIN, gives=b"ab"),
    case("by a bare ACK", (pointed(b"", 1),), ESTABLISHED, urgent=EAGAIN),
    case(
        "announced, and then it comes",
        (pointed(b"", 2), plain(b"abc")),
        ESTABLISHED,
        got(3),
        urgent=b"b",
        gives=b"a|c",
    ),
    case(
        "in the past",
        (plain(b"ab"), pointed(b"c", 0, at=1)),
        ESTABLISHED,
        got(2),
        got(2),
        urgent=EINVAL,
        gives=b"ab",
    ),
    case(
        "a second one",
        (pointed(b"a!", 2), pointed(b"b?", 2, at=2)),
        ESTABLISHED,
        got(2),
        got(4),
        urgent=b"?",
        gives=b"a!b",
    ),
    case(
        "a second one, in front of the first",
        (pointed(b"a", 9), pointed(b"b?", 2, at=1)),
        ESTABLISHED,
        got(1),
        got(3),
        urgent=EAGAIN,
        gives=b"ab?",
    ),
    case(
        "a second one, while the reader is at the first",
        (pointed(b"!", 1), pointed(b"?", 1, at=1)),
        ESTABLISHED,
        got(1),
        got(2),
        urgent=b"?",
    ),
    case(
        "a second one, while the reader has come to the first",
        (pointed(b"a!bc", 2), read(), pointed(b"?", 1, at=4)),
        ESTABLISHED,
        got(4),
        got(5),
        urgent=b"?",
        gives=b"bc",
    ),
    case(
        "a second one, while the first is in the stream",
        (inline, pointed(b"!", 1), pointed(b"?", 1, at=1)),
        ESTABLISHED,
        got(1),
        got(2),
        urgent=EINVAL,
        gives=b"!|?",
    ),
    case(
        "the same segment again",
        (pointed(b"ab", 2), pointed(b"ab", 2)),
        ESTABLISHED,
        got(2),
        got(2),
        urgent=b"b",
        gives=b"a",
    ),
    case(
        "the same segment again, after it was read",
        (pointed(b"ab", 2), read_urgent, pointed(b"ab", 2)),
        ESTABLISHED,
        got(2),
        got(2),
        urgent=EINVAL,
        gives=b"a",
    ),
    case("before its turn", (pointed(b"cd", 2, at=2),), ESTABLISHED, HERE, urgent=b"d"),
    case(
        "before its turn, read, and the same again",
        (pointed(b"cd", 2, at=2), read_urgent, pointed(b"cd", 2, at=2)),
        ESTABLISHED,
        HERE,
        HERE,
        urgent=EINVAL,
    ),
    case(
        "before its turn, and then the rest",
        (pointed(b"cd", 1, at=2), plain(b"ab")),
        ESTABLISHED,
        HERE,
        got(4),
        urgent=b"c",
        gives=b"ab|d",
    ),
    case(
        "with FIN",
        (seg(FIN | ACK | URG, SEQ, NXT, b"ab", urg=2),),
        CLOSE_WAIT,
        urgent=b"b",
        gives=b"a",
    ),
    case(
        "at the FIN",
        (seg(FIN | ACK | URG, SEQ, NXT, b"ab", urg=3),),
        CLOSE_WAIT,
        urgent=b"",
        gives=b"ab",
    ),
)

READING = (
    case(
        "once", (pointed(b"abc", 2), read_urgent), ESTABLISHED, got(3), urgent=EINVAL, gives=b"a|c"
    ),
    case(
        "up to the mark", (pointed(b"abc", 2), read()), ESTABLISHED, got(3), urgent=b"b", gives=b"c"
    ),
    case(
        "past it",
        (pointed(b"abcd", 2), read(), read(1)),
        ESTABLISHED,
        got(4),
        urgent=EINVAL,
        gives=b"d",
    ),
    case(
        "past it, where it was the last",
        (pointed(b"ab", 2), read(), read()),
        ESTABLISHED,
        got(2),
        urgent=EINVAL,
    ),
    case("one by one", (pointed(b"abc", 2), read(1), read(1)), ESTABLISHED, got(3), urgent=EINVAL),
    case(
        "in the stream",
        (inline, pointed(b"abc", 2)),
        ESTABLISHED,
        got(3),
        urgent=EINVAL,
        gives=b"a|bc",
    ),
    case(
        "put into the stream afterwards",
        (pointed(b"abc", 2), inline),
        ESTABLISHED,
        got(3),
        urgent=EINVAL,
        gives=b"a|bc",
    ),
    case(
        "taken out of it afterwards",
        (inline, pointed(b"abc", 2), apart),
        ESTABLISHED,
        got(3),
        urgent=b"b",
        gives=b"a|c",
    ),
    case(
        "in the stream, read",
        (inline, pointed(b"abc", 2), read(), read(1), apart),
        ESTABLISHED,
        got(3),
        urgent=EINVAL,
        gives=b"c",
    ),
    case(
        "after a reset",
        (pointed(b"abc", 2), seg(RST, SEQ + 3, None)),
        CLOSED,
        got(3),
        error=104,
        urgent=ENOTCONN,
        gives=b"a|c",
    ),
    case(
        "nobody reads",
        (pointed(b"abc", 2), shutdown_read),
        ESTABLISHED,
        got(3),
        urgent=b"b",
        gives=b"a|c",
    ),
    case("announced, and nobody reads", (pointed(b"", 2), shutdown_read), ESTABLISHED, urgent=b""),
)

#: Without the octet the stream is not read to its end: close resets (Linux __tcp_close).
CLOSING = (
    case("unread", (pointed(b"!", 1), close), CLOSED, got(1), says(RST | ACK, NXT, SEQ + 1)),
    case(
        "read as urgent only",
        (pointed(b"!", 1), read_urgent, close),
        CLOSED,
        got(1),
        says(RST | ACK, NXT, SEQ + 1),
    ),
    case(
        "read up to the mark",
        (pointed(b"a!", 2), read(), read_urgent, close),
        CLOSED,
        got(2),
        says(RST | ACK, NXT, SEQ + 2),
    ),
    case(
        "read past the mark",
        (pointed(b"a!", 2), read(), read(), close),
        State.FIN_WAIT_1,
        got(2),
        says(FIN | ACK, NXT, SEQ + 2),
    ),
    case("announced only", (pointed(b"", 1), close), State.FIN_WAIT_1, says(FIN | ACK, NXT, SEQ)),
)

#: What Linux takes for the urgent octet where that was lost: one of the next segment's header.
LOST = (
    case(
        "the last of the header",
        (pointed(b"", 1), plain(b"xyz", at=1)),
        ESTABLISHED,
        HERE,
        urgent=b"\0",
    ),
    case("its window", (pointed(b"", 1), plain(b"xyz", at=5)), ESTABLISHED, HERE, urgent=b"\x10"),
    case("too far away", (pointed(b"", 1), plain(b"xyz", at=21)), ESTABLISHED, HERE, urgent=EAGAIN),
)

STANDARD = (
    case("the last", (pointed(b"abc", 2),), ESTABLISHED, got(3), urgent=b"c", gives=b"ab"),
    case("a pointer of 0", (pointed(b"abc", 0),), ESTABLISHED, got(3), urgent=b"a", gives=b"bc"),
    case(
        "behind the text", (pointed(b"abc", 3),), ESTABLISHED, got(3), urgent=EAGAIN, gives=b"abc"
    ),
    case("sent", (write_urgent(b"abc"),), ESTABLISHED, says(URG | PSH | ACK, NXT, SEQ, 3, urg=3)),
)

IN_SYN_SENT = (
    row("SYN,ACK", SYN | ACK | URG, IRS, NXT, ESTABLISHED, HERE, urg=2, urgent=EAGAIN),
    row(
        "SYN,ACK to its own number",
        SYN | ACK | URG,
        IRS,
        NXT,
        ESTABLISHED,
        HERE,
        urg=1,
        urgent=EINVAL,
    ),
    row(
        "SYN,ACK with text",
        SYN | ACK | URG,
        IRS,
        NXT,
        ESTABLISHED,
        HERE,
        text=b"!",
        urg=2,
        urgent=b"!",
    ),
)

IN_SYN_RECEIVED = (
    case(
        "the ACK of our SYN",
        (pointed(b"a!", 2), accept),
        ESTABLISHED,
        got(2),
        urgent=b"!",
        gives=b"a",
    ),
)

IN_FIN_WAIT = (
    case(
        "text",
        (seg(ACK | URG, SEQ, NXT + 1, b"a!", urg=2),),
        State.FIN_WAIT_2,
        got(2, nxt=NXT + 1),
        urgent=b"!",
        gives=b"a",
    ),
)

#: The peer has said that it sends no more, and the pointer goes on (RFC 9293 would ignore it).
BEHIND_FIN = (
    case("a bare ACK", (pointed(b"", 1, at=1),), CLOSE_WAIT, got(1), urgent=b""),
    case("text", (pointed(b"!", 1, at=1),), CLOSE_WAIT, got(1), urgent=b"!"),
)

SENDING = (
    case("alone", (write_urgent(b"abc"),), ESTABLISHED, says(URG | PSH | ACK, NXT, SEQ, 3, urg=3)),
    case(
        "past Nagle",
        (write(b"a"), write_urgent(b"b")),
        ESTABLISHED,
        says(PSH | ACK, NXT, SEQ, 1),
        says(URG | PSH | ACK, NXT + 1, SEQ, 1, urg=1),
    ),
    case(
        "and what is behind it, past Nagle too",
        (write_urgent(b"a"), write(b"b")),
        ESTABLISHED,
        says(URG | PSH | ACK, NXT, SEQ, 1, urg=1),
        says(PSH | ACK, NXT + 1, SEQ, 1),
    ),
    case(
        "and once it is acknowledged, no more",
        (write_urgent(b"a"), seg(ACK, SEQ, NXT + 1), write(b"b"), write(b"c")),
        ESTABLISHED,
        says(URG | PSH | ACK, NXT, SEQ, 1, urg=1),
        says(PSH | ACK, NXT + 1, SEQ, 1),
    ),
    case(
        "a second one",
        (write_urgent(b"a"), write_urgent(b"b")),
        ESTABLISHED,
        says(URG | PSH | ACK, NXT, SEQ, 1, urg=1),
        says(URG | PSH | ACK, NXT + 1, SEQ, 1, urg=1),
    ),
    case(
        "more than a segment",
        (write_urgent(bytes(2_000)),),
        ESTABLISHED,
        says(URG | ACK, NXT, SEQ, MSS, urg=2_000),
        says(URG | PSH | ACK, NXT + MSS, SEQ, 540, urg=540),
    ),
    case(
        "announced before the window lets it go",
        (write_urgent(bytes(12_000)),),
        ESTABLISHED,
        *(says(URG | ACK, NXT + n * MSS, SEQ, MSS, urg=12_000 - n * MSS) for n in range(6)),
    ),
    case(
        "an ACK while it waits",
        (seg(ACK, SEQ, NXT, wnd=0), write_urgent(b"abc"), seg(ACK, SEQ, NXT, b"x", wnd=0)),
        ESTABLISHED,
        says(URG | ACK, NXT, SEQ + 1, urg=3),
        gives=b"x",
    ),
    case(
        "an RST while it waits",
        (seg(ACK, SEQ, NXT, wnd=0), write_urgent(b"abc"), abort),
        CLOSED,
        says(URG | RST | ACK, NXT, SEQ, urg=3),
    ),
    case(
        "a probe of a closed window, and one for the pointer",
        (seg(ACK, SEQ, NXT, wnd=0), write_urgent(b"abc"), wait(300 * MS)),
        ESTABLISHED,
        says(URG | ACK, NXT, SEQ, urg=3),
        says(URG | ACK, ISS, SEQ, urg=4),
    ),
    case(
        "again",
        (write_urgent(b"abc"), wait(300 * MS)),
        ESTABLISHED,
        says(URG | PSH | ACK, NXT, SEQ, 3, urg=3),
        says(URG | PSH | ACK, NXT, SEQ, 3, urg=3),
    ),
    case(
        "with a FIN behind it",
        (write_urgent(b"ab"), close),
        State.FIN_WAIT_1,
        says(URG | PSH | ACK, NXT, SEQ, 2, urg=2),
        says(FIN | ACK, NXT + 2, SEQ),
    ),
    case(
        "half of it acknowledged, and again",
        (write_urgent(b"abcd"), seg(ACK, SEQ, NXT + 2), wait(400 * MS)),
        ESTABLISHED,
        says(URG | PSH | ACK, NXT, SEQ, 4, urg=4),
        says(URG | PSH | ACK, NXT + 2, SEQ, 2, urg=2),
    ),
)

#: The pointer has 16 bits.
FAR = (
    case(
        "farther than the pointer reaches",
        (write_urgent(bytes(70_000)),),
        ESTABLISHED,
        *(
            says(URG | ACK, NXT + n * MSS, SEQ, MSS, urg=min(70_000 - n * MSS, 0xFFFF))
            for n in range(6)
        ),
    ),
)

LOST_SACKING = sacked(
    LOST,
    {
        "the last of the header": (((SEQ + 1, SEQ + 4),),),
        "its window": (((SEQ + 5, SEQ + 8),),),
        "too far away": (((SEQ + 21, SEQ + 24),),),
    },
)

TABLES = (
    Table("arriving", reach.established, ARRIVING),
    Table("arriving, with SACK", reach.established, LOST_SACKING, SACKING),
    Table("read", reach.established, READING),
    Table("closed", reach.established, CLOSING),
    Table("tcp_stdurg", reach.established, STANDARD, sysctl={"net.ipv4.tcp_stdurg": 1}),
    Table("in SYN-SENT", reach.syn_sent, IN_SYN_SENT),
    Table("in SYN-RECEIVED", reach.syn_received, IN_SYN_RECEIVED),
    Table("in FIN-WAIT", reach.fin_wait_1, IN_FIN_WAIT),
    Table("in CLOSE-WAIT", reach.close_wait, BEHIND_FIN),
    Table("sent", reach.established, SENDING),
    Table(
        "sent far",
        reach.established,
        FAR,
        Options(wscale=7),
        sysctl={"net.ipv4.tcp_wmem": "4096 262144 4194304"},
    ),
)


@cells(*TABLES)
def test_urgent(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_the_mark_is_seen_from_in_front_of_it_only() -> None:
    end = Ours()
    reach.established(end)
    pointed(b"abc", 2)(end)
    assert not end.at_mark()
    assert end.read_urgent(peek=True) == b"b"
    assert end.read() == b"a"
    assert end.at_mark()
    assert end.peek(5) == b"c"
    assert end.at_mark()
    assert end.read() == b"c"
    assert not end.at_mark()
