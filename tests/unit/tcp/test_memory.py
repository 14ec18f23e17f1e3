"""What queued text costs: of the receive buffer, where memory counts, and of the send buffer."""

from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.ends import IRS, ISS, End, Options, Ours

from halfopen.base.units import MS, S
from halfopen.tcp import calls
from halfopen.tcp.buffers import SEND_OVERHEAD
from halfopen.tcp.window import CLAMP_MIN
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG

SEQ: Final = IRS + 1
NXT: Final = ISS + 1
SMALL: Final = 100
#: The smallest block behind a packet, and its ``sk_buff``: what one small segment takes.
TAKES: Final = 832


def narrow(rmem: str = "2304 2304 2304") -> Ours:
    end = Ours(sysctl={"net.ipv4.tcp_rmem": rmem})
    reach.established(end)
    return end


def receives(end: Ours, segments: int, *, first: int = 0) -> list[int]:
    """Let small segments arrive; for each, how far it was acknowledged in the end."""
    taken = []
    for number in range(first, first + segments):
        end.arrives(ACK, SEQ + number * SMALL, NXT, bytes([number]) * SMALL, wnd=10_000)
        taken.append((end.held().rcv_nxt - end.held().irs - 1) // SMALL)
    return taken


def test_a_small_segment_takes_many_times_of_what_it_carries() -> None:
    end = narrow("4096 131072 131072")
    receives(end, 3)
    assert end.held().rmem == 3 * TAKES


def test_what_fits_into_the_block_before_costs_nothing() -> None:
    end = narrow("4096 131072 131072")
    for number in range(7):
        end.arrives(ACK, SEQ + number * 20, NXT, bytes(20))
    assert end.held().rmem == TAKES
    end.arrives(ACK, SEQ + 140, NXT, bytes(20))
    assert end.held().rmem == 2 * TAKES


def test_segments_in_the_window_are_collapsed_and_then_dropped() -> None:
    """Linux tcp_prune_queue, tcp_collapse, tcp_data_queue."""
    end = narrow()
    taken = receives(end, 12)
    assert taken[:4] == [1, 2, 3, 4], "memory set aside already is given without a look"
    assert end.held().rmem > end.held().rcvbuf
    assert taken[-1] < 12, "the last ones are dropped"
    assert end.segments[-1].wnd == 0, "and the window is closed, although it was open"
    octets = b"".join(bytes([number]) * SMALL for number in range(taken[-1]))
    assert end.read() == octets, "collapsing loses nothing"
    assert end.held().rmem == 0


def test_where_text_was_dropped_reading_opens_the_window_again() -> None:
    end = narrow()
    taken = receives(end, 12)[-1]
    end.read()
    end.look()
    assert end.segments[-1].wnd > 0
    assert receives(end, 1, first=taken) == [taken + 1]


def test_a_buffer_that_nobody_fixed_grows_instead() -> None:
    """Linux tcp_clamp_window."""
    end = narrow("2304 2304 131072")
    assert receives(end, 11)[-1] == 11
    assert end.held().rcvbuf > 2304


def test_early_text_is_forgotten_where_text_in_order_needs_the_room() -> None:
    """Linux tcp_prune_ofo_queue."""
    end = Ours(Options(sack_ok=True), sysctl={"net.ipv4.tcp_rmem": "2304 2304 2304"})
    reach.established(end)
    for number in (2, 4, 6, 8):
        end.arrives(ACK, SEQ + number * SMALL, NXT, bytes(SMALL))
    assert len(end.held().ooo) == 3, "the last one is not kept"
    receives(end, 1)
    assert len(end.held().ooo) < 3
    assert end.held().rcv_nxt - end.held().irs - 1 == SMALL


def test_a_fin_gets_in_although_the_window_is_closed() -> None:
    """Linux tcp_data_queue: some stacks send it again and again until it is taken."""
    end = narrow()
    taken = receives(end, 12)[-1]
    end.arrives(ACK | 1, SEQ + taken * SMALL, NXT)
    assert end.held().fin_received


def test_a_piece_that_is_cut_has_two_buffers_and_joined_ones_have_one() -> None:
    """Linux tso_fragment, tcp_grow_skb."""
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=2_000)
    end.write(bytes(5_000))
    queued = end.held().snd_queued
    assert queued == 5_000 + 2 * SEND_OVERHEAD, "what was sent, and what is left"


