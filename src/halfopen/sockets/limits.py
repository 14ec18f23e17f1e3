"""How long a call waits under SO_RCVTIMEO and SO_SNDTIMEO."""

from typing import TYPE_CHECKING

from halfopen.tcp.jiffies import fires_at, ticks_left

if TYPE_CHECKING:
    from halfopen.sockets.kernel import Kernel
    from halfopen.sockets.waiting import Wait


def time_limit(
    kernel: "Kernel", wait: "Wait", timeout_ns: int | None, now: int, *, at_once: bool = False
) -> int | None:
    """Return when a call that waits from now on gives up: at a tick of the kernel; None: never.

    How patient it is was fixed when it was entered; what another thread sets meanwhile is for the
    next call (Linux sock_rcvtimeo, sock_sndtimeo). ``at_once``: it does not wait at all.

    After every wake-up the kernel sets its timer anew for what is left, and the less that is, the
    more precisely it fires (Linux schedule_timeout).
    """
    if not wait.timed:
        wait.timed = True
        wait.timeout_ns = 0 if at_once else timeout_ns
    timeout_ns = wait.timeout_ns
    if timeout_ns is None:
        return None
    if not timeout_ns:
        return wait.started_at
    phase = kernel.config.phase
    left = ticks_left(wait.started_at, timeout_ns, now, phase)
    return fires_at(now, left, phase) if left > 0 else now


def expired(limit: int | None, now: int) -> bool:
    """Whether there is a limit, and it has come."""
    return limit is not None and now >= limit
