"""Records a program's calls of sockets and of names at the boundary of the C modules.

``install`` puts a recording subclass in the place of ``_socket.socket``, and wrappers in the place
of what ``select`` offers, before the ``socket`` module is loaded: the pure-Python library above is
what it always is.
"""

import _socket
import itertools
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self, TypeAlias

from halfopen.record.events import Json
from halfopen.record.shapes import errno_name, result_to_json, show_args

#: Takes ("entry" | "return", its fields); writes them where a kill can't take them back.
Sink: TypeAlias = Callable[[str, dict[str, Json]], None]

#: The method of ``_socket.socket`` and the name under which it is recorded.
_METHODS: Final = {
    name: name.lstrip("_")
    for name in (
        "bind",
        "listen",
        "_accept",
        "connect",
        "connect_ex",
        "send",
        "sendall",
        "sendto",
        "sendmsg",
        "recv",
        "recv_into",
        "recvfrom",
        "recvfrom_into",
        "recvmsg",
        "recvmsg_into",
        "shutdown",
        "close",
        "detach",
        "getsockname",
        "getpeername",
        "getsockopt",
        "setsockopt",
        "setblocking",
        "settimeout",
    )
}
#: The functions of ``_socket`` that look names up.
_NAMES: Final = (
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostbyaddr",
    "getnameinfo",
)
_OURS: Final = os.path.dirname(__file__)
_LIBRARY: Final = os.path.dirname(os.__file__)


class Recorder:
    """Gives each call a number and its two events."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.stopped = False
        self._numbers = itertools.count(1)

    def stop(self) -> None:
        """Write nothing any more."""
        self.stopped = True

    def call(
        self,
        name: str,
        fd: int | None,
        args: tuple[object, ...],
        run: Callable[[], Any],
        give: Callable[[Any], object] = lambda result: result,
    ) -> Any:  # noqa: ANN401  whatever the C function returns
        """Run one call between its two events; ``give`` picks what of its result to write."""
        if self.stopped:
            return run()
        number = next(self._numbers)
        self.sink(
            "entry",
            {
                "t_ns": time.monotonic_ns(),
                "call_id": number,
                "thread": _thread_name(),
                "call": name,
                "fd": fd,
                "args": show_args(args),
                "where": _where(sys._getframe(1)),  # noqa: SLF001  the one way to the caller's line
            },
        )
        result: Json = None
        errno: str | None = None
        try:
            value = run()
            at = time.monotonic_ns()
            result = result_to_json(name, give(value))
        except BaseException as error:
            at = time.monotonic_ns()
            errno = errno_name(error)
            raise
        finally:
            self.sink("return", {"t_ns": at, "call_id": number, "result": result, "errno": errno})
        return value


def install(sink: Sink) -> Callable[[], None]:
    """Record every socket and select call of this process, until the returned function is called.

    Requires: neither ``socket`` nor ``selectors`` is loaded yet.
    """
    early = [name for name in ("socket", "selectors") if name in sys.modules]
    assert not early, f"the recorder comes before what keeps the real classes: {early}"
    recorder = Recorder(sink)
    _socket.socket = _socket.SocketType = _recording_socket(recorder)  # type: ignore[misc]
    for name in _NAMES:
        setattr(_socket, name, _recording_function(recorder, name))
    _wrap_select(recorder)
    return recorder.stop


def _recording_socket(recorder: Recorder) -> type[_socket.socket]:
    real = _socket.socket

    def __init__(  # noqa: N807
        self: _socket.socket,
        family: int = -1,
        type: int = -1,  # noqa: A002  the parameter's name in CPython
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        if fileno is not None:
            real.__init__(self, family, type, proto, fileno)
            return
        recorder.call(
            "socket",
            None,
            (family, type, proto),
            lambda: real.__init__(self, family, type, proto),
            lambda _: {"fd": self.fileno()},
        )

    body: dict[str, object] = {"__slots__": (), "__init__": __init__}
    for method, name in _METHODS.items():
        body[method] = _recording_method(recorder, name, getattr(real, method))
    return type("socket", (real,), body)


def _recording_method(
    recorder: Recorder, name: str, real: Callable[..., Any]
) -> Callable[..., Any]:
    def method(self: _socket.socket, *args: object) -> Any:  # noqa: ANN401
        fd = self.fileno()
        return recorder.call(name, fd if fd >= 0 else None, args, lambda: real(self, *args))

    method.__name__ = name
    return method


def _recording_function(recorder: Recorder, name: str) -> Callable[..., Any]:
    real: Callable[..., Any] = getattr(_socket, name)

    def function(*args: object) -> Any:  # noqa: ANN401
        return recorder.call(name, None, args, lambda: real(*args))

    function.__name__ = name
    return function


def _wrap_select(recorder: Recorder) -> None:
    real_select, real_poll, real_epoll = select.select, select.poll, select.epoll

    def recording_select(*args: Any) -> Any:  # noqa: ANN401
        return recorder.call(
            "select",
            None,
            tuple(_fds(part) for part in args[:3]) + args[3:],
            lambda: real_select(*args),
            lambda ready: [_fds(part) for part in ready],
        )

    class Poll:
        """A poll object whose ``poll`` is recorded."""

        def __init__(self) -> None:
            real = real_poll()
            self.register, self.modify, self.unregister = (
                real.register,
                real.modify,
                real.unregister,
            )
            self._poll = real.poll

        def poll(self, *args: Any) -> Any:  # noqa: ANN401
            return recorder.call("poll", None, args, lambda: self._poll(*args))

    class Epoll:
        """An epoll object whose ``poll`` is recorded; the real class has no subclasses."""

        def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
            self._real = real_epoll(sizehint, flags)

        def poll(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401
            return recorder.call(
                "epoll_wait",
                self._real.fileno(),
                args + tuple(named.values()),
                lambda: self._real.poll(*args, **named),
            )

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            return getattr(self._real, name)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._real.close()

    select.select = recording_select
    select.poll = Poll  # type: ignore[misc, assignment]
    select.epoll = Epoll  # type: ignore[misc, assignment]


def _fds(part: Any) -> Any:  # noqa: ANN401
    """Turn a list of sockets into their descriptors."""
    if not isinstance(part, list | tuple | set):
        return part
    return [each if isinstance(each, int) else each.fileno() for each in part]


def _thread_name() -> str:
    thread = threading.current_thread()
    return "main" if thread is threading.main_thread() else thread.name


def _where(frame: FrameType | None) -> str:
    """Find the innermost line of the program itself: neither ours nor the library's."""
    while frame is not None:
        path = frame.f_code.co_filename
        library = path.startswith((_LIBRARY, "<")) and "site-packages" not in path
        if not library and not path.startswith(_OURS):
            return f"{os.path.basename(path)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
