"""What is to happen to packets on one way of a link: the next so many of a kind.

Both arms use it: the links of the world, and the wire between namespaces.
"""

from typing import TypeAlias

from halfopen.record.faults import Duplicate, Lose, Unreachable
from halfopen.wire.ip import Packet
from halfopen.wire.onpath import picks

Fault: TypeAlias = Lose | Duplicate | Unreachable


class Tampering:
    """A fault that waits for its packets; ``left`` of them are still to come."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.count


def takes(tamperings: list[Tampering], packet: Packet) -> Fault | None:
    """Return the fault that a packet falls to, the first that waits for one of its kind.

    One that has had all its packets is forgotten.
    """
    for tampering in tamperings:
        fault = tampering.fault
        if tampering.left and picks(fault.pick, packet):
            tampering.left -= 1
            if not tampering.left:
                tamperings.remove(tampering)
            return fault
    return None
