"""``_signal``: numbers and handlers. What arrives at a process from itself acts as by POSIX."""

import _signal as real  # type: ignore[import-not-found]
import errno
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from halfopen.guest import fence, places, tasks
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.numbers import integer

if TYPE_CHECKING:
    from halfopen.guest.image import Image

Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

#: By default these end no process.
_HARMLESS: Final = frozenset({real.SIGCHLD, real.SIGURG, real.SIGWINCH, real.SIGCONT})
_FIXED: Final = frozenset({real.SIGKILL, real.SIGSTOP})

NAMES: Final[dict[int, str]] = {
    number: name
    for name, number in sorted(vars(real).items(), reverse=True)
    if name.startswith("SIG") and not name.startswith("SIG_") and isinstance(number, int)
}


class Signals:
    """The handlers of one process."""

    def __init__(self, image: "Image") -> None:
        self._image = image
        self._handlers: dict[int, Handler] = dict.fromkeys(
            sorted(real.valid_signals()), real.SIG_DFL
        )
        self.on_interrupt = self.default_int_handler  # one object: asyncio asks whether it is set
        self._handlers[real.SIGINT] = self.on_interrupt
        self._handlers[real.SIGPIPE] = real.SIG_IGN
        self._wakeup_fd = -1
        self._pending: list[int] = []

    def signal(self, signalnum: int, handler: Handler, /) -> Handler:
        """Set a handler and return the one before."""
        number = self._valid(signalnum)
        if tasks.running() is not self._image.main:
            raise ValueError("signal only works in main thread of the main interpreter")
        if number in _FIXED:
            raise OSError(22, "Invalid argument")
        if not callable(handler) and handler not in {real.SIG_DFL, real.SIG_IGN}:
            raise TypeError(
                "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object"
            )
        before = self._handlers[number]
        self._handlers[number] = handler
        return before

    def getsignal(self, signalnum: int, /) -> Handler:
        """Return the handler."""
        return self._handlers[self._valid(signalnum)]

    def default_int_handler(self, signalnum: int, frame: FrameType | None, /) -> NoReturn:  # noqa: ARG002  as in C
        """Raise KeyboardInterrupt."""
        raise KeyboardInterrupt

    def raise_signal(self, signalnum: int, /) -> None:
        """Send a signal to oneself; what is deadly by default ends the process here and now."""
        number = integer(signalnum)
        if number not in self._handlers:
            raise OSError(errno.EINVAL, "Invalid argument")
        handler = self._handlers[number]
        if callable(handler):
            handler(number, _innermost())
        elif self.is_deadly(number):
            thread = tasks.running()
            self._image.process.kill(NAMES[number], self._image.world.now)
            thread.leave_if_over()

    def broken_pipe(self) -> None:
        """Take the SIGPIPE that comes with EPIPE; a handler runs once the call has returned.

        Deadly, it ends the process inside the call.
        """
        if self.is_deadly(real.SIGPIPE):
            self.raise_signal(real.SIGPIPE)
        elif self.is_handled(real.SIGPIPE):
            if tasks.running() is not self._image.main:
                fence.refuse("a signal handler (SIGPIPE) that another thread's call sets off")
            self._pending.append(real.SIGPIPE)

    def run_pending(self) -> None:
        """Run the handlers that waited for a call to return."""
        while self._pending:
            self.raise_signal(self._pending.pop(0))

    def is_deadly(self, number: int) -> bool:
        """Whether a signal ends the process, as it is set now."""
        return self._handlers[number] == real.SIG_DFL and number not in _HARMLESS

    def is_handled(self, number: int) -> bool:
        """Whether the program has a handler for a signal."""
        return callable(self._handlers[number])

    def set_wakeup_fd(self, fd: int, /, *, warn_on_full_buffer: bool = True) -> int:  # noqa: ARG002  as in C
        """Note a descriptor that no signal will ever write to."""
        before, self._wakeup_fd = self._wakeup_fd, fd
        return before

    def siginterrupt(self, signalnum: int, flag: bool, /) -> None:  # noqa: ARG002  as in C
        """No call is interrupted."""
        self._valid(signalnum)

    def pause(self) -> None:
        """Wait for a signal; none comes from outside."""
        thread = tasks.running()
        thread.call = "pause"
        thread.pause(None, "a signal")

    def pthread_sigmask(self, how: int, mask: object, /) -> set[int]:  # noqa: ARG002  as in C
        """Nothing is blocked."""
        return set()

    def _valid(self, number: int) -> int:
        if int(number) not in self._handlers:
            raise ValueError("signal number out of range")
        return int(number)


def _innermost() -> FrameType | None:
    """The frame that the signal finds running: the first that is not ours."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  the one way to the frames
    while frame is not None and places.is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def make(image: "Image") -> ModuleType:
    """Make the module."""
    own = image.signals = Signals(image)
    names = (
        "signal getsignal default_int_handler raise_signal set_wakeup_fd siginterrupt pause "
        "pthread_sigmask"
    )
    return assemble(
        real,
        {
            **{name: getattr(own, name) for name in names.split()},
            "default_int_handler": own.on_interrupt,
        },
        passed=("strsignal", "valid_signals", "struct_siginfo", "ItimerError"),
        absent=("pidfd_send_signal",),
    )
