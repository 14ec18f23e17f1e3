"""IPv6 of one host: what differs from IPv4. Linux tcp_v6_rcv, icmpv6_rcv, tcp_v6_err."""

from errno import EACCES, ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, EPROTO

import pytest
from tests.unit.net.hosts import HERE, HERE6, NOW, PEER, PEER6, Host
from tests.unit.net.test_udp import end

from halfopen.net.icmp import tcp_error
from halfopen.net.interfaces import Interface
from halfopen.net.routes import Routes
from halfopen.net.udp import for_datagrams
from halfopen.tcp import calls
from halfopen.tcp.deadlines import deadline_passed, next_deadline
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb
from halfopen.wire import icmp6, ip, ip6
from halfopen.wire.icmp import Icmp, decode_quoted
from halfopen.wire.ip import Packet
from halfopen.wire.ip6 import DESTINATION, HOP_BY_HOP, NO_NEXT, ROUTING, Extension
from halfopen.wire.onpath import error_about
from halfopen.wire.tcp import ACK, RST, SYN, Segment
from halfopen.wire.udp import Datagram

ROUTER = "2001:db8::fe"


def host6(**sysctl: int) -> Host:
    changed = {f"net.ipv6.{name}": setting for name, setting in sysctl.items()}
    return Host(changed, here=HERE6, peer=PEER6)


def syn(host: Host) -> Segment:
    return Segment((host.peer, 40_000, host.here, 80), 5_000, 0, SYN, 1_000, mss=1_440)


def test_a_syn_to_nobody_is_refused() -> None:
    host = host6()
    (answer,) = host.takes(syn(host))
    assert isinstance(answer.body, Segment)
    assert answer.body.flags == RST | ACK
    assert (answer.src, answer.dst, answer.ttl, answer.tos) == (HERE6, PEER6, 64, 0)


def test_a_syn_to_a_listener_begins_a_connection_with_smaller_segments() -> None:
    host = host6()
    host.listen()
    (answer,) = host.takes(syn(host))
    assert isinstance(answer.body, Segment)
    assert (answer.body.flags, answer.body.mss) == (SYN | ACK, 1_440)


def test_a_datagram_to_a_port_that_nobody_has_is_refused() -> None:
    (answer,) = host6().takes(Datagram(1_000, 53, bytes(1_400)))
    body = answer.body
    assert isinstance(body, Icmp)
    assert (body.kind, body.code) == (icmp6.DEST_UNREACH, icmp6.PORT_UNREACH)
    assert len(ip.encode(answer)) == ip6.MTU_MIN
    assert decode_quoted(body.quoted).dport == 53


def padded(kind: int, *options: int) -> Extension:
    """An extension header with options of no length, and padding behind them."""
    octets = bytes((0, 0)) + b"".join(bytes((option, 0)) for option in options)
    return kind, octets + bytes(8 - len(octets))


#: Two segments are left of the way.
ROUTE = (ROUTING, bytes((0, 0, 0, 2, 0, 0, 0, 0)))
ARRIVED = (ROUTING, bytes(8))


@pytest.mark.parametrize(
    ("extensions", "answer"),
    [
        pytest.param((padded(HOP_BY_HOP),), None, id="padding"),
        pytest.param((padded(HOP_BY_HOP, 5),), None, id="router alert"),
        pytest.param((padded(DESTINATION, 0x1E),), None, id="an option to be passed over"),
        pytest.param((padded(DESTINATION, 0x5E),), "", id="one to be dropped for"),
        pytest.param((padded(DESTINATION, 0x9E),), "4/2 at 42", id="one to be told of"),
        pytest.param((padded(DESTINATION, 0xDE),), "4/2 at 42", id="one to be told of to one"),
        pytest.param(
            (padded(HOP_BY_HOP), padded(DESTINATION, 5, 0x9E)), "4/2 at 52", id="a second header"
        ),
        pytest.param((ROUTE,), "4/0 at 42", id="a way that is not at its end"),
        pytest.param((ARRIVED,), None, id="a way at its end"),
        pytest.param(((DESTINATION, b"\x00\x00\x05\x09\x00\x00\x00\x00"),), "", id="too long"),
    ],
)
def test_extension_headers(extensions: tuple[Extension, ...], answer: str | None) -> None:
    host = host6()
    host.listen()
    seg = syn(host)
    told = host.takes_packet(Packet(PEER6, HERE6, 6, seg, extensions=extensions))
    shown = [
        f"{each.body.kind}/{each.body.code} at {each.body.rest}"
        for each in told
        if isinstance(each.body, Icmp)
    ]
    assert shown == ([answer] if answer else [])
    assert bool(host.ip.embryos) is (answer is None)


