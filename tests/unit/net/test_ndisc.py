"""Neighbour discovery: where it differs from ARP; what they share is in ``test_neighbours``.

Linux ndisc_recv_ns, ndisc_recv_na, ndisc_solicit.
"""

from typing import Final

import pytest
from tests.unit.net.hosts import HERE6, NOW, PEER6, Host
from tests.unit.net.test_neighbours import OTHERS, OURS, START, THEIRS

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.net.interfaces import Interface
from halfopen.net.neighbours import (
    DELAY,
    FAILED,
    PROBE,
    REACHABLE,
    STALE,
    Neighbour,
    Neighbours,
    Times,
)
from halfopen.net.sysctl import with_defaults
from halfopen.tcp.states import State
from halfopen.wire import ndisc
from halfopen.wire.ethernet import Frame
from halfopen.wire.ip import Packet
from halfopen.wire.ndisc import ADVERTISE, SOLICIT, Ndisc

GROUP: Final = ndisc.solicited_node(PEER6)
GROUP_MAC: Final = ndisc.group_mac(GROUP)


class Lan6:
    """A table of IPv6 neighbours, the frames that leave, and the time."""

    def __init__(self) -> None:
        times = Times(with_defaults({}), "ipv6")
        self.table = Neighbours(HERE6, OURS, times, 0, Rng(0))
        self.now = START

    def sends(self) -> None:
        self.table.send(Packet(HERE6, PEER6, 132, b""), PEER6, self.now, confirmed=False)

    def leaves(self) -> list[str]:
        told = []
        for frame in self.table.frames:
            body = frame.body
            assert not isinstance(body, Packet) or body.dst == PEER6
            what = body.show() if isinstance(body, Ndisc) else "a packet"
            told.append(f"{frame.dst} {what}")
        self.table.frames.clear()
        return told

    @property
    def peer(self) -> Neighbour:
        return self.table.find(PEER6)

    def asked(self, *, to: str = HERE6, mac: str = THEIRS, target: str = HERE6) -> None:
        message = Ndisc(SOLICIT, sender=PEER6, to=to, target=target, mac=mac)
        self.table.discover(message, self.now, own=(HERE6,), zone=2)

    def told(self, *, mac: str = THEIRS, solicited: bool = True, override: bool = True) -> None:
        message = Ndisc(
            ADVERTISE,
            sender=PEER6,
            to=HERE6,
            target=PEER6,
            mac=mac,
            solicited=solicited,
            override=override,
        )
        self.table.discover(message, self.now, own=(HERE6,), zone=2)

    def passes(self, until: int) -> None:
        while self.peer.at is not None and self.peer.at <= until:
            self.now = self.peer.at
            self.table.passed(self.peer, self.now)
        self.now = until


ASKS: Final = f"{GROUP_MAC} ND: who has {PEER6}? tell {HERE6}"
PACKET: Final = f"{THEIRS} a packet"


def reachable() -> Lan6:
    lan = Lan6()
    lan.sends()
    lan.told()
    assert lan.leaves() == [ASKS, PACKET]
    assert lan.peer.state == REACHABLE
    return lan


def test_a_silent_neighbour_is_asked_for_in_its_group_three_times() -> None:
    lan = Lan6()
    lan.sends()
    lan.passes(START + 10 * S)
    assert lan.leaves() == [ASKS] * 3
    assert lan.peer.state == FAILED
    assert [packet.dst for packet in lan.table.failed] == [PEER6]
    lan.told()
    assert lan.peer.state == FAILED, "it is not asked for any more"


