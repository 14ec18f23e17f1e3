"""The report: numbers first, one cause once, and never silent about a fault that did not fire."""

from collections.abc import Sequence
from dataclasses import replace

from halfopen.explore.advice import Advice
from halfopen.explore.points import AFTER_ARRIVAL, AFTER_DEPARTURE, CALL, RETURN, Point
from halfopen.explore.report import Report, Tally, make_report
from halfopen.explore.request import Replay, Request, read_token
from halfopen.explore.verdict import Baseline, Crash, Disturbed, Outcome
from halfopen.explore.worker import Replayed, Undisturbed
from halfopen.record.events import CallEntry, CallReturn, PacketSent
from halfopen.record.faults import CableOut, Fault, Kill, PowerOff
from halfopen.record.trace import Trace
from halfopen.world.process import Waiting

KILL = Kill(process="server")
OFF = PowerOff(host="server")
CABLE = CableOut(link="client-server")
REQUEST = Request(target="client.py:world")


def waits(line: int, since: int) -> Waiting:
    return Waiting(
        host="client",
        process="client",
        thread="MainThread",
        where=f"client.py:{line}",
        line="reply = sock.recv(4096)",
        call="recv",
        what="data",
        since_ns=since,
        until_ns=None,
    )


def undisturbed(
    *, points: int = 4, crashes: tuple[Crash, ...] = (), wrong: str = ""
) -> Undisturbed:
    trace = Trace({})
    trace.add(PacketSent(t_ns=1, packet_id=trace.next_id(), host="a", link="l", raw=b""))
    trace.add(
        CallEntry(
            t_ns=2,
            call_id=trace.next_id(),
            host="client",
            process="client",
            thread="MainThread",
            call="recv",
            fd=3,
            args="",
            where="client.py:9",
        )
    )
    trace.add(PacketSent(t_ns=3, packet_id=trace.next_id(), host="b", link="l", raw=b""))
    return Undisturbed(
        points=tuple(
            Point(number=n, kind=AFTER_ARRIVAL, host="server", subject=3, t_ns=n)
            if n % 2
            else Point(number=n, kind=CALL, host="client", subject=2, t_ns=n)
            for n in range(1, points + 1)
        ),
        faults=(KILL, OFF, CABLE),
        baseline=Baseline(places=(), waiting=(), crashes=crashes, ended_ns=9, wrong=wrong),
        trace=trace.dumps(),
        spun="",
    )


def hang(line: int, since: int) -> Outcome:
    return Outcome(verdict="hang", ended_ns=99, waiting=(waits(line, since),))


CLEAN = Outcome(verdict="clean", ended_ns=10)


def replay(asked: Sequence[Replay]) -> list[Replayed]:
    """Play what was asked for: a client that waits in ``recv``, unless a timeout helps it."""
    return [Replayed(outcome=CLEAN, point=None, trace=replayed(r), digest="d1") for r in asked]


def replayed(asked: Replay) -> str:
    trace = Trace({})
    trace.add(
        CallEntry(
            t_ns=5,
            call_id=trace.next_id(),
            host="client",
            process="client",
            thread="MainThread",
            call="recv",
            fd=3,
            args="4096",
            where="client.py:31",
        )
    )
    if asked.remedy is not None and asked.remedy.means == "settimeout":
        trace.add(CallReturn(t_ns=15, call_id=asked.remedy.call_id, result=None, errno="timeout"))
    return trace.dumps()


def report_of(*runs: tuple[int, Fault, Outcome], first: Undisturbed | None = None) -> Report:
    tally = Tally(undisturbed=first or undisturbed())
    tally.disturbed.extend(Disturbed(point=p, fault=f, outcome=o) for p, f, o in runs)
    return make_report(REQUEST, tally, replay)


def test_runs_with_one_cause_are_one_finding_whatever_the_fault() -> None:
    report = report_of(
        (3, OFF, hang(31, 7)),
        (2, OFF, hang(31, 5)),
        (1, OFF, CLEAN),
        (1, KILL, CLEAN),
        (2, CABLE, hang(31, 5)),
    )
    (found,) = report.findings
    assert found.faults == ((OFF, (2, 3)), (CABLE, (2,)))
    assert found.waits == waits(31, 5)
    assert (found.fault, found.point.number) == (OFF, 2)
    assert found.where == "client calls recv, client.py:9"
    assert found.trace == replayed(Replay(request=REQUEST, point=2, fault=OFF))
    assert read_token(found.token) == Replay(request=REQUEST, point=2, fault=OFF, digest="d1")
    assert report.verdicts == {"hang": 3, "clean": 2}
    assert (report.points, report.runs) == (4, 5)
    assert (report.kinds[AFTER_ARRIVAL], report.kinds[CALL], report.kinds[RETURN]) == (2, 2, 0)
    assert [(c.fired, c.points, c.verdicts) for c in report.faults] == [
        (1, 4, {"clean": 1}),
        (3, 4, {"hang": 2, "clean": 1}),
        (1, 4, {"hang": 1}),
    ]
    assert not report.clean


