"""Which way a packet goes, and from which address."""

from errno import EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH

import pytest

from halfopen.net.interfaces import LOOPBACK, Interface, split_prefix
from halfopen.net.routes import Routes


def table(*interfaces: Interface) -> Routes:
    routes = Routes()
    for interface in interfaces:
        routes.connect(interface)
    return routes


ETH0 = ("10.0.0.1/24", "10.0.0.9")
ETH1 = ("192.168.1.1",)


def two_links() -> tuple[Routes, Interface, Interface]:
    eth0 = Interface(0, "eth0", ETH0)
    eth1 = Interface(1, "eth1", ETH1, peers=("192.168.1.2", "10.1.0.0/16"))
    return table(eth0, eth1), eth0, eth1


@pytest.mark.parametrize(
    ("destination", "index", "source"),
    [
        pytest.param("10.0.0.77", 0, "10.0.0.1", id="a network that one is in"),
        pytest.param("192.168.1.2", 1, "192.168.1.1", id="a peer"),
        pytest.param("10.1.2.3", 1, "192.168.1.1", id="a network behind a peer"),
        pytest.param("10.0.0.1", LOOPBACK, "10.0.0.1", id="oneself, from oneself"),
        pytest.param("10.0.0.9", LOOPBACK, "10.0.0.9", id="oneself, at another address"),
        pytest.param("127.0.0.1", LOOPBACK, "127.0.0.1", id="the loopback"),
        pytest.param("127.9.9.9", LOOPBACK, "127.0.0.1", id="somewhere in the loopback's network"),
    ],
)
def test_the_way(destination: str, index: int, source: str) -> None:
    routes, _, _ = two_links()
    way = routes.way(destination)
    assert way is not None
    assert (way.interface.index, way.source) == (index, source)


def test_nowhere() -> None:
    routes, _, _ = two_links()
    assert routes.way("8.8.8.8") is None
    assert routes.way("8.8.8.8") is None, "nor when it was asked before"


def test_the_longest_prefix_wins_whatever_came_first() -> None:
    routes, eth0, eth1 = two_links()
    routes.add("0.0.0.0/0", eth0)
    routes.add("10.0.0.77", eth1)
    found = [routes.way(text) for text in ("8.8.8.8", "10.0.0.77", "10.0.0.78")]
    assert [way.interface.index if way else None for way in found] == [0, 1, 0]


def test_a_route_may_prefer_another_source() -> None:
    routes, _, _ = two_links()
    assert routes.way("192.168.1.2") is not None, "asked before"
    routes.prefer("192.168.1.2", "10.0.0.9")
    routes.prefer("192.168.0.0/16", "10.0.0.1")
    found = [routes.way(text) for text in ("192.168.1.2", "10.1.2.3")]
    assert [way.source if way else None for way in found] == ["10.0.0.9", "192.168.1.1"]


def test_an_interface_that_is_down_has_no_routes() -> None:
    routes, eth0, _ = two_links()
    assert routes.way("10.0.0.77") is not None
    eth0.up = False
    routes.changed()
    assert routes.way("10.0.0.77") is None
    assert routes.way("10.0.0.1") is not None, "one's own address is still one's own"


def test_an_address_takes_the_routes_with_it_that_prefer_it() -> None:
    routes, _, _ = two_links()
    assert routes.is_local("10.0.0.1")
    routes.remove_address("10.0.0.1")
    assert not routes.is_local("10.0.0.1")
    assert routes.way("10.0.0.77") is None
    assert routes.way("192.168.1.2") is not None


@pytest.mark.parametrize(
    ("source", "destination", "zone", "index"),
    [
        pytest.param("10.0.0.1", "10.0.0.77", 0, 0, id="from an address of one's own"),
        pytest.param("192.168.1.1", "10.0.0.77", 0, 0, id="also of another interface"),
        pytest.param("10.0.0.77", "10.0.0.78", 0, None, id="not from somebody else's"),
        pytest.param("127.0.0.1", "10.0.0.77", 0, None, id="not from the loopback's"),
        pytest.param("127.0.0.1", "127.0.0.2", 0, LOOPBACK, id="but within it"),
        pytest.param("10.0.0.1", "172.16.0.1", 0, None, id="nowhere"),
        pytest.param("10.0.0.1", "172.16.0.1", 2, 0, id="who is tied asks the interface"),
        pytest.param("10.0.0.77", "10.0.0.78", 2, None, id="tied, from somebody else's"),
        pytest.param("fc00::77", "::1", 0, LOOPBACK, id="of IPv6 nobody asks"),
    ],
)
def test_what_a_connection_sends_leaves(
    source: str, destination: str, zone: int, index: int | None
) -> None:
    routes, eth0, _ = two_links()
    assert eth0.zone == 2
    for _ in range(2):  # the second answer is remembered
        way = routes.leaving(source, destination, zone)
        assert (None if way is None else way.interface.index) == index


def test_what_leaves_is_asked_anew_when_an_address_goes() -> None:
    routes, _, _ = two_links()
    assert routes.leaving("192.168.1.1", "10.0.0.77", 0) is not None
    routes.remove_address("192.168.1.1")
    assert routes.leaving("192.168.1.1", "10.0.0.77", 0) is None


