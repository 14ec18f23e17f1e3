"""The ways to every state, by legal traffic alone, and what may happen there: the atlas as data.

A cell is a way and a stimulus that fits it. What comes of it is nowhere written down: it is run.
"""

from collections.abc import Callable
from typing import Final

from halfopen.atlas.end import End
from halfopen.base.value import value
from halfopen.sockets.constants import SHUT_RD, SHUT_WR
from halfopen.tcp.states import CONNECTING, FIN_OUTSTANDING, FIN_RECEIVED, State
from halfopen.wire.icmp import HOST_UNREACH, PORT_UNREACH
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN

#: Further on in the window, and beyond it.
AHEAD: Final = 1_000
BEYOND: Final = 1_000_000
TEXT: Final = b"hello"

C = State.CLOSED
L = State.LISTEN
SENT = State.SYN_SENT
RECEIVED = State.SYN_RECEIVED
EST = State.ESTABLISHED

#: No peer has told its number yet.
NOBODY: Final = frozenset({C, L})
#: The peer's number is known.
NUMBERED: Final = frozenset(State) - {C, L, SENT}
#: The user may still be given text.
RECEIVING: Final = frozenset({EST, State.FIN_WAIT_1, State.FIN_WAIT_2})


@value
class Way:
    """How a state is reached. ``asks``: the user's call whose result is told afterwards."""

    state: State
    name: str
    reach: Callable[[End], None]
    asks: str = ""
    listener: bool = False  # the user's descriptor is the listener's
    orphan: bool = False  # no descriptor is left


@value
class Stimulus:
    """What happens. ``word``: by which it is asked for; ``at``: in which states it can happen.

    ``prepare`` is what must have gone before. ``happens`` returns what the user's call gave, where
    it is one, and "" otherwise.
    """

    kind: str
    word: str
    name: str
    at: frozenset[State]
    happens: Callable[[End], str]
    prepare: Callable[[End], None] | None = None
    held: bool = False  # the user holds a descriptor
    listener: bool | None = None  # which is the listener's, or a connection's; None: either

    def fits(self, way: Way) -> bool:
        """Whether it can happen where the way leads."""
        if self.listener is not None and self.listener is not way.listener:
            return False
        return way.state in self.at and not (self.held and way.orphan)


# The ways.


def _comes(end: End, flags: int, ack: int | None = None) -> None:
    """Let a segment of the peer arrive, a little later."""
    end.pause()
    end.arrives(flags, ack=ack)


def _closed(end: End) -> None:
    end.socket()


def _listen(end: End) -> None:
    end.socket()
    end.listen()
    if end.patient:
        end.accept()


def _syn_sent(end: End) -> None:
    end.socket()
    end.connect()


def _embryo(end: End) -> None:
    _listen(end)
    _comes(end, SYN)


def _crossed(end: End) -> None:
    _syn_sent(end)
    _comes(end, SYN)


def _connected(end: End) -> None:
    _syn_sent(end)
    _comes(end, SYN | ACK, 1)
    if end.patient:
        end.goes_on()


def _accepted(end: End) -> None:
    end.socket()
    end.listen()
    _comes(end, SYN)
    _comes(end, ACK, 1)
    end.take()


def _established(end: End) -> None:
    _connected(end)
    if end.patient:
        end.recv()


def _fin_wait_1(end: End) -> None:
    _connected(end)
    end.shutdown(SHUT_WR)
    if end.patient:
        end.recv()


def _fin_wait_1_closed(end: End) -> None:
    _connected(end)
    end.close()


def _fin_wait_2(end: End) -> None:
    _fin_wait_1(end)
    _comes(end, ACK, 2)


def _fin_wait_2_closed(end: End) -> None:
    _fin_wait_1_closed(end)
    _comes(end, ACK, 2)


def _close_wait(end: End) -> None:
    _connected(end)
    _comes(end, FIN | ACK)


def _closing(end: End) -> None:
    _connected(end)
    end.shutdown(SHUT_WR)
    _comes(end, FIN | ACK)