def test_every_remedy_is_tried_at_the_call_that_waits() -> None:
    (found,) = report_of((1, OFF, hang(31, 5))).findings
    assert found.advice == (
        Advice(means="settimeout", at_ns=15, errno="timeout"),
        Advice(means="SO_KEEPALIVE", at_ns=None, errno=None),
    )


def test_a_thread_that_waits_in_no_call_gets_no_advice() -> None:
    lock = replace(waits(31, 5), call="acquire", what="a lock")
    (found,) = report_of((1, OFF, Outcome(verdict="hang", ended_ns=9, waiting=(lock,)))).findings
    assert found.advice == ()


def test_two_threads_that_wait_are_two_findings_told_by_the_runs_that_show_them_best() -> None:
    both = Outcome(verdict="hang", ended_ns=9, waiting=(waits(31, 5), waits(40, 5)))
    report = report_of((1, CABLE, both), (3, OFF, hang(40, 5)))
    assert [(f.waits, f.point.number, f.faults) for f in report.findings] == [
        (waits(31, 5), 1, ((CABLE, (1,)),)),
        (waits(40, 5), 3, ((CABLE, (1,)), (OFF, (3,)))),
    ]
    assert report.verdicts == {"hang": 2}


def test_threads_and_processes_that_wait_at_one_line_are_one_finding() -> None:
    """A worker of a pool, or the same program on another host: the line is to be mended once."""
    worker = replace(waits(31, 6), thread="Thread-2", since_ns=6)
    abroad = replace(waits(31, 4), host="other", what="room")
    both = Outcome(verdict="hang", ended_ns=9, waiting=(waits(31, 5), worker))
    alone = Outcome(verdict="hang", ended_ns=9, waiting=(abroad,))
    (found,) = report_of((1, OFF, both), (3, CABLE, alone), (4, CABLE, both)).findings
    assert found.waits == abroad
    assert found.others == (
        ("client", "client", "MainThread"),
        ("client", "client", "Thread-2"),
    )
    assert found.faults == ((OFF, (1,)), (CABLE, (3, 4)))


def test_another_call_at_the_line_is_another_finding() -> None:
    asks = replace(waits(31, 5), call="connect", what="an answer")
    report = report_of(
        (1, OFF, Outcome(verdict="hang", ended_ns=9, waiting=(asks,))), (2, OFF, hang(31, 5))
    )
    assert [f.waits.call for f in report.findings if f.waits] == ["connect", "recv"]


def test_waits_of_which_no_line_is_known_are_told_by_who_waits() -> None:
    one = replace(waits(0, 0), where="", line="", own=False)
    two = replace(one, thread="Thread-2")
    both = Outcome(verdict="hang", ended_ns=9, waiting=(one, two))
    assert [f.waits for f in report_of((1, OFF, both)).findings] == [one, two]


def test_crashes_at_one_line_are_one_finding_whoever_crashed() -> None:
    def crash(host: str, line: int) -> Outcome:
        found = Crash(
            host=host,
            process="ask",
            how="uncaught OSError: no",
            where=f"c.py:{line}",
            line="recv()",
        )
        return Outcome(verdict="crash", ended_ns=9, crashes=(found,))

    report = report_of((1, OFF, crash("a", 7)), (2, OFF, crash("b", 7)), (3, OFF, crash("a", 8)))
    assert [(f.crash.where if f.crash else "", f.others) for f in report.findings] == [
        ("c.py:7", (("b", "ask", ""),)),
        ("c.py:8", ()),
    ]


def test_who_waits_where_nothing_was_sent_comes_last() -> None:
    """As a server does for whoever was killed before it called: every server has that."""
    first = undisturbed(points=6)
    points = tuple(
        replace(point, kind=AFTER_DEPARTURE) if point.number == 3 else point
        for point in first.points
    )
    crash = Outcome(
        verdict="crash",
        ended_ns=9,
        crashes=(Crash(host="client", process="client", how="uncaught OSError: no"),),
    )
    report = report_of(
        (2, KILL, hang(12, 0)),
        (3, OFF, hang(31, 7)),
        (4, CABLE, crash),
        first=replace(first, points=points),
    )
    assert [(f.verdict, f.point.number) for f in report.findings] == [
        ("hang", 3),
        ("crash", 4),
        ("hang", 2),
    ]


