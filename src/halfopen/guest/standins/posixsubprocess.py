"""``_posixsubprocess``: there, so that ``subprocess`` can be imported; it starts no process."""

import _posixsubprocess as real
from types import ModuleType
from typing import TYPE_CHECKING

from halfopen.guest.standins.assemble import assemble

if TYPE_CHECKING:
    from halfopen.guest.image import Image


def make(image: "Image") -> ModuleType:  # noqa: ARG001  as every stand-in
    """Make the module."""
    return assemble(real, {}, advice="give the other program to a host of the world: host.run(...)")
