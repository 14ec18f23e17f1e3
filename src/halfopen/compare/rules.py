"""What may differ between two runs of one scenario although both are right, and why.

Linux does not agree with itself to the last bit: its timers depend on the phase of a tick that
nobody sees, ports and sequence numbers are drawn, programs need time to run. All that is allowed
for stands here.
"""

from typing import Final

from halfopen.base.units import MS
from halfopen.base.value import value

#: Linux does not always agree with itself: a variant that agrees in one of so many looks is let
#: off. Of one that agrees in none, what the last look shows is told.
LOOKS_MAX: Final = 3
#: How long a program may take to be scheduled; what the wire was late in a run is added.
JITTER_NS: Final = 2 * MS
#: CONFIG_HZ=250: a timer of TCP fires on a tick.
TICK_NS: Final = 4 * MS
#: One tick for the phase in which a timer is armed, one because the wheel rounds up.
TIMER_NS: Final = 2 * TICK_NS
#: RTO of a short path: a difference of one tick in it is doubled with every backoff.
RTO_NS: Final = 200 * MS
#: Granularity of the timer wheel (Linux calc_index) by the wait: the kernel rounds up to it.
WHEEL: Final = (
    (256 * MS, 0),
    (2048 * MS, 32 * MS),
    (16384 * MS, 256 * MS),
    (131072 * MS, 2048 * MS),
)
WHEEL_MAX_NS: Final = 16384 * MS
#: What a call gives that a timer of the kernel ended: SO_RCVTIMEO, SO_SNDTIMEO.
TIMED_ERRNOS: Final = frozenset({"EAGAIN", "EINPROGRESS"})
#: Calls that wait by such a timer without saying so: SO_SNDTIMEO after a part, SO_LINGER.
TIMED_CALLS: Final = frozenset({"send", "sendall", "close", "shutdown"})
#: Calls in which Linux wakes everybody who waits for the same; only one of them finds it.
EVERYBODY_WOKEN: Final = ("connect", "recv", "send")
#: Calls that set the timer of what they send: of a SYN, or of the question who has the address.
CONNECTS: Final = frozenset({"connect", "connect_ex"})
#: A kernel takes a killed process apart: mostly in a millisecond; the world's takes no time.
KILL_NS: Final = 10 * MS
#: An interpreter finalizes, and has to wait its turn for it, where nobody measured how long. A
#: kernel's own runs of one variant lay 20 to 142 ms apart on a busy machine of two cores.
EXIT_NS: Final = 150 * MS
#: Ports from here on are drawn by the kernel (net.ipv4.ip_local_port_range).
EPHEMERAL: Final = range(32768, 61000)
DNS_PORT: Final = 53


@value
class Allowance:
    """One thing that Linux, or the machine it runs on, varies from run to run."""

    what: str
    how: str
    why: str


ALLOWED: Final = (
    Allowance(
        what="initial sequence numbers, timestamps, IP identifications",
        how="sequence numbers are compared relative to where their connection begins, the others "
        "not at all",
        why="drawn per connection (RFC 9293 3.4.1, RFC 7323 5.4)",
    ),
    Allowance(
        what="the number of a DNS query",
        how="not compared: the first two octets of messages to and from port 53",
        why="drawn per query (RFC 5452 9.2)",
    ),
    Allowance(
        what="temporary ports and descriptors",
        how="one port or descriptor stands for one, throughout the run",
        why="drawn, or numbered by other rules in the world",
    ),
    Allowance(
        what="what follows at once, and what a program does after a sleep",
        how=f"within {JITTER_NS // MS} ms and what the wire was late in this run",
        why="a program must be scheduled, the wire is a program too; sleeps are exact (hrtimer)",
    ),
    Allowance(
        what="what a timer of TCP, or of a neighbour, does",
        how=f"within {TIMER_NS // MS} ms beside that, and a tick more for every RTO waited",
        why="a timer fires on a tick whose phase nobody sees; backing off doubles it in an RTO",
    ),
    Allowance(
        what="timers of TCP of 256 ms and longer",
        how="within the timer wheel's granularity: 32 ms, from 2 s on 256 ms, from 16 s on 2 s",
        why="Linux calc_index rounds a timer up to the next slot of its level",
    ),
    Allowance(
        what="the end of a process, and what is sent by it",
        how="later than in the world by as long as Python took to end after the program had, in "
        "this run, beside what it waited for in the world, too "
        f"({EXIT_NS // MS} ms where that is not known); {KILL_NS // MS} ms where a signal ends it",
        why="an interpreter finalizes, a kernel takes a killed process apart",
    ),
    Allowance(
        what="which of several threads that wait in one and the same call is served first",
        how=f"what they are given is compared, not which of them ({', '.join(EVERYBODY_WOKEN)})",
        why="Linux wakes them all (sk_data_ready, sk_write_space), and the scheduler picks",
    ),
    Allowance(
        what="segments of a host on a link where its own carrier is lost",
        how="not compared until the cable is in again",
        why="the queue discipline drops them inside the host, up to 1 s after the loss (linkwatch)",
    ),
    Allowance(
        what="the order of what happens within the tolerance",
        how="not compared",
        why="the wire and the programs run side by side",
    ),
)


def wheel(wait_ns: int) -> int:
    """How much later than asked a timer may fire, by the length of its wait."""
    for below, granularity in WHEEL:
        if wait_ns < below:
            return granularity
    return WHEEL_MAX_NS


def ending(how: str, finalizing_ns: int | None = None) -> int:
    """How much later than in the world a process may be over that ends so.

    ``finalizing_ns``: how long its interpreter took to end on the kernel, where that was measured.
    """
    if how == "power off":
        return 0
    if how.startswith("SIG"):
        return KILL_NS
    return EXIT_NS if finalizing_ns is None else finalizing_ns


def at_once(wire_late_ns: int) -> int:
    """How far apart a moment and what follows from it at once may lie."""
    return JITTER_NS + wire_late_ns


def timer(wait_ns: int, wire_late_ns: int) -> int:
    """How far apart the two ends of a timer's wait may lie."""
    return at_once(wire_late_ns) + TIMER_NS + TICK_NS * wait_ns // RTO_NS + wheel(wait_ns)
