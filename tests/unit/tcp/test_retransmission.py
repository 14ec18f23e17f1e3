"""Sending again: RTO and backoff, when to give up, loss probes.

RFC 6298, RFC 9293 3.8.3, RFC 8985 7.
"""

from errno import EHOSTUNREACH, ETIMEDOUT
from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    SACKING,
    STAMPED,
    At,
    Cell,
    Table,
    case,
    cells,
    check,
    sacks,
    says,
    seg,
    shutdown_write,
    timeline,
    wait,
    write,
)
from tests.unit.tcp.ends import IRS, ISS, End, Ours, Sent
from tests.unit.tcp.soundness import complaints

from halfopen.base.units import MS, S
from halfopen.tcp import icmp
from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, PSH, SYN

ESTABLISHED, CLOSED = State.ESTABLISHED, State.CLOSED
SEQ: Final = IRS + 1
NXT: Final = ISS + 1
FULL: Final = 1_460
#: The first RTO is 200 ms (Linux TCP_RTO_MIN, not the second of RFC 6298 2.4).
RTO: Final = wait(250 * MS)


def pushed(at: int, size: int) -> Sent:
    return says(PSH | ACK, NXT + at, SEQ, size)


def undelayed(end: End) -> None:
    reach.established(end)
    end.nodelay()


TIMEOUTS = (
    case("one segment", (write(b"x"), RTO), ESTABLISHED, pushed(0, 1), pushed(0, 1)),
    case(
        "small writes are sent again as one",
        (write(b"a"), write(b"b"), RTO),
        ESTABLISHED,
        pushed(0, 1),
        pushed(1, 1),
        pushed(0, 2),
    ),
    case(
        "but not more than a segment",
        (write(bytes(FULL)), write(b"x"), RTO),
        ESTABLISHED,
        pushed(0, FULL),
        pushed(FULL, 1),
        pushed(0, FULL),
    ),
    case(
        "what was acknowledged in part is sent again in part",
        (write(b"hello"), seg(ACK, SEQ, NXT + 2), RTO),
        ESTABLISHED,
        pushed(0, 5),
        pushed(2, 3),
    ),
    case(
        "text takes the FIN along",
        (write(b"x"), shutdown_write, RTO),
        State.FIN_WAIT_1,
        pushed(0, 1),
        says(FIN | ACK, NXT + 1, SEQ),
        says(FIN | PSH | ACK, NXT, SEQ, 1),
    ),
    case(
        "but not beyond the window that is left",
        (write(b"a"), write(b"b"), seg(ACK, SEQ, NXT, b"x", wnd=1), RTO),
        ESTABLISHED,
        pushed(0, 1),
        pushed(1, 1),
        says(ACK, NXT + 1, SEQ + 1),
        says(PSH | ACK, NXT, SEQ + 1, 1),
        gives=b"x",
    ),
    case(
        "and at the third duplicate ACK, too: the first ACK told the window",
        (*(write(bytes([97 + n])) for n in range(5)), *[seg(ACK, SEQ, NXT)] * 4),
        ESTABLISHED,
        *(pushed(n, 1) for n in range(5)),
        pushed(0, 5),
    ),
    case("an ACK in time", (write(b"x"), seg(ACK, SEQ, NXT + 1), RTO), ESTABLISHED, pushed(0, 1)),
    case(
        "an ACK too late",
        (write(b"x"), RTO, seg(ACK, SEQ, NXT + 1), RTO),
        ESTABLISHED,
        pushed(0, 1),
        pushed(0, 1),
    ),
)

#: Two round trips, and 200 ms more where one segment is out (RFC 8985 7.2).
PROBES = (
    case(
        "the last of several is repeated",
        (write(bytes(FULL)), write(b"x"), wait(50 * MS)),
        ESTABLISHED,
        pushed(0, FULL),
        pushed(FULL, 1),
        pushed(FULL, 1),
    ),
    case(
        "one alone waits as long as for the RTO",
        (write(b"x"), wait(50 * MS)),
        ESTABLISHED,
        pushed(0, 1),
    ),
)


