"""What is sent now, and what waits: windows, Nagle, cork, loss.

RFC 9293 3.8.6 and 3.7.4, RFC 5681, RFC 6675.
"""

from errno import ENETUNREACH
from typing import Final

from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    SACKING,
    Cell,
    Step,
    Table,
    abort,
    case,
    cells,
    check,
    sacks,
    says,
    seg,
    shutdown_write,
    wait,
    write,
)
from tests.unit.tcp.ends import IRS, ISS, End, Options, Ours, Sent

from halfopen.base.units import MS, US, S
from halfopen.tcp import calls
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

ESTABLISHED = State.ESTABLISHED
SEQ: Final = IRS + 1
NXT: Final = ISS + 1
FULL: Final = 1_460


def text(at: int, size: int, flags: int = ACK) -> Sent:
    """A segment of ours, ``at`` octets behind the first."""
    return says(flags, NXT + at, SEQ, size)


def pushed(at: int, size: int) -> Sent:
    return text(at, size, PSH | ACK)


def acked(at: int, wnd: int = 60_000, sack: tuple[tuple[int, int], ...] = ()) -> Step:
    """The peer has everything before ``at``, and what the blocks say."""
    blocks = tuple((NXT + left, NXT + right) for left, right in sack)
    return seg(ACK, SEQ, NXT + at, wnd=wnd, sack=blocks)


def roomy(end: End) -> None:
    """The peer takes much."""
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)


def undelayed(end: End) -> None:
    roomy(end)
    end.nodelay()


def corked(end: End) -> None:
    roomy(end)
    end.cork(on=True)


def no_delay(end: End) -> None:
    end.nodelay()


def recork(end: End) -> None:
    end.cork(on=True)


def uncork(end: End) -> None:
    end.cork(on=False)


NAGLE = (
    case("a small write goes at once", (write(b"a"),), ESTABLISHED, pushed(0, 1)),
    case("the next waits for its ACK", (write(b"a"), write(b"b")), ESTABLISHED, pushed(0, 1)),
    case(
        "and goes with what came meanwhile",
        (write(b"a"), write(b"b"), write(b"c"), acked(1)),
        ESTABLISHED,
        pushed(0, 1),
        pushed(1, 2),
    ),
    case(
        "a full segment does not wait",
        (write(b"a"), write(bytes(FULL))),
        ESTABLISHED,
        pushed(0, 1),
        pushed(1, FULL),
    ),
    case(
        "behind full segments a small one does not wait (Minshall)",
        (write(bytes(FULL)), write(b"b")),
        ESTABLISHED,
        pushed(0, FULL),
        pushed(FULL, 1),
    ),
    case(
        "a FIN does not wait",
        (write(b"a"), write(b"b"), shutdown_write),
        State.FIN_WAIT_1,
        pushed(0, 1),
        says(FIN | PSH | ACK, NXT + 1, SEQ, 1),
    ),
)

NODELAY = (
    case(
        "no small write waits", (write(b"a"), write(b"b")), ESTABLISHED, pushed(0, 1), pushed(1, 1)
    ),
)

CORK = (
    case("a small write waits", (write(b"a"), write(b"b")), ESTABLISHED),
    case("a full segment goes", (write(bytes(FULL + 9)),), ESTABLISHED, text(0, FULL)),
    case("pulled out, all goes", (write(b"a"), write(b"b"), uncork), ESTABLISHED, pushed(0, 2)),
    case(
        "a FIN takes it along",
        (write(b"a"), shutdown_write),
        State.FIN_WAIT_1,
        says(FIN | PSH | ACK, NXT, SEQ, 1),
    ),
    case(
        "TCP_NODELAY lets go what waits",
        (write(bytes(100)), no_delay),
        ESTABLISHED,
        pushed(0, 100),
    ),
    case("and nothing that comes later", (no_delay, write(b"a")), ESTABLISHED),
    case(
        "what joins it goes with it, and what comes later waits",
        (acked(0, 0), write(b"a"), no_delay, write(b"b"), acked(0), write(b"c")),
        ESTABLISHED,
        pushed(0, 2),
    ),
    case(
        "pulled out under TCP_NODELAY, and in again: what joins it goes",
        (acked(0, 0), write(b"a"), no_delay, uncork, recork, write(b"b"), acked(0)),
        ESTABLISHED,
        pushed(0, 2),
    ),
)


