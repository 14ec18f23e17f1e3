"""Stacks on which the answer to what was asked since would be another."""

from typing import Any, Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.sockets.udp import UdpSock


def a_datagram_waits_like_a_stream(patch: pytest.MonkeyPatch) -> None:
    """What a small buffer leaves of a datagram comes with the next read."""
    really = UdpSock.recv

    def recv(self: UdpSock, size: int, *rest: Any) -> Any:
        first = self.end.queue[0] if self.end.queue else None
        taken = really(self, size, *rest)
        if first is not None and first not in self.end.queue and len(first.data) > size:
            first.data = first.data[size:]
            self.end.queue.appendleft(first)
            self.end.rmem += first.cost
        return taken

    patch.setattr(UdpSock, "recv", recv)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N51", "the next read gives the rest of a datagram", a_datagram_waits_like_a_stream),
)
