"""Processes and their tasks: woken once, in order, and never after their end."""

import pytest
from tests.unit.world.programs import Program, Script

from halfopen.record.events import Mark, ProcessEnded, ProcessStarted
from halfopen.record.trace import Trace
from halfopen.world.process import ENDED, Process
from halfopen.world.world import World


def one_host(trace: Trace | None = None) -> World:
    world = World(trace=trace)
    world.host("a", ("10.0.0.1",)).power_on(0)
    return world


def started(world: World, name: str = "p") -> Process:
    return world.hosts["a"].start(name, world.now)


def sleeper(*deadlines: int | None) -> "type[Program]":
    def program(script: Script) -> Program:
        for deadline in deadlines:
            yield deadline
            script.say("timed out" if script.waiter.timed_out else "woken")

    return program  # type: ignore[return-value]


def test_tasks_woken_at_one_instant_resume_in_the_order_of_waking() -> None:
    world = one_host()
    process = started(world)
    order: list[str] = []

    def program(script: Script) -> Program:
        yield None
        order.append(script.name)

    scripts = {name: Script(process, name, program) for name in "abc"}
    world.run()
    for name in "bca":
        scripts[name].waiter.wake()
    assert order == []
    world.run()
    assert order == ["b", "c", "a"]


def test_a_wait_ends_once_however_often_it_is_woken() -> None:
    world = one_host()
    script = Script(started(world), "t", sleeper(None, None))
    world.run()
    script.waiter.wake()
    script.waiter.wake()
    world.run()
    assert script.log == [(0, "woken")]
    assert not script.over


def test_a_deadline_ends_a_wait_and_says_so() -> None:
    world = one_host()
    script = Script(started(world), "t", sleeper(50, 70))
    world.run()
    assert script.log == [(50, "timed out"), (70, "timed out")]


def test_a_wake_up_before_the_deadline_takes_the_deadline_away() -> None:
    world = one_host()
    script = Script(started(world), "t", sleeper(50, None))
    world.call_at(20, lambda _: script.waiter.wake())
    rest = world.run()
    assert script.log == [(20, "woken")]
    assert (rest.end, rest.at_ns) == ("still", 20)


def test_a_deadline_that_moves_on_keeps_one_entry() -> None:
    world = one_host()
    script = Script(started(world), "t", sleeper(*[1000 + i for i in range(100)], None))
    for at in range(1, 101):
        world.call_at(at, lambda _: script.waiter.wake())
    world.run(200)
    assert [text for _, text in script.log] == ["woken"] * 100
    assert sum(event is script.waiter.alarm for _, _, event in world.queue.heap) == 1


def test_a_deadline_that_moves_forward_is_kept() -> None:
    world = one_host()
    script = Script(started(world), "t", sleeper(1000, 50, 2000))
    world.call_at(20, lambda _: script.waiter.wake())
    world.run()
    assert script.log == [(20, "woken"), (50, "timed out"), (2000, "timed out")]


def test_a_deadline_in_the_past_ends_the_wait_at_once() -> None:
    world = one_host()
    script = Script(started(world), "t", sleeper(30, 10))
    world.run()
    assert script.log == [(30, "timed out"), (30, "timed out")]


def test_a_finished_task_is_not_woken() -> None:
    world = one_host()
    script = Script(started(world), "t", sleeper())
    world.run()
    assert script.over
    script.waiter.wake()
    assert world.queue.pending() == []


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_the_tasks_of_a_process_that_is_over_never_run_again(end: str) -> None:
    world = one_host(Trace({}))
    process = started(world)
    ran: list[str] = []

    def program(script: Script) -> Program:
        try:
            yield 500
        finally:
            ran.append(script.name)

    woken, waiting = Script(process, "woken", program), Script(process, "waiting", program)
    world.run(10)
    woken.waiter.wake()
    if end == "kill":
        process.kill("SIGKILL", world.now)
    else:
        process.exit(3, world.now)
    waiting.waiter.wake()
    rest = world.run()
    assert (rest.end, rest.at_ns, ran) == ("over", 10, [])
    assert woken.abandoned
    assert waiting.abandoned
    assert process.state == ENDED
    assert world.hosts["a"].processes == []
    assert world.graveyard == [process]
    del woken, waiting
    assert ran == [], "a finally block ran: a task was collected"
    assert world.trace is not None
    how = "SIGKILL" if end == "kill" else "exit 3"
    assert world.trace.events == [
        ProcessStarted(t_ns=0, host="a", process="p"),
        ProcessEnded(t_ns=10, host="a", process="p", how=how),
    ]


def test_a_task_that_ends_its_own_process_is_abandoned_too() -> None:
    world = one_host()
    process = started(world)

    def program(script: Script) -> Program:
        process.exit(0, script.now)
        yield None
        script.say("ran on")

    script = Script(process, "t", program)
    rest = world.run()
    assert script.abandoned
    assert (rest.end, script.log) == ("over", [])


def test_a_stopped_process_runs_on_when_it_is_continued() -> None:
    world = one_host()
    process = started(world)
    script = Script(process, "t", sleeper(50, 60))
    world.run(10)
    process.stop()
    world.call_at(80, lambda _: process.go_on())
    world.run()
    assert script.log == [(80, "timed out"), (80, "timed out")]


def test_exits_and_marks_are_heard() -> None:
    world = one_host(Trace({}))
    heard: list[tuple[str, ...]] = []
    world.on_mark.append(lambda process, name, now: heard.append((process.name, name, str(now))))
    world.on_exit.append(lambda process, now: heard.append((process.name, process.how, str(now))))
    process = started(world)
    process.on_exit.append(lambda process, now: heard.append(("own", process.name, str(now))))

    def program(script: Script) -> Program:
        yield 5
        process.mark("ready", script.now)
        yield 7
        process.exit(1, script.now, "uncaught ValueError: no")

    Script(process, "t", program)
    world.run()
    assert heard == [("p", "ready", "5"), ("own", "p", "7"), ("p", "uncaught ValueError: no", "7")]
    assert world.trace is not None
    assert Mark(t_ns=5, host="a", process="p", name="ready") in world.trace.events


def test_a_world_that_can_never_move_again_says_who_waits() -> None:
    world = one_host()
    process = started(world)
    Script(process, "stays", sleeper(None))
    Script(process, "ends", sleeper(20))
    rest = world.run()
    assert (rest.end, rest.at_ns) == ("still", 20)
    assert [(w.process, w.thread, w.what) for w in rest.waiting] == [("p", "stays", "a wake-up")]
