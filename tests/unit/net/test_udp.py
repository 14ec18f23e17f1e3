"""Whose is a datagram, and what a socket hears of errors.

Linux udp4_lib_lookup2, __udp4_lib_err.
"""

from errno import ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENOPROTOOPT, EPROTO

import pytest

from halfopen.net.udp import Udp, UdpEnd
from halfopen.wire import icmp
from halfopen.wire.address import ANY
from halfopen.wire.icmp import Icmp, Quote
from halfopen.wire.udp import Datagram

HERE, PEER, OTHER = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def end(
    address: str = ANY, port: int = 53, peer: tuple[str, int] | None = None, rcvbuf: int = 10_000
) -> UdpEnd:
    made = UdpEnd(rcvbuf)
    made.address, made.port, made.peer = address, port, peer
    return made


def network(*ends: UdpEnd) -> Udp:
    udp = Udp()
    for one in ends:
        udp.add(one)
    return udp


def test_a_datagram_is_queued_and_its_socket_woken() -> None:
    one = end()
    udp = network(one)
    assert udp.deliver(PEER, HERE, Datagram(1000, 53, b"ask"))
    assert udp.woken == [one]
    first = one.take(peek=True)
    assert (first.source, first.sport, first.data) == (PEER, 1000, b"ask")
    assert one.take(peek=False) is first
    assert (len(one.queue), one.rmem) == (0, 0)


def test_nobody_has_the_port() -> None:
    one = end()
    udp = network(one)
    assert not udp.deliver(PEER, HERE, Datagram(1000, 54, b""))
    udp.remove(one)
    assert not udp.deliver(PEER, HERE, Datagram(1000, 53, b""))
    assert udp.ends == {}


def test_what_does_not_fit_is_dropped_without_a_word_but_never_the_first() -> None:
    one = end(rcvbuf=1_000)
    udp = network(one)
    for text in (bytes(5_000), b"lost"):
        assert udp.deliver(PEER, HERE, Datagram(1000, 53, text))
    assert [len(received.data) for received in one.queue] == [5_000]


@pytest.mark.parametrize(
    ("others", "wins"),
    [
        pytest.param([end(ANY)], 0, id="the only one"),
        pytest.param([end(ANY), end(HERE)], 1, id="its own address"),
        pytest.param([end(HERE), end(ANY, peer=(PEER, 1000))], 0, id="address before peer"),
        pytest.param([end(ANY), end(ANY, peer=(PEER, 1000))], 1, id="its peer"),
        pytest.param([end(ANY), end(ANY, peer=(OTHER, 1000))], 0, id="not another's peer"),
        pytest.param([end(OTHER), end(ANY)], 1, id="not another address"),
        pytest.param([end(ANY), end(ANY)], 1, id="of equals the one that was bound last"),
    ],
)
def test_the_socket_that_fits_best(others: list[UdpEnd], wins: int) -> None:
    assert network(*others).find(HERE, 53, PEER, 1000) is others[wins]


def test_one_of_several_is_removed() -> None:
    one, other = end(HERE), end(ANY)
    udp = network(one, other)
    udp.remove(one)
    assert udp.find(HERE, 53, PEER, 1000) is other


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        pytest.param(icmp.DEST_UNREACH, icmp.PORT_UNREACH, ECONNREFUSED, id="port"),
        pytest.param(icmp.DEST_UNREACH, icmp.PROTOCOL_UNREACH, ENOPROTOOPT, id="protocol"),
        pytest.param(icmp.DEST_UNREACH, 13, EHOSTUNREACH, id="administratively prohibited"),
        pytest.param(icmp.DEST_UNREACH, icmp.FRAG_NEEDED, EMSGSIZE, id="fragmentation needed"),
        pytest.param(icmp.DEST_UNREACH, icmp.HOST_UNREACH, 0, id="host: soft"),
        pytest.param(icmp.DEST_UNREACH, 99, 0, id="an unknown code"),
        pytest.param(icmp.PARAMETER_PROBLEM, 0, EPROTO, id="parameter problem"),
        pytest.param(icmp.TIME_EXCEEDED, 0, 0, id="time exceeded"),
    ],
)
def test_a_connected_socket_hears_of_errors(kind: int, code: int, error: int) -> None:
    one = end(HERE, 1000, (PEER, 53))
    udp = network(one)
    udp.error(Quote(17, HERE, 1000, PEER, 53, 0, 20), Icmp(kind, code, 0, b""), PEER)
    assert one.so_error == error
    assert udp.woken == ([one] if error else [])


def test_others_never_hear_of_them() -> None:
    one = end(HERE, 1000)
    udp = network(one)
    refused = Icmp(icmp.DEST_UNREACH, icmp.PORT_UNREACH, 0, b"")
    udp.error(Quote(17, HERE, 1000, PEER, 53, 0, 20), refused, PEER)
    udp.error(Quote(17, HERE, 1001, PEER, 53, 0, 20), refused, PEER)
    assert (one.so_error, udp.woken) == (0, [])


@pytest.mark.parametrize(("zone", "wins"), [(2, 1), (3, 0)])
def test_one_that_is_tied_to_an_interface(zone: int, wins: int) -> None:
    """Linux udp_sk_bound_dev_eq: it comes before the others, and takes nothing else."""
    ends = [end(ANY), end(ANY), end(ANY)]
    ends[1].bound_if = 2
    ends[2].bound_if = 4
    assert network(*ends).find(HERE, 53, PEER, 1000, zone) is ends[wins]
