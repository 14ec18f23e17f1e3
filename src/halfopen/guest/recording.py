"""Writes a guest's socket calls to the trace, at the boundary of the C modules."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from halfopen.guest import modules, places, tasks
from halfopen.record.events import CallEntry, CallReturn
from halfopen.record.shapes import POLLS, errno_name, result_to_json, show_args

if TYPE_CHECKING:
    from halfopen.guest.image import Image

P = ParamSpec("P")
T = TypeVar("T")


class Recorded(Protocol):
    """What has calls that are recorded."""

    @property
    def image(self) -> "Image":
        """Whose calls they are."""

    def descriptor(self) -> int | None:
        """The descriptor that a call is made on, if it is made on one."""


R = TypeVar("R", bound=Recorded)


def recorded(
    name: str,
    *,
    show: Callable[..., tuple[object, ...]] | None = None,
    give: Callable[[Any, Any], object] | None = None,
    is_point: bool = True,
) -> Callable[[Callable[Concatenate[R, P], T]], Callable[Concatenate[R, P], T]]:
    """Make a method a call in the trace.

    ``show`` picks what to write of its arguments, ``give`` what of (itself, the result).
    ``is_point``: where it begins and ends, something may go wrong.
    """

    def decorate(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
        @wraps(method)
        def call(self: R, *args: P.args, **named: P.kwargs) -> T:
            image = self.image
            thread = tasks.running()
            assert thread.image is image, "a call on what another process owns"
            thread.leave_if_over()
            outer = thread.call, thread.subject  # a destructor's calls lie within another
            thread.call, thread.subject = name, self
            if name not in POLLS:
                thread.world.acts += 1
            try:
                if not image.recording:
                    return method(self, *args, **named)
                shown = (*args, *named.values()) if show is None else show(*args, **named)
                number = _enter(thread, name, self.descriptor(), shown, is_point=is_point)
                try:
                    result = method(self, *args, **named)
                except BaseException as error:
                    _leave(thread, number, None, errno_name(error), is_point=is_point)
                    thread.run_handlers()  # SIGPIPE comes with EPIPE, before it is seen
                    raise
                value = result if give is None else give(self, result)
                _leave(thread, number, result_to_json(name, value), None, is_point=is_point)
                return result
            finally:
                thread.call, thread.subject = outer

        return cast("Callable[Concatenate[R, P], T]", call)

    return decorate


def _enter(
    thread: tasks.Thread, name: str, fd: int | None, shown: tuple[object, ...], *, is_point: bool
) -> int:
    world = thread.world
    trace = world.trace
    number = 0
    if trace is not None:
        number = trace.next_id()
        trace.add(
            CallEntry(
                t_ns=world.now,
                call_id=number,
                host=thread.image.host,
                process=thread.image.name,
                thread=thread.name,
                call=name,
                fd=fd,
                args=show_args(shown),
                where=places.show(*places.innermost(sys._getframe(2))),  # noqa: SLF001  as above
            )
        )
    if is_point:
        _point(thread, "call", number)
    return number


def _leave(
    thread: tasks.Thread,
    number: int,
    result: Any,  # noqa: ANN401  JSON
    errno: str | None,
    *,
    is_point: bool,
) -> None:
    world = thread.world
    if world.trace is not None:
        world.trace.add(CallReturn(t_ns=world.now, call_id=number, result=result, errno=errno))
    if is_point:
        _point(thread, "return", number)


def _point(thread: tasks.Thread, kind: str, number: int) -> None:
    """Let the observer step in; it may end the process, and fork."""
    observer = thread.world.observer
    if observer is not None:
        with modules.hosted():
            observer.point(kind, thread.image.host, number, thread.world.now)
        thread.leave_if_over()
