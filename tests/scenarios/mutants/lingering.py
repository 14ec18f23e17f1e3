"""Stacks that do what the notes claim of SO_LINGER."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.sockets import shutdown
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.waiting import Wait
from halfopen.tcp import calls
from halfopen.tcp.tcb import Tcb


def what_is_left_is_always_tried(patch: pytest.MonkeyPatch) -> None:
    """Data that the closer did not read are forgotten, and what comes after is ignored."""
    really = calls.close

    def close(tcb: Tcb, now: int, *, linger: int | None = None) -> None:
        tcb.ready.clear()
        tcb.ready_costs.clear()
        tcb.rcv_queued = tcb.rmem = 0
        really(tcb, now, linger=linger)

    patch.setattr(calls, "close", close)


def close_never_waits(patch: pytest.MonkeyPatch) -> None:
    """As a reader of the notes might think: l_linger is for the kernel, not for close."""

    def linger(sock: TcpSock, wait: Wait, now: int) -> None:
        """Do not wait."""

    patch.setattr(shutdown, "_linger", linger)


def only_an_orderly_close_sends_a_fin(patch: pytest.MonkeyPatch) -> None:
    """Whatever linger says, a process that dies resets its connections."""
    really = TcpSock.exit

    def die(self: TcpSock, now: int) -> None:
        if self.tcb is not None and not self.calls and not self.descriptors:
            calls.abort(self.tcb, now)
        really(self, now)

    patch.setattr(TcpSock, "exit", die)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N48", "what is left is always tried", what_is_left_is_always_tried),
    ("N49", "close never waits", close_never_waits),
    ("N50", "only an orderly close sends a FIN", only_an_orderly_close_sends_a_fin),
)
