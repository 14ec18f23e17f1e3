"""Which way a packet goes, and which address it comes from."""

from errno import EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH
from typing import Final

from halfopen.net.interfaces import LOOPBACK, LOOPBACK_MTU, Interface
from halfopen.wire import address

_ALL_ONES: Final = 0xFFFFFFFF
#: What a route tells that leads nowhere, by its kind (Linux fib_props, fib6_prop).
REFUSALS: Final = {"unreachable": EHOSTUNREACH, "prohibit": EACCES, "blackhole": EINVAL}


class Route:
    """A destination and the interface that leads there; ``source`` is the preferred address.

    ``errno``: it leads nowhere, and that is told to who sends.
    """

    def __init__(
        self,
        network: int,
        length: int,
        interface: Interface,
        source: str,
        bits: int,
        errno: int = 0,
    ) -> None:
        ones = (1 << bits) - 1
        self.mask = ones << (bits - length) & ones
        self.network = network & self.mask
        self.length = length
        self.interface = interface
        self.source = source
        self.errno = errno


class Way:
    """The answer for one destination: by which interface, from which address."""

    def __init__(self, interface: Interface, source: str) -> None:
        self.interface = interface
        self.source = source


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
        self._known: dict[str, Way | None] = {}

    def connect(self, interface: Interface) -> None:
        """Make the host's own addresses, the networks they lie in, and the peers reachable."""
        self.interfaces.append(interface)
        for text in interface.addresses:
            own, length = split_prefix(text)
            self.local[own] = interface
            if length < address.bits(own):
                self.add(text, interface)
        for text in interface.peers:
            self.add(text, interface)

    def add(self, destination: str, interface: Interface) -> None:
        """Add a route to a host (``10.0.0.2``) or a network (``10.1.0.0/16``, ``::/0``).

        Where the interface has no address of the family there is nothing to send from, and no
        route. Link-local addresses need none: their zone is the way.
        """
        network, length = split_prefix(destination)
        source = interface.source(network)
        if source is None or address.is_link_local(network):
            return
        bits = address.bits(network)
        route = Route(address.number(network), length, interface, split_prefix(source)[0], bits)
        self._insert(route, network)

    def refuse(self, destination: str, kind: str) -> None:
        """Add a route that leads nowhere (``ip route add unreachable 192.0.2.0/24``)."""
        network, length = split_prefix(destination)
        bits, errno = address.bits(network), REFUSALS[kind]
        route = Route(address.number(network), length, self.loopback, "", bits, errno)
        self._insert(route, network)

    def _insert(self, route: Route, network: str) -> None:
        table = self._table(network)
        table.append(route)
        table.sort(key=_longest_first)
        self._known.clear()

    def prefer(self, destination: str, source: str) -> None:
        """Let what goes to a destination come from another address (``ip route ... src``)."""
        network, length = split_prefix(destination)
        for route in self._table(network):
            if route.network == address.number(network) and route.length == length:
                route.source = source
        self._known.clear()

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
                    route.source = split_prefix(interface.source(own) or own)[0]
        self._known.clear()

    def take_down(self, interface: Interface) -> None:
        """Take the IPv6 addresses of an interface that goes down (Linux addrconf_ifdown)."""
        for text in interface.addresses:
            if address.is_v6(text):
                self.local.pop(split_prefix(text)[0], None)
        interface.addresses = tuple(text for text in interface.addresses if not address.is_v6(text))
        self.table6 = [route for route in self.table6 if route.interface is not interface]
        self._known.clear()

    def changed(self) -> None:
        """Forget the answers: an interface went up or down."""
        self._known.clear()

    def is_local(self, destination: str) -> bool:
        """Whether a packet to there is for this host."""
        return destination in self.local or destination.startswith("127.")

    def zone_at(self, own: str) -> int:
        """Return the interface by which comes what the host sends to itself (Linux inet_iif)."""
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

    def no_way(self, destination: str) -> int:
        """Return the errno where no way leads: a route's that refuses, else ENETUNREACH."""
        number = address.number(address.bare(destination))
        for route in self._table(destination):
            if route.errno and number & route.mask == route.network:
                return route.errno
        return ENETUNREACH

    def way_by(self, zone: int, destination: str) -> Way | None:
        """Return how to get there by an interface that a socket is tied to.

        An IPv4 destination that no route leads to by that one is on its link, one of the host's own
        too (Linux ip_route_output_key_hash_rcu).
        """
        at = self.local.get(destination)
        if at is not None and at.zone == zone:
            return Way(self.loopback, destination)
        if address.is_link_local(destination):
            return self._on_link(destination) if address.zone_of(destination) == zone else None
        number = address.number(destination)
        for route in self._table(destination):
            by = route.interface
            if by.zone == zone and by.up and number & route.mask == route.network:
                return Way(by, route.source)
        if address.is_v6(destination):
            return None
        for interface in self.interfaces:
            if interface.zone == zone and interface.up:
                source = interface.source(destination)
                return None if source is None else Way(interface, split_prefix(source)[0])
        return None

    def is_broadcast(self, destination: str) -> bool:
        """Whether it is the broadcast address of a network that this host is in."""
        if address.is_v6(destination):
            return False
        if destination == address.BROADCAST:
            return True
        number = address.number(destination)
        for route in self.table:
            spans = route.length in range(1, 31) and not route.errno
            if spans and number == route.network | ~route.mask & _ALL_ONES:
                return True
        return False

    def _find(self, destination: str) -> Way | None:
        if destination.startswith("127."):
            return Way(self.loopback, address.LOOPBACK)
        if destination in self.local:
            return Way(self.loopback, destination)
        if address.is_link_local(destination):
            return self._on_link(destination)
        number = address.number(destination)
        for route in self._table(destination):
            if route.interface.up and number & route.mask == route.network:
                return None if route.errno else Way(route.interface, route.source)
        return None

    def _on_link(self, destination: str) -> Way | None:
        """Find the interface of a link-local address, by its zone (RFC 4007 9)."""
        zone = address.zone_of(destination)
        for own, interface in self.local.items():
            if interface.zone == zone and interface.up and address.is_link_local(own):
                return Way(interface, own)
        return None

    def _table(self, destination: str) -> list[Route]:
        return self.table6 if address.is_v6(destination) else self.table


def split_prefix(text: str) -> tuple[str, int]:
    """Split ``10.0.0.1/24``; without a length it is one host."""
    host, slash, length = text.partition("/")
    return host, int(length) if slash else address.bits(host)


def _longest_first(route: Route) -> int:
    return -route.length
