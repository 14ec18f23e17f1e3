"""Which way a packet goes, and which address it comes from."""

from typing import Final

from halfopen.net.interfaces import LOOPBACK, LOOPBACK_MTU, Interface
from halfopen.wire import address

_ALL_ONES: Final = 0xFFFFFFFF


class Route:
    """A destination and the interface that leads there; ``source`` is the preferred address."""

    def __init__(self, network: int, length: int, interface: Interface, source: str) -> None:
        self.mask = _ALL_ONES << (32 - length) & _ALL_ONES
        self.network = network & self.mask
        self.length = length
        self.interface = interface
        self.source = source


class Way:
    """The answer for one destination: by which interface, from which address."""

    def __init__(self, interface: Interface, source: str) -> None:
        self.interface = interface
        self.source = source


class Routes:
    """The routing table of one host, and which addresses are its own."""

    def __init__(self) -> None:
        self.loopback = Interface(LOOPBACK, "lo", (address.LOOPBACK,), mtu=LOOPBACK_MTU)
        self.table: list[Route] = []
        self.local: dict[str, Interface] = {}
        self._known: dict[str, Way | None] = {}

    def connect(self, interface: Interface) -> None:
        """Make the host's own addresses, the networks they lie in, and the peers reachable."""
        for text in interface.addresses:
            own, length = split_prefix(text)
            self.local[own] = interface
            if length < 32:
                self.add(text, interface)
        for text in interface.peers:
            self.add(text, interface)

    def add(self, destination: str, interface: Interface) -> None:
        """Add a route to a host (``10.0.0.2``) or a network (``10.1.0.0/16``, ``0.0.0.0/0``)."""
        network, length = split_prefix(destination)
        source = split_prefix(interface.addresses[0])[0]
        self.table.append(Route(address.number(network), length, interface, source))
        self.table.sort(key=_longest_first)
        self._known.clear()

    def remove_address(self, own: str) -> None:
        """Be at an address no longer; routes that prefer it go with it.

        Linux fib_sync_down_addr.
        """
        self.local.pop(own, None)
        self.table = [route for route in self.table if route.source != own]
        self._known.clear()

    def changed(self) -> None:
        """Forget the answers: an interface went up or down."""
        self._known.clear()

    def is_local(self, destination: str) -> bool:
        """Whether a packet to there is for this host."""
        return destination in self.local or address.is_loopback(destination)

    def way(self, destination: str) -> Way | None:
        """Return how to get there; None where no route leads there (ENETUNREACH).

        Linux ip_route_output_key_hash. A destination of its own is reached through the loopback,
        from itself; 127.0.0.0/8 from 127.0.0.1.
        """
        if destination in self._known:
            return self._known[destination]
        way = self._find(destination)
        self._known[destination] = way
        return way

    def is_broadcast(self, destination: str) -> bool:
        """Whether it is the broadcast address of a network that this host is in."""
        if destination == address.BROADCAST:
            return True
        number = address.number(destination)
        for route in self.table:
            if route.length in range(1, 31) and number == route.network | ~route.mask & _ALL_ONES:
                return True
        return False

    def _find(self, destination: str) -> Way | None:
        if address.is_loopback(destination):
            return Way(self.loopback, address.LOOPBACK)
        if destination in self.local:
            return Way(self.loopback, destination)
        number = address.number(destination)
        for route in self.table:
            if route.interface.up and number & route.mask == route.network:
                return Way(route.interface, route.source)
        return None


def split_prefix(text: str) -> tuple[str, int]:
    """Split ``10.0.0.1/24``; without a length it is one host."""
    host, slash, length = text.partition("/")
    return host, int(length) if slash else 32


def _longest_first(route: Route) -> int:
    return -route.length
