"""Names of sockets, below Python: what no program of Python can get wrong, and zones.

What Python lets through is in the rows of ``socket6``, beside the kernel.
"""

import errno
import struct
from collections.abc import Callable

import pytest

from halfopen.base.errors import NotSimulatedError
from halfopen.base.rng import Rng
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.names import Address
from halfopen.sockets.ports import same_address
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Wait
from halfopen.wire.address import to_bytes
from halfopen.wire.ip import Packet
from halfopen.wire.onpath import error_about


def host(**sysctl: int) -> FdTable:
    """A host with two links."""
    kernel = Kernel("a", {f"net.ipv6.{name}": value for name, value in sysctl.items()}, Rng(0))
    for number in (1, 2):
        own = (f"10.0.{number}.1", f"2001:db8:{number}::1", "fe80::1")
        kernel.add_interface(f"eth{number - 1}", own, peers=(f"2001:db8:{number}::2",))
    return FdTable(kernel)


def six(table: FdTable, kind: int = c.SOCK_STREAM) -> int:
    return calls.socket(table, c.AF_INET6, kind | c.SOCK_NONBLOCK, 0, 0)


def failing(call: Callable[..., object], *args: object) -> int:
    try:
        call(*args)
    except OSError as error:
        return error.errno or 0
    return 0


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
def test_an_address_of_the_wrong_family(kind: int) -> None:
    table = host()
    four = calls.socket(table, c.AF_INET, kind, 0, 0)
    fd = six(table, kind)
    assert failing(calls.bind, table, four, ("::1", 0, 0, 0), 0) == errno.EAFNOSUPPORT
    assert failing(calls.bind, table, fd, ("127.0.0.1", 0), 0) == errno.EINVAL
    assert failing(calls.connect, table, four, ("::1", 9, 0, 0), Wait(0), 0) == errno.EAFNOSUPPORT
    assert failing(calls.connect, table, fd, ("127.0.0.1", 9), Wait(0), 0) == errno.EINVAL


@pytest.mark.parametrize(
    ("bound", "there", "error", "own"),
    [
        pytest.param(None, ("fe80::2", 9, 0, 2), errno.EINPROGRESS, ("fe80::1", 2), id="first"),
        pytest.param(None, ("fe80::2", 9, 0, 3), errno.EINPROGRESS, ("fe80::1", 3), id="second"),
        pytest.param(None, ("fe80::2", 9, 0, 4), errno.ENETUNREACH, ("::", 0), id="none such"),
        pytest.param(
            ("fe80::1", 0, 0, 3),
            ("fe80::2", 9, 0, 2),
            errno.EINVAL,
            ("fe80::1", 3),
            id="bound to the other",
        ),
        pytest.param(
            ("fe80::1", 0, 0, 3),
            ("fe80::2", 9, 0, 0),
            errno.EINPROGRESS,
            ("fe80::1", 3),
            id="the one that it is bound to",
        ),
        pytest.param(
            ("fe80::1", 0, 0, 3),
            ("2001:db8:1::2", 9, 0, 0),
            errno.ENETUNREACH,
            ("fe80::1", 3),
            id="a way by the other interface",
        ),
        pytest.param(
            ("fe80::1", 0, 0, 3),
            ("fe80::1", 9, 0, 0),
            errno.EINPROGRESS,
            ("fe80::1", 3),
            id="oneself on that link",
        ),
    ],
)
def test_zones(bound: Address | None, there: Address, error: int, own: tuple[str, int]) -> None:
    table = host()
    fd = six(table)
    if bound is not None:
        calls.bind(table, fd, bound, 0)
    assert failing(calls.connect, table, fd, there, Wait(0), 0) == error
    name = calls.getsockname(table, fd)
    assert (name[0], *name[3:]) == own


