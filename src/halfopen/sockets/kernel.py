"""One host's kernel, as the layers above see it.

The world enters it with packets and deadlines, programs enter it through ``sockets.calls``. Every
entry takes ``now``; after every entry, also one that raised, the caller reads and clears in place::

    outbox             what leaves the host: (number of the interface, packet)
    effects.rearm      connections to be looked at earlier than entry_at; one may stand twice
    effects.history    Transitions, where traced
    effects.fired      (tcb, timer) pairs, where traced
"""

from collections.abc import Mapping
from typing import Final

from halfopen.base.rng import Rng
from halfopen.net.interfaces import ETHERNET_MTU
from halfopen.net.ip import Ip
from halfopen.net.sysctl import with_defaults
from halfopen.sockets.ports import Ports
from halfopen.tcp.config import Config
from halfopen.tcp.effects import Effects
from halfopen.tcp.jiffies import JIFFY
from halfopen.tcp.tcb import Tcb
from halfopen.wire.ip import Packet

#: How many ticks a host's tick counter may have counted when the world began.
PHASE_MAX: Final = 1 << 24


class Kernel:
    """The kernel of one host, from boot to power-off.

    ``sysctl`` holds what differs from the defaults of Linux 6.18, by kernel name; an unknown name
    is the caller's mistake (MisuseError).
    """

    def __init__(
        self, name: str, sysctl: Mapping[str, int | str], rng: Rng, *, traced: bool = False
    ) -> None:
        self.name = name
        self.sysctl = with_defaults(sysctl)
        self.rng = rng
        self.effects = Effects(traced=traced)
        self.config = Config(self.sysctl, rng.split("ticks").below(PHASE_MAX * JIFFY))
        self.ip = Ip(self.sysctl, self.effects, rng.split("ip"))
        self.outbox = self.ip.outbox
        self.ports = Ports(self.sysctl, rng.split("ports"))

    def add_interface(
        self,
        name: str,
        addresses: tuple[str, ...],
        *,
        peers: tuple[str, ...] = (),
        mtu: int = ETHERNET_MTU,
    ) -> int:
        """Plug in an interface and return its number: 0, 1 ... in the order of the calls.

        ``addresses`` are this host's (``10.0.0.1``, or with a prefix ``10.0.0.1/24``); ``peers``
        are the hosts or networks that are reached through it.
        """

    def set_carrier(self, interface: int, *, carrier: bool) -> None:
        """Tell that the cable of an interface has been pulled or plugged in: a near cable."""

    def receive(self, packet: Packet, interface: int, now: int) -> None:
        """Take a packet that arrived at an interface."""

    def deadline_passed(self, tcb: Tcb, now: int) -> None:
        """Let a connection do what is due. Requires: next_deadline(tcb) <= now."""

    def settle(self, now: int) -> None:
        """Send what TCP asked for, deliver what goes to this host itself, wake who waits.

        Calls do it themselves.
        """