def _closing_closed(end: End) -> None:
    _fin_wait_1_closed(end)
    _comes(end, FIN | ACK)


def _last_ack(end: End) -> None:
    _close_wait(end)
    end.shutdown(SHUT_WR)


def _last_ack_closed(end: End) -> None:
    _close_wait(end)
    end.close()


def _time_wait(end: End) -> None:
    _fin_wait_2_closed(end)
    _comes(end, FIN | ACK)


def _time_wait_of_server(end: End) -> None:
    _accepted(end)
    end.close()
    _comes(end, ACK, 2)
    _comes(end, FIN | ACK)


WAYS: Final = (
    Way(state=C, name="nobody listens; the user has a new socket", reach=_closed),
    Way(state=L, name="the user waits in accept", reach=_listen, asks="accept", listener=True),
    Way(state=SENT, name="the user waits in connect", reach=_syn_sent, asks="connect"),
    Way(
        state=RECEIVED,
        name="a SYN came to a listener; the user waits in accept",
        reach=_embryo,
        asks="accept",
        listener=True,
    ),
    Way(
        state=RECEIVED,
        name="two SYNs crossed; the user waits in connect",
        reach=_crossed,
        asks="connect",
    ),
    Way(state=EST, name="the user waits in recv", reach=_established, asks="recv"),
    Way(
        state=State.FIN_WAIT_1,
        name="by shutdown; the user waits in recv",
        reach=_fin_wait_1,
        asks="recv",
    ),
    Way(
        state=State.FIN_WAIT_1,
        name="by close; nobody will read",
        reach=_fin_wait_1_closed,
        orphan=True,
    ),
    Way(
        state=State.FIN_WAIT_2,
        name="by shutdown; the user waits in recv",
        reach=_fin_wait_2,
        asks="recv",
    ),
    Way(
        state=State.FIN_WAIT_2,
        name="by close; nobody will read",
        reach=_fin_wait_2_closed,
        orphan=True,
    ),
    Way(
        state=State.CLOSE_WAIT,
        name="the peer's FIN came; the user sends next",
        reach=_close_wait,
        asks="send",
    ),
    Way(
        state=State.CLOSING,
        name="by shutdown; the user looks at SO_ERROR next",
        reach=_closing,
        asks="SO_ERROR",
    ),
    Way(state=State.CLOSING, name="by close", reach=_closing_closed, orphan=True),
    Way(
        state=State.LAST_ACK,
        name="by shutdown; the user looks at SO_ERROR next",
        reach=_last_ack,
        asks="SO_ERROR",
    ),
    Way(state=State.LAST_ACK, name="by close", reach=_last_ack_closed, orphan=True),
    Way(
        state=State.TIME_WAIT,
        name="of a client: nobody listens at its port",
        reach=_time_wait,
        orphan=True,
    ),
    Way(
        state=State.TIME_WAIT,
        name="of a server, whose listener goes on",
        reach=_time_wait_of_server,
        orphan=True,
    ),
)


# What happens.


def _segment(  # noqa: PLR0913  a segment has as many fields
    word: str,
    name: str,
    at: frozenset[State],
    flags: int,
    *,
    ahead: int = 0,
    seq: int | None = None,
    ack: int | None = None,
    text: bytes = b"",
    prepare: Callable[[End], None] | None = None,
    held: bool = False,
) -> Stimulus:
    """A segment; ``ahead`` of the number that the peer would send next, or at ``seq``."""

    def happens(end: End) -> str:
        end.arrives(flags, end.told + ahead if seq is None else seq, ack, text)
        return ""

    return Stimulus(
        kind="segment",
        word=word,
        name=name,
        at=at,
        happens=happens,
        prepare=prepare,
        held=held,
    )


