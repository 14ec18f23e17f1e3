"""``_thread``: locks and threads over greenlets; the names of 3.11, 3.12 and 3.13 alike.

A lock that is released while others wait goes to the first of them at once: without that a thread
that releases and takes it again would never let anybody else have it, since nothing preempts it.
"""

import _thread as real
import sys
from collections import deque
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, SupportsFloat, SupportsIndex

from halfopen.guest import tasks
from halfopen.guest.locks import LOCK
from halfopen.guest.refused import stop_if_refused
from halfopen.guest.standins.assemble import assemble
from halfopen.guest.standins.local import Local
from halfopen.guest.standins.numbers import to_ns
from halfopen.guest.tasks import Thread

if TYPE_CHECKING:
    from halfopen.guest.image import Image

TIMEOUT_MAX: Final = real.TIMEOUT_MAX
_STACK_MIN: Final = 32 * 1024
_NEGATIVE: Final = (
    "timeout value must be a non-negative number"
    if sys.version_info >= (3, 13)
    else "timeout value must be positive"
)


class _Turn:
    """A thread's place in the queue for a lock."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.come = False


class Lock:
    """A lock of one process. ``image`` is set by the subclass that each process gets."""

    image: "Image"

    def __init__(self) -> None:
        self._held = False
        self._turns: deque[_Turn] = deque()

    def acquire(
        self,
        blocking: bool = True,
        timeout: SupportsFloat | SupportsIndex = -1,
    ) -> bool:
        """Take it, waiting for it if asked to."""
        limit_ns = _limit(blocking=blocking, timeout=timeout)
        if not self._held:
            self._held = True
            return True
        thread = tasks.running()
        thread.leave_if_over()
        thread.call = "acquire"
        if limit_ns == 0:
            self.image.count_call(thread)
            return False
        return self._wait(thread, limit_ns)

    def release(self) -> None:
        """Let it go, or give it to the first who waits."""
        if not self._held:
            raise RuntimeError("release unlocked lock")
        if self._turns:
            turn = self._turns.popleft()
            turn.come = True
            turn.thread.waiter.wake()
        else:
            self._held = False

    def locked(self) -> bool:
        """Say whether somebody has it."""
        return self._held

    def _wait(self, thread: Thread, limit_ns: int | None) -> bool:
        until = None if limit_ns is None else self.image.world.now + limit_ns
        turn = _Turn(thread)
        self._turns.append(turn)
        while not turn.come:
            try:
                woken = thread.pause(until, LOCK, restarts=until is None)
            except BaseException:  # a signal handler's
                if not turn.come:
                    self._turns.remove(turn)
                raise
            if not woken and not turn.come:
                self._turns.remove(turn)
                return False
        thread.run_handlers()
        return True

    def _at_fork_reinit(self) -> None:
        self._held = False
        self._turns.clear()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.lock' object")

    def __repr__(self) -> str:
        state = "locked" if self._held else "unlocked"
        return f"<{state} _thread.lock object at {id(self):#x}>"

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked


class RLock:
    """A lock that its owner may take again. ``image`` is set by each process's subclass."""

    image: "Image"

    def __init__(self) -> None:
        self._block = self.image.lock_type()
        self._owner = 0
        self._count = 0

    def acquire(
        self,
        blocking: bool = True,
        timeout: SupportsFloat | SupportsIndex = -1,
    ) -> bool:
        """Take it, once more if it is one's own."""
        me = _ident()
        if self._owner == me and self._count:
            self._count += 1
            return True
        if not self._block.acquire(blocking, timeout):
            return False
        self._owner = me
        self._count = 1
        return True

    def release(self) -> None:
        """Undo one ``acquire``."""
        if not self._is_owned():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = 0
            self._block.release()

    def _is_owned(self) -> bool:
        return self._count > 0 and self._owner == _ident()

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> tuple[int, int]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        state = (self._count, self._owner)
        self._count = self._owner = 0
        self._block.release()
        return state

    def _acquire_restore(self, state: tuple[int, int]) -> None:
        self._block.acquire()
        self._count, self._owner = state

    def _at_fork_reinit(self) -> None:
        self._block._at_fork_reinit()  # noqa: SLF001  as in threading._RLock
        self._count = self._owner = 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.RLock' object")

    def __repr__(self) -> str:
        state = "locked" if self._count else "unlocked"
        return (
            f"<{state} _thread.RLock object owner={self._owner} count={self._count} "
            f"at {id(self):#x}>"
        )


class Handle:
    """A thread that can be joined (3.13)."""

    image: "Image"

    def __init__(self) -> None:
        self.ident = 0
        self._done = False
        self._joining: list[Lock] = []

    def is_done(self) -> bool:
        """Say whether the thread is over."""
        return self._done

    def join(self, timeout: SupportsFloat | None = None, /) -> None:
        """Wait for the thread's end.

        Raises RuntimeError where it would wait for itself.
        """
        if self._done:
            return
        if self.ident == _ident():
            raise RuntimeError("Cannot join current thread")
        over = self.image.lock_type()
        over.acquire()
        self._joining.append(over)
        negative = timeout is None or float(timeout) < 0
        over.acquire(True, -1 if timeout is None or negative else timeout)

    def _set_done(self) -> None:
        self._done = True
        for over in self._joining:
            over.release()
        self._joining.clear()