def tight(wnd: int) -> Step:
    """The peer takes so many octets."""

    def takes(end: End) -> None:
        reach.established(end)
        end.arrives(ACK, SEQ, NXT, wnd=wnd)

    return takes


def narrow(end: End) -> None:
    """The peer has never taken more."""
    end.connect()
    end.arrives(SYN | ACK, IRS, NXT, wnd=1_152)


WINDOWS_500 = (
    case("what fits goes", (write(bytes(500)),), ESTABLISHED, pushed(0, 500)),
    case("less than all goes up to the window's end", (write(bytes(3_000)),), ESTABLISHED),
    case(
        "an ACK opens it",
        (write(bytes(500)), write(bytes(500)), acked(500, 500)),
        ESTABLISHED,
        pushed(0, 500),
        pushed(500, 500),
    ),
    case(
        "a window update opens it", (write(bytes(900)), acked(0, 900)), ESTABLISHED, pushed(0, 900)
    ),
    case(
        "an older segment does not move it",
        (seg(ACK, SEQ - 1, NXT, wnd=9_999), write(bytes(900))),
        ESTABLISHED,
        says(ACK, NXT, SEQ),
    ),
)

#: So small that a segment is half of it, and so is a buffer of the send queue.
WINDOW_1152 = (
    case(
        "a write that goes on in another buffer pushes only the latter",
        (write(bytes(500)), write(bytes(300)), write(bytes(300))),
        ESTABLISHED,
        pushed(0, 500),
        text(500, 576),
    ),
)

TAKEN_BACK = (
    case(
        "a challenge keeps within it",
        (write(b"hello"), acked(0, 0), seg(SYN, SEQ)),
        ESTABLISHED,
        pushed(0, 5),
        says(ACK, NXT, SEQ),
    ),
    case(
        "an abort keeps within it",
        (write(b"hello"), acked(0, 0), abort),
        State.CLOSED,
        pushed(0, 5),
        says(RST | ACK, NXT, SEQ),
    ),
)

WINDOWS_2000 = (
    case(
        "a full segment goes, the rest waits",
        (write(bytes(2_500)),),
        ESTABLISHED,
        text(0, FULL),
        pushed(FULL, 540),
    ),
    case("it is taken back: nothing goes", (acked(0, 0), write(b"x")), ESTABLISHED),
)


def flight(end: End) -> None:
    """Ten full segments, the initial window, are in flight, and more waits."""
    roomy(end)
    end.write(bytes(20 * FULL))


#: So little time that a burst may wait for another ACK, and so much that one is expected.
SOON: Final = wait(100 * US)


def nearly_all(end: End) -> None:
    roomy(end)
    end.write(bytes(10 * FULL))
    end.write(bytes(2_000))


def distant(end: End) -> None:
    """The same, where a round trip takes 50 ms."""
    end.connect()
    end.wait(50 * MS)
    end.arrives(SYN | ACK, IRS, NXT)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(20 * FULL))


#: Linux waits for room for more where the next ACK is near (Linux tcp_tso_should_defer).
BURSTS = (
    case("a burst waits while there is little room", (SOON, acked(FULL)), ESTABLISHED),
    case(
        "until a third of the window is free",
        (SOON, acked(FULL), acked(2 * FULL)),
        ESTABLISHED,
        *(text(n * FULL, FULL) for n in (10, 11, 12)),
        pushed(13 * FULL, FULL),
    ),
    case(
        "it waits while the peer's window has little room",
        (SOON, acked(FULL, 9 * FULL + 2_000)),
        ESTABLISHED,
    ),
    case(
        "after a pause it does not wait",
        (wait(5 * MS), acked(FULL)),
        ESTABLISHED,
        text(10 * FULL, FULL),
        pushed(11 * FULL, FULL),
    ),
)

#: Ten segments are in flight, and less than two wait.
LAST_BURST = (
    case("it waits for more to be written", (SOON, acked(FULL)), ESTABLISHED),
    case(
        "where the peer's window is what is small, too",
        (SOON, acked(FULL, 9 * FULL + 2_500)),
        ESTABLISHED,
    ),
    case(
        "unless there will be no more",
        (SOON, acked(FULL), shutdown_write),
        State.FIN_WAIT_1,
        text(10 * FULL, FULL),
        says(FIN | PSH | ACK, NXT + 11 * FULL, SEQ, 540),
    ),
)

