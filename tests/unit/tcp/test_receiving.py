"""What the receiver takes, and what it offers.

RFC 9293 3.8.6.2; Linux tcp_select_window, tcp_data_queue.
"""

from typing import Final

from tests.unit.tcp import reach
from tests.unit.tcp.cells import SACKING, Cell, Table, case, cells, check, says, seg
from tests.unit.tcp.ends import EDGE, IRS, ISS, Ours, Sent

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
    assert window.end.sent() == [says(ACK, NXT, window.next)]
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

TABLES = (
    Table("memory", reach.established, GAPS),
    Table("", reach.established, FIN_WITHOUT_ROOM),
)


@cells(*TABLES)
def test_receiving(table: Table, cell: Cell) -> None:
    check(table, cell)


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
