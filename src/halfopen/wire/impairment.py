"""What makes a way worse by chance: loss, doubling, overtaking, damage; and how much it carries.

Both arms use it: the links of the world, and the wire between namespaces.
"""

from typing import Final

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.record.fates import DAMAGED, LOST, QUEUE_FULL
from halfopen.record.faults import Impair
from halfopen.wire import ip
from halfopen.wire.errors import WireError
from halfopen.wire.ip import Packet

_THOUSAND: Final = 1000


class Fate:
    """What becomes of one packet: lost, and ``why``, or on its way when it ``leaves``.

    ``doubled`` says that it goes twice, the other one whole and in its turn; ``late_ns``, if any,
    that others overtake it.
    """

    def __init__(
        self, packet: Packet, leaves: int, *, why: str = "", doubled: bool = False, late_ns: int = 0
    ) -> None:
        self.packet = packet  # as it arrives
        self.leaves = leaves
        self.why = why
        self.doubled = doubled
        self.late_ns = late_ns


class Impairment:
    """The state of one way that is not perfect; ``rng`` is the way's own."""

    def __init__(self, fault: Impair, rng: Rng) -> None:
        self.fault = fault
        self.rng = rng
        self.busy_until = 0  # the last bit of what waits has left then

    def fate(self, packet: Packet, now: int) -> Fate:
        """Let chance decide what becomes of a packet, always in this order."""
        fault = self.fault
        leaves = self.departs(packet, now)
        if leaves is None:
            return Fate(packet, now, why=QUEUE_FULL)
        if self.happens(fault.loss):
            return Fate(packet, leaves, why=LOST)
        doubled = self.happens(fault.duplicate)
        if self.happens(fault.corrupt):
            damaged = self.damage(packet)
            if damaged is None:
                return Fate(packet, leaves, why=DAMAGED, doubled=doubled)
            packet = damaged
        late_ns = 1 + self.rng.below(max(fault.late_ns, 1)) if self.happens(fault.reorder) else 0
        return Fate(packet, leaves, doubled=doubled, late_ns=late_ns)

    def happens(self, chance: int) -> bool:
        """Draw, with ``chance`` of a thousand."""
        return chance > 0 and self.rng.below(_THOUSAND) < chance

    def departs(self, packet: Packet, now: int) -> int | None:
        """Return when the packet's last bit leaves; None where the queue is full."""
        rate = self.fault.rate_bps
        if not rate:
            return now
        took = len(ip.encode(packet)) * 8 * S // rate
        if self.busy_until - now > took * self.fault.queue:
            return None
        self.busy_until = max(self.busy_until, now) + took
        return self.busy_until

    def damage(self, packet: Packet) -> Packet | None:
        """Flip a bit; return what the receiver reads, None where a checksum tells it."""
        raw = bytearray(ip.encode(packet))
        bit = self.rng.below(8 * len(raw))
        raw[bit >> 3] ^= 1 << (bit & 7)
        try:
            return ip.decode(bytes(raw))
        except WireError:
            return None
