"""Beside a finding stands of its run what the fault struck, and how it ended."""

import pytest
from tests.unit.atlas.traces import Made

from halfopen.atlas.ladder import excerpt, ladder
from halfopen.base.units import MS, S
from halfopen.record.faults import CableOut, PowerOff
from halfopen.wire.tcp import ACK, PSH, SYN

OFF = PowerOff(host="server")


def struck(*, calls_after: int, again: int = 0) -> Made:
    """Somebody sends, the server loses power, and then there are so many calls."""
    made = Made()
    for number in range(20):
        made.call("client", "bind", f"10.0.0.1:{number}", 0, until=0)
    made.send(0, "client", SYN, 0)
    made.send(10 * MS, "server", SYN | ACK, 0, 1)
    made.send(20 * MS, "client", PSH | ACK, 1, 1, b"hello")
    made.fault(25 * MS, OFF)
    for number in range(again):
        made.send((1 << number) * S, "client", PSH | ACK, 1, 1, b"hello", lost="host off")
    for number in range(calls_after):
        made.call("client", "bind", f"10.0.0.9:{number}", 30 * MS + again * S, until=40 * S)
    return made


@pytest.mark.parametrize("calls_after", [2, 15, 16, 17, 30])
def test_the_fault_and_the_segment_before_it_stay_in_the_picture(calls_after: int) -> None:
    lines = excerpt(struck(calls_after=calls_after).done(40 * S), lines_max=18)
    assert len(lines) <= 18
    assert lines[0].lstrip().startswith("time  client 10.0.0.1")
    at = next(number for number, line in enumerate(lines) if "POWER OFF" in line)
    assert "PSH,ACK seq 1 ack 1 len 5" in lines[at - 1]
    assert lines[-1] == ladder(struck(calls_after=calls_after).done(40 * S))[-1]
    for number, line in enumerate(lines):
        if "lines ..." in line:
            left_out = int(line.split()[1])
            assert left_out > 1
            assert lines[number + 1][:12].strip()  # the time is said again
    told = sum(int(line.split()[1]) for line in lines if "lines ..." in line)
    shown = sum("lines ..." not in line for line in lines)
    assert told + shown == len(ladder(struck(calls_after=calls_after).done(40 * S)))


def test_a_short_run_is_shown_whole() -> None:
    made = Made()
    made.call("client", "bind", "10.0.0.1:1", 0, until=0)
    trace = made.done(S)
    assert excerpt(trace, lines_max=18) == ladder(trace)


def test_what_cannot_fit_is_the_fault_alone() -> None:
    lines = excerpt(struck(calls_after=9).done(40 * S), lines_max=2)
    assert [line.split()[-2:] for line in lines if "lines" not in line][1:] == [
        ["502", "-------->"],
        ["POWER", "OFF"],
    ]


def test_of_a_segment_sent_again_and_again_the_first_and_the_last_are_shown() -> None:
    three, four = (excerpt(struck(calls_after=0, again=n).done(S), lines_max=40) for n in (3, 4))
    assert [line for line in three if "again" in line] == three[-3:]
    assert [line.strip() for line in four if "..." in line] == ["... again, 2 times ..."]
    assert "again --" in four[-3]
    assert "again, 4th --" in four[-1]
    whole = ladder(struck(calls_after=0, again=4).done(S))
    assert sum(" again" in line for line in whole) == 4


def test_segments_sent_again_by_both_are_told_apart() -> None:
    made = Made()
    for number in range(3):
        made.send(number * S, "client", PSH | ACK, 1, 1, b"hello", lost="cable out")
        made.send(number * S, "server", PSH | ACK, 1, 1, b"hello", lost="cable out")
    made.fault(5 * MS, CableOut(link="client-server"))
    lines = excerpt(made.done(9 * S), lines_max=40)
    assert sum("PSH,ACK" in line for line in lines) == 6


def polled(made: Made, name: str, args: str, host: str = "client", at: int = 0) -> None:
    made.call(host, name, args, at, until=at, result=[])


def test_polls_that_see_nothing_are_counted_in_one_line() -> None:
    made = Made()
    for many in (1, 2, 1):
        polled(made, "epoll_wait", f"0, {many}")
    polled(made, "poll", "0")
    polled(made, "poll", "0")
    made.call("client", "bind", "10.0.0.1:1", 0, until=0)
    polled(made, "poll", "0")
    polled(made, "poll", "0", at=S)
    polled(made, "poll", "0", host="server", at=S)
    assert [line[10:].strip() for line in ladder(made.done(S))[1:]] == [
        "epoll_wait(0, 1) -> nothing ready, 3 times",
        "poll(0) -> nothing ready, 2 times",
        "bind(10.0.0.1:1)",
        "poll(0) -> nothing ready",
        "poll(0) -> nothing ready",
        "poll(0) -> nothing ready",
    ]
