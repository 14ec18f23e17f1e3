"""What only repeats itself: rounds of timers and answered packets, and nothing else pending."""

import pytest

from halfopen.explore.repeats import GIVES_UP, only_repeats
from halfopen.record.events import (
    CallEntry,
    PacketArrived,
    PacketLost,
    PacketSent,
    StateChange,
    Timer,
    TimerFired,
)
from halfopen.record.trace import Trace
from halfopen.wire import ip, tcp
from halfopen.world.events import Act, Event
from halfopen.world.process import Waiting

S = 1_000_000_000
CONN = "10.0.0.1:40000 > 10.0.0.2:80"
WAITS = (
    Waiting(
        host="a",
        process="p",
        thread="main",
        where="p.py:1",
        line="sock.recv(1)",
        call="recv",
        what="data",
        since_ns=1 * S,
        until_ns=None,
    ),
)


def packet(*, seq: int, back: bool, clock: int) -> bytes:
    flow = ("10.0.0.1", 40000, "10.0.0.2", 80)
    if back:
        flow = (flow[2], flow[3], flow[0], flow[1])
    segment = tcp.Segment(flow, seq, 900, tcp.ACK, 500, ts_val=clock, ts_ecr=clock)
    return ip.encode(ip.Packet(flow[0], flow[2], ip.PROTO_TCP, segment, ident=clock & 0xFFFF))


def probe(trace: Trace, at: int, *, seq: int = 100, answered: bool = True) -> None:
    """A keepalive probe and its answer, as they stand in a trace."""
    trace.add(TimerFired(t_ns=at, host="a", conn=CONN, timer="keepalive"))
    for back in (False, True) if answered else (False,):
        number = trace.next_id()
        raw = packet(seq=seq, back=back, clock=at // S)
        trace.add(PacketSent(t_ns=at, packet_id=number, host="ab"[back], link="a-b", raw=raw))
        if answered:
            trace.add(PacketArrived(t_ns=at + 10, packet_id=number, host="ba"[back]))
        else:
            trace.add(PacketLost(t_ns=at + 10, packet_id=number, why="cable out"))


def pending(*at: int) -> list[tuple[int, Event]]:
    return [(t, Act(print, "timer")) for t in at]


@pytest.mark.parametrize(
    ("case", "times", "due", "expected"),
    [
        ("three rounds, the next one pending", (10, 20, 30), (40,), True),
        ("two rounds", (20, 30), (40,), False),
        ("rounds at unequal distances", (10, 20, 31), (40,), False),
        ("something pending beyond the next round", (10, 20, 30), (40, 4000), False),
        ("rounds that began before the wait", (0, 10, 20), (30,), False),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_answered_probes(
    case: str, times: tuple[int, ...], due: tuple[int, ...], expected: bool
) -> None:
    trace = Trace({})
    for at in times:
        probe(trace, at * S)
    assert only_repeats(trace, pending(*(at * S for at in due)), WAITS) is expected, case


def test_probes_whose_sequence_number_moves_are_not_the_same_round() -> None:
    trace = Trace({})
    for at in (10, 20, 30):
        probe(trace, at * S, seq=at)
    assert not only_repeats(trace, pending(40 * S), WAITS)


def test_a_packet_with_a_wrong_checksum_is_like_its_like_alone() -> None:
    """Linux sends IPv6 so, after IPv4 on the same socket."""
    whole = packet(seq=9, back=False, clock=9)
    for spoils, expected in (((1, 1, 1), True), ((1, 2, 3), False)):
        trace = Trace({})
        for at, spoiled in zip((10, 20, 30), spoils, strict=True):
            raw = whole[:-1] + bytes([whole[-1] ^ spoiled])
            number = trace.next_id()
            trace.add(PacketSent(t_ns=at * S, packet_id=number, host="a", link="a-b", raw=raw))
            trace.add(PacketArrived(t_ns=at * S + 10, packet_id=number, host="b"))
        assert only_repeats(trace, pending(40 * S), WAITS) is expected


def test_probes_without_an_answer_end_some_day() -> None:
    trace = Trace({})
    for at in (10, 20, 30, 40):
        probe(trace, at * S, answered=False)
    assert not only_repeats(trace, pending(50 * S), WAITS)


@pytest.mark.parametrize("timer", sorted(GIVES_UP))
def test_retransmissions_end_some_day(timer: Timer) -> None:
    trace = Trace({})
    for at in (120, 240, 360, 480):
        trace.add(TimerFired(t_ns=at * S, host="a", conn=CONN, timer=timer))
    assert not only_repeats(trace, pending(600 * S), WAITS)


def test_a_program_that_runs_may_count() -> None:
    trace = Trace({})
    for at in (10, 20, 30, 40):
        trace.add(
            CallEntry(
                t_ns=at * S,
                call_id=trace.next_id(),
                host="a",
                process="p",
                thread="main",
                call="poll",
                fd=3,
                args="",
                where="",
            )
        )
    assert not only_repeats(trace, pending(50 * S), WAITS)


def test_a_state_that_changes_is_no_repetition() -> None:
    trace = Trace({})
    for at in (10, 20, 30, 40):
        trace.add(
            StateChange(t_ns=at * S, host="a", conn=CONN, old="ESTABLISHED", new="CLOSED", why="")
        )
    assert not only_repeats(trace, pending(50 * S), WAITS)


def test_nothing_at_all_does_not_repeat() -> None:
    assert not only_repeats(Trace({}), pending(50 * S), WAITS)
