"""IP of one host: what arrives goes to its owner, what leaves goes to an interface."""

from collections import deque
from collections.abc import Mapping
from errno import ENETUNREACH
from typing import Final

from halfopen.base.rng import Rng
from halfopen.net import icmp as icmp_errors
from halfopen.net.demux import Demux, arriving
from halfopen.net.extensions import SILENT, Objection, objection, unknown_next
from halfopen.net.interfaces import LOOPBACK, LOOPBACK_ZONE, Interface
from halfopen.net.routes import Routes, Way
from halfopen.net.sysctl import has_v6, integer
from halfopen.net.udp import Udp
from halfopen.tcp import dispatch
from halfopen.tcp.arrives import closed, listen, time_wait
from halfopen.tcp.effects import Effects
from halfopen.tcp.emit import send_ack
from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb, done
from halfopen.wire import icmp, icmp6, tcp
from halfopen.wire.address import (
    ANY,
    LOOPBACK4_IPV6,
    LOOPBACK6,
    is_link_local,
    is_loopback,
    is_v6,
    zone_of,
    zoned,
)
from halfopen.wire.errors import WireError
from halfopen.wire.ethernet import Frame, is_for
from halfopen.wire.icmp import Icmp, Quote
from halfopen.wire.ip import PROTO_TCP, PROTO_UDP, TTL_DEFAULT, Packet
from halfopen.wire.ndisc import Ndisc
from halfopen.wire.onpath import error_about
from halfopen.wire.tcp import ACK, OF_NOBODY, OF_SOCKET, SYN, Flow, Segment
from halfopen.wire.udp import Datagram

#: The two bits of a TOS that are no user's (RFC 3168 5).
_ECN: Final = 3
#: By the interface that its connection is tied to, if it is.
_AS_TIED: Final = -1
#: Packets that a host may send to itself at one instant; past it two of its ends answer each other
#: for ever.
LOOPBACK_MAX: Final = 1 << 20


class Embryo:
    """A connection that a listener has just begun."""

    def __init__(self, listening: Listening, tcb: Tcb) -> None:
        self.listening = listening
        self.tcb = tcb


