"""The states of a connection and the moves between them (RFC 9293 3.3.2), as data.

``TRANSITIONS`` is the law: ``tcb.enter`` refuses every move that is not in it, and the pages are
drawn from it.
"""

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """RFC 9293 3.3.2; the numbers are Linux's (``TCP_ESTABLISHED`` = 1), as TCP_INFO shows them."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    FIN_WAIT_1 = 4
    FIN_WAIT_2 = 5
    TIME_WAIT = 6
    CLOSED = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11


def spell(state: State) -> str:
    """Write a state as the RFC does: ``SYN-SENT``."""
    return state.name.replace("_", "-")


#: Where each state may go. CLOSED is reached from everywhere: by RST, ABORT or a timeout.
TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.CLOSED: frozenset({State.SYN_SENT, State.SYN_RECEIVED, State.LISTEN}),
    State.LISTEN: frozenset({State.CLOSED}),
    State.SYN_SENT: frozenset({State.ESTABLISHED, State.SYN_RECEIVED, State.CLOSED}),
    State.SYN_RECEIVED: frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSED}),
    State.ESTABLISHED: frozenset({State.FIN_WAIT_1, State.CLOSE_WAIT, State.CLOSED}),
    State.FIN_WAIT_1: frozenset({State.FIN_WAIT_2, State.CLOSING, State.CLOSED}),
    State.FIN_WAIT_2: frozenset({State.TIME_WAIT, State.CLOSED}),
    State.CLOSE_WAIT: frozenset({State.LAST_ACK, State.CLOSED}),
    State.CLOSING: frozenset({State.TIME_WAIT, State.CLOSED}),
    State.LAST_ACK: frozenset({State.CLOSED}),
    State.TIME_WAIT: frozenset({State.CLOSED}),
}

# Used on the path of every segment: on Python 3.11 to look a member up costs ten times as much.
ESTABLISHED: Final = State.ESTABLISHED
SYN_RECEIVED: Final = State.SYN_RECEIVED
CLOSED: Final = State.CLOSED

#: Both ends know each other's sequence numbers (RFC 9293 3.5.1, group 3).
SYNCHRONIZED: Final = frozenset(
    {
        State.ESTABLISHED,
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.CLOSE_WAIT,
        State.CLOSING,
        State.LAST_ACK,
        State.TIME_WAIT,
    }
)

#: The local user may still send.
MAY_SEND: Final = frozenset({State.ESTABLISHED, State.CLOSE_WAIT})

#: The handshake is under way.
CONNECTING: Final = frozenset({State.SYN_SENT, State.SYN_RECEIVED})

#: Our FIN is queued or sent, and not yet acknowledged.
FIN_OUTSTANDING: Final = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})

#: The peer's FIN has been received in order.
FIN_RECEIVED: Final = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT})
