"""A host with interfaces, addresses and routes: from which address it sends to where.

A case is lines of text::

    eth0 10.0.0.1/24 fd00::1/64 fe80::1       interfaces, in their order
    route 10.9.0.0/16 eth0 src 10.0.0.1 metric 5
    to 10.9.0.7                               a datagram socket connects to there

Each ``to`` is told the socket's own address, or the errno.
"""

import errno
import ipaddress
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from hypothesis import strategies as st

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.net.interfaces import split_prefix
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.names import Address
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Wait

Case: TypeAlias = list[str]

_NAMES: Final = ("eth0", "eth1", "eth2")
_PORT: Final = 9


class Host(Protocol):
    """What a case is about."""

    def interface(self, name: str, addresses: tuple[str, ...]) -> None: ...
    def route(self, to: str, name: str, source: str, metric: int) -> None: ...
    def source(self, family: int, to: Address) -> Address: ...


class Here:
    """The simulated host."""

    def __init__(self) -> None:
        self.kernel = Kernel("a", {}, Rng(0))
        self.table = FdTable(self.kernel)
        self.now = 10 * S

    def interface(self, name: str, addresses: tuple[str, ...]) -> None:
        self.kernel.add_interface(name, addresses)

    def route(self, to: str, name: str, source: str, metric: int) -> None:
        interface = self.kernel.ip.interfaces[_NAMES.index(name)]
        self.kernel.ip.routes.add(to, interface, source, metric)

    def source(self, family: int, to: Address) -> Address:
        fd = calls.socket(self.table, family, c.SOCK_DGRAM, 0, self.now)
        try:
            calls.connect(self.table, fd, to, Wait(self.now), self.now)
            return calls.getsockname(self.table, fd)
        finally:
            calls.close(self.table, fd, Wait(self.now), self.now)


def run(host: Host, case: Case) -> list[str]:
    """Set a host up as a case says; tell what each ``to`` is told."""
    told = []
    for line in case:
        what, *rest = line.split()
        if what == "route":
            said = dict(zip(rest[2::2], rest[3::2], strict=True))
            host.route(rest[0], rest[1], said.get("src", ""), int(said.get("metric", "0")))
        elif what == "to":
            told.append(_told(host.source, rest[0]))
        else:
            host.interface(what, tuple(rest))
    return told


def _told(source: Callable[[int, Address], Address], to: str) -> str:
    host, _, zone = to.partition("%")
    number = 2 + _NAMES.index(zone) if zone else 0
    try:
        if ":" in host:
            own = source(c.AF_INET6, (host, _PORT, 0, number))
        else:
            own = source(c.AF_INET, (host, _PORT))
    except OSError as failed:
        return errno.errorcode[failed.errno or 0]
    return f"{own[0]}%{own[3]}" if len(own) == 4 and own[3] else own[0]


def here(case: Case) -> list[str]:
    """Run a case on the simulated host."""
    return run(Here(), case)


# What hypothesis writes.

_NETWORKS4: Final = ("10.0.0.", "10.0.1.", "10.1.0.", "192.168.7.", "172.16.3.")
_LENGTHS4: Final = (8, 16, 24, 24, 24, 30, 31, 32)
#: Global, unique local (RFC 4193), 6to4, Teredo, ORCHID, site-local, with a tail of their own.
_NETWORKS6: Final = (
    *("2001:db8::", "2001:db8:0:1::", "2001:db8:1::", "fd00::", "fd00:0:0:1::", "fd01::"),
    *("2002:a00:1::", "2001:0:7::", "2001:10:7::", "fec0::", "3ffe:1::"),
)
_LENGTHS6: Final = (32, 48, 64, 64, 64, 96, 128)
_BEYOND4: Final = ("8.8.8.8", "10.2.3.4", "192.168.7.255", "255.255.255.255", "127.0.0.9")
_BEYOND6: Final = ("2001:4860::8", "2002:808::1", "fd09::7", "::1", "fec0:1::7")
_NEAR: Final = "fe80::9"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A host, a few routes, and where it might send to."""
    hosts4 = st.builds("{}{}".format, st.sampled_from(_NETWORKS4), st.integers(1, 254))
    hosts6 = st.builds("{}{:x}".format, st.sampled_from(_NETWORKS6), st.integers(1, 20))
    with4 = st.builds("{}/{}".format, hosts4, st.sampled_from(_LENGTHS4))
    with6 = st.builds("{}/{}".format, hosts6, st.sampled_from(_LENGTHS6))
    lines: Case = []
    taken: list[str] = []
    names = _NAMES[: draw(st.integers(1, 3))]
    for name in names:
        own: list[str] = []
        for text in draw(st.lists(st.one_of(with4, with6), max_size=5)):
            host, _ = split_prefix(text)
            if host not in taken:
                taken.append(host)
                own.append(text)
        if draw(st.integers(0, 1)):
            own.append(f"fe80::{draw(st.integers(1, 3)):x}")
        lines.append(" ".join((name, *own)))
    routes: list[str] = []
    nets = st.one_of(with4, with6, st.sampled_from(("0.0.0.0/0", "0.0.0.0/0", "::/0", "::/0")))
    for _ in range(draw(st.integers(0, 4))):
        line = _route(draw, draw(nets), draw(st.sampled_from(names)), taken)
        if line.split(" eth")[0] not in "\n".join(routes):
            routes.append(line)
    lines += routes
    near = st.builds("{}%{}".format, st.just(_NEAR), st.sampled_from(names))
    there = st.one_of(
        *(hosts4, hosts6, near, st.sampled_from(_BEYOND4), st.sampled_from(_BEYOND6)),
        *([st.sampled_from(taken)] if taken else []),
    )
    return lines + [f"to {to}" for to in draw(st.lists(there, min_size=3, max_size=8))]


def _route(draw: st.DrawFn, net: str, name: str, taken: list[str]) -> str:
    host, length = split_prefix(net)
    network = ipaddress.ip_network(f"{host}/{length}", strict=False)
    line = f"route {network} {name}"
    own = [each for each in taken if (":" in each) == (":" in host)]
    prefers = draw(st.booleans())
    if own and prefers:
        line += f" src {draw(st.sampled_from(own))}"
    return f"{line} metric {draw(st.sampled_from((1, 300, 2_000)))}"