class Mark:
    """TTL and TOS of a connection's packets, where they are not the usual; of IPv6 their likes."""

    def __init__(self, ttl: int, tos: int) -> None:
        self.ttl = ttl
        self.tos = tos


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
        self.answers_echo6 = not integer(sysctl, "net.ipv6.icmp.echo_ignore_all")
        self.interfaces: list[Interface] = []
        self.on_lan = False  # whether an interface has neighbours
        self.routes = Routes(v6=has_v6(sysctl, "lo"))
        self.demux = Demux()
        self.udp = Udp()
        self.outbox: deque[tuple[int, Packet | Frame]] = deque()
        # What the host sent to itself, and the interface by which that is taken to come.
        self.inbox: deque[tuple[Packet, int]] = deque()
        self.embryos: list[Embryo] = []
        self.gone: list[Tcb] = []
        self._marks: dict[Flow, Mark] = {}
        self._answered_tos = 0  # of the segment that what is to be sent answers
        self._answers_by = _AS_TIED  # by which interface it goes
        self._idents: dict[Flow, int] = {}  # of connections, only while somebody looks at packets
        self._ident = rng.below(1 << 16)  # of what is not a connection's and may be fragmented

    # What arrives.

    def receive(self, load: Packet | Frame, interface: int, now: int) -> None:
        """Take a packet from a link; one for another host is dropped, since hosts don't forward."""
        at = self.interfaces[interface]
        if not at.up:
            return
        packet = load if isinstance(load, Packet) else self._unwrap(load, at, now)
        if packet is None:
            return
        if is_v6(packet.dst):
            if not at.v6 or is_loopback(packet.src) or is_loopback(packet.dst):
                return  # nothing of a loopback comes by a link (RFC 4291 2.5.3; Linux ip6_rcv_core)
            packet = _with_zone(packet, at.zone)
        if self.routes.is_local(packet.dst):
            self._deliver(packet, at.zone, at.zone, now)
        elif is_v6(packet.dst):
            self._discard(packet, now)

    def _unwrap(self, frame: Frame, interface: Interface, now: int) -> Packet | None:
        """Take the packet out of a frame for us; hardware addresses are the neighbours' affair."""
        assert interface.neighbours, "a frame came by a link that is no LAN"
        body = frame.body
        if not is_for(frame.dst, interface.neighbours[0].mac):
            return None
        if isinstance(body, Packet):
            return body
        own = tuple(self.routes.local)
        neighbours = interface.neighbours_of(body.target)
        if neighbours is None:
            return None
        if isinstance(body, Ndisc):
            neighbours.discover(body, now, own=own, zone=interface.zone)
        else:
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
            # All that comes by the loopback is the host's, whatever it is for: a socket tied to it
            # sends everything there (Linux __mkroute_output: RTCF_LOCAL).
            packet, zone = inbox.popleft()
            self._deliver(packet, zone, LOOPBACK_ZONE, now)

    def _deliver(self, packet: Packet, zone: int, device: int, now: int) -> None:
        """Give a packet that came by an interface to whom it is for.

        ``device`` is the interface that had it; ``zone`` the one by which it is taken to come,
        another one where the host has sent it to itself (Linux skb->dev; inet_iif, inet6_iif).
        """
        body = packet.body
        if packet.extensions:
            objects = objection(packet)
            if objects is not None:
                self._object(packet, objects, now)
                return
        if isinstance(body, Segment):
            by = self._segment_arrives(body, zone, device, now)
            if self.effects.segments:  # else both are as _send_segments left them
                self._answered_tos = packet.tos & ~_ECN
                self._answers_by = by
        elif isinstance(body, Icmp):
            self._icmp_arrives(packet, body, zone, device, now)
        elif isinstance(body, Datagram):
            self._datagram_arrives(packet, body, zone, now)
        elif packet.more or packet.offset:
            return  # waits for the others, for ever: fragments are not put together
        elif packet.proto == PROTO_TCP:
            return  # its checksum is wrong (Linux tcp_v4_rcv)
        elif is_v6(packet.src):
            self._object(packet, unknown_next(packet), now)
        else:
            self._refuse(packet, icmp.PROTOCOL_UNREACH, now)

    def _segment_arrives(self, seg: Segment, zone: int, device: int, now: int) -> int:
        """Linux tcp_v4_rcv, tcp_v6_rcv: to the connection, else to a listener, else an RST.

        Return by which interface the answer goes; 0: by any.
        """
        demux = self.demux
        tcb = demux.connection(seg.flow, zone)
        by = _AS_TIED if tcb is None or not tcb.minisock else _replies_by(tcb.bound_if, seg, zone)
        if tcb is not None and not dispatch.segment_arrives(tcb, seg, now):
            return by
        listening = demux.listener(seg.flow, zone)
        if listening is None:
            if tcb is not None and tcb.minisock:  # a new SYN is told where the old connection is
                send_ack(tcb, now)
                return by
            # Nothing is said where the route is not one to the host's own address (Linux
            # tcp_v4_send_reset).
            if device != LOOPBACK_ZONE or self.routes.zone_at(seg.flow[2]) == zone:
                closed.segment_arrives(seg, self.effects)
            return _replies_by(0, seg, zone)
        way = self._way_back(seg.flow, listening.bound_if)
        if way is None:
            return _AS_TIED  # Linux tcp_conn_request: no route, no request
        iss = None
        if tcb is not None:
            iss = self.make_way(tcb, now)
        embryo = listen.segment_arrives(listening, seg, now, mtu=way.interface.mtu, iss=iss)
        if embryo is None:
            return _replies_by(listening.bound_if, seg, zone)
        demux.add(embryo)
        if listening.mapped and is_v6(embryo.flow[0]):
            _, port, _, peer_port = embryo.flow
            demux.astray[embryo.flow] = (LOOPBACK4_IPV6, port, LOOPBACK4_IPV6, peer_port)
        self.embryos.append(Embryo(listening, embryo))
        if not embryo.embryo:
            dispatch.segment_arrives(embryo, seg, now)
        return _AS_TIED

    def _way_back(self, flow: Flow, zone: int) -> Way | None:
        """Return the way to who asked a listener, by the interface that it is tied to.

        Linux inet_csk_route_req, inet6_csk_route_req.
        """
        source, _, own, _ = flow
        if not is_v6(own) and not self.routes.is_local(own):
            return None
        return self.routes.way_by(zone, source) if zone else self.routes.way(source)

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

    def _icmp_arrives(
        self, packet: Packet, message: Icmp, zone: int, device: int, now: int
    ) -> None:
        v6 = is_v6(packet.src)
        if message.kind == (icmp6.ECHO if v6 else icmp.ECHO):
            if self.answers_echo6 if v6 else self.answers_echo:
                self.send(icmp_errors.echo_reply(packet, message), now)
            return
        if message.kind == icmp.ECHO_REPLY or (v6 and message.kind >= icmp6.INFORMATIONAL):
            return  # nobody here pings
        try:
            quote = icmp.decode_quoted(message.quoted)
        except WireError:
            return  # Linux counts it in InErrors
        if is_v6(quote.src) != v6:
            return
        if v6:
            _give_zone(quote, zone_of(packet.dst))
        if quote.proto == PROTO_TCP:  # Linux tcp_v4_err asks inet_iif, tcp_v6_err the device
            flow = (quote.dst, quote.dport, quote.src, quote.sport)
            tcb = self.demux.connection(flow, device if v6 else zone)
            if tcb is not None:
                icmp_errors.to_tcp(tcb, message, quote, packet.src, now)
        elif quote.proto == PROTO_UDP:  # Linux __udp4_lib_err the device, __udp6_lib_err inet6_iif
            self.udp.error(quote, message, packet.src, zone if v6 else device)

    def _datagram_arrives(self, packet: Packet, datagram: Datagram, zone: int, now: int) -> None:
        if not self.udp.deliver(packet.src, packet.dst, datagram, zone):
            code = icmp6.PORT_UNREACH if is_v6(packet.src) else icmp.PORT_UNREACH
            self._refuse(packet, code, now)

    def _refuse(self, packet: Packet, code: int, now: int) -> None:
        """Say that there is nobody to take a packet.

        Of IPv4 only from an address of the host's own (Linux icmp_send finds no other way).
        """
        assert icmp_errors.answerable(packet), "an error about an error"
        v6 = is_v6(packet.dst)
        if not v6 and not self.routes.is_local(packet.dst):
            return
        kind = icmp6.DEST_UNREACH if v6 else icmp.DEST_UNREACH
        self.send(error_about(packet, kind, code, packet.dst), now)

    def _discard(self, packet: Packet, now: int) -> None:
        """Drop what is for another host; say so where no route leads there.

        Linux ip6_pkt_discard; where one does, ip6_forward drops it without a word.
        """
        routes = self.routes
        way = routes.way(packet.src)
        if way is None or not way.source or packet.offset or is_link_local(packet.dst):
            return
        if routes.way(packet.dst) is None and icmp_errors.answerable(packet):
            kind, code = icmp6.DEST_UNREACH, icmp6.NO_ROUTE
            self.send(error_about(packet, kind, code, way.source), now)

    def _object(self, packet: Packet, objects: Objection, now: int) -> None:
        """Say where a packet's headers are not understood (RFC 4443 3.4)."""
        if objects.pointer != SILENT and icmp_errors.answerable(packet):
            kind, code = icmp6.PARAMETER_PROBLEM, objects.code
            self.send(error_about(packet, kind, code, packet.dst, objects.pointer), now)

    # What leaves.

    def way(self, destination: str) -> Way | None:
        """Return how to get to an address; None: ENETUNREACH."""
        return self.routes.way(destination)

    def send(self, packet: Packet, now: int, zone: int = 0, *, ttl: int = -1) -> int:
        """Send a packet, by an interface or any; 0, or ENETUNREACH where no way leads there.

        ``ttl``: of IPv4, where it is not the usual.
        """
        way = self.routes.way_by(zone, packet.dst) if zone else self.routes.way(packet.dst)
        if way is None:
            return ENETUNREACH
        v6 = is_v6(packet.dst)
        if not v6:
            packet.ttl = self.ttl if ttl < 0 else ttl
        if not v6 and (not packet.df or packet.proto == PROTO_UDP):  # it might still be fragmented
            self._ident = (self._ident + 1) & 0xFFFF
            packet.ident = self._ident
        self._leave(packet, way, now)
        return 0

    def _send_segments(self, now: int) -> None:
        segments = self.effects.segments
        ways = self.routes
        tied = self.demux.tied
        astray = self.demux.astray
        by = self._answers_by
        for seg in segments:
            source, _, destination, _ = seg.flow
            zone = by
            if by == _AS_TIED:
                zone = tied.get(seg.flow, 0) if tied else 0
            if astray and seg.flow in astray and self._goes_astray(seg):
                self._send_astray(seg, astray[seg.flow], zone, now)
                continue
            way = ways.leaving(source, destination, zone)
            if way is None:
                continue  # dropped within the host (Linux ip_queue_xmit)
            if is_v6(source):
                packet = Packet(source, destination, PROTO_TCP, seg)
            else:
                packet = Packet(source, destination, PROTO_TCP, seg, self.ttl)
                packet.df = True
                if self.effects.traced:
                    packet.ident = self._next_ident(seg)
            if self._marks or self._answered_tos:
                self._mark(packet, seg)
            self._leave(packet, way, now)
        segments.clear()
        self._answered_tos = 0
        self._answers_by = _AS_TIED

    def _goes_astray(self, seg: Segment) -> bool:
        """Whether a segment is its socket's: not an embryo's, and no answer of nobody's.

        Those are sent without asking the socket (Linux tcp_v6_send_synack, tcp_v6_send_reset).
        """
        return seg.behalf != OF_NOBODY and not self.demux.flows[arriving(seg.flow)].embryo

    def _send_astray(self, seg: Segment, flow: Flow, zone: int, now: int) -> None:
        """Send a segment of an IPv6 connection as the IPv4 that its socket takes it for.

        Linux ip_queue_xmit, of ``ipv6_mapped``. Its checksum is that of the source that the socket
        has, and that is none where the way gives one (tcp_v4_send_check); on the loopback nobody
        looks.
        """
        source, sport, destination, dport = flow
        way = self.routes.way_by(zone, destination) if zone else self.routes.way(destination)
        if way is None:
            return
        own = way.source if source == ANY else source
        way = self.routes.leaving(own, destination, zone)
        if way is None:
            return
        if way.interface.index == LOOPBACK:
            body: Segment | bytes = seg.of((own, sport, destination, dport))
        else:
            body = tcp.encode(seg.of(flow))
        ident = self._next_ident(seg) if self.effects.traced else 0
        packet = Packet(own, destination, PROTO_TCP, body, self.ttl, 0, ident, df=True)
        self._leave(packet, way, now)

    def _mark(self, packet: Packet, seg: Segment) -> None:
        """Let a segment have what IP_TTL and IP_TOS say, or their likes of IPv6.

        An answer of no socket, an RST or an embryo's ACK, has the TOS of what it answers. Of a
        connection in TIME-WAIT only the TOS is kept (Linux ip_send_unicast_reply,
        tcp_v6_send_response).
        """
        if seg.behalf == OF_NOBODY:
            packet.tos = self._answered_tos
        elif (mark := self._marks.get(seg.flow)) is not None:
            packet.tos = mark.tos
            if seg.behalf == OF_SOCKET:
                packet.ttl = mark.ttl

    def _leave(self, packet: Packet, way: Way, now: int) -> None:
        interface = way.interface
        if interface.index == LOOPBACK:
            self.inbox.append((packet, way.zone))
        elif interface.neighbours:
            neighbours = interface.neighbours_of(packet.dst)
            assert neighbours is not None, "a LAN has a table for each family that it routes"
            confirmed = self._heard_from(packet)
            neighbours.send(packet, packet.dst, now, confirmed=confirmed)
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
        """Let frames leave, and tell of what could not be sent.

        Linux arp_error_report, ndisc_error_report.
        """
        for interface in self.interfaces:
            for neighbours in interface.neighbours:
                if interface.carrier:
                    for frame in neighbours.frames:
                        self.outbox.append((interface.index, frame))
                neighbours.frames.clear()
                for packet in neighbours.failed:
                    if icmp_errors.answerable(packet):
                        error = _unreachable(packet)
                        self.inbox.append((error, self.routes.zone_at(error.dst)))
                neighbours.failed.clear()

    def mark(self, flow: Flow, *, ttl: int, tos: int) -> None:
        """Let a connection's packets have a hop limit (-1: the usual) and a class of their own."""
        if ttl >= 0 or tos:
            usual = TTL_DEFAULT if is_v6(flow[0]) else self.ttl
            self._marks[flow] = Mark(usual if ttl < 0 else ttl, tos)
        else:
            self._marks.pop(flow, None)

    def reroute(self) -> None:
        """Look again, for every connection, whether there is a way: the routes have changed."""
        routes = self.routes
        routes.changed()
        for tcb in self.demux.flows.values():
            source, _, destination, _ = self.demux.astray.get(tcb.flow, tcb.flow)
            there = is_v6(source) or source == ANY or routes.is_local(source)
            there = there and routes.way(destination) is not None
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
            self._marks.pop(tcb.flow, None)
            self.gone.append(tcb)
        self.effects.gone.clear()


