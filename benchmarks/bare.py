"""Programs without guests: generators that enter the socket calls, to measure the stack alone."""

from collections.abc import Callable, Generator
from socket import AF_INET, SHUT_WR, SOCK_STREAM
from typing import Any, TypeAlias

from halfopen.base.units import MS
from halfopen.sockets import calls
from halfopen.sockets.waiting import Blocked, Wait, WaitQueue
from halfopen.world.process import Process, Waiting
from halfopen.world.world import World

PORT = 80
#: A program yields what it waits for, and is sent the instant at which it goes on.
Program: TypeAlias = Generator[Blocked, int, None]


class Bare:
    """A task over a generator: what ``guest`` does with greenlets, as thin as it can be."""

    def __init__(self, process: Process, program: Callable[[Process, int], Program]) -> None:
        self.process = process
        self.program = program
        self.generator: Program | None = None
        self.queues: tuple[WaitQueue, ...] = ()
        self.waiter = process.start(self)

    def resume(self, now: int) -> None:
        for queue in self.queues:
            queue.remove(self.waiter)
        try:
            if self.generator is None:
                self.generator = self.program(self.process, now)
                blocked = next(self.generator)
            else:
                blocked = self.generator.send(now)
        except StopIteration:
            self.process.finish(self.waiter)
            self.process.exit(0, now)
            return
        self.queues = blocked.queues
        for queue in blocked.queues:
            queue.add(self.waiter, exclusive=blocked.exclusive)
        self.waiter.arm(blocked.deadline)

    def abandon(self) -> None:
        self.generator = None

    def describe(self) -> Waiting | None:
        return None


def enter(
    process: Process, call: Callable[..., Any], now: int, *arguments: object
) -> Generator[Blocked, int, tuple[Any, int]]:
    """Enter a call until it does not block any more; return its result and the instant."""
    wait = Wait(now)
    while True:
        result = call(process.table, *arguments, wait, now)
        process.host.flush(now)
        if not isinstance(result, Blocked):
            return result, now
        now = yield result


def two_hosts(delay_ns: int = MS // 10) -> World:
    """Make a world of a client and a server, with the power on and no trace."""
    world = World(seed=1)
    world.host("client", ("10.0.0.1",))
    world.host("server", ("10.0.0.2",))
    world.link("client", "server", delay_ns)
    for host in world.hosts.values():
        host.power_on(0)
    return world


def listening(process: Process, now: int, backlog: int = 128) -> int:
    """Return a descriptor that listens on the port."""
    table: Any = process.table
    fd = calls.socket(table, AF_INET, SOCK_STREAM, 0, now)
    calls.bind(table, fd, ("0.0.0.0", PORT), now)
    calls.listen(table, fd, backlog, now)
    return fd


def connected(process: Process, now: int) -> Generator[Blocked, int, tuple[int, int]]:
    """Return a descriptor that is connected to the server, and the instant."""
    table: Any = process.table
    fd = calls.socket(table, AF_INET, SOCK_STREAM, 0, now)
    _, now = yield from enter(process, calls.connect, now, fd, ("10.0.0.2", PORT))
    return fd, now


def finish_sending(process: Process, fd: int, now: int) -> None:
    """Half-close."""
    table: Any = process.table
    calls.shutdown(table, fd, SHUT_WR, now)
    process.host.flush(now)
