"""Stacks that do what the notes claim of options that tune a connection."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.net.sysctl import DEFAULTS


def buffers_begin_as_they_did(patch: pytest.MonkeyPatch) -> None:
    """The receive buffer is as large as it was by default before Linux 4.20."""
    patch.setitem(DEFAULTS, "net.ipv4.tcp_rmem", "4096 87380 33554432")


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N43", "SO_RCVBUF is 87380 and SO_SNDBUF 16384 by default", buffers_begin_as_they_did),
)