def test_a_datagram_without_a_zone_goes_by_the_first_interface() -> None:
    """Linux udpv6_sendmsg."""
    table = host()
    fd = six(table, c.SOCK_DGRAM)
    calls.sendto(table, fd, b"x", 0, ("fe80::2", 9, 0, 0), Wait(0), 0)
    calls.sendto(table, fd, b"x", 0, ("fe80::2", 9, 0, 3), Wait(0), 0)
    assert [interface for interface, _ in table.kernel.outbox] == [0, 1]
    table.kernel.ip.routes.take_down(table.kernel.ip.interfaces[0])
    table.kernel.ip.routes.take_down(table.kernel.ip.interfaces[1])
    there = ("fe80::2", 9, 0, 0)
    assert failing(calls.sendto, table, fd, b"x", 0, there, Wait(0), 0) == errno.ENETUNREACH


def test_without_any_ipv6_address_the_source_is_what_is_missing() -> None:
    """Linux ip6_dst_lookup_tail looks for it before it looks at the way."""
    table = host(**{"conf.all.disable_ipv6": 1})
    for kind in (c.SOCK_STREAM, c.SOCK_DGRAM):
        fd = six(table, kind)
        there = ("2001:db8:1::2", 9, 0, 0)
        assert failing(calls.connect, table, fd, there, Wait(0), 0) == errno.EADDRNOTAVAIL
        there = ("::ffff:9.9.9.9", 9, 0, 0)
        assert failing(calls.connect, table, fd, there, Wait(0), 0) == errno.ENETUNREACH


def test_a_zone_that_is_named_counts_more_than_where_a_socket_is_tied() -> None:
    """Linux udpv6_sendmsg."""
    table = host()
    fd = six(table, c.SOCK_DGRAM)
    calls.bind(table, fd, ("fe80::1", 0, 0, 2), 0)
    calls.sendto(table, fd, b"x", 0, ("fe80::2", 9, 0, 2), Wait(0), 0)
    for zone in (1, 3):
        there = ("fe80::2", 9, 0, zone)
        assert failing(calls.sendto, table, fd, b"x", 0, there, Wait(0), 0) == errno.ENETUNREACH


@pytest.mark.parametrize("host_", ["ff05::1", "ff02::1"])
def test_groups_are_not_simulated_for_datagrams(host_: str) -> None:
    table = host()
    fd = six(table, c.SOCK_DGRAM)
    with pytest.raises(NotSimulatedError, match="group"):
        calls.sendto(table, fd, b"x", 0, (host_, 9, 0, 2), Wait(0), 0)
    with pytest.raises(NotSimulatedError, match="group"):
        calls.connect(table, fd, (host_, 9, 0, 2), Wait(0), 0)


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
@pytest.mark.parametrize("option", [23, 24, 49, 77])
def test_options_that_linux_has_and_we_have_not_are_loud(option: int, kind: int) -> None:
    table = host()
    fd = six(table, kind)
    with pytest.raises(NotSimulatedError, match=f"option {option} of IPPROTO_IPV6"):
        calls.setsockopt(table, fd, c.IPPROTO_IPV6, option, 1, 0)
    with pytest.raises(NotSimulatedError, match=f"option {option} of IPPROTO_IPV6"):
        calls.getsockopt(table, fd, c.IPPROTO_IPV6, option, 0, 0)


PEER6 = "2001:db8:1::2"
ROUTER6 = "2001:db8:1::fe"
RECVERR = (c.IPPROTO_IPV6, c.IPV6_RECVERR)


def connecting(table: FdTable, there: Address) -> tuple[int, Packet]:
    """A socket whose SYN is on its way, and the packet."""
    fd = six(table)
    assert failing(calls.connect, table, fd, there, Wait(0), 0) == errno.EINPROGRESS
    (_, load) = table.kernel.outbox.pop()
    assert isinstance(load, Packet)
    return fd, load


def hears_of(table: FdTable, packet: Packet, kind: int, code: int, router: str) -> None:
    """A router says that a packet does not get there."""
    table.kernel.receive(error_about(packet, kind, code, router), 0, 0)


def reads_report(table: FdTable, fd: int) -> object:
    wait = Wait(0)
    return calls.recvmsg(table, fd, 0, 99, c.MSG_ERRQUEUE, wait, 0)


