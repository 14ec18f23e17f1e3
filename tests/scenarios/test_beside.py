"""Options that people set beside those of the notes, on both arms: what calls and packets show."""

from errno import EACCES, EAGAIN, ENETUNREACH

import pytest
from tests.scenarios import beside
from tests.scenarios.alike import alike, said

from halfopen.base.units import MS
from halfopen.scenario.model import Host, Link, OnMark, Process, Variant, each
from halfopen.scenario.notes import pair
from halfopen.scenario.notes.reading import segments_from
from halfopen.wire.tcp import RST

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(150)]

WHERE = ("client, before connect", "client, connected", "listener")


def variant(option: str, where: str) -> Variant:
    return pair.variant(
        {"option": option, "set": where},
        server=beside.server,
        client=beside.client,
        horizon_ns=1770 * MS,
        delay_ns=50 * MS,
    )


@pytest.mark.parametrize("option", list(beside.OPTIONS))
def test_what_an_option_changes(option: str) -> None:
    for trace in alike(*(variant(option, where) for where in WHERE)):
        assert "refused" in said(trace), "both programs came to their end"


def tied(device: str) -> Variant:
    """A server with two links, at the end of each a client."""
    hosts = {"server": ("10.0.0.1", "10.0.1.1"), "a": ("10.0.0.2",), "b": ("10.0.1.2",)}
    return Variant(
        settings={"device": device},
        hosts=tuple(
            Host(name=name, addresses=addresses, sysctl={}) for name, addresses in hosts.items()
        ),
        links=(Link(a="server", b="a"), Link(a="server", b="b")),
        processes=(
            Process(host="server", name="server", program=beside.tied_server),
            *(
                Process(
                    host=name,
                    name=name,
                    program=beside.asking,
                    start=OnMark(process="server", name="listening", delay_ns=delay_ms * MS),
                )
                for name, delay_ms in (("a", 20), ("b", 320))
            ),
        ),
        steps=(),
        horizon_ns=1270 * MS,
    )


def test_what_an_interface_lets_in() -> None:
    """SO_BINDTODEVICE."""
    for trace in alike(tied("eth0"), tied("eth1"), tied("lo")):
        assert "back" in said(trace)


def test_a_route_that_refuses_a_socket_that_is_tied() -> None:
    """It refuses IPv6 at its own interface alone; IPv4 is taken to be on the link."""
    hosts = (
        Host(
            name="client",
            addresses=("10.0.0.1", "2001:db8:1::1"),
            sysctl={},
            refuses=(("192.0.2.0/24", "unreachable"), ("2001:db8:2::/64", "prohibit")),
        ),
        Host(name="server", addresses=("10.0.0.2", "2001:db8:1::2"), sysctl={}),
    )
    asked = [
        Variant(
            settings=settings,
            hosts=hosts,
            links=(Link(a="client", b="server"),),
            processes=(Process(host="client", name="client", program=beside.refused),),
            steps=(),
            horizon_ns=970 * MS,
        )
        for settings in each(device=("lo", "eth0"), to=("192.0.2.7", "2001:db8:2::7"))
    ]
    on_link, prohibited, nowhere = (
        f"{EAGAIN} 10.0.0.1\n0 10.0.0.1\n",
        f"{EACCES} ::\n" * 2,
        f"{ENETUNREACH} ::\n" * 2,
    )
    assert [said(trace) for trace in alike(*asked)] == [on_link, prohibited, on_link, nowhere]


def test_how_long_an_orphan_waits_for_the_peers_end() -> None:
    """TCP_LINGER2: the FIN that comes too late is answered with an RST; negative: at once."""
    asked = [
        pair.variant(
            settings,
            server=beside.closing_late,
            client=beside.half_closing,
            horizon_ns=2270 * MS,
        )
        for settings in each(TCP_LINGER2=("not set", "1", "-1"), later=("0.5", "1.7"))
    ]
    resets = [
        any(seen.seg.flags & RST for seen in segments_from(trace, "client"))
        for trace in alike(*asked)
    ]
    assert resets == [False, False, False, True, True, True]


@pytest.mark.parametrize("privileged", [True, False])
def test_what_is_wrong_with_an_option(*, privileged: bool) -> None:
    """Which error comes first, on sockets of TCP and of UDP (Linux sk_setsockopt)."""
    asked = [
        Variant(
            settings=settings,
            hosts=(Host(name="alone", addresses=("10.0.0.1",), sysctl={}),),
            links=(),
            processes=(
                Process(host="alone", name="alone", program=beside.refuses, privileged=privileged),
            ),
            steps=(),
            horizon_ns=470 * MS,
        )
        for settings in each(family=("IPv4", "IPv6"))
    ]
    for trace in alike(*asked):
        assert said(trace) == "refused\n"
