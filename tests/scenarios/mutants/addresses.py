"""Stacks that do what the notes claim of bind and addresses."""

from typing import Final

import pytest
from tests.scenarios.mutants import Mutation

from halfopen.net.ip import Ip
from halfopen.sockets import calls, connect
from halfopen.sockets.names import Address, is_any, show
from halfopen.sockets.ports import Ports
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.table import FdTable
from halfopen.sockets.udp import UdpSock
from halfopen.tcp.states import State
from halfopen.wire.ethernet import Frame
from halfopen.wire.ip import Packet


def a_fixed_port_is_free_at_once(patch: pytest.MonkeyPatch) -> None:
    """Who binds a port may come back to it whatever became of the last connection."""

    def conflict(self: Ports, sock: TcpSock, port: int, *, picked: bool) -> bool:
        return picked and bool(self.owners(port))

    patch.setattr(Ports, "conflict", conflict)


def only_an_interfaces_own_address_is_bound(patch: pytest.MonkeyPatch) -> None:
    """Nothing else is taken, whatever an option or a sysctl says."""

    def may_bind(file: TcpSock | UdpSock, host: str) -> bool:
        return is_any(host) or host in file.kernel.ip.routes.local

    patch.setattr(connect, "may_bind", may_bind)


def bind_resolves_the_wildcard(patch: pytest.MonkeyPatch) -> None:
    """Who binds to the wildcard has the host's first address from then on."""
    really = calls.bind

    def bind(table: FdTable, fd: int, address: Address, now: int) -> None:
        really(table, fd, address, now)
        file = table.socket(fd)
        if isinstance(file, TcpSock) and is_any(file.address):
            file.address = next(iter(table.kernel.ip.routes.local))

    patch.setattr(calls, "bind", bind)


def an_interface_takes_its_own_only(patch: pytest.MonkeyPatch) -> None:
    """What comes by an interface that has not the address is not for this host (RFC 1122)."""
    really = Ip.receive

    def receive(self: Ip, load: Packet | Frame, interface: int, now: int) -> None:
        at = self.interfaces[interface]
        if isinstance(load, Packet) and self.routes.local.get(load.dst, at) is not at:
            return
        really(self, load, interface, now)

    patch.setattr(Ip, "receive", receive)


def only_a_connection_has_names(patch: pytest.MonkeyPatch) -> None:
    """Before the handshake is over getsockname knows nothing."""
    really = calls.getsockname

    def getsockname(table: FdTable, fd: int) -> Address:
        file = table.socket(fd)
        if isinstance(file, TcpSock) and file.sk_state in {State.CLOSED, State.SYN_SENT}:
            return show(file.v6, file.wildcard, 0)
        return really(table, fd)

    patch.setattr(calls, "getsockname", getsockname)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    ("N20", "a client may as well bind", a_fixed_port_is_free_at_once),
    ("N21", "the address must be an interface's", only_an_interfaces_own_address_is_bound),
    ("N24", "bind chooses the address", bind_resolves_the_wildcard),
    ("N26", "the arriving interface decides", an_interface_takes_its_own_only),
    ("N27", "each interface has its own address only", an_interface_takes_its_own_only),
    ("N28", "getsockname works after connect", only_a_connection_has_names),
)
