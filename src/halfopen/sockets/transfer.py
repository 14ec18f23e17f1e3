"""send and recv, in the order in which Linux looks at things.

tcp_sendmsg_locked, tcp_recvmsg_locked.
"""

import errno
from typing import Final, TypeAlias

from halfopen.base.errors import NotSimulatedError
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.errqueue import recv_error
from halfopen.sockets.limits import expired, time_limit
from halfopen.sockets.names import Address
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.table import FdTable
from halfopen.sockets.udp import UdpSock
from halfopen.sockets.waiting import Blocked, Control, Wait
from halfopen.tcp import calls, urgent
from halfopen.tcp.states import CLOSED, CONNECTING, MAY_SEND
from halfopen.tcp.tcb import Tcb

#: What is handed to TCP at a time, so that a long message is not copied anew at every wake-up.
PIECE: Final = 1 << 18
#: struct cmsghdr.
CMSG_HEADER: Final = 16

#: What recvmsg gives: text, what goes with it, MSG_* flags, and whom it is from.
Message: TypeAlias = tuple[bytes, list[Control], int, Address | None]


def send(table: FdTable, fd: int, data: bytes, flags: int, wait: Wait, now: int) -> int | Blocked:
    """Hand bytes to the connection and return how many; a blocking send takes all of them.

    Raises OSError: ECONNRESET, ETIMEDOUT and the like once, then EPIPE; EPIPE also where nothing
    was ever connected, and after shutdown; EAGAIN. SIGPIPE is the caller's affair: it comes with
    EPIPE, unless MSG_NOSIGNAL is among the flags.
    """
    file = table.entered(fd, wait)
    blocked = False
    try:
        if isinstance(file, TcpSock):
            result = _send(file, data, flags, wait, now)
        else:
            result = file.send(data, None, flags, now)
        blocked = isinstance(result, Blocked)
        return result
    finally:
        table.left(file, wait, now, blocked=blocked)


def sendto(
    table: FdTable,
    fd: int,
    data: bytes,
    flags: int,
    address: Address | None,
    wait: Wait,
    now: int,
) -> int | Blocked:
    """Send to an address; a TCP socket does not look at it."""
    file = table.entered(fd, wait)
    if isinstance(file, TcpSock):
        return send(table, fd, data, flags, wait, now)
    try:
        return file.send(data, address, flags, now)
    finally:
        table.left(file, wait, now, blocked=False)


def _send(sock: TcpSock, data: bytes, flags: int, wait: Wait, now: int) -> int | Blocked:
    if flags & c.MSG_FASTOPEN:
        raise NotSimulatedError("send with MSG_FASTOPEN is not simulated")
    if wait.connecting:
        wait.connecting = False
        sock.pend(-1)
    tcb = sock.tcb
    if tcb is None or (wait.holder is not None and sock.was_disconnected(wait)):
        return _broken(sock, wait)
    while True:
        if tcb.so_error or tcb.snd_shutdown or tcb.state not in MAY_SEND:
            if tcb.state in CONNECTING and not tcb.so_error:
                return _wait_to_connect(sock, tcb, flags, wait, now)
            return _broken(sock, wait)
        if wait.slept and expired(
            time_limit(sock.kernel, wait, sock.options.sndtimeo_ns, now), now
        ):
            return _unsent(wait)  # room that came without a wake-up is not looked at
        done = wait.done
        left = len(data) - done
        if not left:
            return done
        if flags & c.MSG_OOB:  # in one piece: it is sent when all of it is queued
            rest = data[done:] if done else data
            more = bool(flags & c.MSG_MORE)
            taken = calls.send(tcb, rest, now, push=not more, is_urgent=True)
            size = left
        elif left > PIECE or done:
            piece = data[done : done + PIECE]
            taken = calls.send(tcb, piece, now, push=left <= PIECE and not flags & c.MSG_MORE)
            size = len(piece)
        else:
            size = left
            taken = calls.send(tcb, data, now, push=not flags & c.MSG_MORE)
        wait.done = done + taken
        if taken < size:
            return _wait_to_send(sock, tcb, flags, wait, now, "room")


def _broken(sock: TcpSock, wait: Wait) -> int:
    """Return what was taken before the end; else raise the error, once, and then EPIPE."""
    if wait.done:
        return wait.done
    raise fail(sock.take_error() or errno.EPIPE)


