"""IPv6: packets that a Linux kernel sent, extension headers, and what is wrong with others."""

import pytest
from tests.unit.wire.fields import fields

from halfopen.wire import ethernet, icmp, icmp6, ip, ndisc
from halfopen.wire.address import to_bytes
from halfopen.wire.checksum import checksum
from halfopen.wire.errors import WireError
from halfopen.wire.ethernet import Frame
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import PROTO_ICMPV6, Packet
from halfopen.wire.ip6 import DESTINATION, FRAGMENT, HOP_BY_HOP, NO_NEXT, ROUTING, Extension
from halfopen.wire.ndisc import Ndisc
from halfopen.wire.onpath import QUOTED6_MAX, ROUTER6, unreachable
from halfopen.wire.tcp import ACK, RST, SYN, Segment
from halfopen.wire.udp import Datagram

HERE, PEER = "2001:db8::1", "2001:db8::2"
#: What Linux 6.18 sent into a TUN device, with auto_flowlabels 0.
SENT = {
    "a SYN": "600000000028064020010db800000000000000000000000120010db8000000000000000000000002"
    "c26e005085e6395a00000000a002fd2033220000020405a00402080ac09f79ba000000000103030a",
    "a datagram": "60000000000d114020010db800000000000000000000000120010db8000000000000000000000002"
    "aba40035000db4b368656c6c6f",
    "a datagram on the link": "60000000000d1140fe800000000000000000000000000001fe80000000000000000"
    "0000000000002aba40035000d132468656c6c6f",
    "port unreachable": "6000000000393a4020010db800000000000000000000000120010db8000000000000000000"
    "0000020104316400000000608000000009114020010db800000000000000000000000220010db800000000000000000"
    "00000010005000600092c5c78",
    "an echo's reply": "60800000000b3a4020010db800000000000000000000000120010db8000000000000000000"
    "0000028100"
    "5e950000004d616263",
    "an RST": "608000000014064020010db800000000000000000000000120010db8000000000000000000000002"
    "0002000100000000000000085014000054510000",
}


@pytest.mark.parametrize("name", SENT)
def test_what_linux_sent_is_read_and_written_again_octet_by_octet(name: str) -> None:
    raw = bytes.fromhex(SENT[name])
    assert ip.encode(ip.decode(raw)) == raw


def test_a_syn_of_linux_is_read() -> None:
    packet = ip.decode(bytes.fromhex(SENT["a SYN"]))
    seg = packet.body
    assert isinstance(seg, Segment)
    assert (packet.src, packet.dst, packet.ttl, packet.proto) == (HERE, PEER, 64, 6)
    assert seg.flow == (HERE, 49774, PEER, 80)
    assert (seg.flags, seg.wnd, seg.mss) == (SYN, 64800, 1440)


def test_an_error_of_linux_quotes_the_packet() -> None:
    packet = ip.decode(bytes.fromhex(SENT["port unreachable"]))
    body = packet.body
    assert isinstance(body, Icmp)
    assert (body.kind, body.code) == (icmp6.DEST_UNREACH, icmp6.PORT_UNREACH)
    quote = icmp.decode_quoted(body.quoted)
    assert (quote.proto, quote.src, quote.sport, quote.dst, quote.dport) == (17, PEER, 5, HERE, 6)


def padding(kind: int) -> Extension:
    return kind, bytes((NO_NEXT, 0, 1, 4, 0, 0, 0, 0))


