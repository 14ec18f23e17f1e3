"""A run as pcapng, for Wireshark: hosts by name, faults and losses as comments."""

from halfopen.atlas.annotate import Seen, annotate
from halfopen.base.units import show_duration
from halfopen.record.faults import describe_fault
from halfopen.record.query import faults
from halfopen.record.trace import Trace
from halfopen.wire import pcap
from halfopen.wire.address import host_of, to_bytes


def capture(trace: Trace) -> bytes:
    """Write every packet of a run as its sender gave it to the link.

    A fault is said at the first packet after it; where none follows, at the last one.
    """
    packets = annotate(trace)
    interfaces = list(dict.fromkeys((seen.packet.host, seen.packet.link) for seen in packets))
    blocks = [pcap.section_header("halfopen")]
    blocks += [pcap.interface(host, f"{host} on link {link}") for host, link in interfaces]
    blocks.append(pcap.names(_names(packets)))
    said = _fault_comments(trace, packets)
    for number, seen in enumerate(packets):
        packet = seen.packet
        blocks.append(
            pcap.packet(
                packet.raw,
                interface_id=interfaces.index((packet.host, packet.link)),
                t_ns=packet.t_ns,
                comments=[*said.get(number, ()), *_comments(seen)],
            )
        )
    return b"".join(blocks)


def _names(packets: list[Seen]) -> list[tuple[bytes, str]]:
    """Name every address that was sent from, by the host that owns it."""
    named: dict[str, str] = {}
    for seen in packets:
        if not seen.forwarded and seen.src != "?":
            named.setdefault(host_of(seen.src), seen.packet.host)
    return [(to_bytes(address), host) for address, host in named.items()]


def _comments(seen: Seen) -> list[str]:
    comments = [seen.note] if seen.note else []
    if seen.packet.why is not None:
        comments.append(f"lost: {seen.packet.why}")
    return comments


def _fault_comments(trace: Trace, packets: list[Seen]) -> dict[int, list[str]]:
    """Tie each fault to a packet, by the packet's place."""
    said: dict[int, list[str]] = {}
    for event in faults(trace):
        after = (n for n, seen in enumerate(packets) if seen.packet.t_ns >= event.t_ns)
        effect = "" if event.effect else " (no effect)"
        text = f"at {show_duration(event.t_ns)}: {describe_fault(event.fault)}{effect}"
        said.setdefault(next(after, len(packets) - 1), []).append(text)
    return said
