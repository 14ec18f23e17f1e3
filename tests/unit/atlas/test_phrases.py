"""Calls and times in words."""

import struct
from typing import Final

import pytest
from tests.unit.atlas.traces import Made

from halfopen.atlas.outcome import outcome
from halfopen.atlas.phrases import show_args, show_instant, show_result
from halfopen.base.units import HOUR, MS, S
from halfopen.record.events import Json
from halfopen.record.faults import Kill, PowerOff


def _timeval(seconds: int, us: int) -> Json:
    return {"len": 16, "head": struct.pack("=2q", seconds, us).decode("latin-1")}


def _listener(waiting: int, backlog: int) -> Json:
    """TCP_INFO of a listener, as far as its queue."""
    raw = b"\x0a" + bytes(23) + struct.pack("=2I", waiting, backlog)
    return {"len": 32, "head": raw.decode("latin-1")}


_DATA: Final[Json] = {"len": 1448, "head": "x"}
_ENTRY4: Final[Json] = [2, 1, 6, "", ["1.2.3.4", 80]]
_ENTRY6: Final[Json] = [10, 1, 6, "", ["::5", 80, 0, 0]]
_MANY: Final[Json] = [[2, 1, 6, "", [f"1.0.0.{last}", 0]] for last in range(5)]


@pytest.mark.parametrize(
    ("call", "args", "result", "errno", "said"),
    [
        ("connect", "10.0.0.2:80", None, None, "ok"),
        ("connect", "10.0.0.2:80", None, "ECONNREFUSED", "ECONNREFUSED"),
        ("recv", "100", {"len": 0, "head": ""}, None, 'b""'),
        ("recv", "100", {"len": 5, "head": "hello"}, None, 'b"hello"'),
        ("recv", "9000", {"len": 1448, "head": "x" * 32}, None, "1448 bytes"),
        ("recv_into", "...", 5, None, "5 bytes"),
        ("sendall", "b'x'", None, None, "ok"),
        ("_accept", "", {"fd": 4, "peer": ["10.0.0.1", 4000]}, None, "10.0.0.1:4000"),
        ("getsockname", "", ["10.0.0.1", 4000], None, "10.0.0.1:4000"),
        ("getsockname", "", ["::1", 80, 0, 0], None, "[::1]:80"),
        ("recvfrom", "9", [{"len": 1, "head": "x"}, ["::1", 80, 0, 0]], None, 'b"x" from [::1]:80'),
        ("getsockopt", "1, 4", 111, None, "ECONNREFUSED"),
        ("getsockopt", "1, 4", 0, None, "0"),
        ("connect_ex", "10.0.0.2:80", 115, None, "EINPROGRESS"),
        ("connect_ex", "10.0.0.2:80", 0, None, "ok"),
        ("getsockopt", "1, 8", 131072, None, "131072"),
        ("getsockopt", "1, 20, 16", _timeval(1, 500_000), None, "1.5 s"),
        ("getsockopt", "1, 20, 8", {"len": 8, "head": "x" * 8}, None, 'b"xxxxxxxx"'),
        ("getsockopt", "6, 11, 1", {"len": 1, "head": "\x08"}, None, "CLOSE_WAIT"),
        ("getsockopt", "6, 11, 1", {"len": 1, "head": "\x0a"}, None, "LISTEN"),
        ("getsockopt", "6, 11, 32", _listener(2, 1), None, "LISTEN 2/1"),
        ("getsockopt", "6, 11, 0", {"len": 0, "head": ""}, None, 'b""'),
        ("connect", "10.0.0.2:80", None, "ENOTSUP", "EOPNOTSUPP"),
        ("recvfrom", "9", [{"len": 1, "head": "x"}, None], None, 'b"x"'),
        ("recvmsg", "9", [{"len": 1, "head": "x"}, [], 32, ["::1", 80]], None, 'b"x"'),
        ("socketpair", "", [3, 4], None, "[3, 4]"),
        ("getaddrinfo", "'a', 80", [_ENTRY4, _ENTRY6, _ENTRY4], None, "1.2.3.4:80, [::5]:80"),
        ("getaddrinfo", "'a', None", [[2, 1, 6, "", ["1.2.3.4", 0]]], None, "1.2.3.4"),
        ("getaddrinfo", "'a', None", _MANY, None, "1.0.0.0, 1.0.0.1, 1.0.0.2, and 2 more"),
        ("getaddrinfo", "'a', None", None, "EAI_NONAME", "EAI_NONAME"),
        ("gethostbyname", "'a'", "1.2.3.4", None, "1.2.3.4"),
        ("gethostbyaddr", "'1.2.3.4'", ["a", ["b"], ["1.2.3.4"]], None, "a, 1.2.3.4"),
        ("getnameinfo", "1.2.3.4:80, 0", ["a", "http"], None, "a, http"),
        ("poll", "5000", [[3, 17]], None, "IN|HUP"),
        ("poll", "5000", [[3, 32]], None, "NVAL"),
        ("poll", "5000", [], None, "nothing ready"),
        ("select", "...", [[3], [], []], None, "1 ready, 0 ready, 0 ready"),
    ],
)
def test_results(call: str, args: str, result: Json, errno: str | None, said: str) -> None:
    assert show_result(call, args, result, errno) == said


