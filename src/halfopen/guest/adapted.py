"""What is changed in a module of the library once a guest has loaded it, and why."""

import importlib
import io
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from types import ModuleType
from typing import Any, Final, NoReturn

from halfopen.guest import fence
from halfopen.guest.refused import stop_if_refused


def _refuse_popen(*_: object, **__: object) -> NoReturn:
    fence.refuse("subprocess.Popen", "give the other program to a host of the world")


def _subprocess(module: ModuleType) -> None:
    """Refuse by its own name what would be refused by the name of its first pipe."""
    module.Popen.__init__ = _refuse_popen


def _platform(module: ModuleType) -> None:
    """Describe the processor as where there is no program ``uname``: not at all."""
    module._Processor.from_subprocess = staticmethod(str)  # noqa: SLF001  its one way to a program


def _socket(module: ModuleType) -> None:
    """Let threads wait for one another at a file over a socket.

    C's buffers lock out threads of the operating system, of which all guests are one: a second
    thread would be told of a reentrant call.
    """
    make_lock = importlib.import_module("_thread").RLock  # the process's own, which is running
    own = ModuleType("io", io.__doc__)
    vars(own).update(vars(io))
    for kind in (io.BufferedReader, io.BufferedWriter, io.BufferedRWPair):
        setattr(own, kind.__name__, _locked(kind, make_lock))
    vars(module)["io"] = own


_READING: Final = ("__next__", "peek", "read", "read1", "readinto", "readinto1", "readline")
_WRITING: Final = ("flush", "truncate", "write")
_BOTH: Final = ("close", "detach", "seek", "tell")


def _locked(kind: type[Any], make_lock: Callable[[], Any]) -> type[Any]:
    """Make a class of buffers that one thread at a time reads, and one writes."""

    def __init__(self: Any, *args: Any, **named: Any) -> None:  # noqa: ANN401, N807  as kind's
        self._reading, self._writing = make_lock(), make_lock()
        kind.__init__(self, *args, **named)

    body: dict[str, Any] = {"__init__": __init__, "__module__": kind.__module__}
    for names, locks in (
        (_READING, ("_reading",)),
        (_WRITING, ("_writing",)),
        (_BOTH, ("_writing", "_reading")),
    ):
        body |= {
            name: _holding(locks, getattr(kind, name)) for name in names if hasattr(kind, name)
        }
    return type(kind.__name__, (kind,), body)


def _holding(locks: tuple[str, ...], method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def holding(self: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401  as the method
        with ExitStack() as held:
            for name in locks:
                held.enter_context(getattr(self, name))
            return method(self, *args, **named)

    return holding


def _threading(module: ModuleType) -> None:
    """Stop the world with a thread that ends for want of a module, as with a program."""
    said = module.excepthook

    @wraps(said)
    def excepthook(args: Any, /) -> None:  # noqa: ANN401  threading.ExceptHookArgs of the guest
        said(args)
        stop_if_refused(args.exc_value)

    vars(module).update(excepthook=excepthook, __excepthook__=excepthook)


ADAPTED: Final[dict[str, Callable[[ModuleType], None]]] = {
    "platform": _platform,
    "socket": _socket,
    "subprocess": _subprocess,
    "threading": _threading,
}
