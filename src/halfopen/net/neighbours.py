"""The hosts of a LAN: their hardware addresses, and how long these are believed.

A neighbour that TCP has heard from is reachable. One not heard from for a while is stale: what is
sent still goes, and after 5 s it is asked, by unicast, three times. One that is not known is asked
by broadcast, three times; what waits for it is then refused as if by a router: host unreachable
(Linux neigh_timer_handler, __neigh_event_send, neigh_update). How it is asked, ARP or neighbour
discovery, is all that the family changes.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, TypeAlias

from halfopen.base.rng import Rng
from halfopen.base.units import MS, S
from halfopen.tcp.buffers import truesize
from halfopen.tcp.jiffies import fires_at
from halfopen.wire import arp, ethernet, ip, ndisc
from halfopen.wire.address import ANY6, bare, is_multicast, is_v6, zoned
from halfopen.wire.arp import Arp
from halfopen.wire.ethernet import Frame
from halfopen.wire.ip import Packet
from halfopen.wire.ndisc import Ndisc

# States (Linux NUD_*).
NONE: Final = 0
INCOMPLETE: Final = 1
REACHABLE: Final = 2
STALE: Final = 4
DELAY: Final = 8
PROBE: Final = 16
FAILED: Final = 32

#: What is sent as it is, or at least tried.
_VALID: Final = REACHABLE | STALE | DELAY | PROBE


#: What waits for a neighbour: an advertisement too, which is a packet as any other.
Load: TypeAlias = Packet | Ndisc


class Times:
    """How long an entry is believed, and how it is asked for: ``net.ipv4.neigh.eth0``."""

    def __init__(self, sysctl: Mapping[str, int | str], family: str = "ipv4") -> None:
        where = f"net.{family}.neigh.eth0."
        self.base_reachable = int(sysctl[where + "base_reachable_time_ms"]) * MS
        self.delay_first_probe = int(sysctl[where + "delay_first_probe_time"]) * S
        self.retrans = int(sysctl[where + "retrans_time_ms"]) * MS
        self.ucast_solicit = int(sysctl[where + "ucast_solicit"])
        self.mcast_solicit = int(sysctl[where + "mcast_solicit"])
        self.queue_bytes = int(sysctl[where + "unres_qlen_bytes"])


class Neighbour:
    """One entry: an address of the LAN, its state, and what waits until it is known."""

    def __init__(self, table: "Neighbours", address: str) -> None:
        self.table = table
        self.address = address
        self.mac = ethernet.NOBODY
        self.state = NONE
        self.probes = 0
        self.used_at = 0
        self.confirmed_at = -table.times.base_reachable
        self.queue: deque[Load] = deque()
        self.queued = 0
        self.at: int | None = None  # its timer
        self.entry_at: int | None = None  # when the world's queue will look at it next


class Neighbours:
    """The table of one interface and family.

    ``frames``, ``failed`` and ``rearm`` are read and cleared above. ``frames`` leave by the
    interface; ``failed`` could not be sent: host unreachable; the timers of ``rearm`` are earlier
    than the world's queue knows.
    """

    def __init__(self, address: str, mac: str, times: Times, phase: int, rng: Rng) -> None:
        self.address = address  # one's own, for questions that nothing waits for
        self.v6 = is_v6(address)
        self.mac = mac
        self.times = times
        self.phase = phase
        # Between half and one and a half times the base (Linux neigh_rand_reach_time).
        self.reachable_time = times.base_reachable // 2 + rng.below(times.base_reachable)
        self.table: dict[str, Neighbour] = {}
        self.frames: list[Frame] = []
        self.failed: list[Packet] = []
        self.rearm: list[Neighbour] = []

    def find(self, address: str) -> Neighbour:
        """Return the entry of an address; a new one knows nothing."""
        known = self.table.get(address)
        if known is None:
            known = self.table[address] = Neighbour(self, address)
        return known

    def send(self, packet: Packet, next_hop: str, now: int, *, confirmed: bool) -> None:
        """Send a packet to a neighbour, or let it wait until the neighbour is known.

        ``confirmed``: TCP has just heard from there (Linux sock_confirm_neigh).
        """
        neighbour = self.find(next_hop)
        if confirmed:
            neighbour.confirmed_at = now
        self._output(neighbour, packet, now)

    def _output(self, neighbour: Neighbour, load: Load, now: int) -> None:
        neighbour.used_at = now
        if not neighbour.state & (REACHABLE | DELAY | PROBE) and self._event_send(
            neighbour, load, now
        ):
            return
        self.frames.append(Frame(neighbour.mac, self.mac, load))

    def _event_send(self, neighbour: Neighbour, load: Load, now: int) -> bool:
        """See to an entry that is used; True: the packet waits (Linux __neigh_event_send)."""
        probe = False
        if neighbour.state == STALE:
            neighbour.state = DELAY
            self._arm(neighbour, self.times.delay_first_probe, now)
        elif neighbour.state != INCOMPLETE:
            neighbour.state = INCOMPLETE
            neighbour.probes = self.times.ucast_solicit
            self._arm(neighbour, self.times.retrans, now)
            probe = True
        if neighbour.state != INCOMPLETE:
            return False
        neighbour.queue.append(load)
        neighbour.queued += _cost(load)
        while neighbour.queued > self.times.queue_bytes:
            neighbour.queued -= _cost(neighbour.queue.popleft())
        if probe:
            self._ask(neighbour, _source(load), now)
        return True

    def receive(self, message: Arp, now: int, *, own: tuple[str, ...], unicast: bool) -> None:
        """Answer for one's own address, learn the sender's (Linux arp_process)."""
        if message.op == arp.REQUEST and message.target in own:
            self._learn(self.find(message.sender), message.sender_mac, STALE, now)
            reply = Arp(
                arp.REPLY,
                sender=message.target,
                sender_mac=self.mac,
                target=message.sender,
                target_mac=message.sender_mac,
            )
            self.frames.append(Frame(message.sender_mac, self.mac, reply))
        elif message.op == arp.REPLY and message.sender in self.table:
            state = REACHABLE if unicast else STALE
            self._learn(self.table[message.sender], message.sender_mac, state, now)

    def discover(self, message: Ndisc, now: int, *, own: tuple[str, ...], zone: int) -> None:
        """Answer for one's own address, learn the sender's, in IPv6.

        Linux ndisc_recv_ns, ndisc_recv_na. ``zone`` names the interface in link-local addresses.
        """
        target = zoned(message.target, zone)
        if message.op == ndisc.SOLICIT:
            if target not in own or message.sender == ANY6:
                return
            asker = self.find(zoned(message.sender, zone))
            if message.mac:
                self._learn(asker, message.mac, STALE, now)
            to_all = is_multicast(message.to)
            reply = Ndisc(
                ndisc.ADVERTISE,
                sender=message.target,
                to=message.sender,
                target=message.target,
                mac=self.mac if to_all else "",
                solicited=True,
                override=to_all,
            )
            self._output(asker, reply, now)
        elif target in self.table:
            neighbour = self.table[target]
            if neighbour.state == FAILED or not (message.mac or neighbour.state & _VALID):
                return
            state = REACHABLE if message.solicited else STALE
            mac = message.mac or neighbour.mac
            self._learn(neighbour, mac, state, now, override=message.override)

    def _learn(
        self, neighbour: Neighbour, mac: str, state: int, now: int, *, override: bool = True
    ) -> None:
        """Note a hardware address, and send what waited for it (Linux neigh_update).

        Without ``override`` another address than the known one only makes that doubtful.
        """
        valid = neighbour.state & _VALID
        if valid and neighbour.mac != mac and not override:
            if neighbour.state != REACHABLE:
                return
            mac, state = neighbour.mac, STALE
            neighbour.state = STALE
            neighbour.at = None
        known = valid and neighbour.mac == mac
        if known and state == STALE:
            return
        if state == REACHABLE:
            neighbour.confirmed_at = now
        neighbour.mac = mac
        neighbour.state = state
        if state == REACHABLE:
            self._arm(neighbour, self.reachable_time, now)
        else:
            neighbour.at = None
        while neighbour.queue:
            self.frames.append(Frame(mac, self.mac, neighbour.queue.popleft()))
        neighbour.queued = 0

    def passed(self, neighbour: Neighbour, now: int) -> None:
        """Do what is due at an entry: doubt it, ask again, or give up."""
        neighbour.at = None
        state = neighbour.state
        if state == REACHABLE:
            self._doubt(neighbour, now)
        elif state == DELAY:
            if now <= neighbour.confirmed_at + self.times.delay_first_probe:
                neighbour.state = REACHABLE
                self._arm(neighbour, neighbour.confirmed_at + self.reachable_time - now, now)
            else:
                neighbour.state = PROBE
                neighbour.probes = 0
        if not neighbour.state & (INCOMPLETE | PROBE):
            return
        most = self.times.ucast_solicit + (
            self.times.mcast_solicit if neighbour.state == INCOMPLETE else 0
        )
        if neighbour.probes >= most:
            neighbour.state = FAILED
            self.failed.extend(load for load in neighbour.queue if isinstance(load, Packet))
            neighbour.queue.clear()
            neighbour.queued = 0
            return
        self._arm(neighbour, self.times.retrans, now)
        own = _source(neighbour.queue[0]) if neighbour.queue else self.address
        self._ask(neighbour, own, now)

    def _doubt(self, neighbour: Neighbour, now: int) -> None:
        if now <= neighbour.confirmed_at + self.reachable_time:
            self._arm(neighbour, neighbour.confirmed_at + self.reachable_time - now, now)
        elif now <= neighbour.used_at + self.times.delay_first_probe:
            neighbour.state = DELAY
            self._arm(neighbour, self.times.delay_first_probe, now)
        else:
            neighbour.state = STALE

    def _ask(self, neighbour: Neighbour, own: str, now: int) -> None:
        """Ask who has the address: the neighbour itself while it is known, else everybody."""
        unicast = neighbour.probes < self.times.ucast_solicit
        neighbour.probes += 1
        if self.v6:
            self._solicit(neighbour, own, now, unicast=unicast)
            return
        request = Arp(
            arp.REQUEST,
            sender=own,
            sender_mac=self.mac,
            target=neighbour.address,
            target_mac=ethernet.NOBODY,
        )
        to = neighbour.mac if unicast else ethernet.BROADCAST
        self.frames.append(Frame(to, self.mac, request))

    def _solicit(self, neighbour: Neighbour, own: str, now: int, *, unicast: bool) -> None:
        """Ask in IPv6: the whole group in which the address must be (Linux ndisc_solicit)."""
        target = bare(neighbour.address)
        to = target if unicast else ndisc.solicited_node(target)
        question = Ndisc(ndisc.SOLICIT, sender=bare(own), to=to, target=target, mac=self.mac)
        if unicast:
            neighbour.used_at = now
        mac = neighbour.mac if unicast else ndisc.group_mac(to)
        self.frames.append(Frame(mac, self.mac, question))

    def _arm(self, neighbour: Neighbour, delay_ns: int, now: int) -> None:
        neighbour.at = fires_at(now, max(delay_ns, 0), self.phase)
        if neighbour.entry_at is None or neighbour.at < neighbour.entry_at:
            self.rearm.append(neighbour)


def _source(load: Load) -> str:
    return load.src if isinstance(load, Packet) else load.sender


def _cost(load: Load) -> int:
    packet = load if isinstance(load, Packet) else ethernet.carrying(load)
    return truesize(len(ip.encode(packet)))