@pytest.mark.parametrize(
    ("packet", "answers"),
    [
        pytest.param(Packet(PEER6, HERE6, 132, b"sctp"), [(1, 6)], id="no header between"),
        pytest.param(
            Packet(PEER6, HERE6, 132, b"", extensions=(padded(DESTINATION), padded(DESTINATION))),
            [(1, 48)],
            id="two headers between",
        ),
        pytest.param(Packet(PEER6, HERE6, NO_NEXT, b""), [], id="nothing follows"),
        pytest.param(Packet(PEER6, HERE6, 132, bytes(8), more=True), [], id="a fragment"),
        pytest.param(Packet(PEER6, HERE6, 132, bytes(8), offset=8), [], id="the last fragment"),
    ],
)
def test_an_unknown_next_header(packet: Packet, answers: list[tuple[int, int]]) -> None:
    told = host6().takes_packet(packet)
    bodies = [each.body for each in told]
    assert [(b.code, b.rest) for b in bodies if isinstance(b, Icmp)] == answers
    assert len(told) == len(answers)


def test_errors_are_sent_neither_about_errors_nor_about_what_is_for_many() -> None:
    host = host6()
    assert host.takes(Icmp(icmp6.DEST_UNREACH, 4, 0, b"")) == []
    assert host.takes(Datagram(1, 53, b""), dst="ff02::1") == []


@pytest.mark.parametrize("ignores", [0, 1])
def test_an_echo_is_answered_unless_the_sysctl_says_no(ignores: int) -> None:
    told = host6(**{"icmp.echo_ignore_all": ignores}).takes(Icmp(icmp6.ECHO, 0, 7, b"hello"))
    bodies = [packet.body for packet in told]
    shown = [(b.kind, b.rest, b.quoted) for b in bodies if isinstance(b, Icmp)]
    assert shown == ([] if ignores else [(icmp6.ECHO_REPLY, 7, b"hello")])


@pytest.mark.parametrize("kind", [icmp6.ECHO_REPLY, 133, 135, 143])
def test_other_messages_are_nobodys(kind: int) -> None:
    assert host6().takes(Icmp(kind, 0, 0, bytes(20))) == []


def test_an_error_of_the_other_family_is_dropped() -> None:
    host = host6()
    tcb = host.connect()
    host.leaves()
    quoted = ip.encode(Packet(HERE, PEER, 6, Segment((HERE, 1, PEER, 2), 0, 0, ACK, 0)))
    assert host.takes(Icmp(icmp6.DEST_UNREACH, 0, 0, quoted)) == []
    assert tcb.state is State.SYN_SENT


# What errors mean (Linux icmpv6_err_convert). Hard: it ends an embryo, and a datagram socket
# hears of it.


@pytest.mark.parametrize(
    ("kind", "code", "error", "hard"),
    [
        pytest.param(icmp6.DEST_UNREACH, 0, ENETUNREACH, False, id="no route"),
        pytest.param(icmp6.DEST_UNREACH, 1, EACCES, True, id="prohibited"),
        pytest.param(icmp6.DEST_UNREACH, 2, EHOSTUNREACH, False, id="beyond scope"),
        pytest.param(icmp6.DEST_UNREACH, 3, EHOSTUNREACH, False, id="address"),
        pytest.param(icmp6.DEST_UNREACH, 4, ECONNREFUSED, True, id="port"),
        pytest.param(icmp6.DEST_UNREACH, 5, EACCES, True, id="policy"),
        pytest.param(icmp6.DEST_UNREACH, 6, EACCES, True, id="reject route"),
        pytest.param(icmp6.DEST_UNREACH, 7, EPROTO, True, id="an unknown code"),
        pytest.param(icmp6.TIME_EXCEEDED, 0, EHOSTUNREACH, False, id="hop limit"),
        pytest.param(icmp6.TIME_EXCEEDED, 1, EHOSTUNREACH, False, id="a fragment's time"),
        pytest.param(icmp6.PARAMETER_PROBLEM, 1, EPROTO, True, id="parameter problem"),
        pytest.param(100, 0, 0, False, id="an unknown kind"),
    ],
)
def test_what_an_error_means(kind: int, code: int, error: int, hard: bool) -> None:
    message = Icmp(kind, code, 0, b"")
    assert tcp_error(message, v6=True) == error
    meaning = for_datagrams(message, v6=True)
    assert (meaning.errno if meaning else 0, bool(meaning and meaning.fatal)) == (error, hard)
    for state in ("SYN-SENT", "open", "embryo"):
        host = host6()
        if state == "embryo":
            host.listen()
            host.takes(syn(host))
            (tcb,) = host.ip.demux.flows.values()
        else:
            tcb = host.connect() if state == "SYN-SENT" else host.opened()
            host.leaves()
        complains(host, tcb, kind, code)
        if state == "open":
            assert (tcb.state, tcb.so_error_soft) == (State.ESTABLISHED, error)
        else:
            ends = error != 0 and (hard or state == "SYN-SENT")
            assert (tcb.state is State.CLOSED) is ends


