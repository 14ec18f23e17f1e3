"""How a call waits: it returns ``Blocked``, and is entered again with the same ``Wait``."""

from typing import Protocol, TypeAlias

#: What goes with a message beside its text: level, type, octets.
Control: TypeAlias = tuple[int, int, bytes]


class Waiter(Protocol):
    """Whoever waits on a queue; given by the layer that runs the programs."""

    def wake(self) -> None:
        """Make it runnable. It must not run before the kernel has finished what it is at."""


class Holder(Protocol):
    """What a blocked call holds on to, although another thread may close the descriptor."""

    def let_go(self, now: int) -> None:
        """Drop what ``hold`` took."""


class WaitQueue:
    """Who waits for one thing. Waking empties it, except for all but one of the exclusive waiters.

    As in Linux ``__wake_up_common``: everybody who waits without exclusion, the latest first, then
    one exclusive waiter, the earliest first (prepare_to_wait_exclusive, as ``accept`` does).
    """

    def __init__(self) -> None:
        self.wakes = 0  # how often it was woken, also with nobody in it
        self._shared: list[Waiter] | None = None
        self._exclusive: list[Waiter] | None = None

    def add(self, waiter: Waiter, *, exclusive: bool = False) -> None:
        """Put a waiter into the queue."""
        if exclusive:
            if self._exclusive is None:
                self._exclusive = []
            self._exclusive.append(waiter)
        else:
            if self._shared is None:
                self._shared = []
            self._shared.append(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Take a waiter out again; one that has been woken is no longer in."""
        shared = self._shared
        if shared is not None and waiter in shared:
            shared.remove(waiter)
            if not shared:
                self._shared = None
        exclusive = self._exclusive
        if exclusive is not None and waiter in exclusive:
            exclusive.remove(waiter)
            if not exclusive:
                self._exclusive = None

    def wake(self) -> None:
        """Wake everybody who shares, and the first of those who exclude one another."""
        self.wakes += 1
        shared = self._shared
        if shared is not None:
            self._shared = None
            for waiter in reversed(shared):
                waiter.wake()
        exclusive = self._exclusive
        if exclusive is not None:
            first = exclusive.pop(0)
            if not exclusive:
                self._exclusive = None
            first.wake()

    def wake_all(self) -> None:
        """Wake the exclusive waiters too, as a state change does (Linux wake_up_all)."""
        exclusive = self._exclusive
        self._exclusive = None
        self.wake()
        if exclusive is not None:
            for waiter in exclusive:
                waiter.wake()


class Wait:
    """One call's memory over its wake-ups. Make a new one for every call."""

    __slots__ = (
        "connecting",
        "control",
        "disconnects",
        "done",
        "error",
        "fd",
        "holder",
        "msg_flags",
        "slept",
        "started_at",
        "taken",
        "timed",
        "timeout_ns",
    )

    def __init__(self, started_at: int) -> None:
        self.started_at = started_at
        self.done = 0  # bytes already sent or received
        self.slept = False  # it waited for room
        self.timed = False  # how long it may wait is known
        self.timeout_ns: int | None = None
        self.taken: list[bytes] | None = None  # what MSG_WAITALL has received so far
        self.error = 0  # what connect returns where its time is up
        self.disconnects = 0  # how often the socket had been disconnected when the wait began
        self.connecting = False  # a send that waits for the handshake
        self.fd = -1  # the number that accept will give
        self.msg_flags = 0  # what recvmsg says of the message
        self.control: tuple[Control, ...] = ()
        self.holder: Holder | None = None  # the socket, while the call is blocked


class Blocked:
    """The call can't go on until a queue is woken or ``deadline`` has come."""

    __slots__ = ("_wakes", "deadline", "exclusive", "queues", "restarts", "what")

    def __init__(
        self,
        queues: tuple[WaitQueue, ...],
        deadline: int | None,
        what: str,
        *,
        exclusive: bool = False,
        restarts: bool = True,
    ) -> None:
        self.queues = queues
        self.deadline = deadline
        self.what = what  # for reports: "data", "room", "a connection"
        self.exclusive = exclusive  # add(waiter, exclusive=...) to the queues
        # A signal with SA_RESTART does not end it, where it has no deadline (Linux ERESTARTSYS).
        self.restarts = restarts
        self._wakes = self._count()

    def missed(self) -> bool:
        """Whether what the call did itself woke a queue already, as over the loopback."""
        return self._count() != self._wakes

    def _count(self) -> int:
        wakes = 0
        for queue in self.queues:
            wakes += queue.wakes
        return wakes