class Threads:
    """The functions of ``_thread`` for one process."""

    def __init__(self, image: "Image") -> None:
        self._image = image
        self._stack = 0
        self._to_join: list[Handle] = []

    def allocate_lock(self) -> Lock:
        """Make a lock."""
        return self._image.lock_type()

    def get_ident(self) -> int:
        """Give the number of the thread that runs."""
        return _ident()

    def start_new_thread(
        self,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object] | None = None,
        /,
    ) -> int:
        """Start a thread; it runs when its turn comes."""
        if not callable(function):
            raise TypeError("first arg must be callable")
        if not isinstance(args, tuple):
            raise TypeError("2nd arg must be a tuple")
        named = dict(kwargs or {})
        return self._image.start_thread(lambda: _run(function, args, named)).ident

    def start_joinable_thread(
        self,
        function: Callable[[], object],
        handle: Handle | None = None,
        daemon: bool = True,
    ) -> Handle:
        """Start a thread that can be joined (3.13)."""
        given = self._image.handle_type() if handle is None else handle
        if given.ident:
            raise RuntimeError("thread already started")
        thread = self._image.start_thread(lambda: _run(function, (), {}))
        given.ident = thread.ident
        thread.at_end.append(given._set_done)  # noqa: SLF001  ours
        if not daemon:
            self._to_join.append(given)
            thread.at_end.append(lambda: self._to_join.remove(given))
        return given

    def _make_thread_handle(self, ident: int) -> Handle:
        handle = self._image.handle_type()
        handle.ident = ident
        return handle

    def _shutdown(self) -> None:
        while self._to_join:
            self._to_join[0].join()

    def _get_main_thread_ident(self) -> int:
        assert self._image.main is not None, "a process runs without its main thread"
        return self._image.main.ident

    def _is_main_interpreter(self) -> bool:
        return True

    def daemon_threads_allowed(self) -> bool:
        """They are."""
        return True

    def _set_sentinel(self) -> Lock:
        """Give a lock that is released when this thread is over (until 3.12)."""
        lock = self._image.lock_type()
        tasks.running().at_end.append(lambda: lock.release() if lock.locked() else None)
        return lock

    def _count(self) -> int:
        return len(self._image.threads) - 1

    def exit(self) -> NoReturn:
        """End the thread."""
        raise SystemExit

    def stack_size(self, size: int = 0, /) -> int:
        """Take a wish; stacks of greenlets are as large as they need to be."""
        if size < 0:
            raise ValueError("size must be 0 or a positive value")
        if 0 < size < _STACK_MIN:
            msg = f"size not valid: {size} bytes"
            raise ValueError(msg)
        before, self._stack = self._stack, size
        return before


def _ident() -> int:
    thread = tasks.running_or_none()
    return thread.ident if thread is not None else 0


def _limit(*, blocking: bool, timeout: SupportsFloat | SupportsIndex) -> int | None:
    """Read acquire's arguments: None to wait for ever, 0 not to wait."""
    ns = to_ns(timeout)
    if not blocking:
        if ns != -(10**9):
            raise ValueError("can't specify a timeout for a non-blocking call")
        return 0
    if ns == -(10**9):
        return None
    if ns < 0:
        raise ValueError(_NEGATIVE)
    if ns > TIMEOUT_MAX * 1e9:
        raise OverflowError("timeout value is too large")
    return ns


def _run(
    function: Callable[..., object], args: tuple[object, ...], named: dict[str, object]
) -> None:
    """Run a thread's function; an error ends the thread alone."""
    try:
        function(*args, **named)
    except SystemExit:
        pass
    except BaseException as error:  # noqa: BLE001  the end of the thread: CPython shows every error here
        print(f"Exception ignored in thread started by: {function!r}", file=sys.stderr)  # noqa: T201
        sys.excepthook(type(error), error, error.__traceback__)
        stop_if_refused(error)


def make(image: "Image") -> ModuleType:
    """Make the module; its classes belong to one process."""
    body = {"__module__": "_thread", "image": image}
    image.lock_type = type("lock", (Lock,), dict(body))
    image.handle_type = type("_ThreadHandle", (Handle,), dict(body))
    rlock = type("RLock", (RLock,), dict(body))
    own = Threads(image)
    names = (
        "allocate_lock get_ident start_new_thread start_joinable_thread _make_thread_handle "
        "_shutdown _get_main_thread_ident _is_main_interpreter daemon_threads_allowed "
        "_set_sentinel _count exit stack_size"
    )
    offered: dict[str, object] = {name: getattr(own, name) for name in names.split()}
    offered |= {
        "LockType": image.lock_type,
        "lock": image.lock_type,
        "RLock": rlock,
        "_ThreadHandle": image.handle_type,
        "_local": type("_local", (Local,), {"__module__": "_thread"}),
        "allocate": own.allocate_lock,
        "exit_thread": own.exit,
        "start_new": own.start_new_thread,
        "get_native_id": own.get_ident,
        "error": RuntimeError,
    }
    absent = ("_excepthook", "_ExceptHookArgs", "set_name", "_get_thread_name")
    return assemble(real, offered, absent=absent)