def test_options_have_names() -> None:
    assert show_args("setsockopt", "6, 1, 1") == "TCP_NODELAY, 1"
    assert show_args("setsockopt", "6, 99, 1") == "6, 99, 1"
    assert show_args("recv", "6, 1") == "6, 1"


def test_instants() -> None:
    assert show_instant(0) == "0.000 ms"
    assert show_instant(1_234_567) == "1.235 ms"
    assert show_instant(2 * HOUR) == "7200.000 s"


class TestOutcome:
    def test_is_what_the_connecting_program_was_told(self) -> None:
        made = Made()
        made.call("server", "accept", "", 0)
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        made.call("client", "recv", "1", 20 * MS, until=S, errno="ECONNRESET")
        assert outcome(made.done(S)) == "recv -> ECONNRESET after 980 ms"

    def test_is_what_a_lookup_gave_beside_a_server_that_waits(self) -> None:
        made = Made()
        made.call("server", "select", "[3], [], []", 0)
        made.call("client", "gethostbyname", "'a'", 0, until=25 * MS, result="1.2.3.4")
        assert outcome(made.done(S)) == "gethostbyname -> 1.2.3.4 after 25 ms"

    def test_is_what_a_row_is_about_where_it_says_so(self) -> None:
        made = Made()
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        made.call("server", "recv", "9000", 30 * MS, until=30 * MS, result=_DATA)
        for _ in range(4):
            made.call("server", "recv", "9000", 30 * MS, until=30 * MS, errno="EAGAIN")
            made.call("other", "recv", "9000", 30 * MS, until=30 * MS, errno="EAGAIN")
        made.call("client", "close", "", 40 * MS, until=S)
        made.call("server", "accept", "", 50 * MS)
        trace = made.done(S)
        both = (("client", "close"), ("server", "recv"))
        assert outcome(trace, both) == (
            "client: close -> ok after 960 ms; server: recv -> 1448 bytes, EAGAIN"
        )
        assert outcome(trace, both[:1]) == "close -> ok after 960 ms"
        assert outcome(trace, [("other", "recv")]) == "recv -> EAGAIN, EAGAIN, EAGAIN, EAGAIN"
        assert outcome(trace, [("server", "accept")]) == "accept -> waits on"
        assert outcome(trace, [("server", "poll")]) == "connect -> ok after 20 ms"

    def test_names_an_option_that_was_asked_for(self) -> None:
        made = Made()
        made.call("client", "getsockopt", "1, 8", 0, until=0, result=131072)
        made.call("client", "getsockopt", "1, 32", 0, until=0, errno="ENOPROTOOPT")
        made.call("client", "getsockopt", "1, 99", 0, until=0, errno="ENOPROTOOPT")
        trace = made.done(S)
        assert outcome(trace, [("client", "SO_RCVBUF")]) == "SO_RCVBUF -> 131072"
        assert outcome(trace) == ("SO_SNDBUFFORCE -> ENOPROTOOPT, then getsockopt -> ENOPROTOOPT")

    def test_is_what_a_program_printed_where_a_row_says_so(self) -> None:
        made = Made()
        made.call("client", "getsockopt", "1, 8", 0, until=0, result=131072)
        for text in ("tcp: 6\nu", "dp: 17\n", "tcp: 6\n"):
            made.prints("client", text)
        made.prints("server", "tcp: 7\n")
        tells = [("client", "prints tcp"), ("client", "prints udp"), ("client", "SO_RCVBUF")]
        assert outcome(made.done(S), tells) == "tcp: 6; udp: 17; SO_RCVBUF -> 131072"

    def test_leaves_out_most_of_what_changes_all_the_time(self) -> None:
        made = Made()
        for size in range(1000, 1007):
            made.call("client", "send", "", 0, until=0, result=size)
        assert outcome(made.done(S), [("client", "send")]) == (
            "send -> 1000 bytes, 1001 bytes, 1002 bytes, 1003 bytes, and 3 more"
        )

    def test_names_a_program_once_for_all_that_it_was_told(self) -> None:
        made = Made()
        made.call("server", "bind", "", 0, until=0)
        made.call("server", "listen", "", 0, until=0)
        made.call("client", "connect", "", 0, until=0)
        tells = [("server", "bind"), ("server", "listen"), ("client", "connect")]
        assert outcome(made.done(S), tells) == (
            "server: bind -> ok; listen -> ok; client: connect -> ok"
        )

    def test_is_its_last_call_where_no_error_came(self) -> None:
        made = Made()
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        made.call("client", "recv", "1", 20 * MS, until=S, result={"len": 0, "head": ""})
        assert outcome(made.done(S)) == 'recv -> b"" after 980 ms'

    def test_says_that_a_call_never_returned(self) -> None:
        made = Made()
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        made.call("client", "recv", "1", 20 * MS)
        assert outcome(made.done(S)) == "recv waits on"

    def test_counts_so_error_as_an_error(self) -> None:
        made = Made()
        made.call("client", "connect_ex", "10.0.0.2:80", 0, until=0, result=115)
        made.call("client", "getsockopt", "1, 4", 9, until=9, result=111)
        assert outcome(made.done(S)) == "connect_ex -> EINPROGRESS, then SO_ERROR -> ECONNREFUSED"

    def test_does_not_take_a_kernels_own_time_for_waiting(self) -> None:
        made = Made()
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        made.call("client", "recv", "1", 20 * MS, until=20 * MS + 70_000, errno="ECONNRESET")
        assert outcome(made.done(S)) == "recv -> ECONNRESET"

    def test_leaves_out_whom_a_fault_ended(self) -> None:
        made = Made()
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        made.call("client", "recv", "1", 20 * MS)
        made.call("server", "recv", "1", 20 * MS, until=S, errno="ECONNRESET")
        made.fault(30 * MS, Kill(process="client"))
        assert outcome(made.done(S)) == "recv -> ECONNRESET after 980 ms"
        made.fault(40 * MS, PowerOff(host="server"))
        assert outcome(made.done(S)) == "no call is left to tell"

    def test_tells_what_a_look_saw_first_where_it_saw_something_else_later(self) -> None:
        made = Made()
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        seen: list[tuple[int, Json]] = [(20, [[3, 1]]), (50, [[3, 1]]), (70, [])]
        for at, result in seen:
            made.call("client", "epoll_wait", "", at * MS, until=(at + 10) * MS, result=result)
        assert outcome(made.done(S)) == (
            "epoll_wait -> IN after 10 ms, then epoll_wait -> nothing ready after 10 ms"
        )

    def test_is_told_by_sigpipe_too(self) -> None:
        made = Made()
        made.call("client", "connect", "10.0.0.2:80", 0, until=20 * MS)
        made.call("client", "send", "b'x'", 20 * MS, until=20 * MS, errno="ECONNRESET")
        made.call("client", "send", "b'y'", 30 * MS)
        made.call("server", "recv", "1", 20 * MS, until=S, result={"len": 0, "head": ""})
        made.end(30 * MS, "client", "SIGPIPE")
        assert outcome(made.done(S)) == "send -> ECONNRESET, then send -> killed: SIGPIPE"
