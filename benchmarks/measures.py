"""What is measured. Each function returns figures of one run, in units per second of CPU time."""

import gc
import heapq
import time
import tracemalloc
from collections.abc import Callable
from typing import Final

from benchmarks import bare

from halfopen.sockets import calls
from halfopen.sockets.waiting import Blocked, WaitQueue
from halfopen.world.process import Process

MSS: Final = 1448
BULK: Final = 40_000 * MSS
CHUNK: Final = 64 * 1024
ROUND_TRIPS: Final = 4_000
WORLDS: Final = 200
IDLE: Final = 1_000


def baseline() -> float:
    """Pushes and pops of a heap of tuples: the machine's own speed at this moment."""
    heap: list[tuple[int, int, None]] = [(n, n, None) for n in range(64)]
    began = time.process_time()
    for n in range(200_000):
        at, _, event = heapq.heappop(heap)
        heapq.heappush(heap, (at + 64, n, event))
    return 200_000 / (time.process_time() - began)


def bulk() -> float:
    """Data segments of 1448 octets, from one host's ``send`` to the other's ``recv``."""
    world = bare.two_hosts()
    received = 0

    def server(process: Process, now: int) -> bare.Program:
        nonlocal received
        listener = bare.listening(process, now)
        (fd, _), now = yield from bare.enter(process, calls.accept, now, listener)
        while True:
            data, now = yield from bare.enter(process, calls.recv, now, fd, CHUNK, 0)
            if not data:
                return
            received += len(data)

    def client(process: Process, now: int) -> bare.Program:
        fd, now = yield from bare.connected(process, now)
        chunk = bytes(CHUNK)
        left = BULK
        while left:
            sent, now = yield from bare.enter(process, calls.send, now, fd, chunk[:left], 0)
            left -= sent
        bare.finish_sending(process, fd, now)

    bare.Bare(world.hosts["server"].start("server", 0), server)
    bare.Bare(world.hosts["client"].start("client", 0), client)
    began = time.process_time()
    world.run()
    spent = time.process_time() - began
    assert received == BULK, f"{received} of {BULK} octets arrived"
    return BULK / MSS / spent


def echo_bare() -> float:
    """Round trips of 64 octets between two programs without guests: the stack alone."""
    world = bare.two_hosts()
    done = 0

    def server(process: Process, now: int) -> bare.Program:
        listener = bare.listening(process, now)
        (fd, _), now = yield from bare.enter(process, calls.accept, now, listener)
        while True:
            data, now = yield from bare.enter(process, calls.recv, now, fd, CHUNK, 0)
            if not data:
                return
            _, now = yield from bare.enter(process, calls.send, now, fd, data, 0)

    def client(process: Process, now: int) -> bare.Program:
        nonlocal done
        fd, now = yield from bare.connected(process, now)
        message = bytes(64)
        for _ in range(ROUND_TRIPS):
            _, now = yield from bare.enter(process, calls.send, now, fd, message, 0)
            data, now = yield from bare.enter(process, calls.recv, now, fd, CHUNK, 0)
            assert len(data) == len(message), "an echo came back in parts"
            done += 1
        bare.finish_sending(process, fd, now)

    bare.Bare(world.hosts["server"].start("server", 0), server)
    bare.Bare(world.hosts["client"].start("client", 0), client)
    began = time.process_time()
    world.run()
    spent = time.process_time() - began
    assert done == ROUND_TRIPS, f"{done} of {ROUND_TRIPS} round trips"
    return done / spent


def worlds() -> float:
    """Worlds made, each with a handshake, a byte and an orderly end, run until nothing is left."""

    def server(process: Process, now: int) -> bare.Program:
        listener = bare.listening(process, now)
        (fd, _), now = yield from bare.enter(process, calls.accept, now, listener)
        data, now = yield from bare.enter(process, calls.recv, now, fd, CHUNK, 0)
        assert data, "nothing was sent"

    def client(process: Process, now: int) -> bare.Program:
        fd, now = yield from bare.connected(process, now)
        yield from bare.enter(process, calls.send, now, fd, b"x", 0)

    began = time.process_time()
    for _ in range(WORLDS):
        world = bare.two_hosts()
        bare.Bare(world.hosts["server"].start("server", 0), server)
        bare.Bare(world.hosts["client"].start("client", 0), client)
        rest = world.run()
        assert rest.end == "over", f"a world came to rest as {rest.end!r}"
    return WORLDS / (time.process_time() - began)


def memory_per_idle_end() -> float:
    """Octets that one end of an idle connection takes, sockets and timers included."""
    world = bare.two_hosts()
    server_process = world.hosts["server"].start("server", 0)
    client_process = world.hosts["client"].start("client", 0)
    ready = 0

    def server(process: Process, now: int) -> bare.Program:
        nonlocal ready
        listener = bare.listening(process, now, backlog=IDLE)
        for _ in range(IDLE):
            _, now = yield from bare.enter(process, calls.accept, now, listener)
            ready += 1
        yield Blocked((WaitQueue(),), None, "nothing")

    def client(process: Process, now: int) -> bare.Program:
        for _ in range(IDLE):
            _, now = yield from bare.connected(process, now)
        yield Blocked((WaitQueue(),), None, "nothing")

    bare.Bare(server_process, server)
    bare.Bare(client_process, client)
    gc.collect()
    tracemalloc.start()
    world.run()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ready == IDLE, f"{ready} of {IDLE} connections"
    return taken / (2 * IDLE)


class Measure:
    """A measure, its unit, and whether more is better."""

    def __init__(self, name: str, unit: str, take: Callable[[], float], *, rate: bool) -> None:
        self.name = name
        self.unit = unit
        self.take = take
        self.rate = rate  # per CPU second, and so noisy; a size is not


MEASURES: Final = (
    Measure("bulk, MSS 1448", "segments/s", bulk, rate=True),
    Measure("echo, bare", "round trips/s", echo_bare, rate=True),
    Measure("worlds", "worlds/s", worlds, rate=True),
    Measure("idle connection", "octets/end", memory_per_idle_end, rate=False),
)
