"""Faults: what they find to act on, and what they name wrongly."""

import pytest
from tests.unit.world.programs import Program, Script

from halfopen.base.errors import MisuseError
from halfopen.record.events import FaultFired
from halfopen.record.faults import CableIn, CableOut, Fault, Kill, PowerOff, PowerOn
from halfopen.record.trace import Trace
from halfopen.world.faults import finds_target, inject
from halfopen.world.process import Process
from halfopen.world.world import World


def pair() -> World:
    world = World(trace=Trace({}))
    world.host("a", ("10.0.0.1",))
    world.host("b", ("10.0.0.2",))
    world.link("a", "b")
    for host in world.hosts.values():
        host.power_on(0)
    return world


def waiting(process: Process) -> Script:
    def program(script: Script) -> Program:
        yield None
        script.say("woken")

    return Script(process, "main", program)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Kill(process="p"), Kill(process="p")),
        (PowerOff(host="a"), PowerOff(host="a")),
        (PowerOff(host="a"), Kill(process="p")),
        (CableOut(link="a-b"), CableOut(link="a-b")),
        (CableOut(link="a-b"), CableOut(link="a-b", towards="b")),
        (PowerOff(host="b"), PowerOn(host="a")),
        (PowerOff(host="b"), CableIn(link="a-b")),
    ],
    ids=str,
)
def test_a_fault_that_finds_nothing_to_act_on_does_not_fire(first: Fault, second: Fault) -> None:
    world = pair()
    world.hosts["a"].start("p", 0)
    assert finds_target(world, first)
    assert inject(world, first, 0)
    assert not finds_target(world, second)
    assert not inject(world, second, 0)
    assert world.trace is not None
    fired = [event for event in world.trace.events if isinstance(event, FaultFired)]
    assert [(event.fault, event.effect) for event in fired] == [(first, True), (second, False)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PowerOff(host="c"), "'c'; there are: a, b"),
        (PowerOn(host="c"), "'c'; there are: a, b"),
        (CableOut(link="b-a"), "'b-a'; there are: a-b"),
        (CableIn(link="x"), "'x'; there are: a-b"),
        (CableOut(link="a-b", towards="c"), "does not lead there"),
        (CableOut(link="a-b", seen_by=("c",)), "'c'; there are: a, b"),
    ],
    ids=str,
)
def test_a_fault_that_names_nothing_is_a_mistake(fault: Fault, words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        inject(pair(), fault, 0)


def test_power_off_ends_processes_without_resuming_them() -> None:
    world = pair()
    process = world.hosts["a"].start("p", 0)
    script = waiting(process)
    world.run()
    inject(world, PowerOff(host="a"), world.now)
    script.waiter.wake()
    world.run()
    assert (process.how, script.log, script.abandoned) == ("power off", [], True)
    assert world.hosts["a"].kernel is None


def test_a_host_boots_with_a_new_kernel_and_says_so() -> None:
    world = pair()
    host = world.hosts["a"]
    before = host.kernel
    booted: list[tuple[str, int, int]] = []
    host.on_boot.append(lambda it, now: booted.append((it.name, it.boots, now)))
    inject(world, PowerOff(host="a"), 0)
    world.call_at(70, lambda now: inject(world, PowerOn(host="a"), now))
    world.run()
    assert booted == [("a", 2, 70)]
    assert host.kernel is not None
    assert host.kernel is not before


def test_a_near_cable_takes_the_carrier_also_from_a_kernel_that_boots_later() -> None:
    world = pair()
    inject(world, CableOut(link="a-b", seen_by=("a",)), 0)

    def carriers() -> list[bool]:
        kernels = [host.kernel for host in world.hosts.values()]
        return [kernel.ip.interfaces[0].carrier for kernel in kernels if kernel is not None]

    assert carriers() == [False, True]
    inject(world, PowerOff(host="a"), 0)
    inject(world, PowerOn(host="a"), 0)
    assert carriers() == [False, True]
    inject(world, CableIn(link="a-b"), 0)
    assert carriers() == [True, True]
