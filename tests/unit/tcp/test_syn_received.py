"""SYN-RECEIVED: an embryo of a listener (Linux tcp_check_req), and two opens that crossed.

RFC 9293 3.10.7.4 has one list of checks for both; an embryo has no user, and returns to LISTEN.
"""

from errno import ECONNRESET
from typing import Final

from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    SACKING,
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
    sacked,
    says,
    seg,
    timeline,
    wait,
)
from tests.unit.tcp.ends import EDGE, IRS, ISS, End, Ours

from halfopen.base.units import MS, S
from halfopen.tcp.states import State
from halfopen.wire.seq import WRAP
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

CLOSED, LISTEN, SYN_RECEIVED = State.CLOSED, State.LISTEN, State.SYN_RECEIVED
ESTABLISHED, CLOSE_WAIT = State.ESTABLISHED, State.CLOSE_WAIT
SEQ: Final = IRS + 1
OUR_ACK: Final = ISS + 1

HERE = says(ACK, ISS + 1, SEQ)  # where we are: a challenge, or the answer to the unacceptable
AGAIN = says(SYN | ACK, ISS, SEQ)
REFUSED = says(RST, ISS)

EMBRYO = (
    # The SYN again.
    row("SYN again", SYN, IRS, None, SYN_RECEIVED, AGAIN),
    row("SYN again, now with FIN", SYN | FIN, IRS, None, SYN_RECEIVED, AGAIN),
    row("another SYN in the window", SYN, SEQ, None, LISTEN, says(RST | ACK, 0, SEQ + 1)),
    row("another SYN outside", SYN, IRS - 9, None, SYN_RECEIVED, HERE),
    row("SYN,ACK of our SYN", SYN | ACK, IRS, OUR_ACK, SYN_RECEIVED, HERE),
    row("SYN,ACK of our SYN, with text", SYN | ACK, IRS, OUR_ACK, SYN_RECEIVED, HERE, text=b"x"),
    row("SYN,ACK in the window", SYN | ACK, SEQ, OUR_ACK, LISTEN, says(RST, OUR_ACK)),
    row("SYN,ACK of nothing", SYN | ACK, IRS, ISS, SYN_RECEIVED, REFUSED),
    # First, check the sequence number.
    row("ACK from the past", ACK, IRS - 9, OUR_ACK, SYN_RECEIVED, HERE),
    row("ACK one too early", ACK, IRS, OUR_ACK, SYN_RECEIVED, HERE),
    row("ACK beyond the window", ACK, EDGE + 1, OUR_ACK, SYN_RECEIVED, HERE),
    row("text before the window", ACK, IRS - 9, OUR_ACK, SYN_RECEIVED, HERE, text=b"old"),
    # Second, check the RST bit.
    row("RST with the next number", RST, SEQ, None, LISTEN),
    row("RST,ACK with the next number", RST | ACK, SEQ, OUR_ACK, LISTEN),
    row("RST,ACK of nothing, with the next number", RST | ACK, SEQ, ISS, LISTEN),
    row("RST in the window", RST, SEQ + 1, None, SYN_RECEIVED, HERE),
    row("RST at the window's end", RST, EDGE, None, SYN_RECEIVED, HERE),
    row("RST one too early", RST, IRS, None, SYN_RECEIVED),
    row("RST outside", RST, EDGE + 1, None, SYN_RECEIVED),
    # Fifth, check the ACK.
    row("ACK of our SYN", ACK, SEQ, OUR_ACK, ESTABLISHED),
    row("ACK of nothing", ACK, SEQ, ISS, SYN_RECEIVED, REFUSED),
    row("ACK of the unsent", ACK, SEQ, ISS + 2, SYN_RECEIVED, says(RST, ISS + 2)),
    row(
        "ACK with text",
        PSH | ACK,
        SEQ,
        OUR_ACK,
        ESTABLISHED,
        says(ACK, OUR_ACK, SEQ + 5),
        text=b"hello",
    ),
    row("ACK with early text", ACK, SEQ + 9, OUR_ACK, ESTABLISHED, HERE, text=b"later"),
    row("ACK with FIN", FIN | ACK, SEQ, OUR_ACK, CLOSE_WAIT),
    row("ACK with text and FIN", FIN | ACK, SEQ, OUR_ACK, CLOSE_WAIT, text=b"bye"),
    row("text without ACK", PSH, SEQ, None, SYN_RECEIVED, text=b"x"),
    row("FIN without ACK", FIN, SEQ, None, SYN_RECEIVED),
    row("no flag at all", 0, SEQ, None, SYN_RECEIVED),
    row("no flag at all, outside", 0, IRS - 9, None, SYN_RECEIVED, HERE),
    # How often.
    case("two from the past", (seg(ACK, IRS, OUR_ACK), seg(ACK, IRS, OUR_ACK)), SYN_RECEIVED, HERE),
    case("the SYN twice more", (seg(SYN, IRS), seg(SYN, IRS)), SYN_RECEIVED, AGAIN),
    case("the listener is closed, and it does not know yet", (close,), SYN_RECEIVED),
    # With which TOS.
    case(
        "ACK from the past with a TOS, which the answer has as well",
        (seg(ACK, IRS, OUR_ACK, tos=0x48),),
        SYN_RECEIVED,
        HERE._replace(tos=0x48),
    ),
    case(
        "another SYN in the window with a TOS",
        (seg(SYN, SEQ, tos=0x48),),
        LISTEN,
        says(RST | ACK, 0, SEQ + 1, tos=0x48),
    ),
    case("the SYN again with a TOS", (seg(SYN, IRS, tos=0x48),), SYN_RECEIVED, AGAIN),
)