def unmeasured(end: End) -> None:
    """By a listener that has answered twice: which answer is acknowledged is not clear."""
    reach.syn_received(end)
    end.arrives(SYN, IRS)
    end.arrives(ACK, SEQ, NXT)
    end.accept()


#: RFC 6298 5.7.
UNMEASURED = (
    case("the RTO is 3 s", (write(b"x"), wait(1_500 * MS)), ESTABLISHED, pushed(0, 1)),
    case("and no more", (write(b"x"), wait(3_200 * MS)), ESTABLISHED, pushed(0, 1), pushed(0, 1)),
)
MEASURED = (case("by timestamps", (write(b"x"), RTO), ESTABLISHED, pushed(0, 1), pushed(0, 1)),)
#: SACK blocks take room from what is sent again.
BLOCKS = (
    case(
        "a full segment beside early text is cut",
        (write(bytes(FULL)), seg(ACK, SEQ + 9, NXT, b"x"), RTO),
        ESTABLISHED,
        pushed(0, FULL),
        sacks(says(ACK, NXT + FULL, SEQ), (SEQ + 9, SEQ + 10)),
        sacks(says(ACK, NXT, SEQ, FULL - 12), (SEQ + 9, SEQ + 10)),
    ),
)

TABLES = (
    Table("timeout", undelayed, TIMEOUTS),
    Table("early text", undelayed, BLOCKS, SACKING),
    Table("loss probe", undelayed, PROBES, SACKING),
    Table("no round trip measured", unmeasured, UNMEASURED),
    Table("a round trip measured", unmeasured, MEASURED, STAMPED),
)


@cells(*TABLES)
def test_sending_again(table: Table, cell: Cell) -> None:
    check(table, cell)


TEXT = pushed(0, 1)


def sent_one(sysctl: dict[str, int | str] | None = None) -> Ours:
    """One octet is in flight; the round trip took no time."""
    end = Ours(sysctl=sysctl)
    reach.established(end)
    end.write(b"x")
    end.sent()
    return end


def test_the_rto_doubles() -> None:
    assert timeline(sent_one(), 7 * S) == [(At(at), TEXT) for at in (0.2, 0.6, 1.4, 3.0, 6.2)]


def test_it_gives_up_after_a_time_not_a_number() -> None:
    """tcp_retries2 15 stands for 924.6 s (Linux retransmits_timed_out)."""
    end = sent_one()
    end.wait(924 * S)
    assert end.state is ESTABLISHED
    end.wait(130 * S)
    assert (end.state, end.error()) == (CLOSED, ETIMEDOUT)


def test_a_soft_error_is_told_instead_of_the_timeout() -> None:
    end = sent_one({"net.ipv4.tcp_retries2": 3})
    icmp.error(end.held(), EHOSTUNREACH, hard=False, now=end.now)
    end.wait(10 * S)
    assert (end.state, end.error()) == (CLOSED, EHOSTUNREACH)


def test_an_ack_forgives_a_soft_error() -> None:
    end = sent_one({"net.ipv4.tcp_retries2": 3})
    icmp.error(end.held(), EHOSTUNREACH, hard=False, now=end.now)
    end.arrives(ACK, SEQ, NXT + 1)
    end.write(b"y")
    end.wait(10 * S)
    assert (end.state, end.error()) == (CLOSED, ETIMEDOUT)