#: In a burst are as many segments as are sent in a ms, and two at least (Linux tcp_tso_autosize).
DISTANT = (
    case(
        "no ACK is near: each duplicate sends a segment",
        (wait(20 * MS), acked(0), acked(0)),
        ESTABLISHED,
        text(10 * FULL, FULL),
        text(11 * FULL, FULL),
    ),
    case(
        "an ACK is due: the second waits for it",
        (wait(60 * MS), acked(0), acked(0)),
        ESTABLISHED,
        text(10 * FULL, FULL),
    ),
)

#: Without SACK duplicate ACKs count (RFC 6582).
DUPLICATES = (
    case("two duplicate ACKs: a burst is waited for", (SOON, acked(0), acked(0)), ESTABLISHED),
    case(
        "three: the first segment again",
        (SOON, acked(0), acked(0), acked(0)),
        ESTABLISHED,
        text(0, FULL),
    ),
)


def ten(end: End) -> None:
    """Ten full segments are in flight, and nothing waits."""
    roomy(end)
    end.write(bytes(10 * FULL))


NOTHING_WAITS = (
    case("two duplicate ACKs", (acked(0),) * 2, ESTABLISHED),
    case(
        "two, and progress: they count no more",
        (*(acked(0),) * 2, acked(FULL), *(acked(FULL),) * 2),
        ESTABLISHED,
    ),
    case(
        "three after progress",
        (*(acked(0),) * 2, acked(FULL), *(acked(FULL),) * 3),
        ESTABLISHED,
        text(FULL, FULL),
    ),
    case("three: the first again, and no other", (acked(0),) * 3, ESTABLISHED, text(0, FULL)),
    case(
        "a partial ACK: the next one again, and no other",
        (*(acked(0),) * 3, acked(4 * FULL)),
        ESTABLISHED,
        text(0, FULL),
        text(4 * FULL, FULL),
    ),
)


def unmeasured(end: End) -> None:
    """Our SYN,ACK was sent twice: no round trip was measured."""
    end.listen()
    end.arrives(SYN, IRS)
    end.wait(1_200 * MS)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.accept()


UNMEASURED = (
    case(
        "a burst has no limit but cwnd",
        (write(bytes(5 * FULL)),),
        ESTABLISHED,
        *(text(n * FULL, FULL) for n in range(4)),
        pushed(4 * FULL, FULL),
    ),
)

SACKS = (
    case(
        "one segment is reported: a burst is waited for",
        (SOON, acked(0, sack=((FULL, 2 * FULL),))),
        ESTABLISHED,
    ),
    case(
        "three are reported: the first is sent again",
        (acked(0, sack=((FULL, 4 * FULL),)),),
        ESTABLISHED,
        text(0, FULL),
    ),
    case(
        "a D-SACK alone loses nothing",
        (acked(2 * FULL), acked(2 * FULL, sack=((0, FULL),))),
        ESTABLISHED,
        *(text(n * FULL, FULL) for n in (10, 11, 12)),
        pushed(13 * FULL, FULL),
    ),
    case("nonsense is passed over", (acked(0, sack=((30 * FULL, 31 * FULL),)),), ESTABLISHED),
)

SMALL_PEER = (
    case("its MSS is kept to", (write(bytes(1_000)),), ESTABLISHED, text(0, 536), pushed(536, 464)),
)

#: Our SACK blocks take room from what rides with them.
BUSY = (
    case(
        "text with SACK blocks stays within the MTU",
        (seg(ACK, SEQ + 9, NXT, b"x"), write(bytes(FULL))),
        ESTABLISHED,
        *(
            sacks(sent, (SEQ + 9, SEQ + 10))
            for sent in (says(ACK, NXT, SEQ), text(0, FULL - 12), pushed(FULL - 12, 12))
        ),
    ),
)

