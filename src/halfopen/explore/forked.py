"""A fork of this process that tells one thing through a pipe, and does not outlive its parent."""

import os
import signal
import sys
from contextlib import suppress
from typing import Final, NoReturn

from halfopen.explore.leash import die_with

#: What a process leaves with where it failed: EX_SOFTWARE of sysexits.h.
FAILED: Final = 70


class Forked:
    """A fork as its parent has it."""

    def __init__(self, pid: int, reader: int) -> None:
        self._pid = pid
        self._pipe = open(reader, "rb")  # noqa: SIM115  until it is read

    def fileno(self) -> int:
        """The descriptor that is readable when it tells something, or is over."""
        return self._pipe.fileno()

    def read(self) -> tuple[bytes, int]:
        """Wait until it is over: what it told, and how it ended (os.waitstatus_to_exitcode)."""
        with self._pipe:
            told = self._pipe.read()
        return told, os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def kill(self) -> None:
        """End it, whatever it does."""
        os.kill(self._pid, signal.SIGKILL)
        self._pipe.close()
        os.waitpid(self._pid, 0)


def fork() -> Forked | int:
    """Fork. The child is given the descriptor that it tells by, and is to leave by ``os._exit``."""
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writer)
        return Forked(pid, reader)
    die_with(parent)
    os.close(reader)
    return writer


def tell(writer: int, told: bytes) -> NoReturn:
    """Tell it, and leave; any other way would run what the programs registered."""
    with suppress(BrokenPipeError), open(writer, "wb") as pipe:  # the parent may be gone
        pipe.write(told)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
