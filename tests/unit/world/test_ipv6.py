"""Hosts with IPv6 addresses on links and LANs."""

import pytest

from halfopen.base.units import S
from halfopen.record.events import ArpSent, PacketSent
from halfopen.record.faults import InterfaceDown, InterfaceUp
from halfopen.record.trace import Trace
from halfopen.wire import icmp6, ip
from halfopen.wire.address import at_interface, bare, zoned
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import PROTO_ICMPV6, Packet
from halfopen.world.faults import inject
from halfopen.world.world import World

FOUR, SIX = ("10.0.0.1", "10.0.1.1", "10.0.2.1"), ("2001:db8::1", "2001:db8:1::1")


@pytest.mark.parametrize(
    ("number", "last", "shared"),
    [
        pytest.param(0, False, (FOUR[0], SIX[0]), id="the first"),
        pytest.param(1, False, (FOUR[1], SIX[1]), id="the second"),
        pytest.param(1, True, (*FOUR[1:], SIX[1]), id="the last has the rest"),
        pytest.param(2, True, (FOUR[2],), id="none is left"),
        pytest.param(0, True, (*FOUR, *SIX), id="the only one"),
    ],
)
def test_the_nth_interface_has_the_nth_address_of_each_family(
    number: int, last: bool, shared: tuple[str, ...]
) -> None:
    assert at_interface(FOUR + SIX, number, last=last) == shared


def two(*, lan: bool, own: str = "2001:db8::1") -> World:
    world = World(trace=Trace({}))
    world.host("a", ("10.0.0.1", own) if own else ("10.0.0.1",))
    world.host("b", ("10.0.0.2", "2001:db8::2"))
    if lan:
        world.lan("lan", ("a", "b"))
    else:
        world.link("a", "b")
    for host in world.hosts.values():
        host.power_on(0)
    return world


def sent(world: World, source: str, to: str) -> list[str]:
    """Let host a send an echo; tell what went over the wire: from whom to whom, or who asked."""
    host, kernel = world.hosts["a"], world.hosts["a"].kernel
    assert kernel is not None
    echo = Packet(source, to, PROTO_ICMPV6, Icmp(icmp6.ECHO, 0, 7, b"hello"))
    kernel.ip.send(echo, 0)
    kernel.settle(0)
    host.flush(0)
    world.run(S)
    assert world.trace is not None
    told = []
    for event in world.trace.events:
        if isinstance(event, ArpSent):
            told.append(f"{event.host}: {event.text}")
        elif isinstance(event, PacketSent):
            packet = ip.decode(event.raw)
            told.append(f"{event.host}: {packet.src} > {packet.dst}")
    return told


@pytest.mark.parametrize(
    ("source", "to"),
    [
        pytest.param("2001:db8::1", "2001:db8::2", id="its own address"),
        pytest.param("fe80::1%2", "fe80::2%2", id="link-local"),
    ],
)
def test_over_a_link(source: str, to: str) -> None:
    own, peer = bare(source), bare(to)
    assert sent(two(lan=False), source, to) == [f"a: {own} > {peer}", f"b: {peer} > {own}"]


@pytest.mark.parametrize(
    ("own", "peer"),
    [
        pytest.param("2001:db8::1", "2001:db8::2", id="its own address"),
        pytest.param("fe80::ff:fe00:101", "fe80::ff:fe00:102", id="link-local"),
    ],
)
def test_over_a_lan(own: str, peer: str) -> None:
    assert sent(two(lan=True), zoned(own, 2), zoned(peer, 2)) == [
        f"a: ND: who has {peer}? tell {own}",
        f"b: ND: {peer} is at 02:00:00:00:01:02",
        f"a: {own} > {peer}",
        f"b: {peer} > {own}",
    ]


def test_a_host_without_an_ipv6_address_has_none_on_its_link() -> None:
    world = two(lan=False, own="")
    kernel = world.hosts["a"].kernel
    assert kernel is not None
    assert kernel.ip.way("2001:db8::2") is None
    assert kernel.ip.way("fe80::2%2") is None
    assert kernel.ip.way("::1") is not None


def test_an_interface_that_goes_down_takes_the_addresses_with_it() -> None:
    world = two(lan=False)
    inject(world, InterfaceDown(host="a"), 0)
    inject(world, InterfaceUp(host="a"), 0)
    kernel = world.hosts["a"].kernel
    assert kernel is not None
    assert kernel.ip.way("2001:db8::2") is None
    assert kernel.ip.way("10.0.0.2") is not None