TABLES = (
    Table("Nagle", roomy, NAGLE),
    Table("TCP_NODELAY", undelayed, NODELAY),
    Table("TCP_CORK", corked, CORK),
    Table("window 500", tight(500), WINDOWS_500),
    Table("window 1152", narrow, WINDOW_1152),
    Table("window taken back", tight(500), TAKEN_BACK),
    Table("window 2000", tight(2_000), WINDOWS_2000),
    Table("bursts", flight, BURSTS),
    Table("the last burst", nearly_all, LAST_BURST),
    Table("bursts on a long way", distant, DISTANT),
    Table("no SACK", flight, DUPLICATES),
    Table("no SACK, nothing waits", ten, NOTHING_WAITS),
    Table("no round trip measured", unmeasured, UNMEASURED),
    Table("SACK", flight, SACKS, SACKING),
    Table("a peer without MSS", roomy, SMALL_PEER, Options(mss=0)),
    Table("SACK", reach.established, BUSY, SACKING),
)


@cells(*TABLES)
def test_sending(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_a_full_buffer_takes_a_part_and_wakes_the_writer_when_there_is_room() -> None:
    end = Ours()
    roomy(end)
    tcb = end.held()
    taken = calls.send(tcb, bytes(10_000_000), end.now)
    end.settle()
    assert 0 < taken < 10_000_000
    assert not tcb.has_room()
    assert calls.send(tcb, b"more", end.now) == 0
    tcb.no_room = True  # as a writer that waits
    end.sent()
    written = taken
    at = 0
    while tcb.no_room:
        assert at < written, "all was acknowledged, and the writer still sleeps"
        at = min(at + 10 * FULL, written)
        acked(at)(end)
    assert tcb.writeable()


def test_msg_more_holds_a_small_write_back() -> None:
    end = Ours()
    roomy(end)
    end.sent()
    assert calls.send(end.held(), b"head", end.now, push=False) == 4
    end.settle()
    assert end.sent() == []
    end.write(b"body")
    assert end.sent() == [pushed(0, 8)]


def test_an_aborted_connection_takes_no_second_abort() -> None:
    end = Ours()
    roomy(end)
    end.sent()
    calls.abort(end.held(), end.now)
    calls.abort(end.held(), end.now)
    end.settle()
    assert end.sent() == [says(RST | ACK, NXT, SEQ)]


class TestWithoutAWay:
    """The interface is down: nothing counts as sent (Linux ip_queue_xmit)."""

    def cut(self, end: Ours) -> None:
        end.ip.interfaces[0].up = False
        end.ip.reroute()

    def mend(self, end: Ours) -> None:
        end.ip.interfaces[0].up = True
        end.ip.reroute()

    def test_new_text_waits(self) -> None:
        end = Ours()
        roomy(end)
        end.sent()
        self.cut(end)
        end.write(b"hello")
        assert end.sent() == []
        self.mend(end)
        end.wait(S)
        assert end.sent()[0] == pushed(0, 5)

    def test_what_is_in_flight_is_sent_again_once_there_is_a_way(self) -> None:
        end = Ours()
        roomy(end)
        end.write(b"hello")
        end.sent()
        self.cut(end)
        end.wait(2 * S)
        assert end.sent() == []
        assert end.held().so_error_soft == ENETUNREACH
        self.mend(end)
        end.wait(4 * S)
        assert pushed(0, 5) in end.sent()

    def test_it_gives_up_with_the_reason(self) -> None:
        end = Ours(sysctl={"net.ipv4.tcp_retries2": 3})
        roomy(end)
        end.write(b"hello")
        self.cut(end)
        end.wait(20 * S)
        assert (end.state, end.error()) == (State.CLOSED, ENETUNREACH)

    def test_a_syn_is_not_sent_either(self) -> None:
        end = Ours()
        reach.syn_sent(end)
        end.sent()
        self.cut(end)
        end.wait(3 * S)
        assert end.sent() == []
        self.mend(end)
        end.wait(3 * S)
        assert end.sent() != []


def test_without_a_way_tcp_user_timeout_counts_from_the_first_transmission() -> None:
    """Nothing was sent again by which it could begin (Linux tcp_retransmit_skb)."""
    end = Ours()
    roomy(end)
    end.write(b"hello")
    end.held().user_timeout_ns = 500 * MS
    end.ip.interfaces[0].up = False
    end.ip.reroute()
    end.wait(640 * MS)
    assert end.state is State.CLOSED
