"""What is held side by side: moments of both arms that stand for each other, and what differs."""

from typing import Literal, TypeAlias

from halfopen.base.units import show_duration
from halfopen.base.value import value

Kind: TypeAlias = Literal["call", "segment", "process", "fault", "mark", "time", "order"]
MomentKind: TypeAlias = Literal["entry", "return", "sent", "arrived", "end", "other"]


@value
class Difference:
    """One thing that the arms did not do alike; ``t_ns`` is where it shows, best by the world."""

    t_ns: int
    kind: Kind
    text: str


@value
class Pair:
    """A moment of the world and the kernel's moment that stands for it, on one host."""

    host: str
    kind: MomentKind
    world_ns: int
    kernel_ns: int
    what: str


class Side:
    """Where the two arms' moments, and their differences, are collected."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.differences: list[Difference] = []

    def pair(
        self, host: str, kind: MomentKind, *, world_ns: int, kernel_ns: int, what: str
    ) -> None:
        """Note two moments that stand for each other."""
        self.pairs.append(
            Pair(host=host, kind=kind, world_ns=world_ns, kernel_ns=kernel_ns, what=what)
        )

    def differ(self, t_ns: int, kind: Kind, text: str) -> None:
        """Note a difference."""
        self.differences.append(
            Difference(t_ns=t_ns, kind=kind, text=f"at {show_duration(t_ns)}: {text}")
        )
