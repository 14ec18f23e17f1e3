"""Ladders, compared as text: what people see is what is tested."""

from tests.unit.atlas.rows import refused
from tests.unit.atlas.traces import Made

from halfopen.atlas.ladder import ladder
from halfopen.base.units import HOUR, MS, S
from halfopen.record.faults import CableOut, Kill, PowerOff
from halfopen.wire.tcp import ACK, PSH, SYN


def shown(made: Made, at: int, *, forever: bool = False) -> str:
    lines = ladder(made.done(at), forever=forever)
    assert all(len(line) <= 80 for line in lines)
    return "\n".join(lines)


def established() -> Made:
    made = Made()
    made.send(0, "client", SYN, 0, wnd=64240, wscale=7)
    made.send(10 * MS, "server", SYN | ACK, 0, 1, wnd=65160, wscale=7)
    made.send(20 * MS, "client", ACK, 1, 1)
    return made


def test_refused_connect_is_drawn_whole() -> None:
    assert "\n".join(ladder(refused())[:5]) == (
        "      time  client 10.0.0.1                                 server 10.0.0.2\n"
        "  0.000 ms  connect(10.0.0.2:80) ... (SYN-SENT)\n"
        "            |  SYN seq 0 win 64240 ---------------------->\n"
        " 10.000 ms  |  <---------------------- RST,ACK seq 0 ack 1\n"
        " 20.000 ms  connect -> ECONNREFUSED after 20 ms, on RST,ACK (CLOSED)"
    )


def test_state_of_the_right_host_stands_beside_the_segment_that_it_sends() -> None:
    made = established()
    made.trace.events.clear()
    made.send(0, "client", SYN, 0)
    made.state(10 * MS, "server", "LISTEN", "SYN-RECEIVED")
    made.send(10 * MS, "server", SYN | ACK, 0, 1)
    assert shown(made, 20 * MS).splitlines()[2] == (
        " 10.000 ms     <-------------- SYN,ACK seq 0 ack 1 win 502  SYN-RECEIVED"
    )


def test_blocked_call_is_a_bar_down_its_column_until_it_returns() -> None:
    made = established()
    made.call("server", "recv", "100", 25 * MS, until=40 * MS, result={"len": 5, "head": "hello"})
    made.call("client", "send", "b'hello'", 30 * MS, until=30 * MS, result=5)
    made.send(30 * MS, "client", PSH | ACK, 1, 1, b"hello")
    made.send(40 * MS, "server", ACK, 1, 6)
    assert shown(made, 50 * MS).splitlines()[4:] == [
        " 25.000 ms                                                  recv(100) ...",
        " 30.000 ms  send(b'hello') -> 5 bytes                       |",
        "               PSH,ACK seq 1 ack 1 len 5 win 64256 ------>  |",
        " 40.000 ms     <---------------- ACK seq 1 ack 6 win 64256  |",
        '                                                    recv -> b"hello" after 15 ms',
    ]


def test_lost_segments_say_what_took_them_and_how_often_they_were_tried() -> None:
    made = established()
    made.fault(50 * MS, PowerOff(host="server"))
    for at in (100, 300, 700, 1500):
        made.send(at * MS, "client", PSH | ACK, 1, 1, b"hello", lost="host off")
    assert shown(made, 2 * S).splitlines()[4:] == [
        " 50.000 ms                                                  POWER OFF",
        "100.000 ms     PSH,ACK seq 1 ack 1 len 5 win 64256 ------x  lost: host off",
        "300.000 ms     PSH,ACK seq 1 ack 1 len 5 again ----------x  lost: host off",
        "700.000 ms     PSH,ACK seq 1 ack 1 len 5 again, 2nd -----x  lost: host off",
        "   1.500 s     PSH,ACK seq 1 ack 1 len 5 again, 3rd -----x  lost: host off",
    ]


def test_retransmissions_that_back_off_are_not_torn_apart_by_silences() -> None:
    made = established()
    made.send(100 * MS, "client", PSH | ACK, 1, 1, b"x", lost="host off")
    at = 300 * MS
    for n in range(14):
        made.send(at, "client", PSH | ACK, 1, 1, b"x", lost="host off")
        at += min(400 * MS << n, 120 * S)
    text = shown(made, at)
    assert "again, 14th" in text
    assert "nothing moves" not in text