def complains(host: Host, tcb: Tcb, kind: int, code: int, *, rest: int = 0) -> None:
    """A router tells of the first segment of ours that is on its way."""
    seg = Segment(tcb.flow, tcb.snd_una & 0xFFFFFFFF, 0, ACK, 0)
    host.takes_packet(error_about(Packet(HERE6, PEER6, 6, seg), kind, code, ROUTER, rest))


def test_only_no_route_takes_the_backoff_back() -> None:
    for code, left in ((icmp6.NO_ROUTE, 0), (icmp6.ADDRESS_UNREACH, 1)):
        host = host6()
        tcb = host.opened()
        calls.send(tcb, b"text", NOW)
        while not tcb.backoff:
            at = next_deadline(tcb)
            assert at is not None
            deadline_passed(tcb, at)
            host.leaves()
        complains(host, tcb, icmp6.DEST_UNREACH, code)
        assert tcb.backoff == left


@pytest.mark.parametrize(
    ("told", "mtu"),
    [
        pytest.param(1_400, 1_400, id="the next hop's"),
        pytest.param(1_280, 1_280, id="the smallest"),
        pytest.param(1_279, 1_500, id="one that no way has (RFC 8201 4)"),
        pytest.param(9_000, 1_500, id="a larger one"),
    ],
)
def test_packet_too_big_makes_segments_smaller(told: int, mtu: int) -> None:
    host = host6()
    tcb = host.opened()
    complains(host, tcb, icmp6.PACKET_TOO_BIG, 0, rest=told)
    assert (tcb.mtu, tcb.so_error_soft) == (mtu, 0)


def test_a_datagram_that_is_too_big_is_told() -> None:
    meaning = for_datagrams(Icmp(icmp6.PACKET_TOO_BIG, 0, 1_280, b""), v6=True)
    assert meaning is not None
    assert (meaning.errno, meaning.fatal) == (EMSGSIZE, True)


# Who gets what arrives.


@pytest.mark.parametrize(
    ("bound", "takes4", "takes6"),
    [
        pytest.param("::", False, True, id="IPV6_V6ONLY"),
        pytest.param("0.0.0.0", True, False, id="IPv4"),
        pytest.param(HERE6, False, True, id="one address"),
        pytest.param(HERE, True, False, id="one IPv4 address"),
    ],
)
def test_who_listens_for_which_family(bound: str, takes4: bool, takes6: bool) -> None:
    host = host6()
    listening = host.listen(address=bound)
    demux = host.ip.demux
    assert (demux.listener((PEER, 1, HERE, 80)) is listening) is takes4
    assert (demux.listener((PEER6, 1, HERE6, 80)) is listening) is takes6


def test_one_at_all_ipv4_addresses_comes_before_one_at_both_families() -> None:
    host = host6()
    host.listen(address="0.0.0.0").v6 = True
    listening = host.listen(address="0.0.0.0")
    assert host.ip.demux.listener((PEER, 1, HERE, 80)) is listening


def test_whose_is_a_datagram() -> None:
    host = host6()
    dual, only, four = end("::"), end("::"), end("0.0.0.0")
    dual.v6 = only.v6 = only.v6only = True
    udp = host.ip.udp
    for one in (dual, only):
        udp.add(one)
    assert udp.find(HERE, 53, PEER, 1) is dual
    assert udp.find(HERE6, 53, PEER6, 1) is only, "of equals the last"
    udp.add(four)
    assert udp.find(HERE, 53, PEER, 1) is four
    assert udp.find(HERE6, 53, PEER6, 1) is only
    exact = end(HERE6)
    exact.v6 = True
    udp.add(exact)
    assert udp.find(HERE6, 53, PEER6, 1) is exact


# Routes, zones, and what a host does without IPv6.


