"""The socket calls, as a program enters them.

A call returns its result, raises OSError with Linux's errno, or returns ``Blocked``. Then, unless a
queue was woken meanwhile (``blocked.missed()``), the caller puts itself into the queues named there
(``queue.add(waiter, exclusive=blocked.exclusive)``), waits until one of them wakes it or the
deadline has come, takes itself out of the queues again (``remove``), and enters the same call once
more with the same ``Wait``. A blocked call that is not entered again is given up by
``table.abandon(wait, now)``. A non-blocking socket raises BlockingIOError instead. All waits are in
virtual ns; ``now`` never goes back.

An address is (host, port), and for AF_INET6 (host, port, flowinfo, number of the interface).

    socket(table, family, kind, proto, now) -> fd        kind may carry SOCK_NONBLOCK
    bind(table, fd, (address, port), now)                listen(table, fd, backlog, now)
    connect(table, fd, (address, port), wait, now) -> None | Blocked
    disconnect(table, fd, now)                           connect with AF_UNSPEC
    accept(table, fd, wait, now) -> (fd, (address, port)) | Blocked     the new socket blocks
    getsockname(table, fd) -> (address, port)            getpeername(table, fd) -> (address, port)
    send(table, fd, data, flags, wait, now) -> int | Blocked
    recv(table, fd, size, flags, wait, now) -> bytes | Blocked
    sendto(table, fd, data, flags, address | None, wait, now) -> int | Blocked
    recvfrom(table, fd, size, flags, wait, now) -> (bytes, (address, port) | None) | Blocked
    recvmsg(table, fd, size, room, flags, wait, now)
        -> (bytes, [(level, type, bytes)], flags, (address, port) | None) | Blocked
    ioctl(table, fd, request, now) -> int                SIOCATMARK, FIONREAD, SIOCOUTQ
    shutdown(table, fd, how, now)
    close(table, fd, wait, now) -> None | Blocked        it blocks with SO_LINGER only
    setsockopt(table, fd, level, name, value, now)       value: int or bytes, as CPython takes it
    getsockopt(table, fd, level, name, size, now) -> int | bytes       size 0: an int
    setblocking(table, fd, flag)                         getblocking(table, fd) -> bool
    poll(table, [(fd, events)], timeout_ns | None, wait, now) -> [(fd, revents)] | Blocked
    epoll_create(table, now) -> fd                       epoll_ctl(table, epfd, op, fd, events, now)
    epoll_wait(table, epfd, maxevents, timeout_ns | None, wait, now) -> [(fd, events)] | Blocked

``select`` is poll with POLLIN_SET, POLLOUT_SET and POLLEX_SET, as in Linux.
"""

from halfopen.sockets.connect import (
    bind,
    connect,
    disconnect,
    getblocking,
    getpeername,
    getsockname,
    setblocking,
    socket,
)
from halfopen.sockets.ioctl import ioctl
from halfopen.sockets.listen import accept, listen
from halfopen.sockets.readiness import (
    epoll_create,
    epoll_ctl,
    epoll_wait,
    poll,
    select,
)
from halfopen.sockets.shutdown import close, shutdown
from halfopen.sockets.sockopt import getsockopt, setsockopt
from halfopen.sockets.transfer import recv, recvfrom, recvmsg, send, sendto

__all__ = [
    "accept",
    "bind",
    "close",
    "connect",
    "disconnect",
    "epoll_create",
    "epoll_ctl",
    "epoll_wait",
    "getblocking",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ioctl",
    "listen",
    "poll",
    "recv",
    "recvfrom",
    "recvmsg",
    "select",
    "send",
    "sendto",
    "setblocking",
    "setsockopt",
    "shutdown",
    "socket",
]
