"""Two ends and a bad network between them.

Every octet arrives, once and in order, or somebody is told.

The network loses, doubles and turns round; the users write, read, shut down and close when they
like.
"""

from collections.abc import Callable
from errno import ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from tests.unit.tcp.ends import Nobody
from tests.unit.tcp.soundness import complaints

from halfopen.base.rng import Rng
from halfopen.base.units import MS, S
from halfopen.net.interfaces import Interface
from halfopen.net.ip import Ip
from halfopen.net.sysctl import with_defaults
from halfopen.tcp import calls
from halfopen.tcp.config import Config
from halfopen.tcp.deadlines import deadline_passed, next_deadline
from halfopen.tcp.effects import Effects
from halfopen.tcp.iss import Secret
from halfopen.tcp.jiffies import JIFFY
from halfopen.tcp.listening import Listening
from halfopen.tcp.states import MAY_SEND, State
from halfopen.tcp.tcb import INFINITE, Tcb
from halfopen.wire import ip
from halfopen.wire.ip import Packet

pytestmark = pytest.mark.slow

CLIENT: Final = "10.0.0.1"
SERVER: Final = "10.0.0.2"
DELAY: Final = 10 * MS
#: What a call may end with here: nobody makes ICMP errors.
TOLD: Final = {ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT}