def two_links() -> Routes:
    routes = Routes()
    for number, text in enumerate(("2001:db8:1::1/64", "2001:db8:2::1/64")):
        own = (text, "fe80::1", f"10.0.{number}.1")
        routes.connect(Interface(number, f"eth{number}", own, peers=("2001:db8:9::/48",)))
    return routes


@pytest.mark.parametrize(
    ("destination", "index", "source"),
    [
        pytest.param("::1", -1, "::1", id="the loopback"),
        pytest.param("2001:db8:1::7", 0, "2001:db8:1::1", id="a network that one is in"),
        pytest.param("2001:db8:2::7", 1, "2001:db8:2::1", id="the other"),
        pytest.param("2001:db8:2::1", -1, "2001:db8:2::1", id="oneself"),
        pytest.param("2001:db8:9:9::9", 0, "2001:db8:1::1", id="a network behind both: the first"),
        pytest.param("fe80::9%2", 0, "fe80::1%2", id="on the first link"),
        pytest.param("fe80::9%3", 1, "fe80::1%3", id="on the second link"),
        pytest.param("fe80::1%3", -1, "fe80::1%3", id="oneself on a link"),
    ],
)
def test_the_way(destination: str, index: int, source: str) -> None:
    way = two_links().way(destination)
    assert way is not None
    assert (way.interface.index, way.source) == (index, source)


@pytest.mark.parametrize(
    "destination", ["2001:db8:3::1", "fe80::9", "fe80::9%1", "fe80::9%4", "ff02::1", "::2"]
)
def test_nowhere(destination: str) -> None:
    assert two_links().way(destination) is None


def test_without_an_address_of_the_family_there_is_no_route() -> None:
    routes = Routes()
    routes.connect(Interface(0, "eth0", (HERE,), peers=(PEER, PEER6)))
    routes.connect(Interface(1, "eth1", (HERE6,), peers=("10.0.0.3",)))
    assert routes.way(PEER) is not None
    assert routes.way(PEER6) is None
    assert routes.way("10.0.0.3") is None


def test_a_link_too_small_for_ipv6_has_none() -> None:
    routes = Routes()
    routes.connect(Interface(0, "eth0", (HERE, HERE6), peers=(PEER, PEER6), mtu=1_279))
    assert routes.way(PEER) is not None
    assert routes.way(PEER6) is None
    assert not routes.is_local(HERE6)


def test_without_ipv6_on_the_loopback_there_is_no_address_there() -> None:
    routes = Routes(v6=False)
    assert routes.way("::1") is None
    assert not routes.is_local("::1")


def test_an_interface_without_ipv6_takes_none() -> None:
    host = host6()
    host.link.v6 = False
    assert host.takes(syn(host)) == []


def test_an_interface_that_goes_down_loses_its_ipv6_addresses() -> None:
    """Linux addrconf_ifdown; those of IPv4 stay."""
    routes = two_links()
    interface = routes.local["10.0.0.1"]
    routes.take_down(interface)
    assert routes.way("2001:db8:1::7") is None
    assert not routes.is_local("2001:db8:1::1")
    assert not routes.is_local("fe80::1%2")
    assert routes.is_local("10.0.0.1")
    assert routes.way("2001:db8:2::7") is not None


def test_an_address_that_goes_leaves_its_ipv6_routes() -> None:
    """Linux rt6_remove_prefsrc."""
    routes = Routes()
    routes.connect(Interface(0, "eth0", (HERE6, "2001:db8::7"), peers=(PEER6,)))
    routes.remove_address(HERE6)
    way = routes.way(PEER6)
    assert way is not None
    assert way.source == "2001:db8::7"


def test_a_connection_goes_on_sending_from_an_address_that_is_gone() -> None:
    """Linux inet6_csk_route_socket does not ask whose it is."""
    host = host6()
    tcb = host.connect()
    host.ip.routes.remove_address(HERE6)
    host.ip.reroute()
    assert tcb.no_route == 0
    assert [packet.src for packet in host.leaves()] == [HERE6]


def test_link_local_addresses_have_a_zone_within_the_host() -> None:
    host = Host(here="fe80::1", peer="fe80::2")
    listening = host.listen(address="fe80::1%2")
    seg = Segment(("fe80::2", 40_000, "fe80::1", 80), 5_000, 0, SYN, 1_000, mss=1_440)
    packet = Packet("fe80::2", "fe80::1", 6, seg)
    (answer,) = host.takes_packet(packet)
    assert isinstance(answer.body, Segment)
    assert answer.body.flow == ("fe80::1%2", 80, "fe80::2%2", 40_000)
    assert listening.embryos
    back = ip.decode(ip.encode(answer))
    assert (back.src, back.dst) == ("fe80::1", "fe80::2")
    assert seg.flow[0] == "fe80::2", "the sender's own segment is left as it was"


