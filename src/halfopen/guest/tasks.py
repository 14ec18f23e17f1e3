"""A thread of a guest is a greenlet; a socket call that can't go on parks it.

The world resumes a thread (``resume``), it runs until it parks or ends, and the greenlet that
resumed it, the hub, goes on. While a thread runs, its process's modules are in place and the fence
watches.

A thread of a process that is over is never resumed and never collected: both would run the
program's ``finally`` blocks, ``__exit__``, ``except`` and ``__del__``. ``_dead`` holds it for
as long as the interpreter lives, and an extra reference holds that list while the interpreter goes
down.
"""

import ctypes
import gc
import linecache
import os
import sys
from collections.abc import Callable
from errno import EINTR
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from greenlet import getcurrent, greenlet

from halfopen.base.errors import HalfopenError, NotSimulatedError
from halfopen.guest import fence, locks, modules, places
from halfopen.sockets.connect import connect
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait, WaitQueue
from halfopen.world.events import InstantLimitError
from halfopen.world.process import Waiter, Waiting

if TYPE_CHECKING:
    from halfopen.guest.image import Image

T = TypeVar("T")

#: What a bug of ours looks like. It must not meet the program, which might swallow it.
BUGS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    HalfopenError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)

#: Greenlets and what they hold, kept for good.
_dead: Final[list[object]] = []
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_dead))


class _Running:
    def __init__(self) -> None:
        self.thread: Thread | None = None


_running: Final = _Running()


def keep(thing: object) -> None:
    """Never collect this, not even when the interpreter ends."""
    _dead.append(thing)


def running() -> "Thread":
    """Return the thread that runs now.

    Raises FenceError where none does: guest code outside a run can't wait.
    """
    thread = _running.thread
    if thread is None:
        fence.refuse("a call outside every thread")
    return thread


def running_or_none() -> "Thread | None":
    """Return the thread that runs now, if one does."""
    return _running.thread


