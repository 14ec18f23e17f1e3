"""Which build runs: the sources as they are, or what mypyc compiled from the same files.

``HALFOPEN_PURE=1`` prefers the sources although compiled modules lie beside them.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(**_: object) -> Callable[[type], type]:
        """Say something about a class to the compiler; running, it does nothing."""
        return _unchanged


#: What mypyc compiles, whole packages or single modules; ``setup.py`` reads it here.
COMPILED: Final = ("wire", "tcp", "net", "sockets", "world.events", "world.link")

_PACKAGE: Final = "halfopen"

__all__ = ["COMPILED", "SourceFinder", "mypyc_attr", "prefer_sources", "running_build"]


def _unchanged(cls: type) -> type:
    return cls


class SourceFinder:
    """Finds the ``.py`` of our modules, never the extension module beside it."""

    preferred = False

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module below ``halfopen``; leave every other to the finders that follow."""
        if path is None or not name.startswith(_PACKAGE + "."):
            return None
        for entry in path:
            spec = FileFinder(entry, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name, target)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def prefer_sources() -> None:
    """Let ``HALFOPEN_PURE=1`` have its way, once: guests, which import us too, have other finders.

    Requires: no compiled module was imported yet.
    """
    if os.environ.get("HALFOPEN_PURE") == "1" and not SourceFinder.preferred:
        SourceFinder.preferred = True
        sys.meta_path.insert(0, SourceFinder)


def running_build() -> Literal["pure", "compiled"]:
    """Say which build an import gives in this process."""
    spec = find_spec(f"{_PACKAGE}.{COMPILED[0]}")
    origin = spec.origin if spec is not None else None
    if origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES)):
        return "compiled"
    return "pure"
