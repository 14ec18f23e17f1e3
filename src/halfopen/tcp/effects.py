"""What a connection asks of the layers around it.

Segments to send, users to wake, timers to arm.
"""

from typing import TYPE_CHECKING, Final

from halfopen.record.events import Timer
from halfopen.tcp.states import State
from halfopen.wire.tcp import Segment

if TYPE_CHECKING:
    from halfopen.tcp.listening import Listening
    from halfopen.tcp.tcb import Tcb

#: Bits of ``tcb.wake``.
READ: Final = 1  # there is something to receive, or the end of it
WRITE: Final = 2  # there is room to send
STATE: Final = 4  # connected, failed, hung up: everybody looks again


class Transition:
    """A move from one state to another, for the trace."""

    def __init__(self, at: int, tcb: "Tcb", old: State, new: State, why: str) -> None:
        self.at = at
        self.tcb = tcb
        self.old = old
        self.new = new
        self.why = why


class Effects:
    """One for each host.

    Whoever called into ``tcp`` drains it afterwards; ``tcp`` never calls upward.
    """

    def __init__(self, *, traced: bool = False) -> None:
        self.segments: list[Segment] = []  # to be sent, in order
        self.woken: list[Tcb] = []  # whose ``wake`` bits are set
        self.ready: list[Listening] = []  # which have a connection for accept
        self.rearm: list[
            Tcb
        ] = []  # next_deadline() is earlier than ``entry_at``; may hold one twice
        self.gone: list[Tcb] = []  # entered CLOSED: the flow is free
        self.traced = traced
        self.history: list[Transition] = []
        self.fired: list[tuple[Tcb, Timer]] = []  # timers that acted
