"""What would have ended a wait: each remedy is tried in the same world, at the call that hangs."""

import socket
from typing import Final, Literal, TypeAlias

from halfopen.base.units import S
from halfopen.base.value import value
from halfopen.guest import tasks
from halfopen.guest.standins.socket import Socket, set_timeout
from halfopen.record.events import CallEntry
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.sockets import calls as kernel
from halfopen.sockets.sock import TcpSock
from halfopen.world.process import Waiting

Means: TypeAlias = Literal["settimeout", "SO_KEEPALIVE"]
MEANS: Final[tuple[Means, ...]] = ("settimeout", "SO_KEEPALIVE")

#: The timeout that is tried: longer than a healthy peer takes, shorter than people wait.
TIMEOUT_NS: Final = 10 * S

#: Calls that wait for several descriptors at once; a socket's own timeout does not end them.
_MANY: Final = frozenset({"select", "poll", "epoll_wait"})


@value
class Remedy:
    """A means that is applied when a call is entered, which the trace knows by its number."""

    means: Means
    call_id: int


@value
class Advice:
    """What came of a remedy: when the call ended after all, and how. None: it still waits."""

    means: Means
    at_ns: int | None
    errno: str | None


def hanging_call(trace: Trace, waits: Waiting) -> CallEntry | None:
    """Find the call that a thread hangs in; None where it waits in none (for a lock, for time)."""
    open_calls = {call.call_id for call in calls(trace) if call.returned_ns is None}
    found = None
    for event in trace.events:
        if isinstance(event, CallEntry) and event.call_id in open_calls:
            who = (event.host, event.process, event.thread, event.call)
            if who == (waits.host, waits.process, waits.thread, waits.call):
                found = event
    return found


def remedies(call: CallEntry) -> tuple[Remedy, ...]:
    """Name what can be tried on a call."""
    means: tuple[Means, ...] = ("SO_KEEPALIVE",) if call.call in _MANY else MEANS
    return tuple(Remedy(means=each, call_id=call.call_id) for each in means)


def apply(remedy: Remedy) -> None:
    """Apply a remedy. Requires: the thread that runs is just entering the call."""
    thread = tasks.running()
    subject = thread.subject
    if remedy.means == "settimeout":
        if isinstance(subject, Socket):
            set_timeout(subject, TIMEOUT_NS)
        return
    own = [subject.fileno()] if isinstance(subject, Socket) else sorted(thread.image.fds.files)
    for fd in own:
        if isinstance(thread.image.fds.files.get(fd), TcpSock):
            now = thread.world.now
            thread.enter(kernel.setsockopt, fd, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1, now)


def outcome(trace: Trace, remedy: Remedy) -> Advice:
    """Read from the trace of a run with a remedy what became of the call."""
    for call in calls(trace):
        if call.call_id == remedy.call_id:
            return Advice(means=remedy.means, at_ns=call.returned_ns, errno=call.errno)
    return Advice(means=remedy.means, at_ns=None, errno=None)
