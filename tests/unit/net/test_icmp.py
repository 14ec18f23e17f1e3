"""ICMP errors and echoes, as the network layer takes and gives them.

Linux icmp_rcv, tcp_v4_err.
"""

from errno import (
    ECONNREFUSED,
    EHOSTDOWN,
    EHOSTUNREACH,
    EMSGSIZE,
    ENETUNREACH,
    ENONET,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPROTO,
)

import pytest
from tests.unit.net.hosts import HERE, NOW, PEER, Host

from halfopen.net.icmp import report, tcp_error
from halfopen.tcp import calls
from halfopen.tcp.states import State
from halfopen.tcp.tcb import Tcb
from halfopen.wire import icmp, ip
from halfopen.wire.icmp import Icmp, Quote
from halfopen.wire.ip import PROTO_TCP, Packet
from halfopen.wire.onpath import error_about
from halfopen.wire.tcp import ACK, FIN, SYN, Segment

ROUTER = "10.0.0.254"


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        pytest.param(icmp.DEST_UNREACH, 0, ENETUNREACH, id="net"),
        pytest.param(icmp.DEST_UNREACH, 1, EHOSTUNREACH, id="host"),
        pytest.param(icmp.DEST_UNREACH, 2, ENOPROTOOPT, id="protocol"),
        pytest.param(icmp.DEST_UNREACH, 3, ECONNREFUSED, id="port"),
        pytest.param(icmp.DEST_UNREACH, 4, 0, id="fragmentation needed"),
        pytest.param(icmp.DEST_UNREACH, 5, EOPNOTSUPP, id="source route failed"),
        pytest.param(icmp.DEST_UNREACH, 6, ENETUNREACH, id="net unknown"),
        pytest.param(icmp.DEST_UNREACH, 7, EHOSTDOWN, id="host unknown"),
        pytest.param(icmp.DEST_UNREACH, 8, ENONET, id="host isolated"),
        pytest.param(icmp.DEST_UNREACH, 13, EHOSTUNREACH, id="filtered"),
        pytest.param(icmp.DEST_UNREACH, 16, 0, id="an unknown code"),
        pytest.param(icmp.TIME_EXCEEDED, 0, EHOSTUNREACH, id="TTL"),
        pytest.param(icmp.TIME_EXCEEDED, 1, 0, id="a fragment's time"),
        pytest.param(icmp.PARAMETER_PROBLEM, 0, EPROTO, id="parameter problem"),
        pytest.param(icmp.SOURCE_QUENCH, 0, 0, id="source quench"),
        pytest.param(icmp.REDIRECT, 0, 0, id="redirect"),
    ],
)
def test_what_an_error_means_to_a_connection(kind: int, code: int, error: int) -> None:
    assert tcp_error(Icmp(kind, code, 0, b"")) == error


def complains(host: Host, tcb: Tcb, kind: int, code: int, *, seq: int, rest: int = 0) -> None:
    """A router tells of a segment of ours."""
    quoted = Packet(HERE, PEER, PROTO_TCP, Segment(tcb.flow, seq & 0xFFFFFFFF, 0, ACK, 0))
    host.takes_packet(error_about(quoted, kind, code, ROUTER, rest))


@pytest.mark.parametrize(
    ("offset", "heard"),
    [
        pytest.param(0, True, id="about the SYN"),
        pytest.param(-1, False, id="about a number before it"),
        pytest.param(2, False, id="about a number beyond it"),
    ],
)
def test_an_error_counts_if_its_segment_is_on_the_way(offset: int, heard: bool) -> None:
    """RFC 5927 4.1: an attacker would have to guess."""
    host = Host()
    tcb = host.connect()
    host.leaves()
    complains(host, tcb, icmp.DEST_UNREACH, icmp.HOST_UNREACH, seq=tcb.iss + offset)
    assert (tcb.state is State.CLOSED, tcb.so_error) == (heard, EHOSTUNREACH if heard else 0)


def test_an_open_connection_keeps_it_in_mind() -> None:
    host = Host()
    tcb = host.opened()
    complains(host, tcb, icmp.DEST_UNREACH, icmp.HOST_UNREACH, seq=tcb.snd_una)
    assert (tcb.state, tcb.so_error, tcb.so_error_soft) == (State.ESTABLISHED, 0, EHOSTUNREACH)


