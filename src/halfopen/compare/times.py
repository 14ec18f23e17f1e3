"""Times side by side: each moment against what it may have waited from, on its own host."""

from collections import defaultdict
from functools import partial

from halfopen.base.units import show_duration
from halfopen.compare.pairs import Pair, Side
from halfopen.compare.rules import EXIT_NS, tolerance
from halfopen.record.query import packets
from halfopen.record.trace import Trace

#: So many of the latest moments of each kind may be what the next one waited from.
_CAUSES = 3


def compare_times(side: Side, *, wire_late_ns: int) -> None:
    """Report every moment that no earlier moment of its host explains.

    A moment is in time where it lies as far from some earlier one in both arms, within the
    tolerance for a wait of that length: what an earlier moment was late is not counted again.
    """
    by_host: dict[str, list[Pair]] = defaultdict(list)
    for pair in sorted(side.pairs, key=lambda pair: pair.world_ns):
        by_host[pair.host].append(pair)
    start = Pair(host="", kind="other", world_ns=0, kernel_ns=0, what="the start")
    for host in sorted(by_host):
        pairs = by_host[host]
        _compare_host(pairs, start, wire_late_ns, side)
        _compare_order(pairs, wire_late_ns, side)


def wire_late(kernel: Trace, delays: dict[str, int]) -> int:
    """How late the user-space wire delivered at worst in this run."""
    return max(
        (
            packet.arrived_ns - packet.t_ns - delays[packet.link]
            for packet in packets(kernel)
            if packet.arrived_ns is not None
        ),
        default=0,
    )


def _compare_host(pairs: list[Pair], start: Pair, wire_late_ns: int, side: Side) -> None:
    latest: dict[str, list[Pair]] = {"other": [start]}
    exits = {pair.world_ns for pair in pairs if pair.kind == "end"}
    for pair in pairs:
        causes = [cause for kind in latest.values() for cause in kind]
        cause = min(causes, key=partial(_excess, pair, wire_late_ns))
        excess = _excess(pair, wire_late_ns, cause)
        lag = _lag(pair, cause)
        by_exit = pair.world_ns in exits and 0 <= lag <= EXIT_NS
        if excess > 0 and not by_exit:
            apart = f"{show_duration(abs(lag))} {'later' if lag > 0 else 'earlier'} on the kernel"
            limit = f"tolerance {show_duration(abs(lag) - excess)}"
            text = f"{pair.what}: {apart}, counted from '{cause.what}' ({limit})"
            side.differ(pair.world_ns, "time", text)
        alike = latest.setdefault(pair.kind, [])
        alike.append(pair)
        del alike[:-_CAUSES]


def _lag(pair: Pair, cause: Pair) -> int:
    """How much later the kernel is, counted from a cause."""
    return (pair.kernel_ns - cause.kernel_ns) - (pair.world_ns - cause.world_ns)


def _excess(pair: Pair, wire_late_ns: int, cause: Pair) -> int:
    """How far a moment lies outside what is allowed from this cause; inside where not positive."""
    return abs(_lag(pair, cause)) - tolerance(pair.world_ns - cause.world_ns, wire_late_ns)


def _compare_order(pairs: list[Pair], wire_late_ns: int, side: Side) -> None:
    """Report moments of one host that clearly happened the other way round on the kernel.

    Requires: sorted by the world's time.
    """
    limit = tolerance(0, wire_late_ns)
    prompt = [pair for pair in pairs if pair.kind != "end"]
    clearly_before = 0  # so many of them lie more than the limit before the present one
    latest: Pair | None = None  # on the kernel, among those
    for late in prompt:
        while late.world_ns - prompt[clearly_before].world_ns > limit:
            early = prompt[clearly_before]
            if latest is None or early.kernel_ns > latest.kernel_ns:
                latest = early
            clearly_before += 1
        if latest is not None and latest.kernel_ns - late.kernel_ns > limit:
            text = f"'{latest.what}' before '{late.what}' in the world, after it on the kernel"
            side.differ(latest.world_ns, "order", text)
            return
