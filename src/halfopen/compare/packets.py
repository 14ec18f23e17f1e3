"""Packets side by side: each direction of each connection, in the order of departure."""

from collections.abc import Mapping
from itertools import takewhile
from typing import Final

from halfopen.compare.pairs import Pair, Side
from halfopen.compare.segments import Readings, Seen, Stream
from halfopen.record.events import FaultFired
from halfopen.record.faults import CableIn, CableOut
from halfopen.record.query import packets
from halfopen.record.trace import Trace

#: Texts up to here are shown whole; of longer ones so many octets before and after what differs.
_TEXT_MAX: Final = 16
_AROUND: Final = 8


def compare_packets(world: Trace, kernel: Trace, side: Side) -> None:
    """Hold each direction's packets against each other, up to its first difference."""
    ours, theirs = streams(world), streams(kernel)
    for stream in ours | theirs:
        _compare_stream(ours.get(stream, []), theirs.get(stream, []), side)


def _compare_stream(ours: list[Seen], theirs: list[Seen], side: Side) -> None:
    for w, k in zip(ours, theirs, strict=False):
        host = _sender(w)
        unlike = _unlike(w, k)
        if unlike:
            text = f"{host} sends {w.text} in the world and {k.text} on the kernel ({unlike})"
            side.differ(w.packet.t_ns, "segment", text)
            return
        sent = side.pair(
            "bare" if w.bare else "sent",
            w.packet.packet_id,
            host=w.packet.host,
            conn=_conn(w),
            world_ns=w.packet.t_ns,
            kernel_ns=k.packet.t_ns,
            what=f"{host} sends {w.text}",
            armed=frozenset({"call", "connection"}),
        )
        _compare_fate(w, k, sent, side)
    count = min(len(ours), len(theirs))
    for more, place, other in (
        (ours, "in the world", "on the kernel"),
        (theirs, "on the kernel", "in the world"),
    ):
        if len(more) > count:
            extra = more[count]
            text = f"{_sender(extra)} sends {extra.text} {place}, and nothing more {other}"
            side.differ(extra.packet.t_ns, "segment", text)


def _sender(seen: Seen) -> str:
    """Name who sent it: the host, or who on the way did so in its name."""
    return seen.packet.by or seen.packet.host


def _unlike(w: Seen, k: Seen) -> str:
    """Name what the two don't agree on: ``window: closed, open``."""
    ours = w.shape | {"made by": w.packet.by}
    theirs = k.shape | {"made by": k.packet.by}
    return "; ".join(
        f"{name}: {_two(ours.get(name), theirs.get(name))}"
        for name in ours | theirs
        if ours.get(name) != theirs.get(name)
    )


def _two(ours: object, theirs: object) -> str:
    """Write two values that are unlike; of long texts, where they first are, and what is there."""
    if not (isinstance(ours, bytes) and isinstance(theirs, bytes)):
        return f"{ours}, {theirs}"
    if max(len(ours), len(theirs)) <= _TEXT_MAX:
        return f"{ours!r}, {theirs!r}"
    pairs = zip(ours, theirs, strict=False)
    first = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    shown = slice(max(first - _AROUND, 0), first + _AROUND)
    return (
        f"{len(ours)} and {len(theirs)} octets, first unlike at offset {first}; from offset "
        f"{shown.start} {ours[shown]!r}, {theirs[shown]!r}"
    )


def _conn(seen: Seen) -> str:
    """Name the connection, whichever way the packet goes."""
    protocol, source, sport, target, dport, number = seen.stream
    ends = sorted([f"{source}:{sport}", f"{target}:{dport}"])
    return f"{protocol} {ends[0]} {ends[1]} {number}"


def _compare_fate(w: Seen, k: Seen, sent: Pair, side: Side) -> None:
    what = f"{_sender(w)}'s {w.text}"
    if w.fate() != k.fate():
        text = f"{what} {w.fate()} in the world and {k.fate()} on the kernel"
        side.differ(w.packet.t_ns, "segment", text)
    elif w.packet.arrived_ns is not None and k.packet.arrived_ns is not None:
        side.pair(
            "arrived",
            w.packet.packet_id,
            host=w.packet.arrived_at or "",
            conn=sent.conn,
            world_ns=w.packet.arrived_ns,
            kernel_ns=k.packet.arrived_ns,
            what=f"{what} arrives",
            after=sent,
        )


def streams(trace: Trace) -> dict[Stream, list[Seen]]:
    """Group a run's packets by direction.

    What a host sends on a link while its own carrier is lost there is left out.
    """
    blind = _without_carrier(trace)
    readings = Readings()
    found: dict[Stream, list[Seen]] = {}
    for packet in packets(trace):
        seen = readings.read(packet)
        spans = blind.get((packet.host, packet.link), ())
        unseen = any(since <= packet.t_ns < until for since, until in spans)
        if seen is not None and not unseen:
            found.setdefault(seen.stream, []).append(seen)
    return found


def _without_carrier(trace: Trace) -> Mapping[tuple[str, str], list[tuple[int, int]]]:
    """When each host saw its own cable out, by the host and the link."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = {}
    since: dict[str, dict[str, int]] = {}
    for event in trace.events:
        if not isinstance(event, FaultFired):
            continue
        match event.fault:
            case CableOut(link=link, seen_by=seen_by):
                for host in seen_by:
                    since.setdefault(link, {})[host] = event.t_ns
            case CableIn(link=link):
                for host, start in since.pop(link, {}).items():
                    spans.setdefault((host, link), []).append((start, event.t_ns))
            case _:
                pass
    for link, hosts in since.items():
        for host, start in hosts.items():
            spans.setdefault((host, link), []).append((start, trace.ended_ns))
    return spans
