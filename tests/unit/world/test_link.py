"""Links: order, delay, a cable that is out, and hosts without power, read from the trace."""

from halfopen.record.events import PacketArrived, PacketLost, PacketSent
from halfopen.record.faults import CableIn, CableOut, PowerOff
from halfopen.record.trace import Trace
from halfopen.wire.ip import Packet
from halfopen.world.faults import inject
from halfopen.world.world import World

DELAY = 1000


def pair() -> World:
    world = World(trace=Trace({}))
    world.host("a", ("10.0.0.1",))
    world.host("b", ("10.0.0.2",))
    world.link("a", "b", DELAY)
    for host in world.hosts.values():
        host.power_on(0)
    return world


def send(world: World, text: bytes, *, back: bool = False) -> None:
    """Put an ICMP echo reply, which nobody answers, on the wire."""
    link = world.links["a-b"]
    way = link.ba if back else link.ab
    src, dst = ("10.0.0.2", "10.0.0.1") if back else ("10.0.0.1", "10.0.0.2")
    way.send(Packet(src, dst, 253, text), way.number(), world.now)


def fates(world: World) -> list[tuple[str, int, str]]:
    """What became of each packet, when, in the order of the trace; answers to ours left out."""
    assert world.trace is not None
    sent = {e.packet_id: e for e in world.trace.events if isinstance(e, PacketSent)}
    found = []
    for event in world.trace.events:
        if isinstance(event, PacketArrived | PacketLost):
            raw = sent[event.packet_id].raw
            if raw[9] == 253:
                fate = event.why if isinstance(event, PacketLost) else f"at {event.host}"
                found.append((raw[20:].decode(), event.t_ns, fate))
    return found


def test_packets_arrive_after_the_delay_in_the_order_in_which_they_left() -> None:
    world = pair()
    for at, text in ((0, b"1"), (0, b"2"), (400, b"3"), (5000, b"4")):
        world.call_at(at, lambda _, text=text: send(world, text))  # type: ignore[misc]
    world.run()
    assert fates(world) == [
        ("1", 1000, "at b"),
        ("2", 1000, "at b"),
        ("3", 1400, "at b"),
        ("4", 6000, "at b"),
    ]


def test_a_link_keeps_one_entry_however_much_is_on_the_wire() -> None:
    world = pair()
    for number in range(50):
        send(world, str(number).encode())
    way = world.links["a-b"].ab
    assert sum(event is way for _, _, event in world.queue.heap) == 1
    world.run()
    assert len(fates(world)) == 50


def test_what_is_on_the_wire_is_lost_when_the_cable_is_pulled() -> None:
    world = pair()
    send(world, b"on the wire")
    world.call_at(300, lambda now: inject(world, CableOut(link="a-b"), now))
    world.call_at(400, lambda _: send(world, b"too late"))
    world.call_at(500, lambda now: inject(world, CableIn(link="a-b"), now))
    world.call_at(600, lambda _: send(world, b"again"))
    world.run()
    assert fates(world) == [
        ("on the wire", 300, "cable out"),
        ("too late", 400, "cable out"),
        ("again", 1600, "at b"),
    ]


def test_a_cable_that_is_out_one_way_carries_the_other() -> None:
    world = pair()
    inject(world, CableOut(link="a-b", towards="b"), 0)
    send(world, b"there")
    send(world, b"back", back=True)
    world.run()
    assert fates(world) == [("there", 0, "cable out"), ("back", 1000, "at a")]


def test_packets_to_a_host_without_power_disappear_and_those_it_sent_go_on() -> None:
    world = pair()
    send(world, b"from it", back=True)
    send(world, b"to it")
    world.call_at(10, lambda now: inject(world, PowerOff(host="b"), now))
    world.run()
    assert sorted(fates(world)) == [("from it", 1000, "at a"), ("to it", 1000, "host off")]


class Puller:
    """Pulls the cable at the first arrival."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.points: list[tuple[str, str]] = []

    def point(self, kind: str, host: str, number: int, now: int) -> None:  # noqa: ARG002
        self.points.append((kind, host))
        if kind == "before arrival":
            self.world.observer = None
            inject(self.world, CableOut(link="a-b"), now)


def test_a_fault_at_the_instant_of_an_arrival_takes_the_packet() -> None:
    world = pair()
    world.observer = puller = Puller(world)
    send(world, b"1")
    send(world, b"2")
    world.run()
    assert puller.points == [("before arrival", "b")]
    assert fates(world) == [("1", 1000, "cable out"), ("2", 1000, "cable out")]
