"""A host's network layer with one link, for the tests of ``net``: packets in, packets out."""

from collections.abc import Mapping
from typing import Final

from tests.unit.tcp.ends import Nobody

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.net.demux import arriving
from halfopen.net.interfaces import Interface
from halfopen.net.ip import Ip
from halfopen.net.sysctl import with_defaults
from halfopen.tcp import calls
from halfopen.tcp.config import Config
from halfopen.tcp.effects import Effects
from halfopen.tcp.iss import Secret
from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb
from halfopen.wire.ip import PROTO_ICMP, PROTO_TCP, PROTO_UDP, Body, Packet, icmp_proto
from halfopen.wire.tcp import Flow, Segment

HERE: Final = "10.0.0.1"
PEER: Final = "10.0.0.2"
HERE6: Final = "2001:db8::1"
PEER6: Final = "2001:db8::2"
NOW: Final = 10 * S

_PROTO: Final = {"Segment": PROTO_TCP, "Icmp": PROTO_ICMP, "Datagram": PROTO_UDP}


class Host:
    """An ``Ip`` at ``here``, whose link leads to ``peer``: both of one family."""

    def __init__(
        self,
        sysctl: Mapping[str, int | str] | None = None,
        *,
        traced: bool = False,
        here: str = HERE,
        peer: str = PEER,
    ) -> None:
        self.here, self.peer = here, peer
        table = with_defaults(sysctl or {})
        self.effects = Effects(traced=traced)
        self.config = Config(table, 0)
        self.ip = Ip(table, self.effects, Rng(0))
        self.link = Interface(0, "eth0", (here,), peers=(peer,))
        self.ip.interfaces.append(self.link)
        self.ip.routes.connect(self.link)

    def takes(self, body: Body, *, src: str | None = None, dst: str | None = None) -> list[Packet]:
        """Let something arrive; return what leaves."""
        src, dst = src or self.peer, dst or self.here
        proto = _PROTO.get(type(body).__name__, 132)
        if proto == PROTO_ICMP:
            proto = icmp_proto(src)
        return self.takes_packet(Packet(src, dst, proto, body))

    def takes_packet(self, packet: Packet) -> list[Packet]:
        self.ip.receive(packet, 0, NOW)
        return self.leaves()

    def leaves(self) -> list[Packet]:
        """Settle, and return what leaves."""
        self.ip.settle(NOW)
        packets = []
        while self.ip.outbox:
            _, load = self.ip.outbox.popleft()
            assert isinstance(load, Packet)
            packets.append(load)
        return packets

    def listen(self, port: int = 80, *, address: str | None = None) -> Listening:
        address = address or self.here
        listening = Listening(Nobody(), self.config, self.effects, Secret(Rng(0)), backlog=8)
        self.ip.demux.listen(address, port, listening)
        return listening

    def connect(
        self, *, sport: int = 40_000, to: str | None = None, source: str | None = None
    ) -> Tcb:
        """Send a SYN; it leaves at the next look."""
        flow: Flow = (source or self.here, sport, to or self.peer, 80)
        tcb = Tcb(flow, self.config, self.effects, iss=1_000)
        self.ip.demux.add(tcb)
        calls.open_active(tcb, NOW)
        return tcb

    def opened(self) -> Tcb:
        """A connection that is open."""
        tcb = self.connect()
        (syn,) = self.leaves()
        assert isinstance(syn.body, Segment)
        self.takes(Segment(arriving(tcb.flow), 5_000, 1_001, 0x12, 60_000, mss=1_460))
        return tcb
