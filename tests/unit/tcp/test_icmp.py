"""What ICMP errors do to a connection (RFC 9293 3.9.2.2, RFC 6069, RFC 1191)."""

from collections.abc import Callable
from errno import (
    ECONNREFUSED,
    EHOSTDOWN,
    EHOSTUNREACH,
    ENETUNREACH,
    ENONET,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPROTO,
)
from typing import Final

import pytest
from tests.unit.tcp import reach
from tests.unit.tcp.cells import (
    Cell,
    Table,
    case,
    cells,
    check,
    complaint,
    recverr,
    says,
    seg,
    timeline,
    write,
)
from tests.unit.tcp.ends import IRS, ISS, End, Options, Ours, Sent
from tests.unit.tcp.soundness import complaints

from halfopen.base.units import MS, S
from halfopen.net.sysctl import with_defaults
from halfopen.tcp import calls, icmp
from halfopen.tcp.config import Config
from halfopen.tcp.effects import Effects
from halfopen.tcp.errqueue import ICMP, ICMP6, LOCAL, Report, next_error
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb
from halfopen.wire import icmp as wire_icmp
from halfopen.wire.tcp import ACK, PSH, SYN

SEQ: Final = IRS + 1
NXT: Final = ISS + 1
ROUTER: Final = "10.0.0.254"
CLOSED, ESTABLISHED, SYN_SENT = State.CLOSED, State.ESTABLISHED, State.SYN_SENT
#: ICMP type and code, and what Linux makes of it (icmp_err_convert, tcp_v4_err).
ERRORS: Final = (
    (3, 0, ENETUNREACH),
    (3, 1, EHOSTUNREACH),
    (3, 2, ENOPROTOOPT),
    (3, 3, ECONNREFUSED),
    (3, 5, EOPNOTSUPP),
    (3, 6, ENETUNREACH),
    (3, 7, EHOSTDOWN),
    (3, 8, ENONET),
    (3, 9, ENETUNREACH),
    (3, 10, EHOSTUNREACH),
    (3, 11, ENETUNREACH),
    (3, 12, EHOSTUNREACH),
    (3, 13, EHOSTUNREACH),
    (3, 14, EHOSTUNREACH),
    (3, 15, EHOSTUNREACH),
    (11, 0, EHOSTUNREACH),
    (12, 0, EPROTO),
)
#: Said, and never heard: a code that there is not, source quench, a fragment's time.
UNHEARD: Final = ((3, 16), (4, 0), (11, 1))
SENT: Final = says(PSH | ACK, NXT, SEQ, 1)


def each(rows: Callable[[int, int, int], Cell]) -> tuple[Cell, ...]:
    return tuple(rows(kind, code, number) for kind, code, number in ERRORS)


def opening(kind: int, code: int, number: int) -> Cell:
    """It is queued whether or not the user asked for it."""
    return case(
        f"{kind}/{code}",
        (complaint(kind, code, ISS),),
        CLOSED,
        error=number,
        reports=((number, kind, code, ROUTER),),
    )


def in_established(kind: int, code: int, number: int) -> Cell:
    """It is kept, and told by SO_ERROR; nothing else happens."""
    return case(
        f"{kind}/{code}",
        (write(b"x"), complaint(kind, code, NXT), write(b"y")),
        ESTABLISHED,
        SENT,
        error=number,
        reports=(),
    )


def in_established_with_recverr(kind: int, code: int, number: int) -> Cell:
    """The next call is told, and the connection goes on; nothing is queued."""
    return case(
        f"{kind}/{code}",
        (recverr, write(b"x"), complaint(kind, code, NXT), seg(ACK, SEQ, NXT + 1)),
        ESTABLISHED,
        SENT,
        error=number,
        reports=(),
    )


