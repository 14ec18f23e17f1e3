"""Stacks that do what the notes claim of options that tune a connection."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.net.sysctl import DEFAULTS
from halfopen.sockets import sockopt_socket
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.udp import UdpSock
from halfopen.tcp import deadlines, output
from halfopen.tcp.tcb import Tcb


def only_the_number_of_probes_counts(patch: pytest.MonkeyPatch) -> None:
    """A heartbeat fails after TCP_KEEPCNT probes, whatever TCP_USER_TIMEOUT says."""

    def keepalive_failed(tcb: Tcb, silent: int) -> bool:
        return tcb.probes_out >= tcb.keepcnt

    patch.setattr(deadlines, "_keepalive_failed", keepalive_failed)


def a_connection_keeps_its_buffers(patch: pytest.MonkeyPatch) -> None:
    """A size that is set once there is a connection is forgotten."""
    receive, send = sockopt_socket._force_rcvbuf, sockopt_socket._force_sndbuf

    def force_rcvbuf(sock: TcpSock | UdpSock, size: int) -> None:
        if isinstance(sock, UdpSock) or sock.tcb is None:
            receive(sock, size)

    def force_sndbuf(sock: TcpSock | UdpSock, size: int) -> None:
        if isinstance(sock, UdpSock) or sock.tcb is None:
            send(sock, size)

    patch.setattr(sockopt_socket, "_force_rcvbuf", force_rcvbuf)
    patch.setattr(sockopt_socket, "_force_sndbuf", force_sndbuf)


def buffers_begin_as_they_did(patch: pytest.MonkeyPatch) -> None:
    """The receive buffer is as large as it was by default before Linux 4.20."""
    patch.setitem(DEFAULTS, "net.ipv4.tcp_rmem", "4096 87380 33554432")


def nothing_waits_for_an_ack(patch: pytest.MonkeyPatch) -> None:
    """Small segments leave at once, as with TCP_NODELAY; only a cork holds them."""

    def nagle_waits(tcb: Tcb, nagle: int) -> bool:
        return bool(nagle & output.NAGLE_CORK)

    patch.setattr(output, "_nagle_waits", nagle_waits)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N41", "a heartbeat ends after TCP_KEEPCNT probes", only_the_number_of_probes_counts),
    ("N42", "buffers are to be set before connect", a_connection_keeps_its_buffers),
    ("N43", "SO_RCVBUF is 87380 and SO_SNDBUF 16384 by default", buffers_begin_as_they_did),
    ("N46", "TCP_NODELAY makes no difference", nothing_waits_for_an_ack),
)
