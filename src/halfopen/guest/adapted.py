"""What is changed in a module of the library once a guest has loaded it, and why."""

from collections.abc import Callable
from types import ModuleType
from typing import Final, NoReturn

from halfopen.guest import fence


def _refuse_popen(*_: object, **__: object) -> NoReturn:
    fence.refuse("subprocess.Popen", "give the other program to a host of the world")


def _subprocess(module: ModuleType) -> None:
    """Refuse by its own name what would be refused by the name of its first pipe."""
    module.Popen.__init__ = _refuse_popen


def _platform(module: ModuleType) -> None:
    """Describe the processor as where there is no program ``uname``: not at all."""
    module._Processor.from_subprocess = staticmethod(str)  # noqa: SLF001  its one way to a program


ADAPTED: Final[dict[str, Callable[[ModuleType], None]]] = {
    "platform": _platform,
    "subprocess": _subprocess,
}