@pytest.mark.parametrize("asked", [0, 1])
def test_what_is_said_of_a_syn_over_ipv6_is_kept_where_it_was_asked_for(asked: int) -> None:
    table = host()
    fd, syn = connecting(table, (PEER6, 9, 0, 0))
    calls.setsockopt(table, fd, *RECVERR, asked, 0)
    assert calls.getsockopt(table, fd, *RECVERR, 0, 0) == asked
    hears_of(table, syn, 1, 1, ROUTER6)
    if not asked:
        assert failing(reads_report, table, fd) == errno.EAGAIN
        return
    said = struct.pack("=IBBBBII", errno.EACCES, 3, 1, 1, 0, 0, 0)
    who = struct.pack("=HHI16sI", c.AF_INET6, 0, 0, to_bytes(ROUTER6), 0)
    flags = c.MSG_ERRQUEUE | c.MSG_TRUNC
    assert reads_report(table, fd) == (b"", [(*RECVERR, said + who)], flags, (PEER6, 9, 0, 0))
    assert calls.getsockopt(table, fd, c.SOL_SOCKET, c.SO_ERROR, 0, 0) == 0, "it was read"


def test_what_was_kept_is_dropped_where_it_is_wanted_no_more() -> None:
    table = host()
    fd, syn = connecting(table, (PEER6, 9, 0, 0))
    calls.setsockopt(table, fd, *RECVERR, 1, 0)
    hears_of(table, syn, 1, 3, ROUTER6)
    calls.setsockopt(table, fd, *RECVERR, 0, 0)
    assert failing(reads_report, table, fd) == errno.EAGAIN


def test_an_ipv4_peer_of_an_ipv6_socket_is_reported_in_the_words_of_ipv6() -> None:
    """Kept unasked, as IPv4 does; what the socket asked for is of IPv6 alone."""
    table = host()
    table.kernel.ip.routes.add("10.0.1.2", table.kernel.ip.interfaces[0])
    fd, syn = connecting(table, ("::ffff:10.0.1.2", 9, 0, 0))
    calls.setsockopt(table, fd, *RECVERR, 1, 0)
    (tcb,) = table.kernel.ip.demux.flows.values()
    assert not tcb.recverr
    hears_of(table, syn, 3, 1, "10.0.1.254")
    said = struct.pack("=IBBBBII", errno.EHOSTUNREACH, 2, 3, 1, 0, 0, 0)
    who = struct.pack("=HHI16sI", c.AF_INET6, 0, 0, to_bytes("::ffff:10.0.1.254"), 0)
    flags = c.MSG_ERRQUEUE | c.MSG_TRUNC
    there = ("::ffff:10.0.1.2", 9, 0, 0)
    assert reads_report(table, fd) == (b"", [(*RECVERR, said + who)], flags, there)


def test_a_socket_that_asks_before_it_connects_is_told_too() -> None:
    table = host()
    fd = six(table)
    calls.setsockopt(table, fd, *RECVERR, 1, 0)
    there = (PEER6, 9, 0, 0)
    assert failing(calls.connect, table, fd, there, Wait(0), 0) == errno.EINPROGRESS
    (tcb,) = table.kernel.ip.demux.flows.values()
    assert tcb.recverr


def test_datagrams_over_ipv6_may_be_asked_for_too() -> None:
    table = host()
    fd = six(table, c.SOCK_DGRAM)
    calls.setsockopt(table, fd, *RECVERR, 1, 0)
    assert calls.getsockopt(table, fd, *RECVERR, 0, 0) == 1


def test_a_connection_has_the_hop_limit_of_its_socket() -> None:
    table = host()
    fd = six(table)
    calls.setsockopt(table, fd, c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS, 7, 0)
    there = ("2001:db8:1::2", 9, 0, 0)
    assert failing(calls.connect, table, fd, there, Wait(0), 0) == errno.EINPROGRESS
    calls.setsockopt(table, fd, c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS, -1, 0)
    ((_, load),) = table.kernel.outbox
    assert getattr(load, "ttl", None) == 7


def test_datagrams_have_the_hop_limit_and_class_of_their_socket() -> None:
    table = host()
    fd = six(table, c.SOCK_DGRAM)
    calls.setsockopt(table, fd, c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS, 7, 0)
    calls.setsockopt(table, fd, c.IPPROTO_IPV6, c.IPV6_TCLASS, 0x49, 0)
    calls.sendto(table, fd, b"x", 0, ("2001:db8:1::2", 9, 0, 0), Wait(0), 0)
    ((_, load),) = table.kernel.outbox
    assert (getattr(load, "ttl", None), getattr(load, "tos", None)) == (7, 0x49)