#: ``ts`` and ``ecr`` are distances, in ms, from what was right.
EMBRYO_STAMPED = (
    row("ACK", ACK, SEQ, OUR_ACK, ESTABLISHED),
    row("ACK, a little later", ACK, SEQ, OUR_ACK, ESTABLISHED, ts=3),
    row("ACK from the past", ACK, SEQ, OUR_ACK, SYN_RECEIVED, HERE, ts=-2),
    row("ACK without a timestamp", ACK, SEQ, OUR_ACK, ESTABLISHED, ts=-1),
    row("ACK that echoes what we never said", ACK, SEQ, OUR_ACK, SYN_RECEIVED, HERE, ecr=-1),
    row("ACK that echoes what is to come", ACK, SEQ, OUR_ACK, SYN_RECEIVED, HERE, ecr=9_000),
    row("RST from the past", RST, SEQ, None, SYN_RECEIVED, ts=-2),
    row("RST,ACK that echoes what we never said", RST | ACK, SEQ, OUR_ACK, SYN_RECEIVED, ecr=-1),
    row("SYN again, from the past", SYN, IRS, None, SYN_RECEIVED, HERE, ts=-2),
)

CROSSED = (
    row("SYN,ACK of ours", SYN | ACK, IRS, OUR_ACK, ESTABLISHED, HERE),
    row("SYN,ACK of nothing", SYN | ACK, IRS, ISS, SYN_RECEIVED, HERE),
    row("SYN,ACK with text is challenged", SYN | ACK, IRS, OUR_ACK, SYN_RECEIVED, HERE, text=b"x"),
    row("SYN,FIN,ACK is challenged", SYN | FIN | ACK, IRS, OUR_ACK, SYN_RECEIVED, HERE),
    row("SYN again", SYN, IRS, None, SYN_RECEIVED, HERE),
    row("SYN again, with a number where an ACK would be", SYN, IRS, OUR_ACK, SYN_RECEIVED, HERE),
    row("another SYN", SYN, SEQ + 5, None, SYN_RECEIVED, HERE),
    row("ACK of our SYN", ACK, SEQ, OUR_ACK, ESTABLISHED),
    row("ACK of nothing new", ACK, SEQ, ISS, ESTABLISHED),
    row("ACK of the past", ACK, SEQ, ISS - 1, SYN_RECEIVED, says(RST, ISS - 1)),
    row("ACK of the unsent", ACK, SEQ, ISS + 2, SYN_RECEIVED, says(RST, ISS + 2)),
    row("ACK outside", ACK, EDGE + 1, OUR_ACK, SYN_RECEIVED, HERE),
    row(
        "ACK with text",
        ACK,
        SEQ,
        OUR_ACK,
        ESTABLISHED,
        says(ACK, OUR_ACK, SEQ + 2),
        text=b"hi",
        gives=b"hi",
    ),
    row("ACK with FIN", FIN | ACK, SEQ, OUR_ACK, CLOSE_WAIT),
    row("RST with the next number", RST, SEQ, None, CLOSED, error=ECONNRESET),
    row("RST,ACK with the next number", RST | ACK, SEQ, OUR_ACK, CLOSED, error=ECONNRESET),
    row("RST in the window", RST, SEQ + 1, None, SYN_RECEIVED, HERE),
    row("RST outside", RST, EDGE + 1, None, SYN_RECEIVED),
    row("no flag at all", 0, SEQ, None, SYN_RECEIVED),
    row("text without ACK, outside", PSH, IRS - 9, None, SYN_RECEIVED, text=b"x"),
    case("receive gives nothing yet", (read(),), SYN_RECEIVED),
    case("close: FIN", (close,), State.FIN_WAIT_1, says(FIN | ACK, OUR_ACK, SEQ)),
    case("abort: RST", (abort,), CLOSED, says(RST | ACK, OUR_ACK, SEQ)),
)