def test_after_a_long_wait_for_the_window_slow_start_begins_again() -> None:
    """Linux tcp_ack_update_window."""
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(14_600))
    for number in range(1, 11):
        end.arrives(ACK, SEQ, NXT + number * 1_460, wnd=60_000 if number < 10 else 0)
    assert end.held().cwnd == 20
    end.write(bytes(40_000))
    end.wait(10 * S)
    end.sent()
    end.arrives(ACK, SEQ, NXT + 14_600, wnd=60_000)
    assert len([sent for sent in end.sent() if sent.size]) == 10


def test_a_needless_loss_probe_costs_no_window() -> None:
    """RFC 8985 7.4.2: a D-SACK tells that it came twice."""
    end = Ours(Options(sack_ok=True))
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(2_920))
    end.wait(150 * MS)
    assert len([sent for sent in end.sent() if sent.size]) == 3, "two, and the last one again"
    end.arrives(ACK, SEQ, NXT + 2_920, wnd=60_000)
    end.arrives(ACK, SEQ, NXT + 2_920, wnd=60_000, sack=((NXT + 1_460, NXT + 2_920),))
    end.write(bytes(2_920))
    end.arrives(ACK, SEQ, NXT + 5_840, wnd=60_000)
    assert end.held().cwnd >= 10


def test_a_writer_that_was_turned_away_learns_of_room_after_what_was_sent() -> None:
    """Linux tcp_data_snd_check: first send, then look whether cwnd still fills the buffer."""
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    tcb = end.held()
    end.write(bytes(40_000))
    tcb.no_room = True
    before = tcb.sndbuf
    end.arrives(ACK, SEQ, NXT + 2 * 1_460, wnd=60_000)
    assert tcb.in_flight() == tcb.cwnd
    assert tcb.sndbuf == before


def test_the_buffer_grows_with_the_first_piece_of_a_read_in_each_round_trip() -> None:
    """Linux tcp_rcv_space_adjust: a reader that comes late reads much at once, and once only."""
    end = Ours(Options(timestamps=True))
    reach.established(end)
    size, at = 1_448, 0
    for _ in range(30):
        end.arrives(PSH | ACK, SEQ + at, NXT, bytes(size), wnd=60_000)
        at += size
    end.wait(S)
    before = end.held().rcvbuf
    assert len(end.read()) == at
    assert end.held().rcvbuf == before


def test_early_text_is_forgotten_only_until_an_eighth_is_free() -> None:
    """The farthest first, piece by piece (Linux tcp_prune_ofo_queue)."""
    end = Ours(Options(sack_ok=True), sysctl={"net.ipv4.tcp_rmem": "2304 10000 10000"})
    reach.established(end)
    tcb = end.held()
    number = 2
    while tcb.rmem <= tcb.rcvbuf:
        end.arrives(ACK, SEQ + number * SMALL, NXT, bytes(SMALL))
        number += 2
    kept = tcb.ooo[:-2]
    end.arrives(ACK, SEQ, NXT, bytes(SMALL))
    assert tcb.ooo == kept


def test_text_into_a_window_that_is_closed_and_empty_is_not_taken() -> None:
    """Nobody is to read: what was read opened nothing (Linux tcp_data_queue)."""
    end = narrow()
    taken = receives(end, 12)[-1]
    end.shutdown_read()
    end.read()
    end.sent()
    end.arrives(ACK, SEQ + taken * SMALL, NXT, b"x")
    assert [sent.ack - SEQ for sent in end.sent()] == [taken * SMALL]
    assert end.held().rcv_queued == 0


def test_an_empty_buffer_smaller_than_a_segment_is_offered_whole() -> None:
    """Linux __tcp_select_window."""
    end = narrow()
    end.arrives(ACK, SEQ, NXT, bytes(1_000))
    end.read()
    end.look()
    tcb = end.held()
    assert end.segments[-1].wnd == tcb.rcvbuf * tcb.scaling_ratio >> 8 < tcb.rcv_mss


