"""``fcntl``: of sockets alone: flags, a second descriptor, and what ioctl tells."""

import errno
import fcntl as real
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

from halfopen.guest import fence, tasks
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.numbers import integer
from halfopen.guest.standins.select import Descriptor, fd_of
from halfopen.sockets import calls
from halfopen.sockets.table import FD_BASE, FIRST

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from halfopen.guest.image import Image

#: A buffer that is not written to in place is copied, and may be no larger.
_COPIED_MAX: Final = 1024
_NUMBER: Final = 4
_ADVICE: Final = "of sockets there are flags, dup, FIONREAD, SIOCATMARK and SIOCOUTQ"


class Fcntl:
    """The functions, for one process."""

    def __init__(self, image: "Image") -> None:
        self._image = image

    def fcntl(self, fd: Descriptor, cmd: int, arg: "int | Buffer" = 0, /) -> int | bytes:
        """Get or set the flags of a descriptor, or make a second one."""
        number, command = self._socket(fd, "fcntl.fcntl"), integer(cmd)
        if not isinstance(arg, int):
            fence.refuse(f"fcntl.fcntl of a socket with a structure ({command})", _ADVICE)
        thread = tasks.running()
        fds = self._image.fds
        if command == real.F_GETFL:
            return os.O_RDWR | (0 if calls.getblocking(fds, number) else os.O_NONBLOCK)
        if command == real.F_SETFL:
            thread.enter(calls.setblocking, number, not arg & os.O_NONBLOCK)
            return 0
        if command == real.F_GETFD:
            fds.get(number)
            return real.FD_CLOEXEC  # nobody inherits
        if command == real.F_SETFD:
            fds.get(number)
            return 0
        if command not in {real.F_DUPFD, real.F_DUPFD_CLOEXEC}:
            fence.refuse(f"fcntl.fcntl of a socket with the command {command}", _ADVICE)
        return fds.dup(number, max(arg, FIRST))

    def ioctl(
        self,
        fd: Descriptor,
        request: int,
        arg: "int | Buffer" = 0,
        mutate_flag: bool = True,
        /,
    ) -> int | bytes:
        """Ask the kernel a number, which it writes where the caller says."""
        number = self._socket(fd, "fcntl.ioctl")
        answer = self._answer(number, request)
        if isinstance(arg, int):
            raise OSError(errno.EFAULT, "Bad address")
        view = memoryview(arg)
        if view.readonly or not mutate_flag:
            octets = bytes(view)
            if len(octets) > _COPIED_MAX:
                raise ValueError("ioctl string arg too long")
            return answer[: len(octets)] + octets[len(answer) :]
        room = view.cast("B")
        size = min(len(room), len(answer))
        room[:size] = answer[:size]
        return 0

    def _answer(self, fd: int, request: int) -> bytes:
        found: int = tasks.running().enter(calls.ioctl, fd, request, self._image.world.now)
        return found.to_bytes(_NUMBER, sys.byteorder)

    def _socket(self, fd: Descriptor, name: str) -> int:
        number = fd_of(fd)
        if number < FD_BASE:
            fence.refuse(f"{name} of what is no socket", _ADVICE)
        return number


def make(image: "Image") -> ModuleType:
    """Make the module."""
    own = Fcntl(image)
    return assemble(
        real,
        {"fcntl": own.fcntl, "ioctl": own.ioctl},
        advice=_ADVICE,
    )
