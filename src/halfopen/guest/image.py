"""A process as Python sees it: its modules, streams, threads, its beginning and its end."""

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Final

from halfopen.base.rng import Rng
from halfopen.guest import fence, modules, places, stdio, tasks
from halfopen.guest.libc.etc import Etc
from halfopen.guest.libc.state import Libc
from halfopen.guest.refused import stop_if_refused
from halfopen.guest.standins import STANDINS
from halfopen.guest.standins.signal import Signals
from halfopen.guest.standins.thread import Handle, Lock
from halfopen.guest.tasks import Thread
from halfopen.record.events import Output
from halfopen.record.shapes import show_error
from halfopen.sockets.table import FdTable
from halfopen.world.process import Process

if TYPE_CHECKING:
    from halfopen.guest.standins.atexit import Atexit

_TEXT_MAX: Final = 1000
#: What destructors of the rest may still call.
_LAST: Final = (ModuleType, FunctionType, type)
_OURS: Final = f"{os.path.dirname(os.path.dirname(__file__))}{os.sep}"

#: What the thread that a program begins in is called.
MAIN: Final = "main"


class Image:
    """One process of the world with Python in it.

    ``etc``: its host, as the C library sees it.
    """

    def __init__(
        self,
        process: Process,
        *,
        etc: Etc,
        argv: tuple[str, ...] = (),
        path: tuple[str, ...] = (),
        echo: stdio.Echo | None = None,
    ) -> None:
        assert isinstance(process.table, FdTable), "a process of a host has a table of sockets"
        self.process = process
        self.world = process.world
        self.fds: FdTable = process.table
        self.etc = etc
        self.echo = echo
        self.over = False
        self.recording = True
        self.main: Thread | None = None
        self.last_error: BaseException | None = None  # sys.last_value
        self.ended_by: tuple[type[BaseException], ...] = ()  # what no program caught, and its bases
        self.ended_at = ("", 0)  # the innermost line of the program that it went through
        self.threads: dict[int, Thread] = {}
        self.idents = process.pid
        self.rng: Rng = self.world.rng.split(process.host.name, "process", str(process.pid))
        self.atexit: Atexit | None = None
        self.signals: Signals | None = None
        self.lock_type: type[Lock] = Lock
        self.handle_type: type[Handle] = Handle
        self.default_timeout_ns: int | None = None
        self.libc = Libc(self)
        standins = {name: _maker(self, make) for name, make in STANDINS.items()}
        self.table = modules.Table(
            modules.first_modules(),
            {
                **stdio.streams(self),
                "argv": list(argv or ("",)),
                "path": [*path, *(place for place in sys.path if place not in path)],
                "meta_path": [modules.Finder(standins)],
                "excepthook": sys.__excepthook__,
                "unraisablehook": sys.__unraisablehook__,
                "displayhook": sys.__displayhook__,
                "dont_write_bytecode": True,
                "warnoptions": [],
            },
        )
        process.user = self
        tasks.keep(self)

    @property
    def name(self) -> str:
        """The process's name."""
        return self.process.name

    @property
    def host(self) -> str:
        """The name of its host."""
        return self.process.host.name

    def where(self) -> str:
        """The innermost line of the program, of the thread that runs now."""
        return places.show(*places.innermost(sys._getframe(1)))  # noqa: SLF001  the one way to the frames

    def start(self, body: Callable[[], None]) -> Thread:
        """Begin with the main thread; after ``body`` the interpreter ends as CPython's does."""
        assert self.main is None, "a process begins once"
        self.main = self.start_thread(lambda: self._main(body))
        return self.main

    def start_thread(self, body: Callable[[], None]) -> Thread:
        """Add a thread, numbered by the process's own counter, beginning with its pid."""
        thread = Thread(self, body, self.idents)
        self.idents += 1
        self.threads[thread.ident] = thread
        thread.at_end.append(lambda: self.threads.__delitem__(thread.ident))
        return thread

    def thread_name(self, thread: Thread) -> str:
        """Call a thread ``main``, or what ``threading`` calls it."""
        if thread is self.main:
            return MAIN
        library = self._modules().get("threading")
        known = getattr(library, "_active", {}).get(thread.ident)
        return f"thread {thread.ident}" if known is None else str(known.name)

    def output(self, number: int, text: str) -> None:
        """Take what the process wrote to one of its streams."""
        if self.over:
            return
        world = self.world
        event = Output(t_ns=world.now, host=self.host, process=self.name, stream=number, text=text)
        if world.trace is not None:
            world.trace.add(event)
        if self.echo is not None:
            with modules.hosted():
                self.echo(event)

    def count_call(self, thread: Thread) -> None:
        """Count a call towards what may happen at one instant: a loop of calls must end."""
        world = self.world
        world.instant_events += 1
        if world.instant_events > world.instant_events_max:
            thread.spin(world.instant_events_max, thread.call)

    def own_signals(self) -> Signals:
        """Return its handlers, which it has before it asks for them."""
        if self.signals is None:
            self.signals = Signals(self)
        return self.signals

    def broken_pipe(self) -> None:
        """Give the process the SIGPIPE that comes with EPIPE; CPython ignores it from the start."""
        if self.signals is not None:
            self.signals.broken_pipe()

    def exit(self, status: int, how: str = "") -> None:
        """End the process now. No more of its code runs."""
        self.process.exit(status, self.world.now, how)

    def _modules(self) -> Mapping[str, ModuleType]:
        """Its modules, also while they are in ``sys.modules``."""
        running = tasks.running_or_none()
        return sys.modules if running is not None and running.image is self else self.table.modules

    def _main(self, body: Callable[[], None]) -> None:
        importlib.import_module("warnings")  # as C's code finds it
        status, how = self._guarded(body)
        over_ns = self.world.now
        self._guarded(self._shutdown)
        self._note_waiting(over_ns)
        self.exit(status, how)

    def _note_waiting(self, over_ns: int) -> None:
        """Keep it where the interpreter waited at its end: for a thread, or in a close."""
        trace, now = self.world.trace, self.world.now
        if trace is not None and now > over_ns:
            noted = trace.meta.setdefault("over_ns", [])
            assert isinstance(noted, list), "as it was made here"
            noted.append([self.name, over_ns, now])

    def _guarded(self, body: Callable[[], None]) -> tuple[int, str]:
        """Run guest code to its end, and say what it makes of the process's status."""
        try:
            body()
        except SystemExit as leaving:
            return self._status_of(leaving), ""
        except fence.FenceError as refused:
            self._note_end(refused)
            return 1, f"uncaught FenceError: {refused}"
        except BaseException as error:  # noqa: BLE001  the end of the program: CPython shows every error here
            error.__traceback__ = _of_the_guest(error.__traceback__)
            sys.excepthook(type(error), error, error.__traceback__)
            self.last_error = error
            self._note_end(error)
            stop_if_refused(error)
            return 1, f"uncaught {show_error(error)}"[:_TEXT_MAX]
        return 0, ""

    def _note_end(self, error: BaseException) -> None:
        """Keep what ended the program; what its end itself raises comes too late for that."""
        if not self.ended_by:
            self.ended_by = type(error).__mro__
            self.ended_at = places.innermost_of_error(error)

    def _status_of(self, leaving: SystemExit) -> int:
        code = leaving.code
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        print(code, file=sys.stderr)  # noqa: T201  as CPython does
        return 1

    def _shutdown(self) -> None:
        """End the interpreter (Py_FinalizeEx): join threads, call ``atexit``, flush, clear."""
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()  # noqa: SLF001  what CPython calls at its end
        if self.atexit is not None:
            self.atexit._run_exitfuncs()  # noqa: SLF001  as above
        sys.stdout.flush()
        self.recording = False
        self._clear_modules()
        sys.stderr.flush()

    def _clear_modules(self) -> None:
        """Let go of what the program's own modules hold, as finalize_modules does.

        The library keeps what it has. First goes the last error, and what its frames hold.
        """
        self.last_error = None
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if path is None or not places.is_program(path):
                continue
            if module is modules.HOST.modules.get(name):
                continue
            kept = vars(module)
            for last in (False, True):
                for key in list(kept):
                    if isinstance(kept.get(key), _LAST) == last and key != "__builtins__":
                        kept[key] = None


def _maker(image: Image, make: Callable[[Image], ModuleType]) -> Callable[[], ModuleType]:
    return lambda: make(image)


def _of_the_guest(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames that are ours: in CPython they are C, and have none."""
    kept = []
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if not os.path.isabs(path):  # a compiled function's: where it lay when it was built
            path = trace.tb_frame.f_globals.get("__file__", path)
        if not path.startswith(_OURS) or places.is_program(path):
            kept.append(trace)
        trace = trace.tb_next
    shown = None
    for each in reversed(kept):
        shown = TracebackType(shown, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return shown
