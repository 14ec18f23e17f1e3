"""Stacks that do what the notes claim of listening and accepting."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.net.ip import Embryo
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.sock import TcpSock


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


MUTATIONS: Final[list[Mutation]] = [
    ("N31", "its address is the listener's", accept_gives_the_listeners_own_name),
]
