"""The wire in user space, between two sockets in the place of interfaces."""

import os
import socket
from collections.abc import Iterator

import pytest

from halfopen.base.rng import Rng
from halfopen.base.units import MS
from halfopen.oracle import wire
from halfopen.oracle.wire import Cable, End
from halfopen.record import fates
from halfopen.record.events import PacketArrived, PacketLost, PacketSent
from halfopen.record.faults import Duplicate, Forge, Impair, Lose, Unreachable
from halfopen.record.query import Packet, packets
from halfopen.record.trace import Trace
from halfopen.wire import ip
from halfopen.wire.icmp import Icmp
from halfopen.wire.tampering import Tampering
from halfopen.wire.tcp import ACK, PSH, RST, SYN, Segment

DELAY = 10 * MS
LINK = "client-server"
ADDRESS = {"client": "10.0.0.1", "server": "10.0.0.2"}
PORT = {"client": 40000, "server": 80}


class Bench:
    """A cable, and what the two kernels would send into it and read from it."""

    def __init__(self) -> None:
        self.trace = Trace({})
        self.kernels: dict[str, socket.socket] = {}
        ends = []
        for host in ADDRESS:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            for end in (ours, theirs):
                end.setblocking(False)
            self.kernels[host] = theirs
            ends.append(End(host, os.dup(ours.fileno())))
            ours.close()
        self.cable = Cable(LINK, ends[0], ends[1], DELAY)

    def close(self) -> None:
        for end in self.cable.ends:
            if end.tun is not None:
                os.close(end.tun)
        for kernel in self.kernels.values():
            kernel.close()

    def send(self, host: str, now: int, flags: int = ACK, text: bytes = b"", seq: int = 0) -> bytes:
        """Let a host's kernel send a segment, and the wire take it."""
        peer = "server" if host == "client" else "client"
        flow = (ADDRESS[host], PORT[host], ADDRESS[peer], PORT[peer])
        seg = Segment(flow, 1000 + seq, 2000, flags, 502, text)
        raw = ip.encode(ip.Packet(ADDRESS[host], ADDRESS[peer], ip.PROTO_TCP, seg))
        self.kernels[host].send(raw)
        self.cable.towards(peer).collect(self.trace, now)
        return raw

    def deliver(self, now: int) -> dict[str, list[bytes]]:
        """Let the wire deliver, and read what the kernels got."""
        got: dict[str, list[bytes]] = {}
        for way in self.cable.ways:
            way.deliver(self.trace, now)
        for host, kernel in self.kernels.items():
            got[host] = []
            while True:
                try:
                    got[host].append(kernel.recv(65536))
                except BlockingIOError:
                    break
        return got

    def packets(self) -> list[Packet]:
        return packets(self.trace)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_a_packet_arrives_after_the_link_s_delay(bench: Bench) -> None:
    raw = bench.send("client", 5 * MS)
    assert bench.cable.towards("server").due() == 15 * MS
    assert bench.deliver(14 * MS) == {"client": [], "server": []}
    assert bench.deliver(15 * MS) == {"client": [], "server": [raw]}
    assert [type(event) for event in bench.trace.events] == [PacketSent, PacketArrived]
    assert (bench.packets()[0].arrived_ns, bench.packets()[0].arrived_at) == (15 * MS, "server")


def test_each_way_keeps_the_order_of_departure(bench: Bench) -> None:
    sent = [bench.send("client", at, seq=at) for at in range(3)]
    other = bench.send("server", 0)
    assert bench.deliver(11 * MS) == {"client": [other], "server": sent}


def test_a_pulled_cable_takes_what_is_on_it(bench: Bench) -> None:
    bench.send("client", 0)
    assert bench.cable.pull(bench.trace, 5 * MS, seen_by=(), towards=None)
    bench.send("server", 6 * MS)
    assert bench.deliver(50 * MS) == {"client": [], "server": []}
    assert [packet.why for packet in bench.packets()] == [fates.CABLE_OUT] * 2
    assert not bench.cable.pull(bench.trace, 7 * MS, seen_by=(), towards=None), "it is out"
    assert bench.cable.plug()
    assert not bench.cable.plug(), "it is in"
    raw = bench.send("client", 60 * MS)
    assert bench.deliver(70 * MS)["server"] == [raw]


def test_one_way_may_be_cut_alone(bench: Bench) -> None:
    assert bench.cable.pull(bench.trace, 0, seen_by=(), towards="server")
    bench.send("client", 0)
    raw = bench.send("server", 0)
    assert bench.deliver(DELAY) == {"client": [raw], "server": []}


def test_a_host_without_power_gets_nothing(bench: Bench) -> None:
    bench.send("client", 0)
    end = bench.cable.ends[1]
    assert end.tun is not None
    os.close(end.tun)
    end.tun = None
    bench.deliver(DELAY)
    assert [packet.why for packet in bench.packets()] == [fates.HOST_OFF]


def test_an_interface_that_is_down_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(tun: int, raw: bytes) -> int:
        del tun, raw
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", write)
    wire.hand_over(3, b"")


