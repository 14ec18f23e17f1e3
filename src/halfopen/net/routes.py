"""Which way a packet goes, and which address it comes from."""

from errno import EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH
from typing import Final

from halfopen.net import sources
from halfopen.net.interfaces import (
    LOOPBACK,
    LOOPBACK_MTU,
    LOOPBACK_ZONE,
    Interface,
    primary_of,
    split_prefix,
)
from halfopen.wire import address

_ALL_ONES: Final = 0xFFFFFFFF
#: Of the routes to the networks that IPv6 addresses lie in, and of others where nothing is said.
_METRIC_OWN6: Final = 256
_METRIC6: Final = 1024
#: What a route tells that leads nowhere, by its kind (Linux fib_props, fib6_prop).
REFUSALS: Final = {"unreachable": EHOSTUNREACH, "prohibit": EACCES, "blackhole": EINVAL}


class Route:
    """A destination and the interface that leads there; ``source`` is the preferred address.

    Without one it is chosen each time. Of routes to the same network that of the least ``metric``
    is taken. ``errno``: it leads nowhere, and that is told to who sends.
    """

    def __init__(
        self,
        destination: str,
        interface: Interface,
        source: str = "",
        metric: int = 0,
        errno: int = 0,
    ) -> None:
        network, length = split_prefix(destination)
        bits = address.bits(network)
        ones = (1 << bits) - 1
        self.mask = ones << (bits - length) & ones
        self.network = address.number(network) & self.mask
        self.length = length
        self.interface = interface
        self.source = source
        self.metric = metric
        self.errno = errno

    def leads_to(self, number: int) -> bool:
        """Whether a destination lies in its network."""
        return number & self.mask == self.network


class Way:
    """The answer for one destination: by which interface, from which address; "": there is none.

    ``zone`` is the interface by which comes what the loopback carries there (Linux rt_iif): that
    which has the address, or the loopback itself.
    """

    def __init__(self, interface: Interface, source: str, zone: int = LOOPBACK_ZONE) -> None:
        self.interface = interface
        self.source = source
        self.zone = zone


