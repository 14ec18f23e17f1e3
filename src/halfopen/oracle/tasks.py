"""What a conductor is told to run, as octets: a variant, its programs by their names.

Nothing that a program needs is loaded for that: the process that will run it loads it, once its
calls are recorded (``recording.install``).
"""

import io
import pickle
from types import FunctionType
from typing import Any

from halfopen.scenario.model import Variant


class Named:
    """A program, by module and name. Its own process finds it by these."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = module
        self.__qualname__ = name


def dumps(variant: Variant, seed: int) -> bytes:
    """Write down a variant, and what chance on its wire is drawn from."""
    written = io.BytesIO()
    _Pickler(written).dump((variant, seed))
    return written.getvalue()


def loads(octets: bytes) -> tuple[Variant, int]:
    """Read what ``dumps`` wrote. A program is ``Named`` then."""
    variant, seed = pickle.loads(octets)
    return variant, seed


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: object) -> Any:  # noqa: ANN401  or NotImplemented
        if isinstance(obj, FunctionType):
            return Named, (obj.__module__, obj.__qualname__)
        return NotImplemented
