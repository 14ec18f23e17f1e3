"""One host's sockets with one link, whose peer is the test: calls and segments in, segments out."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.net.demux import arriving
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp.deadlines import next_deadline
from halfopen.tcp.tcb import Tcb
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, SYN, Flow, Segment

HERE: Final = "10.0.0.1"
PEER: Final = "10.0.0.2"
IRS: Final = 50_000
WINDOW: Final = 60_000


class Socks:
    """A kernel and a program's descriptors. A call that would block is an error of the test."""

    def __init__(self, sysctl: Mapping[str, int | str] | None = None) -> None:
        self.now = 10 * S
        self.kernel = Kernel("here", sysctl or {}, Rng(0))
        self.kernel.add_interface("eth0", (HERE,), peers=(PEER,))
        self.table = FdTable(self.kernel)

    def socket(self) -> int:
        """Make a socket that does not block."""
        return calls.socket(self.table, c.AF_INET, c.SOCK_STREAM | c.SOCK_NONBLOCK, 0, self.now)

    def opened(self) -> int:
        """Connect, and return the descriptor; the peer's next number is IRS + 1."""
        fd = self.socket()
        with suppress(BlockingIOError):
            calls.connect(self.table, fd, (PEER, 80), Wait(self.now), self.now)
        (syn,) = self.sent()
        answer = Segment(arriving(syn.flow), IRS, syn.seq + 1, SYN | ACK, WINDOW, mss=1_460)
        self.arrives(answer)
        self.sent()
        return fd

    def tcb(self) -> Tcb:
        """Return the only connection."""
        (tcb,) = self.kernel.ip.demux.flows.values()
        return tcb

    def peers_flow(self) -> Flow:
        """Return the only connection's flow, as the peer sends."""
        return arriving(self.tcb().flow)

    def arrives(self, seg: Segment) -> None:
        """Let a segment of the peer arrive."""
        source, _, destination, _ = seg.flow
        self.kernel.receive(Packet(source, destination, PROTO_TCP, seg), 0, self.now)

    def sent(self) -> list[Segment]:
        """Return what was sent since the last look."""
        segments = []
        while self.kernel.outbox:
            _, packet = self.kernel.outbox.popleft()
            assert isinstance(packet, Packet), "no LAN is here"
            assert isinstance(packet.body, Segment), "TCP sends segments"
            segments.append(packet.body)
        return segments

    def wait(self, duration_ns: int) -> None:
        """Let time pass for the only connection."""
        until = self.now + duration_ns
        while self.kernel.ip.demux.flows:
            tcb = self.tcb()
            due = next_deadline(tcb)
            if due is None or due > until:
                break
            self.now = max(due, self.now)
            self.kernel.deadline_passed(tcb, self.now)
        self.now = until

    def recv(self, fd: int, size: int, flags: int = 0) -> bytes:
        """Receive what is there."""
        data = calls.recv(self.table, fd, size, flags, Wait(self.now), self.now)
        assert not isinstance(data, Blocked), "the socket does not block"
        return data