def _wait_to_connect(sock: TcpSock, tcb: Tcb, flags: int, wait: Wait, now: int) -> int | Blocked:
    """Wait for the handshake, whose last segment waits for the data (sk_stream_wait_connect)."""
    blocked = _wait_to_send(sock, tcb, flags, wait, now, "the handshake")
    wait.connecting = True
    sock.pend(1)
    return blocked


def _wait_to_send(
    sock: TcpSock, tcb: Tcb, flags: int, wait: Wait, now: int, what: str
) -> int | Blocked:
    tcb.no_room = True
    at_once = sock.nonblock or bool(flags & c.MSG_DONTWAIT)
    limit = time_limit(sock.kernel, wait, sock.options.sndtimeo_ns, now, at_once=at_once)
    if expired(limit, now):
        return _unsent(wait)
    wait.slept = True
    wait.disconnects = sock.disconnects
    return Blocked((sock.write_wait,), limit, what)


def _unsent(wait: Wait) -> int:
    """Return what was taken before time was up; else raise EAGAIN."""
    if wait.done:
        return wait.done
    raise fail(errno.EAGAIN)


def recv(table: FdTable, fd: int, size: int, flags: int, wait: Wait, now: int) -> bytes | Blocked:
    """Take what has come, at most ``size`` bytes; b"" is the end.

    Raises OSError: ECONNRESET, ETIMEDOUT and the like once, behind the data that had come before;
    ENOTCONN, EAGAIN.
    """
    file = table.entered(fd, wait)
    blocked = False
    try:
        result: bytes | Blocked
        if flags & c.MSG_ERRQUEUE:
            result = recv_error(file, size, wait)[0]
        elif isinstance(file, TcpSock):
            result = _recv(file, size, flags, wait, now)
        else:
            datagram = file.recv(size, flags, wait, now)
            result = datagram if isinstance(datagram, Blocked) else datagram[0]
        blocked = isinstance(result, Blocked)
        return result
    finally:
        table.left(file, wait, now, blocked=blocked)


def recvfrom(
    table: FdTable, fd: int, size: int, flags: int, wait: Wait, now: int
) -> tuple[bytes, Address | None] | Blocked:
    """Take what has come and whom it is from; a TCP socket does not say that."""
    file = table.entered(fd, wait)
    blocked = False
    try:
        result: tuple[bytes, Address | None] | Blocked
        if flags & c.MSG_ERRQUEUE:
            result = recv_error(file, size, wait)
        elif isinstance(file, UdpSock):
            result = file.recv(size, flags, wait, now)
        else:
            data = _recv(file, size, flags, wait, now)
            result = data if isinstance(data, Blocked) else (data, None)
        blocked = isinstance(result, Blocked)
        return result
    finally:
        table.left(file, wait, now, blocked=blocked)