def _call(  # noqa: PLR0913  as many as Stimulus has for a call
    word: str,
    name: str,
    at: frozenset[State],
    call: Callable[[End], str],
    prepare: Callable[[End], None] | None = None,
    *,
    listener: bool | None = False,
) -> Stimulus:
    return Stimulus(
        kind="call",
        word=word,
        name=name,
        at=at,
        happens=call,
        prepare=prepare,
        held=True,
        listener=listener,
    )


def _icmp(name: str, code: int) -> Stimulus:
    def happens(end: End) -> str:
        end.unreachable(code)
        return ""

    return Stimulus(
        kind="network", word="ICMP", name=name, at=frozenset(State) - NOBODY, happens=happens
    )


def _silence(
    name: str, at: frozenset[State], prepare: Callable[[End], None] | None = None
) -> Stimulus:
    def happens(end: End) -> str:
        end.silence()
        return ""

    return Stimulus(
        kind="silence",
        word="silence",
        name=name,
        at=at,
        happens=happens,
        prepare=prepare,
        held=prepare is not None,
    )


def _text_came(end: End) -> None:
    end.pause()
    end.arrives(PSH | ACK, text=TEXT)
    if end.patient:
        end.goes_on()
        end.recv()


def _text_waits(end: End) -> None:
    end.pause()
    end.arrives(PSH | ACK, text=TEXT)


def _text_sent(end: End) -> None:
    end.send()


def _with_keepalive(end: End) -> None:
    end.keepalive()


def _shutdown_write(end: End) -> str:
    return end.shutdown(SHUT_WR)


def _shutdown_read(end: End) -> str:
    return end.shutdown(SHUT_RD)


def _nothing_sent(end: End) -> str:
    """An ACK of what this end never sent."""
    end.arrives(ACK, ack=end.heard + AHEAD)
    return ""


def _fins_at_once(end: End) -> str:
    """The peer's FIN, which acknowledges ours."""
    end.arrives(FIN | ACK, ack=end.heard)
    return ""


def _fin_acknowledged(end: End) -> str:
    end.arrives(ACK, ack=end.heard)
    return ""


SEGMENTS: Final = (
    _segment("RST", "RST", NOBODY, RST),
    _segment("RST", "RST,ACK of our SYN", frozenset({SENT}), RST | ACK, ack=1),
    _segment("RST", "RST,ACK of nothing we sent", frozenset({SENT}), RST | ACK, ack=0),
    _segment("RST", "RST without ACK", frozenset({SENT}), RST),
    _segment("RST", "RST, the next number", NUMBERED, RST),
    _segment("RST", "RST in the window", NUMBERED, RST, ahead=AHEAD),
    _segment("RST", "RST outside the window", NUMBERED, RST, ahead=BEYOND),
    _segment("RST", "RST, its FIN's number", FIN_RECEIVED, RST, ahead=-1),
    _segment("SYN", "SYN", NOBODY, SYN),
    _segment("SYN", "SYN,ACK", NOBODY, SYN | ACK, ack=1),
    _segment("SYN", "SYN,ACK of our SYN", frozenset({SENT}), SYN | ACK, ack=1),
    _segment("SYN", "SYN,ACK of nothing we sent", frozenset({SENT}), SYN | ACK, ack=2),
    _segment("SYN", "SYN: both open at once", frozenset({SENT}), SYN),
    _segment("SYN", "SYN again, the same", NUMBERED, SYN, seq=0),
    _segment("SYN", "SYN,ACK again, the same", NUMBERED, SYN | ACK, seq=0, ack=1),
    _segment("SYN", "SYN in the window", NUMBERED, SYN, ahead=AHEAD),
    _segment("SYN", "SYN outside the window", NUMBERED, SYN, ahead=BEYOND),
    _segment("ACK", "ACK", NOBODY, ACK, ack=1),
    _segment("ACK", "ACK of our SYN", frozenset(CONNECTING), ACK, ack=1),
    Stimulus(
        kind="segment",
        word="ACK",
        name="ACK of our FIN",
        at=frozenset(FIN_OUTSTANDING),
        happens=_fin_acknowledged,
    ),
    _segment("ACK", "ACK, nothing new", NUMBERED - {RECEIVED}, ACK),
    Stimulus(
        kind="segment",
        word="ACK",
        name="ACK of nothing we sent",
        at=NUMBERED | {SENT},
        happens=_nothing_sent,
    ),
    _segment("ACK", "ACK outside the window", NUMBERED, ACK, ahead=BEYOND),
    _segment("text", "text", NOBODY | {SENT}, PSH | ACK, ack=1, text=TEXT),
    _segment("text", "text, the next number", NUMBERED - {RECEIVED}, PSH | ACK, text=TEXT),
    _segment(
        "text", "text with ACK of our SYN", frozenset({RECEIVED}), PSH | ACK, ack=1, text=TEXT
    ),
    _segment("text", "text behind a gap", NUMBERED - {RECEIVED}, PSH | ACK, ahead=AHEAD, text=TEXT),
    _segment(
        "text",
        "text again, the same",
        RECEIVING,
        PSH | ACK,
        ahead=-len(TEXT),
        text=TEXT,
        prepare=_text_came,
        held=True,
    ),
    _segment("text", "text outside the window", NUMBERED, PSH | ACK, ahead=BEYOND, text=TEXT),
    _segment("text", "text without ACK", NUMBERED, PSH, text=TEXT),
    _segment("FIN", "FIN", NOBODY | {SENT}, FIN),
    _segment("FIN", "FIN, the next number", NUMBERED - FIN_RECEIVED - {RECEIVED}, FIN | ACK),
    _segment("FIN", "FIN with ACK of our SYN", frozenset({RECEIVED}), FIN | ACK, ack=1),
    Stimulus(
        kind="segment",
        word="FIN",
        name="FIN with ACK of ours",
        at=frozenset({State.FIN_WAIT_1}),
        happens=_fins_at_once,
    ),
    _segment("FIN", "FIN behind a gap", NUMBERED - FIN_RECEIVED, FIN | ACK, ahead=AHEAD),
    _segment("FIN", "FIN again, the same", FIN_RECEIVED, FIN | ACK, ahead=-1),
)