@pytest.mark.parametrize("timeout_ms", [500, 1_000, 5_000])
def test_user_timeout_cuts_the_last_wait_short(timeout_ms: int) -> None:
    """Counted from the first retransmission (Linux tcp_clamp_rto_to_user_timeout)."""
    end = sent_one()
    end.held().user_timeout_ns = timeout_ms * MS
    end.wait(timeout_ms * MS)
    assert end.state is ESTABLISHED
    end.wait(200 * MS + timeout_ms * MS // 8)
    assert (end.state, end.error()) == (CLOSED, ETIMEDOUT)


@pytest.mark.parametrize(
    ("retries", "lasts"),
    [
        pytest.param(1, 1.4, id="1"),
        pytest.param(3, 6.2, id="3"),
        pytest.param(0, 102.2, id="0 stands for 8, while the RTO still grows"),
    ],
)
def test_an_orphan_gives_up_sooner(retries: int, lasts: float) -> None:
    end = sent_one({"net.ipv4.tcp_orphan_retries": retries})
    end.close()
    end.wait(int(lasts * S) - 100 * MS)
    assert end.state is State.FIN_WAIT_1
    end.wait(int(lasts * S) // 8 + 200 * MS)
    assert (end.state, end.next_deadline()) == (CLOSED, None)


def test_an_orphan_that_was_told_that_nobody_is_there_gives_up_at_the_longest_rto() -> None:
    end = sent_one({"net.ipv4.tcp_rto_max_ms": 1_000})
    end.close()
    icmp.error(end.held(), EHOSTUNREACH, hard=False, now=end.now)
    end.wait(4 * S)
    assert end.state is CLOSED


def test_an_ack_of_what_was_sent_again_keeps_the_backoff() -> None:
    """Karn's rule: without timestamps it measures nothing (RFC 6298 3, 5.7)."""
    end = sent_one()
    end.wait(S)  # sent again after 0.2 and 0.6 s: the RTO is 800 ms
    end.arrives(ACK, SEQ, NXT + 1)
    end.write(b"y")
    end.sent()
    assert timeline(end, S) == [(At(0.8), pushed(1, 1))]


@pytest.mark.parametrize("setting", [0, 1, 2])
def test_tcp_early_retrans_takes_loss_probes_away(setting: int) -> None:
    end = Ours(SACKING, sysctl={"net.ipv4.tcp_early_retrans": setting})
    undelayed(end)
    end.write(bytes(FULL))
    end.write(b"x")
    end.sent()
    assert timeline(end, 300 * MS) == [(At(0.2), pushed(0, FULL))]


def test_without_tcp_retrans_collapse_small_writes_stay_apart() -> None:
    end = Ours(sysctl={"net.ipv4.tcp_retrans_collapse": 0})
    undelayed(end)
    end.write(b"a")
    end.write(b"b")
    end.sent()
    end.wait(250 * MS)
    assert end.sent() == [TEXT]


def ten_out(*, more: int = 0) -> Ours:
    """Ten full segments are in flight, without SACK, and as many more wait as are asked for."""
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes((10 + more) * FULL))
    end.sent()
    return end


def first_of(sent: list[Sent]) -> list[int]:
    """Which segments were sent, by their number."""
    return [(one.seq - NXT) // FULL for one in sent]


def test_without_sack_a_partial_ack_sends_the_next_one_again() -> None:
    """RFC 6582 3.2, step 3."""
    end = ten_out()
    for _ in range(3):
        end.arrives(ACK, SEQ, NXT, wnd=60_000)
    assert first_of(end.sent())[0] == 0
    end.arrives(ACK, SEQ, NXT + 3 * FULL, wnd=60_000)
    assert 3 in first_of(end.sent())
    end.arrives(ACK, SEQ, NXT + 10 * FULL, wnd=60_000)
    end.write(b"x")
    assert first_of(end.sent()) == [10], "recovery is over"


def test_after_a_timeout_new_text_tells_whether_it_was_needed() -> None:
    """F-RTO (RFC 5682 2.1): the ACK of the old one came late, nothing more is sent again."""
    end = ten_out(more=5)
    end.wait(250 * MS)
    assert first_of(end.sent()) == [0]
    end.arrives(ACK, SEQ, NXT + FULL, wnd=60_000)
    assert min(first_of(end.sent()), default=10) >= 10
    end.arrives(ACK, SEQ, NXT + 3 * FULL, wnd=60_000)
    assert min(first_of(end.sent()), default=10) >= 10


@pytest.mark.parametrize(
    ("wnd", "again"),
    [
        pytest.param(60_000, [1], id="a duplicate ACK: it was"),
        pytest.param(60_001, [], id="a wider window tells nothing"),
    ],
)
def test_an_ack_of_nothing_new_tells_that_it_was_needed(wnd: int, again: list[int]) -> None:
    """F-RTO (RFC 5682 2.1 step 3a)."""
    end = ten_out(more=5)
    end.wait(250 * MS)
    end.arrives(ACK, SEQ, NXT + FULL, wnd=60_000)
    end.sent()
    end.arrives(ACK, SEQ, NXT + FULL, wnd=wnd)
    assert first_of(end.sent()) == again


def test_after_a_timeout_without_new_text_the_rest_is_sent_again() -> None:
    end = ten_out()
    end.wait(250 * MS)
    end.sent()
    end.arrives(ACK, SEQ, NXT + FULL, wnd=60_000)
    assert 1 in first_of(end.sent())


def test_what_recovery_left_marked_is_counted_when_it_is_joined() -> None:
    """Two small segments were sent again one by one; in the next recovery they go as one."""
    end = Ours(SACKING)
    undelayed(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(4 * FULL))
    small = NXT + 4 * FULL
    behind = small + 1_400
    end.arrives(ACK, SEQ, NXT, wnd=60_000, sack=((NXT + FULL, small),))
    for size in (700, 700, FULL, FULL):
        end.write(bytes(size))
    end.arrives(ACK, SEQ, NXT, wnd=60_000, sack=((behind, behind + 2 * FULL), (NXT + FULL, small)))
    end.write(bytes(FULL))
    end.sent()
    end.arrives(ACK, SEQ, NXT, wnd=60_000, sack=((behind, behind + 3 * FULL), (NXT + FULL, small)))
    assert [sent.size for sent in end.sent()] == [700, 700]
    end.arrives(ACK, SEQ, small, wnd=60_000, sack=((behind, behind + 3 * FULL),))
    end.arrives(ACK, SEQ, small, wnd=60_000, sack=((behind, behind + 3 * FULL),))
    assert [sent.size for sent in end.sent()] == [1_400]
    assert not complaints(end.held(), end.now - 1)


def test_what_lies_beyond_the_window_is_not_sent_again() -> None:
    """Linux __tcp_retransmit_skb: only the first may go, as a probe."""
    end = Ours(SACKING)
    undelayed(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(6 * FULL))
    end.sent()
    end.arrives(ACK, SEQ, NXT, b"x", wnd=1)
    end.arrives(ACK, SEQ + 1, NXT, wnd=1, sack=((NXT + 2 * FULL, NXT + 6 * FULL),))
    assert first_of(end.sent())[-1:] == [0]
    assert not complaints(end.held(), end.now - 1)
    end.arrives(ACK, SEQ + 1, NXT, wnd=60_000, sack=((NXT + 2 * FULL, NXT + 6 * FULL),))
    assert first_of(end.sent()) == [1]


@pytest.mark.parametrize(
    ("echo", "rto_ms"),
    [
        pytest.param(0, 424, id="the latest: it measures, and the backoff is over"),
        pytest.param(5_000, 816, id="one from the future: it measures nothing"),
    ],
)
def test_timestamps_tell_which_transmission_was_acknowledged(echo: int, rto_ms: int) -> None:
    """RFC 7323 4.1; a peer whose echo makes no sense is not believed (Linux tcp_rtt_tsopt_us)."""
    end = Ours(STAMPED)
    reach.established(end)
    end.write(b"x")
    end.wait(S)
    end.arrives(ACK, SEQ, NXT + 1, ecr=echo)
    assert end.held().rto_ns == rto_ms * MS


def probed(*, more: bytes = b"") -> Ours:
    """The last of two segments was repeated as a loss probe; then more is sent."""
    end = Ours(SACKING)
    undelayed(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(FULL))
    end.write(b"x")
    end.wait(50 * MS)
    if more:
        end.write(more)
    return end


def test_a_loss_that_a_probe_repaired_slows_down() -> None:
    """RFC 8985 7.4.2: what lies behind the probe is acknowledged, and no D-SACK came."""
    end = probed(more=b"more")
    end.arrives(ACK, SEQ, NXT + FULL + 5, wnd=60_000)
    assert (end.held().cwnd, end.held().ssthresh) == (5, 5)


def test_after_a_probe_that_was_acknowledged_a_duplicate_ack_ends_its_episode() -> None:
    """RFC 8985 7.4.1: both copies arrived, and nothing was lost."""
    end = probed()
    end.arrives(ACK, SEQ, NXT + FULL + 1, wnd=60_000)
    assert end.held().tlp_high_seq is not None
    end.arrives(ACK, SEQ, NXT + FULL + 1, wnd=60_000)
    assert (end.held().tlp_high_seq, end.held().cwnd) == (None, 10)


def test_an_embryo_repeats_its_answer_no_more_rarely_than_tcp_rto_max_ms() -> None:
    """Linux tcp_reqsk_timeout."""
    end = Ours(sysctl={"net.ipv4.tcp_rto_max_ms": 1_000})
    reach.syn_received(end)
    end.sent()
    seen = timeline(end, 5_200 * MS)
    assert [sent for _, sent in seen] == [says(SYN | ACK, ISS, IRS + 1)] * 5


def test_a_probe_that_is_not_acknowledged_yet_goes_on() -> None:
    """RFC 8985 7.4.2: an ACK of what lies before it ends nothing."""
    end = probed()
    end.arrives(ACK, SEQ, NXT + FULL, wnd=60_000)
    assert end.held().tlp_high_seq is not None


def test_after_a_loss_the_window_grows_by_a_segment_in_a_round_trip() -> None:
    """Congestion avoidance (RFC 5681 3.1)."""
    end = ten_out()
    for _ in range(3):
        end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.arrives(ACK, SEQ, NXT + 10 * FULL, wnd=60_000)
    tcb, at, sizes = end.held(), 10, []
    for _ in range(3):
        many = tcb.cwnd
        end.write(bytes(many * FULL))
        for _ in range(many):
            at += 1
            end.arrives(ACK, SEQ, NXT + at * FULL, wnd=60_000)
        sizes.append(tcb.cwnd)
    assert sizes == [8, 9, 10]


def test_a_first_segment_that_the_peer_has_is_not_lost() -> None:
    """It reports all that is in flight, and acknowledges none of it."""
    end = Ours(SACKING)
    undelayed(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(4 * FULL))
    end.sent()
    end.arrives(ACK, SEQ, NXT, wnd=60_000, sack=((NXT, NXT + 4 * FULL),))
    assert end.sent() == []
    assert not complaints(end.held(), end.now - 1)


def test_slow_start_goes_over_into_congestion_avoidance() -> None:
    """What the threshold leaves of an ACK counts on (Linux tcp_slow_start)."""
    end = ten_out()
    end.wait(250 * MS)
    assert (end.held().cwnd, end.held().ssthresh) == (1, 5)
    end.arrives(ACK, SEQ, NXT + 10 * FULL, wnd=60_000)
    assert end.held().cwnd == 6, "5, and the other six are more than a window"


def test_a_timeout_that_was_not_needed_leaves_nothing_lost() -> None:
    """The ACK covers what was sent once only (RFC 5682 2.1, step 3b)."""
    end = ten_out(more=5)
    end.wait(250 * MS)
    tcb = end.held()
    assert (tcb.lost_out, tcb.retrans_out) == (10, 1)
    end.arrives(ACK, SEQ, NXT + 2 * FULL, wnd=60_000)
    assert (tcb.lost_out, tcb.retrans_out, tcb.frto) == (0, 0, False)
    assert min(first_of(end.sent()), default=10) == 0, "only the first, when the time was up"
    assert not complaints(tcb, end.now - 1)


def lossy() -> tuple[Ours, int]:
    """A loss was repaired, and cwnd, which holds the sender back, grows by one in a window."""
    end = ten_out()
    for _ in range(3):
        end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.arrives(ACK, SEQ, NXT + 10 * FULL, wnd=60_000)
    end.write(bytes(end.held().cwnd * FULL))
    return end, 10


def test_every_window_of_acks_opens_it_by_a_segment() -> None:
    """No ACK counts twice, and none from before (RFC 5681 3.1)."""
    end, at = lossy()
    tcb, before = end.held(), 0
    needed: list[tuple[int, int]] = []
    while len(needed) < 3:
        was = tcb.cwnd
        at, before = at + 1, before + 1
        end.arrives(ACK, SEQ, NXT + at * FULL, wnd=60_000)
        if tcb.cwnd > was:
            needed.append((was, before))
            before = 0
        end.write(bytes((tcb.cwnd - tcb.in_flight()) * FULL))
    assert [count for was, count in needed[1:]] == [was for was, count in needed[1:]]


def test_the_threshold_falls_once_for_a_loss_however_often_the_rto_passes() -> None:
    """RFC 5681 3.1: not again for what was sent again already; and never below two segments."""
    end = ten_out()
    tcb, seen = end.held(), []
    end.wait(250 * MS)
    seen.append(tcb.ssthresh)
    end.wait(500 * MS)
    seen.append(tcb.ssthresh)
    end.arrives(ACK, SEQ, NXT + 10 * FULL, wnd=60_000)
    at = 10
    for _ in range(2):
        end.write(bytes(2 * FULL))
        end.wait(2 * S)
        seen.append(tcb.ssthresh)
        at += 2
        end.arrives(ACK, SEQ, NXT + at * FULL, wnd=60_000)
    assert seen == [5, 5, 3, 2]


def test_what_is_joined_was_not_lost() -> None:
    end = Ours()
    undelayed(end)
    for octet in b"abcde":
        end.write(bytes((octet,)))
    for _ in range(4):
        end.arrives(ACK, SEQ, NXT)
    assert end.sent()[-1] == pushed(0, 5)
    assert not complaints(end.held(), end.now - 1)


def test_a_report_in_a_wider_window_tells_that_the_timeout_was_needed() -> None:
    """F-RTO with SACK: what is reported counts as a duplicate ACK does (RFC 5682 3.1)."""
    end = Ours(SACKING)
    undelayed(end)
    end.arrives(ACK, SEQ, NXT, wnd=50_000)
    end.write(bytes(13 * FULL))
    end.wait(S)
    end.arrives(ACK, SEQ, NXT + FULL, wnd=50_000)
    end.sent()
    block = ((NXT + 11 * FULL, NXT + 12 * FULL),)
    end.arrives(ACK, SEQ, NXT + FULL, wnd=60_000, sack=block)
    assert 1 in first_of(end.sent())
    end.arrives(ACK, SEQ, NXT + 3 * FULL, wnd=60_000, sack=block)
    assert end.held().lost_out, "what is in flight is not taken for delayed any more"


@pytest.mark.parametrize(
    ("wnd", "again"),
    [
        pytest.param(FULL, [0], id="up to the second: it stays"),
        pytest.param(FULL + 1, [0, 1], id="beyond: it goes"),
    ],
)
def test_the_end_of_the_window_is_where_sending_again_ends(wnd: int, again: list[int]) -> None:
    end = Ours(SACKING)
    undelayed(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(6 * FULL))
    end.sent()
    end.arrives(ACK, SEQ, NXT, b"x", wnd=wnd)
    end.sent()
    end.arrives(ACK, SEQ + 1, NXT, wnd=wnd, sack=((NXT + 2 * FULL, NXT + 6 * FULL),))
    assert first_of(end.sent()) == again


def test_an_open_that_crosses_is_given_up_by_number_whatever_tcp_user_timeout_is() -> None:
    """Linux tcp_write_timeout: tcp_syn_retries, with linear timeouts in SYN-SENT only."""
    end = Ours(sysctl={"net.ipv4.tcp_syn_retries": 2})
    reach.crossed(end)
    end.held().user_timeout_ns = 60 * S
    end.sent()
    assert len(timeline(end, 59 * S)) == 2
    assert end.state is CLOSED


def test_a_connection_that_was_given_up_is_shut_both_ways() -> None:
    end = sent_one({"net.ipv4.tcp_retries2": 1})
    end.wait(10 * S)
    assert end.state is CLOSED
    assert (end.held().rcv_shutdown, end.held().snd_shutdown) == (True, True)


def test_what_was_acknowledged_before_a_loss_does_not_open_the_window_after_it() -> None:
    end = ten_out()
    for _ in range(3):
        end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.arrives(ACK, SEQ, NXT + 6 * FULL, wnd=60_000)
    end.arrives(ACK, SEQ, NXT + 10 * FULL, wnd=60_000)
    assert end.held().cwnd == 5, "four of a window of five"
