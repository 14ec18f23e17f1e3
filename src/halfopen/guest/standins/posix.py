"""``posix``: the process's own numbers, its end, its chance; real files are only read."""

import errno
import posix as real
import stat
from types import ModuleType
from typing import TYPE_CHECKING, Final, NoReturn

from halfopen.guest import fence, modules, tasks
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.numbers import whole
from halfopen.guest.standins.signal import VALID
from halfopen.guest.standins.time import UPTIME_NS
from halfopen.sockets import calls
from halfopen.sockets.table import FD_BASE

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath
    from typing_extensions import Buffer

    from halfopen.guest.image import Image

#: Functions that read files, or that compute alone.
_PASSED: Final = (
    "DirEntry WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG "
    "WTERMSIG _path_normpath _path_splitroot _path_splitroot_ex error fspath "
    "fstatvfs getcwd getcwdb listdir lseek lstat major makedev minor pathconf readlink "
    "scandir sched_param stat stat_result statvfs statvfs_result strerror terminal_size "
    "times_result uname_result waitid_result waitstatus_to_exitcode sysconf confstr pread "
    "open _inputhook"
)

#: Programs look whether they are there, and go another way.
_ABSENT: Final = (
    "sendfile copy_file_range splice posix_spawn posix_spawnp memfd_create eventfd "
    "eventfd_read eventfd_write pidfd_open getloadavg sched_getaffinity sched_setaffinity "
    "process_cpu_count forkpty openpty login_tty setns unshare"
)

_ENVIRON: Final = {
    b"HOME": b"/",
    b"LANG": b"C.UTF-8",
    b"LOGNAME": b"root",
    b"PATH": b"/usr/local/bin:/usr/bin:/bin",
    b"USER": b"root",
}
#: What glibc's resolver reads (res_vinit_1, res_hostalias, _res_hconf_init).
_OF_RESOLVER: Final = frozenset(
    {b"LOCALDOMAIN", b"RES_OPTIONS", b"HOSTALIASES", b"RESOLV_HOST_CONF", b"RESOLV_MULTI"}
)
_USER: Final = 0
_PARENT: Final = 1
_STREAMS: Final = 3


