"""A packet that is overtaken on a way where chance decides."""

from typing import TYPE_CHECKING

from halfopen.wire.ip import Packet
from halfopen.world.events import Event

if TYPE_CHECKING:
    from halfopen.world.link import Direction


class Straggler(Event):
    """A packet that others overtake."""

    def __init__(self, way: "Direction", packet: Packet, number: int) -> None:
        self.way = way
        self.packet = packet
        self.number = number
        self.cuts: int = way.cuts

    def fire(self, now: int) -> None:
        """Arrive at last, unless the cable is out."""
        self.way.arrive_late(self.packet, self.number, self.cuts, now)

    def describe(self) -> str:
        """Name the way that the packet goes."""
        return self.way.describe()
