"""``halfopen.scenario.unspec``: what programs of scenarios ask of the C library itself."""

import socket
from types import ModuleType
from typing import TYPE_CHECKING

from halfopen.guest import tasks
from halfopen.sockets import calls

if TYPE_CHECKING:
    from halfopen.guest.image import Image

NAME = "halfopen.scenario.unspec"


def dissolve(sock: socket.socket) -> None:
    """Connect with AF_UNSPEC."""
    thread = tasks.running()
    thread.enter(calls.disconnect, sock.fileno(), thread.world.now)


def make(image: "Image") -> ModuleType:  # noqa: ARG001  as every stand-in
    """Make the module."""
    module = ModuleType(NAME, __doc__)
    vars(module)["dissolve"] = dissolve
    return module
