"""A host's interfaces: point-to-point links, and the loopback."""

from typing import Final

from halfopen.net.neighbours import Neighbours

#: The device has 65536; no way has more than IP can say (Linux IP_MAX_MTU).
LOOPBACK_MTU: Final = 65535
LOOPBACK: Final = -1
ETHERNET_MTU: Final = 1500


class Interface:
    """One end of a link, or the loopback.

    Links are numbered from 0 in the order in which they were added; the loopback is -1.

    ``up`` is the administrator's (IFF_UP): without it there are no routes. ``carrier`` is the
    cable's: without it the routes stay, and what is sent is dropped without a word (Linux
    noop_enqueue).
    """

    def __init__(
        self,
        index: int,
        name: str,
        addresses: tuple[str, ...],
        *,
        peers: tuple[str, ...] = (),
        mtu: int = ETHERNET_MTU,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.index = index
        self.name = name
        self.addresses = addresses
        self.peers = peers
        self.mtu = mtu
        self.up = True
        self.carrier = True
        self.neighbours = neighbours  # None: point to point, there is nobody else to ask for
