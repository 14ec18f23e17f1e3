"""``atexit``: what a process wants to be called at its end, and is not called when it is killed."""

import atexit as real
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from halfopen.guest.standins.assemble import assemble

if TYPE_CHECKING:
    from halfopen.guest.image import Image

P = ParamSpec("P")
T = TypeVar("T")


class Atexit:
    """The register of one process, called last first."""

    def __init__(self) -> None:
        self._calls: list[tuple[Callable[..., object], tuple[object, ...], dict[str, object]]] = []

    def register(
        self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Callable[P, T]:
        """Add a function; returns it, so that it can decorate."""
        if not callable(func):
            raise TypeError("the first argument must be callable")
        self._calls.append((func, args, kwargs))
        return func

    def unregister(self, func: Callable[..., object], /) -> None:
        """Remove a function, however often it is in."""
        self._calls = [call for call in self._calls if call[0] != func]

    def _run_exitfuncs(self) -> None:
        """Call everything; an error is shown, and the next is called."""
        while self._calls:
            func, args, named = self._calls.pop()
            try:
                func(*args, **named)
            except SystemExit:
                pass
            except BaseException as error:  # noqa: BLE001  CPython shows it and goes on
                print(f"Exception ignored in atexit callback {func!r}:", file=sys.stderr)  # noqa: T201
                sys.excepthook(type(error), error, error.__traceback__)

    def _clear(self) -> None:
        self._calls.clear()

    def _ncallbacks(self) -> int:
        return len(self._calls)


def make(image: "Image") -> ModuleType:
    """Make the module."""
    own = Atexit()
    image.atexit = own
    names = ("register", "unregister", "_run_exitfuncs", "_clear", "_ncallbacks")
    return assemble(real, {name: getattr(own, name) for name in names})
