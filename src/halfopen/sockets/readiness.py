"""poll, select and epoll: what is ready, and waiting for it."""

import errno
from typing import Final

from halfopen.sockets import constants as c
from halfopen.sockets.epoll import Epoll
from halfopen.sockets.errors import fail
from halfopen.sockets.sock import File
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Blocked, Wait, WaitQueue

_ALWAYS: Final = c.POLLERR | c.POLLHUP


class Polled:
    """What a poll that waits holds on to: files, and their queues (Linux struct poll_wqueues)."""

    def __init__(self, files: list[File], queues: list[WaitQueue]) -> None:
        self.files = files
        self.queues = tuple(queues)
        for file in files:
            file.calls += 1

    def let_go(self, now: int) -> None:
        """It waits no longer."""
        for file in self.files:
            file.let_go(now)


def poll(
    table: FdTable, asked: list[tuple[int, int]], timeout_ns: int | None, wait: Wait, now: int
) -> list[tuple[int, int]] | Blocked:
    """Return which descriptors have which of the events asked for, and ERR, HUP and NVAL unasked.

    Raises OSError EINVAL for more descriptors than a process may have (Linux do_sys_poll).
    """
    if len(asked) > table.nofile_max:
        raise fail(errno.EINVAL)
    found = _look(table, asked)
    limit = None if timeout_ns is None or timeout_ns < 0 else wait.started_at + timeout_ns
    if found or (limit is not None and now >= limit):
        _over(table, wait, now)
        return found
    return _wait(table, asked, limit, wait)


def _look(table: FdTable, asked: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for fd, events in asked:
        if fd < 0:
            continue
        file = table.files.get(fd)
        revents = c.POLLNVAL if file is None else file.poll_mask() & (events | _ALWAYS)
        if revents:
            found.append((fd, revents))
    return found


def _wait(table: FdTable, asked: list[tuple[int, int]], limit: int | None, wait: Wait) -> Blocked:
    """Wait where the call began to: a file that another thread closes meanwhile is held."""
    polled = wait.holder
    if polled is None:
        files: list[File] = []
        queues: list[WaitQueue] = []
        for fd, events in asked:
            if fd >= 0:
                file = table.files[fd]
                files.append(file)
                queues.extend(file.poll_queues(events))
        polled = Polled(files, queues)
        table.keep(polled, wait)
    assert isinstance(polled, Polled), "a poll went on with another call's Wait"
    return Blocked(polled.queues, limit, "an event", restarts=False)


def _over(table: FdTable, wait: Wait, now: int) -> None:
    """Let go of what the call held."""
    if wait.holder is not None:
        table.abandon(wait, now)
        table.kernel.settle(now)


def select(
    table: FdTable,
    reading: list[int],
    writing: list[int],
    exceptional: list[int],
    timeout_ns: int | None,
    wait: Wait,
    now: int,
) -> tuple[list[int], list[int], list[int]] | Blocked:
    """Return which descriptors are ready for what.

    Raises OSError EBADF for one that is not open; one that another thread closes while the call
    waits is ready. An ERR or HUP that nobody asked for does not end it. Linux do_select.
    """
    asked: dict[int, int] = {}
    for fds, events in (
        (reading, c.POLLIN_SET),
        (writing, c.POLLOUT_SET),
        (exceptional, c.POLLEX_SET),
    ):
        for fd in fds:
            if wait.holder is None:
                table.get(fd)
            asked[fd] = asked.get(fd, 0) | events
    ready = dict(_look(table, list(asked.items())))
    result = (
        [fd for fd in reading if ready.get(fd, 0) & c.POLLIN_SET],
        [fd for fd in writing if ready.get(fd, 0) & c.POLLOUT_SET],
        [fd for fd in exceptional if ready.get(fd, 0) & c.POLLEX_SET],
    )
    limit = None if timeout_ns is None else wait.started_at + timeout_ns
    if any(result) or (limit is not None and now >= limit):
        _over(table, wait, now)
        return result
    return _wait(table, list(asked.items()), limit, wait)


def epoll_create(table: FdTable, now: int) -> int:  # noqa: ARG001  as every call
    """Make an epoll instance and return its descriptor."""
    return table.install(Epoll(table.kernel))


def epoll_ctl(table: FdTable, epfd: int, op: int, fd: int, events: int, now: int) -> None:  # noqa: ARG001  as every call
    """Add, change or remove the interest in a descriptor.

    Raises OSError: EBADF, EINVAL, EEXIST, ENOENT (Linux do_epoll_ctl).
    """
    epoll = _epoll(table, epfd)
    file = table.get(fd)
    if file is epoll:
        raise fail(errno.EINVAL)
    if op == c.EPOLL_CTL_ADD:
        epoll.add(fd, file, events)
    elif op == c.EPOLL_CTL_MOD:
        epoll.modify(fd, file, events)
    elif op == c.EPOLL_CTL_DEL:
        epoll.remove(fd, file)
    else:
        raise fail(errno.EINVAL)


def epoll_wait(
    table: FdTable, epfd: int, maxevents: int, timeout_ns: int | None, wait: Wait, now: int
) -> list[tuple[int, int]] | Blocked:
    """Return what is ready among what was added, in the order in which it became so.

    It goes on although another thread closes the instance meanwhile (Linux do_epoll_wait, fdget).
    """
    holder = wait.holder
    if holder is None:
        epoll = _epoll(table, epfd)
    else:
        assert isinstance(holder, Epoll), "epoll_wait went on with another call's Wait"
        epoll = holder
    if maxevents <= 0:
        raise fail(errno.EINVAL)
    found = epoll.collect(maxevents)
    limit = None if timeout_ns is None or timeout_ns < 0 else wait.started_at + timeout_ns
    over = bool(found) or (limit is not None and now >= limit)
    table.left(epoll, wait, now, blocked=not over)
    if over:
        return found
    return Blocked((epoll.read_wait,), limit, "an event", exclusive=True, restarts=False)


def _epoll(table: FdTable, fd: int) -> Epoll:
    file = table.get(fd)
    if isinstance(file, Epoll):
        return file
    raise fail(errno.EINVAL)
