"""What the notes' answers read from a run: its TCP segments, with where and when they went."""

from collections.abc import Mapping, Sequence
from typing import Final

from halfopen.base.units import show_duration
from halfopen.base.value import value
from halfopen.record.events import StateChange
from halfopen.record.query import packets
from halfopen.record.trace import Trace
from halfopen.wire import ip
from halfopen.wire.tcp import Segment

#: The marks between what a list holds, and those of Chinese.
_WIDE: Final = ((" (", "（"), (")", "）"), (", ", "、"), ("; ", "；"), (": ", "："), (". ", "。"))


@value
class Seen:
    """One segment on its way. Neither arrived nor lost: still under way when the run ended."""

    t_ns: int
    host: str  # the sender
    arrived_ns: int | None
    why: str | None  # what took it
    seg: Segment


def segments(trace: Trace) -> list[Seen]:
    """List the TCP segments of a run in the order in which they left."""
    found = []
    for packet in packets(trace):
        seg = ip.decode(packet.raw).body
        if not isinstance(seg, Segment):
            continue
        found.append(
            Seen(
                t_ns=packet.t_ns,
                host=packet.host,
                arrived_ns=packet.arrived_ns,
                why=packet.why,
                seg=seg,
            )
        )
    return found


def segments_from(trace: Trace, host: str) -> list[Seen]:
    """List the segments that one host sent."""
    return [seen for seen in segments(trace) if seen.host == host]


def stays(trace: Trace, host: str, state: str) -> list[int]:
    """Say how long connections of a host stayed in a state, in ns; only those that left it.

    Requires: a trace of the world, and one connection at a time on the host.
    """
    found = []
    entered_at = 0
    for event in trace.events:
        if isinstance(event, StateChange) and event.host == host:
            if event.old == state:
                found.append(event.t_ns - entered_at)
            if event.new == state:
                entered_at = event.t_ns
    return found


def span(durations: Sequence[int]) -> str:
    """Write durations in ns as what they lie between: ``20 ms``, or ``10 ms to 1.2 s``."""
    return _span(durations, "to")


def span_zh(durations: Sequence[int]) -> str:
    """Write the same in Chinese: ``20 ms``, or ``10 ms 到 1.2 s``."""
    return _span(durations, "到")


def linux_name(error: str) -> str:
    """Name an errno as Linux's manual does: the two are one number."""
    return "EOPNOTSUPP" if error == "ENOTSUP" else error


def in_chinese(text: str, words: Mapping[str, str]) -> str:
    """Write a list of settings in Chinese: each by its name there, and between them its marks."""
    for english, chinese in words.items():
        text = text.replace(english, chinese)
    for mark, wide in _WIDE:
        text = text.replace(mark, wide)
    return text


def _span(durations: Sequence[int], to: str) -> str:
    low, high = show_duration(min(durations)), show_duration(max(durations))
    return low if low == high else f"{low} {to} {high}"
