"""A LAN: hosts find each other by ARP, doubt who is silent, and give up on who is gone."""

import errno
from socket import AF_INET, SOCK_STREAM
from typing import Any

from benchmarks.bare import Bare, Program, enter, listening

from halfopen.base.units import MS, S
from halfopen.record.events import ArpSent
from halfopen.record.trace import Trace
from halfopen.sockets import calls
from halfopen.world.process import Process
from halfopen.world.world import World

DELAY = 1 * MS


def lan(*, server_on: bool = True) -> World:
    world = World(seed=1, trace=Trace({}))
    world.host("client", ("10.0.0.1",), {"net.ipv4.tcp_retries2": 9})
    world.host("server", ("10.0.0.2",))
    world.lan("lan", ("client", "server"), DELAY)
    world.hosts["client"].power_on(0)
    if server_on:
        world.hosts["server"].power_on(0)
    return world


def asked(world: World) -> list[tuple[int, str]]:
    assert world.trace is not None
    return [
        (event.t_ns, event.text)
        for event in world.trace.events
        if isinstance(event, ArpSent) and event.host == "client"
    ]


class Client:
    """Connects, sends after a while, and waits for an answer."""

    def __init__(self, world: World, *, sends_after: int | None = None) -> None:
        self.connected_at = -1
        self.error = 0
        self.failed_at = -1
        self.sends_after = sends_after
        self.world = world
        Bare(world.hosts["client"].start("client", 0), self.run)

    def run(self, process: Process, now: int) -> Program:
        try:
            table: Any = process.table
            fd = calls.socket(table, AF_INET, SOCK_STREAM, 0, now)
            _, now = yield from enter(process, calls.connect, now, fd, ("10.0.0.2", 80))
            self.connected_at = now
            if self.sends_after is not None:
                _, now = yield from enter(process, calls.poll, now, [], self.sends_after)
                _, now = yield from enter(process, calls.send, now, fd, b"ping", 0)
                _, now = yield from enter(process, calls.recv, now, fd, 10, 0)
        except OSError as error:
            self.error = error.errno or 0
            self.failed_at = self.world.now


def serve(world: World) -> None:
    def server(process: Process, now: int) -> Program:
        fd = listening(process, now)
        (conn, _), now = yield from enter(process, calls.accept, now, fd)
        yield from enter(process, calls.recv, now, conn, 10, 0)

    Bare(world.hosts["server"].start("server", 0), server)


def test_the_first_packet_waits_for_the_hardware_address() -> None:
    world = lan()
    serve(world)
    client = Client(world)
    world.run(1 * S)
    assert asked(world) == [(0, "ARP: who has 10.0.0.2? tell 10.0.0.1")]
    assert client.connected_at == 4 * DELAY, "a round trip of ARP, then one of TCP"


def test_a_host_without_power_is_unreachable_after_three_questions() -> None:
    """EHOSTUNREACH, and not ETIMEDOUT: Linux arp_error_report."""
    world = lan(server_on=False)
    client = Client(world)
    world.run(60 * S)
    assert [text for _, text in asked(world)] == ["ARP: who has 10.0.0.2? tell 10.0.0.1"] * 3
    assert client.error == errno.EHOSTUNREACH
    assert 3 * S <= client.failed_at <= 3 * S + 200 * MS


def test_a_neighbour_that_went_silent_is_asked_and_then_given_up() -> None:
    world = lan()
    serve(world)
    client = Client(world, sends_after=20 * S)
    world.call_at(10 * S, world.hosts["server"].power_off)
    world.run(600 * S)
    assert client.error == errno.EHOSTUNREACH, "told at the end, in the place of ETIMEDOUT"
    assert len(asked(world)) > 6, "by unicast, then by broadcast"
