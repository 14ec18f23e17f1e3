"""Hostile segments against a host: nothing crashes, nothing stalls, and who is blind does no harm.

A siege is a world of two hosts that talk, and somebody who throws segments at them at any moment:
blindly, as one who sees no packet must, or with numbers near those in use, or with bytes that are
no options. Whatever comes, every call of the programs ends, with what was sent or with an errno,
and time goes on. Where the attacker is blind and the connection was open, it delivers everything
(RFC 5961).

``python -m tests.property.siege`` lays as many sieges as it takes (``make hostile``).
"""

import argparse
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from errno import errorcode
from random import Random
from typing import Any, Final, NamedTuple

from benchmarks.bare import PORT, Bare, Program, enter, finish_sending, listening
from tests.unit.tcp.soundness import complaints

from halfopen.base.units import HOUR, MS, S
from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.waiting import Blocked
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb
from halfopen.wire import ip, tcp
from halfopen.wire.address import to_bytes
from halfopen.wire.checksum import checksum
from halfopen.wire.errors import WireError
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, Flow, Segment
from halfopen.world.host import Host
from halfopen.world.process import Process
from halfopen.world.world import World

CLIENT: Final = "10.0.0.1"
SERVER: Final = "10.0.0.2"
DELAY: Final = 40 * MS
#: A whole talk, its TIME-WAIT and every timeout of the programs, with room.
HORIZON: Final = 2 * HOUR
#: Steps of the world that a siege may take; past it two ends answer each other without end.
STEPS_MAX: Final = 200_000
#: Who lost its peer notices it. More than a TIME-WAIT lasts: each probe begins that anew, and a
#: forged FIN may have brought the peer there.
KEEPIDLE_S: Final = 90
#: As many segments come at one instant.
BURST: Final = 4
_ANY: Final = 1 << 32
_SIZES: Final = (*[0] * 6, 1, 2, 50, 536, 1_448, 1_460)
_FLAGS: Final = (
    *[ACK] * 8,
    *[PSH | ACK] * 4,
    *[FIN | ACK] * 3,
    *[RST] * 2,
    *(SYN, SYN | ACK, RST | ACK, FIN, 0, SYN | FIN, SYN | RST, URG | ACK, 63),
)


class Plot(NamedTuple):
    """How the two ends talk: how much, how slowly, and who ends first."""

    name: str
    client_first: bool = True
    server_first: bool = False
    crossed: bool = False  # both connect at once
    pause: int = 100 * MS  # between the pieces
    late: int = 0  # who has finished waits so long before it reads
    abort: bool = False  # the client ends with SO_LINGER 0


PLOTS: Final = (
    Plot("the client ends first"),
    Plot("the server ends first", client_first=False, server_first=True),
    Plot("both end at once", server_first=True),
    Plot("half open for a while", late=3 * S),
    Plot("both connect at once", crossed=True, server_first=True),
    Plot("slowly", pause=900 * MS, late=S),
    Plot("the client aborts", abort=True),
)


