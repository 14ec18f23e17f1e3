"""IP of one host: who gets what arrives, and what leaves."""

from errno import EHOSTUNREACH, ENETUNREACH

import pytest
from tests.unit.net.hosts import HERE, HERE6, NOW, PEER, PEER6, Host
from tests.unit.net.test_udp import end

from halfopen.base.rng import Rng
from halfopen.net.demux import arriving
from halfopen.net.interfaces import Interface
from halfopen.net.neighbours import Neighbours, Times
from halfopen.net.sysctl import with_defaults
from halfopen.tcp.calls import close, close_listening
from halfopen.tcp.states import State
from halfopen.wire import arp, icmp
from halfopen.wire.arp import Arp
from halfopen.wire.ethernet import BROADCAST, Frame
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, FIN, RST, SYN, Flow, Segment
from halfopen.wire.udp import Datagram

OURS, THEIRS = "02:00:00:00:00:01", "02:00:00:00:00:02"
TO_80 = (PEER, 40_000, HERE, 80)


def syn() -> Segment:
    return Segment(TO_80, 5_000, 0, SYN, 1_000)


def test_a_syn_to_nobody_is_refused() -> None:
    (answer,) = Host().takes(syn())
    assert isinstance(answer.body, Segment)
    assert answer.body.flags == RST | ACK
    assert (answer.src, answer.dst) == (HERE, PEER)


def test_a_syn_to_a_listener_begins_a_connection() -> None:
    host = Host()
    host.listen()
    (answer,) = host.takes(syn())
    assert isinstance(answer.body, Segment)
    assert answer.body.flags == SYN | ACK
    assert [embryo.tcb.state for embryo in host.ip.embryos] == [State.SYN_RECEIVED]


def test_what_is_for_another_host_is_dropped() -> None:
    assert Host().takes(syn(), dst="10.0.0.7") == []


def test_an_interface_that_is_down_takes_nothing() -> None:
    host = Host()
    host.link.up = False
    assert host.takes(syn()) == []


def test_without_a_way_back_no_connection_begins() -> None:
    host = Host()
    host.listen()
    stranger = ("8.8.8.8", 40_000, HERE, 80)
    assert host.takes(Segment(stranger, 5_000, 0, SYN, 1_000), src="8.8.8.8") == []
    assert host.ip.embryos == []


def test_a_datagram_to_a_port_that_nobody_has_is_refused() -> None:
    (answer,) = Host().takes(Datagram(1_000, 53, b"ask"))
    assert isinstance(answer.body, Icmp)
    assert (answer.body.kind, answer.body.code) == (icmp.DEST_UNREACH, icmp.PORT_UNREACH)


def test_a_datagram_for_a_socket_is_its() -> None:
    host = Host()
    socket = end()
    host.ip.udp.add(socket)
    assert host.takes(Datagram(1_000, 53, b"ask")) == []
    assert socket.take(peek=False).data == b"ask"


@pytest.mark.parametrize(
    ("more", "offset", "answers"),
    [
        pytest.param(False, 0, 1, id="whole"),
        pytest.param(True, 0, 0, id="the first fragment"),
        pytest.param(False, 8, 0, id="the last fragment"),
    ],
)
def test_an_unknown_protocol_is_refused(more: bool, offset: int, answers: int) -> None:
    packet = Packet(PEER, HERE, 132, bytes(16), more=more, offset=offset)
    told = Host().takes_packet(packet)
    assert len(told) == answers
    for answer in told:
        assert isinstance(answer.body, Icmp)
        assert answer.body.code == icmp.PROTOCOL_UNREACH


def test_errors_are_not_answered_by_errors() -> None:
    host = Host()
    assert host.takes(Icmp(icmp.DEST_UNREACH, 3, 0, b"")) == []


def test_what_a_host_sends_to_itself_arrives_at_once() -> None:
    host = Host()
    listening = host.listen(80, address="127.0.0.1")
    tcb = host.connect(to="127.0.0.1", source="127.0.0.1")
    assert host.leaves() == []
    assert tcb.state is State.ESTABLISHED
    assert len(listening.ready) == 1


def test_a_connection_to_nowhere_and_one_from_a_lost_address_fall_silent() -> None:
    host = Host()
    host.connect(to="8.8.8.8")
    assert host.leaves() == []
    tcb = host.opened()
    host.ip.routes.remove_address(HERE)
    host.ip.reroute()
    assert tcb.no_route == ENETUNREACH


def test_looking_again_finds_a_way_that_has_come_back() -> None:
    host = Host()
    tcb = host.opened()
    host.link.up = False
    host.ip.reroute()
    assert tcb.no_route == ENETUNREACH
    host.link.up = True
    host.ip.reroute()
    assert tcb.no_route == 0


def test_without_carrier_what_is_sent_is_lost() -> None:
    host = Host()
    host.link.carrier = False
    host.connect()
    assert host.leaves() == []