UNHEARD_IN_SYN_SENT = tuple(
    case(f"{kind}/{code}", (complaint(kind, code, ISS),), SYN_SENT, reports=())
    for kind, code in UNHEARD
)
UNHEARD_IN_ESTABLISHED = tuple(
    case(
        f"{kind}/{code}",
        (recverr, write(b"x"), complaint(kind, code, NXT)),
        ESTABLISHED,
        SENT,
        reports=(),
    )
    for kind, code in UNHEARD
)
#: What is soft is forgotten when an ACK comes; what waits for the user is not.
SOFT = (
    case(
        "and an ACK",
        (write(b"x"), complaint(3, 1, NXT), seg(ACK, SEQ, NXT + 1)),
        ESTABLISHED,
        SENT,
        reports=(),
    ),
    case(
        "about the past",
        (write(b"x"), seg(ACK, SEQ, NXT + 1), complaint(3, 1, NXT)),
        ESTABLISHED,
        SENT,
        reports=(),
    ),
    case(
        "one after another",
        (recverr, write(b"x"), complaint(3, 1, NXT), complaint(3, 3, NXT)),
        ESTABLISHED,
        SENT,
        error=ECONNREFUSED,
        reports=(),
    ),
)


@pytest.mark.parametrize("hard", [True, False])
def test_an_embryo(hard: bool) -> None:
    """A hard error ends it; nobody is told."""
    end = Ours()
    reach.syn_received(end)
    assert end.any is not None
    icmp.error(end.any, EHOSTUNREACH, hard=hard, now=end.now)
    end.settle()
    assert end.state is (State.LISTEN if hard else State.SYN_RECEIVED)


def backed_off() -> Ours:
    """Sent again after 0.2 and 0.6 s; the RTO is 0.8 s."""
    end = Ours()
    reach.established(end)
    end.write(b"x")
    end.wait(S)
    end.sent()
    return end


def test_the_backoff_is_taken_back() -> None:
    """The network was there to complain: the next try comes earlier (RFC 6069)."""
    end = backed_off()
    tcb = end.held()
    icmp.revert_backoff(tcb, tcb.snd_una, end.now)
    end.settle()
    (at, sent), *_ = timeline(end, 500 * MS)
    assert at < 50 * MS
    assert sent == says(PSH | ACK, NXT, SEQ, 1)


def test_also_where_no_round_trip_was_ever_measured() -> None:
    """Two opens crossed, and no ACK of our SYN came: it is still out."""
    end = Ours()
    reach.crossed(end)
    end.arrives(ACK, SEQ, ISS)
    assert end.state is State.ESTABLISHED
    end.wait(4 * S)
    before = end.next_deadline()
    tcb = end.held()
    icmp.revert_backoff(tcb, tcb.snd_una, end.now)
    after = end.next_deadline()
    assert before is not None
    assert after is not None
    assert after < before


def test_at_once_where_its_time_had_come_already() -> None:
    end = backed_off()
    tcb = end.held()
    end.wait(190 * MS)
    icmp.revert_backoff(tcb, tcb.snd_una, end.now)
    end.settle()
    assert says(PSH | ACK, NXT, SEQ, 1) in end.sent() + [sent for _, sent in timeline(end, 50 * MS)]


@pytest.mark.parametrize(
    ("wait_ns", "offset"),
    [
        pytest.param(S, 1, id="about another segment"),
        pytest.param(0, 0, id="before anything was sent again"),
    ],
)
def test_and_it_is_not(wait_ns: int, offset: int) -> None:
    end = Ours()
    reach.established(end)
    end.write(b"x")
    end.wait(wait_ns)
    tcb = end.held()
    before = end.next_deadline()
    icmp.revert_backoff(tcb, tcb.snd_una + offset, end.now)
    assert end.next_deadline() == before


def roomy(end: End) -> None:
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)


def text(at: int, size: int, flags: int = ACK) -> Sent:
    return says(flags, NXT + at, SEQ, size)


TOO_BIG = (
    case(
        "all of it is sent again, in pieces",
        (
            write(bytes(1_460)),
            write(bytes(1_460)),
            complaint(wire_icmp.DEST_UNREACH, wire_icmp.FRAG_NEEDED, NXT, 576),
        ),
        State.ESTABLISHED,
        text(0, 1_460, PSH | ACK),
        text(1_460, 1_460, PSH | ACK),
        text(0, 536),
        text(536, 536),
        text(1_072, 388, PSH | ACK),
        text(1_460, 536),
        text(1_996, 536),
        text(2_532, 388, PSH | ACK),
    ),
)

