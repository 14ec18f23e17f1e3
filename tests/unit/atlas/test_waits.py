"""A trace that says who waits, as the world knows it."""

from tests.unit.atlas.traces import Made

from halfopen.atlas.waits import open_calls, with_waits, without_running
from halfopen.record.events import CallEntry
from halfopen.record.trace import Trace
from halfopen.world.process import Waiting


def waits(process: str, thread: str = "main", since_ns: int = 5) -> Waiting:
    return Waiting(
        host="client",
        process=process,
        thread=thread,
        where="client.py:9",
        line="lock.acquire()",
        call="acquire",
        what="a lock",
        since_ns=since_ns,
        until_ns=None,
    )


def trace() -> Trace:
    made = Made()
    made.call("client", "recv", "1", 1, until=4, process="ask")
    made.call("client", "recv", "2", 4, process="ask")
    made.call("client", "recv", "3", 4, process="gone")
    made.end(7, "client", "exit 0", process="gone")
    return made.done(9)


def shown(told: Trace) -> list[tuple[int, str, str]]:
    return [(e.t_ns, e.call, e.args) for e in told.events if isinstance(e, CallEntry)]


def test_open_calls_are_those_of_programs_that_go_on() -> None:
    assert [call.args for call in open_calls(trace())] == ["2"]


def test_a_wait_that_the_trace_lacks_is_put_in_at_its_instant() -> None:
    told = with_waits(trace(), (waits("ask"), waits("ask", "two"), waits("ask", "three", 8)))
    assert shown(told)[3:] == [(5, "acquire", ""), (8, "acquire", "")]
    instants = [event.t_ns for event in told.events]
    assert instants == sorted(instants)
    assert told.ended_ns == 9
    assert [call.thread for call in open_calls(told)] == ["main", "two", "three"]


def test_a_call_is_left_out_whose_thread_runs_but_no_call_of_a_program_that_ended() -> None:
    assert shown(without_running(trace(), ())) == [(1, "recv", "1"), (4, "recv", "3")]
    assert shown(without_running(trace(), (waits("ask"),))) == shown(trace())