@pytest.mark.parametrize(
    ("own", "other", "v6only", "others", "same"),
    [
        ("::", "::", True, True, True),
        ("::", "0.0.0.0", False, False, True),
        ("::", "0.0.0.0", True, False, False),
        ("0.0.0.0", "::", False, True, False),
        ("0.0.0.0", "::", False, False, True),
        ("::", "2001:db8::1", True, True, True),
        ("2001:db8::1", "::", True, True, True),
        ("2001:db8::1", "10.0.0.1", True, False, False),
        ("10.0.0.1", "0.0.0.0", False, False, True),
        ("10.0.0.1", "10.0.0.2", False, False, False),
        ("fe80::1%2", "fe80::1%3", True, True, True),  # the interfaces are compared apart
    ],
)
def test_who_would_have_the_same_packets(
    own: str, other: str, v6only: bool, others: bool, same: bool
) -> None:
    v6 = ":" in own
    assert same_address(v6, own, other, v6only=v6only, others=others, wild=True) is same


@pytest.mark.parametrize(
    ("own", "other", "others", "wild", "same"),
    [
        pytest.param("0.0.0.0", "10.0.0.1", False, True, True, id="all of IPv4"),
        pytest.param("10.0.0.1", "0.0.0.0", False, True, True, id="IPv4, beside all of it"),
        pytest.param("10.0.0.1", "0.0.0.0", False, False, False, id="and not where none is meant"),
        pytest.param("10.0.0.1", "::", False, True, True, id="IPv4, beside all there is"),
        pytest.param("10.0.0.1", "::", True, True, False, id="IPv4, beside all of IPv6"),
        pytest.param("10.0.0.1", "2001:db8::1", True, True, False, id="IPv4, beside IPv6"),
    ],
)
def test_an_ipv6_socket_with_an_ipv4_address(
    own: str, other: str, others: bool, wild: bool, same: bool
) -> None:
    assert same_address(True, own, other, v6only=False, others=others, wild=wild) is same


@pytest.mark.parametrize(("own", "same"), [("0.0.0.0", True), ("10.0.0.1", False)])
def test_one_of_af_inet_beside_a_connection_of_ipv6(own: str, same: bool) -> None:
    """Its place for an IPv4 address holds 127.0.0.6 (Linux LOOPBACK4_IPV6)."""
    assert same_address(False, own, "2001:db8::1", v6only=False, others=False, wild=True) is same
    assert same_address(False, "127.0.0.6", "2001:db8::1", v6only=False, others=False, wild=True)


# Addresses that are not the host's.

OTHERS = "192.0.2.7"
OTHERS6 = "2001:db8:9::9"


def four(table: FdTable, kind: int = c.SOCK_STREAM) -> int:
    return calls.socket(table, c.AF_INET, kind | c.SOCK_NONBLOCK, 0, 0)


def with_option(table: FdTable, fd: int, level: int, name: int) -> int:
    calls.setsockopt(table, fd, level, name, 1, 0)
    assert calls.getsockopt(table, fd, level, name, 0, 0) == 1
    return fd


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
def test_ip_freebind_lets_a_socket_have_an_address_that_is_not_the_hosts(kind: int) -> None:
    """Linux inet_can_nonlocal_bind, ipv6_can_nonlocal_bind: one bit for both families."""
    table = host()
    for family in (c.IPPROTO_IP, c.IPPROTO_IPV6):
        name = c.IP_FREEBIND if family == c.IPPROTO_IP else c.IPV6_FREEBIND
        for own in (OTHERS6, f"::ffff:{OTHERS}"):
            fd = six(table, kind)
            assert failing(calls.bind, table, fd, (own, 0, 0, 0), 0) == errno.EADDRNOTAVAIL
            with_option(table, fd, family, name)
            calls.bind(table, fd, (own, 0, 0, 0), 0)
            assert calls.getsockname(table, fd)[0] == own
    fd = with_option(table, four(table, kind), c.IPPROTO_IP, c.IP_FREEBIND)
    calls.bind(table, fd, (OTHERS, 7_001), 0)
    assert calls.getsockname(table, fd) == (OTHERS, 7_001)


