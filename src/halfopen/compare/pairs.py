"""What is held side by side: moments of both arms that stand for each other, and what differs."""

from typing import Final, Literal, TypeAlias

from halfopen.base.units import show_duration
from halfopen.base.value import value
from halfopen.record.events import CallEntry, CallReturn, Event, PacketArrived, PacketSent
from halfopen.record.trace import Trace

Kind: TypeAlias = Literal["call", "segment", "process", "fault", "mark", "time", "order"]
#: ``bare``: sent, and takes no sequence numbers.
MomentKind: TypeAlias = Literal[
    "start", "mark", "entry", "return", "sent", "bare", "arrived", "fault", "end"
]
#: By the call that it ends, by what a connection sent and heard, or by a ``connect`` of which
#: nothing is seen: what it sends waits for a neighbour, or is dropped within the host.
Armed: TypeAlias = frozenset[Literal["call", "connection", "unseen"]]


@value
class Difference:
    """One thing that the arms did not do alike; ``t_ns`` is where it shows, best by the world."""

    t_ns: int
    kind: Kind
    text: str


@value
class Pair:
    """A moment of the world and the kernel's moment that stands for it, on one host.

    A fault is on no host in particular: its ``host`` is "". ``order`` is where the world's stands
    in its trace, ``after`` the moment that began it: a call's entry, a packet's departure.
    ``armed`` names whence a timer of the kernel may have run that brought it about, ``late_ns`` is
    how much later than in the world the end of a process may be.
    """

    kind: MomentKind
    host: str
    process: str
    conn: str  # "": the moment is no packet's
    world_ns: int
    kernel_ns: int
    order: int
    what: str
    after: "Pair | None" = None
    armed: Armed = frozenset()
    late_ns: int = 0


class Side:
    """Where the two arms' moments, and their differences, are collected."""

    def __init__(self, world: Trace) -> None:
        self.pairs: list[Pair] = []
        self.differences: list[Difference] = []
        # When an interpreter began to end, by host, and how much later that may go on.
        self.ending: dict[tuple[str, int], int] = {}
        self._orders = {_key(event): number for number, event in enumerate(world.events)}

    def pair(  # noqa: PLR0913  a moment has as many sides as Pair has fields
        self,
        kind: MomentKind,
        number: int,
        *,
        world_ns: int,
        kernel_ns: int,
        what: str,
        host: str = "",
        process: str = "",
        conn: str = "",
        after: Pair | None = None,
        armed: Armed = frozenset(),
        late_ns: int = 0,
    ) -> Pair:
        """Note two moments that stand for each other.

        ``number`` names the world's: that of a call or a packet, and of what has none its ``id()``.
        """
        made = Pair(
            kind=kind,
            host=host,
            process=process,
            conn=conn,
            world_ns=world_ns,
            kernel_ns=kernel_ns,
            order=self._orders[_NUMBERED.get(kind, ""), number],
            what=what,
            after=after,
            armed=armed,
            late_ns=late_ns,
        )
        self.pairs.append(made)
        return made

    def differ(self, t_ns: int, kind: Kind, text: str) -> None:
        """Note a difference."""
        self.differences.append(
            Difference(t_ns=t_ns, kind=kind, text=f"at {show_duration(t_ns)}: {text}")
        )


#: Moments that have a number, and what it is the number of.
_NUMBERED: Final[dict[MomentKind, str]] = {
    "entry": "entry",
    "return": "return",
    "sent": "sent",
    "bare": "sent",
    "arrived": "arrived",
}


def _key(event: Event) -> tuple[str, int]:
    match event:
        case CallEntry():
            return "entry", event.call_id
        case CallReturn():
            return "return", event.call_id
        case PacketSent():
            return "sent", event.packet_id
        case PacketArrived():
            return "arrived", event.packet_id
        case _:
            return "", id(event)
