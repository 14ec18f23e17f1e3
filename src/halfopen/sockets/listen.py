"""listen and accept."""

import errno
from typing import Final

from halfopen.net.sysctl import integer
from halfopen.sockets.errors import fail
from halfopen.sockets.limits import expired, time_limit
from halfopen.sockets.names import Address, show
from halfopen.sockets.sock import SS_CONNECTED, SS_UNCONNECTED, TcpSock
from halfopen.sockets.table import FdTable
from halfopen.sockets.udp import UdpSock
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp.states import State

_UNSIGNED: Final = 0xFFFFFFFF


def listen(table: FdTable, fd: int, backlog: int, now: int) -> None:
    """Wait for connections; at most ``backlog`` for accept, and no more than somaxconn.

    Raises OSError: EOPNOTSUPP for UDP, EINVAL for a socket that is connected or was, EADDRINUSE. A
    second call changes the backlog (Linux __inet_listen_sk). A socket without a port gets one.
    """
    sock = table.socket(fd)
    if not isinstance(sock, TcpSock):
        raise fail(errno.EOPNOTSUPP)
    if sock.ss != SS_UNCONNECTED or sock.sk_state not in (State.CLOSED, State.LISTEN):
        raise fail(errno.EINVAL)
    backlog = min(backlog & _UNSIGNED, integer(sock.kernel.sysctl, "net.core.somaxconn"))
    if sock.listening is not None:
        sock.listening.backlog = backlog
        return
    if not sock.kernel.ports.get(sock, sock.num):
        raise fail(errno.EADDRINUSE)
    sock.sport = sock.num
    kernel = sock.kernel
    sock.listening = kernel.new_listening(sock, backlog)
    for place in sock.places():
        kernel.ip.demux.listen(place, sock.num, sock.listening)
    kernel.settle(now)


def accept(table: FdTable, fd: int, wait: Wait, now: int) -> tuple[int, Address] | Blocked:
    """Take the first connection whose handshake is over (Linux __sys_accept4, inet_csk_accept).

    Raises OSError: EINVAL where nobody listens (any more), EOPNOTSUPP for UDP, EMFILE before it
    waits. One that was reset meanwhile is still given; its first recv says so.
    """
    file = table.entered(fd, wait)
    if wait.fd < 0:
        wait.fd = table.reserve()
    child: TcpSock | None = None
    blocked = False
    try:
        found = _accept(file, wait, now)
        if isinstance(found, Blocked):
            blocked = True
            return found
        child = found
        assert child.peer is not None, "a connection that is ready has a peer"
        host, port = child.peer
        return wait.fd, show(child.v6, host, port)
    finally:
        if not blocked:
            table.fill(wait.fd, child)
        table.left(file, wait, now, blocked=blocked)


def _accept(file: TcpSock | UdpSock, wait: Wait, now: int) -> TcpSock | Blocked:
    if not isinstance(file, TcpSock):
        raise fail(errno.EOPNOTSUPP)
    listening = file.listening
    if listening is None:
        raise fail(errno.EINVAL)
    if not listening.ready:
        patience = file.options.rcvtimeo_ns
        limit = time_limit(file.kernel, wait, patience, now, at_once=file.nonblock)
        if expired(limit, now):
            raise fail(errno.EAGAIN)
        return Blocked((file.read_wait,), limit, "a connection", exclusive=True)
    child = listening.accept().user
    assert isinstance(child, TcpSock), "a connection that is ready has a socket"
    child.ss = SS_CONNECTED
    return child
