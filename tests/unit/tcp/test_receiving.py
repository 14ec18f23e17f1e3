"""What the receiver takes, and what it offers.

RFC 9293 3.8.6.2; Linux tcp_select_window, tcp_data_queue.
"""

from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    SACKING,
    Block,
    Cell,
    Step,
    Table,
    case,
    cells,
    check,
    fix_rcvbuf,
    read,
    sacked,
    says,
    seg,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, Options, Ours, Sent

from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, Segment

ESTABLISHED = State.ESTABLISHED
SEQ: Final = IRS + 1
NXT: Final = ISS + 1
FULL: Final = 1_460


def got(octets: int) -> Sent:
    return says(ACK, NXT, SEQ + octets)


HERE = got(0)


class Window:
    """Fills a window and looks at it from the peer's side."""

    def __init__(self, *, rcvbuf: int | None = None) -> None:
        sysctl: dict[str, int | str] = {}
        if rcvbuf is not None:
            sysctl["net.ipv4.tcp_rmem"] = f"4096 {rcvbuf} {rcvbuf}"
        self.end = Ours(SACKING, sysctl=sysctl)
        reach.established(self.end)
        self.next = SEQ

    @property
    def room(self) -> int:
        return self.end.rcv_edge - self.next

    def send(self, size: int) -> None:
        self.end.arrives(ACK, self.next, NXT, bytes(size))
        self.end.wait(300_000_000)  # a delayed ACK goes
        self.next += size

    def fill(self) -> None:
        for _ in range(200):
            if not self.room:
                return
            self.send(min(self.room, FULL))


def last(end: Ours) -> Segment:
    end.look()
    return end.segments[-1]


def test_a_window_that_nobody_reads_closes_and_never_shrinks() -> None:
    window = Window(rcvbuf=20_000)
    edges = [window.end.rcv_edge]
    for _ in range(100):
        if not window.room:
            break
        window.send(min(window.room, FULL))
        edges.append(window.end.rcv_edge)
    assert window.room == 0
    assert edges == sorted(edges)


def test_text_into_a_closed_window_is_answered_and_not_taken() -> None:
    window = Window(rcvbuf=20_000)
    window.fill()
    queued = window.end.held().rcv_queued
    window.end.sent()
    window.end.arrives(ACK, window.next, NXT, b"x")
    assert window.end.sent() == [says(ACK, NXT, window.next, closed=True)]
    assert window.end.held().rcv_queued == queued


def test_reading_a_little_does_not_open_it_and_reading_all_does() -> None:
    """Silly windows are avoided on this side, too."""
    window = Window(rcvbuf=20_000)
    window.fill()
    window.end.sent()
    window.end.read(10)
    assert window.end.sent() == []
    window.end.read()
    assert last(window.end).wnd > 0
    assert window.room >= FULL


FIN_WITHOUT_ROOM = (
    case(
        "a FIN beyond the window waits for its turn",
        (seg(FIN | ACK, EDGE, NXT),),
        ESTABLISHED,
        HERE,
    ),
)

#: Each octet of early text takes a packet's memory.
GAPS = (
    case(
        "so many gaps that the buffer overflows",
        (*(seg(ACK, SEQ + 2 * n, NXT, b"x") for n in range(1, 400)), seg(ACK, SEQ, NXT, b"ab")),
        ESTABLISHED,
        *[HERE] * 399,
        got(3),
        gives=b"abx",
    ),
)

#: Of 59 pieces 17 are left, which the gaps between them show as they are filled.
SHRUNK = (
    case(
        "a buffer made smaller forgets the farthest, whatever that takes",
        (
            *(seg(ACK, SEQ + 2 * n, NXT, b"x") for n in range(1, 60)),
            fix_rcvbuf(8_000),
            seg(ACK, SEQ, NXT, b"ab"),
            *(seg(ACK, SEQ + 2 * n + 1, NXT, b"a") for n in range(1, 25)),
        ),
        ESTABLISHED,
        *[HERE] * 59,
        *(got(2 * n + 1) for n in range(1, 18)),
        *[got(36)] * 7,
        gives=b"ab" + b"xa" * 17,
    ),
)