class Host:
    """A stack and its user; the network takes what lies in ``out``."""

    def __init__(self, own: str, peer: str, name: str) -> None:
        self.effects = Effects(traced=True)
        table = with_defaults({})
        self.config = Config(table, 3 * JIFFY // 2)
        self.ip = Ip(table, self.effects, Rng(1).split(name))
        self.ip.interfaces.append(Interface(0, "eth0", (own,), peers=(peer,)))
        self.ip.routes.connect(self.ip.interfaces[0])
        self.own = own
        self.name = name
        self.tcb: Tcb | None = None
        self.listening: Listening | None = None
        self.out: list[bytes] = []
        self.written = b""
        self.read = b""
        self.ended = False  # the reader was told that no more will come
        self.error = 0

    def settle(self, now: int) -> None:
        self.ip.settle(now)
        for embryo in self.ip.embryos:
            self.tcb = embryo.tcb
        self.ip.embryos.clear()
        self.ip.gone.clear()
        effects = self.effects
        for tcb in effects.woken:
            tcb.wake = 0
        effects.woken.clear()
        effects.ready.clear()
        for tcb in effects.rearm:
            due = next_deadline(tcb)
            if due is not None:
                tcb.entry_at = min(tcb.entry_at, due)
        effects.rearm.clear()
        while self.ip.outbox:
            packet = self.ip.outbox.popleft()[1]
            assert isinstance(packet, Packet), "a link carries no frames"
            self.out.append(ip.encode(packet))

    def receive(self, packet: Packet, now: int) -> None:
        self.ip.receive(packet, 0, now)
        self.settle(now)

    def due(self) -> int:
        if self.tcb is None:
            return INFINITE
        at = next_deadline(self.tcb)
        return INFINITE if at is None else at

    def deadline_passed(self, now: int) -> None:
        assert self.tcb is not None, "a deadline without a connection"
        self.tcb.entry_at = INFINITE
        deadline_passed(self.tcb, now)
        self.settle(now)
        self.tcb.entry_at = min(self.tcb.entry_at, self.due())

    @property
    def open(self) -> bool:
        """Whether the user holds a connection that it may write to."""
        tcb = self.tcb
        return tcb is not None and tcb.state in MAY_SEND and not tcb.snd_shutdown and not tcb.orphan

    @property
    def held(self) -> bool:
        return self.tcb is not None and not self.tcb.embryo and not self.tcb.orphan

    def write(self, size: int, now: int) -> None:
        assert self.tcb is not None, "nothing to write to"
        start = len(self.written)
        data = bytes((start + n) * 31 & 0xFF for n in range(size))
        taken = calls.send(self.tcb, data, now)
        self.written += data[:taken]
        self.settle(now)

    def take(self, size: int, now: int) -> None:
        assert self.tcb is not None, "nothing to read from"
        self.read += calls.receive(self.tcb, size, now)
        self.ended = self.ended or (self.tcb.fin_received and not self.tcb.rcv_queued)
        self.settle(now)


class TwoEnds(RuleBasedStateMachine):
    """The client connects, and then anything may happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = S
        self.client = Host(CLIENT, SERVER, "client")
        self.server = Host(SERVER, CLIENT, "server")
        self.hosts = (self.client, self.server)
        self.flights: list[tuple[int, int, Host, bytes]] = []  # arrives at, order, to whom, what
        self.order = 0
        self.quiet = True  # nothing was closed by force, and no descriptor is gone

    @initialize(lost_syns=st.integers(0, 2))
    def connect(self, lost_syns: int) -> None:
        server = self.server
        server.listening = Listening(
            Nobody(), server.config, server.effects, Secret(Rng(2)), backlog=4
        )
        server.ip.demux.listen(SERVER, 80, server.listening)
        client = self.client
        client.tcb = Tcb(
            (CLIENT, 40_000, SERVER, 80), client.config, client.effects, iss=0xFFFFFFF0
        )
        client.ip.demux.add(client.tcb)
        calls.open_active(client.tcb, self.now)
        client.settle(self.now)
        for _ in range(lost_syns):
            self.lose(True, 0)
            self.pass_time(2 * S)

    # The network.

    def ship(self) -> None:
        """Take what the hosts have sent onto the way."""
        for host, other in ((self.client, self.server), (self.server, self.client)):
            for raw in host.out:
                self.order += 1
                self.flights.append((self.now + DELAY, self.order, other, raw))
            host.out.clear()
        self.flights.sort(key=lambda flight: flight[:2])

    @rule(first=st.booleans(), place=st.integers(0, 5))
    def lose(self, first: bool, place: int) -> None:
        self.ship()
        if self.flights:
            del self.flights[0 if first else place % len(self.flights)]

    @rule(place=st.integers(0, 5), later=st.integers(0, 40))
    def double(self, place: int, later: int) -> None:
        self.ship()
        if self.flights:
            _, _, host, raw = self.flights[place % len(self.flights)]
            self.order += 1
            self.flights.append((self.now + DELAY + later * MS, self.order, host, raw))

    @rule(place=st.integers(0, 5), later=st.integers(1, 300))
    def hold_back(self, place: int, later: int) -> None:
        """It arrives behind those that left after it."""
        self.ship()
        if self.flights:
            _, order, host, raw = self.flights.pop(place % len(self.flights))
            self.flights.append((self.now + DELAY + later * MS, order, host, raw))

    @rule(duration=st.sampled_from((DELAY, 60 * MS, 250 * MS, 2 * S, 30 * S)))
    def pass_time(self, duration: int) -> None:
        until = self.now + duration
        for _ in range(2_000):
            self.ship()
            arrival = self.flights[0][0] if self.flights else INFINITE
            at = min(arrival, *(host.due() for host in self.hosts))
            if at > until:
                break
            self.now = max(self.now, at)
            if arrival <= self.now:
                _, _, host, raw = self.flights.pop(0)
                host.receive(ip.decode(raw), self.now)
                continue
            for host in self.hosts:
                if host.due() <= self.now:
                    host.deadline_passed(self.now)
        else:
            raise AssertionError("two ends that answer each other without end")
        self.now = max(self.now, until)

    # The users.

    def _users(self, allowed: Callable[[Host], bool], who: bool) -> Host | None:
        host = self.client if who else self.server
        return host if allowed(host) else None

    @rule(who=st.booleans(), size=st.sampled_from((1, 7, 500, 1448, 4000, 30_000)))
    def write(self, who: bool, size: int) -> None:
        host = self._users(lambda host: host.open, who)
        if host is not None:
            host.write(size, self.now)

    @rule(who=st.booleans(), size=st.sampled_from((1, 100, 5000, 1 << 20)))
    def read(self, who: bool, size: int) -> None:
        host = self._users(lambda host: host.held, who)
        if host is not None:
            host.take(size, self.now)

    @rule(who=st.booleans())
    def finish_writing(self, who: bool) -> None:
        host = self._users(lambda host: host.open, who)
        if host is not None and host.tcb is not None:
            calls.shutdown_write(host.tcb, self.now)
            host.settle(self.now)

    @precondition(lambda self: self.order > 12)
    @rule(who=st.booleans(), force=st.booleans())
    def close(self, who: bool, force: bool) -> None:
        host = self._users(lambda host: host.held, who)
        if host is not None and host.tcb is not None:
            self.quiet = False
            calls.close(host.tcb, self.now, linger=0 if force else None)
            host.settle(self.now)

    # What must hold.

    @invariant()
    def nothing_is_out_of_order(self) -> None:
        for host, other in ((self.client, self.server), (self.server, self.client)):
            assert other.written.startswith(host.read)

    @invariant()
    def the_ends_are_sound(self) -> None:
        for host in self.hosts:
            if host.tcb is not None:
                assert not complaints(host.tcb, self.now - 1)

    def teardown(self) -> None:
        """The network is mended; the users finish: everything arrives, or they are told."""
        for _ in range(40):
            self.pass_time(30 * S)
            for host in self.hosts:
                if host.held:
                    host.take(1 << 20, self.now)
                if host.open and host.tcb is not None and self.quiet:
                    calls.shutdown_write(host.tcb, self.now)
                    host.settle(self.now)
        for host, other in ((self.client, self.server), (self.server, self.client)):
            assert other.written.startswith(host.read)
            tcb = host.tcb
            if tcb is None:
                continue
            if tcb.so_error:
                assert tcb.so_error in TOLD
            elif self.quiet:
                assert host.read == other.written, f"{host.name} was told nothing, and lacks text"
                assert host.ended, f"{host.name} waits for ever"
        if self.quiet:
            assert not any(host.tcb is not None and host.tcb.so_error for host in self.hosts)
            states = [host.tcb.state for host in self.hosts if host.tcb is not None]
            assert all(state in {State.TIME_WAIT, State.CLOSED} for state in states)


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(max_examples=120, stateful_step_count=25)
