"""What becomes of a packet on a bad way."""

from typing import Final

import pytest

from halfopen.base.rng import Rng
from halfopen.record.fates import DAMAGED, LOST, QUEUE_FULL
from halfopen.record.faults import Impair
from halfopen.wire.impairment import Impairment
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.tcp import ACK, Segment

ALWAYS: Final = 1_000
FLOW6: Final = ("2001:db8::1", 1, "2001:db8::2", 2)


def packet() -> Packet:
    flow = ("10.0.0.1", 1, "10.0.0.2", 2)
    return Packet("10.0.0.1", "10.0.0.2", PROTO_TCP, Segment(flow, 1, 2, ACK, 3, bytes(100)))


def way(**chances: int) -> Impairment:
    return Impairment(Impair(link="a-b", towards="b", **chances), Rng(0))


@pytest.mark.parametrize(
    ("chances", "whys"),
    [
        ({}, {""}),
        ({"loss": ALWAYS}, {LOST}),
        ({"corrupt": ALWAYS}, {DAMAGED}),
        ({"rate_bps": 1_000, "queue": 1}, {"", QUEUE_FULL}),
    ],
    ids=["a good one", "loss", "damage", "a full queue"],
)
def test_why_a_packet_is_lost(chances: dict[str, int], whys: set[str]) -> None:
    """A checksum tells of one damaged bit, wherever it is; but for IP's fields without one."""
    impaired = way(**chances)
    assert {impaired.fate(packet(), 0).why for _ in range(200)} - {""} == whys - {""}
    assert impaired.fate(packet(), 1 << 60).why in whys | {""}


def test_doubling_and_overtaking_leave_it_whole() -> None:
    fate = way(duplicate=ALWAYS, reorder=ALWAYS, late_ns=50).fate(packet(), 7)
    assert (fate.why, fate.doubled, fate.leaves) == ("", True, 7)
    assert 1 <= fate.late_ns <= 50


def test_what_no_checksum_covers_arrives_damaged() -> None:
    """IPv6 has none over hop limit and flow label (RFC 8200 3)."""
    whole = Packet("2001:db8::1", "2001:db8::2", PROTO_TCP, Segment(FLOW6, 1, 2, ACK, 3, b"x"))
    impaired = way(corrupt=ALWAYS)
    fates = [impaired.fate(whole, 0) for _ in range(300)]
    (ttl, *_) = {fate.packet.ttl for fate in fates if not fate.why} - {whole.ttl}
    assert (ttl ^ whole.ttl).bit_count() == 1
    assert {fate.why for fate in fates} == {"", DAMAGED}