class Talker:
    """One end's program: it says its piece, hears the other's, and keeps what it was told."""

    def __init__(self, data: bytes, plot: Plot, *, first: bool, abort: bool = False) -> None:
        self.data = data
        self.plot = plot
        self.first = first
        self.abort = abort
        self.open = False
        self.heard: list[bytes] = []
        self.ended = False  # heard the end
        self.error = 0
        self.over = False

    def connects(self, process: Process, now: int) -> Program:
        yield from self._guarded(self._connects(process, now))

    def accepts(self, process: Process, now: int) -> Program:
        yield from self._guarded(self._accepts(process, now))

    def _guarded(self, program: Program) -> Program:
        try:
            yield from program
        except OSError as failed:
            self.error = failed.errno or -1
        self.over = True

    def _connects(self, process: Process, now: int) -> Program:
        table: Any = process.table
        fd = calls.socket(table, c.AF_INET, c.SOCK_STREAM, 0, now)
        there = SERVER if process.host.name == "client" else CLIENT
        if self.plot.crossed:
            calls.bind(table, fd, ("0.0.0.0", PORT), now)
        _, now = yield from enter(process, calls.connect, now, fd, (there, PORT))
        yield from self._talks(process, fd, now)

    def _accepts(self, process: Process, now: int) -> Program:
        table: Any = process.table
        fd = listening(process, now, backlog=4)
        patience = struct.pack("qq", 300, 0)
        calls.setsockopt(table, fd, c.SOL_SOCKET, c.SO_RCVTIMEO, patience, now)
        while True:
            (conn, peer), now = yield from enter(process, calls.accept, now, fd)
            if peer[0] == CLIENT:
                break
            yield from enter(process, calls.close, now, conn)
        yield from self._talks(process, conn, now)

    def _talks(self, process: Process, fd: int, now: int) -> Program:
        table: Any = process.table
        self.open = True
        for level, name, setting in (
            (c.SOL_SOCKET, c.SO_KEEPALIVE, 1),
            (c.IPPROTO_TCP, c.TCP_KEEPIDLE, KEEPIDLE_S),
            (c.IPPROTO_TCP, c.TCP_KEEPINTVL, 5),
            (c.IPPROTO_TCP, c.TCP_KEEPCNT, 3),
        ):
            calls.setsockopt(table, fd, level, name, setting, now)
        size = len(self.data) // 4
        for at in range(0, len(self.data), size):
            _, now = yield from enter(process, calls.send, now, fd, self.data[at : at + size], 0)
            now = yield Blocked((), now + self.plot.pause, "time")
        if self.abort:
            now_or_never = struct.pack("ii", 1, 0)
            calls.setsockopt(table, fd, c.SOL_SOCKET, c.SO_LINGER, now_or_never, now)
        elif self.first:
            finish_sending(process, fd, now)
            if self.plot.late:
                now = yield Blocked((), now + self.plot.late, "time")
        while not self.abort:
            heard, now = yield from enter(process, calls.recv, now, fd, 1 << 16, 0)
            if not heard:
                self.ended = True
                break
            self.heard.append(heard)
        _, now = yield from enter(process, calls.close, now, fd)