def test_what_leaves_is_asked_anew_when_an_address_comes() -> None:
    routes, _, _ = two_links()
    assert routes.leaving("172.16.0.1", "10.0.0.77", 0) is None
    routes.connect(Interface(2, "eth2", ("172.16.0.1",)))
    assert routes.leaving("172.16.0.1", "10.0.0.77", 0) is not None


@pytest.mark.parametrize(
    ("address", "broadcast"),
    [
        ("10.0.0.255", True),
        ("255.255.255.255", True),
        ("10.0.0.254", False),
        ("192.168.1.2", False),
    ],
)
def test_broadcast(address: str, broadcast: bool) -> None:
    routes, _, _ = two_links()
    assert routes.is_broadcast(address) is broadcast


def test_a_prefix_without_length_is_one_host() -> None:
    assert split_prefix("10.0.0.1") == ("10.0.0.1", 32)
    assert split_prefix("0.0.0.0/0") == ("0.0.0.0", 0)


def test_an_address_of_ipv6_that_goes_leaves_the_routes_of_others() -> None:
    eth0 = Interface(0, "eth0", ("2001:db8::1/64", "2001:db8::9/64"))
    eth1 = Interface(1, "eth1", ("2001:db8:1::1/64",))
    routes = table(eth0, eth1)
    routes.remove_address("2001:db8::1")
    first, second = routes.way("2001:db8::77"), routes.way("2001:db8:1::77")
    assert first is not None
    assert second is not None
    assert (first.source, second.source) == ("2001:db8::9", "2001:db8:1::1")


@pytest.mark.parametrize(
    ("kind", "told"), [("unreachable", EHOSTUNREACH), ("prohibit", EACCES), ("blackhole", EINVAL)]
)
@pytest.mark.parametrize(
    ("refused", "destination"),
    [("192.0.2.0/24", "192.0.2.7"), ("192.0.2.7", "192.0.2.7"), ("2001:db8::/32", "2001:db8::7")],
)
def test_a_route_may_refuse(kind: str, told: int, refused: str, destination: str) -> None:
    routes, _, _ = two_links()
    assert routes.no_way(destination) == ENETUNREACH
    routes.refuse(refused, kind)
    assert routes.way(destination) is None
    assert routes.no_way(destination) == told


def test_a_longer_route_leads_through_what_a_shorter_one_refuses() -> None:
    routes, _, eth1 = two_links()
    routes.refuse("192.168.1.0/24", "prohibit")
    way = routes.way("192.168.1.2")
    assert way is not None
    assert way.interface is eth1
    assert routes.no_way("192.168.1.3") == EACCES
    assert routes.no_way("192.168.2.3") == ENETUNREACH
    assert not routes.is_broadcast("192.168.1.255"), "nobody is in that network"


@pytest.mark.parametrize(
    ("zone", "destination", "index"),
    [
        pytest.param(2, "10.0.0.77", 0, id="a network that it is in"),
        pytest.param(3, "10.0.0.77", 1, id="a network of another: on its link"),
        pytest.param(2, "10.0.0.9", LOOPBACK, id="oneself"),
        pytest.param(3, "10.0.0.9", 1, id="oneself, at another interface: on its link"),
        pytest.param(1, "127.0.0.1", LOOPBACK, id="the loopback, at the loopback"),
        pytest.param(9, "10.0.0.77", None, id="no such interface"),
        pytest.param(2, "fd00::7", None, id="IPv6 is not on every link"),
    ],
)
def test_the_way_of_a_socket_that_is_tied_to_an_interface(
    zone: int, destination: str, index: int | None
) -> None:
    """Linux ip_route_output_key_hash_rcu, RT6_LOOKUP_F_IFACE."""
    routes, _, _ = two_links()
    way = routes.way_by(zone, destination)
    assert (None if way is None else way.interface.index) == index


def test_who_is_tied_to_the_loopback_speaks_to_it_from_itself() -> None:
    routes, _, _ = two_links()
    way = routes.way_by(routes.loopback.zone, "127.0.0.2")
    assert (None if way is None else way.source) == "127.0.0.1"


@pytest.mark.parametrize(
    ("zone", "destination", "source", "told"),
    [
        pytest.param(1, "192.0.2.7", "10.0.0.1", 0, id="IPv4 is on the link"),
        pytest.param(2, "192.0.2.7", "10.0.0.1", 0, id="at any interface"),
        pytest.param(3, "192.0.2.7", "192.168.1.1", 0, id="with an address of that"),
        pytest.param(1, "2001:db8::7", None, EACCES, id="IPv6 is refused at the loopback"),
        pytest.param(2, "2001:db8::7", None, ENETUNREACH, id="elsewhere there is no route"),
    ],
)
def test_a_route_that_refuses_who_is_tied(
    zone: int, destination: str, source: str | None, told: int
) -> None:
    routes, _, _ = two_links()
    routes.refuse("192.0.2.0/24", "prohibit")
    routes.refuse("2001:db8::/32", "prohibit")
    way = routes.way_by(zone, destination)
    assert (None if way is None else way.source) == source
    assert way is not None or routes.no_way(destination, zone) == told


@pytest.mark.parametrize(("zone", "own"), [(0, "127.0.0.1"), (1, "127.0.0.1"), (3, "192.168.1.1")])
def test_no_address_leads_to_oneself(zone: int, own: str) -> None:
    routes, _, _ = two_links()
    assert routes.oneself(zone) == own
