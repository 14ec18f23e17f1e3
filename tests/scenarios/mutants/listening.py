"""Stacks that do what the notes claim of listening and accepting."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.net.ip import Embryo
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.ports import Ports
from halfopen.sockets.sock import TcpSock
from halfopen.tcp.arrives import syn_received
from halfopen.tcp.listening import Listening
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb
from halfopen.wire.tcp import Segment


def the_queue_is_as_long_as_the_backlog(patch: pytest.MonkeyPatch) -> None:
    """No more than the backlog wait for accept."""

    def full(self: Listening) -> bool:
        return len(self.ready) >= max(self.backlog, 1)

    patch.setattr(Listening, "accept_queue_full", property(full))


def accept_gives_the_listeners_own_name(patch: pytest.MonkeyPatch) -> None:
    """The new socket has the address that the listener is bound to."""
    really = Kernel._give_socket

    def give_socket(self: Kernel, embryo: Embryo) -> None:
        really(self, embryo)
        listener, sock = embryo.listening.user, embryo.tcb.user
        assert isinstance(listener, TcpSock)
        assert isinstance(sock, TcpSock)
        sock.address = listener.address

    patch.setattr(Kernel, "_give_socket", give_socket)


def the_new_socket_alone_decides(patch: pytest.MonkeyPatch) -> None:
    """With SO_REUSEADDR any port is free on which nobody listens."""
    really = Ports.conflict

    def conflict(self: Ports, sock: TcpSock, port: int, *, picked: bool) -> bool:
        others = self.owners(port)
        if sock.options.reuseaddr and not any(o.sk_state is State.LISTEN for o in others):
            return False
        return really(self, sock, port, picked=picked)

    patch.setattr(Ports, "conflict", conflict)


def who_sends_nothing_is_turned_away(patch: pytest.MonkeyPatch) -> None:
    """Under TCP_DEFER_ACCEPT only text ends a handshake, however long it takes."""
    really = syn_received.check_ack

    def check_ack(tcb: Tcb, seg: Segment, now: int) -> bool:
        assert tcb.listening is not None
        if tcb.listening.defer_accept and not seg.seq_len():
            tcb.acked = True
            return False
        return really(tcb, seg, now)

    patch.setattr(syn_received, "check_ack", check_ack)


MUTATIONS: Final[list[Mutation]] = [
    ("N30", "the backlog is the size of the queue", the_queue_is_as_long_as_the_backlog),
    ("N31", "its address is the listener's", accept_gives_the_listeners_own_name),
    ("N45", "SO_REUSEADDR set before bind is enough", the_new_socket_alone_decides),
    ("N47", "who sends nothing is turned away", who_sends_nothing_is_turned_away),
]
