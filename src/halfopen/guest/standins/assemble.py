"""Puts a stand-in together: what it offers, what it passes on, and what it refuses."""

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import NoReturn

from halfopen.guest import fence

_CONSTANT = (int, float, str, bytes, tuple)


class Refusal:
    """A function that is there, as on Linux, and can't be called."""

    def __init__(self, name: str, advice: str) -> None:
        self.name = name
        self.advice = advice

    def refuse(self, *_: object, **__: object) -> NoReturn:
        """Raise FenceError."""
        fence.refuse(self.name, self.advice)


def assemble(
    real: ModuleType,
    offered: Mapping[str, object],
    *,
    passed: Iterable[str] = (),
    absent: Iterable[str] = (),
    advice: str = "",
) -> ModuleType:
    """Make a stand-in for ``real``.

    ``offered`` is ours; ``passed`` names what of the real module is harmless as it is; constants
    are copied. Every other function of the real module is refused when it is called, but for the
    ``absent`` ones: programs look whether they are there, and go another way.
    """
    module = ModuleType(real.__name__, real.__doc__)
    there = vars(module)
    gone = frozenset(absent)
    for name, thing in vars(real).items():
        if name in gone or (name.startswith("__") and name.endswith("__")):
            continue
        if isinstance(thing, _CONSTANT):
            there[name] = thing
        elif callable(thing):
            there[name] = Refusal(f"{real.__name__}.{name}", advice).refuse
    for name in passed:
        if hasattr(real, name):
            there[name] = getattr(real, name)
    there.update(offered)
    return module