def test_an_empty_ip_freebind() -> None:
    """Linux do_ip_setsockopt: of the others an empty value is 0."""
    table = host()
    fd = four(table)
    call, level = calls.setsockopt, c.IPPROTO_IP
    assert failing(call, table, fd, level, c.IP_FREEBIND, b"", 0) == errno.EINVAL
    assert failing(call, table, fd, level, c.IP_BIND_ADDRESS_NO_PORT, b"", 0) == 0


def two_links() -> FdTable:
    """A host with peers of IPv4, too."""
    kernel = Kernel("a", {}, Rng(0))
    kernel.add_interface("eth0", ("10.0.1.1", "10.0.1.9"), peers=("10.0.1.2",))
    kernel.add_interface("eth1", ("10.0.2.1/24",))
    return FdTable(kernel)


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
@pytest.mark.parametrize(
    ("own", "expected"), [(OTHERS, errno.ENETUNREACH), ("127.0.0.1", errno.EINVAL)]
)
def test_nothing_leaves_from_an_address_that_is_not_the_hosts(
    kind: int, own: str, expected: int
) -> None:
    """Linux ip_route_output_key_hash_rcu, __mkroute_output."""
    table = two_links()
    fd = with_option(table, four(table, kind), c.IPPROTO_IP, c.IP_FREEBIND)
    calls.bind(table, fd, (own, 7_000), 0)
    there = ("10.0.1.2", 9)
    assert failing(calls.connect, table, fd, there, Wait(0), 0) == expected
    if kind == c.SOCK_DGRAM:
        assert failing(calls.sendto, table, fd, b"x", 0, there, Wait(0), 0) == expected
    assert not table.kernel.outbox


@pytest.mark.parametrize("own", ["224.0.0.1", "10.0.2.255"])
def test_who_is_bound_to_a_group_sends_from_what_the_way_says(own: str) -> None:
    """Linux __inet_bind: inet_saddr is 0."""
    table = two_links()
    fd = four(table)
    calls.bind(table, fd, (own, 7_000), 0)
    assert calls.getsockname(table, fd) == (own, 7_000)
    assert failing(calls.connect, table, fd, ("10.0.1.2", 9), Wait(0), 0) == errno.EINPROGRESS
    assert calls.getsockname(table, fd) == ("10.0.1.1", 7_000)


@pytest.mark.parametrize("kind", [c.SOCK_STREAM, c.SOCK_DGRAM])
def test_low_ports_are_the_superusers(kind: int) -> None:
    """Linux inet_port_requires_bind_service; of IPv6 it is looked at before the address."""
    for privileged, low in ((True, 0), (False, errno.EACCES)):
        kernel = Kernel("a", {"net.ipv4.ip_unprivileged_port_start": 90}, Rng(0))
        table = FdTable(kernel, privileged=privileged)
        for port, expected in ((89, low), (90, 0), (0, 0)):
            fd = four(table, kind)
            assert failing(calls.bind, table, fd, ("127.0.0.1", port), 0) == expected
            fd = six(table, kind)
            assert failing(calls.bind, table, fd, ("::1", port, 0, 0), 0) == expected
    table = FdTable(Kernel("a", {}, Rng(0)), privileged=False)
    fd = four(table, kind)
    assert failing(calls.bind, table, fd, (OTHERS, 89), 0) == errno.EADDRNOTAVAIL
    fd = six(table, kind)
    assert failing(calls.bind, table, fd, (OTHERS6, 89, 0, 0), 0) == errno.EACCES


def test_a_group_of_one_link_shows_the_interface() -> None:
    """Linux ipv6_iface_scope_id."""
    table = host()
    fd = six(table, c.SOCK_DGRAM)
    calls.bind(table, fd, ("ff02::1", 7_000, 0, 3), 0)
    assert calls.getsockname(table, fd) == ("ff02::1", 7_000, 0, 3)