CROSSED_STAMPED = (
    row("RST from the past counts", RST, SEQ, None, CLOSED, error=ECONNRESET, ts=-2),
    row("ACK from the past", ACK, SEQ, OUR_ACK, SYN_RECEIVED, HERE, ts=-2),
    case(
        "ACK from before the first ACK",
        (seg(ACK, SEQ, ISS, ts=5), seg(PSH | ACK, SEQ, OUR_ACK, b"old", ts=0)),
        ESTABLISHED,
        HERE,
    ),
)


def impatient(end: End) -> None:
    """The listener has set TCP_SYNCNT to 1, not tcp_synack_retries 5."""
    end.listen()
    end.syncnt(1)
    end.arrives(SYN, IRS)


IMPATIENT = (
    case("one SYN,ACK more", (wait(1_100 * MS),), SYN_RECEIVED, AGAIN),
    case("and the embryo is forgotten", (wait(3_200 * MS),), LISTEN, AGAIN),
)


def crowded(end: End) -> None:
    """Nine others came behind it, so that the SYN queue is full; on later ticks, too."""
    end.listen(9)
    end.arrives(SYN, IRS)
    end.wait(100 * MS)
    end.crowd(9)


CROSSED_SACKING = sacked(CROSSED, {"SYN,ACK of ours": (((IRS, SEQ),),)})

#: So far behind the peer's SYN, whose clock then stood at its end, lies 0.
TO_ZERO: Final = 1 - WRAP


def crossed_at_the_clocks_end(end: End) -> None:
    end.peer_ts = WRAP - 1
    reach.crossed(end)


CLOCK_WRAPS = (
    case(
        "a timestamp of 0 is kept, and stands for none",
        (seg(ACK, SEQ, OUR_ACK, ts=TO_ZERO), seg(PSH | ACK, SEQ, OUR_ACK, b"x", ts=-6)),
        ESTABLISHED,
        says(ACK, OUR_ACK, SEQ + 1),
        gives=b"x",
    ),
)

#: Not five times, as tcp_synack_retries says.
CROWDED = (case("repeated twice, and forgotten", (wait(7_500 * MS),), LISTEN, AGAIN, AGAIN),)

TABLES = (
    Table("embryo", reach.syn_received, EMBRYO),
    Table("embryo, timestamps", reach.syn_received, EMBRYO_STAMPED, STAMPED),
    Table("TCP_SYNCNT", impatient, IMPATIENT),
    Table("among many", crowded, CROWDED),
    Table("crossed", reach.crossed, CROSSED),
    Table("crossed, SACK", reach.crossed, CROSSED_SACKING, SACKING),
    Table("crossed, timestamps wrap", crossed_at_the_clocks_end, CLOCK_WRAPS, STAMPED),
    Table("crossed, timestamps", reach.crossed, CROSSED_STAMPED, STAMPED),
)


