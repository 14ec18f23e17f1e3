"""Hosts with files of names, and calls that look names up: the world's and glibc's answers.

A host is written from a number, and makes so many calls, one after another.
"""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from tests.property.naming import asks, serve

from halfopen.base.units import MS, S
from halfopen.guest.arm import run_variant as in_world
from halfopen.oracle.arm import run_variants
from halfopen.record.events import Mark, Output
from halfopen.record.trace import Trace
from halfopen.scenario.etc import HOST_CONF, HOSTS, NSSWITCH, PROTOCOLS, SERVICES
from halfopen.scenario.model import Variant
from halfopen.scenario.notes import naming

#: Of each host.
CALLS: Final = 100
HORIZON_NS: Final = 6 * S

_ADDRESSES: Final = (
    *("127.0.0.1", "::1", "10.0.0.1", "10.0.0.2", "192.0.2.7", "192.0.2.10", "2001:db8::10"),
    *("2001:db8::1", "::ffff:192.0.2.7", "fe80::7", "fec0::7", "fd00::7", "2002:c000:207::1"),
    *("127.0.0.9", "169.254.1.1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "192.518", "10.1"),
    *("256.1.1.1", "1.2.3", "::g", "fe80::7%lo", "0x7f.1", "010.0.0.1"),
)
_NAMES: Final = (
    *("localhost", "www", "WWW", "dual", "dual.example.org", "Dual.Example.ORG", "alias", "one"),
    *("two.example.org", "www.example.org", "v4.example.org", "v6.example.org", "v6", "v4"),
    *("alias.example.org", "chain.example.org", "dangling.example.org", "mail.example.org"),
    *("nowhere.example.org", "servfail.example.org", "refused.example.org", "deep.sub"),
    *("www.example.net", "nosuch", "a.b", "client", "server", "www.", "under_score", "-dash"),
    *("two words", "star*", "x" * 63, "x.y.z.example.org", "big.example.org", "", "localhost."),
)
_SERVICES: Final = ("http", "domain", "80", "pebble", "PEBBLE", "stone", "0", "65536", " 7", "7 ")

_ORDERS: Final = (
    None,
    "files dns",
    "files",
    "dns",
    "dns files",
    "nosuch files dns",
    "files nosuch",
    "files [NOTFOUND=return] dns",
    "dns [!UNAVAIL=return] files",
    "dns [TRYAGAIN=return] files",
    "files [success=continue] dns",
)
_SERVERS: Final = ((naming.SERVER_ADDRESS,), (naming.SERVER_ADDRESS,), ("203.0.113.1",), ())
_SEARCH: Final = ("", "example.org", "example.net example.org", ".", "example.org. sub")
_OPTIONS: Final = ("ndots:0", "ndots:2", "ndots:99", "no-tld-query", "single-request", "edns0")
_TABLES: Final = {
    SERVICES: "pebble 4321/tcp stone\nstone 4322/udp\nhttp 80/tcp www\nhttp 80/udp\nbad\n9 9/9 9\n",
    PROTOCOLS: "tcp 6 TCP\nudp 17\nbad x\nstone 253 6\n",
}
_SPEAKS: Final = (
    ("10.0.0.1",),
    ("10.0.0.1", "2001:db8::1"),
    ("10.0.0.1", "10.0.0.9", "fd00::1"),
)
#: AI_PASSIVE, CANONNAME, NUMERICHOST, V4MAPPED, ALL, ADDRCONFIG, NUMERICSERV, and one that is none.
_FLAGS: Final = (1, 2, 4, 8, 0x10, 0x20, 0x400, 0x4000)


def hosts_file(chance: Random) -> str | None:
    """A file of some lines, sound or not; None: none."""
    if not chance.randrange(8):
        return None
    lines = []
    for _ in range(chance.randrange(9)):
        words = [chance.choice(_ADDRESSES), *chance.choices(_NAMES[:24], k=chance.randrange(4))]
        gap = chance.choice((" ", "\t", "  \t "))
        start = chance.choice(("", "", "", " ", "#"))
        lines.append(start + gap.join(words) + chance.choice(("", "", " # said", "#")))
    # Of a last line without an end that begins with blanks glibc 2.36 reads a letter too much.
    return "".join(f"{line}\n" for line in lines)


def files_of(chance: Random) -> dict[str, str | None]:
    """What stands below /etc."""
    order = chance.choice(_ORDERS)
    options = ["timeout:1 attempts:1", *(each for each in _OPTIONS if not chance.randrange(6))]
    options += [] if chance.randrange(9) else ["use-vc"]
    files: dict[str, str | None] = {
        HOSTS: hosts_file(chance),
        HOST_CONF: chance.choice((None, "multi on\n", "multi off\n", "order hosts\n")),
        NSSWITCH: None if order is None else f"hosts: {order}\n",
    }
    files |= _TABLES
    return files | naming.resolv_conf(
        *chance.choice(_SERVERS), options=" ".join(options), search=chance.choice(_SEARCH)
    )


def call_of(chance: Random) -> tuple[str, list[object]]:
    """One call with what it is given."""
    name = chance.choice((*_NAMES, *_ADDRESSES))
    call = chance.choice((*["getaddrinfo"] * 8, *_CALLS))
    given: list[object] = [name]
    match call:
        case "getaddrinfo":
            flags = sum(chance.sample(_FLAGS, k=chance.randrange(4)))
            service = chance.choice((None, None, *_SERVICES))
            host = None if not chance.randrange(9) else name
            kind, protocol = chance.choice((0, 0, 1, 2, 3, 5)), chance.choice((0, 0, 0, 6, 17, 58))
            given = [host, service, chance.choice((0, 0, 2, 10, 1)), kind, protocol, flags]
        case "C gethostbyaddr":
            given = [chance.choice(_ADDRESSES[:18])]
        case "getnameinfo":
            port, flag = chance.choice((0, 80, 4321, 4322)), chance.choice((0, 1, 2, 8, 16, 9, 18))
            given = [chance.choice(_ADDRESSES), port, flag]
        case "getservbyname":
            given = [chance.choice(_SERVICES), chance.choice(("tcp", "udp", "9"))]
        case "C getservbyname":
            given = [chance.choice((*_SERVICES, "9", "bad"))]
        case "getservbyport":
            given = [chance.choice((80, 4321, 4322, 9))]
        case "getprotobyname":
            given = [chance.choice(("tcp", "TCP", "6", "bad", "udp"))]
        case _:
            pass
    return call, given


_CALLS: Final = (
    *("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "C gethostbyname", "C gethostbyaddr"),
    *("getnameinfo", "getservbyname", "C getservbyname", "getservbyport", "getprotobyname"),
)


def variant_of(seed: int) -> Variant:
    """A host with files, and its calls."""
    chance = Random(seed)
    files, speaks = files_of(chance), chance.choice(_SPEAKS)
    return naming.variant(
        {"calls": json.dumps([call_of(chance) for _ in range(CALLS)])},
        client=asks,
        server=serve,
        files=files,
        addresses=speaks,
        server_addresses=(naming.SERVER_ADDRESS, "2001:db8::2"),
        horizon_ns=HORIZON_NS,
        delay_ns=1 * MS,
    )


def said(trace: Trace) -> list[str]:
    """What the client printed, a line for each call. Requires: it came to its end."""
    assert any(isinstance(e, Mark) and e.name == "told" for e in trace.events), "in time"
    return "".join(
        e.text for e in trace.events if isinstance(e, Output) and e.process == naming.CLIENT
    ).splitlines()


def unlike(seeds: Sequence[int]) -> Iterator[str]:
    """Make the calls of several hosts in the world and on Linux; yield what differs, of each host.

    Yields an empty text where nothing does. Requires: the kernel can run it.
    """
    variants = [variant_of(seed) for seed in seeds]
    for seed, variant, run in zip(seeds, variants, run_variants(variants), strict=True):
        assert run.trace is not None, run.failed
        world, kernel = said(in_world(variant)), said(run.trace)
        assert len(world) == len(kernel) == CALLS
        lines = [
            f"  {one}, Linux: {other}"
            for one, other in zip(world, kernel, strict=True)
            if one != other
        ]
        yield "\n".join([f"host {seed}: {variant.hosts[0].files}", *lines]) if lines else ""
