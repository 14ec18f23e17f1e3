"""An epoll instance (Linux fs/eventpoll.c): interests, and the list of those that may be ready."""

import errno
from typing import TYPE_CHECKING, Final

from halfopen.base.errors import NotSimulatedError
from halfopen.sockets.constants import (
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    EPOLLWAKEUP,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
)
from halfopen.sockets.errors import fail
from halfopen.sockets.waiting import WaitQueue

if TYPE_CHECKING:
    from halfopen.sockets.kernel import Kernel
    from halfopen.sockets.sock import File

_PRIVATE: Final = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE


class Interest:
    """One descriptor that an epoll instance watches; it waits in the queues of the file."""

    def __init__(self, epoll: "Epoll", fd: int, file: "File", events: int) -> None:
        self.epoll = epoll
        self.fd = fd
        self.file = file
        self.events = events
        self.listed = False  # among those that may be ready
        self.queues: tuple[WaitQueue, ...] = ()

    def wake(self) -> None:
        """Something happened at the file (Linux ep_poll_callback)."""
        if self.events & ~_PRIVATE:
            self.epoll.list_ready(self)

    def watch(self) -> None:
        """Be in the file's queues, once."""
        self.unwatch()
        self.queues = self.file.poll_queues(self.events | POLLOUT)
        for queue in self.queues:
            queue.add(self)

    def unwatch(self) -> None:
        """Leave the file's queues."""
        for queue in self.queues:
            queue.remove(self)
        self.queues = ()


class Epoll:
    """An epoll instance.

    Level-triggered interests stay in the list until they are found not ready.
    """

    def __init__(self, kernel: "Kernel") -> None:
        self.kernel = kernel
        self.nonblock = False
        self.descriptors = 0
        self.calls = 0
        self.interests: dict[int, Interest] = {}
        self.ready: list[Interest] = []
        self.watchers: list[Interest] = []  # of other instances, which watch this one
        self.read_wait = WaitQueue()

    # As every file.

    def let_go(self, now: int) -> None:
        """A blocked call has let go of it."""
        self.calls -= 1
        if not self.calls and not self.descriptors:
            self.release(now)

    def exit(self, now: int) -> None:
        """Its last descriptor may have gone with the process."""
        if not self.calls and not self.descriptors:
            self.release(now)

    def release(self, now: int) -> None:  # noqa: ARG002  as every file
        """Watch nothing any more. Requires: no descriptor and no call holds it."""
        forget_all(self.watchers)
        for interest in list(self.interests.values()):
            self.forget(interest)

    def poll_mask(self) -> int:
        """Readable while one of its interests is ready (Linux ep_eventpoll_poll)."""
        for interest in self.ready:
            if interest.file.poll_mask() & interest.events:
                return POLLIN | POLLRDNORM
        return 0

    def poll_queues(self, events: int) -> tuple[WaitQueue, ...]:  # noqa: ARG002  as every file
        """Where to wait for it."""
        return (self.read_wait,)

    # Its own calls.

    def add(self, fd: int, file: "File", events: int) -> None:
        """EPOLL_CTL_ADD."""
        if events & EPOLLEXCLUSIVE:
            raise NotSimulatedError("EPOLLEXCLUSIVE is not simulated")
        old = self.interests.get(fd)
        if old is not None and old.file is file:
            raise fail(errno.EEXIST)
        interest = Interest(self, fd, file, events | POLLERR | POLLHUP)
        self.interests[fd] = interest
        file.watchers.append(interest)
        interest.watch()
        self._look(interest)

    def modify(self, fd: int, file: "File", events: int) -> None:
        """EPOLL_CTL_MOD: look at once whether the new events are there."""
        interest = self._find(fd, file)
        interest.events = events | POLLERR | POLLHUP
        interest.watch()
        self._look(interest)

    def remove(self, fd: int, file: "File") -> None:
        """EPOLL_CTL_DEL."""
        self.forget(self._find(fd, file))

    def forget(self, interest: Interest) -> None:
        """Watch a file no longer: it was removed, or its last descriptor is closed."""
        interest.unwatch()
        interest.file.watchers.remove(interest)
        if self.interests.get(interest.fd) is interest:
            del self.interests[interest.fd]
        if interest.listed:
            interest.listed = False
            self.ready.remove(interest)

    def list_ready(self, interest: Interest) -> None:
        """Put an interest at the end of the list, unless it is there, and wake who waits."""
        if not interest.listed:
            interest.listed = True
            self.ready.append(interest)
        self.read_wait.wake()

    def collect(self, maxevents: int) -> list[tuple[int, int]]:
        """Return at most so many events (Linux ep_send_events).

        What is level-triggered goes to the end of the list again, so that everybody has a turn.
        """
        found: list[tuple[int, int]] = []
        looked_at, self.ready = self.ready, []
        for number, interest in enumerate(looked_at):
            if len(found) == maxevents:
                self.ready = looked_at[number:] + self.ready
                break
            interest.listed = False
            interest.watch()
            events = interest.file.poll_mask() & interest.events
            if not events:
                continue
            found.append((interest.fd, events))
            if interest.events & EPOLLONESHOT:
                interest.events &= _PRIVATE
            elif not interest.events & EPOLLET:
                interest.listed = True
                self.ready.append(interest)
        return found

    def _look(self, interest: Interest) -> None:
        if interest.file.poll_mask() & interest.events:
            self.list_ready(interest)

    def _find(self, fd: int, file: "File") -> Interest:
        interest = self.interests.get(fd)
        if interest is None or interest.file is not file:
            raise fail(errno.ENOENT)
        return interest


def forget_all(watchers: list[Interest]) -> None:
    """A file is closed for good: no instance watches it any longer (Linux eventpoll_release)."""
    for interest in list(watchers):
        interest.epoll.forget(interest)
