"""The ways to every state, by legal traffic alone: segments of the peer, and calls.

Afterwards ISS + 1 is our next number and IRS + 1 the peer's, one more where a FIN has passed.
"""

from collections.abc import Callable
from typing import Final

from tests.unit.tcp.ends import IRS, ISS, End

from halfopen.tcp.states import State
from halfopen.wire.tcp import ACK, FIN, SYN


def nothing(end: End) -> None:
    """No connection, nobody listens."""


def listen(end: End) -> None:
    end.listen()


def syn_sent(end: End) -> None:
    end.connect()


def syn_received(end: End) -> None:
    """An embryo: a SYN has come to a listener."""
    end.listen()
    end.arrives(SYN, IRS)


def crossed(end: End) -> None:
    """SYN-RECEIVED with a user: both ends opened at once (RFC 9293 3.5, figure 8)."""
    end.connect()
    end.arrives(SYN, IRS)


def established(end: End) -> None:
    """By connect."""
    end.connect()
    end.arrives(SYN | ACK, IRS, ISS + 1)


def ready(end: End) -> None:
    """By a listener; nobody has accepted it."""
    syn_received(end)
    end.arrives(ACK, IRS + 1, ISS + 1)


def accepted(end: End) -> None:
    """By accept."""
    ready(end)
    end.accept()


def opened_at_once(end: End) -> None:
    """By two SYNs that crossed."""
    crossed(end)
    end.arrives(SYN | ACK, IRS, ISS + 1)


def fin_wait_1(end: End) -> None:
    """By shutdown: the user still reads."""
    established(end)
    end.shutdown_write()


def fin_wait_1_closed(end: End) -> None:
    """By close: nobody will read."""
    established(end)
    end.close()


def fin_wait_2(end: End) -> None:
    fin_wait_1(end)
    end.arrives(ACK, IRS + 1, ISS + 2)


def fin_wait_2_closed(end: End) -> None:
    """Only numbers and a timer are left (Linux inet_timewait_sock)."""
    fin_wait_1_closed(end)
    end.arrives(ACK, IRS + 1, ISS + 2)


def close_wait(end: End) -> None:
    established(end)
    end.arrives(FIN | ACK, IRS + 1, ISS + 1)


def closing(end: End) -> None:
    """Both FINs crossed; by shutdown."""
    fin_wait_1(end)
    end.arrives(FIN | ACK, IRS + 1, ISS + 1)


def closing_closed(end: End) -> None:
    fin_wait_1_closed(end)
    end.arrives(FIN | ACK, IRS + 1, ISS + 1)


def last_ack(end: End) -> None:
    """By shutdown."""
    close_wait(end)
    end.shutdown_write()


def last_ack_closed(end: End) -> None:
    close_wait(end)
    end.close()


def time_wait(end: End) -> None:
    """By shutdown; the descriptor is still open."""
    fin_wait_2(end)
    end.arrives(FIN | ACK, IRS + 1, ISS + 2)


def time_wait_closed(end: End) -> None:
    fin_wait_2_closed(end)
    end.arrives(FIN | ACK, IRS + 1, ISS + 2)


def closed(end: End) -> None:
    """A connection that was, whose descriptor is still open.

    The peer's FIN, then ours, acknowledged.
    """
    last_ack(end)
    end.arrives(ACK, IRS + 2, ISS + 2)


#: Every way, and where it leads.
WAYS: Final[dict[Callable[[End], None], State]] = {
    nothing: State.CLOSED,
    closed: State.CLOSED,
    listen: State.LISTEN,
    syn_sent: State.SYN_SENT,
    syn_received: State.SYN_RECEIVED,
    crossed: State.SYN_RECEIVED,
    established: State.ESTABLISHED,
    ready: State.ESTABLISHED,
    accepted: State.ESTABLISHED,
    opened_at_once: State.ESTABLISHED,
    fin_wait_1: State.FIN_WAIT_1,
    fin_wait_1_closed: State.FIN_WAIT_1,
    fin_wait_2: State.FIN_WAIT_2,
    fin_wait_2_closed: State.FIN_WAIT_2,
    close_wait: State.CLOSE_WAIT,
    closing: State.CLOSING,
    closing_closed: State.CLOSING,
    last_ack: State.LAST_ACK,
    last_ack_closed: State.LAST_ACK,
    time_wait: State.TIME_WAIT,
    time_wait_closed: State.TIME_WAIT,
}