def test_a_pool_s_idle_thread_is_no_finding_where_the_program_waits_itself() -> None:
    idle = replace(waits(0, 0), where="threading.py:327", call="acquire", own=False)
    both = Outcome(verdict="hang", ended_ns=9, waiting=(idle, waits(31, 5)))
    assert [f.waits for f in report_of((1, OFF, both)).findings] == [waits(31, 5)]
    alone = Outcome(verdict="hang", ended_ns=9, waiting=(idle,))
    assert [f.waits for f in report_of((1, OFF, alone)).findings] == [idle]


def test_a_crash_is_told_by_its_class_whatever_its_words() -> None:
    def crash(how: str) -> Outcome:
        crashes = (Crash(host="client", process="client", how=f"uncaught {how}"),)
        return Outcome(verdict="crash", ended_ns=9, crashes=crashes)

    report = report_of(
        (1, OFF, crash("KeyError: 1")), (2, OFF, crash("KeyError: 2")), (3, OFF, crash("OSError"))
    )
    assert [(f.crash.how if f.crash else "", f.faults) for f in report.findings] == [
        ("uncaught KeyError: 1", ((OFF, (1, 2)),)),
        ("uncaught OSError", ((OFF, (3,)),)),
    ]


def test_another_line_is_another_finding() -> None:
    report = report_of((1, OFF, hang(31, 7)), (2, OFF, hang(40, 7)), (3, KILL, CLEAN))
    assert [f.waits.where for f in report.findings if f.waits] == ["client.py:31", "client.py:40"]


def test_a_segment_is_counted_from_one() -> None:
    report = report_of((1, OFF, hang(31, 7)))
    assert report.findings[0].where == "segment 2 has arrived at server"


def test_hangs_come_before_crashes() -> None:
    crash = Outcome(
        verdict="crash",
        ended_ns=9,
        crashes=(Crash(host="client", process="client", how="uncaught OSError: no"),),
    )
    report = report_of((1, KILL, crash), (2, OFF, hang(31, 7)), (3, CABLE, CLEAN))
    assert [f.verdict for f in report.findings] == ["hang", "crash"]


def test_a_fault_that_never_fired_is_an_error() -> None:
    report = report_of((1, OFF, CLEAN), (1, KILL, CLEAN))
    assert report.errors == ("cable out: client-server: 0 of 4 fired",)
    assert report.findings == ()
    assert not report.clean


def test_a_run_without_a_point_is_an_error() -> None:
    report = report_of(first=undisturbed(points=0))
    assert report.errors[0].startswith("the undisturbed run makes no socket call")


def test_a_program_that_fails_by_itself_is_an_error() -> None:
    crash = Crash(host="client", process="client", how="uncaught NameError: x")
    every = ((1, KILL, CLEAN), (1, OFF, CLEAN), (1, CABLE, CLEAN))
    report = report_of(*every, first=undisturbed(crashes=(crash,)))
    assert report.errors == ("without any fault, client ends by NameError: x",)


def test_a_check_that_fails_by_itself_is_an_error() -> None:
    every = ((1, KILL, CLEAN), (1, OFF, CLEAN), (1, CABLE, CLEAN))
    report = report_of(*every, first=undisturbed(wrong="whole: AssertionError (shop.py:3)"))
    assert report.errors == ("without any fault, a check fails: whole: AssertionError (shop.py:3)",)


def test_what_broke_is_not_run_again() -> None:
    broken = Outcome(verdict="broken", ended_ns=9, detail="not simulated")
    tally = Tally(undisturbed=undisturbed())
    tally.disturbed.append(Disturbed(point=1, fault=OFF, outcome=broken))

    def none(asked: Sequence[Replay]) -> list[Replayed]:
        assert not asked
        return []

    (found,) = make_report(REQUEST, tally, none).findings
    assert (found.verdict, found.trace) == ("broken", "")
    assert read_token(found.token).digest == ""


def test_all_fired_and_all_clean_is_clean() -> None:
    report = report_of((1, KILL, CLEAN), (1, OFF, CLEAN), (1, CABLE, CLEAN))
    assert report.clean
    assert report.verdicts == {"clean": 3}