REFUSED = complaint(wire_icmp.DEST_UNREACH, wire_icmp.PORT_UNREACH, ISS)
UNREACHABLE = complaint(wire_icmp.DEST_UNREACH, wire_icmp.HOST_UNREACH, ISS)
EXPIRED = complaint(wire_icmp.TIME_EXCEEDED, 0, ISS)
EMBRYO = (
    case("port unreachable: it goes on", (REFUSED,), State.SYN_RECEIVED),
    case("host unreachable: it ends", (UNREACHABLE,), State.LISTEN),
    case("time exceeded: it ends", (EXPIRED,), State.LISTEN),
    case(
        "host unreachable, about an ACK: it goes on",
        (complaint(wire_icmp.DEST_UNREACH, wire_icmp.HOST_UNREACH, ISS + 1),),
        State.SYN_RECEIVED,
    ),
)
TABLES = (
    Table("smaller MTU", roomy, TOO_BIG),
    Table("embryo", reach.syn_received, EMBRYO),
    Table("SYN-SENT", reach.syn_sent, each(opening)),
    Table("SYN-SENT, unheard", reach.syn_sent, UNHEARD_IN_SYN_SENT),
    Table("crossed", reach.crossed, each(opening)),
    Table("ESTABLISHED", reach.established, each(in_established)),
    Table("IP_RECVERR", reach.established, each(in_established_with_recverr)),
    Table("IP_RECVERR, unheard", reach.established, UNHEARD_IN_ESTABLISHED),
    Table("soft", reach.established, SOFT),
)


@cells(*TABLES)
def test_what_a_router_says(table: Table, cell: Cell) -> None:
    check(table, cell)


def test_a_smaller_mtu_sends_again_what_was_too_big() -> None:
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(2_920))
    end.sent()
    icmp.mtu_reduced(end.held(), 1_000, end.now)
    end.settle()
    sizes = [sent.size for sent in end.sent()]
    assert sizes[:1] == [960]
    assert max(sizes) == 960
    end.arrives(ACK, SEQ, NXT + 960)
    end.arrives(ACK, SEQ, NXT + 2_920)
    end.write(bytes(2_000))
    assert max(sent.size for sent in end.sent()) == 960


def test_every_piece_of_what_was_too_big_is_sent_again_at_once() -> None:
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(1_400))
    end.sent()
    icmp.mtu_reduced(end.held(), 1_000, end.now)
    end.settle()
    assert [sent.size for sent in end.sent()] == [960, 440]


@pytest.mark.parametrize("mtu", [1_500, 9_000])
def test_an_mtu_that_is_not_smaller_changes_nothing(mtu: int) -> None:
    end = Ours()
    reach.established(end)
    end.write(bytes(100))
    end.sent()
    icmp.mtu_reduced(end.held(), mtu, end.now)
    end.settle()
    assert end.sent() == []
    assert end.held().mtu == 1_500


def test_small_segments_pass_a_smaller_mtu() -> None:
    end = Ours()
    reach.established(end)
    end.write(bytes(100))
    end.sent()
    icmp.mtu_reduced(end.held(), 600, end.now)
    end.settle()
    assert end.sent() == []


@pytest.mark.parametrize("begins", [reach.syn_sent, reach.crossed])
def test_the_next_syn_of_a_connect_offers_what_fits_a_smaller_mtu(
    begins: Callable[[Ours], None],
) -> None:
    end = Ours()
    begins(end)
    assert end.segments[-1].mss == 1_460
    icmp.mtu_reduced(end.held(), 600, end.now)
    end.settle()
    end.sent()
    end.wait(1_100 * MS)
    assert [sent.flags & SYN for sent in end.sent()] == [SYN]
    assert end.segments[-1].mss == 560
    assert end.held().mtu == 600


def test_what_a_listener_answers_does_not_heed_an_mtu() -> None:
    end = Ours()
    reach.syn_received(end)
    assert end.any is not None
    icmp.mtu_reduced(end.any, 600, end.now)
    assert (end.any.mtu, end.any.adv_mss) == (1_500, 1_460)


