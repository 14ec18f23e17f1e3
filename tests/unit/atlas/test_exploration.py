"""An exploration for people, 80 columns wide, and for programs, by a schema."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from tests.unit.atlas.traces import Made

from halfopen.atlas.exploration_json import report_json, schema
from halfopen.atlas.finding import is_another, replay_lines, report_lines, run_lines
from halfopen.base.units import HOUR, MS, S
from halfopen.explore.advice import Advice
from halfopen.explore.points import KINDS, Point
from halfopen.explore.report import FaultCount, Finding, Report, Who
from halfopen.explore.request import Replay, Request
from halfopen.explore.verdict import Baseline, Crash, Outcome, Verdict
from halfopen.explore.worker import Replayed
from halfopen.record.faults import CableOut, Kill, PowerOff
from halfopen.world.process import Waiting

OFF = PowerOff(host="server")
POINT = Point(number=41, kind="after arrival", host="server", subject=9, t_ns=301_000)
WAITS = Waiting(
    host="client",
    process="ask",
    thread="main",
    where="client.py:31",
    line="reply = sock.recv(4096)",
    call="recv",
    what="data",
    since_ns=301_000,
    until_ns=None,
)
HANG = Outcome(verdict="hang", ended_ns=9 * S, waiting=(WAITS,))


def trace() -> str:
    made = Made()
    made.call("client", "recv", "4096", 0, process="ask", where="client.py:31")
    made.fault(1 * MS, OFF)
    return made.done(9 * S).dumps()


def finding(**changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "verdict": "hang",
        "waits": WAITS,
        "others": (),
        "crash": None,
        "fault": OFF,
        "outcome": HANG,
        "point": POINT,
        "where": "segment 9 has arrived at server",
        "faults": ((OFF, tuple(range(41, 58))), (CableOut(link="client-server"), (41,))),
        "token": "eJx" + 200 * "x",
        "trace": trace(),
        "advice": (
            Advice(means="settimeout", at_ns=10 * S, errno="timeout"),
            Advice(means="SO_KEEPALIVE", at_ns=None, errno=None),
        ),
    }
    return Finding(**(fields | changes))


def report(*findings: Finding, errors: tuple[str, ...] = ()) -> Report:
    return Report(
        target="client.py",
        points=212,
        kinds=dict.fromkeys(KINDS, 35) | {"call": 37},
        runs=424,
        faults=(
            FaultCount(fault=OFF, fired=212, points=212, verdicts={"hang": 17, "clean": 195}),
            FaultCount(fault=Kill(process="ask"), fired=212, points=212, verdicts={"clean": 212}),
            FaultCount(fault=CableOut(link="a-b"), fired=0, points=212, verdicts={}),
        ),
        verdicts={"hang": 17, "clean": 407},
        findings=findings,
        errors=errors,
        baseline=Baseline(places=(), waiting=(), crashes=(), ended_ns=0),
        horizon_ns=3 * HOUR,
    )


CRASH = Crash(
    host="client",
    process="ask",
    how="uncaught KeyError: 'x'",
    where="client.py:7",
    line="print(prices[name])",
)
OTHERS = {
    "crash": finding(
        verdict="crash",
        waits=None,
        crash=CRASH,
        outcome=Outcome(verdict="crash", ended_ns=9, crashes=(CRASH,)),
        advice=(),
    ),
    "wrong": finding(
        verdict="wrong",
        waits=None,
        outcome=Outcome(verdict="wrong", ended_ns=9, detail="whole: AssertionError (shop.py:3)"),
        advice=(),
    ),
    "broken": finding(
        verdict="broken",
        waits=None,
        outcome=Outcome(verdict="broken", ended_ns=9, detail="os.fork is not simulated"),
        trace="",
        advice=(),
    ),
    "stuck": finding(
        verdict="stuck",
        outcome=Outcome(verdict="stuck", ended_ns=9, waiting=(WAITS,), pending=("poll of other",)),
    ),
    "repeats": finding(
        outcome=Outcome(
            verdict="hang", ended_ns=9, waiting=(WAITS,), pending=("timer of a",), repeats=True
        ),
    ),
}


def test_counts_come_first_then_what_waits_what_helps_and_how_to_see_it_again() -> None:
    lines = report_lines(report(finding()), took_s=1.25)
    assert lines[:10] == [
        "212 points x 3 faults: 424 runs in 1.2 s: 17 hang, 407 clean (1 cause); 212",
        "times a fault found nothing to act on",
        "  points: 37 at a call's entry, 35 at its return, 35 before a departure, 35",
        "    after it, 35 before an arrival, 35 after it",
        "  power off: server: 212 of 212 fired; 17 hang, 195 clean",
        "  SIGKILL to ask: 212 of 212 fired; 212 clean",
        "  cable out: a-b: 0 of 212 fired",
        "",
        "hang  power off: server, segment 9 has arrived at server",
        "  client.py:31  reply = sock.recv(4096)         waits for ever",
    ]
    assert "  client:ask waits in recv for data since 301 µs" in lines
    assert "  nothing is pending: no timer, no probe, no unacknowledged data" in lines
    assert "  17 points of power off: server, 1 point of cable out: client-server; shown:" in lines
    assert any("POWER OFF" in line for line in lines)
    assert lines[-3:] == [
        "  would have been noticed: sock.settimeout(10): TimeoutError at 10 s",
        "  tried in vain: SO_KEEPALIVE with system defaults",
        f"  again: halfopen replay {finding().token}",
    ]


@pytest.mark.parametrize("case", [*OTHERS, "errors"])
def test_all_but_the_token_fits_80_columns(case: str) -> None:
    found = (OTHERS[case],) if case in OTHERS else (finding(),)
    long = "cable out: a-b: 0 of 212 fired, " * 4
    for line in report_lines(report(*found, errors=(long,)), took_s=1):
        assert len(line) <= 80 or line.startswith("  again: halfopen replay ")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("crash", "  client.py:7  print(prices[name])              crashes"),
        ("crash", "  client:ask  uncaught KeyError: 'x'"),
        ("wrong", "  whole: AssertionError (shop.py:3)"),
        ("broken", "  os.fork is not simulated"),
        ("stuck", "  still pending when the run was given up, at 0.009 µs: poll of other"),
        ("repeats", "  all that is pending only repeats itself: timer of a"),
    ],
)
def test_each_verdict_says_what_it_rests_on(case: str, said: str) -> None:
    assert said in report_lines(report(OTHERS[case]), took_s=1)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ((("client", "ask", "Thread-2"),), "and 1 more thread, at this point or another"),
        ((("two", "ask", "main"),), "and 1 more process, at this point or another"),
        (
            (
                ("client", "ask", "Thread-2"),
                ("client", "ask", "Thread-3"),
                ("two", "ask", "main"),
                ("two", "ask", "Thread-1"),
                ("two", "other", "main"),
            ),
            "and 2 more threads and 2 more processes, at this point or another",
        ),
    ],
)
def test_others_at_the_same_line_are_counted(others: tuple[Who, ...], said: str) -> None:
    lines = report_lines(report(finding(others=others)), took_s=1)
    assert lines[lines.index("  client:ask waits in recv for data since 301 µs") + 1] == f"  {said}"
    shown = OTHERS["crash"]
    assert f"  {said}" in report_lines(report(replace(shown, others=others)), took_s=1)
    assert not any("more" in line for line in report_lines(report(finding()), took_s=1))


def test_a_task_that_waits_is_named_and_a_timeout_around_its_await_is_left_to_the_reader() -> None:
    waits = replace(WAITS, call="epoll_wait", task="Task-4")
    shown = finding(waits=waits, advice=(Advice(means="SO_KEEPALIVE", at_ns=S, errno=None),))
    lines = report_lines(report(shown), took_s=1)
    assert "  client:ask/Task-4 waits in epoll_wait for data since 301 µs" in lines
    assert lines[-3:-1] == [
        "  would have been noticed: SO_KEEPALIVE with system defaults: it returns at 1 s",
        "  not tried: asyncio.timeout(10) around the await",
    ]
    whole = document(shown)
    validate(whole)
    assert whole["findings"][0]["waits"]["task"] == "Task-4"
    assert document(finding())["findings"][0]["waits"]["task"] is None


@pytest.mark.parametrize(
    ("classes", "hinted"),
    [
        (("ConnectionResetError", "ConnectionError", "OSError", "Exception"), True),
        (("KeyError", "LookupError", "Exception"), False),
    ],
)
def test_ordinary_errors_bring_a_hint_that_they_can_be_expected(
    classes: tuple[str, ...], *, hinted: bool
) -> None:
    shown = finding(verdict="crash", waits=None, crash=replace(CRASH, classes=classes), advice=())
    lines = report_lines(report(shown), took_s=1)
    hint = "  errors that your programs may end by: --expect OSError"
    assert (hint in lines[: lines.index("")]) is hinted


def test_a_clean_report_says_that_every_fault_fired() -> None:
    assert report_lines(report(), took_s=1)[-1].startswith("Every fault fired")
    assert report_lines(report(errors=("x",)), took_s=1)[-1] == "error: x"


def test_a_replay_says_whether_it_is_the_run_that_the_token_names() -> None:
    asked = Replay(request=Request(target="client.py"), point=41, fault=OFF, digest="d1")
    same = Replayed(outcome=HANG, point=POINT, trace=trace(), digest="d1")
    other = Replayed(outcome=HANG, point=POINT, trace=trace(), digest="d2")
    assert (is_another(same, asked), is_another(other, asked)) == (False, True)
    assert not any("not the run" in line for line in replay_lines(same, asked, "eJx"))
    lines = replay_lines(other, asked, "eJx")
    assert any(line.startswith("This is not the run") for line in lines)
    assert lines[-1] == "again: halfopen replay eJx"


@pytest.mark.parametrize(
    ("call", "crashed", "well"),
    [("accept", False, True), ("recv", False, False), ("accept", True, False)],
)
def test_a_run_is_as_expected_where_servers_wait_for_work_and_nobody_crashed(
    call: str, *, crashed: bool, well: bool
) -> None:
    made = Made()
    made.call("client", call, "", 0, process="ask")
    if crashed:
        made.end(1, "client", "uncaught KeyError", process="x")
    run = Replayed(
        outcome=Outcome(verdict="clean", ended_ns=1),
        point=None,
        trace=made.done(9).dumps(),
        digest="",
        crashes=(CRASH,) if crashed else (),
        waiting=(replace(WAITS, call=call, what="a connection"),),
    )
    lines, as_expected = run_lines(run)
    rest = "At rest since 0.009 µs; 1 thread waits for work:"
    stuck = "The world can never move again at 0.009 µs, and 1 thread waits:"
    assert (rest in lines, stuck in lines) == (call == "accept", call != "accept")
    if crashed:
        head = lines.index("1 program crashed:")
        assert lines[head - 1] == ""
        assert lines[head + 1].startswith("  client.py:7  ")
    assert as_expected is well
    assert any(f"  {call}()" in line for line in lines)
    assert ("  client:ask  uncaught KeyError: 'x'" in lines) is crashed
    assert any(line.startswith("  client.py:7  print(prices[name])") for line in lines) is crashed


@pytest.mark.parametrize(
    ("tasks", "head", "well"),
    [
        (("a connection",), "At rest since 0.009 µs; 1 task waits for work:", True),
        (("a connection", "an event"), "At rest since 0.009 µs; 2 tasks wait for work:", True),
        (("data",), "The world can never move again at 0.009 µs, and 1 task waits:", False),
        (
            ("a connection", "room"),
            "The world can never move again at 0.009 µs, and 2 tasks wait:",
            False,
        ),
    ],
)
def test_tasks_stand_in_place_of_the_poll_of_their_loop(
    tasks: tuple[str, ...], head: str, *, well: bool
) -> None:
    made = Made()
    made.call("server", "epoll_wait", "-1, 2", 0)
    polls = replace(WAITS, host="server", process="server", call="epoll_wait")
    waits = [replace(polls, task="T", what=what) for what in tasks]
    run = Replayed(
        outcome=Outcome(verdict="clean", ended_ns=1),
        point=None,
        trace=made.done(9).dumps(),
        digest="",
        waiting=tuple(waits),
    )
    lines, as_expected = run_lines(run)
    assert lines[lines.index(head) + 1 :] == [
        f"  server:server/T  client.py:31  reply = sock.recv(4096)  for {what}" for what in tasks
    ]
    assert as_expected is well


def test_threads_and_tasks_are_counted_apart() -> None:
    made = Made()
    made.call("server", "epoll_wait", "-1, 2", 0)
    made.call("client", "accept", "", 0)
    accepts = replace(WAITS, call="accept", process="client", what="a connection")
    task = replace(accepts, host="server", process="server", call="epoll_wait", task="T")
    run = Replayed(
        outcome=Outcome(verdict="clean", ended_ns=1),
        point=None,
        trace=made.done(9).dumps(),
        digest="",
        waiting=(accepts, task),
    )
    lines, as_expected = run_lines(run)
    assert "At rest since 0.009 µs; 1 thread and 1 task wait for work:" in lines
    assert as_expected


DOOR = replace(WAITS, call="accept", what="a connection")
LOCKED = replace(WAITS, thread="two", call="acquire", what="a lock", line="lock.acquire()")


def ran(*waiting: Waiting, verdict: Verdict = "clean", moves: bool = False) -> Replayed:
    """A run in which one thread is in a call, and who waits is said."""
    made = Made()
    made.call("client", "accept", "", 0, process="ask")
    outcome = Outcome(verdict=verdict, ended_ns=9, detail="one recv after another at client.py:3")
    trace = made.done(9 * S).dumps()
    return Replayed(
        outcome=outcome, point=None, trace=trace, digest="", waiting=waiting, moves=moves
    )


def test_a_thread_that_waits_for_a_lock_is_counted_shown_and_drawn() -> None:
    lines, as_expected = run_lines(ran(DOOR, LOCKED))
    head = lines.index("The world can never move again at 9 s, and 2 threads wait:")
    assert lines[head + 1 :] == [
        "  client:ask  in a library  accept()  since 0 µs",
        "  client:ask/two  client.py:31  lock.acquire()  for a lock since 301 µs",
    ]
    drawn = lines[:head]
    assert "  0.301 ms  | two: acquire() ..." in drawn
    assert "            two: acquire ... still waits when the run ends" in drawn
    assert not as_expected


@pytest.mark.parametrize(
    ("waiting", "well"),
    [
        ((replace(LOCKED, what="an item"),), False),
        ((replace(LOCKED, what="an item"), DOOR), True),
        ((replace(LOCKED, what="an item", process="other"), DOOR), False),
        ((replace(LOCKED, what="a thread's end"), DOOR), True),
        ((replace(LOCKED, until_ns=10 * S),), True),
        ((replace(LOCKED, call="sleep", what="time", until_ns=10 * S),), True),
        ((LOCKED, DOOR), False),
        ((WAITS, DOOR), False),
    ],
)
def test_a_thread_is_idle_where_another_of_its_process_lets_work_in(
    waiting: tuple[Waiting, ...], *, well: bool
) -> None:
    assert run_lines(ran(*waiting))[1] is well


def test_a_run_that_was_given_up_is_not_said_to_be_at_rest() -> None:
    lines, as_expected = run_lines(ran(DOOR, moves=True))
    assert "The run was given up at 9 s, with more to come, and 1 thread waits:" in lines
    assert as_expected


def test_a_run_that_spins_says_so_and_draws_its_beginning_and_its_end() -> None:
    made = Made()
    for _ in range(1000):
        made.call("client", "recv", "10", S, until=S, errno="EAGAIN", process="ask")
    made.call("client", "recv", "10", S, process="ask")
    detail = "one recv after another at client.py:3"
    outcome = Outcome(verdict="spin", ended_ns=S, detail=detail)
    trace = made.done(S).dumps()
    lines, as_expected = run_lines(spun(outcome, trace))
    assert f"The run spins: {detail}" in lines
    assert "            ... 968 lines ..." in lines
    assert len(lines) == 36
    assert not any("still waits" in line for line in lines)
    assert not as_expected
    waits = replace(LOCKED, host="server")
    lines, _ = run_lines(spun(outcome, trace, waits))
    assert lines[-2] == "Meanwhile 1 thread waits:"


def spun(outcome: Outcome, trace: str, *waiting: Waiting) -> Replayed:
    return Replayed(outcome=outcome, point=None, trace=trace, digest="", waiting=waiting)


def test_a_run_says_which_check_fails() -> None:
    lines, as_expected = run_lines(replace(ran(DOOR), wrong="whole: AssertionError (shop.py:3)"))
    assert lines[-2:] == ["", "A check fails: whole: AssertionError (shop.py:3)"]
    assert not as_expected


def test_no_fault_is_counted_where_the_undisturbed_run_spins() -> None:
    spins = replace(report(errors=("the undisturbed run itself spins: x",)), spins=True)
    assert report_lines(spins, took_s=1) == ["error: the undisturbed run itself spins: x"]


def validate(what: object) -> None:
    Draft202012Validator(json.loads(schema())).validate(what)


def document(*findings: Finding) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(report_json(report(*findings, errors=("x",)))))
    return found


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema()))


def test_documents_keep_the_schema() -> None:
    whole = document(finding(others=(("two", "ask", "main"),)), *OTHERS.values())
    validate(whole)
    assert [each["verdict"] for each in whole["findings"]] == [
        "hang", "crash", "wrong", "broken", "stuck", "hang",
    ]  # fmt: skip
    first = whole["findings"][0]
    assert first["waits"]["where"] == "client.py:31"
    assert first["others"] == [{"host": "two", "process": "ask", "thread": "main"}]
    assert whole["findings"][1]["crash"] == {
        "host": "client",
        "process": "ask",
        "where": "client.py:7",
        "line": "print(prices[name])",
        "how": "uncaught KeyError: 'x'",
    }
    assert first["advice"][0] == {
        "means": "settimeout",
        "noticed_ns": 10 * S,
        "errno": "timeout",
    }
    assert first["faults"][1] == {
        "kind": "CableOut",
        "fault": "cable out: client-server",
        "points": [41],
    }
    assert whole["faults"][2]["fired"] == 0
    assert whole["clean"] is False


@pytest.mark.parametrize("name", ["verdict", "waits", "token", "advice", "faults"])
def test_schema_refuses_a_finding_without(name: str) -> None:
    whole = deepcopy(document(finding()))
    del whole["findings"][0][name]
    with pytest.raises(ValidationError):
        validate(whole)
