"""What is to happen to packets on one way of a link: the next so many of a kind."""

from halfopen.record.faults import Duplicate, Lose, Unreachable
from halfopen.wire.ip import Packet
from halfopen.wire.onpath import picks


class Tampering:
    """A fault that waits for its packets; ``left`` of them are still to come."""

    def __init__(self, fault: Lose | Duplicate | Unreachable) -> None:
        self.fault = fault
        self.left = fault.count

    def takes(self, packet: Packet) -> bool:
        """Whether this packet is one of them; then one fewer is left."""
        if not self.left or not picks(self.fault.pick, packet):
            return False
        self.left -= 1
        return True
