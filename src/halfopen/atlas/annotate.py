"""What each packet of a run is, seen from the packets alone, so that it holds for either arm.

Sequence numbers are counted from the SYN of their direction, windows are in bytes, and what people
would otherwise count by hand has a name: ``again, 2nd``, ``keepalive probe``, ``window closed``.
"""

from typing import Final

from halfopen.base.value import value
from halfopen.record.query import Packet, packets
from halfopen.record.trace import Trace
from halfopen.wire import icmp6, ip, tcp
from halfopen.wire.address import is_v6, spell
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import DEST_UNREACH, Icmp
from halfopen.wire.seq import WRAP, unwrap
from halfopen.wire.tcp import ACK, RST, SYN, Segment
from halfopen.wire.udp import Datagram

_FLAG_NAMES: Final = (
    (tcp.SYN, "SYN"),
    (tcp.FIN, "FIN"),
    (tcp.RST, "RST"),
    (tcp.PSH, "PSH"),
    (tcp.ACK, "ACK"),
    (tcp.URG, "URG"),
    (tcp.ECE, "ECE"),
    (tcp.CWR, "CWR"),
)


@value
class Seen:
    """One packet with its reading. ``seq`` and ``ack`` are relative; None where there is none."""

    packet: Packet
    src: str  # "10.0.0.1:40000"
    dst: str
    protocol: str  # "tcp", "udp", "icmp", "ip"
    summary: str  # "SYN,ACK seq 0 ack 1 win 65160"
    length: int = 0
    forwarded: bool = False  # a router passes it on: its sender's copy stands elsewhere
    flags: str = ""  # "SYN,ACK"
    seq: int | None = None
    ack: int | None = None
    win: int | None = None
    note: str = ""  # "again, 2nd"; "" where nothing needs saying


@value
class _Numbers:
    """A segment's numbers as its connection means them."""

    seq: int
    ack: int | None
    win: int


def flag_names(flags: int) -> str:
    """Write flags as the ladder does: ``SYN,ACK``; ``none`` where none is set."""
    return ",".join(name for bit, name in _FLAG_NAMES if flags & bit) or "none"


def ordinal(number: int) -> str:
    """Write 1st, 2nd, 3rd, 4th ... 11th ... 21st."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 < number % 100 < 14 else ending}"


class _Direction:
    """One end's numbers, as an onlooker can know them."""

    def __init__(self, before: int | None = None) -> None:
        self.iss: int | None = None  # raw
        self.before = before  # iss of the connection that was there before this one
        self.snd_max = 0  # relative: one past the highest sent
        self.shift = 0  # window scale that this end offered, once in force
        self.win = -1  # last window that it announced, in bytes
        self.ack: int | None = None  # last ack that it sent, relative
        self.sent: dict[int, int] = {}  # relative seq -> how often sent
        self.probes = 0  # probes since the other end last spoke
        self.same = 0  # equal acks in a row


