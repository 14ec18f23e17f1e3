"""Stacks that do what the notes claim of connect, or what is said of it elsewhere."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.net import icmp
from halfopen.sockets import connect
from halfopen.sockets.names import Address
from halfopen.sockets.sock import SS_DISCONNECTING, TcpSock
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp.tcb import Tcb
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import Packet


def every_connect_waits(patch: pytest.MonkeyPatch) -> None:
    """O_NONBLOCK means nothing to connect."""
    really = connect._connect

    def waits(sock: TcpSock, address: Address, wait: Wait, now: int) -> Blocked | None:
        nonblock, sock.nonblock = sock.nonblock, False
        try:
            return really(sock, address, wait, now)
        finally:
            sock.nonblock = nonblock

    patch.setattr(connect, "_connect", waits)


def a_failed_connect_spoils_the_socket(patch: pytest.MonkeyPatch) -> None:
    """Whoever has failed once can only close."""
    really = TcpSock.disconnect

    def disconnect(self: TcpSock, now: int) -> None:
        really(self, now)
        self.ss = SS_DISCONNECTING

    patch.setattr(TcpSock, "disconnect", disconnect)


def nobody_tells_of_a_host_that_is_down(patch: pytest.MonkeyPatch) -> None:
    """A host does not tell itself that a neighbour does not answer."""

    def answerable(packet: Packet) -> bool:
        return False

    patch.setattr(icmp, "answerable", answerable)


def no_icmp_error_ends_a_connect(patch: pytest.MonkeyPatch) -> None:
    """What a router says is kept, and the SYN sent again (RFC 1122 4.2.3.9 of soft errors)."""

    def hard_for(tcb: Tcb, message: Icmp) -> bool:
        return False

    patch.setattr(icmp, "hard_for", hard_for)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N15", "connect returns once it is established or has failed", every_connect_waits),
    ("N16", "after a failed connect the socket must be closed", a_failed_connect_spoils_the_socket),
    ("N17", "a peer that is down gives ETIMEDOUT", nobody_tells_of_a_host_that_is_down),
    ("N19", "ICMP errors are soft while connecting", no_icmp_error_ends_a_connect),
)