class Routes:
    """The routing tables of one host, one for each family, and which addresses are its own."""

    def __init__(self, *, v6: bool = True) -> None:
        own = (address.LOOPBACK, address.LOOPBACK6) if v6 else (address.LOOPBACK,)
        self.loopback = Interface(LOOPBACK, "lo", own, mtu=LOOPBACK_MTU, v6=v6)
        self.interfaces = [self.loopback]
        self.table: list[Route] = []
        self.table6: list[Route] = []
        self.local: dict[str, Interface] = {}
        if v6:
            self.local[address.LOOPBACK6] = self.loopback
        self.primary: dict[str, str] = {}  # of those that are secondary
        self.broadcasts: dict[str, None] = {address.BROADCAST: None}
        self._known: dict[str, Way | None] = {}
        self._leaving: dict[tuple[str, str], Way | None] = {}

    def connect(self, interface: Interface) -> None:
        """Make the host's own addresses, the networks they lie in, and the peers reachable."""
        self.interfaces.append(interface)
        primaries = interface.primaries()
        for text in interface.addresses:
            own, length = split_prefix(text)
            self.local[own] = interface
            if address.is_v6(own):
                if length < address.bits(own):
                    network = f"{address.bare(own)}/{length}"
                    self.add(network, interface, metric=_METRIC_OWN6)
                continue
            primary = primary_of(own, length, primaries) or own
            if primary != own:
                self.primary[own] = primary
            elif length < address.bits(own):
                self._enter(text, interface, own)
        for text in interface.peers:
            self._join(text, interface)
        self.changed()

    def _enter(self, network: str, interface: Interface, source: str) -> None:
        """Be in an IPv4 network, which has a broadcast address (Linux fib_add_ifaddr)."""
        route = Route(network, interface, source)
        self._insert(route, source)
        if route.length < 31:
            octets = (route.network | ~route.mask & _ALL_ONES).to_bytes(4, "big")
            everybody = address.from_bytes(octets)
            if everybody not in self.local:
                self.broadcasts[everybody] = None

    def _join(self, destination: str, interface: Interface) -> None:
        """Make a peer reachable, or on a LAN a network.

        Where the interface has no address of the family there is nothing to send from, and no
        route. Link-local addresses need none: their zone is the way.
        """
        network, _ = split_prefix(destination)
        text = interface.source(network)
        if text is None or address.is_link_local(network):
            return
        source, _ = split_prefix(text)
        if interface.neighbours and not address.is_v6(network):
            self._enter(destination, interface, source)
        else:
            self.add(destination, interface, source)

    def add(
        self, destination: str, interface: Interface, source: str = "", metric: int = 0
    ) -> None:
        """Add a route to a host (``10.0.0.2``) or a network (``10.1.0.0/16``, ``::/0``)."""
        v6 = address.is_v6(destination)
        route = Route(destination, interface, source, metric or (_METRIC6 if v6 else 0))
        self._insert(route, destination)

    def refuse(self, destination: str, kind: str) -> None:
        """Add a route that leads nowhere (``ip route add unreachable 192.0.2.0/24``)."""
        route = Route(destination, self.loopback, errno=REFUSALS[kind])
        self._insert(route, destination)

    def _insert(self, route: Route, network: str) -> None:
        table = self._table(network)
        table.append(route)
        table.sort(key=_order)
        self.changed()

    def prefer(self, destination: str, source: str) -> None:
        """Let what goes to a destination come from another address (``ip route ... src``)."""
        network, length = split_prefix(destination)
        for route in self._table(network):
            if route.network == address.number(network) and route.length == length:
                route.source = source
        self.changed()

    def remove_address(self, own: str) -> None:
        """Be at an address no longer.

        Routes that prefer it go with it (Linux fib_sync_down_addr); those of IPv6 stay, and prefer
        another (Linux rt6_remove_prefsrc).
        """
        interface = self.local.pop(own, None)
        self.table = [route for route in self.table if route.source != own]
        if interface is not None and address.is_v6(own):
            kept = tuple(text for text in interface.addresses if split_prefix(text)[0] != own)
            interface.addresses = kept
            for route in self.table6:
                if route.source == own:
                    route.source = ""
        self.changed()

    def take_down(self, interface: Interface) -> None:
        """Take the IPv6 addresses of an interface that goes down (Linux addrconf_ifdown)."""
        for text in interface.addresses:
            if address.is_v6(text):
                self.local.pop(split_prefix(text)[0], None)
        interface.addresses = tuple(text for text in interface.addresses if not address.is_v6(text))
        self.table6 = [route for route in self.table6 if route.interface is not interface]
        self.changed()

    def changed(self) -> None:
        """Forget the answers: an interface went up or down, an address or a route came or went."""
        self._known.clear()
        self._leaving.clear()

    def is_local(self, destination: str) -> bool:
        """Whether a packet to there is for this host."""
        return destination in self.local or destination.startswith("127.")

    def oneself(self, zone: int) -> str:
        """Return where 0.0.0.0 leads from a socket that is tied to an interface, or to none (0).

        Linux ip_route_output_key_hash_rcu.
        """
        for interface in self.interfaces:
            if interface.zone == zone and interface is not self.loopback:
                return sources.of_ipv4(interface, self.interfaces)
        return address.LOOPBACK

    def zone_at(self, own: str) -> int:
        """Return the interface that has an address of the host's own."""
        at = self.local.get(own)
        return self.loopback.zone if at is None else at.zone

    def way(self, destination: str) -> Way | None:
        """Return how to get there; None where no route leads there (ENETUNREACH).

        Linux ip_route_output_key_hash, ip6_route_output_flags. A destination of its own is reached
        through the loopback, from itself; 127.0.0.0/8 from 127.0.0.1.
        """
        if destination in self._known:
            return self._known[destination]
        way = self._find(destination)
        self._known[destination] = way
        return way

    def leaving(self, source: str, destination: str, zone: int) -> Way | None:
        """Return the way that a connection's segment takes, by an interface or any (0).

        None: it is dropped. What is of IPv4 leaves from the host's own addresses only, and what is
        the loopback's stays here (Linux ip_route_output_key_hash_rcu, __mkroute_output). Of IPv6
        nobody asks whether the source is still ours (Linux inet6_csk_route_socket).
        """
        if zone:
            return self._may_leave(source, self.way_by(zone, destination))
        ends = (source, destination)
        if ends in self._leaving:
            return self._leaving[ends]
        way = self._may_leave(source, self.way(destination))
        self._leaving[ends] = way
        return way

    def _may_leave(self, source: str, way: Way | None) -> Way | None:
        if way is None or address.is_v6(source):
            return way
        strays = way.interface.index != LOOPBACK and address.is_loopback(source)
        return way if self.is_local(source) and not strays else None

    def no_way(self, destination: str, zone: int = 0) -> int:
        """Return the errno where no way leads: a route's that refuses, else ENETUNREACH.

        A route that refuses is the loopback's, and nothing to who is tied to another interface
        (``zone``; Linux rt6_check_dev).
        """
        number = address.number(destination)
        if zone in (0, self.loopback.zone):
            for route in self._table(destination):
                if route.errno and route.leads_to(number):
                    return route.errno
        return ENETUNREACH

    def way_by(self, zone: int, destination: str) -> Way | None:
        """Return how to get there by an interface that a socket is tied to.

        An IPv4 destination that no route leads to by that one, or that one refuses, is on its link,
        one of the host's own too (Linux ip_route_output_key_hash_rcu).
        """
        if self.is_local(destination) and self.zone_at(destination) == zone:
            return self._to_itself(destination)
        if address.is_link_local(destination) and address.zone_of(destination) != zone:
            return None
        v6 = address.is_v6(destination)
        number = address.number(destination)
        for route in self._table(destination):
            if route.leads_to(number):
                by = route.interface
                if route.errno and (by.zone == zone or not v6):
                    break
                if by.zone == zone and by.up:
                    return self._along(route, destination)
        for interface in self.interfaces:
            if interface.zone == zone and interface.up and not v6:
                return Way(interface, sources.of_ipv4(interface, self.interfaces))
        return None

    def is_broadcast(self, destination: str) -> bool:
        """Whether it is the broadcast address of a network that this host is in."""
        return destination in self.broadcasts

    def _find(self, destination: str) -> Way | None:
        if self.is_local(destination):
            return self._to_itself(destination)
        if address.is_link_local(destination):
            return self.way_by(address.zone_of(destination), destination)
        number = address.number(destination)
        for route in self._table(destination):
            if route.interface.up and route.leads_to(number):
                return None if route.errno else self._along(route, destination)
        return None

    def _to_itself(self, destination: str) -> Way:
        """Stay in the host, from the very address; of a secondary one, from its primary one."""
        if destination.startswith("127."):
            return Way(self.loopback, address.LOOPBACK)
        source = self.primary.get(destination, destination)
        return Way(self.loopback, source, self.zone_at(destination))

    def _along(self, route: Route, destination: str) -> Way:
        by = route.interface
        if route.source:
            return Way(by, route.source)
        if address.is_v6(destination):
            return Way(by, sources.of_ipv6(by, destination, self.interfaces))
        return Way(by, sources.of_ipv4(by, self.interfaces))

    def _table(self, destination: str) -> list[Route]:
        return self.table6 if address.is_v6(destination) else self.table


def _order(route: Route) -> tuple[int, int]:
    return (-route.length, route.metric)
