"""Who holds which port, and which is picked where the user leaves it to the kernel.

Linux inet_csk_get_port (bind, listen) and __inet_hash_connect (connect).
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from halfopen.base.rng import Rng
from halfopen.net.sysctl import ports, reserved_ports
from halfopen.tcp.states import State
from halfopen.wire.address import ANY, ANY6, is_v6

if TYPE_CHECKING:
    from halfopen.sockets.sock import TcpSock

#: Entries of the table that spreads the ports of one destination (Linux INET_TABLE_PERTURB_SIZE).
_PERTURB: Final = 1 << 16


class Ports:
    """The bound TCP ports of one host (Linux bhash), TIME-WAIT among them."""

    def __init__(self, sysctl: Mapping[str, int | str], rng: Rng) -> None:
        self.low, self.high = ports(sysctl)
        self.reserved = reserved_ports(sysctl)
        self.rng = rng
        self.secret = rng.octets(16)
        self.owners: dict[int, list[TcpSock]] = {}
        self._perturb: dict[int, int] = {}

    def hold(self, sock: "TcpSock", port: int) -> None:
        """Let a socket have a port, beside whoever has it already."""
        self.owners.setdefault(port, []).append(sock)
        sock.num = port

    def release(self, sock: "TcpSock") -> None:
        """Let go of a socket's port, if it has one (Linux inet_put_port)."""
        owners = self.owners.get(sock.num)
        if owners is not None and sock in owners:
            owners.remove(sock)
            if not owners:
                del self.owners[sock.num]
        sock.num = 0
        sock.connect_bound = False

    def conflict(self, sock: "TcpSock", port: int, *, picked: bool) -> bool:
        """Whether a socket may not have a port beside its owners (Linux inet_bind_conflict).

        A port that the kernel picks (``picked``) is shared with nobody at the same address.
        """
        reuse = sock.options.reuseaddr
        for other in self.owners.get(port, ()):
            if other is sock:
                continue
            if not same_address(
                sock.address, other.address, v6only=sock.v6only, others=other.v6only
            ):
                continue
            if reuse and other.options.reuseaddr and other.sk_state is not State.LISTEN:
                if picked:
                    return True
            elif picked or not (sock.options.reuseport and other.options.reuseport):
                return True
        return False

    def pick(self, sock: "TcpSock") -> int:
        """Pick a port for bind to port 0 (Linux inet_csk_find_open_port); 0: none is free.

        Odd distances from the low end first: connect prefers the even ones. With SO_REUSEADDR the
        lower half of the range first.
        """
        half = self.low + ((self.high + 1 - self.low) >> 2 << 1)
        whole = (self.low, self.high + 1)
        halves = ((self.low, half), (half, self.high + 1))
        narrow = self.high + 1 - self.low < 4
        for low, high in halves if sock.options.reuseaddr and not narrow else (whole,):
            port = self._scan(sock, low, high)
            if port:
                return port
        return 0

    def _scan(self, sock: "TcpSock", low: int, high: int) -> int:
        remaining = high - low
        if remaining > 1:
            remaining &= ~1
        offset = self.rng.below(remaining) | 1
        for parity in (0, 1):
            port = low + offset - parity
            for _ in range(0, remaining, 2):
                if port >= high:
                    port -= remaining
                if port not in self.reserved and not self.conflict(sock, port, picked=True):
                    return port
                port += 2
        return 0

    def ephemeral(self, source: str, destination: str, dport: int) -> "Ephemeral":
        """Return the candidates for a connection to there, in Linux's order."""
        digest = self.digest(f"{source} {destination} {dport}")
        index = digest % _PERTURB
        if index not in self._perturb:
            self._perturb[index] = self.rng.below(1 << 32)
        return Ephemeral(self, index, self._perturb[index] + (digest >> 32))

    def perturb(self, index: int, tried: int) -> None:
        """Go on elsewhere with the next connection to the same place, a bit at random."""
        step = max(tried, self.rng.below(8) * 2) + 2
        self._perturb[index] = (self._perturb[index] + step) & 0xFFFFFFFF

    def shareable(self, port: int) -> bool:
        """Whether connect may take a port beside its owners: they were all picked by connect."""
        if port in self.reserved:
            return False
        return all(other.connect_bound for other in self.owners.get(port, ()))

    def digest(self, text: str) -> int:
        """Hash with the host's secret, 64 bits (Linux uses siphash)."""
        return int.from_bytes(
            blake2b(text.encode(), digest_size=8, key=self.secret).digest(), "big"
        )


def same_address(own: str, other: str, *, v6only: bool, others: bool) -> bool:
    """Whether two sockets would have the same packets (Linux inet_rcv_saddr_equal).

    ``::`` stands for the addresses of both families, unless the socket is for IPv6 only.
    """
    if own == other:
        return True
    if not is_v6(own) and not is_v6(other):
        return ANY in (own, other)
    if other == ANY6 and (is_v6(own) or not others):
        return True
    return own == ANY6 and (is_v6(other) or not v6only)


class Ephemeral:
    """The ports that connect tries for one destination: first those of the low end's parity."""

    def __init__(self, ports: Ports, index: int, offset: int) -> None:
        self.ports = ports
        self.index = index
        self.remaining = ports.high + 1 - ports.low
        if self.remaining > 1:
            self.remaining &= ~1
        self.offset = offset % self.remaining & ~1
        self.tried = 0
        self.parity = 0

    def next(self) -> int:
        """Return the next candidate; 0 where all have been tried (EADDRNOTAVAIL)."""
        if self.tried >= self.remaining:
            if self.parity or self.remaining <= 1:
                return 0
            self.parity = 1
            self.tried = 0
        port = self.ports.low + self.offset + self.parity + self.tried
        if port > self.ports.high:
            port -= self.remaining
        self.tried += 2
        return port

    def chosen(self) -> None:
        """Note that the latest candidate was taken."""
        self.ports.perturb(self.index, self.tried - 2)
