"""A host's interfaces: point-to-point links, LANs, and the loopback."""

from typing import Final

from halfopen.net.neighbours import Neighbours
from halfopen.wire.address import bits, is_link_local, is_v6, number, zoned
from halfopen.wire.ip6 import MTU_MIN

#: The device has 65536; no way has more than IP can say (Linux IP_MAX_MTU).
LOOPBACK_MTU: Final = 65535
LOOPBACK: Final = -1
ETHERNET_MTU: Final = 1500

#: The length of a link-local network (RFC 4291 2.5.6).
_NEAR: Final = 64
#: How Linux numbers the loopback, and the first interface that is another.
LOOPBACK_ZONE: Final = 1
_FIRST_ZONE: Final = 2


class Interface:
    """One end of a link, or the loopback.

    Links are numbered from 0 in the order in which they were added; the loopback is -1. ``zone``
    is the number by which programs know it (Linux ifindex).

    ``up`` is the administrator's (IFF_UP): without it there are no routes. ``carrier`` is the
    cable's: without it the routes stay, and what is sent is dropped without a word (Linux
    noop_enqueue).

    ``addresses`` may have a prefix. Those of IPv6 are left out where it is disabled, or the link
    is too small for it (RFC 8200 5; Linux addrconf_notify).
    """

    def __init__(
        self,
        index: int,
        name: str,
        addresses: tuple[str, ...],
        *,
        peers: tuple[str, ...] = (),
        mtu: int = ETHERNET_MTU,
        neighbours: tuple[Neighbours, ...] = (),
        v6: bool = True,
    ) -> None:
        self.index = index
        self.name = name
        self.zone = index + _FIRST_ZONE
        self.v6 = v6 and mtu >= MTU_MIN
        self.addresses = tuple(
            zoned(text, self.zone) for text in addresses if self.v6 or not is_v6(text)
        )
        self.peers = peers
        self.mtu = mtu
        self.up = True
        self.carrier = True
        # One table for each family. None: point to point, there is nobody else to ask for.
        self.neighbours = neighbours

    def neighbours_of(self, address: str) -> Neighbours | None:
        """Return the table in which an address would be."""
        v6 = is_v6(address)
        for table in self.neighbours:
            if table.v6 == v6:
                return table
        return None

    def source(self, destination: str) -> str | None:
        """Return the address that goes with a destination: of its family and, at first, scope."""
        fitting = [text for text in self.addresses if is_v6(text) == is_v6(destination)]
        near = is_link_local(destination)
        for text in fitting:
            if is_link_local(text) == near:
                return text
        return fitting[0] if fitting else None

    def primaries(self) -> list[tuple[str, int]]:
        """List the IPv4 addresses, with the lengths of their prefixes, that are not secondary.

        Those lie in no network of an earlier one (Linux IFA_F_SECONDARY).
        """
        found: list[tuple[str, int]] = []
        for text in self.addresses:
            if not is_v6(text):
                own, length = split_prefix(text)
                if primary_of(own, length, found) is None:
                    found.append((own, length))
        return found


def primary_of(own: str, length: int, among: list[tuple[str, int]]) -> str | None:
    """Return the first that has the network of an IPv4 address; None: none has."""
    for other, same in among:
        if same == length and (number(other) ^ number(own)) >> (32 - length) == 0:
            return other
    return None


def split_prefix(text: str) -> tuple[str, int]:
    """Split ``10.0.0.1/24``; without a length it is one host, or on a link of its own 64 bits."""
    host, slash, length = text.partition("/")
    if slash:
        return host, int(length)
    return host, _NEAR if is_link_local(host) else bits(host)