class Annotator:
    """Reads the packets of one run in their order."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], _Direction] = {}
        self._origins: dict[str, str] = {}

    def origin(self, address: str, host: str) -> str:
        """Return the host that owns an address: the first that was seen to send from it."""
        return self._origins.setdefault(address, host)

    def see(self, packet: Packet) -> Seen:
        """Read the next packet."""
        try:
            outer = ip.decode(packet.raw)
        except WireError as error:
            said = f"unreadable: {error}"
            return Seen(packet=packet, src="?", dst="?", protocol="ip", summary=said)
        forwarded = self.origin(outer.src, packet.host) != packet.host
        src, dst, length = outer.src, outer.dst, 0
        protocol, said = "ip", f"IP protocol {outer.proto}"
        match outer.body:
            case Segment():
                return self._segment(packet, outer.body, forwarded=forwarded)
            case Datagram(sport=sport, dport=dport, data=data):
                src, dst, length = spell(src, sport), spell(dst, dport), len(data)
                protocol, said = "udp", f"UDP len {length}"
            case Icmp():
                named = icmp6_name if is_v6(src) else icmp_name
                protocol, said = "icmp", f"ICMP {named(outer.body)}"
            case bytes():
                length = len(outer.body)
        return Seen(
            packet=packet,
            src=src,
            dst=dst,
            protocol=protocol,
            summary=said,
            length=length,
            forwarded=forwarded,
        )

    def _segment(self, packet: Packet, seg: Segment, *, forwarded: bool) -> Seen:
        src, dst = spell(seg.flow[0], seg.flow[1]), spell(seg.flow[2], seg.flow[3])
        mine = self._ends.setdefault((src, dst), _Direction())
        theirs = self._ends.setdefault((dst, src), _Direction())
        if seg.flags & SYN and not forwarded and mine.iss != seg.seq:
            self._ends[src, dst] = mine = _Direction(mine.iss)  # a new incarnation
            if not seg.flags & ACK:
                self._ends[dst, src] = theirs = _Direction(theirs.iss)
        seq = _relative(seg.seq, mine, seg, own=True)
        ack = _relative(seg.ack, theirs, seg, own=False) if seg.flags & ACK else None
        if seg.flags & SYN:
            mine.shift = max(seg.wscale, 0)
        win = seg.wnd if seg.flags & SYN else seg.wnd << mine.shift
        numbers = _Numbers(seq=seq, ack=ack, win=win)
        note = "" if forwarded else _note(mine, theirs, seg, numbers)
        flags, length = flag_names(seg.flags), len(seg.text)
        return Seen(
            packet=packet,
            forwarded=forwarded,
            protocol="tcp",
            src=src,
            dst=dst,
            flags=flags,
            seq=seq,
            ack=ack,
            length=length,
            win=win,
            summary=_summary(seg, seq, ack, win),
            note=note,
        )


def annotate(trace: Trace) -> list[Seen]:
    """Read every packet of a run, in order of departure."""
    annotator = Annotator()
    return [annotator.see(packet) for packet in packets(trace)]


def icmp_name(message: Icmp) -> str:
    """Name an ICMP message by RFC 792 and RFC 1812 5.2.7.1."""
    if message.kind == DEST_UNREACH:
        codes = {
            0: "network unreachable",
            1: "host unreachable",
            2: "protocol unreachable",
            3: "port unreachable",
            4: "fragmentation needed",
            9: "network prohibited",
            10: "host prohibited",
            13: "communication prohibited",
        }
        return codes.get(message.code, f"unreachable, code {message.code}")
    kinds = {0: "echo reply", 5: "redirect", 8: "echo request", 11: "time exceeded"}
    return kinds.get(message.kind, f"type {message.kind} code {message.code}")


def icmp6_name(message: Icmp) -> str:
    """Name an ICMPv6 message by RFC 4443 3 and RFC 4861 4."""
    if message.kind == icmp6.DEST_UNREACH:
        codes = {
            0: "no route",
            1: "communication prohibited",
            2: "beyond the scope of the source",
            3: "address unreachable",
            4: "port unreachable",
            5: "source address prohibited",
            6: "route rejected",
        }
        return codes.get(message.code, f"unreachable, code {message.code}")
    kinds = {
        2: "packet too big",
        3: "time exceeded",
        4: "parameter problem",
        128: "echo request",
        129: "echo reply",
        133: "router solicitation",
        135: "neighbour solicitation",
        136: "neighbour advertisement",
    }
    return kinds.get(message.kind, f"type {message.kind} code {message.code}")


def _relative(raw: int, end: _Direction, seg: Segment, *, own: bool) -> int:
    if end.iss is None:
        if end.before is not None and not seg.flags & SYN:
            return unwrap(raw, end.before) - end.before
        # No SYN seen: an RST out of nothing shows its plain number, other traffic starts at 1.
        if seg.flags & RST and own:
            return raw
        end.iss = raw if seg.flags & SYN and own else (raw - 1) % WRAP
    found = unwrap(raw, end.iss + end.snd_max) - end.iss
    if end.before is not None and not seg.flags & SYN:
        return min(found, unwrap(raw, end.before) - end.before, key=abs)
    return found


def _summary(seg: Segment, seq: int, ack: int | None, win: int) -> str:
    parts = [flag_names(seg.flags), f"seq {seq}"]
    if ack is not None:
        parts.append(f"ack {ack}")
    if seg.text:
        parts.append(f"len {len(seg.text)}")
    if not seg.flags & RST:
        parts.append(f"win {win}")
    return " ".join(parts)


def _note(mine: _Direction, theirs: _Direction, seg: Segment, numbers: _Numbers) -> str:
    """Name what this segment is, and remember what the next one is judged by."""
    probed, theirs.probes = theirs.probes > 0, 0
    note = ""
    if seg.seq_len() and not seg.flags & RST:
        note = _note_sent(mine, seg, numbers.seq)
    elif seg.flags == ACK and mine.ack is not None:
        note = _note_pure_ack(mine, theirs, numbers, probed=probed)
    if numbers.ack is not None and not seg.flags & RST:
        mine.ack, mine.win = numbers.ack, numbers.win
    return note


def _note_sent(mine: _Direction, seg: Segment, seq: int) -> str:
    mine.same = 0
    if seq >= mine.snd_max:
        mine.snd_max = seq + seg.seq_len()
        mine.sent[seq] = 1
        return ""
    times = mine.sent.get(seq, 1)
    mine.sent[seq] = times + 1
    mine.snd_max = max(mine.snd_max, seq + seg.seq_len())
    return "again" if times == 1 else f"again, {ordinal(times)}"


def _note_pure_ack(mine: _Direction, theirs: _Direction, numbers: _Numbers, *, probed: bool) -> str:
    closed = numbers.win == 0
    if numbers.seq == mine.snd_max - 1:
        mine.probes += 1
        kind = "window probe" if theirs.win == 0 else "keepalive probe"
        return kind if mine.probes == 1 else f"{kind}, {ordinal(mine.probes)}"
    if probed:
        return "window closed" if closed else "answers the probe"
    if numbers.ack != mine.ack:
        mine.same = 0
        return "window closed" if closed else ""
    if numbers.win != mine.win:
        return "window closed" if closed else "window update"
    mine.same += 1
    if theirs.snd_max > (numbers.ack or 0):
        return "same ACK" if mine.same == 1 else f"same ACK, {ordinal(mine.same)}"
    return ""
