"""Stacks that do with threads what one might think."""

from contextlib import suppress
from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.sockets import calls
from halfopen.sockets.constants import SHUT_RDWR
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait


def close_ends_what_waits(patch: pytest.MonkeyPatch) -> None:
    """A thread that waits for a descriptor is told that it was closed."""
    really = calls.close

    def close(table: FdTable, fd: int, wait: Wait, now: int) -> Blocked | None:
        file = table.files.get(fd)
        if file is not None and file.calls and wait.holder is None:
            with suppress(OSError):
                calls.shutdown(table, fd, SHUT_RDWR, now)
        return really(table, fd, wait, now)

    patch.setattr(calls, "close", close)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N14", "close ends what other threads wait for", close_ends_what_waits),
)