class Posix:
    """The functions, for one process."""

    def __init__(self, image: "Image") -> None:
        self._image = image
        self._chance = image.rng.split("urandom")

    def getpid(self) -> int:
        """The process's number."""
        return self._image.process.pid

    def getppid(self) -> int:
        """Every process is started by the first."""
        return _PARENT

    def getuid(self) -> int:
        """The superuser's number: ports below 1024 are open to every program."""
        return _USER

    def getgroups(self) -> list[int]:
        """The user's own group."""
        return [_USER]

    def getlogin(self) -> str:
        """The user's name."""
        return "guest"

    def getpgrp(self) -> int:
        """Each process is a group."""
        return self._image.process.pid

    def umask(self, mask: int, /) -> int:  # noqa: ARG002  as in C
        """Nothing is written."""
        return 0o022

    def uname(self) -> object:
        """The host."""
        return real.uname_result(("Linux", self._image.etc.nodename, "6.18.0", "#1 SMP", "x86_64"))

    def cpu_count(self) -> int:
        """Threads take turns."""
        return 1

    def times(self) -> object:
        """Computing takes no time."""
        elapsed = (self._image.world.now + UPTIME_NS) / 10**9
        return real.times_result((0.0, 0.0, 0.0, 0.0, elapsed))

    def sched_yield(self) -> None:
        """Let the others have their turn."""
        thread = tasks.running()
        thread.call = "sched_yield"
        thread.pause(self._image.world.now, "its turn")

    def urandom(self, size: int, /) -> bytes:
        """Draw from the process's chance."""
        number = whole(size)
        if number < 0:
            raise ValueError("negative argument not allowed")
        return self._chance.octets(number)

    def getrandom(self, size: int, flags: int = 0) -> bytes:  # noqa: ARG002  as in C
        """Draw from the process's chance."""
        return self.urandom(size)

    def putenv(self, name: bytes, value: bytes, /) -> None:  # noqa: ARG002  as in C
        """``os.environ`` keeps it; of the C library only the resolver would ask."""
        if name in _OF_RESOLVER:
            fence.refuse(f"{name.decode()} in the environment", "give the host a resolv.conf")

    def unsetenv(self, name: bytes, /) -> None:
        """``os.environ`` keeps it; nothing else asks."""

    def wait(self, *_: object) -> NoReturn:
        """Wait for a child; there is none."""
        raise ChildProcessError(errno.ECHILD, "No child processes")

    def register_at_fork(self, **hooks: object) -> None:
        """No process forks."""

    def isatty(self, fd: int, /) -> bool:  # noqa: ARG002  as in C
        """Nothing is a terminal."""
        return False

    def get_terminal_size(self, fd: int = 1, /) -> NoReturn:  # noqa: ARG002  as in C
        """Nothing is a terminal."""
        raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    def device_encoding(self, fd: int, /) -> None:
        """Nothing is a terminal."""

    def get_inheritable(self, fd: int, /) -> bool:
        """Whether a program started later has it too. Of sockets nobody inherits."""
        if fd < FD_BASE:
            return real.get_inheritable(fd)
        self._image.fds.get(fd)
        return False

    def set_inheritable(self, fd: int, inheritable: bool, /) -> None:  # noqa: ARG002  as in C
        """Nobody inherits."""
        self.get_inheritable(fd)

    def get_blocking(self, fd: int, /) -> bool:
        """Whether a socket's descriptor blocks."""
        return fd < FD_BASE or calls.getblocking(self._image.fds, fd)

    def set_blocking(self, fd: int, blocking: bool, /) -> None:
        """Let a socket's descriptor block, or not."""
        if fd >= FD_BASE:
            tasks.running().enter(calls.setblocking, fd, blocking)

    def read(self, fd: int, length: int, /) -> bytes:
        """Read from a socket, or from a real file."""
        if fd >= FD_BASE:
            return tasks.running().syscall(calls.recv, fd, length, 0)
        return b"" if fd < _STREAMS else real.read(fd, length)

    def write(self, fd: int, data: "Buffer", /) -> int:
        """Write to a socket, to standard output or to standard error."""
        octets = bytes(memoryview(data))
        if fd >= FD_BASE:
            thread = tasks.running()
            try:
                return thread.syscall(calls.send, fd, octets, 0)
            except BrokenPipeError:
                self._image.broken_pipe()
                thread.run_handlers()
                raise
        if fd not in {1, 2}:
            raise OSError(errno.EBADF, "Bad file descriptor")
        self._image.output(fd, octets.decode("utf-8", "backslashreplace"))
        return len(octets)

    def close(self, fd: int, /) -> None:
        """Close a socket's descriptor, or a real file's."""
        if fd >= FD_BASE:
            tasks.running().syscall(calls.close, fd)
        elif fd >= _STREAMS:
            real.close(fd)

    def dup(self, fd: int, /) -> int:
        """Give a second descriptor to a socket."""
        if fd < FD_BASE:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return self._image.fds.dup(fd)

    def fstat(self, fd: int, /) -> object:
        """Look at a real file; of a socket say that it is one."""
        if fd < FD_BASE:
            return real.fstat(fd)
        self._image.fds.get(fd)
        with modules.hosted():  # it looks for its own module in sys.modules
            return real.stat_result((stat.S_IFSOCK | 0o777, fd, 0, 1, _USER, _USER, 0, 0, 0, 0))

    def access(self, path: "StrOrBytesPath", mode: int, **named: bool) -> bool:
        """Whether a real file can be read; nothing can be written, and no program started."""
        if mode & real.W_OK or not real.access(path, mode, **named):
            return False
        return not mode & real.X_OK or stat.S_ISDIR(real.stat(path).st_mode)

    def kill(self, pid: int, signal: int, /) -> None:
        """Send a signal to a process of this host."""
        image = self._image
        pid, signal = whole(pid), whole(signal)
        if not 0 <= signal <= max(VALID):
            raise OSError(errno.EINVAL, "Invalid argument")
        if signal and signal not in VALID:
            fence.refuse(f"the signal {signal}, which is the C library's own,")
        if pid <= 0:
            fence.refuse("a signal to a group of processes")
        if pid == image.process.pid:
            image.own_signals().kill(signal) if signal else None
            return
        for process in image.process.host.processes:
            if process.pid == pid:
                other = process.user
                assert isinstance(other, type(image)), "every process of a host has an image"
                if signal:
                    other.own_signals().arrive(signal)
                return
        raise ProcessLookupError(errno.ESRCH, "No such process")

    def abort(self) -> None:
        """Die by SIGABRT, whatever handles it."""
        self._image.process.kill("SIGABRT", self._image.world.now)
        tasks.running().leave_if_over()

    def _exit(self, status: int) -> NoReturn:
        thread = tasks.running()
        self._image.exit(status & 0xFF)
        thread.leave()


def make(image: "Image") -> ModuleType:
    """Make the module."""
    own = Posix(image)
    names = [name for name in vars(Posix) if not name.startswith("__")]
    offered: dict[str, object] = {name: getattr(own, name) for name in names}
    offered |= {
        "geteuid": own.getuid,
        "getgid": own.getuid,
        "getegid": own.getuid,
        "environ": dict(_ENVIRON),
        "waitpid": own.wait,
        "waitid": own.wait,
        "wait3": own.wait,
        "wait4": own.wait,
        "_have_functions": real._have_functions,  # type: ignore[attr-defined]  # noqa: SLF001  what os asks for
    }
    return assemble(
        real,
        offered,
        passed=_PASSED.split(),
        absent=_ABSENT.split(),
        advice="a guest sees its own process and reads files, no more",
    )
