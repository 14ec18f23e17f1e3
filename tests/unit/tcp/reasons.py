"""What a trace may say of a move from one state to another, and of no other."""

from collections.abc import Iterable
from typing import Final

from halfopen.tcp.effects import Transition
from halfopen.tcp.states import State

#: What ends a connection in any state in which it can be synchronized.
_ENDS: Final = frozenset(
    {"RST received", "abort", "SYN in the window", "no answer", "text after close"}
)

REASONS: Final[dict[tuple[State, State], frozenset[str]]] = {
    (State.CLOSED, State.SYN_SENT): frozenset({"connect"}),
    (State.CLOSED, State.SYN_RECEIVED): frozenset({"SYN received", "ACK of a SYN cookie"}),
    (State.SYN_SENT, State.SYN_RECEIVED): frozenset({"SYN received"}),
    (State.SYN_SENT, State.ESTABLISHED): frozenset({"SYN,ACK received"}),
    (State.SYN_SENT, State.CLOSED): frozenset(
        {"RST received", "abort", "close", "no answer", "ICMP error"}
    ),
    (State.SYN_RECEIVED, State.ESTABLISHED): frozenset({"ACK of our SYN"}),
    (State.SYN_RECEIVED, State.FIN_WAIT_1): frozenset({"close", "shutdown"}),
    (State.SYN_RECEIVED, State.CLOSED): _ENDS
    | {"SYN,ACK unanswered", "nobody listens any more", "the accept queue is full", "ICMP error"},
    (State.ESTABLISHED, State.FIN_WAIT_1): frozenset({"close", "shutdown"}),
    (State.ESTABLISHED, State.CLOSE_WAIT): frozenset({"FIN received"}),
    (State.ESTABLISHED, State.CLOSED): _ENDS | {"closed with unread data", "ICMP error"},
    (State.CLOSE_WAIT, State.LAST_ACK): frozenset({"close", "shutdown"}),
    (State.CLOSE_WAIT, State.CLOSED): _ENDS | {"closed with unread data", "ICMP error"},
    (State.FIN_WAIT_1, State.FIN_WAIT_2): frozenset({"ACK of our FIN"}),
    (State.FIN_WAIT_1, State.CLOSING): frozenset({"FIN received"}),
    (State.FIN_WAIT_1, State.CLOSED): _ENDS
    | {"closed with unread data", "TCP_LINGER2 is negative", "ICMP error"},
    (State.FIN_WAIT_2, State.TIME_WAIT): frozenset({"FIN received"}),
    (State.FIN_WAIT_2, State.CLOSED): _ENDS
    | {
        "closed with unread data",
        "TCP_LINGER2 is negative",
        "no FIN came",
        "the wait is over",
        "ICMP error",
    },
    (State.CLOSING, State.TIME_WAIT): frozenset({"ACK of our FIN"}),
    (State.CLOSING, State.CLOSED): _ENDS | {"closed with unread data", "ICMP error"},
    (State.LAST_ACK, State.CLOSED): _ENDS
    | {"ACK of our FIN", "closed with unread data", "ICMP error"},
    (State.TIME_WAIT, State.CLOSED): frozenset(
        {"RST received", "the wait is over", "a new connection takes its place"}
    ),
}


def check(history: Iterable[Transition]) -> None:
    """Hold every move's reason against those that it may have."""
    for move in history:
        allowed = REASONS.get((move.old, move.new), frozenset())
        assert move.why in allowed, f"{move.old.name} -> {move.new.name}: {move.why!r}"