def test_a_packet_to_nowhere() -> None:
    host = Host()
    assert host.ip.send(Packet(HERE, "8.8.8.8", 132, b""), NOW) == ENETUNREACH
    assert host.ip.way("8.8.8.8") is None


def test_what_may_be_fragmented_is_numbered() -> None:
    host = Host()
    for _ in range(2):
        assert host.ip.send(Packet(HERE, PEER, 132, b""), NOW) == 0
    assert host.ip.send(Packet(HERE, PEER, 132, b"", df=True), NOW) == 0
    first, second, whole = host.leaves()
    assert second.ident == (first.ident + 1) & 0xFFFF
    assert (whole.ident, whole.ttl) == (0, 64)


def test_a_connections_packets_are_numbered_where_somebody_looks() -> None:
    """SYN,ACK and what belongs to no socket have 0 (Linux ip_build_and_send_pkt)."""
    host = Host(traced=True)
    tcb = host.connect()
    (first,) = host.leaves()
    answer = Segment((PEER, 80, HERE, 40_000), 5_000, tcb.iss + 1, SYN | ACK, 1_000)
    (second,) = host.takes(answer)
    assert second.ident == (first.ident + 1) & 0xFFFF
    host.listen()
    (synack,) = host.takes(syn())
    (refused,) = host.takes(Segment((PEER, 9, HERE, 9), 1, 0, SYN, 1))
    assert (synack.ident, refused.ident) == (0, 0)


def test_the_flow_of_a_connection_that_is_over_is_free() -> None:
    host = Host(traced=True)
    tcb = host.opened()
    host.takes(Segment((PEER, 80, HERE, 40_000), tcb.rcv_nxt, 0, RST, 0))
    assert host.ip.demux.flows == {}
    assert host.ip.gone == [tcb]


def test_two_links_have_their_own_addresses() -> None:
    host = Host()
    other = Interface(1, "eth1", ("192.168.0.1",), peers=("192.168.0.2",))
    host.ip.interfaces.append(other)
    host.ip.routes.connect(other)
    host.connect(to="192.168.0.2", source="192.168.0.1")
    host.ip.settle(NOW)
    (interface, _) = host.ip.outbox.popleft()
    assert interface == 1


class OnALan(Host):
    """A host whose link is a LAN."""

    def __init__(self) -> None:
        super().__init__()
        times = Times(with_defaults({}))
        self.neighbours = Neighbours(HERE, OURS, times, 0, Rng(0))
        self.link.neighbours = (self.neighbours,)
        self.ip.on_lan = True

    def frames(self) -> list[Frame]:
        self.ip.settle(NOW)
        loads = [load for _, load in self.ip.outbox]
        self.ip.outbox.clear()
        assert all(isinstance(load, Frame) for load in loads)
        return [load for load in loads if isinstance(load, Frame)]

    def hears(self, body: Packet | Arp, *, to: str = OURS) -> list[Frame]:
        self.ip.receive(Frame(to, THEIRS, body), 0, NOW)
        return self.frames()


REPLY = Arp(arp.REPLY, sender=PEER, sender_mac=THEIRS, target=HERE, target_mac=OURS)


def test_on_a_lan_the_neighbour_is_asked_for_before_the_syn_leaves() -> None:
    host = OnALan()
    host.connect()
    (question,) = host.frames()
    assert (question.dst, type(question.body)) == (BROADCAST, Arp)
    (syn_frame,) = host.hears(REPLY)
    assert (syn_frame.dst, type(syn_frame.body)) == (THEIRS, Packet)


def test_a_frame_for_somebody_else_is_dropped() -> None:
    host = OnALan()
    assert host.hears(Packet(PEER, HERE, 6, syn()), to="02:00:00:00:00:09") == []
    assert len(host.hears(Packet(PEER, HERE, 6, syn()))) == 1, "the RST asks for its way"


def test_a_neighbour_that_does_not_answer_ends_the_attempt() -> None:
    host = OnALan()
    tcb = host.connect()
    host.frames()
    neighbour = host.neighbours.find(PEER)
    while neighbour.at is not None:
        host.neighbours.passed(neighbour, neighbour.at)
        host.frames()
    assert (tcb.state, tcb.so_error) == (State.CLOSED, EHOSTUNREACH)


def test_progress_of_tcp_vouches_for_the_neighbour() -> None:
    host = OnALan()
    tcb = host.connect()
    host.frames()
    host.hears(REPLY)
    answer = Segment((PEER, 80, HERE, 40_000), 5_000, tcb.iss + 1, SYN | ACK, 1_000)
    host.hears(Packet(PEER, HERE, 6, answer))
    assert tcb.state is State.ESTABLISHED
    assert not tcb.dst_confirm, "the ACK has told"
    assert host.neighbours.find(PEER).confirmed_at == NOW


