"""IP of one host: what arrives goes to its owner, what leaves goes to an interface."""

from collections import deque
from collections.abc import Mapping
from errno import ENETUNREACH
from typing import Final

from halfopen.base.rng import Rng
from halfopen.net import icmp as icmp_errors
from halfopen.net.demux import Demux, arriving
from halfopen.net.interfaces import LOOPBACK, Interface
from halfopen.net.routes import Routes, Way
from halfopen.net.sysctl import integer
from halfopen.net.udp import Udp
from halfopen.tcp import dispatch
from halfopen.tcp.arrives import closed, listen, time_wait
from halfopen.tcp.effects import Effects
from halfopen.tcp.emit import send_ack
from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb, done
from halfopen.wire import icmp
from halfopen.wire.errors import WireError
from halfopen.wire.ethernet import BROADCAST, Frame
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import PROTO_TCP, PROTO_UDP, Packet
from halfopen.wire.ndisc import Ndisc
from halfopen.wire.onpath import error_about
from halfopen.wire.tcp import ACK, SYN, Flow, Segment
from halfopen.wire.udp import Datagram

#: Packets that a host may send to itself at one instant; past it two of its ends answer each other
#: for ever.
LOOPBACK_MAX: Final = 1 << 20


class Embryo:
    """A connection that a listener has just begun."""

    def __init__(self, listening: Listening, tcb: Tcb) -> None:
        self.listening = listening
        self.tcb = tcb


