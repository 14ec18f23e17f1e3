"""One end of a connection, driven as its peer and its user drive it: by segments, calls and time.

Nothing here sets a field of a connection. Numbers are counted from ISS (ours) and IRS (the
peer's), whatever the end itself has drawn, so that one table holds for every end: ``Ours`` is the
stack, and ``linux_end.LinuxEnd`` a socket of the real kernel.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from errno import EBADF
from typing import Final, NamedTuple

from tests.unit.tcp import reasons

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.net.demux import arriving
from halfopen.net.interfaces import Interface
from halfopen.net.ip import Ip
from halfopen.net.sysctl import with_defaults
from halfopen.tcp import calls, timers, urgent
from halfopen.tcp.config import Config
from halfopen.tcp.deadlines import deadline_passed, next_deadline
from halfopen.tcp.effects import Effects
from halfopen.tcp.iss import Secret
from halfopen.tcp.listening import Listening, Owner
from halfopen.tcp.states import State
from halfopen.tcp.tcb import INFINITE, Tcb
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.onpath import ROUTER, error_about
from halfopen.wire.seq import unwrap, wrap
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, Flow, Segment

HERE: Final = "10.0.0.1"
PEER: Final = "10.0.0.2"

#: The initial sequence numbers, as the tables count: ours, and the peer's.
ISS: Final = 1_000
IRS: Final = 50_000
#: Where the window that we offered ends: ``EDGE - 1`` is the last number in it.
EDGE: Final = 1 << 40
#: What the peer offers where a table does not say.
WINDOW: Final = 10_000
MSS: Final = 1_460

_NAMES: Final = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))


def spell_flags(flags: int) -> str:
    """Write flags as the RFC does: ``RST,ACK``."""
    return ",".join(name for bit, name in _NAMES if flags & bit) or "none"


class Sent(NamedTuple):
    """What is looked at of a segment that an end sent."""

    flags: int
    seq: int
    ack: int
    size: int = 0  # octets of text
    urg: int = 0  # the urgent pointer, where the flag says that there is one
    sack: tuple[tuple[int, int], ...] = ()  # the blocks reported, in the peer's numbers
    closed: bool = False  # the window offered is 0; an RST offers none
    tos: int = 0

    def __repr__(self) -> str:
        ack = f" ack {self.ack}" if self.flags & ACK else ""
        size = f" len {self.size}" if self.size else ""
        urg = f" urg {self.urg}" if self.flags & URG else ""
        sack = "".join(f" sack {left}-{right}" for left, right in self.sack)
        closed = " win 0" if self.closed else ""
        tos = f" tos {self.tos:#x}" if self.tos else ""
        return f"<{spell_flags(self.flags)} seq {self.seq}{ack}{size}{urg}{sack}{closed}{tos}>"


class Options(NamedTuple):
    """What the peer's SYN offers."""

    mss: int = MSS
    wscale: int = -1
    sack_ok: bool = False
    timestamps: bool = False


