"""Whose is a segment: a connection's, a listener's, or nobody's (Linux __inet_lookup)."""

from typing import Final

from halfopen.base.errors import NotSimulatedError
from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import ANY, ANY6, bare, is_v6, spell
from halfopen.wire.tcp import Flow

#: What is said of two connections that only the interface tells apart.
TWINS: Final = (
    "two connections between the same addresses and ports, tied to different interfaces, are not "
    "simulated"
)
#: Connections of one host, embryos and TIME-WAIT among them; past it the world is ill.
FLOWS_MAX: Final = 1 << 22


def arriving(flow: Flow) -> Flow:
    """Turn a flow round: as its segments arrive, from as they are sent, and back."""
    source, sport, destination, dport = flow
    return (destination, dport, source, sport)


class Demux:
    """The tables of one host. ``flows`` is keyed by the flow as it arrives, peer first."""

    def __init__(self) -> None:
        self.flows: dict[Flow, Tcb] = {}
        self.tied: dict[Flow, int] = {}  # to an interface; keyed as they are sent
        self.astray: dict[Flow, Flow] = {}  # of IPv6, and as what of IPv4 they are sent
        self.listening: dict[tuple[str, int], list[Listening]] = {}

    def add(self, tcb: Tcb) -> None:
        """Let a connection have the segments of its flow. Requires: nobody has them by any way.

        Raises NotSimulatedError where another has them, by an interface that it is tied to.
        """
        flow = arriving(tcb.flow)
        other = self.flows.get(flow)
        if other is not None:
            assert other.bound_if, f"two connections for {tcb.conn}"
            raise NotSimulatedError(f"{tcb.conn}: {TWINS}")
        assert len(self.flows) < FLOWS_MAX, "more connections than FLOWS_MAX"
        self.flows[flow] = tcb
        self.tie(tcb, tcb.bound_if)

    def tie(self, tcb: Tcb, zone: int) -> None:
        """Let a connection send and receive by one interface; 0: by any."""
        tcb.bound_if = zone
        if zone:
            self.tied[tcb.flow] = zone
        else:
            self.tied.pop(tcb.flow, None)

    def remove(self, tcb: Tcb) -> None:
        """Forget a connection; the flow may already be another's, which took it in TIME-WAIT."""
        flow = arriving(tcb.flow)
        if self.flows.get(flow) is tcb:
            del self.flows[flow]
            self.tied.pop(tcb.flow, None)
            self.astray.pop(tcb.flow, None)

    def listen(self, address: str, port: int, listening: Listening) -> None:
        """Let a listener have the SYNs to an address, or to all (0.0.0.0, ::).

        One at :: that takes IPv4 too is at both. With SO_REUSEPORT it joins those like it. The
        latest is asked first, of IPv6 with SO_REUSEPORT last (Linux inet_hash).
        """
        bucket = self.listening.setdefault((address, port), [])
        shares = listening.user.shares()
        if shares and not listening.group:
            _join(listening, bucket)
        if shares and listening.v6:
            bucket.append(listening)
        else:
            bucket.insert(0, listening)

    def unlisten(self, address: str, port: int, listening: Listening) -> None:
        """Take a listener out again."""
        self._leave(address, port, listening)
        if listening in listening.group:
            listening.group.remove(listening)

    def move(self, before: str, after: str, port: int, listening: Listening) -> None:
        """Let a listener's address be one of another link, or of any."""
        self._leave(before, port, listening)
        self.listening.setdefault((after, port), []).insert(0, listening)

    def _leave(self, address: str, port: int, listening: Listening) -> None:
        bucket = self.listening[address, port]
        bucket.remove(listening)
        if not bucket:
            del self.listening[address, port]

    def connection(self, flow: Flow, zone: int) -> Tcb | None:
        """Find the connection of a segment that came by an interface (Linux inet_match)."""
        tcb = self.flows.get(flow)
        elsewhere = tcb is not None and tcb.bound_if and tcb.bound_if != zone
        return None if elsewhere else tcb

    def listener(self, flow: Flow, zone: int = 0) -> Listening | None:
        """Find who takes a SYN: a listener at the very address, or else one at all of them.

        Linux __inet_lookup_listener, inet6_lookup_listener.
        """
        _, _, address, port = flow
        for place in (address, bare(address), ANY6) if is_v6(address) else (address, ANY):
            bucket = self.listening.get((place, port))
            if bucket is not None:
                found = _fittest(bucket, flow, zone)
                if found is not None:
                    return found
        return None


def _join(listening: Listening, bucket: list[Listening]) -> None:
    """Let a listener share with those that have the same interface and families.

    Linux inet_reuseport_add_sock.
    """
    for other in bucket:
        if (
            other.user.shares()
            and other.v6 == listening.v6
            and other.v6only == listening.v6only
            and other.bound_if == listening.bound_if
        ):
            listening.group = other.group = other.group or [other]
            break
    else:
        listening.group = []
    listening.group.append(listening)


def _fittest(bucket: list[Listening], flow: Flow, zone: int) -> Listening | None:
    """Find the listener that fits best: tied to the interface, and of IPv4 (Linux compute_score).

    Of equals the first. One with SO_REUSEPORT ends the search where it is better than those before
    it: of those that it shares with the peer's address and port choose, always the same one.
    """
    best: Listening | None = None
    best_score = 0
    for each in bucket:
        if each.bound_if in (0, zone):
            score = 1 + (each.bound_if != 0) + (not each.v6)
            if score > best_score:
                if each.group and each.user.shares():
                    return each.group[_mix(flow) % len(each.group)]
                best, best_score = each, score
    return best


def _mix(flow: Flow) -> int:
    """Spread flows over a group of listeners, the same in every run (FNV-1a)."""
    source, sport, _, _ = flow
    mixed = 0x811C9DC5
    for octet in spell(source, sport).encode():
        mixed = (mixed ^ octet) * 0x01000193 & 0xFFFFFFFF
    return mixed