class Siege:
    """One world, one talk, and so many hostile segments."""

    def __init__(self, seed: int, *, blind: bool, plot: Plot, segments: int) -> None:
        self.rng = Random(seed)
        self.name = f"siege {seed}, {plot.name}, {'blind' if blind else 'near'}"
        self.blind = blind
        self.plot = plot
        self.world = World(seed)
        for name, address in (("client", CLIENT), ("server", SERVER)):
            self.world.host(name, (address,))
        self.world.link("client", "server", DELAY)
        for host in self.world.hosts.values():
            host.power_on(0)
        first, second = (self.rng.randbytes(self.rng.choice((4, 400, 12_000))) for _ in "cs")
        self.client = Talker(first, plot, first=plot.client_first, abort=plot.abort)
        self.server = Talker(second, plot, first=plot.server_first)
        self.states: Counter[str] = Counter()
        self.thrown = 0
        self.shaken = False  # something came before both ends were open
        self.excused = plot.abort or not blind  # it need not deliver
        self._plan(segments)

    def _plan(self, segments: int) -> None:
        rng, world = self.rng, self.world
        client, server = world.hosts["client"], world.hosts["server"]
        Bare(server.start("server", 0), self._program(self.server, accepts=not self.plot.crossed))
        Bare(client.start("client", 0), self._program(self.client, accepts=False))
        talk = 4 * DELAY + 4 * self.plot.pause
        begins = rng.choice((0, rng.randrange(talk), talk, talk + self.plot.late))
        lasts = rng.choice((DELAY, 4 * DELAY, S, 20 * S, 62 * S))
        for n in range(0, segments, BURST):
            act = self._burst(rng.choice((client, server)), min(BURST, segments - n))
            world.call_at(begins + rng.randrange(lasts), act)

    def _program(self, talker: Talker, *, accepts: bool) -> Callable[[Process, int], Program]:
        return talker.accepts if accepts else talker.connects

    def _burst(self, victim: Host, segments: int) -> Callable[[int], None]:
        def strikes(now: int) -> None:
            for _ in range(segments):
                self._strike(self._better(victim), now)

        return strikes

    def _better(self, victim: Host) -> Host:
        """Mostly, the other host where only that one has a connection."""
        kernel = victim.kernel
        if (kernel is not None and kernel.ip.demux.flows) or self.rng.random() < 0.2:
            return victim
        client, server = self.world.hosts["client"], self.world.hosts["server"]
        return server if victim is client else client

    def _strike(self, victim: Host, now: int) -> None:
        kernel = victim.kernel
        assert kernel is not None, "nobody takes the power"
        flows = list(kernel.ip.demux.flows.values())
        tcb = self.rng.choice(flows) if flows else None
        self.thrown += 1
        self.states[State.LISTEN.name if tcb is None else tcb.state.name] += 1
        self.shaken = self.shaken or not (self.client.open and self.server.open)
        packet = self._packet(victim, tcb, now)
        if packet is not None:
            victim.receive(packet, 0, now)
        for each in kernel.ip.demux.flows.values():
            found = complaints(each, now - 1)
            assert not found, f"{self.name}, {each.state.name}: {found}"

    # What is thrown.

    def _packet(self, victim: Host, tcb: Tcb | None, now: int) -> Packet | None:
        rng = self.rng
        here, there = (CLIENT, SERVER) if victim.name == "client" else (SERVER, CLIENT)
        known = tcb is not None and rng.random() < 0.8
        flow: Flow = (there, rng.choice((PORT, 40_000, rng.randrange(1, 65_536))), here, PORT)
        if known and tcb is not None:
            flow = arriving(tcb.flow)
        elif rng.random() < 0.1:
            flow = (there, flow[1], here, rng.randrange(1, 65_536))
        seg = Segment(flow, rng.randrange(_ANY), rng.randrange(_ANY), rng.choice(_FLAGS), 0)
        seg.wnd = rng.choice((0, 1, 500, 65_535, rng.randrange(65_536)))
        seg.text = rng.randbytes(rng.choice(_SIZES))
        seg.urg = rng.choice((0, 0, 1, 9, rng.randrange(65_536)))
        if rng.random() < 0.5:
            seg.ts_val, seg.ts_ecr = rng.randrange(_ANY), rng.randrange(_ANY)
        if seg.flags & SYN and rng.random() < 0.7:
            seg.mss = rng.choice((0, 1, 88, 536, 1_460, 65_535))
            seg.wscale = rng.choice((-1, 0, 7, 14, 15, 255))
            seg.sack_ok = rng.random() < 0.5
        if not self.blind and known and tcb is not None:
            self._aim(seg, tcb, now)
        return self._written(seg, raw=rng.random() < 0.1)

    def _aim(self, seg: Segment, tcb: Tcb, now: int) -> None:
        """Choose numbers as one who saw the last packets."""
        rng = self.rng
        far = (-1, 1, 2, 100, -100, 1_460, 70_000, tcb.rcv_wnd, tcb.rcv_wnd - 1, tcb.rcv_wnd + 1)
        seg.seq = tcb.rcv_nxt + rng.choice((*[0] * 10, *far)) & 0xFFFFFFFF
        seg.ack = rng.choice((*[tcb.snd_nxt] * 6, tcb.snd_una, tcb.snd_una - 1, tcb.snd_nxt + 1))
        seg.ack = seg.ack + rng.choice((0, 0, 0, 1, -1)) & 0xFFFFFFFF
        if tcb.ts_ok and rng.random() < 0.9:
            seg.ts_val = tcb.ts_recent + rng.choice((0, 0, 0, 1, 5, -1, -2, 1 << 20)) & 0xFFFFFFFF
            seg.ts_ecr = now // MS + tcb.ts_offset - rng.randrange(200) & 0xFFFFFFFF
        if not seg.flags & SYN and rng.random() < 0.1:
            edges = [tcb.snd_una + rng.randrange(-3_000, 9_000) for _ in range(6)]
            seg.sack = tuple(
                (edges[n] & 0xFFFFFFFF, edges[n + 1] & 0xFFFFFFFF) for n in range(0, 6, 2)
            )

    def _written(self, seg: Segment, *, raw: bool) -> Packet | None:
        """Write a segment and read it as its receiver does; None: no segment is left of it."""
        source, _, destination, _ = seg.flow
        data = _with_noise(seg, self.rng) if raw else tcp.encode(seg)
        packet = Packet(source, destination, PROTO_TCP, data)
        try:
            return ip.decode(ip.encode(packet))
        except WireError:
            return None

    # How it ends.

    def lay(self) -> str:
        """Let everything happen; say how the talk ended."""
        steps = 0
        while self.world.step(HORIZON):
            steps += 1
            assert steps < STEPS_MAX, f"{self.name}: no end of it"
        talkers = (self.client, self.server)
        for talker, other in (talkers, talkers[::-1]):
            who = "client" if talker is self.client else "server"
            assert talker.over, f"{self.name}: the {who} waits for ever"
            if not self.excused and not self.shaken:
                heard = b"".join(talker.heard)
                assert (talker.error, talker.ended, heard == other.data) == (0, True, True), (
                    f"{self.name}: the {who} has {len(heard)} of {len(other.data)} octets, "
                    f"{errorcode.get(talker.error, 'no error')}"
                )
        for host in self.world.hosts.values():
            assert host.kernel is not None
            left = [tcb.state.name for tcb in host.kernel.ip.demux.flows.values()]
            assert not left, f"{self.name}: {left} is left on {host.name}"
        errors = sorted({errorcode[talker.error] for talker in talkers if talker.error})
        return ", ".join(errors) or "delivered"