def test_long_silence_is_one_line() -> None:
    made = established()
    made.send(2 * HOUR + 20 * MS, "client", ACK, 0, 1)
    assert "               ... 2 h, nothing moves ..." in shown(made, 2 * HOUR)


def test_cable_is_in_capitals_between_the_hosts() -> None:
    made = established()
    made.fault(30 * MS, CableOut(link="client-server", seen_by=("client",)))
    assert " 30.000 ms     ~~~ CABLE OUT, carrier lost at client ~~~" in shown(made, 40 * MS)


def test_fault_that_found_nothing_says_so() -> None:
    made = established()
    made.call("server", "close", "", 25 * MS, until=25 * MS)
    made.fault(30 * MS, Kill(process="server"), effect=False)
    assert "KILLED: SIGKILL (no effect)" in shown(made, 40 * MS)


def test_killed_process_waits_no_more() -> None:
    made = established()
    made.call("server", "recv", "100", 25 * MS)
    made.fault(30 * MS, Kill(process="server"))
    made.end(30 * MS, "server", "SIGKILL")
    text = shown(made, 40 * MS)
    assert text.count("SIGKILL") == 1
    assert "still waits" not in text


def test_call_that_never_returns_is_said_last() -> None:
    made = established()
    made.call("client", "recv", "4096", 25 * MS)
    assert shown(made, 24 * HOUR + 25 * MS).splitlines()[-2:] == [
        "            |    ... 24 h, nothing moves ...",
        "86400.025 s recv ... still waits when the run ends",
    ]
    assert shown(made, 24 * HOUR, forever=True).endswith("recv ... for ever")


def test_long_transfer_is_folded_with_its_count() -> None:
    made = established()
    for n in range(100):
        made.send(30 * MS + n, "client", PSH | ACK, 1 + 1448 * n, 1, bytes(1448))
    lines = shown(made, S).splitlines()
    assert len(lines) < 20
    (fold,) = [line for line in lines if "more segments" in line]
    hidden = 100 + 3 - sum("len 1448" in line for line in lines) - 3
    assert f"... {hidden} more segments, {hidden * 1448} bytes ..." in fold