class Thread:
    """One thread of a guest; a ``Task`` of its process."""

    def __init__(self, image: "Image", body: Callable[[], None], ident: int) -> None:
        self.image = image
        self.ident = ident
        self.process = image.process
        self.world = image.world
        self.call = ""  # the call that it is in, for reports
        self.subject: object = None  # the stand-in that the call is made on
        self.over = False
        self.rounds = 0  # how often it has waited just so before, each time to no avail
        self.waiting: Blocked | None = None
        self.since_ns = 0
        self.hub: greenlet = getcurrent()
        self.at_end: list[Callable[[], None]] = []
        self._hooks: tuple[Any, Any] = (None, None)  # for async generators; asyncio sets them
        self._round: tuple[object, ...] = ()  # the last wait, and all that was done until then
        self._body = body
        self._greenlet = greenlet(self._run)
        keep(self)
        self.waiter: Waiter = self.process.start(self)

    def resume(self, now: int) -> None:  # noqa: ARG002  as the world's Task has it
        """Run on, until the thread parks or ends."""
        assert not self.over, "a thread of a process that is over was resumed"
        hub = getcurrent()
        self.hub = hub
        if self._greenlet.parent is not hub:
            self._greenlet.parent = hub
        before = modules.enter(self.image.table)
        outside = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*self._hooks)
        _running.thread = self
        fence.enter(self.image)
        try:
            self._greenlet.switch()
        finally:
            self._hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(*outside)
            _running.thread = None
            modules.enter(before)
            fence.leave()

    def abandon(self) -> None:
        """Never run again. What the program left in cycles is not collected either."""
        self.over = True
        self.image.over = True
        gc.freeze()

    def describe(self) -> Waiting | None:
        """Say what it waits for and where in the program."""
        waiting = self.waiting
        if waiting is None or self.over:
            return None
        frame = self.frame()
        path, number = places.stands(frame)
        return Waiting(
            host=self.process.host.name,
            process=self.process.name,
            thread=self.name,
            where=places.show(path, number),
            line=linecache.getline(path, number).strip(),
            call=self.call,
            what=locks.meant(frame) if waiting.what == locks.LOCK else waiting.what,
            since_ns=self.since_ns,
            until_ns=waiting.deadline,
            own=bool(path) and places.is_program(path),
        )

    def frame(self) -> FrameType | None:
        """Its innermost frame while it waits."""
        return self._greenlet.gr_frame

    @property
    def name(self) -> str:
        """``main``, or as ``threading`` names it."""
        return self.image.thread_name(self)

    def syscall(self, call: Callable[..., T | Blocked], *args: object) -> T:
        """Enter the kernel with ``call(table, *args, wait, now)`` until it gives a result."""
        world = self.world
        wait = Wait(world.now)
        while True:
            result = self.enter(call, *args, wait, world.now)
            if not isinstance(result, Blocked):
                self.run_handlers()
                return result
            if result.missed():
                continue
            if self._is_ended(result, wait):
                self._interrupt(wait)
                if call is connect:
                    raise InterruptedError(EINTR, os.strerror(EINTR))
                # What the program waits for is asked for again (PEP 475): poll for what is left of
                # its time, any other call for as long as its option says.
                wait = Wait(world.now if result.restarts else wait.started_at)
                continue
            self.park(result)

    def _is_ended(self, blocked: Blocked, wait: Wait) -> bool:
        """Whether a signal that has come ends the call that this thread is blocked in.

        Linux begins a call anew that has no limit of its own (ERESTARTSYS), but for polls.
        """
        signals = self.image.signals
        if signals is None or self is not self.image.main or not signals.has_news:
            return False
        if wait.done or wait.taken:
            fence.refuse("a signal handler in the middle of a call that has done a part")
        return signals.ends(restarts=blocked.deadline is None and blocked.restarts)

    def _interrupt(self, wait: Wait) -> None:
        """Leave the call that the thread is blocked in, and run the handlers; they may raise."""
        if wait.holder is not None:
            self.enter(FdTable.abandon, wait, self.world.now)
        self.run_handlers()

    def run_handlers(self) -> None:
        """Run the handlers that wait for this thread, if any does; they may raise."""
        signals = self.image.signals
        if signals is not None and self is self.image.main:
            signals.run_pending()

    def enter(self, call: Callable[..., T], *args: object) -> T:
        """Enter the kernel once with ``call(table, *args)``; afterwards do what it asks for."""
        image = self.image
        image.count_call(self)
        try:
            try:
                return call(image.fds, *args)
            finally:
                self.process.host.flush(self.world.now)
                self.leave_if_over()
        except OSError:
            raise
        except NotSimulatedError as error:
            fence.gap(str(error))
        except BUGS as bug:
            self.carry(bug)

    def park(self, blocked: Blocked) -> bool:
        """Wait until a queue wakes the thread (True) or the time is up (False)."""
        waiter = self.waiter
        self._count_round(blocked.deadline)
        waiter.arm(blocked.deadline)
        for queue in blocked.queues:
            queue.add(waiter, exclusive=blocked.exclusive)
        self.waiting = blocked
        self.since_ns = self.world.now
        self.hub.switch()
        self.waiting = None
        for queue in blocked.queues:
            queue.remove(waiter)
        return not waiter.timed_out

    def pause(
        self, deadline: int | None, what: str, *queues: WaitQueue, restarts: bool = False
    ) -> bool:
        """Park for something that is no socket's: a lock, time.

        ``restarts``: a signal with SA_RESTART has its handler run later, by the caller.
        """
        self.image.count_call(self)
        blocked = Blocked(queues, deadline, what, restarts=restarts)
        woken = self.park(blocked)
        if not restarts or self._is_ended(blocked, Wait(self.world.now)):
            self.run_handlers()
        return woken

    def _count_round(self, deadline: int | None) -> None:
        """Count waits that are alike and come to nothing, while no program does anything else.

        One in which no time passes is no wait: who goes on so spins.
        """
        wait: tuple[object, ...] = ()
        if deadline is not None and deadline > self.world.now:
            wait = (self.call, deadline - self.world.now, self.world.acts)
        again = bool(wait) and wait == self._round and self.waiter.timed_out
        self.rounds = self.rounds + 1 if again else 0
        self._round = wait

    def leave_if_over(self) -> None:
        """Go for ever, where the process ended inside the call that the thread is in."""
        if self.over:
            self.leave()

    def leave(self) -> NoReturn:
        """Go back to the hub for ever."""
        while True:
            self.hub.switch()

    def carry(self, bug: BaseException) -> NoReturn:
        """Bring an error of ours past the program, to whoever runs the world."""
        self.over = True
        self.hub.throw(bug)
        self.leave()

    def spin(self, limit: int, call: str) -> NoReturn:
        """Stop a program that calls for ever without time passing."""
        frame = sys._getframe()  # noqa: SLF001  the one way to the frames
        path, line = places.stands(frame)
        where = f"{call} in {self.image.name} at {places.show(path, line)}"
        self.carry(InstantLimitError(self.world.now, limit, where))

    def _run(self) -> None:
        """Run the body; nothing but an error of ours comes out of it."""
        self._body()
        for act in self.at_end:
            act()
        self.over = True
        if not self.waiter.ended:
            self.process.finish(self.waiter)
