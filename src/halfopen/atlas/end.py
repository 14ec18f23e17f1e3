"""One end of a connection: a host's kernel and its user; the peer is what the caller lets arrive.

Nothing here sets a field of the stack. Numbers are the peer's view of the wire, counted from each
end's SYN, which is 0. The user's calls are the socket calls that programs make.
"""

import errno
from collections.abc import Callable
from typing import Final

from halfopen.base.rng import Rng
from halfopen.base.units import HOUR, MS, S
from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets.constants import (
    AF_INET,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
)
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp.deadlines import next_deadline
from halfopen.tcp.effects import Transition
from halfopen.tcp.states import State
from halfopen.tcp.tcb import INFINITE, Tcb
from halfopen.wire.icmp import DEST_UNREACH
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.onpath import unreachable
from halfopen.wire.seq import unwrap, wrap
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, Flow, Segment

HERE: Final = "10.0.0.1"
PEER: Final = "10.0.0.2"
PORT: Final = 80
PEER_PORT: Final = 40_000
MSS: Final = 1460
WINDOW: Final = 65_535
#: The peer's initial sequence number; ours, where nobody has one, is counted from here too.
IRS: Final = 1 << 20
#: Between one thing and the next, as on a wire.
PAUSE_NS: Final = 10 * MS
#: By then an ACK that was delayed has gone out; nothing has been sent again.
SETTLED_NS: Final = 100 * MS
#: What has not happened by then never will: no timer of TCP's waits so long.
FOR_EVER_NS: Final = 30 * 24 * HOUR

_FLAGS: Final = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))
_READ: Final = 100

Call = Callable[[Wait], object]