def test_an_error_about_a_link_local_connection_finds_it() -> None:
    host = Host(here="fe80::1", peer="fe80::2")
    tcb = host.connect(to="fe80::2%2", source="fe80::1%2")
    (packet,) = host.leaves()
    raw = ip.encode(error_about(packet, icmp6.DEST_UNREACH, icmp6.ADDRESS_UNREACH, "fe80::2"))
    host.takes_packet(ip.decode(raw))
    assert (tcb.state, tcb.so_error) == (State.CLOSED, EHOSTUNREACH)


def test_what_a_host_sends_to_itself_arrives_at_once() -> None:
    host = host6()
    listening = host.listen(80, address="::1")
    tcb = host.connect(to="::1", source="::1")
    assert host.leaves() == []
    assert tcb.state is State.ESTABLISHED
    assert len(listening.ready) == 1
    assert host.ip.send(Packet(HERE6, "2001:db8:7::1", 132, b""), NOW) == ENETUNREACH


# What is not for this host.


@pytest.mark.parametrize(
    ("src", "dst", "answered"),
    [
        pytest.param(PEER6, "2001:db8:7::1", True, id="no route leads there"),
        pytest.param(PEER6, PEER6, False, id="a route leads there, but hosts don't forward"),
        pytest.param(PEER6, "fe80::9", False, id="on the link"),
        pytest.param("2001:db8:7::1", "2001:db8:7::2", False, id="nor is there a way back"),
        pytest.param(PEER6, "ff05::1", False, id="a group"),
        pytest.param("::1", HERE6, False, id="from a loopback"),
        pytest.param(PEER6, "::1", False, id="to the loopback"),
    ],
)
def test_what_is_for_another_host(src: str, dst: str, answered: bool) -> None:
    """Linux ip6_pkt_discard, ip6_forward, ip6_rcv_core."""
    told = host6().takes(Datagram(1, 53, b"ask"), src=src, dst=dst)
    bodies = [packet.body for packet in told]
    shown = [(body.kind, body.code) for body in bodies if isinstance(body, Icmp)]
    assert shown == ([(icmp6.DEST_UNREACH, icmp6.NO_ROUTE)] if answered else [])
    assert [packet.src for packet in told] == [HERE6] * answered


def test_a_connection_can_have_its_own_hop_limit_and_class() -> None:
    host = host6()
    tcb = host.connect()
    shown: list[tuple[int, int]] = []
    for hops, tclass in ((7, 0x48), (-1, 0x20), (-1, 0)):
        host.ip.mark(tcb.flow, ttl=hops, tos=tclass)
        if not shown:
            (packet,) = host.leaves()
        else:
            deadline_passed(tcb, next_deadline(tcb) or 0)
            (packet,) = host.leaves()
        shown.append((packet.ttl, packet.tos))
    assert shown == [(7, 0x48), (64, 0x20), (64, 0)]
    other = host.connect(sport=40_001)
    host.ip.mark(tcb.flow, ttl=9, tos=0)
    assert [packet.ttl for packet in host.leaves()] == [64]
    assert other.state is State.SYN_SENT


def test_an_atomic_fragment_is_passed_over() -> None:
    host = host6()
    host.listen()
    atomic = (ip6.FRAGMENT, bytes(8))
    host.takes_packet(Packet(PEER6, HERE6, 6, syn(host), extensions=(atomic,)))
    assert host.ip.embryos


def test_an_address_that_is_nowhere_is_removed_without_harm() -> None:
    routes = two_links()
    routes.remove_address("2001:db8::99")
    assert routes.way("2001:db8:1::7") is not None


def test_what_is_left_of_a_connection_hears_no_packet_too_big() -> None:
    host = host6()
    tcb = host.opened()
    calls.close(tcb, NOW)
    host.leaves()
    host.takes(Segment((PEER6, 80, HERE6, 40_000), tcb.rcv_nxt, tcb.snd_nxt, 0x11, 1_000))
    assert tcb.state is State.TIME_WAIT
    complains(host, tcb, icmp6.PACKET_TOO_BIG, 0, rest=1_280)
    assert tcb.mtu == 1_500
