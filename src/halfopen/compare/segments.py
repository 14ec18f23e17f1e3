"""Segments side by side: each direction of each connection, in the order of departure."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from halfopen.base.value import value
from halfopen.compare.pairs import Side
from halfopen.compare.rules import EPHEMERAL
from halfopen.record.events import FaultFired
from halfopen.record.faults import CableIn, CableOut
from halfopen.record.query import Packet, packets
from halfopen.record.trace import Trace
from halfopen.wire import ip
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, Flow, Segment

#: By whether it is 0.
WINDOWS: Final = {True: "closed", False: "open"}
_FLAGS: Final = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))

#: One direction of a connection: both ends' address and port (0: drawn), and which of those alike.
Stream: TypeAlias = tuple[str, int, str, int, int]


@value
class Seen:
    """A segment with its sequence numbers counted from where its stream began."""

    packet: Packet
    seg: Segment
    seq: int
    ack: int | None
    sack: tuple[tuple[int, int], ...]

    def shape(self) -> dict[str, object]:
        """What both arms must agree on, by its name."""
        seg = self.seg
        return {
            "flags": seg.flags,
            "seq": self.seq,
            "ack": self.ack,
            "length": len(seg.text),
            "text": seg.text,
            "sack": self.sack,
            "window": WINDOWS[seg.wnd == 0],
            "mss": seg.mss,
            "wscale": seg.wscale,
            "sack permitted": seg.sack_ok,
            "timestamps": seg.ts_val >= 0,
            "urgent": seg.urg if seg.flags & URG else None,
        }

    def fate(self) -> str:
        """What became of it: arrived, lost and to what, or under way."""
        if self.packet.arrived_ns is not None:
            return "arrives"
        return "is under way" if self.packet.why is None else f"is lost ({self.packet.why})"

    def show(self) -> str:
        """Write it as the ladders do."""
        flags = ",".join(name for bit, name in _FLAGS if self.seg.flags & bit)
        parts = [flags, f"seq {self.seq}"]
        if self.ack is not None:
            parts.append(f"ack {self.ack}")
        if self.seg.text:
            parts.append(f"len {len(self.seg.text)}")
        if self.seg.wnd == 0 and not self.seg.flags & RST:
            parts.append("win 0")
        parts += [f"sack {low}-{high}" for low, high in self.sack]
        return " ".join(parts)


def compare_segments(world: Trace, kernel: Trace, side: Side) -> None:
    """Hold each direction's segments against each other, up to its first difference."""
    ours, theirs = streams(world), streams(kernel)
    for stream in ours | theirs:
        w, k = ours.get(stream, []), theirs.get(stream, [])
        _compare_stream(w, k, side)


def _compare_stream(ours: list[Seen], theirs: list[Seen], side: Side) -> None:
    for w, k in zip(ours, theirs, strict=False):
        host = w.packet.host
        unlike = _unlike(w, k)
        if unlike:
            text = f"{host} sends {w.show()} in the world and {k.show()} on the kernel ({unlike})"
            side.differ(w.packet.t_ns, "segment", text)
            return
        what = f"{host} sends {w.show()}"
        side.pair(host, "sent", world_ns=w.packet.t_ns, kernel_ns=k.packet.t_ns, what=what)
        _compare_fate(w, k, side)
    count = min(len(ours), len(theirs))
    for more, place, other in (
        (ours, "in the world", "on the kernel"),
        (theirs, "on the kernel", "in the world"),
    ):
        if len(more) > count:
            extra = more[count]
            side.differ(
                extra.packet.t_ns,
                "segment",
                f"{extra.packet.host} sends {extra.show()} {place}, and nothing more {other}",
            )


def _unlike(w: Seen, k: Seen) -> str:
    """Name what the two segments don't agree on: ``window: closed, open``."""
    ours, theirs = w.shape(), k.shape()
    return "; ".join(
        f"{name}: {ours[name]}, {theirs[name]}" for name in ours if ours[name] != theirs[name]
    )


def _compare_fate(w: Seen, k: Seen, side: Side) -> None:
    what = f"{w.packet.host}'s {w.show()}"
    if w.fate() != k.fate():
        text = f"{what} {w.fate()} in the world and {k.fate()} on the kernel"
        side.differ(w.packet.t_ns, "segment", text)
    elif w.packet.arrived_ns is not None and k.packet.arrived_ns is not None:
        side.pair(
            w.packet.arrived_at or "",
            "arrived",
            world_ns=w.packet.arrived_ns,
            kernel_ns=k.packet.arrived_ns,
            what=f"{what} arrives",
        )


def streams(trace: Trace) -> dict[Stream, list[Seen]]:
    """Group a run's segments by connection and direction, numbers counted from the stream's first.

    What a host sends while its own carrier is lost is left out.
    """
    blind = _without_carrier(trace)
    numbers: dict[Flow, int] = {}
    bases: dict[Flow, int] = {}
    found: dict[Stream, list[Seen]] = {}
    for packet in packets(trace):
        seg = ip.decode(packet.raw).body
        if not isinstance(seg, Segment):
            continue
        stream = _name(seg.flow, numbers)
        back = (seg.flow[2], seg.flow[3], seg.flow[0], seg.flow[1])
        base = bases.setdefault(seg.flow, seg.seq)
        if seg.flags & ACK:
            bases.setdefault(back, seg.ack)
        if any(since <= packet.t_ns < until for since, until in blind.get(packet.host, ())):
            continue
        there = bases.get(back, 0)
        found.setdefault(stream, []).append(
            Seen(
                packet=packet,
                seg=seg,
                seq=(seg.seq - base) & 0xFFFFFFFF,
                ack=(seg.ack - there) & 0xFFFFFFFF if seg.flags & ACK else None,
                sack=tuple(
                    ((low - there) & 0xFFFFFFFF, (high - there) & 0xFFFFFFFF)
                    for low, high in seg.sack
                ),
            )
        )
    return found


def _name(flow: Flow, numbers: dict[Flow, int]) -> Stream:
    """Name a stream by what is not drawn, and by its number among those alike."""
    plain = _plain(flow)
    number = numbers.setdefault(flow, sum(1 for known in numbers if _plain(known) == plain))
    return (*plain, number)


def _plain(flow: Flow) -> Flow:
    source, sport, target, dport = flow
    return (source, _unless_drawn(sport), target, _unless_drawn(dport))


def _unless_drawn(port: int) -> int:
    return 0 if port in EPHEMERAL else port


def _without_carrier(trace: Trace) -> Mapping[str, list[tuple[int, int]]]:
    """When each host saw its own cable out."""
    spans: dict[str, list[tuple[int, int]]] = {}
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
                    spans.setdefault(host, []).append((start, event.t_ns))
            case _:
                pass
    for hosts in since.values():
        for host, start in hosts.items():
            spans.setdefault(host, []).append((start, trace.ended_ns))
    return spans
