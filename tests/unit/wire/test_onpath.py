"""What a machine on the way does with packets: picks, answers, forges."""

import pytest

from halfopen.wire import icmp
from halfopen.wire.icmp import Icmp, decode_quoted
from halfopen.wire.ip import Packet, encode
from halfopen.wire.onpath import ROUTER, error_about, flags, forged, picks, unreachable
from halfopen.wire.tcp import ACK, FIN, PSH, RST, SYN, Segment
from halfopen.wire.udp import Datagram

HERE, PEER = "10.0.0.1", "10.0.0.2"
FLOW = (HERE, 40_000, PEER, 80)


def segment(number: int, text: bytes = b"") -> Packet:
    return Packet(HERE, PEER, 6, Segment(FLOW, 100, 200, number, 1_000, text, ts_val=7, ts_ecr=8))


SYNS, SYNACK = segment(SYN), segment(SYN | ACK)
BARE, TEXT, LAST = segment(ACK), segment(PSH | ACK, b"hi"), segment(FIN | ACK)
DATAGRAM = Packet(HERE, PEER, 17, Datagram(1, 2, b""))


@pytest.mark.parametrize(
    ("pick", "picked"),
    [
        ("any", [SYNS, SYNACK, BARE, TEXT, LAST, DATAGRAM]),
        ("SYN", [SYNS]),
        ("SYN,ACK", [SYNACK]),
        ("bare ACK", [BARE]),
        ("text", [TEXT]),
        ("FIN", [LAST]),
        ("RST", []),
    ],
)
def test_picks(pick: str, picked: list[Packet]) -> None:
    everything = [SYNS, SYNACK, BARE, TEXT, LAST, DATAGRAM]
    assert [packet for packet in everything if picks(pick, packet)] == picked


def test_flags_by_name() -> None:
    assert flags("RST,ACK") == RST | ACK
    with pytest.raises(KeyError):
        flags("XXX")


def test_an_error_quotes_what_it_is_about() -> None:
    long = segment(ACK, bytes(2_000))
    error = unreachable(long, icmp.DEST_UNREACH, icmp.HOST_UNREACH)
    assert (error.src, error.dst) == (ROUTER, HERE)
    body = error.body
    assert isinstance(body, Icmp)
    quote = decode_quoted(body.quoted)
    assert (quote.src, quote.sport, quote.dst, quote.dport, quote.seq) == (*FLOW, 100)
    assert len(encode(error)) == 576


@pytest.mark.parametrize(
    ("code", "rest"), [(icmp.FRAG_NEEDED, 1_000), (icmp.HOST_UNREACH, 0)], ids=["names", "does not"]
)
def test_only_fragmentation_needed_names_an_mtu(code: int, rest: int) -> None:
    body = unreachable(TEXT, icmp.DEST_UNREACH, code, mtu=1_000).body
    assert isinstance(body, Icmp)
    assert body.rest == rest


def test_a_forged_segment_goes_on_where_the_last_one_ended() -> None:
    made = forged(TEXT, "PSH,ACK", seq=0, ack=0, text=b"evil")
    assert made is not None
    seg = made.body
    assert isinstance(seg, Segment)
    assert (seg.seq, seg.ack, seg.text, seg.ts_val) == (102, 200, b"evil", 7)
    reset = forged(TEXT, "RST", seq=5, ack=0, text=b"")
    assert reset is not None
    assert isinstance(reset.body, Segment)
    assert (reset.body.seq, reset.body.ack) == (107, 0)


def test_there_is_nothing_to_go_on_from() -> None:
    assert forged(DATAGRAM, "RST", seq=0, ack=0, text=b"") is None


def test_an_error_about_a_datagram() -> None:
    assert isinstance(error_about(DATAGRAM, icmp.DEST_UNREACH, 3, PEER).body, Icmp)