def test_a_stale_neighbour_is_asked_itself() -> None:
    lan = reachable()
    lan.passes(START + 60 * S)
    assert lan.peer.state == STALE
    lan.sends()
    assert lan.peer.state == DELAY
    lan.passes(lan.now + 5 * S + S // 2)
    assert lan.leaves() == [PACKET, f"{THEIRS} ND: who has {PEER6}? tell {HERE6}"]
    assert lan.peer.state == PROBE
    lan.told(mac="", override=False)
    assert (lan.peer.state, lan.peer.mac) == (REACHABLE, THEIRS)


@pytest.mark.parametrize(
    ("to", "mac", "answer"),
    [
        pytest.param(ndisc.solicited_node(HERE6), THEIRS, OURS, id="in the group"),
        pytest.param(HERE6, THEIRS, "the same address", id="by itself"),
    ],
)
def test_a_question_is_answered_and_the_asker_remembered(to: str, mac: str, answer: str) -> None:
    lan = Lan6()
    lan.asked(to=to, mac=mac)
    assert lan.leaves() == [f"{THEIRS} ND: {HERE6} is at {answer}"]
    assert lan.peer.state == DELAY, "the answer was sent to one who is stale"


def test_an_asker_who_says_no_hardware_address_is_asked_first() -> None:
    lan = Lan6()
    lan.asked(mac="")
    assert lan.leaves() == [ASKS]
    lan.told()
    assert lan.leaves() == [f"{THEIRS} ND: {HERE6} is at the same address"]
    lan = Lan6()
    lan.asked(mac="")
    lan.passes(START + 10 * S)
    assert lan.leaves() == [ASKS] * 3
    assert lan.table.failed == [], "nobody is told that an answer did not go out"


def test_a_question_for_somebody_else_is_not_answered() -> None:
    lan = Lan6()
    lan.asked(target="2001:db8::3")
    assert (lan.leaves(), lan.table.table) == ([], {})


def test_a_question_from_one_without_an_address_is_not_answered() -> None:
    lan = Lan6()
    message = Ndisc(SOLICIT, sender="::", to=ndisc.solicited_node(HERE6), target=HERE6)
    lan.table.discover(message, lan.now, own=(HERE6,), zone=2)
    assert lan.leaves() == []


def test_an_answer_that_nobody_asked_for_creates_nothing() -> None:
    lan = Lan6()
    lan.told()
    assert lan.table.table == {}
    lan.sends()
    lan.told(mac="")
    assert lan.leaves() == [ASKS], "where, it did not say"


@pytest.mark.parametrize(
    ("override", "solicited", "mac", "state"),
    [
        pytest.param(True, True, OTHERS, REACHABLE, id="overrides"),
        pytest.param(True, False, OTHERS, STALE, id="overrides unasked"),
        pytest.param(False, True, THEIRS, STALE, id="only casts doubt"),
        pytest.param(False, False, THEIRS, STALE, id="only casts doubt, unasked"),
    ],
)
def test_another_hardware_address(override: bool, solicited: bool, mac: str, state: int) -> None:
    lan = reachable()
    lan.told(mac=OTHERS, override=override, solicited=solicited)
    assert (lan.peer.mac, lan.peer.state) == (mac, state)


def test_another_hardware_address_is_not_heard_where_the_known_one_is_doubtful() -> None:
    lan = reachable()
    lan.passes(START + 60 * S)
    lan.told(mac=OTHERS, override=False)
    assert (lan.peer.mac, lan.peer.state) == (THEIRS, STALE)


# In the network layer.


class OnALan6(Host):
    def __init__(self) -> None:
        super().__init__(here="fe80::1", peer="fe80::2")
        self.neighbours = Neighbours("fe80::1%2", OURS, Times(with_defaults({}), "ipv6"), 0, Rng(0))
        self.link.neighbours = (self.neighbours,)
        self.ip.on_lan = True

    def frames(self) -> list[Frame]:
        self.ip.settle(NOW)
        loads = [load for _, load in self.ip.outbox]
        self.ip.outbox.clear()
        return [load for load in loads if isinstance(load, Frame)]


def test_on_a_lan_the_neighbour_is_asked_for_before_the_syn_leaves() -> None:
    host = OnALan6()
    tcb = host.connect(to="fe80::2%2", source="fe80::1%2")
    (question,) = host.frames()
    assert isinstance(question.body, Ndisc)
    assert (question.dst, question.body.sender, question.body.to) == (
        "33:33:ff:00:00:02",
        "fe80::1",
        "ff02::1:ff00:2",
    )
    answer = Ndisc(ADVERTISE, sender="fe80::2", to="fe80::1", target="fe80::2", mac=THEIRS)
    host.ip.receive(Frame(OURS, THEIRS, answer), 0, NOW)
    (frame,) = host.frames()
    assert (frame.dst, type(frame.body)) == (THEIRS, Packet)
    assert tcb.state is State.SYN_SENT


def test_a_family_that_is_not_spoken_on_a_lan_is_not_heard() -> None:
    host = OnALan6()
    host.link.neighbours = (Neighbours("10.0.0.1", OURS, Times(with_defaults({})), 0, Rng(0)),)
    question = Ndisc(SOLICIT, sender="fe80::2", to="fe80::1", target="fe80::1", mac=THEIRS)
    host.ip.receive(Frame(OURS, THEIRS, question), 0, NOW)
    assert host.frames() == []


def test_an_interface_has_a_number_for_programs() -> None:
    assert Interface(0, "eth0", ()).zone == 2