def _replies_by(tied: int, seg: Segment, zone: int) -> int:
    """Return by which interface goes what answers a segment without a socket; 0: by any.

    By that which the listener or what is left of a connection is tied to (Linux tcp_v4_send_reset);
    to ::1 by the one that brought the segment, which must be the loopback (tcp_v6_send_response,
    rt6_need_strict).
    """
    return tied if tied or seg.flow[0] != LOOPBACK6 else zone


def _unreachable(packet: Packet) -> Packet:
    """Tell a host itself that a neighbour does not answer."""
    if is_v6(packet.src):
        kind, code = icmp6.DEST_UNREACH, icmp6.ADDRESS_UNREACH
    else:
        kind, code = icmp.DEST_UNREACH, icmp.HOST_UNREACH
    return error_about(packet, kind, code, packet.src)


def _with_zone(packet: Packet, zone: int) -> Packet:
    """Name link-local addresses by the interface that a packet came by.

    The packet itself may be somebody else's too, and stays as it is.
    """
    if not is_link_local(packet.src) and not is_link_local(packet.dst):
        return packet
    src, dst = zoned(packet.src, zone), zoned(packet.dst, zone)
    body = packet.body
    if isinstance(body, Segment):
        body = body.of((src, body.flow[1], dst, body.flow[3]))
    return Packet(
        src,
        dst,
        packet.proto,
        body,
        packet.ttl,
        packet.tos,
        packet.ident,
        more=packet.more,
        offset=packet.offset,
        label=packet.label,
        extensions=packet.extensions,
    )


def _give_zone(quote: Quote, zone: int) -> None:
    quote.src, quote.dst = zoned(quote.src, zone), zoned(quote.dst, zone)