#: With 16 KB each takes 832, and the first that finds more than 16,384 in use is dropped.
CRAMMED = (
    case(
        "gaps that there is no memory for are not answered",
        tuple(seg(ACK, SEQ + 2 * n, NXT, b"x") for n in range(1, 60)),
        ESTABLISHED,
        *[HERE] * 20,
    ),
    case(
        "what comes before the others takes their memory",
        tuple(seg(ACK, SEQ + 2 * n, NXT, b"x") for n in range(60, 1, -1)),
        ESTABLISHED,
        *[HERE] * 59,
    ),
    case(
        "text behind one gap is copied closely together",
        (
            *(seg(ACK, SEQ + 1 + 100 * n, NXT, bytes(100)) for n in range(60)),
            seg(ACK, SEQ, NXT, b"x"),
        ),
        ESTABLISHED,
        *[HERE] * 60,
        got(6_001),
        gives=b"x" + bytes(6_000),
    ),
    case(
        "up to the FIN",
        (
            seg(FIN | ACK, SEQ + 6_001, NXT),
            *(seg(ACK, SEQ + 1 + 100 * n, NXT, bytes(100)) for n in reversed(range(60))),
            seg(ACK, SEQ, NXT, b"x"),
        ),
        State.CLOSE_WAIT,
        *[HERE] * 61,
        got(6_002),
        gives=b"x" + bytes(6_000),
    ),
    case(
        "from the first piece on that wastes memory",
        (
            seg(ACK, SEQ + 1, NXT, bytes(1_400)),
            *(seg(ACK, SEQ + 1_401 + 100 * n, NXT, bytes(100)) for n in range(40)),
            seg(ACK, SEQ, NXT, b"x"),
        ),
        ESTABLISHED,
        *[HERE] * 41,
        got(5_401),
        gives=b"x" + bytes(5_400),
    ),
    case(
        "and is in order at last",
        (*(seg(ACK, SEQ + 2 * n, NXT, b"x") for n in range(1, 60)), seg(ACK, SEQ, NXT, b"ab")),
        ESTABLISHED,
        *[HERE] * 20,
        got(3),
        gives=b"abx",
    ),
)

#: What came early, in pieces that overlap; the numbers are of its octets.
ALPHABET: Final = b"abcdefghijklmnopqrstuvwxyz"


def early(start: int, stop: int, flags: int = ACK) -> Step:
    return seg(flags, SEQ + start, NXT, ALPHABET[start:stop])


