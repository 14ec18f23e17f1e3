"""The World that people build: what it takes, what it refuses, and what it gives back."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.guest import public_programs as programs

from halfopen import Host, MisuseError, Run, World
from halfopen.base.units import S
from halfopen.guest.stage import Stage
from halfopen.record.events import PacketSent
from halfopen.record.faults import PowerOff, PowerOn
from halfopen.world.faults import inject

SCRIPT = Path(__file__).with_name("public_script.py")


def joined(delay: float = 0.01) -> tuple[World, Host, Host]:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server, delay=delay)
    return world, client, server


def test_hosts_talk_over_a_link_that_takes_its_time() -> None:
    world, client, server = joined(delay=0.02)
    client.start(programs.call, "server")
    server.start(programs.answer)
    run = world.run()
    assert run.output("call") == "hello\n"
    assert run.output("call", stream=2) == "at 80 ms\n"  # the handshake, and what came after it
    assert (run.ended("call"), run.ended("answer")) == ("exit 0", "exit 4")
    assert run.waiting == ()


def test_hosts_get_addresses_and_names() -> None:
    world, client, server = joined()
    third = world.host("third", "192.168.7.1", "192.168.7.2")
    assert [host.address for host in (client, server, third)] == [
        "10.0.0.1",
        "10.0.0.2",
        "192.168.7.1",
    ]
    assert third.addresses == ("192.168.7.1", "192.168.7.2")
    client.start(programs.tell_addresses)
    assert world.run().output("tell_addresses") == "client 10.0.0.2\n"


def test_programs_start_when_they_are_told_to_and_get_what_they_are_given() -> None:
    world, client, _ = joined()
    client.start(programs.say, "late", at=1.5)
    client.start(programs.say, "first", 3, None, name="early")
    run = world.run()
    assert run.output("say") == "1.5 'late'\n"
    assert run.output("early") == "0.0 'first' 3 None\n"


def test_a_script_runs_as_main_and_finds_its_arguments() -> None:
    world, client, _ = joined()
    client.start(SCRIPT, "10.0.0.2", "80")
    client.start(str(SCRIPT))
    run = world.run()
    assert run.output("public_script") == "__main__ ['10.0.0.2', '80']\n"
    assert run.output("public_script-2") == "__main__ []\n"


def test_a_sysctl_is_that_host_s_own() -> None:
    world = World()
    client = world.host("client", sysctl={"net.ipv4.tcp_syn_retries": 1})
    world.link(client, world.host("server"))
    client.start(programs.call, "server", name="nobody there")
    run = world.run()
    assert (
        run.ended("nobody there")
        == "uncaught ConnectionRefusedError: [Errno 111] Connection refused"
    )
    syns = [event for event in run.trace.events if isinstance(event, PacketSent)]
    assert len(syns) == 2  # a SYN, and the RST


def test_a_seed_decides_what_chance_decides() -> None:
    def trace(seed: int) -> str:
        world = World(seed=seed)
        client, server = world.host("client"), world.host("server")
        world.link(client, server)
        client.start(programs.call, "server")
        server.start(programs.answer)
        return world.run().trace.dumps()

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_one_world_can_be_played_again() -> None:
    world, client, server = joined()
    client.start(programs.call, "server")
    server.start(programs.answer)
    assert world.run().trace.dumps() == world.run().trace.dumps()


@pytest.mark.parametrize(("boot", "starts"), [(True, 2), (False, 1)])
def test_a_program_starts_again_at_boot_where_it_is_named_to(*, boot: bool, starts: int) -> None:
    world, client, _ = joined()
    client.start(programs.say, "up", boot=boot)
    stage = Stage(world, seed=0)
    off, on = PowerOff(host="client"), PowerOn(host="client")
    stage.world.call_at(1 * S, lambda now: inject(stage.world, off, now))
    stage.world.call_at(2 * S, lambda now: inject(stage.world, on, now))
    assert stage.play(10 * S).output("say").count("up") == starts


def test_checks_look_at_the_run_when_it_is_over() -> None:
    world, client, _ = joined()
    client.start(programs.say, "x")
    seen: list[str] = []
    assert world.check(lambda run: seen.append(run.output("say"))) is world.checks[0]
    world.run()
    assert seen == ["0.0 'x'\n"]

    @world.check
    def empty(run: Run) -> None:
        assert not run.output("say"), "it said something"

    with pytest.raises(AssertionError, match="it said something"):
        world.run()


def test_a_run_says_who_has_not_ended_and_who_waits() -> None:
    world, client, server = joined()
    client.start(programs.wait)
    server.start(programs.answer)
    server.start(programs.say, name="never", at=99.0)
    run = world.run(horizon=20)
    assert run.ended_s == 20.0
    assert [run.ended(name) for name in ("wait", "answer", "never")] == [None, None, None]
    assert [(w.host, w.call, w.what) for w in run.waiting] == [
        ("client", "sleep", "time"),
        ("server", "accept", "a connection"),
    ]
    assert run.waiting[1].line == "conn, _ = listener.accept()"


def test_a_traceback_shows_the_program_s_own_frames_alone() -> None:
    world, client, _ = joined()
    client.start(programs.fail)
    client.start(programs.call, "nowhere")
    run = world.run()
    assert run.ended("fail") == "uncaught KeyError: 'lost'"
    for name in ("fail", "call"):
        files = [line for line in run.output(name, stream=2).splitlines() if "File" in line]
        assert files
        assert not [line for line in files if "/halfopen/guest/" in line]


def test_a_run_knows_no_other_process() -> None:
    world, client, _ = joined()
    client.start(programs.say)
    with pytest.raises(MisuseError, match="no process 'sya' in this world; there are: say"):
        world.run().output("sya")


#: Of a world, joined, with its hosts c and s: types are what some of these get wrong.
MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "host twice": (lambda m: m.w.host("client"), "two hosts are named 'client'"),
    "address twice": (lambda m: m.w.host("x", "10.0.0.1"), "'client' and 'x' have one address"),
    "no address": (lambda m: m.w.host("x", "10.0.0.300"), "host 'x': not an IP address"),
    "no sysctl": (lambda m: m.w.host("x", sysctl={"net.ipv4.tcp_retries": 1}), "tcp_retries2"),
    "link twice": (lambda m: m.w.link(m.s, m.c), "two links join 'server' and 'client'"),
    "link to itself": (lambda m: m.w.link(m.c, m.c), "from 'client' to itself"),
    "link to nobody": (lambda m: m.w.link(m.c, "x"), "no such host.*client, server"),
    "negative delay": (lambda m: m.w.link(m.c, m.w.host("x"), delay=-1), "delay of client-x is -1"),
    "endless delay": (lambda m: m.w.link(m.c, m.w.host("x"), delay=float("inf")), "is inf s"),
    "start before": (lambda m: m.c.start(programs.say, at=-0.1), "start is -0.1 s"),
    "lambda": (lambda m: m.c.start(lambda: None), "top level of a file"),
    "no program": (lambda m: m.c.start(print), "a function or a path"),
    "coroutine": (lambda m: m.c.start(programs.later), r"plain function.*asyncio\.run\(later\("),
    "generator": (lambda m: m.c.start(programs.bit_by_bit), "bit_by_bit is a generator function"),
    "no script": (lambda m: m.c.start("nowhere.py"), "no program 'nowhere.py'"),
    "object": (lambda m: m.c.start(programs.say, []), "processes share no objects"),
    "script's number": (lambda m: m.c.start(SCRIPT, 80), "sys.argv: give text"),
    "no check": (lambda m: m.w.check(3), "a check is a function"),
    "horizon": (lambda m: m.w.run(horizon=-1), "the horizon is -1 s"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_it_is(mistake: str) -> None:
    world, client, server = joined()
    make, said = MISTAKES[mistake]
    with pytest.raises(MisuseError, match=said):
        make(SimpleNamespace(w=world, c=client, s=server))


def test_a_name_given_twice_is_a_mistake_and_one_of_a_program_gets_a_number() -> None:
    _, client, server = joined()
    client.start(programs.say)
    server.start(programs.say)
    assert [started.name for started in server.programs] == ["say-2"]
    with pytest.raises(MisuseError, match="two processes are named 'say'"):
        client.start(programs.wait, name="say")


def test_there_are_addresses_for_254_hosts_and_no_more() -> None:
    world = World()
    for number in range(254):
        world.host(f"host {number}")
    with pytest.raises(MisuseError, match="more than 254 hosts"):
        world.host("one more")
    assert world.host("one more", "10.0.1.1").address == "10.0.1.1"
