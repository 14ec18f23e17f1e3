"""A faithful, Linux-like TCP/IP in a simulated world, where anything can fail at any instant."""

import typing

from halfopen.base import build

build.prefer_sources()  # before any module that has a compiled twin is imported

if typing.TYPE_CHECKING:
    from halfopen.base.errors import HalfopenError, MisuseError, NotPossibleHereError
    from halfopen.guest.public import Host, World
    from halfopen.guest.ran import Run

__all__ = ["HalfopenError", "Host", "MisuseError", "NotPossibleHereError", "Run", "World"]

_HOMES = {
    "HalfopenError": "halfopen.base.errors",
    "Host": "halfopen.guest.public",
    "MisuseError": "halfopen.base.errors",
    "NotPossibleHereError": "halfopen.base.errors",
    "Run": "halfopen.guest.ran",
    "World": "halfopen.guest.public",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for: the command line answers without most of them."""
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib

    return getattr(importlib.import_module(home), name)
