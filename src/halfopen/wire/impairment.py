"""What makes a way worse by chance: loss, doubling, overtaking, damage; and how much it carries.

Both arms use it: the links of the world, and the wire between namespaces.
"""

from typing import Final

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.record.faults import Impair
from halfopen.wire import ip
from halfopen.wire.errors import WireError
from halfopen.wire.ip import Packet

_THOUSAND: Final = 1000


class Impairment:
    """The state of one way that is not perfect; ``rng`` is the way's own."""

    def __init__(self, fault: Impair, rng: Rng) -> None:
        self.fault = fault
        self.rng = rng
        self.busy_until = 0  # the last bit of what waits has left then

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
