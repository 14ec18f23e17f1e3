"""The neighbours of a LAN: asked for, believed for a while, doubted, given up.

Linux neigh_update.
"""

from typing import Final

import pytest

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.net.neighbours import (
    DELAY,
    FAILED,
    INCOMPLETE,
    PROBE,
    REACHABLE,
    STALE,
    Neighbour,
    Neighbours,
    Times,
)
from halfopen.net.sysctl import with_defaults
from halfopen.wire import arp
from halfopen.wire.arp import Arp
from halfopen.wire.ethernet import BROADCAST, NOBODY
from halfopen.wire.ip import Packet

HERE, PEER = "10.0.0.1", "10.0.0.2"
OURS, THEIRS, OTHERS = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
START: Final = 100 * S


class Lan:
    """A table of neighbours, the frames that leave, and the time."""

    def __init__(self, **sysctl: int) -> None:
        changed = {f"net.ipv4.neigh.eth0.{name}": value for name, value in sysctl.items()}
        times = Times(with_defaults(changed))
        self.table = Neighbours(HERE, OURS, times, 0, Rng(0))
        self.now = START

    def sends(self, text: bytes = b"", *, confirmed: bool = False) -> None:
        self.table.send(Packet(HERE, PEER, 132, text), PEER, self.now, confirmed=confirmed)

    def leaves(self) -> list[str]:
        """What left: to whom, and what."""
        told = [
            f"{frame.dst} {frame.body.show() if isinstance(frame.body, Arp) else 'a packet'}"
            for frame in self.table.frames
        ]
        self.table.frames.clear()
        return told

    @property
    def peer(self) -> Neighbour:
        return self.table.find(PEER)

    def hears(
        self, op: int, *, unicast: bool = True, mac: str = THEIRS, target: str = HERE
    ) -> None:
        message = Arp(op, sender=PEER, sender_mac=mac, target=target, target_mac=NOBODY)
        self.table.receive(message, self.now, own=(HERE,), unicast=unicast)

    def passes(self, until: int) -> None:
        """Let every timer of the peer fire that is due by then."""
        while self.peer.at is not None and self.peer.at <= until:
            self.now = self.peer.at
            self.table.passed(self.peer, self.now)
        self.now = until


ASKS: Final = f"{BROADCAST} ARP: who has {PEER}? tell {HERE}"
PACKET: Final = f"{THEIRS} a packet"


def reachable() -> Lan:
    lan = Lan()
    lan.sends()
    lan.hears(arp.REPLY)
    lan.leaves()
    return lan


def test_one_that_is_not_known_is_asked_for_and_the_packet_waits() -> None:
    lan = Lan()
    lan.sends()
    assert lan.leaves() == [ASKS]
    lan.sends()
    assert lan.leaves() == [], "it is asked for already"
    lan.hears(arp.REPLY)
    assert lan.leaves() == [PACKET, PACKET]
    assert (lan.peer.state, lan.peer.queued) == (REACHABLE, 0)


def test_one_that_does_not_answer_is_given_up_after_three_times() -> None:
    lan = Lan()
    lan.sends()
    lan.passes(START + 10 * S)
    assert lan.leaves() == [ASKS] * 3
    assert lan.peer.state == FAILED
    assert [packet.dst for packet in lan.table.failed] == [PEER]
    lan.sends()
    assert lan.leaves() == [ASKS], "and asked for anew"


def test_what_waits_is_bounded_and_the_oldest_goes() -> None:
    lan = Lan(unres_qlen_bytes=2_000)
    for text in (b"first", b"second", b"third", b"fourth"):
        lan.sends(text)
    waiting = [load.body for load in lan.peer.queue if isinstance(load, Packet)]
    assert waiting[-1] == b"fourth"
    assert b"first" not in waiting


def test_one_that_asks_for_us_is_answered_and_remembered_as_stale() -> None:
    lan = Lan()
    lan.hears(arp.REQUEST, unicast=False)
    assert lan.leaves() == [f"{THEIRS} ARP: {HERE} is at {OURS}"]
    assert lan.peer.state == STALE
    lan.hears(arp.REQUEST, unicast=False)
    assert lan.peer.state == STALE


@pytest.mark.parametrize(
    "message",
    [
        pytest.param((arp.REQUEST, "10.0.0.9"), id="a question for somebody else"),
        pytest.param((arp.REPLY, HERE), id="an answer that nobody asked for"),
    ],
)
def test_what_does_not_concern_us_is_not_learnt(message: tuple[int, str]) -> None:
    lan = Lan()
    op, target = message
    lan.hears(op, target=target)
    assert (lan.table.table, lan.leaves()) == ({}, [])


def test_an_answer_to_everybody_is_believed_a_little() -> None:
    lan = Lan()
    lan.sends()
    lan.hears(arp.REPLY, unicast=False)
    assert lan.peer.state == STALE


def test_a_stale_one_gets_its_packet_and_is_asked_after_five_seconds() -> None:
    lan = Lan()
    lan.hears(arp.REQUEST, unicast=False)
    lan.leaves()
    lan.sends()
    assert (lan.leaves(), lan.peer.state) == ([PACKET], DELAY)
    lan.passes(START + 6 * S)
    assert lan.leaves() == [f"{THEIRS} ARP: who has {PEER}? tell {HERE}"]
    assert lan.peer.state == PROBE
    lan.passes(START + 12 * S)
    assert lan.peer.state == FAILED


def test_word_of_tcp_spares_the_question() -> None:
    lan = Lan()
    lan.hears(arp.REQUEST, unicast=False)
    lan.sends()
    lan.now += 3 * S
    lan.sends(confirmed=True)
    lan.leaves()
    lan.passes(START + 6 * S)
    assert (lan.leaves(), lan.peer.state) == ([], REACHABLE)


def test_a_reachable_one_becomes_stale_when_nobody_asks() -> None:
    lan = reachable()
    lan.passes(START + 100 * S)
    assert lan.peer.state == STALE
    assert lan.leaves() == []


def test_a_reachable_one_that_is_used_is_doubted_first() -> None:
    lan = reachable()
    assert lan.peer.at is not None
    lan.now = lan.peer.at - S
    lan.sends()
    lan.leaves()
    lan.passes(lan.peer.at + 10 * S)
    assert lan.leaves()[:1] == [f"{THEIRS} ARP: who has {PEER}? tell {HERE}"]


def test_a_reachable_one_that_tcp_hears_from_stays_so() -> None:
    lan = reachable()
    for _ in range(20):
        lan.now += 5 * S
        lan.sends(confirmed=True)
        lan.passes(lan.now)
    assert lan.peer.state == REACHABLE
    assert set(lan.leaves()) == {PACKET}


def test_another_hardware_address_takes_its_place() -> None:
    lan = reachable()
    lan.hears(arp.REQUEST, unicast=False, mac=OTHERS)
    assert (lan.peer.mac, lan.peer.state) == (OTHERS, STALE)


def test_waiting_for_an_answer_it_is_incomplete() -> None:
    lan = Lan()
    lan.sends()
    assert lan.peer.state == INCOMPLETE
    assert [neighbour.address for neighbour in lan.table.rearm] == [PEER]