def recvmsg(
    table: FdTable, fd: int, size: int, room: int, flags: int, wait: Wait, now: int
) -> Message | Blocked:
    """Take what has come, what goes with it in so much room, its flags, and whom it is from."""
    result = recvfrom(table, fd, size, flags, wait, now)
    if isinstance(result, Blocked):
        return result
    control: list[Control] = []
    for level, kind, data in wait.control:
        if room < CMSG_HEADER:  # Linux put_cmsg
            wait.msg_flags |= c.MSG_CTRUNC
            break
        if room < CMSG_HEADER + len(data):
            wait.msg_flags |= c.MSG_CTRUNC
        control.append((level, kind, data[: room - CMSG_HEADER]))
        room -= min(room, -(-(CMSG_HEADER + len(data)) // 8) * 8)
    return (result[0], control, wait.msg_flags, result[1])


def _recv(sock: TcpSock, size: int, flags: int, wait: Wait, now: int) -> bytes | Blocked:
    if wait.holder is not None and sock.was_disconnected(wait):
        raise fail(errno.EPIPE)
    tcb = sock.tcb
    if tcb is None:
        return _recv_unconnected(sock, flags)
    if flags & c.MSG_OOB:
        return _recv_urgent(tcb, size, flags, wait)
    peek = bool(flags & c.MSG_PEEK)
    if tcb.rcv_queued and not (wait.done and tcb.urg_data and urgent.at_mark(tcb)):
        data = calls.receive(tcb, size - wait.done, now, peek=peek)
        if flags & c.MSG_TRUNC:
            data = bytes(len(data))  # it is not copied: what the caller has there stays
        if peek:
            wait.taken = None
            wait.done = 0
        got = len(data) + wait.done
        if got >= _target(sock, size, flags) or not size or (got and _stops(tcb, data, peek)):
            return _joined(wait, data)
        if data:
            if not peek:
                _keep(wait, data)
            elif _over(sock, flags, wait, now):
                return data
            else:
                return _wait_to_recv(sock, wait, _limit(sock, flags, wait, now))
    return _nothing(sock, tcb, flags, wait, now)


def _stops(tcb: Tcb, data: bytes, peek: bool) -> bool:
    """Whether a call that has something has come to the mark: it goes no further."""
    return tcb.urg_data != 0 and tcb.rcv_up == tcb.copied_seq + (len(data) if peek else 0)


def _recv_urgent(tcb: Tcb, size: int, flags: int, wait: Wait) -> bytes:
    """Take the urgent octet; it is never waited for.

    Raises OSError: EINVAL where there is none, ENOTCONN, EAGAIN where it is announced only.
    """
    error, octet = calls.receive_urgent(tcb, peek=bool(flags & c.MSG_PEEK))
    if error:
        raise fail(error)
    if octet < 0:
        return b""
    wait.msg_flags |= c.MSG_OOB
    if not size:
        wait.msg_flags |= c.MSG_TRUNC
        return b""
    return b"\0" if flags & c.MSG_TRUNC else bytes((octet,))


def _nothing(sock: TcpSock, tcb: Tcb, flags: int, wait: Wait, now: int) -> bytes | Blocked:
    """Decide what an empty queue means; the order of the questions is Linux's."""
    if tcb.fin_queued:
        calls.receive(tcb, 1, now, peek=bool(flags & c.MSG_PEEK))
    if wait.done:
        if _stops(tcb, b"", peek=False) or _over(sock, flags, wait, now):
            return _joined(wait, b"")
        return _wait_to_recv(sock, wait, _limit(sock, flags, wait, now))
    if tcb.fin_received:
        return b""
    if tcb.so_error:
        raise fail(sock.take_error())
    if tcb.rcv_shutdown or tcb.minisock:
        return b""
    assert tcb.state is not CLOSED, "the end of a connection shuts its read side"
    limit = _limit(sock, flags, wait, now)
    if expired(limit, now):
        raise fail(errno.EAGAIN)
    return _wait_to_recv(sock, wait, limit)


def _recv_unconnected(sock: TcpSock, flags: int) -> bytes:
    if sock.listening is None:
        if flags & c.MSG_OOB:
            raise fail(errno.EINVAL)
        error = sock.take_error()
        if error:
            raise fail(error)
        if sock.shut & c.RCV_SHUTDOWN:
            return b""
    raise fail(errno.ENOTCONN)


def _target(sock: TcpSock, size: int, flags: int) -> int:
    """How much it takes not to wait (Linux sock_rcvlowat)."""
    if flags & c.MSG_WAITALL:
        return size
    return min(sock.options.rcvlowat, size) or 1


def _over(sock: TcpSock, flags: int, wait: Wait, now: int) -> bool:
    """Whether a call that has something, but not all it wants, returns with it."""
    return (
        sock.has_error
        or sock.sk_state is CLOSED
        or bool(sock.shutdown & c.RCV_SHUTDOWN)
        or expired(_limit(sock, flags, wait, now), now)
    )


def _limit(sock: TcpSock, flags: int, wait: Wait, now: int) -> int | None:
    """When a recv that waits gives up; None: never."""
    at_once = sock.nonblock or bool(flags & c.MSG_DONTWAIT)
    return time_limit(sock.kernel, wait, sock.options.rcvtimeo_ns, now, at_once=at_once)


def _wait_to_recv(sock: TcpSock, wait: Wait, limit: int | None) -> Blocked:
    wait.disconnects = sock.disconnects
    return Blocked((sock.read_wait,), limit, "data")


def _keep(wait: Wait, data: bytes) -> None:
    if wait.taken is None:
        wait.taken = []
    wait.taken.append(data)
    wait.done += len(data)


def _joined(wait: Wait, data: bytes) -> bytes:
    if wait.taken is None:
        return data
    wait.taken.append(data)
    return b"".join(wait.taken)
