"""Who holds which port, and which is picked where the user leaves it to the kernel.

Linux inet_csk_get_port (bind, listen) and __inet_hash_connect (connect).
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from halfopen.base.rng import Rng
from halfopen.net.sysctl import ports, reserved_ports
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import ANY, ANY6, LOOPBACK4_IPV6, bare, is_v6

if TYPE_CHECKING:
    from halfopen.sockets.sock import TcpSock

#: Entries of the table that spreads the ports of one destination (Linux INET_TABLE_PERTURB_SIZE).
_PERTURB: Final = 1 << 16


class Remnant:
    """A port in the hands of a TIME-WAIT whose socket has a descriptor yet.

    It keeps what the socket had, whatever becomes of that (Linux inet_twsk_hashdance_schedule).
    """

    sk_state = State.TIME_WAIT

    def __init__(self, sock: "TcpSock") -> None:
        self.port = sock.num
        self.address = sock.address
        self.v6only = sock.v6only
        self.bound_if = sock.bound_if
        self.connect_bound = sock.connect_bound
        self.options = sock.options.copy(sock.kernel.config)


class Bucket:
    """Who holds one port (Linux inet_bind_bucket)."""

    def __init__(self) -> None:
        self.owners: list[TcpSock | Remnant] = []
        # Who was the latest to be let in with SO_REUSEPORT: others like it pass unseen.
        self.reuseport = False
        self.v6 = False
        self.address = ANY
        self.v6only = False

    def passes(self, sock: "TcpSock") -> bool:
        """Whether a socket is let in without a look at the owners (Linux sk_reuseport_match)."""
        if not self.reuseport or not sock.options.reuseport:
            return False
        return same_address(
            self.v6, self.address, sock.address, v6only=self.v6only, others=sock.v6only, wild=False
        )

    def bound(self, sock: "TcpSock") -> None:
        """Note who was let in (Linux inet_csk_update_fastreuse)."""
        if not sock.options.reuseport:
            self.reuseport = False
        elif not self.passes(sock):
            self.reuseport = True
            self.v6 = sock.v6
            self.address = sock.address
            self.v6only = sock.v6only

    def left(self) -> None:
        """An owner has gone; what connect picked is nobody's reason (Linux inet_put_port)."""
        self.reuseport = self.reuseport and not self.shareable()

    def shareable(self) -> bool:
        """Whether all owners had the port picked by connect."""
        return all(owner.connect_bound for owner in self.owners)


class Ports:
    """The bound TCP ports of one host (Linux bhash), TIME-WAIT among them."""

    def __init__(self, sysctl: Mapping[str, int | str], rng: Rng) -> None:
        self.low, self.high = ports(sysctl)
        self.reserved = reserved_ports(sysctl)
        self.rng = rng
        self.secret = rng.octets(16)
        self.buckets: dict[int, Bucket] = {}
        self.remnants: dict[Tcb, Remnant] = {}
        self._perturb: dict[int, int] = {}

    def get(self, sock: "TcpSock", port: int) -> bool:
        """Let a socket have a port, or with 0 one that is picked; False: EADDRINUSE.

        Who begins to listen asks again for the port that it has. Linux inet_csk_get_port.
        """
        bucket = self.buckets.get(port)
        if not port:
            port = self.pick(sock)
            if not port:
                return False
        elif (
            bucket is not None
            and not bucket.passes(sock)
            and self.conflict(sock, port, picked=False)
        ):
            return False
        if not sock.num:
            self.hold(sock, port)
        self.buckets[port].bound(sock)
        return True

    def hold(self, sock: "TcpSock", port: int) -> None:
        """Let a socket have a port, beside whoever has it already."""
        self.buckets.setdefault(port, Bucket()).owners.append(sock)
        sock.num = port

    def release(self, sock: "TcpSock") -> None:
        """Let go of a socket's port, if it has one (Linux inet_put_port)."""
        if sock.num:
            self._leave(sock, sock.num)
        sock.num = 0
        sock.connect_bound = False

    def leave_behind(self, sock: "TcpSock", tcb: Tcb) -> None:
        """Let what TIME-WAIT leaves have the port, beside the socket."""
        remnant = Remnant(sock)
        self.remnants[tcb] = remnant
        self.buckets[sock.num].owners.append(remnant)

    def forget(self, tcb: Tcb) -> bool:
        """Let go of the port of a TIME-WAIT that is over, if one was left behind.

        Linux inet_twsk_bind_unhash.
        """
        remnant = self.remnants.pop(tcb, None)
        if remnant is None:
            return False
        self._leave(remnant, remnant.port)
        return True

    def _leave(self, owner: "TcpSock | Remnant", port: int) -> None:
        bucket = self.buckets[port]
        bucket.owners.remove(owner)
        if bucket.owners:
            bucket.left()
        else:
            del self.buckets[port]

    def owners(self, port: int) -> "list[TcpSock | Remnant]":
        """Return who holds a port."""
        bucket = self.buckets.get(port)
        return [] if bucket is None else bucket.owners

    def conflict(self, sock: "TcpSock", port: int, *, picked: bool) -> bool:
        """Whether a socket may not have a port beside its owners (Linux inet_bind_conflict).

        A port that the kernel picks (``picked``) is shared with nobody at the same address.
        """
        reuse = sock.options.reuseaddr
        for other in self.owners(port):
            if other is sock or not _meet(sock, other):
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
        bucket = self.buckets.get(port)
        return bucket is None or bucket.shareable()

    def digest(self, text: str) -> int:
        """Hash with the host's secret, 64 bits (Linux uses siphash)."""
        return int.from_bytes(
            blake2b(text.encode(), digest_size=8, key=self.secret).digest(), "big"
        )


def _meet(sock: "TcpSock", other: "TcpSock | Remnant") -> bool:
    """Whether a socket that wants a port has to do with one of its owners.

    Who wants one address is compared with the owners of that, and of all; who wants all, with
    everybody (Linux inet_csk_bind_conflict, inet_bhash2_addr_any_conflict).
    """
    if not same_device(sock.bound_if, other.bound_if):
        return False
    own, theirs = bare(sock.address), bare(other.address)
    if own in (ANY, ANY6):
        return same_address(
            sock.v6, own, theirs, v6only=sock.v6only, others=other.v6only, wild=True
        )
    if own == theirs:
        return True
    if is_v6(own):
        return theirs == ANY6
    return theirs == ANY or (theirs == ANY6 and not other.v6only)


def same_device(one: int, other: int) -> bool:
    """Whether two sockets may have packets of the same interface; 0: of any."""
    return not one or not other or one == other


def same_address(v6: bool, own: str, other: str, *, v6only: bool, others: bool, wild: bool) -> bool:
    """Whether two sockets would have the same packets (Linux inet_rcv_saddr_equal).

    ``v6``: the first is of AF_INET6; ``wild``: the other may stand for all addresses. ``::`` does
    for those of both families, unless it is for IPv6 only. To one of AF_INET, a socket with an
    IPv6 address is one at 127.0.0.6, which nobody has.
    """
    own, other = bare(own), bare(other)
    if not v6:
        if others:
            return False
        seen = other if not is_v6(other) else ANY if other == ANY6 else LOOPBACK4_IPV6
        return own in (ANY, seen) or (wild and seen == ANY)
    if own == other:
        return True
    if not is_v6(own):
        if not is_v6(other):
            return own == ANY or (wild and other == ANY)
        return wild and other == ANY6 and not others
    if other == ANY6 and wild:
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