def _with_noise(seg: Segment, rng: Random) -> bytes:
    """Write a segment with a header that holds any bytes where its options are."""
    options = bytearray(rng.randbytes(4 * rng.randrange(1, 11)))
    if rng.random() < 0.7:  # begin with an option that is known, of any length
        options[:2] = bytes((rng.choice((2, 3, 4, 5, 8, 0, 1)), rng.randrange(12)))
    source, sport, destination, dport = seg.flow
    words = 5 + len(options) // 4
    head = struct.pack(
        "!HHIIBBHHH", sport, dport, seg.seq, seg.ack, words << 4, seg.flags, seg.wnd, 0, seg.urg
    )
    data = head + bytes(options) + seg.text
    pseudo = to_bytes(source) + to_bytes(destination) + struct.pack("!HH", PROTO_TCP, len(data))
    return data[:16] + struct.pack("!H", checksum(pseudo + data)) + data[18:]


class Report:
    """What many sieges came to."""

    def __init__(self) -> None:
        self.sieges = 0
        self.segments = 0
        self.states: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.unharmed = 0  # by the blind, although they came

    def lay(self, seed: int, segments: int) -> None:
        """One siege of so many segments."""
        siege = Siege(seed, blind=bool(seed & 1), plot=PLOTS[seed // 2 % 7], segments=segments)
        self.ends[siege.lay()] += 1
        self.sieges += 1
        self.segments += siege.thrown
        self.states.update(siege.states)
        self.unharmed += not siege.excused and not siege.shaken

    def __str__(self) -> str:
        states = ", ".join(f"{name} {count}" for name, count in self.states.most_common())
        ends = ", ".join(f"{name} {count}" for name, count in self.ends.most_common())
        return (
            f"{self.segments} hostile segments in {self.sieges} worlds: "
            "none crashed, every call ended, no connection was left.\n"
            f"at a host in: {states}\n"
            f"ends: {ends}\n"
            f"open while only the blind attacked: {self.unharmed}, all of them delivered everything"
        )


#: Segments of one siege.
EACH: Final = 60


def besiege(segments: int, seed: int = 0) -> Report:
    """Lay sieges until so many segments were thrown."""
    report = Report()
    while report.segments < segments:
        report.lay(seed + report.sieges, min(EACH, segments - report.segments))
    return report


def main() -> int:
    """Lay them, and say what came of it."""
    parser = argparse.ArgumentParser(description="Hostile segments against two hosts that talk.")
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.process_time()
    print(besiege(options.segments, options.seed))  # noqa: T201  as programs do
    print(f"{time.process_time() - began:.0f} s of CPU, seed {options.seed}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
