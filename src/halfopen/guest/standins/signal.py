"""``_signal``: numbers and handlers. What arrives at a process from itself acts as by POSIX."""

import _signal as real  # type: ignore[import-not-found]
import contextlib
import errno
import math
import os
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, SupportsFloat, SupportsIndex, TypeAlias

from halfopen.base.units import S
from halfopen.guest import fence, places, tasks
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.numbers import integer, to_ns
from halfopen.sockets import calls
from halfopen.world.events import NEVER, Event
from halfopen.world.process import ENDED

if TYPE_CHECKING:
    from halfopen.guest.image import Image
    from halfopen.world.world import World

Seconds: TypeAlias = SupportsFloat | SupportsIndex
Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

#: By default these end no process.
_HARMLESS: Final = frozenset({real.SIGCHLD, real.SIGURG, real.SIGWINCH, real.SIGCONT})
_FIXED: Final = frozenset({real.SIGKILL, real.SIGSTOP})
_NO_FD: Final = -1

NAMES: Final[dict[int, str]] = {
    number: name
    for name, number in sorted(vars(real).items(), reverse=True)
    if name.startswith("SIG") and not name.startswith("SIG_") and isinstance(number, int)
}


class RealTimer(Event):
    """ITIMER_REAL of one process (POSIX setitimer)."""

    def __init__(self, world: "World", signals: "Signals") -> None:
        self.world = world
        self.signals = signals
        self.at: int | None = None
        self.interval_ns = 0

    def set(self, delay_ns: int, interval_ns: int) -> None:
        """Come after a delay; 0: never. What was set before counts no more."""
        self.at = None
        self.interval_ns = interval_ns
        if delay_ns:
            self.at = self.world.now + delay_ns
            self.world.queue.push(self.at, self)

    def due(self, at: int) -> int:
        """Only the present setting counts, while the process lives."""
        return NEVER if at != self.at or self.signals.is_over else at

    def fire(self, now: int) -> None:  # noqa: ARG002  as every event
        """Send SIGALRM."""
        self.at = None
        if self.interval_ns:
            self.set(self.interval_ns, self.interval_ns)
        self.signals.arrive(real.SIGALRM)

    def describe(self) -> str:
        """Name the process."""
        return f"SIGALRM to {self.signals.process}"


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
        self._wakeup_fd = _NO_FD
        self._timer = RealTimer(image.world, self)
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
        thread = tasks.running()
        if callable(handler):
            self._refuse_elsewhere(number)
            self._write_to_wakeup_fd(number)
            handler(number, _innermost())
        elif self.is_deadly(number):
            self._image.process.kill(NAMES[number], self._image.world.now)
            thread.leave_if_over()

    def kill(self, number: int) -> None:
        """Send a signal to the whole process: the main thread takes it (Linux complete_signal)."""
        thread = tasks.running()
        if thread is self._image.main:
            self.raise_signal(number)
        else:
            self.arrive(number)
            thread.leave_if_over()

    def _refuse_elsewhere(self, number: int) -> None:
        """Stop where the main thread would run a handler at some later time."""
        if tasks.running() is not self._image.main:
            fence.refuse(f"a signal handler ({NAMES[number]}) that another thread's call sets off")

    def _write_to_wakeup_fd(self, number: int) -> None:
        """Tell who listens there, as an event loop does (CPython trip_signal)."""
        if self._wakeup_fd != _NO_FD:
            # Python itself would only write on standard error that it is full, or gone.
            with contextlib.suppress(OSError):
                tasks.running().syscall(calls.send, self._wakeup_fd, bytes((number,)), 0)

    def broken_pipe(self) -> None:
        """Take the SIGPIPE that comes with EPIPE; a handler runs once the call has returned.

        Deadly, it ends the process inside the call.
        """
        if self.is_deadly(real.SIGPIPE):
            self.raise_signal(real.SIGPIPE)
        elif self.is_handled(real.SIGPIPE):
            self._refuse_elsewhere(real.SIGPIPE)
            self._pending.append(real.SIGPIPE)

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._image.over or self._image.process.state == ENDED

    @property
    def process(self) -> str:
        """The name of the process."""
        return self._image.name

    @property
    def has_pending(self) -> bool:
        """Whether a handler waits for its turn."""
        return bool(self._pending)

    def arrive(self, number: int) -> None:
        """Take a signal that is the process's, which ends what the main thread waits in.

        Requires: the main thread does not run.
        """
        if self.is_deadly(number):
            self._image.process.kill(NAMES[number], self._image.world.now)
        elif self.is_handled(number):
            self._pending.append(number)
            assert self._image.main is not None, "a signal before the program began"
            self._image.main.waiter.wake()

    def setitimer(
        self, which: int, seconds: Seconds, interval: Seconds = 0.0, /
    ) -> tuple[float, float]:
        """Let SIGALRM come after some time, and then again and again; 0: not at all.

        Returns what was left, and how often it came. Raises ItimerError (an OSError) EINVAL.
        """
        if which in {real.ITIMER_VIRTUAL, real.ITIMER_PROF}:
            fence.refuse("a timer of the time that a program computes", "computing takes none")
        first, again = to_ns(seconds), to_ns(interval)
        if which != real.ITIMER_REAL or first < 0 or again < 0:
            raise real.ItimerError(errno.EINVAL, os.strerror(errno.EINVAL))
        before = self.getitimer(which)
        self._timer.set(first, again)
        return before

    def getitimer(self, which: int, /) -> tuple[float, float]:
        """Say how long it is until SIGALRM comes, and how often it comes."""
        if which != real.ITIMER_REAL:
            raise real.ItimerError(errno.EINVAL, os.strerror(errno.EINVAL))
        timer = self._timer
        left = 0 if timer.at is None else timer.at - self._image.world.now
        return left / S, timer.interval_ns / S

    def alarm(self, seconds: int, /) -> int:
        """Let SIGALRM come after so many seconds; return how many were left."""
        left, _ = self.getitimer(real.ITIMER_REAL)
        self._timer.set(integer(seconds) * S, 0)
        return math.ceil(left)

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
        """Have the number of every signal that has a handler written there; -1: nowhere."""
        if tasks.running() is not self._image.main:
            raise ValueError("set_wakeup_fd only works in main thread of the main interpreter")
        if fd != _NO_FD and calls.getblocking(self._image.fds, fd):
            msg = f"the fd {fd} must be in non-blocking mode"
            raise ValueError(msg)
        before, self._wakeup_fd = self._wakeup_fd, fd
        return before

    def siginterrupt(self, signalnum: int, flag: bool, /) -> None:  # noqa: ARG002  as in C
        """Do nothing: whatever is set, a call in which the main thread waits is interrupted."""
        self._valid(signalnum)

    def pause(self) -> None:
        """Wait for a signal that has a handler."""
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
        "pthread_sigmask setitimer getitimer alarm"
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
