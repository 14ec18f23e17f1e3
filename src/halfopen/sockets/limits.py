"""How long a call waits under SO_RCVTIMEO and SO_SNDTIMEO."""

from typing import TYPE_CHECKING

from halfopen.tcp.jiffies import fires_at

if TYPE_CHECKING:
    from halfopen.sockets.kernel import Kernel
    from halfopen.sockets.waiting import Wait


def time_limit(kernel: "Kernel", wait: "Wait", timeout_ns: int | None) -> int | None:
    """Return when a call gives up: at a tick of the kernel; None: never."""
    if timeout_ns is None:
        return None
    if not timeout_ns:
        return wait.started_at
    return fires_at(wait.started_at, timeout_ns, kernel.config.phase)


def expired(limit: int | None, now: int) -> bool:
    """Whether there is a limit, and it has come."""
    return limit is not None and now >= limit