@pytest.mark.parametrize(
    ("kind", "code", "ends"),
    [
        pytest.param(icmp.DEST_UNREACH, icmp.NET_UNREACH, True, id="net"),
        pytest.param(icmp.DEST_UNREACH, icmp.HOST_UNREACH, True, id="host"),
        pytest.param(icmp.DEST_UNREACH, icmp.PORT_UNREACH, False, id="port"),
        pytest.param(icmp.TIME_EXCEEDED, 0, True, id="TTL"),
    ],
)
def test_an_embryo_ends_where_its_peer_cannot_be_reached(kind: int, code: int, ends: bool) -> None:
    host = Host()
    host.listen()
    host.takes(Segment((PEER, 40_000, HERE, 80), 5_000, 0, SYN, 1_000))
    (tcb,) = host.ip.demux.flows.values()
    complains(host, tcb, kind, code, seq=tcb.iss)
    assert (tcb.state is State.CLOSED) is ends


@pytest.mark.parametrize(
    ("told", "mtu"),
    [
        pytest.param(1_000, 1_000, id="the next hop's MTU"),
        pytest.param(0, 552, id="none is named, or a tiny one: 552"),
    ],
)
def test_fragmentation_needed_makes_segments_smaller(told: int, mtu: int) -> None:
    host = Host()
    tcb = host.opened()
    complains(host, tcb, icmp.DEST_UNREACH, icmp.FRAG_NEEDED, seq=tcb.snd_una, rest=told)
    assert (tcb.mtu, tcb.so_error_soft) == (mtu, 0)


def test_an_unknown_error_and_one_in_time_wait_change_nothing() -> None:
    host = Host()
    tcb = host.opened()
    complains(host, tcb, icmp.SOURCE_QUENCH, 0, seq=tcb.snd_una)
    assert tcb.so_error_soft == 0
    other = Segment((PEER, 1, HERE, 2), 0, 0, ACK, 0)
    quoted = Packet(HERE, PEER, PROTO_TCP, other)
    assert host.takes_packet(error_about(quoted, icmp.DEST_UNREACH, 1, ROUTER)) == []


@pytest.mark.parametrize("quoted", [b"", bytes(20), b"\x45" + bytes(19), b"\x60" + bytes(40)])
def test_an_error_that_quotes_too_little_is_dropped(quoted: bytes) -> None:
    assert Host().takes(Icmp(icmp.DEST_UNREACH, 1, 0, quoted)) == []


def test_an_error_about_another_protocol_is_dropped() -> None:
    quoted = ip.encode(Packet(HERE, PEER, 132, bytes(8)))
    assert Host().takes(Icmp(icmp.DEST_UNREACH, 1, 0, quoted)) == []


def test_an_echo_is_answered_with_the_same_words() -> None:
    (reply,) = Host().takes(Icmp(icmp.ECHO, 0, 0x00070001, b"hello"))
    body = reply.body
    assert isinstance(body, Icmp)
    assert (reply.src, reply.dst, body.kind, body.rest, body.quoted) == (
        HERE,
        PEER,
        icmp.ECHO_REPLY,
        0x00070001,
        b"hello",
    )


def test_and_not_where_icmp_echo_ignore_all_says_so() -> None:
    assert Host({"net.ipv4.icmp_echo_ignore_all": 1}).takes(Icmp(icmp.ECHO, 0, 0, b"")) == []


def test_an_echo_reply_is_nobodys() -> None:
    assert Host().takes(Icmp(icmp.ECHO_REPLY, 0, 0, b"")) == []


def test_in_time_wait_nothing_is_heard() -> None:
    host = Host()
    tcb = host.opened()
    calls.close(tcb, NOW)
    host.leaves()
    peer = (PEER, 80, HERE, 40_000)
    host.takes(Segment(peer, tcb.rcv_nxt, tcb.snd_nxt, FIN | ACK, 1_000))
    assert tcb.state is State.TIME_WAIT
    complains(host, tcb, icmp.DEST_UNREACH, icmp.HOST_UNREACH, seq=tcb.snd_una)
    assert (tcb.state, tcb.so_error_soft) == (State.TIME_WAIT, 0)


def test_a_parameter_problem_says_where() -> None:
    """sock_extended_err.ee_info (Linux icmp_unreach)."""
    message = Icmp(icmp.PARAMETER_PROBLEM, 0, 9 << 24, bytes(28))
    assert report(EPROTO, message, Quote(17, HERE, 1, PEER, 2, 0, 20), ROUTER, 8).info == 9


def test_fragmentation_needed_says_how_large_a_packet_may_be() -> None:
    message = Icmp(icmp.DEST_UNREACH, icmp.FRAG_NEEDED, 1_400, bytes(28))
    assert report(EMSGSIZE, message, Quote(17, HERE, 1, PEER, 2, 0, 20), ROUTER, 8).info == 1_400
