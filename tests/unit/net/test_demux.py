"""Whose is a segment: a connection's, a listener's, or nobody's."""

import pytest
from tests.unit.tcp.ends import Nobody

from halfopen.base.rng import Rng
from halfopen.net.demux import Demux, arriving
from halfopen.net.sysctl import with_defaults
from halfopen.tcp.config import Config
from halfopen.tcp.effects import Effects
from halfopen.tcp.iss import Secret
from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import ANY

CONFIG = Config(with_defaults({}), 0)
FLOW = ("10.0.0.1", 80, "10.0.0.2", 40_000)  # as we send


class Alone(Nobody):
    """A listener without SO_REUSEPORT."""

    def shares(self) -> bool:
        return False


def listener(*, shares: bool = True, v6: bool = False, zone: int = 0) -> Listening:
    owner = Nobody() if shares else Alone()
    made = Listening(owner, CONFIG, Effects(), Secret(Rng(0)), backlog=1)
    made.v6, made.bound_if = v6, zone
    return made


def connection() -> Tcb:
    return Tcb(FLOW, CONFIG, Effects(), iss=1)


def coming(port: int = 40_000, *, to: str = "10.0.0.1") -> tuple[str, int, str, int]:
    return ("10.0.0.2", port, to, 80)


def test_a_flow_is_found_as_it_arrives() -> None:
    demux, tcb = Demux(), connection()
    demux.add(tcb)
    assert demux.flows[arriving(FLOW)] is tcb
    assert arriving(arriving(FLOW)) == FLOW


def test_two_connections_with_one_flow_are_our_bug() -> None:
    demux = Demux()
    demux.add(connection())
    with pytest.raises(AssertionError, match="two connections"):
        demux.add(connection())


def test_a_connection_that_was_replaced_does_not_take_its_heir_along() -> None:
    demux, old, new = Demux(), connection(), connection()
    demux.add(old)
    demux.remove(old)
    demux.add(new)
    demux.remove(old)
    assert demux.flows[arriving(FLOW)] is new


def test_the_very_address_comes_before_all_addresses() -> None:
    demux, everywhere, here = Demux(), listener(), listener()
    demux.listen(ANY, 80, everywhere)
    assert demux.listener(coming()) is everywhere
    demux.listen("10.0.0.1", 80, here)
    assert demux.listener(coming()) is here
    assert demux.listener(coming(to="10.0.0.9")) is everywhere


def test_nobody_listens() -> None:
    demux, one = Demux(), listener()
    assert demux.listener(coming()) is None
    demux.listen(ANY, 80, one)
    demux.unlisten(ANY, 80, one)
    assert demux.listener(coming()) is None
    assert demux.listening == {}


def test_a_group_shares_the_peers_and_each_stays_with_its_own() -> None:
    """SO_REUSEPORT: the peer's address and port choose."""
    demux = Demux()
    group = [listener() for _ in range(3)]
    for member in group:
        demux.listen(ANY, 80, member)
    chosen = [demux.listener(coming(port)) for port in range(40_000, 40_060)]
    assert {group.index(member) for member in chosen if member is not None} == {0, 1, 2}
    assert chosen == [demux.listener(coming(port)) for port in range(40_000, 40_060)]
    demux.unlisten(ANY, 80, group[0])
    assert demux.listener(coming()) in group[1:]


@pytest.mark.parametrize(
    ("listeners", "found"),
    [
        pytest.param((listener(zone=2), listener()), 1, id="the latest, if it shares"),
        pytest.param((listener(), listener(zone=2)), 1, id="the latest, and it is tied"),
        pytest.param((listener(), listener(zone=3)), 0, id="tied to another interface"),
        pytest.param(
            (listener(v6=True), listener(v6=True, zone=2)), 0, id="of IPv6, if it shares, the first"
        ),
        pytest.param(
            (listener(shares=False, zone=2), listener(shares=False)), 0, id="tied, if none shares"
        ),
        pytest.param(
            (listener(shares=False), listener(shares=False, v6=True)), 0, id="of IPv4, likewise"
        ),
        pytest.param(
            (listener(shares=False, v6=True, zone=2), listener(shares=False)),
            1,
            id="of equals the latest",
        ),
        pytest.param(
            (listener(shares=False), listener(v6=True, zone=2)), 0, id="of IPv6, behind its equal"
        ),
    ],
)
def test_who_of_several_takes_a_syn(listeners: tuple[Listening, ...], found: int) -> None:
    """Linux inet_lhash2_lookup, compute_score."""
    demux = Demux()
    for one in listeners:
        demux.listen(ANY, 80, one)
    assert demux.listener(coming(), 2) is listeners[found]


def test_a_group_has_those_that_are_alike() -> None:
    demux = Demux()
    only = listener(v6=True)
    only.v6only = True
    unlike = (listener(v6=True), only, listener(zone=2), listener(shares=False))
    for one in (listener(), *unlike, listener()):
        demux.listen(ANY, 80, one)
    assert [len(one.group) for one in demux.listening[ANY, 80]] == [2, 0, 1, 2, 1, 1]


def test_who_listened_before_it_shared_joins_with_the_next() -> None:
    demux, owner = Demux(), Alone()
    first = Listening(owner, CONFIG, Effects(), Secret(Rng(0)), backlog=1)
    demux.listen(ANY, 80, first)
    first.user = Nobody()
    second = listener()
    demux.listen(ANY, 80, second)
    assert first.group is second.group
    assert first.group == [first, second]
    second.user = owner
    assert {demux.listener(coming(port)) for port in range(40_000, 40_009)} == {second}