def test_without_carrier_a_lan_takes_no_frames_either() -> None:
    host = OnALan()
    host.link.carrier = False
    host.connect()
    assert host.frames() == []
    assert host.neighbours.frames == []


def test_datagrams_leave_a_lan_too_and_vouch_for_nobody() -> None:
    host = OnALan()
    host.hears(REPLY)
    host.ip.send(Packet(HERE, PEER, 17, Datagram(1_000, 53, b"ask")), NOW)
    host.frames()
    host.hears(REPLY)
    assert host.neighbours.find(PEER).confirmed_at == NOW
    host.neighbours.find(PEER).confirmed_at = 0
    host.ip.send(Packet(HERE, PEER, 17, Datagram(1_000, 53, b"ask")), NOW)
    (frame,) = host.frames()
    assert isinstance(frame.body, Packet)
    assert host.neighbours.find(PEER).confirmed_at == 0


def test_an_error_that_finds_no_neighbour_is_no_error_of_its_own() -> None:
    """RFC 1122 3.2.2: a datagram was refused, and its sender does not answer ARP."""
    host = OnALan()
    host.hears(Packet(PEER, HERE, 17, Datagram(1_000, 53, b"ask")))
    neighbour = host.neighbours.find(PEER)
    assert len(neighbour.queue) == 1
    while neighbour.at is not None:
        host.neighbours.passed(neighbour, neighbour.at)
        host.frames()
    assert host.neighbours.failed == []


def test_a_link_beside_a_lan_has_no_neighbours() -> None:
    host = OnALan()
    other = Interface(1, "eth1", ("192.168.0.1",), peers=("192.168.0.2",))
    host.ip.interfaces.append(other)
    host.ip.routes.connect(other)
    host.connect(to="192.168.0.2", source="192.168.0.1")
    host.connect()
    host.ip.settle(NOW)
    assert [(number, type(load)) for number, load in host.ip.outbox] == [(1, Packet), (0, Frame)]


def test_a_new_listener_takes_the_flow_of_an_embryo_that_the_old_one_left() -> None:
    host = Host()
    old = host.listen()
    host.takes(syn())
    close_listening(old, NOW)
    host.ip.demux.unlisten(HERE, 80, old)
    new = host.listen()
    (answer,) = host.takes(syn())
    assert isinstance(answer.body, Segment)
    assert answer.body.flags == SYN | ACK
    assert len(new.embryos) == 1
    assert len(host.ip.demux.flows) == 1


def test_nothing_leaves_from_an_address_that_is_not_the_hosts() -> None:
    """Linux ip_queue_xmit."""
    host = Host()
    host.connect(source="192.0.2.9")
    assert host.leaves() == []


@pytest.mark.parametrize(("here", "peer"), [(HERE, PEER), (HERE6, PEER6)], ids=["IPv4", "IPv6"])
def test_what_answers_for_no_socket_has_the_class_of_what_it_answers(here: str, peer: str) -> None:
    """Linux tcp_v4_send_reset, tcp_v4_reqsk_send_ack, and their likes of IPv6."""
    host = Host(here=here, peer=peer)
    host.listen()
    flow: Flow = (peer, 4_000, here, 80)

    def told(seg: Segment) -> tuple[int, int, int]:
        (packet,) = host.takes_packet(Packet(peer, here, PROTO_TCP, seg, tos=0x4A))
        assert isinstance(packet.body, Segment)
        return packet.body.flags, packet.tos, packet.ttl

    assert told(Segment((peer, 4_000, here, 81), 5, 0, SYN, 1_000)) == (RST | ACK, 0x48, 64)
    (synack,) = host.takes(Segment(flow, 5, 0, SYN, 1_000))
    assert isinstance(synack.body, Segment)
    (embryo,) = host.ip.demux.flows.values()
    host.ip.mark(embryo.flow, ttl=9, tos=0x20)
    assert told(Segment(flow, 5, synack.body.seq + 1, ACK, 1_000)) == (ACK, 0x48, 64)
    assert told(Segment(flow, 15, 0, SYN, 1_000)) == (RST | ACK, 0x48, 64)


@pytest.mark.parametrize(("here", "peer"), [(HERE, PEER), (HERE6, PEER6)], ids=["IPv4", "IPv6"])
def test_of_a_connection_in_time_wait_the_class_is_kept_and_not_the_hop_limit(
    here: str, peer: str
) -> None:
    """Linux tcp_v4_timewait_ack, tcp_v6_timewait_ack."""
    host = Host(here=here, peer=peer)
    tcb = host.opened()
    host.ip.mark(tcb.flow, ttl=9, tos=0x20)
    close(tcb, NOW)
    fin = Segment(arriving(tcb.flow), 5_001, 1_002, FIN | ACK, 60_000)
    shown = [[(packet.tos, packet.ttl) for packet in host.takes(fin)] for _ in range(2)]
    assert shown == [[(0x20, 9), (0x20, 9)], [(0x20, 64)]], "the last ACK is the connection's own"