ATOMIC = (FRAGMENT, bytes((NO_NEXT, 0, 0, 0, 0, 0, 0, 9)))


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param((padding(HOP_BY_HOP),), id="hop by hop"),
        pytest.param((padding(HOP_BY_HOP), padding(DESTINATION)), id="two"),
        pytest.param((padding(ROUTING),), id="routing"),
        pytest.param((ATOMIC,), id="a fragment that is the whole"),
        pytest.param((padding(DESTINATION), ATOMIC, padding(DESTINATION)), id="three"),
    ],
)
def test_extension_headers_are_passed_over(kinds: tuple[Extension, ...]) -> None:
    packet = Packet(HERE, PEER, 17, Datagram(1, 2, b"text"), extensions=kinds)
    raw = ip.encode(packet)
    back = ip.decode(raw)
    assert isinstance(back.body, Datagram)
    assert back.body.data == b"text"
    assert back.proto == 17
    assert [kind for kind, _ in back.extensions] == [kind for kind, _ in kinds]
    assert ip.encode(back) == raw


def test_a_fragment_stays_bytes() -> None:
    packet = Packet(HERE, PEER, 17, b"12345678", more=True, offset=16, ident=1 << 31)
    raw = ip.encode(packet)
    assert raw[6] == FRAGMENT
    assert fields(ip.decode(raw)) == fields(packet)
    last = ip.decode(ip.encode(Packet(HERE, PEER, 17, b"1", offset=24, ident=5)))
    assert (last.more, last.offset, last.body) == (False, 24, b"1")


@pytest.mark.parametrize("proto", [NO_NEXT, 132, 1])
def test_an_unknown_next_header_stays_bytes(proto: int) -> None:
    assert ip.decode(ip.encode(Packet(HERE, PEER, proto, b"what"))).body == b"what"


def test_icmpv6_over_ipv4_stays_bytes() -> None:
    assert ip.decode(ip.encode(Packet("10.0.0.1", "10.0.0.2", 58, b"12345678"))).body == b"12345678"


