"""Every byte arrives, once and in order, whatever the way does to packets; or somebody is told."""

import pytest
from benchmarks.bare import Bare, Program, connected, enter, finish_sending, listening, two_hosts
from hypothesis import given
from hypothesis import strategies as st

from halfopen.base.rng import Rng
from halfopen.base.units import HOUR
from halfopen.record.faults import Impair
from halfopen.sockets import calls
from halfopen.world.faults import inject
from halfopen.world.process import Process
from halfopen.world.world import World


class Transfer:
    """One end sends ``data``, the other reads until the end."""

    def __init__(self, world: World, data: bytes, piece: int) -> None:
        self.world = world
        self.data = data
        self.piece = piece
        self.received: list[bytes] = []
        self.errors: list[OSError] = []
        self.ended = False

    def reader(self, process: Process, now: int) -> Program:
        fd = listening(process, now)
        (conn, _), now = yield from enter(process, calls.accept, now, fd)
        while True:
            try:
                data, now = yield from enter(process, calls.recv, now, conn, 1 << 16, 0)
            except OSError as error:
                self.errors.append(error)
                return
            if not data:
                self.ended = True
                return
            self.received.append(data)

    def writer(self, process: Process, now: int) -> Program:
        try:
            fd, now = yield from connected(process, now)
            for at in range(0, len(self.data), self.piece):
                part = self.data[at : at + self.piece]
                _, now = yield from enter(process, calls.send, now, fd, part, 0)
            finish_sending(process, fd, now)
            _, now = yield from enter(process, calls.recv, now, fd, 1, 0)
        except OSError as error:
            self.errors.append(error)

    def run(self) -> None:
        server, client = self.world.hosts["server"], self.world.hosts["client"]
        Bare(server.start("reader", 0), self.reader)
        Bare(client.start("writer", 0), self.writer)
        self.world.run(HOUR)


def impaired(seed: int, chances: dict[str, int]) -> World:
    world = two_hosts()
    world.rng = Rng(seed)
    for host in world.hosts:
        inject(world, Impair(link="client-server", towards=host, **chances), 0)
    return world


PER_THOUSAND = st.integers(0, 100)


@given(
    seed=st.integers(0, 1 << 32),
    size=st.integers(1, 200_000),
    piece=st.sampled_from([7, 1000, 1448, 16384, 1 << 18]),
    chances=st.fixed_dictionaries(
        {},
        optional={
            "loss": PER_THOUSAND,
            "duplicate": PER_THOUSAND,
            "reorder": PER_THOUSAND,
            "corrupt": PER_THOUSAND,
        },
    ),
)
def test_every_byte_arrives_in_order_or_somebody_is_told(
    seed: int, size: int, piece: int, chances: dict[str, int]
) -> None:
    data = Rng(seed).octets(size)
    if piece == 7:
        data = data[:5000]
    transfer = Transfer(impaired(seed, chances), data, piece)
    transfer.run()
    got = b"".join(transfer.received)
    assert data.startswith(got), "bytes out of order, twice or wrong"
    if transfer.ended:
        assert got == data, "an end before the last byte"
        assert not transfer.errors
    else:
        names = [type(error).__name__ for error in transfer.errors]
        assert transfer.errors, "neither an end nor an error within an hour"
        assert all(
            error.errno is not None and isinstance(error, (ConnectionError, TimeoutError))
            for error in transfer.errors
        ), names


@pytest.mark.parametrize("chance", [10, 50, 100])
@pytest.mark.parametrize("seed", range(4))
def test_all_four_at_once(chance: int, seed: int) -> None:
    data = Rng(seed).octets(300_000)
    chances = dict.fromkeys(("loss", "duplicate", "reorder", "corrupt"), chance)
    transfer = Transfer(impaired(seed, chances), data, 1 << 16)
    transfer.run()
    assert b"".join(transfer.received) == data
    assert transfer.ended
    assert not transfer.errors