def test_a_ratio_that_changes_nothing_leaves_the_window() -> None:
    """The buffer is so small that the clamp is the least that there is, whatever the ratio."""
    end = narrow()
    for at, size in ((0, 600), (600, 700)):
        end.arrives(ACK, SEQ + at, NXT, bytes(size))
        end.read()
    assert end.held().window_clamp == CLAMP_MIN


@pytest.mark.parametrize(
    ("sysctl", "locked"),
    [
        pytest.param({"net.ipv4.tcp_moderate_rcvbuf": 0}, False, id="by the host"),
        pytest.param({}, True, id="by SO_RCVBUF"),
    ],
)
def test_a_buffer_that_somebody_fixed_does_not_grow(
    sysctl: dict[str, int | str], locked: bool
) -> None:
    sizes = []
    for fixed in (False, True):
        end = Ours(Options(wscale=7), sysctl=sysctl if fixed else {})
        reach.established(end)
        tcb = end.held()
        tcb.rcvbuf_locked = fixed and locked
        before, at = tcb.rcvbuf, 0
        for _ in range(40):
            end.wait(10 * MS)
            for _ in range(10):
                end.arrives(PSH | ACK, SEQ + at, NXT, bytes(1_448))
                at += 1_448
            end.read()
        sizes.append(tcb.rcvbuf > before)
    assert sizes == [True, False]


def test_a_send_buffer_that_somebody_fixed_does_not_grow() -> None:
    """Linux tcp_sndbuf_expand. What is on its way fills it, and nothing of it is unsent."""
    sizes = []
    for fixed in (False, True):
        end = Ours()
        end.connect()
        tcb = end.held()
        tcb.sndbuf, tcb.sndbuf_locked = 4_608, fixed
        end.arrives(SYN | ACK, IRS, ISS + 1, wnd=60_000)
        sizes.append(tcb.sndbuf)
        assert calls.send(tcb, bytes(10_000), end.now) == 10_000, "a piece is taken whole"
        assert not tcb.unsent
        assert calls.send(tcb, b"more", end.now) == (0 if fixed else 4)
    assert sizes[0] > sizes[1] == 4_608


def idle(*, turned_away: bool) -> int:
    """cwnd has grown to 20, and for longer than an RTO little was sent; return it."""
    end = Ours()
    reach.established(end)
    end.nodelay()
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(14_600))
    for number in range(1, 11):
        end.arrives(ACK, SEQ, NXT + number * 1_460, wnd=60_000)
    assert end.held().cwnd == 20
    end.held().no_room = turned_away
    end.wait(150 * MS)
    end.write(b"x")
    end.wait(60 * MS)
    end.write(b"y")
    return end.held().cwnd


def test_a_window_that_is_not_used_comes_half_way_down() -> None:
    """RFC 7661 4.3; Linux tcp_cwnd_application_limited: not where the writer lacked room."""
    assert idle(turned_away=False) == 15
    assert idle(turned_away=True) == 20