OVERLAPS = (
    case(
        "pieces side by side, and then the first",
        (early(6, 9), early(3, 6), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 2,
        got(9),
        gives=ALPHABET[:9],
    ),
    case(
        "one lies within another",
        (early(3, 9), early(5, 7), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 2,
        got(9),
        gives=ALPHABET[:9],
    ),
    case(
        "one covers two others",
        (early(4, 5), early(7, 8), early(3, 9), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 3,
        got(9),
        gives=ALPHABET[:9],
    ),
    case(
        "one begins in another and ends in a third",
        (early(3, 6), early(8, 11), early(5, 9), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 3,
        got(11),
        gives=ALPHABET[:11],
    ),
    case(
        "one is covered by two others together",
        (early(3, 6), early(6, 9), early(4, 8), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 3,
        got(9),
        gives=ALPHABET[:9],
    ),
    case(
        "one is covered by two others that have no room for more",
        tuple(seg(ACK, SEQ + at, NXT, bytes(100)) for at in (100, 200, 150, 0)),
        ESTABLISHED,
        *[HERE] * 3,
        got(300),
        gives=bytes(300),
    ),
    case(
        "a gap stays",
        (early(3, 5), early(8, 10), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 2,
        got(5),
        gives=ALPHABET[:5],
    ),
    case(
        "one goes on where another ends, and over a third",
        (early(3, 6), early(8, 11), early(6, 9), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 3,
        got(11),
        gives=ALPHABET[:11],
    ),
    case(
        "one goes on where another ends, and covers a third",
        (early(3, 6), early(8, 9), early(6, 11), early(0, 3)),
        ESTABLISHED,
        *[HERE] * 3,
        got(11),
        gives=ALPHABET[:11],
    ),
    case(
        "text in order covers all that is early",
        (early(2, 4), early(6, 8), early(0, 9)),
        ESTABLISHED,
        *[HERE] * 2,
        got(9),
        gives=ALPHABET[:9],
    ),
    case(
        "text in order ends in what is early",
        (early(2, 6), early(0, 4)),
        ESTABLISHED,
        HERE,
        got(6),
        gives=ALPHABET[:6],
    ),
    case(
        "a FIN behind the last of several",
        (early(6, 9, FIN | ACK), early(3, 7), early(0, 4)),
        State.CLOSE_WAIT,
        *[HERE] * 2,
        got(10),
        gives=ALPHABET[:9],
    ),
    case(
        "read in pieces that are none of those that came",
        (early(0, 3), early(3, 6), early(6, 9), read(2), read(5)),
        ESTABLISHED,
        got(3),
        got(6),
        got(9),
        gives=ALPHABET[7:9],
    ),
)


def octets(*blocks: tuple[int, int]) -> tuple[Block, ...]:
    """What a segment reports, in the numbers of the octets."""
    return tuple((SEQ + left, SEQ + right) for left, right in blocks)


#: The latest first, and before it what came twice (RFC 2018 4, RFC 2883 4).
OVERLAPS_SACKING = sacked(
    OVERLAPS,
    {
        "pieces side by side, and then the first": (octets((6, 9)), octets((3, 9)), ()),
        "one lies within another": (octets((3, 9)), octets((5, 7), (3, 9)), ()),
        "one covers two others": (
            octets((4, 5)),
            octets((7, 8), (4, 5)),
            octets((4, 5), (3, 9)),
            (),
        ),
        "one begins in another and ends in a third": (
            octets((3, 6)),
            octets((8, 11), (3, 6)),
            octets((5, 6), (3, 11)),
            (),
        ),
        "one is covered by two others together": (
            octets((3, 6)),
            octets((3, 9)),
            octets((4, 8), (3, 9)),
            (),
        ),
        "one goes on where another ends, and over a third": (
            octets((3, 6)),
            octets((8, 11), (3, 6)),
            octets((3, 11)),
            (),
        ),
        "one goes on where another ends, and covers a third": (
            octets((3, 6)),
            octets((8, 9), (3, 6)),
            octets((3, 11)),
            (),
        ),
        "one is covered by two others that have no room for more": (
            octets((100, 200)),
            octets((100, 300)),
            octets((150, 250), (100, 300)),
            (),
        ),
        "a gap stays": (octets((3, 5)), octets((8, 10), (3, 5)), octets((8, 10))),
        "text in order covers all that is early": (
            octets((2, 4)),
            octets((6, 8), (2, 4)),
            octets((2, 4)),
        ),
        "text in order ends in what is early": (octets((2, 6)), octets((2, 4))),
        "a FIN behind the last of several": (
            octets((6, 10)),
            octets((6, 7), (3, 10)),
            (),
        ),
    },
)

TABLES = (
    Table("overlaps", reach.established, OVERLAPS),
    Table("overlaps, SACK", reach.established, OVERLAPS_SACKING, SACKING),
    Table("memory", reach.established, GAPS),
    Table("SO_RCVBUF", reach.established, SHRUNK),
    Table(
        "16 KB",
        reach.established,
        CRAMMED,
        sysctl={"net.ipv4.tcp_rmem": "4096 16384 16384"},
    ),
    Table("", reach.established, FIN_WITHOUT_ROOM),
)


@cells(*TABLES)
def test_receiving(table: Table, cell: Cell) -> None:
    check(table, cell)


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        pytest.param(((6, 8), (5, 9)), (6, 8), id="one covers another"),
        pytest.param(((4, 6), (5, 9)), (5, 6), id="its beginning lies in another"),
        pytest.param(((6, 9), (4, 7)), (6, 7), id="its end lies in another"),
        pytest.param(((4, 6), (8, 9), (5, 9)), (5, 6), id="in two others: of the first"),
        pytest.param(((4, 5), (7, 8), (3, 9)), (4, 5), id="it covers two others: the first"),
        pytest.param(((4, 5), (5, 6), (3, 9)), (4, 6), id="two that touch: both"),
        pytest.param(((3, 6), (6, 9), (4, 8)), (4, 8), id="two cover it together"),
        pytest.param(((4, 6), (0, 9)), (4, 6), id="text in order covers it"),
        pytest.param(((4, 9), (0, 6)), (4, 6), id="text in order ends in it"),
    ],
)
def test_early_text_that_came_twice_is_reported(
    pieces: tuple[tuple[int, int], ...], told: tuple[int, int]
) -> None:
    """A D-SACK (RFC 2883 4; Linux tcp_data_queue_ofo, tcp_ofo_queue)."""
    end = Ours(SACKING)
    reach.established(end)
    for start, stop in pieces:
        end.arrives(ACK, SEQ + start, NXT, ALPHABET[start:stop])
    first = end.segments[-1].sack[0]
    assert tuple(edge - IRS - 1 for edge in first) == told
    end = Ours()
    reach.established(end)
    for start, stop in pieces:
        end.arrives(ACK, SEQ + start, NXT, ALPHABET[start:stop])
    assert not end.segments[-1].sack, "nor without SACK"


def test_peeking_keeps_what_it_shows() -> None:
    end = Ours()
    reach.established(end)
    for at, text in ((0, b"he"), (2, b"llo"), (5, b" world")):
        end.arrives(ACK, SEQ + at, NXT, text)
    assert end.read(1) == b"h"
    assert end.peek(3) == b"ell"
    assert end.peek(99) == b"ello world"
    assert end.read(6) == b"ello w"
    assert end.read(0) == b""
    assert end.read() == b"orld"


def test_meeting_the_end_is_noted_but_not_by_peeking() -> None:
    """Behind a FIN that was read, text across the window's end is let in (Linux tcp_sequence)."""
    for peeks, answered in ((True, True), (False, False)):
        end = Ours()
        reach.close_wait(end)
        end.write(b"x")
        end.arrives(ACK, SEQ + 1, NXT + 1)
        if peeks:
            end.peek(1)
        else:
            end.read()
        end.sent()
        end.arrives(ACK, EDGE - 1, NXT + 1, b"xx")
        assert bool(end.sent()) is answered


def full(at: int, flags: int = ACK) -> tuple[int, int, int, bytes]:
    """A full segment, ``at`` segments behind the first; of letters, so that order is seen."""
    return flags, SEQ + at * FULL, NXT, bytes([65 + at]) * FULL


def test_reading_crosses_segments_and_stops_within_them() -> None:
    """Full segments are kept apart: none fits into the memory of the one before."""
    end = Ours()
    reach.established(end)
    for at in range(5):
        end.arrives(*full(at))
    assert end.read(FULL) == b"A" * FULL
    assert end.read(FULL + 3) == b"B" * FULL + b"CCC"
    assert end.read(2 * FULL) == b"C" * (FULL - 3) + b"D" * FULL + b"EEE"
    assert end.read(FULL - 4) == b"E" * (FULL - 4)
    assert end.read() == b"E"
    assert end.held().rmem == 0


def test_two_smaller_segments_alike_tell_the_peers_size() -> None:
    """Linux tcp_measure_rcv_mss; a pushed one tells nothing."""
    end = Ours()
    reach.established(end)
    sizes, at = [], 0
    for size in (FULL, 700, 600, 600, 500, 500):
        end.arrives(ACK, SEQ + at, NXT, bytes(size))
        at += size
        sizes.append(end.held().rcv_mss)
    assert sizes == [FULL, FULL, FULL, 600, 600, 500]


def windows(size: int, count: int) -> list[int]:
    """The windows that are offered while segments of a size come and are read.

    The buffer has become larger than it was when the first window was chosen.
    """
    end = Ours(Options(wscale=7), sysctl={"net.ipv4.tcp_rmem": "4096 131072 1000000"})
    reach.established(end)
    tcb = end.held()
    tcb.rcvbuf, tcb.window_clamp = 1_000_000, 500_000
    offered = []
    for number in range(count):
        end.arrives(ACK, SEQ + number * size, NXT, bytes(size))
        end.read()
        end.look()
        offered.append(end.segments[-1].wnd << end.scale)
    return offered


@pytest.mark.parametrize(
    ("size", "grows"),
    [
        pytest.param(FULL, 7 * 2_926, id="full ones: by two segments each"),
        pytest.param(400, 7 * 805, id="small ones: by twice of what they carry"),
        pytest.param(128, 7 * 256, id="ever so small"),
        pytest.param(127, 0, id="tiny ones don't"),
    ],
)
def test_the_window_grows_with_what_comes(size: int, grows: int) -> None:
    """Linux tcp_grow_window: with text that is worth its memory, or nearly."""
    offered = windows(size, 8)
    assert abs(offered[-1] - offered[0] - grows) < 128, "windows are rounded to 128 octets"


@pytest.mark.parametrize(
    ("options", "most"),
    [
        pytest.param(SACKING, 4, id="four"),
        pytest.param(Options(sack_ok=True, timestamps=True), 3, id="three beside timestamps"),
    ],
)
def test_so_many_blocks_as_the_header_holds(options: Options, most: int) -> None:
    """The latest first; a D-SACK takes the place of one (RFC 2018 3, RFC 2883 4)."""
    end = Ours(options)
    reach.established(end)
    for at in range(2, 14, 2):
        end.arrives(ACK, SEQ + at, NXT, ALPHABET[at : at + 1])
    blocks = [left - IRS - 1 for left, _ in end.segments[-1].sack]
    assert blocks == list(range(12, 12 - 2 * most, -2))
    end.arrives(ACK, SEQ + 4, NXT, ALPHABET[4:5])
    again = [left - IRS - 1 for left, _ in end.segments[-1].sack]
    assert again == [4, 4, *blocks][:most]
    size = end.options.timestamps and 12
    end.write(bytes(FULL))
    assert end.sent()[-2].size == FULL - size - 4 - 8 * most