@cells(*TABLES)
def test_syn_received(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_an_embryo_repeats_its_answer_and_is_forgotten() -> None:
    """tcp_synack_retries is 5; nobody is told (Linux reqsk_timer_handler)."""
    end = Ours()
    reach.syn_received(end)
    end.sent()
    assert timeline(end, 100 * S) == [(At(at), AGAIN) for at in (1, 3, 7, 15, 31)]
    assert end.state is LISTEN
    assert end.next_deadline() is None


def test_the_listener_may_have_its_own_number_of_answers() -> None:
    end = Ours()
    end.listen()
    assert end.listening is not None
    end.listening.syn_retries = 1  # TCP_SYNCNT
    end.arrives(SYN, IRS)
    end.sent()
    assert timeline(end, 100 * S) == [(At(1), AGAIN)]
    assert end.state is LISTEN


def test_an_embryo_whose_listener_is_gone_ends_at_its_timer() -> None:
    end = Ours()
    reach.syn_received(end)
    end.close()
    end.sent()
    assert timeline(end, 100 * S) == []
    assert end.state is CLOSED


def deferring(timeouts: int, *, sysctl: dict[str, int | str] | None = None) -> Ours:
    """An embryo whose listener has TCP_DEFER_ACCEPT."""
    end = Ours(sysctl=sysctl)
    end.listen()
    assert end.listening is not None
    end.listening.defer_accept = timeouts
    end.arrives(SYN, IRS)
    end.sent()
    return end


def test_a_deferred_embryo_drops_a_bare_ack_and_waits_for_text() -> None:
    """Linux tcp_check_req: TCP_DEFER_ACCEPT."""
    end = deferring(2)
    end.arrives(ACK, SEQ, OUR_ACK)
    assert end.sent() == []
    assert end.state is SYN_RECEIVED
    end.arrives(ACK | PSH, SEQ, OUR_ACK, b"text")
    assert end.state is ESTABLISHED


def test_a_fin_ends_the_deferral_as_text_does() -> None:
    end = deferring(2)
    end.arrives(ACK, SEQ, OUR_ACK)
    end.arrives(ACK | FIN, SEQ, OUR_ACK)
    assert end.state is CLOSE_WAIT


def test_when_a_deferral_ends_the_answer_is_repeated_and_a_bare_ack_will_do() -> None:
    """The first timeout says nothing; Linux syn_ack_recalc."""
    end = deferring(2)
    end.arrives(ACK, SEQ, OUR_ACK)
    assert timeline(end, 5 * S) == [(At(3), AGAIN)]
    end.arrives(ACK, SEQ, OUR_ACK)
    assert end.state is ESTABLISHED


def test_a_deferred_embryo_whose_peer_is_gone_is_forgotten() -> None:
    """As any other, but for the deferral; the longer of the two counts."""
    end = deferring(2)
    end.arrives(ACK, SEQ, OUR_ACK)
    assert timeline(end, 100 * S) == [(At(at), AGAIN) for at in (3, 7, 15, 31)]
    assert end.state is LISTEN
    end = deferring(3, sysctl={"net.ipv4.tcp_synack_retries": 1})
    end.arrives(ACK, SEQ, OUR_ACK)
    assert timeline(end, 100 * S) == [(At(7), AGAIN)]
    assert end.state is LISTEN


def test_a_deferral_does_not_count_where_no_ack_has_come() -> None:
    end = deferring(3, sysctl={"net.ipv4.tcp_synack_retries": 1})
    assert timeline(end, 100 * S) == [(At(1), AGAIN)]
    assert end.state is LISTEN


def test_an_answer_is_never_more_than_two_minutes_away() -> None:
    """Linux TCP_RTO_MAX in reqsk_timeout."""
    end = Ours(sysctl={"net.ipv4.tcp_synack_retries": 9})
    reach.syn_received(end)
    end.sent()
    ends = (1, 3, 7, 15, 31, 63, 127, 247, 367)
    assert timeline(end, 600 * S) == [(At(at), AGAIN) for at in ends]


def test_crossed_opens_repeat_their_syn_ack() -> None:
    """tcp_syn_retries counts for it; here, without linear timeouts (Linux tcp_retransmit_timer)."""
    end = Ours(sysctl={"net.ipv4.tcp_syn_retries": 2})
    reach.crossed(end)
    end.sent()
    assert timeline(end, 100 * S) == [(At(1), AGAIN), (At(3), AGAIN)]
    assert end.state is CLOSED


def test_crossed_opens_go_on_with_their_own_offer() -> None:
    """Linux repeats all that its SYN offered, whatever the peer's SYN said."""
    end = Ours()
    reach.crossed(end)
    first, again = end.segments
    assert [(s.mss, s.wscale, s.sack_ok, s.ts_val >= 0) for s in (first, again)] == [
        (1460, 10, True, True),
        (1460, 10, True, True),
    ]


def test_an_embryo_and_what_becomes_of_it_are_limited_each_by_itself() -> None:
    """One answer in tcp_invalid_ratelimit; an embryo's don't count against the connection's."""
    end = Ours()
    reach.syn_received(end)
    end.arrives(ACK, IRS, OUR_ACK)
    end.arrives(ACK, SEQ, OUR_ACK)
    end.sent()
    end.arrives(ACK, IRS, OUR_ACK)
    assert end.sent() == [HERE]


def test_early_text_ends_a_deferral() -> None:
    """Only what ends where the SYN did has brought nothing (Linux tcp_check_req)."""
    end = deferring(2)
    end.arrives(ACK | PSH, SEQ + 4, OUR_ACK, b"text")
    assert end.state is ESTABLISHED


def test_the_handshake_is_timed() -> None:
    """By the clock, or where two answers went by timestamps, and then a ms at least."""
    end = Ours()
    reach.syn_received(end)
    end.wait(100 * MS)
    end.arrives(ACK, SEQ, OUR_ACK)
    assert end.any is not None
    assert end.any.srtt_us8 == 8 * 100_000
    for took_ms, measured_us in ((0, 1_000), (1, 1_000), (7, 7_000)):
        end = Ours(STAMPED)
        reach.syn_received(end)
        end.arrives(SYN, IRS)
        end.wait(took_ms * MS)
        end.arrives(ACK, SEQ, OUR_ACK)
        assert end.any is not None
        assert end.any.srtt_us8 == 8 * measured_us
