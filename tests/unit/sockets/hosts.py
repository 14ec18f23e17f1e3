"""Kernels with programs that call them, for what a guest alone on its host can't show."""

from collections.abc import Callable
from typing import Final, TypeVar

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp.tcb import Tcb
from halfopen.wire.ip import Packet

HERE: Final = "10.0.0.1"
PEER: Final = "10.0.0.2"
NOWHERE: Final = "192.0.2.1"

T = TypeVar("T")


class Program:
    """One process: its descriptors, and its clock."""

    def __init__(self, kernel: Kernel, *, nofile_max: int = 1024) -> None:
        self.kernel = kernel
        self.table = FdTable(kernel, nofile_max)
        self.now = 10 * S

    def wait(self) -> Wait:
        """A call begins."""
        return Wait(self.now)

    def stream(self, *, nonblock: bool = False) -> int:
        kind = c.SOCK_STREAM | (c.SOCK_NONBLOCK if nonblock else 0)
        return calls.socket(self.table, c.AF_INET, kind, 0, self.now)

    def datagram(self) -> int:
        return calls.socket(self.table, c.AF_INET, c.SOCK_DGRAM, 0, self.now)

    def bound(self, port: int, host: str = HERE, *, reuse: bool = False) -> int:
        fd = self.stream()
        if reuse:
            self.set(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
        calls.bind(self.table, fd, (host, port), self.now)
        return fd

    def listener(self, port: int = 80, host: str = HERE) -> int:
        fd = self.bound(port, host)
        calls.listen(self.table, fd, 8, self.now)
        return fd

    def connect(self, fd: int, host: str = PEER, port: int = 80) -> Blocked | None:
        return calls.connect(self.table, fd, (host, port), self.wait(), self.now)

    def connecting(self, host: str = PEER) -> int:
        """A socket whose SYN is on its way."""
        fd = self.stream(nonblock=True)
        try:
            self.connect(fd, host)
        except BlockingIOError:
            return fd
        raise AssertionError("it is connected already")

    def set(self, fd: int, level: int, name: int, value: int | bytes) -> None:
        calls.setsockopt(self.table, fd, level, name, value, self.now)

    def get(self, fd: int, level: int, name: int, size: int = 0) -> int | bytes:
        return calls.getsockopt(self.table, fd, level, name, size, self.now)

    def sock(self, fd: int) -> TcpSock:
        file = self.table.files[fd]
        assert isinstance(file, TcpSock), "not a TCP socket"
        return file

    def tcb(self, fd: int) -> Tcb:
        tcb = self.sock(fd).tcb
        assert tcb is not None, "no connection"
        return tcb

    def tcb_of(self, wait: Wait) -> Tcb:
        """The connection that a blocked call holds."""
        sock = wait.holder
        assert isinstance(sock, TcpSock), "the call holds no TCP socket"
        assert sock.tcb is not None, "no connection"
        return sock.tcb

    def poll(self, fd: int, events: int = 0xFFFF) -> int:
        """Every bit that poll finds now."""
        found = calls.poll(self.table, [(fd, events)], 0, self.wait(), self.now)
        assert not isinstance(found, Blocked), "a poll without patience waits"
        return dict(found).get(fd, 0)

    def leaves(self) -> list[Packet]:
        """Return what the host sends."""
        packets = [load for _, load in self.kernel.outbox if isinstance(load, Packet)]
        self.kernel.outbox.clear()
        return packets


def alone(sysctl: dict[str, int | str] | None = None, *, nofile_max: int = 1024) -> Program:
    """A program on a host whose link leads to ``PEER``; what it sends stays in its outbox."""
    kernel = Kernel("a", sysctl or {}, Rng(0), traced=True)
    kernel.add_interface("eth0", (HERE,), peers=(PEER,))
    return Program(kernel, nofile_max=nofile_max)


def error(call: Callable[[], T]) -> int:
    """Return the errno that a call raises; 0: none."""
    try:
        call()
    except OSError as failed:
        return failed.errno or -1
    return 0
