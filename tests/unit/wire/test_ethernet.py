"""Ethernet frames and the ARP messages in them (RFC 826)."""

import pytest
from tests.unit.wire.fields import fields

from halfopen.wire import arp, ethernet
from halfopen.wire.arp import Arp
from halfopen.wire.errors import WireError
from halfopen.wire.ethernet import BROADCAST, NOBODY, Frame, mac_of
from halfopen.wire.ip import Packet

OURS, THEIRS = "02:00:00:00:00:01", "02:00:00:00:00:02"
ASK = Arp(arp.REQUEST, sender="10.0.0.1", sender_mac=OURS, target="10.0.0.2", target_mac=NOBODY)
TELL = Arp(arp.REPLY, sender="10.0.0.2", sender_mac=THEIRS, target="10.0.0.1", target_mac=OURS)


def test_an_arp_message_lies_as_the_rfc_lays_it() -> None:
    laid = "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"
    assert arp.encode(ASK) == bytes.fromhex(laid.replace(" ", ""))


@pytest.mark.parametrize("message", [ASK, TELL])
def test_an_arp_message_survives_the_wire(message: Arp) -> None:
    read = ethernet.decode(ethernet.encode(Frame(BROADCAST, OURS, message)))
    assert isinstance(read.body, Arp)
    assert fields(read.body) == fields(message)
    assert (read.dst, read.src) == (BROADCAST, OURS)


def test_a_packet_survives_the_wire() -> None:
    packet = Packet("10.0.0.1", "10.0.0.2", 132, b"hello")
    read = ethernet.decode(ethernet.encode(Frame(THEIRS, OURS, packet)))
    assert isinstance(read.body, Packet)
    assert read.body.body == b"hello"


def test_every_place_on_every_lan_has_its_own_address() -> None:
    assert [mac_of(lan, place) for lan in range(2) for place in range(2)] == [
        "02:00:00:00:01:01",
        "02:00:00:00:01:02",
        "02:00:00:00:02:01",
        "02:00:00:00:02:02",
    ]


def test_what_it_says() -> None:
    assert ASK.show() == "ARP: who has 10.0.0.2? tell 10.0.0.1"
    assert TELL.show() == f"ARP: 10.0.0.2 is at {THEIRS}"


ARP_FRAME = ethernet.encode(Frame(BROADCAST, OURS, ASK))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(ARP_FRAME[:13], "14 octets", id="cut off in the header"),
        pytest.param(ARP_FRAME[:20], "28 octets", id="cut off in the message"),
        pytest.param(
            ARP_FRAME[:15] + b"\x06" + ARP_FRAME[16:], "not for IPv4", id="of another hardware"
        ),
        pytest.param(ARP_FRAME[:12] + b"\x88\xcc" + ARP_FRAME[14:], "0x88cc", id="LLDP"),
    ],
)
def test_malformed(data: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        ethernet.decode(data)
