"""Whole packets: one that a Linux kernel sent, and what is wrong with others."""

import pytest

from halfopen.wire import icmp, ip, udp
from halfopen.wire.checksum import checksum
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import Packet
from halfopen.wire.tcp import ACK, SYN, Segment
from halfopen.wire.udp import Datagram

FLOW = ("10.0.0.1", 40000, "10.0.0.2", 80)
SYN_PACKET = Packet("10.0.0.1", "10.0.0.2", 6, Segment(FLOW, 7, 0, SYN, 64240, mss=1460), df=True)


def mended(raw: bytes, at: int, octets: bytes) -> bytes:
    """Change octets of the IP header and mend its checksum."""
    raw = raw[:at] + octets + raw[at + len(octets) :]
    raw = raw[:10] + b"\x00\x00" + raw[12:]
    return raw[:10] + checksum(raw[:20]).to_bytes(2, "big") + raw[12:]


RAW = ip.encode(SYN_PACKET)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(RAW[:19], "at least 20", id="cut off in the header"),
        pytest.param(b"", "at least 20", id="nothing"),
        pytest.param(mended(RAW, 0, b"\x75"), "version 7", id="version 7"),
        pytest.param(mended(RAW, 0, b"\x44"), "header of 16", id="a header of 16"),
        pytest.param(mended(RAW, 2, b"\x01\x00"), "packet of 256", id="longer than what is here"),
        pytest.param(mended(RAW, 2, b"\x00\x10"), "packet of 16", id="shorter than its header"),
        pytest.param(RAW[:8] + b"\x01" + RAW[9:], "header's checksum", id="a wrong checksum"),
        pytest.param(mended(RAW, 2, b"\x00\x20"), "TCP header", id="a body cut off"),
        pytest.param(
            mended(RAW, 2, b"\x00\x18\x00\x00\x00\x00\x40\x01"), "ICMP header", id="ICMP cut off"
        ),
        pytest.param(mended(RAW, 9, b"\x01"), "ICMP checksum", id="ICMP with a wrong checksum"),
        pytest.param(
            mended(RAW, 2, b"\x00\x18\x00\x00\x00\x00\x40\x11"), "UDP header", id="UDP cut off"
        ),
        pytest.param(mended(RAW, 9, b"\x11"), "UDP length", id="UDP with a wrong length"),
    ],
)
def test_malformed(raw: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        ip.decode(raw)


def test_what_stands_behind_the_end_is_passed_over() -> None:
    body = ip.decode(RAW + b"\x00" * 6).body
    assert isinstance(body, Segment)
    assert (body.mss, body.text) == (1460, b"")


def test_a_fragment_stays_bytes() -> None:
    packet = Packet("10.0.0.1", "10.0.0.2", 17, b"12345678", more=True, offset=16, ident=9)
    back = ip.decode(ip.encode(packet))
    assert (back.body, back.more, back.offset, back.ident) == (b"12345678", True, 16, 9)


def test_an_unknown_protocol_stays_bytes() -> None:
    assert ip.decode(ip.encode(Packet("10.0.0.1", "10.0.0.2", 132, b"sctp"))).body == b"sctp"


def test_udp_checksum_is_never_sent_as_zero() -> None:
    # chosen so that the sum is all ones, whose complement is 0
    data = udp.encode(Datagram(0, 0, b"\x00\x00"), "0.0.0.0", "0.0.0.0")
    sport = 0xFFFF - (~int.from_bytes(data[6:8], "big") & 0xFFFF)
    full = udp.encode(Datagram(sport, 0, b"\x00\x00"), "0.0.0.0", "0.0.0.0")
    assert full[6:8] == b"\xff\xff"
    assert udp.decode(full, "0.0.0.0", "0.0.0.0").sport == sport


def test_udp_without_a_checksum_is_believed() -> None:
    data = udp.encode(Datagram(1, 2, b"hello"), "10.0.0.1", "10.0.0.2")
    assert udp.decode(data[:6] + b"\x00\x00" + data[8:], "1.1.1.1", "2.2.2.2").data == b"hello"
    with pytest.raises(WireError, match="UDP checksum"):
        udp.decode(data, "1.1.1.1", "2.2.2.2")


def test_an_icmp_error_quotes_the_packet() -> None:
    raw = ip.encode(Packet(FLOW[0], FLOW[2], 6, Segment(FLOW, 77, 5, ACK, 9, b"text")))
    error = icmp.decode(icmp.encode(Icmp(icmp.DEST_UNREACH, icmp.PORT_UNREACH, 0, raw[:28])))
    quote = icmp.decode_quoted(error.quoted)
    assert (quote.src, quote.sport, quote.dst, quote.dport) == FLOW
    assert (quote.proto, quote.seq) == (6, 77)


@pytest.mark.parametrize(
    ("quoted", "says"),
    [
        pytest.param(RAW[:19], "less than an IP header", id="less than an IP header"),
        pytest.param(b"\x70" + RAW[1:], "other than IP", id="IPv7"),
        pytest.param(b"\x44" + RAW[1:], "other than IP", id="a header of 16"),
        pytest.param(RAW[:27], "too little", id="no ports"),
    ],
)
def test_malformed_quotes(quoted: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        icmp.decode_quoted(quoted)


#: What Linux 6.18 sent into a TUN device: a connect to 10.0.0.2:80, and b"hello" to 10.0.0.2:53.
LINUX_SYN = bytes.fromhex(
    "4500003c60b440004006c6050a0000010a000002bd2e0050edc787ff00000000a002faf0f6320000"
    "020405b40402080a89898607000000000103030a"
)
LINUX_UDP = bytes.fromhex("45000021a0924000401186370a0000010a000002d16f0035000dd65a68656c6c6f")


def test_a_syn_of_linux_is_read_and_written_again_octet_by_octet() -> None:
    packet = ip.decode(LINUX_SYN)
    seg = packet.body
    assert isinstance(seg, Segment)
    assert (packet.src, packet.dst, packet.ttl, packet.df) == ("10.0.0.1", "10.0.0.2", 64, True)
    assert seg.flow == ("10.0.0.1", 48430, "10.0.0.2", 80)
    assert (seg.flags, seg.wnd, seg.mss, seg.wscale, seg.sack_ok) == (SYN, 64240, 1460, 10, True)
    assert (seg.ts_val, seg.ts_ecr) == (0x89898607, 0)
    assert ip.encode(packet) == LINUX_SYN


def test_a_datagram_of_linux_is_read_and_written_again_octet_by_octet() -> None:
    packet = ip.decode(LINUX_UDP)
    assert isinstance(packet.body, Datagram)
    assert packet.body.data == b"hello"
    assert ip.encode(packet) == LINUX_UDP
