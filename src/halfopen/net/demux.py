"""Whose is a segment: a connection's, a listener's, or nobody's (Linux __inet_lookup)."""

from typing import Final

from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import ANY, ANY6, is_v6, spell
from halfopen.wire.tcp import Flow

#: Under this address stands who listens at ``::`` and takes IPv4 too.
DUAL: Final = "::ffff:0.0.0.0"
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
        """Let a connection have the segments of its flow. Requires: the flow is free."""
        flow = arriving(tcb.flow)
        assert flow not in self.flows, f"two connections for {tcb.conn}"
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
        """Let a listener have the SYNs to an address, or to all (0.0.0.0, ::, or DUAL)."""
        self.listening.setdefault((address, port), []).append(listening)

    def unlisten(self, address: str, port: int, listening: Listening) -> None:
        """Take a listener out again."""
        group = self.listening[address, port]
        group.remove(listening)
        if not group:
            del self.listening[address, port]

    def connection(self, flow: Flow, zone: int) -> Tcb | None:
        """Find the connection of a segment that came by an interface (Linux inet_match)."""
        tcb = self.flows.get(flow)
        return None if tcb is not None and tcb.bound_if not in (0, zone) else tcb

    def listener(self, flow: Flow, zone: int = 0) -> Listening | None:
        """Find who takes a SYN: a listener at the very address, or else one at all of them.

        One at 0.0.0.0 comes before one at :: that takes IPv4 too (Linux compute_score). Where
        several share a port (SO_REUSEPORT) the peer's address and port choose, always the same one.
        One that is tied to an interface takes only what comes by that, and before the others.
        """
        _, _, address, port = flow
        places = (address, ANY6) if is_v6(address) else (address, ANY, DUAL)
        for place in places:
            group = self.listening.get((place, port))
            if group is not None:
                if len(group) == 1 and not group[0].bound_if:
                    return group[0]
                tied = [each for each in group if each.bound_if == zone]
                group = tied or [each for each in group if not each.bound_if]
                if group:
                    return group[_mix(flow) % len(group)]
        return None


def _mix(flow: Flow) -> int:
    """Spread flows over a group of listeners, the same in every run (FNV-1a)."""
    source, sport, _, _ = flow
    mixed = 0x811C9DC5
    for octet in spell(source, sport).encode():
        mixed = (mixed ^ octet) * 0x01000193 & 0xFFFFFFFF
    return mixed
