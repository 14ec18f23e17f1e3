"""``_signal``: numbers and handlers. What arrives at a process from itself acts as by POSIX."""

import _signal as real  # type: ignore[import-not-found]
import contextlib
import errno
import math
import os
import sys
from bisect import insort
from collections.abc import Callable, Iterable
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, SupportsFloat, SupportsIndex, TypeAlias

from halfopen.base.units import S
from halfopen.guest import fence, places, tasks
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.numbers import integer, to_ns
from halfopen.record.signals import signal_name
from halfopen.sockets import calls
from halfopen.sockets.waiting import Wait
from halfopen.world.events import NEVER, Event
from halfopen.world.process import ENDED, STOPPED

if TYPE_CHECKING:
    from halfopen.guest.image import Image
    from halfopen.world.world import World

Seconds: TypeAlias = SupportsFloat | SupportsIndex
Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

#: By default these end no process.
_HARMLESS: Final = frozenset({real.SIGCHLD, real.SIGURG, real.SIGWINCH, real.SIGCONT})
#: By default these stop it, some where a terminal is at hand.
_TERMINAL: Final = frozenset({real.SIGTSTP, real.SIGTTIN, real.SIGTTOU})
_STOPPING: Final = _TERMINAL | {real.SIGSTOP}
_FIXED: Final = frozenset({real.SIGKILL, real.SIGSTOP})
#: What an instruction brings about, as a rule (Linux SYNCHRONOUS_MASK).
_SYNCHRONOUS: Final = frozenset(
    {real.SIGSEGV, real.SIGBUS, real.SIGILL, real.SIGTRAP, real.SIGFPE, real.SIGSYS}
)
_NO_FD: Final = -1
VALID: Final = frozenset(real.valid_signals())


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
        self._handlers: dict[int, Handler] = dict.fromkeys(sorted(VALID), real.SIG_DFL)
        self.on_interrupt = self.default_int_handler  # one object: asyncio asks whether it is set
        self._handlers[real.SIGINT] = self.on_interrupt
        self._handlers[real.SIGPIPE] = real.SIG_IGN
        self._wakeup_fd = _NO_FD
        self._timer = RealTimer(image.world, self)
        self._pending: list[int] = []  # whose handlers wait for the main thread
        self._news: list[int] = []  # what has come since it last looked
        self._restarting: set[int] = set()  # with SA_RESTART
        self._fatal = 0  # one that will end the process when it goes on

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
        self._restarting.discard(number)
        return before

    def getsignal(self, signalnum: int, /) -> Handler:
        """Return the handler."""
        return self._handlers[self._valid(signalnum)]

    def default_int_handler(self, signalnum: int, frame: FrameType | None, /) -> NoReturn:  # noqa: ARG002  as in C
        """Raise KeyboardInterrupt."""
        raise KeyboardInterrupt

    def raise_signal(self, signalnum: int, /) -> None:
        """Send a signal to the thread that calls; a handler runs in the main one all the same.

        Where that waits in a call, it does so once the call has returned.
        """
        number = integer(signalnum)
        if number not in self._handlers:
            raise OSError(errno.EINVAL, "Invalid argument")
        handler = self._handlers[number]
        thread = tasks.running()
        if callable(handler):
            self._write_to_wakeup_fd(number)
            if thread is self._image.main:
                handler(number, _innermost())
            else:
                self._note(number)
        else:
            self._act(number)
            self._stand(thread)

    def kill(self, number: int) -> None:
        """Send a signal to the whole process: the main thread takes it (Linux complete_signal)."""
        thread = tasks.running()
        if thread is self._image.main:
            self.raise_signal(number)
        else:
            self.arrive(number)
            self._stand(thread)

    def _stand(self, thread: tasks.Thread) -> None:
        """Go no further where the signal ended the process, or has stopped it."""
        thread.leave_if_over()
        if self._image.process.state == STOPPED:
            thread.pause(self._image.world.now, "SIGCONT")

    def _write_to_wakeup_fd(self, number: int) -> None:
        """Tell who listens there, as an event loop does (CPython trip_signal)."""
        if self._wakeup_fd != _NO_FD:
            thread, now = tasks.running(), self._image.world.now
            # Python itself would only write on standard error that it is full, or gone.
            with contextlib.suppress(OSError):
                thread.enter(calls.send, self._wakeup_fd, bytes((number,)), 0, Wait(now), now)

    def _note(self, number: int) -> None:
        """Let the main thread run a handler when it can: each once, by number (CPython)."""
        if number not in self._pending:
            insort(self._pending, number)

    def broken_pipe(self) -> None:
        """Take the SIGPIPE that comes with EPIPE; a handler runs once the call has returned.

        Deadly, it ends the process inside the call.
        """
        if self.is_handled(real.SIGPIPE):
            self._write_to_wakeup_fd(real.SIGPIPE)
            self._note(real.SIGPIPE)
        else:
            self.raise_signal(real.SIGPIPE)

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._image.over or self._image.process.state == ENDED

    @property
    def process(self) -> str:
        """The name of the process."""
        return self._image.name

    @property
    def has_news(self) -> bool:
        """Whether a signal has come since the main thread last looked."""
        return bool(self._news or self._fatal)

    def ends(self, *, restarts: bool) -> bool:
        """Look at what has come: whether it ends the call that the main thread waits in.

        ``restarts``: the kernel begins the call anew where the signal has SA_RESTART, and Python
        does not hear of it until the call returns.
        """
        news = self._hear()
        return not restarts or any(number not in self._restarting for number in news)

    def _hear(self) -> list[int]:
        """Do what C's own handler does, for each signal that has come.

        The kernel begins them in their turn, one within the other: the last ends first. Where one
        that ends the process is among them none begins.
        """
        if self._fatal:
            self._act(self._fatal)
            tasks.running().leave_if_over()
        news, self._news = self._news, []
        for number in reversed(news):
            self._write_to_wakeup_fd(number)
        return news

    def arrive(self, number: int) -> None:
        """Take a signal that is the process's, which ends what the main thread waits in.

        Requires: the main thread does not run.
        """
        process, main = self._image.process, self._image.main
        assert main is not None, "a signal before the program began"
        if number == real.SIGCONT:
            process.go_on()
        if process.state == STOPPED and number not in _FIXED and self.is_deadly(number):
            # until it goes on (Linux wants_signal)
            self._fatal = min(self._fatal or number, number, key=_turn)
            main.waiter.wake()
            return
        if not self.is_handled(number):
            self._act(number)
            return
        if number >= real.SIGRTMIN or number not in self._news:  # real-time signals are queued
            insort(self._news, number, key=_turn)
        self._note(number)
        main.waiter.wake()

    def _act(self, number: int) -> None:
        """Do what a signal does that has no handler."""
        process = self._image.process
        if number == real.SIGSTOP:
            process.stop()
        elif self.is_deadly(number):
            process.kill(signal_name(number), self._image.world.now)
        elif number in _TERMINAL and self._handlers[number] == real.SIG_DFL:
            fence.refuse(f"{signal_name(number)}, by which a terminal stops a process")

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
        """Run the handlers that waited for the main thread; they may raise."""
        self._hear()
        while self._pending:
            number = self._pending.pop(0)
            handler = self._handlers[number]
            if callable(handler):  # still
                handler(number, _innermost())

    def is_deadly(self, number: int) -> bool:
        """Whether a signal ends the process, as it is set now."""
        return self._handlers[number] == real.SIG_DFL and number not in _HARMLESS | _STOPPING

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

    def siginterrupt(self, signalnum: int, flag: bool, /) -> None:
        """Say whether a call in which the main thread waits is interrupted, or begun anew.

        A handler that is set later interrupts (SA_RESTART, which CPython does not set).
        """
        number = self._valid(signalnum)
        if number in _FIXED:
            raise OSError(errno.EINVAL, "Invalid argument")
        if flag:
            self._restarting.discard(number)
        else:
            self._restarting.add(number)

    def pause(self) -> None:
        """Wait for a signal that has a handler."""
        thread = tasks.running()
        thread.call = "pause"
        thread.pause(None, "a signal")

    def pthread_sigmask(self, how: int, mask: Iterable[int], /) -> set[int]:
        """Nothing is blocked, and nothing can be."""
        if set(mask) and how != real.SIG_UNBLOCK:
            fence.refuse("a signal that is blocked")
        return set()

    def _valid(self, number: int) -> int:
        if int(number) not in self._handlers:
            raise ValueError("signal number out of range")
        return int(number)


def _turn(number: int) -> tuple[bool, int]:
    """Which of several signals the kernel takes first (Linux next_signal)."""
    return number not in _SYNCHRONOUS, number


def _innermost() -> FrameType | None:
    """The frame that the signal finds running: the first that is not ours."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  the one way to the frames
    while frame is not None and places.is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def make(image: "Image") -> ModuleType:
    """Make the module."""
    own = image.own_signals()
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