RAW = bytes.fromhex(SENT["a SYN"])
OPTIONS = ip.encode(Packet(HERE, PEER, NO_NEXT, b"", extensions=(padding(HOP_BY_HOP),)))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(RAW[:39], "40 octets", id="cut off in the header"),
        pytest.param(RAW[:-1], "of which 79", id="cut off in the body"),
        pytest.param(OPTIONS[:5] + b"\x07" + OPTIONS[6:], "cut off", id="an extension cut off"),
        pytest.param(OPTIONS[:5] + b"\x01" + OPTIONS[6:], "cut off", id="without a length"),
        pytest.param(RAW[:60] + b"\x07" + RAW[61:], "TCP checksum", id="a wrong TCP checksum"),
        pytest.param(RAW[:23] + b"\x09" + RAW[24:], "TCP checksum", id="another source"),
    ],
)
def test_malformed(raw: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        ip.decode(raw)


def test_udp_without_a_checksum_is_not_believed() -> None:
    raw = bytes.fromhex(SENT["a datagram"])
    with pytest.raises(WireError, match="without a checksum"):
        ip.decode(raw[:46] + b"\x00\x00" + raw[48:])


def test_icmpv6_sums_the_addresses_too() -> None:
    packet = Packet(HERE, PEER, PROTO_ICMPV6, Icmp(icmp6.ECHO, 0, 1, b"hello"))
    raw = ip.encode(packet)
    assert checksum(raw[40:]) != 0
    with pytest.raises(WireError, match="ICMP checksum"):
        ip.decode(raw[:8] + to_bytes("2001:db8::3") + raw[24:])


def test_a_router_says_that_a_packet_is_too_big() -> None:
    flow = (HERE, 40_000, PEER, 80)
    long = Packet(HERE, PEER, 6, Segment(flow, 100, 200, ACK, 1_000, bytes(1_400)))
    answer = unreachable(long, icmp6.PACKET_TOO_BIG, 0, mtu=1_280)
    assert (answer.src, answer.dst, answer.proto, answer.tos) == (ROUTER6, HERE, 58, 0)
    body = answer.body
    assert isinstance(body, Icmp)
    assert (body.rest, len(body.quoted), QUOTED6_MAX) == (1_280, 1_232, 1_232)
    quote = icmp.decode_quoted(body.quoted)
    assert (quote.src, quote.sport, quote.dst, quote.dport, quote.seq) == (*flow, 100)
    other = unreachable(long, icmp6.DEST_UNREACH, icmp6.NO_ROUTE, mtu=1_280).body
    assert isinstance(other, Icmp)
    assert other.rest == 0


@pytest.mark.parametrize(
    ("quoted", "says"),
    [
        pytest.param(RAW[:39], "40 octets", id="less than a header"),
        pytest.param(RAW[:47], "too little", id="no ports"),
    ],
)
def test_malformed_quotes(quoted: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        icmp.decode_quoted(quoted)


# Neighbour discovery.

OURS, THEIRS = "02:00:00:00:01:01", "02:00:00:00:01:02"
GROUP = ndisc.solicited_node(PEER)
ASK = Ndisc(ndisc.SOLICIT, sender=HERE, to=GROUP, target=PEER, mac=OURS)
TELL = Ndisc(
    ndisc.ADVERTISE, sender=PEER, to=HERE, target=PEER, mac=THEIRS, solicited=True, override=True
)
BRIEF = Ndisc(ndisc.ADVERTISE, sender=PEER, to=HERE, target=PEER, solicited=True)


@pytest.mark.parametrize("message", [ASK, TELL, BRIEF])
def test_neighbour_discovery_survives_the_wire(message: Ndisc) -> None:
    read = ethernet.decode(ethernet.encode(Frame(ndisc.group_mac(GROUP), OURS, message)))
    assert isinstance(read.body, Ndisc)
    assert fields(read.body) == fields(message)
    assert read.dst == "33:33:ff:00:00:02"


def test_a_packet_survives_ethernet() -> None:
    for body in (Icmp(icmp6.ECHO, 0, 0, b"hello"), Segment((HERE, 1, PEER, 2), 1, 0, RST, 0)):
        proto = 58 if isinstance(body, Icmp) else 6
        read = ethernet.decode(
            ethernet.encode(Frame(THEIRS, OURS, Packet(HERE, PEER, proto, body)))
        )
        assert isinstance(read.body, Packet)
        assert fields(read.body.body) == fields(body)


def test_names_of_neighbour_discovery() -> None:
    assert GROUP == "ff02::1:ff00:2"
    assert ndisc.link_local(OURS) == "fe80::ff:fe00:101"
    assert ASK.show() == f"ND: who has {PEER}? tell {HERE}"
    assert TELL.show() == f"ND: {PEER} is at {THEIRS}"
    assert BRIEF.show() == f"ND: {PEER} is at the same address"


ASKS = ndisc.to_icmp(ASK)


@pytest.mark.parametrize(
    ("message", "hops", "says"),
    [
        pytest.param(ASKS, 254, "from afar", id="passed on"),
        pytest.param(Icmp(135, 1, 0, ASKS.quoted), 255, "from afar", id="another code"),
        pytest.param(Icmp(135, 0, 0, ASKS.quoted[:15]), 255, "cut off", id="cut off"),
        pytest.param(
            Icmp(135, 0, 0, ASKS.quoted[:16] + bytes(8)), 255, "without a length", id="no length"
        ),
    ],
)
def test_malformed_neighbour_discovery(message: Icmp, hops: int, says: str) -> None:
    frame = Frame(OURS, THEIRS, Packet(HERE, GROUP, PROTO_ICMPV6, message, hops))
    with pytest.raises(WireError, match=says):
        ethernet.decode(ethernet.encode(frame))


def test_options_of_other_kinds_are_passed_over() -> None:
    nonce = b"\x0e\x01" + bytes(6)
    message = Icmp(135, 0, 0, ASKS.quoted[:16] + nonce + ASKS.quoted[16:])
    frame = Frame(OURS, THEIRS, Packet(HERE, GROUP, PROTO_ICMPV6, message, 255))
    read = ethernet.decode(ethernet.encode(frame)).body
    assert isinstance(read, Ndisc)
    assert read.mac == OURS
