"""shutdown and close."""

import errno

from halfopen.base.units import S
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.limits import expired, time_limit
from halfopen.sockets.sock import (
    SS_CONNECTED,
    SS_CONNECTING,
    SS_DISCONNECTING,
    SS_UNCONNECTED,
    File,
    TcpSock,
)
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp import calls
from halfopen.tcp.states import CONNECTING, FIN_OUTSTANDING, State


def shutdown(table: FdTable, fd: int, how: int, now: int) -> None:
    """End one direction, or both (Linux inet_shutdown).

    Raises OSError: ENOTCONN where nothing is connected, EINVAL.
    """
    file = table.socket(fd)
    if how not in (c.SHUT_RD, c.SHUT_WR, c.SHUT_RDWR):
        raise fail(errno.EINVAL)
    try:
        if isinstance(file, TcpSock):
            _shutdown(file, how + 1, now)
        else:
            file.shutdown(how + 1)
    finally:
        table.kernel.settle(now)


def _shutdown(sock: TcpSock, how: int, now: int) -> None:
    state = sock.sk_state
    if sock.ss == SS_CONNECTING:
        ended = state in CONNECTING or state is State.CLOSED
        sock.ss = SS_DISCONNECTING if ended else SS_CONNECTED
    if state is State.SYN_SENT or (state is State.LISTEN and how & c.RCV_SHUTDOWN):
        sock.disconnect(now)
        sock.ss = SS_UNCONNECTED
        return
    tcb = sock.tcb
    if state is State.LISTEN:
        pass
    elif tcb is None:
        sock.shut |= how
    else:
        if how & c.RCV_SHUTDOWN:
            calls.shutdown_read(tcb, now)
        if how & c.SEND_SHUTDOWN:
            calls.shutdown_write(tcb, now)
    sock.wake()
    if state is State.CLOSED:
        raise fail(errno.ENOTCONN)


def close(table: FdTable, fd: int, wait: Wait, now: int) -> Blocked | None:
    """Free a descriptor; the last one closes the socket.

    With SO_LINGER and a time it waits until our FIN is acknowledged, or the time is up, also where
    the socket does not block (Linux inet_release).
    """
    file: File
    if wait.holder is None:
        file = table.take(fd)
        if file.descriptors or file.calls:
            return None
    else:
        holder = wait.holder
        assert isinstance(holder, TcpSock), "only a TCP socket lingers"
        file = holder
    blocked: Blocked | None = None
    try:
        if isinstance(file, TcpSock):
            blocked = _linger(file, wait, now)
        if blocked is None and wait.holder is None:
            file.release(now)
        return blocked
    finally:
        if blocked is not None:
            table.hold(file, wait)
        elif wait.holder is not None:
            table.abandon(wait, now)  # the last call has let go of it: it is released
        table.kernel.settle(now)


def _linger(sock: TcpSock, wait: Wait, now: int) -> Blocked | None:
    """Send the FIN and wait for its acknowledgment (Linux sk_stream_wait_close)."""
    options = sock.options
    tcb = sock.tcb
    if tcb is None or not (options.linger and options.linger_s):
        return None
    if wait.holder is None:
        if tcb.rcv_queued or sock.sk_state in CONNECTING or sock.sk_state is State.CLOSED:
            return None  # reset at once, or nothing to wait for
        calls.shutdown_read(tcb, now)
        calls.shutdown_write(tcb, now)
    limit = time_limit(sock.kernel, wait, options.linger_s * S, now)
    if tcb.state not in FIN_OUTSTANDING or tcb.minisock or expired(limit, now):
        return None
    return Blocked((sock.read_wait, sock.write_wait), limit, "the close")