def reader(*, octets: int, early: bool = False, most: int = 33_554_432) -> int:
    """The receive buffer after some round trips of 10 ms in which so much was read."""
    rmem = f"4096 131072 {most}"
    end = Ours(Options(wscale=7, sack_ok=True), sysctl={"net.ipv4.tcp_rmem": rmem})
    reach.established(end)
    tcb, at = end.held(), 0
    for _ in range(12):
        end.wait(10 * MS)
        if early:
            end.arrives(ACK, SEQ + at + 60_000, NXT, b"x")
        for _ in range(octets // 1_448):
            end.arrives(PSH | ACK, SEQ + at, NXT, bytes(1_448))
            at += 1_448
        end.read()
    return tcb.rcvbuf


def test_the_buffer_grows_to_what_is_read_and_to_what_is_early() -> None:
    """Linux tcp_rcvbuf_grow."""
    assert reader(octets=3_000) == 131_072, "less than the initial window"
    assert reader(octets=30_000, most=131_072) == 131_072, "and no more than tcp_rmem allows"
    much = reader(octets=30_000)
    assert much > 131_072
    assert reader(octets=30_000, early=True) > much


def test_a_longer_round_trip_counts_where_nothing_waits_for_the_reader() -> None:
    """Linux tcp_rcv_rtt_update: else it may be the reader who is slow."""
    times = []
    for reads in (True, False):
        end = Ours(Options(timestamps=True))
        end.connect()
        end.arrives(SYN | ACK, IRS, ISS + 1)
        tcb = end.held()
        for number in range(6):
            end.write(b"ask")
            end.wait((10 if number < 2 else 50) * MS)
            end.arrives(PSH | ACK, SEQ + number * 1_448, NXT + 3 * number + 3, bytes(1_448))
            if reads:
                end.read()
        times.append(tcb.rcv_rtt_us8 >> 3)
    assert 10_000 <= times[1] < times[0] <= 50_000


@pytest.mark.parametrize(
    ("mss", "sndbuf"),
    [
        pytest.param(1_460, 46_080, id="Ethernet: 20 segments of 2 KB and what each costs"),
        pytest.param(536, 46_080, id="small ones, too"),
        pytest.param(8_960, 332_800, id="jumbo frames"),
    ],
)
def test_the_send_buffer_holds_two_congestion_windows(mss: int, sndbuf: int) -> None:
    """Linux tcp_sndbuf_expand."""
    end = Ours(Options(mss=mss), mtu=9_000)
    reach.established(end)
    assert end.held().sndbuf == sndbuf


@pytest.mark.parametrize(
    ("idle_ms", "cwnd"), [(200, 20), (210, 10), (410, 10)], ids=["as long as an RTO", "more", "two"]
)
def test_after_a_pause_slow_start_begins_again(idle_ms: int, cwnd: int) -> None:
    """Half for each RTO, and no less than the initial window (RFC 5681 4.1)."""
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(14_600))
    for number in range(1, 11):
        end.arrives(ACK, SEQ, NXT + number * 1_460, wnd=60_000)
    end.wait(idle_ms * MS)
    end.write(b"x")
    assert end.held().cwnd == cwnd
    if cwnd == 10:
        assert end.held().ssthresh == (1 << 62), "no loss was seen: it only falls"


def test_the_window_grows_before_what_came_early_is_charged() -> None:
    """Linux tcp_data_queue_ofo: tcp_grow_window, and then skb_set_owner_r."""
    end = Ours(Options(sack_ok=True), sysctl={"net.ipv4.tcp_rmem": "4096 16384 16384"})
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, bytes(1448), wnd=10_000)
    end.read()
    assert end.held().rcv_ssthresh < end.held().window_clamp
    end.arrives(ACK, SEQ + 2 * 1448, NXT, bytes(1448), wnd=10_000)
    assert end.held().rcv_ssthresh == end.held().window_clamp
    assert end.held().rmem, "it is charged afterwards"


def grown(segments: int, sysctl: dict[str, int | str] | None = None) -> Ours:
    """cwnd has grown to so many segments, and all is acknowledged."""
    end = Ours(sysctl=sysctl)
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=65_535)
    at = 0
    while end.held().cwnd < segments:
        many = end.held().cwnd
        end.write(bytes(many * 1_460))
        for _ in range(many):
            at += 1_460
            end.arrives(ACK, SEQ, NXT + at, wnd=65_535)
    return end


@pytest.mark.parametrize(("idle_ms", "cwnd"), [(200, 40), (300, 20), (500, 10), (5_000, 10)])
def test_each_rto_of_a_pause_halves_the_window(idle_ms: int, cwnd: int) -> None:
    """RFC 5681 4.1; Linux tcp_cwnd_restart."""
    end = grown(40)
    assert end.held().cwnd == 40
    end.wait(idle_ms * MS)
    end.write(b"x")
    assert end.held().cwnd == cwnd


def test_without_tcp_slow_start_after_idle_a_pause_costs_nothing() -> None:
    end = grown(20, {"net.ipv4.tcp_slow_start_after_idle": 0})
    end.wait(5 * S)
    end.write(b"x")
    assert end.held().cwnd == 20