class End:
    """A host that has just booted, and a user who has done nothing yet.

    ``patient``: the user's first call blocks; else another thread is free to make further calls.
    """

    def __init__(self, *, patient: bool) -> None:
        self.patient = patient
        self.now = 10 * S
        self.kernel = Kernel("here", {}, Rng(1), traced=True)
        self.kernel.add_interface("eth0", (HERE,), peers=(PEER,))
        self.table = FdTable(self.kernel)
        self.fd = -1  # what the user's calls are made on
        self.flow: Flow = (HERE, PORT, PEER, PEER_PORT)  # as this end sends
        self.tcb: Tcb | None = None
        self.iss = IRS
        self.heard = 0  # the next number that this end will send, as far as the peer knows
        self.told = 0  # the next number that the peer will send
        self.acked = 0  # what the peer has acknowledged
        self.edge = 0  # where the window ends that this end offered last
        self.last: Packet | None = None  # what this end sent last
        self.answers: list[Segment] = []
        self.moves: list[Transition] = []
        self._waits: tuple[Call, Wait] | None = None

    # What the user does.

    def socket(self) -> None:
        """Make a socket."""
        kind = SOCK_STREAM if self.patient else SOCK_STREAM | SOCK_NONBLOCK
        self.fd = calls.socket(self.table, AF_INET, kind, 0, self.now)

    def listen(self) -> str:
        """OPEN, passive, and wait in accept."""
        calls.bind(self.table, self.fd, ("0.0.0.0", PORT), self.now)
        calls.listen(self.table, self.fd, 8, self.now)
        return "done"

    def begin(self, call: Call) -> str:
        """Make a call, and keep it where it waits; what it gives."""
        return self._enter(call, Wait(self.now))

    def goes_on(self) -> str:
        """Enter the call that waits once more; what it gives now."""
        assert self._waits is not None, "no call waits"
        call, wait = self._waits
        self._waits = None
        return self._enter(call, wait)

    def _enter(self, call: Call, wait: Wait) -> str:
        try:
            result = call(wait)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        finally:
            self._look()
        if isinstance(result, Blocked):
            assert self._waits is None, "two calls wait"
            self._waits = call, wait
            return "waits"
        return _spell_result(result)

    def connect(self) -> str:
        """OPEN, active."""
        return self.begin(
            lambda wait: calls.connect(self.table, self.fd, (PEER, PEER_PORT), wait, self.now)
        )

    def accept(self) -> str:
        """Take a connection that has come."""
        return self.begin(lambda wait: calls.accept(self.table, self.fd, wait, self.now))

    def take(self) -> None:
        """Take the connection that has come, and use it from now on; the listener goes on."""
        accepted = calls.accept(self.table, self.fd, Wait(self.now), self.now)
        assert not isinstance(accepted, Blocked), "no connection has come"
        self.fd = accepted[0]
        calls.setblocking(self.table, self.fd, self.patient)

    def recv(self) -> str:
        """RECEIVE."""
        return self.begin(lambda wait: calls.recv(self.table, self.fd, _READ, 0, wait, self.now))

    def send(self) -> str:
        """SEND five octets."""
        return self.begin(lambda wait: calls.send(self.table, self.fd, b"hello", 0, wait, self.now))

    def shutdown(self, how: int) -> str:
        """CLOSE one direction."""
        return self.begin(lambda _: calls.shutdown(self.table, self.fd, how, self.now))

    def close(self) -> str:
        """CLOSE by the last descriptor."""
        return self.begin(lambda wait: calls.close(self.table, self.fd, wait, self.now))

    def abort(self) -> str:
        """ABORT: close with SO_LINGER and no time."""
        self._set(SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return self.close()

    def keepalive(self) -> None:
        """Ask for probes when the peer is silent."""
        self._set(SO_KEEPALIVE, 1)

    def error(self) -> str:
        """Read SO_ERROR, which clears it."""
        number = calls.getsockopt(self.table, self.fd, SOL_SOCKET, SO_ERROR, 0, self.now)
        assert isinstance(number, int), "SO_ERROR is a number"
        return errno.errorcode[number] if number else "0"

    def _set(self, name: int, value: int | bytes) -> None:
        calls.setsockopt(self.table, self.fd, SOL_SOCKET, name, value, self.now)

    # What the peer does.

    def arrives(
        self, flags: int, seq: int | None = None, ack: int | None = None, text: bytes = b""
    ) -> None:
        """Let a segment of the peer arrive.

        Its numbers are those that a peer would send next, where none are given. What it sends in
        order it takes as sent, and what it acknowledges as acknowledged.
        """
        at = self.told if seq is None else seq
        acked = self.acked if ack is None else ack
        segment = Segment(
            arriving(self.flow),
            wrap(IRS + at),
            wrap(self.iss + acked) if flags & ACK else 0,
            flags,
            WINDOW,
            text,
            mss=MSS if flags & SYN else 0,
        )
        if at == self.told and not flags & RST:
            self.told += segment.seq_len()
        if flags & ACK and self.acked < acked <= self.heard:
            self.acked = acked
        self._receive(Packet(PEER, HERE, PROTO_TCP, segment))

    def unreachable(self, code: int) -> None:
        """Let a router answer the last segment: it can't be delivered."""
        assert self.last is not None, "this end has sent nothing"
        self._receive(unreachable(self.last, DEST_UNREACH, code))

    def _receive(self, packet: Packet) -> None:
        self.kernel.receive(packet, 0, self.now)
        self._look()

    def pause(self, duration_ns: int = PAUSE_NS) -> None:
        """Let time pass."""
        until = self.now + duration_ns
        while self._next_deadline() <= until:
            self._deadline()
        self.now = until

    def silence(self) -> None:
        """Let time pass until nothing is left to wait for."""
        until = self.now + FOR_EVER_NS
        while self._next_deadline() <= until:
            self._deadline()

    def _next_deadline(self) -> int:
        at = None if self.tcb is None else next_deadline(self.tcb)
        return INFINITE if at is None else at

    def _deadline(self) -> None:
        assert self.tcb is not None, "nobody's deadline"
        self.now = max(self.now, self._next_deadline())
        self.kernel.deadline_passed(self.tcb, self.now)
        self._look()

    # What can be seen.

    @property
    def state(self) -> State:
        """The connection's state; LISTEN, or CLOSED, where there is none."""
        now = self.kernel.ip.demux.flows.get(arriving(self.flow))
        if now is not None:
            return now.state
        if self.tcb is not None and not self.tcb.embryo:
            return State.CLOSED
        listener = self.kernel.ip.demux.listener(arriving(self.flow))
        return State.CLOSED if listener is None else State.LISTEN

    def fingerprint(self) -> tuple[object, ...]:
        """What a step may change, beside the state: the deciding function changes some of it."""
        effects = self.kernel.effects
        sent = len(effects.segments) + len(self.kernel.outbox)
        tcb = self.tcb
        if tcb is None:
            return (sent,)
        return (
            sent,
            tcb.so_error,
            tcb.so_error_soft,
            tcb.rcv_nxt,
            tcb.rcv_queued,
            len(tcb.ooo),
            tcb.rcv_ack_at,
            tcb.snd_una,
            tcb.write_seq,
            tcb.ack_pending,
            tcb.rcv_shutdown,
            tcb.snd_shutdown,
            tcb.orphan,
            tcb.xmit_at,
            tcb.msl_at,
            tcb.keepalive_at,
        )

    def forget(self) -> None:
        """Begin to look: what was sent up to now was on the way here."""
        self.answers.clear()
        self.moves.clear()

    def _look(self) -> None:
        """Take note of what was sent; and find the connection, if there is one now."""
        effects = self.kernel.effects
        effects.rearm.clear()
        effects.fired.clear()
        self.moves += effects.history
        effects.history.clear()
        for _, load in self.kernel.outbox:
            if isinstance(load, Packet) and isinstance(load.body, Segment):
                self._note(load, load.body)
        self.kernel.outbox.clear()
        if self.tcb is None:
            self.tcb = self.kernel.ip.demux.flows.get(arriving(self.flow))

    def _note(self, packet: Packet, segment: Segment) -> None:
        if segment.flags & SYN:
            self.iss = segment.seq
            self.flow = segment.flow
        self.last = packet
        self.answers.append(segment)
        if segment.flags & RST:
            return
        end = unwrap(wrap(segment.seq - self.iss), self.heard) + segment.seq_len()
        self.heard = max(self.heard, end)
        if segment.flags & ACK:
            self.edge = unwrap(wrap(segment.ack - IRS), self.told) + segment.wnd

    def spell(self, segment: Segment) -> str:
        """Write a segment as the time lines do, its numbers counted from the SYNs."""
        names = ",".join(name for bit, name in _FLAGS if segment.flags & bit)
        # An RST that answers no ACK has no number of ours to go by: 0 on the wire.
        bare = segment.flags & RST and not segment.seq
        words = [names, f"seq {0 if bare else unwrap(wrap(segment.seq - self.iss), 0)}"]
        if segment.flags & ACK:
            words.append(f"ack {unwrap(wrap(segment.ack - IRS), 0)}")
        if segment.text:
            words.append(f"len {len(segment.text)}")
        return " ".join(words)


def _spell_result(result: object) -> str:
    """Write what a call gave."""
    match result:
        case None:
            return "done"
        case bytes() as data:
            return repr(data).replace("'", '"')
        case int(taken):
            return f"{taken} octets"
        case _:
            return "a connection"