def test_the_syn_of_a_connect_over_ipv6_does_not_heed_an_mtu() -> None:
    flow = ("2001:db8::1", 40_000, "2001:db8::2", 80)
    effects = Effects()
    tcb = Tcb(flow, Config(with_defaults({}), 0), effects, iss=ISS)
    calls.open_active(tcb, 0)
    icmp.mtu_reduced(tcb, 1_280, 0)
    assert (tcb.mtu, tcb.adv_mss) == (1_500, 1_440)


def test_after_a_timeout_a_smaller_mtu_costs_no_second_window() -> None:
    """cwnd is down already; what is lost is cut to fit (Linux tcp_simple_retransmit)."""
    end = Ours()
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(4 * 1_460))
    end.wait(250 * MS)
    end.sent()
    tcb = end.held()
    before = (tcb.ca_state, tcb.ssthresh, tcb.high_seq)
    icmp.mtu_reduced(tcb, 1_000, end.now)
    end.settle()
    assert (tcb.ca_state, tcb.ssthresh, tcb.high_seq) == before
    assert not complaints(tcb, end.now - 1)


def test_what_is_cut_keeps_its_marks() -> None:
    """Some were reported, some lost and sent again, when the way became narrower."""
    end = Ours(Options(sack_ok=True))
    reach.established(end)
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(8 * 1_460))
    reported = ((NXT + 3 * 1_460, NXT + 6 * 1_460),)
    end.arrives(ACK, SEQ, NXT, wnd=60_000, sack=reported)
    tcb = end.held()
    assert (tcb.sacked_out, tcb.retrans_out > 0, tcb.lost_out) == (3, True, 3)
    icmp.mtu_reduced(tcb, 1_000, end.now)
    end.settle()
    assert not complaints(tcb, end.now - 1)
    assert tcb.sacked_out == 6
    end.arrives(ACK, SEQ, NXT + 8 * 1_460, wnd=60_000)
    assert (tcb.sacked_out, tcb.retrans_out, tcb.lost_out) == (0, 0, 0)


def test_what_was_too_big_is_a_loss_until_it_is_acknowledged() -> None:
    """No loss is probed for meanwhile (Linux tcp_simple_retransmit)."""
    end = Ours(Options(sack_ok=True))
    reach.established(end)
    end.nodelay()
    end.arrives(ACK, SEQ, NXT, wnd=60_000)
    end.write(bytes(1_460))
    end.complains(wire_icmp.DEST_UNREACH, wire_icmp.FRAG_NEEDED, NXT, 576)
    end.write(b"x")
    end.write(b"y")
    end.sent()
    assert timeline(end, 150 * MS) == []
    assert not complaints(end.held(), end.now - 1)


def test_where_nothing_was_backed_off_nothing_is_taken_back() -> None:
    """The first SYNs are sent at even distances; a window that was taken back counts no tries."""
    end = Ours()
    reach.syn_sent(end)
    end.wait(2_500 * MS)
    before = end.next_deadline()
    tcb = end.held()
    icmp.revert_backoff(tcb, tcb.snd_una, end.now)
    assert end.next_deadline() == before
    end = Ours()
    reach.established(end)
    end.write(b"x")
    end.arrives(ACK, SEQ, NXT, wnd=0)
    end.wait(S)
    before = end.next_deadline()
    tcb = end.held()
    icmp.revert_backoff(tcb, tcb.snd_una, end.now)
    assert end.next_deadline() == before


@pytest.mark.parametrize(
    ("left", "waits"),
    [
        pytest.param((), {ICMP: 0, ICMP6: 0, LOCAL: 113}, id="none"),
        pytest.param((LOCAL,), {ICMP: 0, ICMP6: 0, LOCAL: 113}, id="one of this host"),
        pytest.param((ICMP, LOCAL), {ICMP: 111, ICMP6: 111, LOCAL: 111}, id="a router's"),
        pytest.param((ICMP6,), {ICMP: 111, ICMP6: 111, LOCAL: 111}, id="a router's, of IPv6"),
    ],
)
def test_the_error_that_waits_once_a_report_was_taken(
    left: tuple[int, ...], waits: dict[int, int]
) -> None:
    """Linux sock_dequeue_err_skb."""
    reports = [Report(111, (ROUTER, 0), b"", origin=origin) for origin in left]
    for origin, error in waits.items():
        assert next_error(Report(1, (ROUTER, 0), b"", origin=origin), reports, 113) == error
