"""What of a packet both arms must agree on: segments, datagrams and ICMP messages."""

from typing import Final, TypeAlias

from halfopen.base.value import value
from halfopen.compare.rules import DNS_PORT, EPHEMERAL
from halfopen.record.query import Packet
from halfopen.wire import icmp, icmp6, ip
from halfopen.wire.address import is_v6
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp
from halfopen.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Flow, Segment
from halfopen.wire.udp import Datagram

_FLAGS: Final = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (ACK, "ACK"),
    (URG, "URG"),
    (ECE, "ECE"),
    (CWR, "CWR"),
)

#: One direction between two hosts: protocol, both ends' address and port (0: drawn), and which
#: of those alike.
Stream: TypeAlias = tuple[str, str, int, str, int, int]


@value
class Seen:
    """A packet as it is compared: what of it must be the same in both arms, and a word for it."""

    packet: Packet
    stream: Stream
    shape: dict[str, object]
    text: str
    bare: bool  # a segment that takes no sequence numbers

    def fate(self) -> str:
        """What became of it: arrived, lost and to what, or under way."""
        if self.packet.arrived_ns is not None:
            return "arrives"
        return "is under way" if self.packet.why is None else f"is lost ({self.packet.why})"


#: A SYN so far from where a stream began is the beginning of another, with a number that is drawn.
#: One that takes a TIME-WAIT over is not: it goes on from there, 65,537 further on (Linux
#: tcp_twsk_unique, tcp_timewait_state_process).
_APART: Final = 1 << 17


class Readings:
    """Reads the packets of one run, in their order; numbers count from where a stream began."""

    def __init__(self) -> None:
        self._numbers: dict[Flow, int] = {}
        self._bases: dict[Flow, list[int]] = {}

    def read(self, packet: Packet) -> Seen | None:
        """Read a packet; None where it is of a kind that is not compared."""
        try:
            whole = ip.decode(packet.raw)
        except WireError:
            return None
        match whole.body:
            case Segment() as seg:
                stream = self._name("TCP", seg.flow)
                shape, text = self._segment(seg)
            case Datagram() as datagram:
                flow = (whole.src, datagram.sport, whole.dst, datagram.dport)
                stream = self._name("UDP", flow)
                shape, text = _datagram(datagram)
            case Icmp() as message:
                stream = ("ICMP", whole.src, 0, whole.dst, 0, 0)
                shape, text = _message(message, v6=is_v6(whole.src))
            case _:
                return None
        head: dict[str, object] = {"ttl": whole.ttl, "tos": whole.tos, "DF": whole.df}
        bare = isinstance(whole.body, Segment) and not whole.body.seq_len()
        return Seen(packet=packet, stream=stream, shape=shape | head, text=text, bare=bare)

    def _name(self, protocol: str, flow: Flow) -> Stream:
        """Name a stream by what is not drawn, and by its number among those alike."""
        plain = _plain(flow)
        alike = sum(1 for known in self._numbers if _plain(known) == plain)
        return (protocol, *plain, self._numbers.setdefault(flow, alike))

    def _segment(self, seg: Segment) -> tuple[dict[str, object], str]:
        back = (seg.flow[2], seg.flow[3], seg.flow[0], seg.flow[1])
        here = self._bases.setdefault(seg.flow, [seg.seq])
        if seg.flags & SYN and _distance(_counted(seg.seq, here)) > _APART:
            here.append(seg.seq)  # a host that has booted again uses a port anew
        there = self._bases.setdefault(back, [seg.ack]) if seg.flags & ACK else [0]
        seq = _counted(seg.seq, here)
        ack = _counted(seg.ack, there) if seg.flags & ACK else None
        sack = tuple((_counted(low, there), _counted(high, there)) for low, high in seg.sack)
        flags = ",".join(name for bit, name in _FLAGS if seg.flags & bit)
        shape: dict[str, object] = {
            "flags": flags,
            "seq": seq,
            "ack": ack,
            "length": len(seg.text),
            "text": _without_numbers(seg.text) if DNS_PORT in seg.flow else seg.text,
            "sack": sack,
            "window": seg.wnd,
            "mss": seg.mss,
            "wscale": seg.wscale,
            "sack permitted": seg.sack_ok,
            "timestamps": seg.ts_val >= 0,
            "urgent": seg.urg if seg.flags & URG else None,
        }
        parts = [flags, f"seq {seq}"]
        if ack is not None:
            parts.append(f"ack {ack}")
        if seg.text:
            parts.append(f"len {len(seg.text)}")
        if seg.wnd == 0 and not seg.flags & RST:
            parts.append("win 0")
        parts += [f"sack {low}-{high}" for low, high in sack]
        return shape, " ".join(parts)


def _counted(number: int, bases: list[int]) -> int:
    """Count from the nearest of the numbers at which a stream has begun."""
    return min(((number - base) & 0xFFFFFFFF for base in bases), key=_distance)


def _distance(number: int) -> int:
    return min(number, 0x100000000 - number)


def _without_numbers(text: bytes) -> bytes:
    """Read DNS messages in a segment that begins with one; their drawn numbers are left out."""
    kept = bytearray(text)
    at = 0
    while at + 4 <= len(text):
        kept[at + 2 : at + 4] = bytes(2)
        at += 2 + int.from_bytes(text[at : at + 2])
    return bytes(kept)


def _datagram(datagram: Datagram) -> tuple[dict[str, object], str]:
    """Read a datagram; a DNS message begins with a number that is drawn."""
    dns = DNS_PORT in {datagram.sport, datagram.dport}
    shape: dict[str, object] = {
        "length": len(datagram.data),
        "text": datagram.data[2:] if dns else datagram.data,
    }
    return shape, f"UDP len {len(datagram.data)}"


def _message(message: Icmp, *, v6: bool) -> tuple[dict[str, object], str]:
    """Read a message; of what an error quotes, whose packet it was."""
    shape: dict[str, object] = {
        "type": message.kind,
        "code": message.code,
        "length": len(message.quoted),
    }
    text = f"ICMP {message.kind}/{message.code}"
    if v6 and message.kind in {icmp6.PACKET_TOO_BIG, icmp6.PARAMETER_PROBLEM}:
        shape["mtu or pointer"] = message.rest
        text += f" {message.rest}"
    elif not v6 and message.kind == icmp.DEST_UNREACH and message.code == icmp.FRAG_NEEDED:
        shape["mtu"] = message.rest & 0xFFFF
        text += f" mtu {message.rest & 0xFFFF}"
    if message.kind not in {icmp.ECHO, icmp.ECHO_REPLY}:
        try:
            quote = icmp.decode_quoted(message.quoted)
        except WireError:
            return shape, text
        shape["about"] = (quote.proto, *_plain((quote.src, quote.sport, quote.dst, quote.dport)))
    return shape, text


def _plain(flow: Flow) -> Flow:
    source, sport, target, dport = flow
    return (source, _unless_drawn(sport), target, _unless_drawn(dport))


def _unless_drawn(port: int) -> int:
    return 0 if port in EPHEMERAL else port