#: Where a user may hold a descriptor.
_HELD: Final = frozenset(State) - {L, State.TIME_WAIT}

CALLS: Final = (
    _call("connect", "connect()", frozenset({C}), End.connect),
    _call("listen", "listen()", frozenset({C}), End.listen),
    _call("accept", "accept()", frozenset({L, RECEIVED}), End.accept, listener=True),
    _call("send", "send(5 octets)", _HELD, End.send),
    _call("recv", "recv()", _HELD, End.recv),
    _call("recv", "recv(), text has come", RECEIVING, End.recv, prepare=_text_waits),
    _call("shutdown", "shutdown(SHUT_WR)", _HELD | {L}, _shutdown_write, listener=None),
    _call("shutdown", "shutdown(SHUT_RD)", _HELD | {L}, _shutdown_read, listener=None),
    _call("close", "close()", _HELD | {L}, End.close, listener=None),
    _call("close", "close() with unread text", RECEIVING, End.close, prepare=_text_waits),
    _call("abort", "close(), SO_LINGER 0 s", _HELD - {C}, End.abort),
)

NETWORK: Final = (
    _icmp("ICMP host unreachable", HOST_UNREACH),
    _icmp("ICMP port unreachable", PORT_UNREACH),
)

SILENCES: Final = (
    _silence("nothing more comes", frozenset(State) - {C}),
    _silence("nothing more, after send", frozenset({EST, State.CLOSE_WAIT}), _text_sent),
    _silence("nothing more, keepalive on", frozenset({EST}), _with_keepalive),
)

STIMULI: Final = SEGMENTS + CALLS + NETWORK + SILENCES


def ways_to(state: State) -> list[Way]:
    """Every way to a state."""
    return [way for way in WAYS if way.state is state]


def stimuli_for(way: Way) -> list[Stimulus]:
    """Everything that can happen where a way leads."""
    return [stimulus for stimulus in STIMULI if stimulus.fits(way)]