class Ip:
    """The network layer of one host.

    Whoever enters it, or TCP, calls ``settle`` afterwards: it sends what TCP asked for, and
    delivers what the host sent to itself. Then it reads and clears ``outbox`` (number of the
    interface, packet), ``embryos`` and ``gone``.
    """

    def __init__(self, sysctl: Mapping[str, int | str], effects: Effects, rng: Rng) -> None:
        self.effects = effects
        self.rng = rng
        self.ttl = integer(sysctl, "net.ipv4.ip_default_ttl")
        self.answers_echo = not integer(sysctl, "net.ipv4.icmp_echo_ignore_all")
        self.interfaces: list[Interface] = []
        self.on_lan = False  # whether an interface has neighbours
        self.routes = Routes()
        self.demux = Demux()
        self.udp = Udp()
        self.outbox: deque[tuple[int, Packet | Frame]] = deque()
        self.inbox: deque[Packet] = deque()  # what the host sent to itself
        self.embryos: list[Embryo] = []
        self.gone: list[Tcb] = []
        self._idents: dict[Flow, int] = {}  # of connections, only while somebody looks at packets
        self._ident = rng.below(1 << 16)  # of what is not a connection's and may be fragmented

    # What arrives.

    def receive(self, load: Packet | Frame, interface: int, now: int) -> None:
        """Take a packet from a link; one for another host is dropped, since hosts don't forward."""
        at = self.interfaces[interface]
        if not at.up:
            return
        packet = load if isinstance(load, Packet) else self._unwrap(load, at, now)
        if packet is not None and self.routes.is_local(packet.dst):
            self._deliver(packet, now)

    def _unwrap(self, frame: Frame, interface: Interface, now: int) -> Packet | None:
        """Take the packet out of a frame for us; ARP is the neighbours' affair."""
        neighbours = interface.neighbours
        assert neighbours is not None, "a frame came by a link that is no LAN"
        if frame.dst not in (neighbours.mac, BROADCAST):
            return None
        body = frame.body
        if isinstance(body, Packet):
            return body
        if isinstance(body, Ndisc):
            return None
        own = tuple(self.routes.local)
        neighbours.receive(body, now, own=own, unicast=frame.dst == neighbours.mac)
        return None

    def settle(self, now: int) -> None:
        """Send and deliver, one after the other, until nothing is left for this instant."""
        effects = self.effects
        inbox = self.inbox
        delivered = 0
        while True:
            if effects.segments:
                self._send_segments(now)
            if self.on_lan:
                self._settle_lans()
            if effects.gone:
                self._forget()
            if not inbox:
                return
            delivered += 1
            assert delivered <= LOOPBACK_MAX, "the host talks to itself without end"
            self._deliver(inbox.popleft(), now)

    def _deliver(self, packet: Packet, now: int) -> None:
        body = packet.body
        if isinstance(body, Segment):
            self._segment_arrives(body, now)
        elif isinstance(body, Icmp):
            self._icmp_arrives(packet, body, now)
        elif isinstance(body, Datagram):
            self._datagram_arrives(packet, body, now)
        elif not packet.more and not packet.offset:
            self._refuse(packet, icmp.PROTOCOL_UNREACH, now)

    def _segment_arrives(self, seg: Segment, now: int) -> None:
        """Linux tcp_v4_rcv: to the connection, else to a listener, else an RST."""
        demux = self.demux
        tcb = demux.flows.get(seg.flow)
        if tcb is not None and not dispatch.segment_arrives(tcb, seg, now):
            return
        listening = demux.listener(seg.flow)
        if listening is None:
            self._nobody_listens(tcb, seg, now)
            return
        way = self.routes.way(seg.flow[0])
        if way is None:
            return  # no way back (Linux tcp_conn_request: no route, no request)
        iss = None
        if tcb is not None:
            iss = self.make_way(tcb, now)
        embryo = listen.segment_arrives(listening, seg, now, mtu=way.interface.mtu, iss=iss)
        if embryo is not None:
            demux.add(embryo)
            self.embryos.append(Embryo(listening, embryo))
            if not embryo.embryo:
                dispatch.segment_arrives(embryo, seg, now)

    def _nobody_listens(self, tcb: Tcb | None, seg: Segment, now: int) -> None:
        """Refuse a segment; a new SYN into TIME-WAIT is told where the old connection is."""
        if tcb is not None and tcb.minisock:
            send_ack(tcb, now)
        else:
            closed.segment_arrives(seg, self.effects)

    def make_way(self, tcb: Tcb, now: int) -> int | None:
        """Forget the connection whose flow a new one takes.

        Return what the new one starts from: behind a TIME-WAIT's numbers; None: as it likes.
        """
        iss = None
        if tcb.minisock:
            iss = time_wait.next_iss(tcb)
            done(tcb, now, why="a new connection takes its place")
        self._forget()
        return iss

    def _icmp_arrives(self, packet: Packet, message: Icmp, now: int) -> None:
        if message.kind == icmp.ECHO:
            if self.answers_echo:
                self.send(icmp_errors.echo_reply(packet, message), now)
            return
        if message.kind == icmp.ECHO_REPLY:
            return  # nobody here pings
        try:
            quote = icmp.decode_quoted(message.quoted)
        except WireError:
            return  # Linux counts it in InErrors
        if quote.proto == PROTO_TCP:
            tcb = self.demux.flows.get((quote.dst, quote.dport, quote.src, quote.sport))
            if tcb is not None:
                icmp_errors.to_tcp(tcb, message, quote, packet.src, now)
        elif quote.proto == PROTO_UDP:
            self.udp.error(quote, message, packet.src)

    def _datagram_arrives(self, packet: Packet, datagram: Datagram, now: int) -> None:
        if not self.udp.deliver(packet.src, packet.dst, datagram):
            self._refuse(packet, icmp.PORT_UNREACH, now)

    def _refuse(self, packet: Packet, code: int, now: int) -> None:
        """Say that there is nobody to take a packet."""
        assert icmp_errors.answerable(packet), "an error about an error"
        self.send(error_about(packet, icmp.DEST_UNREACH, code, packet.dst), now)

    # What leaves.

    def way(self, destination: str) -> Way | None:
        """Return how to get to an address; None: ENETUNREACH."""
        return self.routes.way(destination)

    def send(self, packet: Packet, now: int) -> int:
        """Send a packet; return 0, or ENETUNREACH where no route leads there."""
        way = self.routes.way(packet.dst)
        if way is None:
            return ENETUNREACH
        packet.ttl = self.ttl
        if not packet.df or packet.proto == PROTO_UDP:  # it might still be fragmented
            self._ident = (self._ident + 1) & 0xFFFF
            packet.ident = self._ident
        self._leave(packet, way.interface, now)
        return 0

    def _send_segments(self, now: int) -> None:
        segments = self.effects.segments
        ways = self.routes
        for seg in segments:
            source, _, destination, _ = seg.flow
            way = ways.way(destination)
            if way is None or not ways.is_local(source):
                continue  # dropped within the host (Linux ip_queue_xmit)
            ident = self._next_ident(seg) if self.effects.traced else 0
            packet = Packet(source, destination, PROTO_TCP, seg, self.ttl, 0, ident, df=True)
            self._leave(packet, way.interface, now)
        segments.clear()

    def _leave(self, packet: Packet, interface: Interface, now: int) -> None:
        if interface.index == LOOPBACK:
            self.inbox.append(packet)
        elif interface.neighbours is not None:
            confirmed = self._heard_from(packet)
            interface.neighbours.send(packet, packet.dst, now, confirmed=confirmed)
        elif interface.carrier:
            self.outbox.append((interface.index, packet))

    def _heard_from(self, packet: Packet) -> bool:
        """Whether TCP made progress since it last sent there: then the neighbour is alive."""
        seg = packet.body
        if not isinstance(seg, Segment):
            return False
        tcb = self.demux.flows.get(arriving(seg.flow))
        if tcb is None or not tcb.dst_confirm:
            return False
        tcb.dst_confirm = False
        return True

    def _settle_lans(self) -> None:
        """Let frames leave, and tell of what could not be sent (Linux arp_error_report)."""
        for interface in self.interfaces:
            neighbours = interface.neighbours
            if neighbours is None:
                continue
            if interface.carrier:
                for frame in neighbours.frames:
                    self.outbox.append((interface.index, frame))
            neighbours.frames.clear()
            for packet in neighbours.failed:
                if icmp_errors.answerable(packet):
                    error = error_about(packet, icmp.DEST_UNREACH, icmp.HOST_UNREACH, packet.src)
                    self.inbox.append(error)
            neighbours.failed.clear()

    def reroute(self) -> None:
        """Look again, for every connection, whether there is a way: the routes have changed."""
        routes = self.routes
        routes.changed()
        for tcb in self.demux.flows.values():
            source, _, destination, _ = tcb.flow
            there = routes.is_local(source) and routes.way(destination) is not None
            tcb.no_route = 0 if there else ENETUNREACH

    def _next_ident(self, seg: Segment) -> int:
        """Count the packets of a connection from a random start (Linux inet_id).

        What is sent on behalf of no socket has 0: SYN-ACKs, and RSTs from a closed port.
        """
        if seg.flags & (SYN | ACK) == SYN | ACK:
            return 0
        flow = seg.flow
        ident = self._idents.get(flow)
        if ident is None:
            if arriving(flow) not in self.demux.flows:
                return 0
            ident = self.rng.below(1 << 16)
        self._idents[flow] = ident = (ident + 1) & 0xFFFF
        return ident

    def _forget(self) -> None:
        """Free the flows of connections that are over."""
        for tcb in self.effects.gone:
            self.demux.remove(tcb)
            self._idents.pop(tcb.flow, None)
            self.gone.append(tcb)
        self.effects.gone.clear()