class End(ABC):
    """An end, and the little that its peer remembers."""

    def __init__(self, options: Options, *, irs: int = IRS) -> None:
        self.options = options
        self.flow: Flow = ("", 0, "", 0)  # as this end sends
        self.irs = irs  # what IRS really is
        self.iss: int | None = None  # what ISS really is, as soon as a SYN has told
        self.rcv_edge = 0  # in the tables' numbers: where the window offered last ends
        self.scale = 0
        self.peer_ts = 100_000  # the peer's clock
        self.heard_ts = 0  # the latest TSval of this end
        self.segments: list[Segment] = []  # everything that this end has sent, in order
        self.toses: list[int] = []  # the TOS of each
        self.looked_at = 0
        self.others = 0  # whose SYNs have come, beside the peer's
        self.answers: dict[Flow, Segment] = {}  # what was sent last to each of them

    # What the peer does.

    def arrives(
        self,
        flags: int,
        seq: int,
        ack: int | None = None,
        text: bytes = b"",
        *,
        wnd: int = WINDOW,
        ts: int | None = None,
        ecr: int = 0,
        urg: int = 0,
        sack: tuple[tuple[int, int], ...] = (),
        tos: int = 0,
    ) -> None:
        """Let a segment of the peer arrive.

        ``ack`` fills the field whether or not the flag is set. ``ts`` is the peer's clock, moved
        by that much; ``ecr`` moves what it echoes. -1 for ``ts``: the segment has no timestamp.
        """
        seg = Segment(
            arriving(self.flow),
            self._raw_seq(seq),
            0 if ack is None else self._raw_ack(ack),
            flags,
            wnd,
            text,
            urg=urg,
            sack=tuple((self._raw_ack(left), self._raw_ack(right)) for left, right in sack),
        )
        if flags & SYN:
            seg.mss = self.options.mss
            seg.wscale = self.options.wscale
            seg.sack_ok = self.options.sack_ok
        if self.options.timestamps and ts != -1:
            seg.ts_val = self.peer_ts + (ts or 0)
            seg.ts_ecr = wrap(self.heard_ts + ecr) if flags & ACK else 0
        self._put(seg, tos)

    def crowd(self, count: int, *, join: bool = False) -> None:
        """Let SYNs of others arrive, who go on only where they are to join."""
        source, sport, destination, _ = self.flow
        for _ in range(count):
            self.others += 1
            flow = (destination, 2_000 + self.others, source, sport)
            self._put(Segment(flow, 1, 0, SYN, WINDOW))
            answer = self.answers.get(arriving(flow))
            if join:
                assert answer is not None, "an answer that another could acknowledge"
                self._put(Segment(flow, 2, wrap(answer.seq + 1), ACK, WINDOW))

    def _hear(self, seg: Segment, tos: int) -> None:
        """Take note of a segment that this end has sent to its peer, or to another."""
        if seg.flow == self.flow:
            self.toses.append(tos)
            self._note(seg)
        else:
            self.answers[seg.flow] = seg

    def complains(self, kind: int, code: int, seq: int, rest: int = 0) -> None:
        """Let an ICMP error of a router arrive, about a segment that this end sent."""
        source, _, destination, _ = self.flow
        about = Segment(self.flow, self._raw_ack(seq), 0, ACK, 0)
        quoted = Packet(source, destination, PROTO_TCP, about)
        self._put_packet(error_about(quoted, kind, code, ROUTER, rest))

    def _raw_seq(self, seq: int) -> int:
        if seq >= EDGE >> 1:
            seq += self.rcv_edge - EDGE
        return wrap(seq - IRS + self.irs)

    def _raw_ack(self, ack: int) -> int:
        return wrap(ack - ISS + (self.iss or 0))

    def _note(self, seg: Segment) -> None:
        """Remember a segment that this end has sent."""
        self.segments.append(seg)
        if seg.flags & SYN:
            if self.iss is None:
                self.iss = seg.seq
            self.scale = max(seg.wscale, 0) if self.options.wscale >= 0 else 0
        # Linux hatches an embryo by an echo of its SYN,ACK only, and its clock goes on meanwhile.
        if seg.ts_val >= 0 and (seg.flags & SYN or self.state is not State.SYN_RECEIVED):
            self.heard_ts = seg.ts_val
        if seg.flags & ACK and not seg.flags & RST:
            window = seg.wnd if seg.flags & SYN else seg.wnd << self.scale
            self.rcv_edge = unwrap(wrap(seg.ack - self.irs + IRS), IRS) + window

    def sent(self) -> list[Sent]:
        """Return what was sent since the last look."""
        self.look()
        fresh = range(self.looked_at, len(self.segments))
        self.looked_at = len(self.segments)
        return [self._told(self.segments[number], self.toses[number]) for number in fresh]

    def _told(self, seg: Segment, tos: int) -> Sent:
        ours = self.iss if self.iss is not None else 0
        seq = 0 if seg.flags & RST and not seg.seq else unwrap(wrap(seg.seq - ours + ISS), ISS)
        ack = self._from_irs(seg.ack) if seg.flags & ACK else 0
        urg = seg.urg if seg.flags & URG else 0
        sack = tuple((self._from_irs(left), self._from_irs(right)) for left, right in seg.sack)
        closed = not seg.wnd and not seg.flags & RST
        return Sent(seg.flags, seq, ack, len(seg.text), urg, sack, closed, tos)

    def _from_irs(self, number: int) -> int:
        return unwrap(wrap(number - self.irs + IRS), IRS)

    # What an end has to do for it.

    def _put(self, seg: Segment, tos: int = 0) -> None:
        """Let a segment arrive."""
        source, _, destination, _ = seg.flow
        self._put_packet(Packet(source, destination, PROTO_TCP, seg, tos=tos))

    @abstractmethod
    def _put_packet(self, packet: Packet) -> None:
        """Let a packet arrive."""

    @abstractmethod
    def look(self) -> None:
        """Take note of all that was sent up to now."""

    @property
    @abstractmethod
    def state(self) -> State:
        """The connection's state; LISTEN, or CLOSED, where there is none."""

    @abstractmethod
    def error(self) -> int:
        """Return the error that waits for the user (SO_ERROR), and clear it."""

    # What its user does.

    @abstractmethod
    def connect(self) -> None:
        """OPEN, active."""

    @abstractmethod
    def listen(self, backlog: int = 8) -> None:
        """OPEN, passive."""

    @abstractmethod
    def accept(self) -> None:
        """Take the connection whose handshake is over; stop listening."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """SEND, whole."""

    @abstractmethod
    def read(self, size: int = 1 << 20) -> bytes:
        """RECEIVE what is there."""

    @abstractmethod
    def write_urgent(self, data: bytes) -> None:
        """SEND, whole, with the last octet urgent."""

    @abstractmethod
    def read_urgent(self, *, peek: bool = False) -> bytes | int:
        """RECEIVE the urgent octet; an errno where there is none."""

    @abstractmethod
    def recverr(self) -> None:
        """Set IP_RECVERR."""

    @abstractmethod
    def soft_error(self) -> int:
        """Return the error that waits, or else the soft one (SO_ERROR), and clear it."""

    @abstractmethod
    def reports(self) -> list[tuple[int, int, int, str]]:
        """Empty the error queue: each errno, ICMP type and code, and whose message it was."""

    @abstractmethod
    def inline(self, *, on: bool) -> None:
        """Set or clear SO_OOBINLINE."""

    @abstractmethod
    def at_mark(self) -> bool:
        """Ask SIOCATMARK."""

    @abstractmethod
    def shutdown_write(self) -> None:
        """Send no more."""

    @abstractmethod
    def shutdown_read(self) -> None:
        """Receive no more."""

    @abstractmethod
    def close(self) -> None:
        """CLOSE by the last descriptor; of a listener where nothing is accepted."""

    @abstractmethod
    def abort(self) -> None:
        """CLOSE with SO_LINGER 0."""

    @abstractmethod
    def linger2(self, seconds: int) -> None:
        """Set TCP_LINGER2."""

    @abstractmethod
    def nodelay(self) -> None:
        """Set TCP_NODELAY."""

    @abstractmethod
    def cork(self, *, on: bool) -> None:
        """Set or clear TCP_CORK."""

    @abstractmethod
    def rcvbuf(self) -> int:
        """Ask for SO_RCVBUF."""

    @abstractmethod
    def fix_rcvbuf(self, octets: int) -> None:
        """Set SO_RCVBUF; the kernel doubles it."""

    @abstractmethod
    def rcvlowat(self, octets: int) -> None:
        """Set SO_RCVLOWAT."""

    @abstractmethod
    def syncnt(self, count: int) -> None:
        """Set TCP_SYNCNT on the listener."""

    @abstractmethod
    def wait(self, duration_ns: int) -> None:
        """Let time pass."""


class Nobody:
    """The owner of a listener that has no options to hand down."""

    def inherit(self, tcb: Tcb) -> None:
        """Change nothing."""

    def shares(self) -> bool:
        """Let others have the port too."""
        return True


class Ours(End):
    """The stack: one host's IP and TCP, without sockets above and without links below."""

    def __init__(
        self,
        options: Options = Options(),  # noqa: B008  a value
        *,
        sysctl: Mapping[str, int | str] | None = None,
        irs: int = IRS,
        iss: int = ISS,
        phase: int = 0,
        mtu: int = 1500,
    ) -> None:
        super().__init__(options, irs=irs)
        self.now = 10 * S
        self.flow = (HERE, 40_000, PEER, 80)
        table = with_defaults(sysctl or {})
        self.effects = Effects(traced=True)
        self.config = Config(table, phase)
        self.ip = Ip(table, self.effects, Rng(0))
        self.ip.interfaces.append(Interface(0, "eth0", (HERE,), peers=(PEER,), mtu=mtu))
        self.ip.routes.connect(self.ip.interfaces[0])
        self.own_iss = iss
        self.mtu = mtu
        self.tcb: Tcb | None = None  # what the user holds
        self.any: Tcb | None = None  # the connection, whoever holds it
        self.listening: Listening | None = None

    # Every entry ends here.

    def settle(self) -> None:
        """Do what the layers around do after every entry: send, arm, forget."""
        self.ip.settle(self.now)
        for embryo in self.ip.embryos:
            if embryo.tcb.flow == self.flow:
                self.any = embryo.tcb
        self.ip.embryos.clear()
        self.ip.gone.clear()
        effects = self.effects
        reasons.check(effects.history)
        for tcb in effects.woken:
            tcb.wake = 0
        effects.woken.clear()
        effects.ready.clear()
        for tcb in effects.rearm:
            due = next_deadline(tcb)
            if due is not None and due < tcb.entry_at:
                tcb.entry_at = max(due, self.now)
        effects.rearm.clear()

    def _put_packet(self, packet: Packet) -> None:
        self.ip.receive(packet, 0, self.now)
        self.settle()
        self.look()

    def look(self) -> None:
        while self.ip.outbox:
            _, packet = self.ip.outbox.popleft()
            assert isinstance(packet.body, Segment), "TCP sends segments"
            self._hear(packet.body, packet.tos)

    @property
    def state(self) -> State:
        tcb = self.ip.demux.flows.get(arriving(self.flow))
        if tcb is not None:
            return tcb.state
        listens = self.tcb is None and self.listening is not None and not self.listening.closed
        return State.LISTEN if listens else State.CLOSED

    def error(self) -> int:
        if self.tcb is None or self.tcb.orphan:
            return 0
        error, self.tcb.so_error = self.tcb.so_error, 0
        return error

    # Calls.

    def connect(self) -> None:
        tcb = Tcb(self.flow, self.config, self.effects, iss=self.own_iss, mtu=self.mtu)
        self.tcb = self.any = tcb
        self.ip.demux.add(tcb)
        calls.open_active(tcb, self.now)
        self.settle()
        self.look()

    def listen(self, backlog: int = 8, *, owner: Owner | None = None) -> None:
        self.listening = Listening(
            owner or Nobody(), self.config, self.effects, Secret(Rng(0)), backlog=backlog
        )
        self.ip.demux.listen(HERE, self.flow[1], self.listening)

    def accept(self) -> None:
        assert self.listening is not None, "accept without listen"
        self.tcb = self.listening.accept()
        self.stop_listening()

    def stop_listening(self) -> None:
        """Close the listener."""
        assert self.listening is not None, "nobody listens"
        self.ip.demux.unlisten(HERE, self.flow[1], self.listening)
        calls.close_listening(self.listening, self.now)
        self.settle()

    def held(self) -> Tcb:
        """Return the connection that the user holds."""
        assert self.tcb is not None, "the user holds no connection"
        return self.tcb

    def write(self, data: bytes) -> None:
        taken = calls.send(self.held(), data, self.now)
        assert taken == len(data), f"{taken} of {len(data)} octets were taken"
        self.settle()

    def read(self, size: int = 1 << 20) -> bytes:
        if self.tcb is None or self.tcb.orphan:
            return b""
        data = calls.receive(self.tcb, size, self.now)
        self.settle()
        return data

    def write_urgent(self, data: bytes) -> None:
        taken = calls.send(self.held(), data, self.now, is_urgent=True)
        assert taken == len(data), f"{taken} of {len(data)} octets were taken"
        self.settle()

    def read_urgent(self, *, peek: bool = False) -> bytes | int:
        if self.tcb is None or self.tcb.orphan:
            return EBADF
        error, octet = calls.receive_urgent(self.tcb, peek=peek)
        return error or (bytes((octet,)) if octet >= 0 else b"")

    def recverr(self) -> None:
        self.held().recverr = True

    def soft_error(self) -> int:
        tcb = self.held()
        error, tcb.so_error_soft = self.error() or tcb.so_error_soft, 0
        return error

    def reports(self) -> list[tuple[int, int, int, str]]:
        found = self.held().errors or []
        told = [(each.errno, each.kind, each.code, each.offender) for each in found]
        found.clear()
        return told

    def inline(self, *, on: bool) -> None:
        self.held().oobinline = on

    def at_mark(self) -> bool:
        return urgent.at_mark(self.held())

    def peek(self, size: int) -> bytes:
        """RECEIVE, and leave it there."""
        return calls.receive(self.held(), size, self.now, peek=True)

    def shutdown_write(self) -> None:
        calls.shutdown_write(self.held(), self.now)
        self.settle()

    def shutdown_read(self) -> None:
        calls.shutdown_read(self.held(), self.now)
        self.settle()

    def close(self) -> None:
        if self.tcb is None:
            self.stop_listening()
            return
        calls.close(self.tcb, self.now)
        self.settle()

    def abort(self) -> None:
        calls.close(self.held(), self.now, linger=0)
        self.settle()

    def linger2(self, seconds: int) -> None:
        self.held().linger2_ns = seconds * S if seconds >= 0 else -1

    def nodelay(self) -> None:
        calls.set_nodelay(self.held(), self.now, on=True)
        self.settle()

    def cork(self, *, on: bool) -> None:
        calls.set_cork(self.held(), self.now, on=on)
        self.settle()

    def rcvbuf(self) -> int:
        return self.held().rcvbuf

    def fix_rcvbuf(self, octets: int) -> None:
        tcb = self.held()
        tcb.rcvbuf, tcb.rcvbuf_locked = 2 * octets, True

    def rcvlowat(self, octets: int) -> None:
        self.held().rcvlowat = octets

    def syncnt(self, count: int) -> None:
        assert self.listening is not None, "nobody listens"
        self.listening.syn_retries = count

    def keepalive(self) -> None:
        """Set SO_KEEPALIVE, as the socket layer does (Linux tcp_set_keepalive)."""
        tcb = self.held()
        tcb.keepalive = True
        if tcb.state is not State.CLOSED and not tcb.minisock:
            timers.set_keepalive(tcb, tcb.keepidle_ns, self.now)
        self.settle()

    # Time.

    def wait(self, duration_ns: int) -> None:
        until = self.now + duration_ns
        while self.pass_deadline(until):
            pass
        self.now = until

    def next_deadline(self) -> int | None:
        """Return when the connection has something to do next."""
        return next_deadline(self.any) if self.any is not None else None

    def pass_deadline(self, until: int = INFINITE) -> bool:
        """Go on to the next deadline, if one comes by then; False: none does."""
        tcb, due = None, until + 1
        for each in self._everyone():
            at = next_deadline(each)
            if at is not None and at < due:
                tcb, due = each, at
        if tcb is None:
            return False
        assert due >= self.now, "a deadline lies in the past"
        self.now = due
        tcb.entry_at = INFINITE
        deadline_passed(tcb, self.now)
        self.settle()
        again = next_deadline(tcb)
        tcb.entry_at = min(tcb.entry_at, INFINITE if again is None else again)
        self.look()
        return True

    def _everyone(self) -> list[Tcb]:
        """List the connection, and those of others, where there are any."""
        mine = [] if self.any is None else [self.any]
        if not self.others:
            return mine
        return mine + [tcb for tcb in self.ip.demux.flows.values() if tcb is not self.any]