def test_a_window_of_which_more_than_half_is_used_grows() -> None:
    """What is sent later in the round trip counts, too (Linux tcp_cwnd_validate)."""
    grows = []
    for more in (3, 6):
        end = Ours()
        reach.established(end)
        end.arrives(ACK, SEQ, NXT, wnd=65_535)
        end.write(bytes(1_460))
        end.write(bytes(more * 1_460))
        end.arrives(ACK, SEQ, NXT + (1 + more) * 1_460, wnd=65_535)
        grows.append(end.held().cwnd)
    assert grows == [10, 17]


def unseen(*, wnd: int = 10_000, flags: int = ACK, urg: int = 0, update: int = 0) -> int:
    """What four small segments take of a buffer that three fill; the last one may be odd."""
    end = narrow()
    if update:
        end.arrives(ACK, SEQ, NXT, wnd=update)
    receives(end, 3)
    end.arrives(flags, SEQ + 3 * SMALL, NXT, bytes(SMALL), wnd=wnd, urg=urg)
    assert end.held().rcv_nxt - end.held().irs - 1 == 4 * SMALL
    return end.held().rmem


def test_what_is_expected_takes_memory_that_was_set_aside_without_a_look_at_the_buffer() -> None:
    """Header prediction (Linux tcp_rcv_established): another window, or URG, is looked at."""
    assert unseen() == unseen(flags=PSH | ACK) == unseen(update=9_000) == 4 * TAKES
    assert unseen(wnd=9_000) < 4 * TAKES
    assert unseen(flags=URG | ACK, urg=900) < 4 * TAKES


def test_early_text_that_was_forgotten_is_not_reported() -> None:
    """Nor is what is left of it, until more comes (Linux tcp_prune_ofo_queue)."""
    end = Ours(Options(sack_ok=True), sysctl={"net.ipv4.tcp_rmem": "2304 10000 10000"})
    reach.established(end)
    number = 2
    while end.held().rmem <= end.held().rcvbuf:
        end.arrives(ACK, SEQ + number * SMALL, NXT, bytes(SMALL))
        number += 2
    assert end.segments[-1].sack
    end.arrives(ACK, SEQ, NXT, bytes(SMALL))
    assert end.held().ooo
    assert not end.segments[-1].sack


def filled() -> tuple[Ours, int]:
    """Nobody reads, and the window is nearly closed."""
    end = Ours(sysctl={"net.ipv4.tcp_rmem": "4096 20000 20000"})
    reach.fin_wait_2(end)
    at = 0
    while end.rcv_edge - SEQ - at >= 1_460:
        end.arrives(ACK, SEQ + at, NXT + 1, bytes(1_460))
        end.wait(300 * MS)
        at += 1_460
    end.sent()
    return end, at


@pytest.mark.parametrize("flags", [RST, FIN | ACK], ids=["RST", "FIN"])
def test_reading_what_is_left_of_a_connection_opens_no_window(flags: int) -> None:
    end, at = filled()
    end.arrives(flags, SEQ + at, NXT + 1)
    end.sent()
    assert len(end.read()) == at
    assert end.sent() == []


def grown_by_early_text(end: End, *, taken: bool) -> int:
    """The receive buffer after much text that came before its turn, and was taken by accept.

    Before it came, or afterwards.
    """
    reach.ready(end)
    if taken:
        end.accept()
    for number in range(1, 40):
        end.arrives(ACK, SEQ + number * 1_448, NXT, bytes(1_448))
    end.arrives(FIN | ACK, SEQ + 40 * 1_448, NXT)
    if not taken:
        end.accept()
    return end.rcvbuf()


def test_early_text_makes_the_buffer_grow_once_somebody_holds_the_connection() -> None:
    """Linux tcp_data_queue_ofo: tcp_rcvbuf_grow; witnessed in test_on_linux."""
    assert grown_by_early_text(Ours(), taken=True) > 131_072
    assert grown_by_early_text(Ours(), taken=False) == 131_072
