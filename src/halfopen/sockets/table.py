"""A process's descriptors, from ``FD_BASE`` on: real files are never taken for sockets."""

from errno import EBADF, EMFILE, ENOTSOCK
from typing import TYPE_CHECKING, Final

from halfopen.sockets.errors import fail
from halfopen.sockets.sock import File, TcpSock
from halfopen.sockets.udp import UdpSock

if TYPE_CHECKING:
    from halfopen.sockets.kernel import Kernel
    from halfopen.sockets.waiting import Holder, Wait

FD_BASE: Final = 1 << 16
#: As ``ulimit -n`` says on most systems.
NOFILE_MAX: Final = 1024
#: POSIX gives the numbers 0 to 2 to the standard streams.
FIRST: Final = FD_BASE + 3


class FdTable:
    """The descriptors of one process, and the calls of its threads that are blocked.

    ``privileged``: it may bind to any port, and set every option (CAP_NET_BIND_SERVICE,
    CAP_NET_ADMIN).
    """

    def __init__(
        self, kernel: "Kernel", nofile_max: int = NOFILE_MAX, *, privileged: bool = True
    ) -> None:
        self.kernel = kernel
        self.privileged = privileged
        self.nofile_max = nofile_max
        self.files: dict[int, File] = {}
        self.blocked: list[Wait] = []
        self._reserved: list[int] = []  # of calls that will give a descriptor
        self._lowest = FIRST  # no lower number is free

    def install(self, file: File, at_least: int = FIRST) -> int:
        """Give the lowest free number.

        Raises OSError EMFILE where the process has as many as it may.
        """
        fd = self._free(at_least)
        self.files[fd] = file
        file.descriptors += 1
        return fd

    def _free(self, at_least: int) -> int:
        files = self.files
        fd = max(self._lowest, at_least)
        while fd in files or fd in self._reserved:
            fd += 1
        if fd >= FD_BASE + self.nofile_max:
            raise fail(EMFILE)
        if at_least <= self._lowest:
            self._lowest = fd + 1
        return fd

    def reserve(self) -> int:
        """Keep the lowest free number for later (Linux get_unused_fd_flags).

        Raises OSError EMFILE.
        """
        fd = self._free(FIRST)
        self._reserved.append(fd)
        return fd

    def fill(self, fd: int, file: File | None) -> None:
        """Give a reserved number to a file; None: it is free again."""
        self._reserved.remove(fd)
        if file is None:
            self._lowest = min(self._lowest, fd)
        else:
            self.files[fd] = file
            file.descriptors += 1

    def get(self, fd: int) -> File:
        """Return what the number stands for.

        Raises OSError EBADF.
        """
        file = self.files.get(fd)
        if file is None:
            raise fail(EBADF)
        return file

    def socket(self, fd: int) -> TcpSock | UdpSock:
        """Return the socket that the number stands for.

        Raises OSError EBADF, ENOTSOCK.
        """
        file = self.get(fd)
        if isinstance(file, (TcpSock, UdpSock)):
            return file
        raise fail(ENOTSOCK)

    def dup(self, fd: int, at_least: int = FIRST) -> int:
        """Give a second number to the same socket; options and blocking mode are shared."""
        return self.install(self.get(fd), at_least)

    def take(self, fd: int) -> File:
        """Free the number and return what it stood for; the caller closes it if it was the last."""
        file = self.get(fd)
        del self.files[fd]
        self._lowest = min(self._lowest, fd)
        file.descriptors -= 1
        return file

    # A call that may block.

    def entered(self, fd: int, wait: "Wait") -> TcpSock | UdpSock:
        """Return the socket of a call that begins or goes on; another thread may have closed it."""
        holder = wait.holder
        if holder is None:
            file = self.files.get(fd)
            return file if isinstance(file, (TcpSock, UdpSock)) else self.socket(fd)
        assert isinstance(holder, (TcpSock, UdpSock)), "a socket call went on with another's Wait"
        return holder

    def left(self, file: File, wait: "Wait", now: int, *, blocked: bool) -> None:
        """End a call for now or for good; what it did goes out."""
        if blocked:
            self.hold(file, wait)
        elif wait.holder is not None:
            self.abandon(wait, now)
        self.kernel.settle(now)

    def hold(self, file: File, wait: "Wait") -> None:
        """Let a blocked call hold the socket, whoever closes its descriptor (Linux fdget)."""
        if wait.holder is None:
            file.calls += 1
            self.keep(file, wait)

    def keep(self, holder: "Holder", wait: "Wait") -> None:
        """Remember what a blocked call holds on to, so that it lets go of it at its end."""
        wait.holder = holder
        self.blocked.append(wait)

    def abandon(self, wait: "Wait", now: int) -> None:
        """End a blocked call for good: done, interrupted, or its thread is gone."""
        holder = wait.holder
        assert holder is not None, "a call that is not blocked is given up"
        wait.holder = None
        self.blocked.remove(wait)
        holder.let_go(now)

    def close_all(self, now: int) -> None:
        """Close everything in the order of the numbers, as the kernel does after a process."""
        for wait in list(self.blocked):
            self.abandon(wait, now)
        for fd in sorted(self.files):
            self.take(fd).exit(now)
        self.kernel.settle(now)