def serving(made: Made, rounds: int, *, poll_ns: int = S) -> None:
    """Let the server look again and again, as ``serve_forever`` does."""
    for n in range(rounds):
        at = S + n * poll_ns
        made.call("server", "poll", "500", at, until=at + poll_ns // 2, result=[], fd=None)


def test_fold_of_calls_alone_counts_calls_and_no_segments() -> None:
    made = established()
    serving(made, 60)
    lines = shown(made, 62 * S).splitlines()
    assert lines[6:9] == [
        "   2.000 s                                                  poll(500) ...",
        "               ... 57 more calls ...                        |",
        "  59.000 s                                                  poll(500) ...",
    ]


def test_fold_counts_segments_and_calls_and_leaves_no_bar_of_a_call_that_is_over() -> None:
    made = established()
    made.call("client", "recv", "9", 25 * MS)
    serving(made, 8)
    made.send(3 * S, "client", ACK, 1, 1)
    made.send(4 * S, "client", PSH | ACK, 1, 1, b"x")
    made.call("client", "close", "", 20 * S, until=20 * S)
    assert shown(made, 20 * S).splitlines()[8:] == [
        "   2.500 s  |                                 poll -> nothing ready after 500 ms",
        "            |    ... 2 more segments, 1 byte, and 4 calls ...",
        "   7.000 s  |                                               poll(500) ...",
        "   7.500 s  |                                 poll -> nothing ready after 500 ms",
        "   8.000 s  |                                               poll(500) ...",
        "   8.500 s  |                                 poll -> nothing ready after 500 ms",
        "            |    ... 11.5 s, nothing moves ...",
        "  20.000 s  | close()",
        "            recv ... still waits when the run ends",
    ]


def test_fold_that_hides_where_a_call_begins_shows_from_then_on_that_it_waits() -> None:
    made = established()
    serving(made, 8)
    made.call("server", "recv", "9", 4200 * MS, until=30 * S, result=9)
    made.call("client", "close", "", 20 * S, until=20 * S)
    lines = shown(made, 30 * S).splitlines()
    assert "... 6 more calls ..." in lines[7]
    assert lines[-2:] == [
        "  20.000 s  close()                                         |",
        "  30.000 s                                          recv -> 9 bytes after 25.8 s",
    ]


def test_fold_that_has_no_room_is_said_in_two_lines() -> None:
    made = established()
    for _ in range(3):
        made.call("client", "recv", "9", 25 * MS)
    made.call("server", "recv", "9", 30 * MS)
    serving(made, 60)
    made.send(20 * S, "client", ACK, 1, 1)
    lines = shown(made, 62 * S).splitlines()
    at = next(number for number, line in enumerate(lines) if "more" in line)
    assert lines[at : at + 2] == [
        "            | | | ... 1 more segment, 0 bytes, and 56       |",
        "            | | |     calls ...                             |",
    ]


def test_polls_that_stand_in_one_line_are_all_counted_by_a_fold() -> None:
    made = Made()
    for n in range(20):
        for _ in range(3):
            made.call("client", "poll", "0", n * S, until=n * S, result=[], fd=None)
    (fold,) = [line for line in ladder(made.done(20 * S)) if "more" in line]
    assert fold.strip() == "... 36 more calls ..."


def test_two_threads_of_a_host_are_told_apart() -> None:
    made = established()
    for thread in ("reader", "writer"):
        made.call("client", "recv", "1", 30 * MS, thread=thread)
    text = shown(made, 40 * MS)
    assert "reader: recv(1) ..." in text
    assert "| writer: recv(1) ..." in text


def test_three_hosts_are_a_list() -> None:
    made = established()
    made.fault(30 * MS, PowerOff(host="router"))
    made.send(40 * MS, "client", PSH | ACK, 1, 1, b"x", lost="host off")
    assert shown(made, 50 * MS).splitlines()[-3:] == [
        " 30.000 ms  router  POWER OFF",
        " 40.000 ms  client  10.0.0.1:40000 > 10.0.0.2:80  PSH,ACK seq 1 ack 1 len 1 win",
        "                        64256  x lost: host off",
    ]


def test_empty_run_has_a_header_only() -> None:
    assert len(ladder(Made().done(0))) == 1


def test_what_a_program_writes_to_standard_error_is_shown_as_such() -> None:
    made = Made()
    made.prints("client", "out\n")
    made.prints("client", "one\n", stream=2)
    made.prints("client", "t", stream=2)
    made.prints("client", "wo\n", stream=2)
    assert ladder(made.done(S))[1:] == [
        "  0.000 ms  prints 'out'",
        "            prints to stderr 'one'",
        "            prints to stderr 'two'",
    ]


def test_what_is_too_long_is_cut_off_with_a_mark() -> None:
    made = Made()
    made.prints("client", 48 * "a" + "\n")
    made.prints("client", 49 * "b" + "\n")
    assert [line.strip() for line in ladder(made.done(S))[2:]] == [f"prints '{47 * 'b'}…'"]
    assert ladder(made.done(S))[1].endswith(f"prints '{48 * 'a'}'")


def traceback(said: str) -> str:
    return (
        f'Traceback (most recent call last):\n  File "/shop.py", line 7, in ask\n    f()\n{said}\n'
    )


def test_of_a_traceback_the_last_line_is_shown_and_not_that_of_the_processs_end() -> None:
    made = Made()
    made.prints("client", "Exception in thread Thread-1 (ask):\n", stream=2)
    for line in traceback("ValueError: too many").splitlines(keepends=True):
        made.prints("client", line, stream=2)
    made.call("client", "close", "", 0, until=0)
    made.prints("client", traceback("socket.gaierror: no\n"), stream=2)
    made.prints("client", traceback("server.Other: no"), stream=2)
    made.end(0, "client", "uncaught gaierror: no")
    made.prints("server", traceback("KeyError: 1"), stream=2)
    made.end(0, "server", "exit 0")
    assert [line.strip() for line in ladder(made.done(S))[1:]] == [
        "0.000 ms  prints to stderr 'Exception in thread Thread-1 (ask):'",
        "prints to stderr 'ValueError: too many'",
        "close()",
        "prints to stderr 'server.Other: no'",
        "uncaught gaierror: no",
        "prints to stderr 'KeyError: 1'",
        "exit 0",
    ]
