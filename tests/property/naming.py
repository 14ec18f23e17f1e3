"""A program that looks names up as it is told, and prints what comes; it runs on both arms."""

import json
import socket
import time
from typing import Any

from halfopen.scenario import libc
from halfopen.scenario.model import Lab
from halfopen.scenario.notes import naming


def serve(lab: Lab) -> None:
    """Answer at once."""
    naming.serve_at(lab, lab.address(naming.SERVER), thinks=0)


def asks(lab: Lab) -> None:
    """Make the calls of the settings, one after another."""
    for name, given in json.loads(lab.settings["calls"]):
        print(name, given, _outcome(name, given))  # noqa: T201  what is printed is compared
    lab.mark("told")
    time.sleep(naming.LONG)


def _outcome(name: str, given: list[Any]) -> object:  # noqa: PLR0911  a return for each call
    try:
        if name == "getnameinfo":
            return socket.getnameinfo((given[0], given[1]), given[2])
        if name == "C getservbyname":
            pointer = libc.getservbyname(*given)
            return pointer and libc.servent(pointer)
        if name == "C gethostbyname":
            pointer = libc.gethostbyname(*given)
            return libc.hostent(pointer) if pointer else libc.h_errno()
        if name == "C gethostbyaddr":
            pointer = libc.gethostbyaddr(*given)
            return libc.hostent(pointer) if pointer else libc.h_errno()
        return getattr(socket, name)(*given)
    except OSError as error:
        return f"{type(error).__name__} {error.errno} {error}"
    except (UnicodeError, OverflowError) as error:
        return f"{type(error).__name__}"