@pytest.mark.parametrize(
    ("pick", "flags", "text", "picked"),
    [
        ("any", ACK, b"", True),
        ("SYN", SYN, b"", True),
        ("SYN", SYN | ACK, b"", False),
        ("SYN,ACK", SYN | ACK, b"", True),
        ("text", ACK | PSH, b"x", True),
        ("text", ACK, b"", False),
        ("bare ACK", ACK, b"", True),
        ("bare ACK", ACK, b"x", False),
        ("RST", RST, b"", True),
    ],
)
def test_a_fault_picks_its_packets(
    bench: Bench, pick: str, flags: int, text: bytes, picked: bool
) -> None:
    fault = Lose(link=LINK, towards="server", pick=pick)  # type: ignore[arg-type]
    bench.cable.towards("server").tamperings.append(Tampering(fault))
    bench.send("client", 0, flags, text)
    assert bench.packets()[0].why == (fates.LOST if picked else None)


def test_so_many_are_lost_and_no_more(bench: Bench) -> None:
    fault = Lose(link=LINK, towards="server", count=2)
    bench.cable.towards("server").tamperings.append(Tampering(fault))
    for at in range(3):
        bench.send("client", at)
    assert [packet.why for packet in bench.packets()] == [fates.LOST, fates.LOST, None]
    assert len(bench.deliver(DELAY + 2)["server"]) == 1


def test_a_doubled_packet_arrives_twice(bench: Bench) -> None:
    fault = Duplicate(link=LINK, towards="server")
    bench.cable.towards("server").tamperings.append(Tampering(fault))
    raw = bench.send("client", 0, ACK | PSH, b"hello")
    assert bench.deliver(DELAY)["server"] == [raw, raw]
    assert [packet.by for packet in bench.packets()] == ["", "doubled"]


def test_a_router_answers_for_what_it_does_not_pass_on(bench: Bench) -> None:
    fault = Unreachable(link=LINK, towards="server", code=1)
    bench.cable.towards("server").tamperings.append(Tampering(fault))
    bench.send("client", 0)
    got = bench.deliver(DELAY)
    assert got["server"] == []
    (answer,) = got["client"]
    message = ip.decode(answer).body
    assert isinstance(message, Icmp)
    assert (message.kind, message.code) == (3, 1)
    assert [(packet.why, packet.by) for packet in bench.packets()] == [
        (fates.LOST, ""),
        (None, "router"),
    ]


def test_a_forged_segment_goes_on_where_the_last_one_ended(bench: Bench) -> None:
    way = bench.cable.towards("server")
    fault = Forge(link=LINK, towards="server", flags="RST", seq=7)
    assert not way.forge(bench.trace, fault, 0), "there is none to go on from"
    bench.send("client", 0, ACK | PSH, b"hello")
    assert way.forge(bench.trace, fault, 0)
    seg = ip.decode(bench.deliver(DELAY)["server"][1]).body
    assert isinstance(seg, Segment)
    assert (seg.flags, seg.seq) == (RST, 1000 + 5 + 7)
    assert bench.packets()[1].by == "forger"


def test_a_slow_way_carries_one_packet_after_another(bench: Bench) -> None:
    """Forty octets at 32 kbit/s take 10 ms; two wait, the next finds the queue full."""
    fault = Impair(link=LINK, towards="server", rate_bps=32_000, queue=2)
    way = bench.cable.towards("server")
    way.impair(fault, Rng(1))
    for _ in range(4):
        bench.send("client", 0)
    assert [at for at, _, _ in way.flights] == [20 * MS, 30 * MS, 40 * MS]
    assert [packet.why for packet in bench.packets()] == [None, None, None, fates.QUEUE_FULL]


def test_chance_is_that_of_the_world(bench: Bench) -> None:
    """The same seed, the same way: the same of a hundred packets meet the same fate."""
    fault = Impair(link=LINK, towards="server", loss=200, corrupt=200, duplicate=200, reorder=200)
    bench.cable.towards("server").impair(fault, Rng(3))
    for at in range(100):
        bench.send("client", at * MS, seq=at)
    found = bench.packets()
    assert {packet.why for packet in found} == {None, fates.LOST, fates.DAMAGED}
    assert {packet.by for packet in found} == {"", "doubled"}
    got = bench.deliver(1000 * MS)["server"]
    assert len(got) == sum(packet.why is None for packet in found)
    numbers = [seg.seq for raw in got if isinstance(seg := ip.decode(raw).body, Segment)]
    assert numbers != sorted(numbers), "some are overtaken"

    again = Bench()
    again.cable.towards("server").impair(fault, Rng(3))
    for at in range(100):
        again.send("client", at * MS, seq=at)
    assert [p.why for p in again.packets()] == [p.why for p in found]
    again.close()


def test_what_lies_about_is_lost_with_the_cable_too(bench: Bench) -> None:
    way = bench.cable.towards("server")
    way.impair(Impair(link=LINK, towards="server", reorder=1000), Rng(1))
    bench.send("client", 0)
    assert way.due() is not None
    bench.cable.pull(bench.trace, MS, seen_by=(), towards=None)
    assert way.due() is None
    assert [type(event) for event in bench.trace.events] == [PacketSent, PacketLost]
