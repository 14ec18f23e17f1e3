"""The pieces of the C library that look names up, each by itself."""

import json
import re
import socket
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property import naming as lookups
from tests.unit.guest.guests import alone

from halfopen.base.errors import MisuseError, NotPossibleHereError, NotSimulatedError
from halfopen.base.units import S
from halfopen.guest.arm import run_variant
from halfopen.guest.libc import destinations, digits, hosts, message, nss, resolvconf, tables
from halfopen.guest.libc.destinations import Destination
from halfopen.guest.libc.etc import Etc
from halfopen.guest.libc.message import MalformedError
from halfopen.guest.libc.nssdns import reverse_name
from halfopen.guest.public import World
from halfopen.record.events import Output
from halfopen.scenario import zones
from halfopen.scenario.etc import (
    HOST_CONF,
    HOSTS,
    NSSWITCH,
    PROTOCOLS,
    RESOLV_CONF,
    SERVICES,
    etc_of,
)
from halfopen.scenario.notes import naming


def etc(path: str, text: str, host: str = "pebble") -> Etc:
    return Etc(host, {path: text})


# nsswitch.conf.

_ALL: Final = frozenset({"SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["files", "dns"]),
        ("hosts: dns files\n", ["dns", "files"]),
        ("  hosts :\tdns   files # and nobody else\n", ["dns", "files"]),
        ("hosts: files\nhosts: dns\n", ["dns"]),
        ("networks: dns\n", ["files", "dns"]),
    ],
)
def test_the_sources_of_names(text: str, names: list[str]) -> None:
    assert [source.name for source in nss.sources(etc(NSSWITCH, text), "hosts")] == names


@pytest.mark.parametrize(
    ("action", "ends"),
    [
        ("", {"SUCCESS"}),
        ("[NOTFOUND=return]", {"SUCCESS", "NOTFOUND"}),
        ("[ notfound=RETURN  tryagain=return ]", {"SUCCESS", "NOTFOUND", "TRYAGAIN"}),
        ("[!UNAVAIL=return]", _ALL - {"UNAVAIL"}),
        ("[SUCCESS=continue]", set()),
    ],
)
def test_where_it_ends(action: str, ends: set[str]) -> None:
    first, second = nss.sources(etc(NSSWITCH, f"hosts: dns {action} files\n"), "hosts")
    assert [set(first.ends), set(second.ends)] == [ends, {"SUCCESS"}]


@pytest.mark.parametrize("action", ["[SUCCESS=merge]", "[NEVER=return]"])
def test_what_is_not_simulated_of_it(action: str) -> None:
    with pytest.raises(NotSimulatedError, match=r"nsswitch\.conf"):
        nss.sources(etc(NSSWITCH, f"hosts: dns {action} files\n"), "hosts")


# hosts and host.conf.

_HOSTS: Final = """\
# nobody
10.0.0.1 a.example.org a  # an alias
10.0.0.2 A b
::1 localhost
127.0.0.1 localhost
::ffff:10.0.0.3 mapped
2001:db8::1 six a
bad.address a
"""


@pytest.mark.parametrize(
    ("name", "family", "multi", "addresses"),
    [
        ("a", 2, "on", ("10.0.0.1", "10.0.0.2")),
        ("A", 2, "off", ("10.0.0.1",)),
        ("a", 10, "on", ("2001:db8::1",)),
        ("localhost", 2, "on", ("127.0.0.1", "127.0.0.1")),
        ("mapped", 2, "on", ("10.0.0.3",)),
        ("mapped", 10, "on", ("::ffff:10.0.0.3",)),
    ],
)
def test_a_name_in_the_hosts_file(
    name: str, family: int, multi: str, addresses: tuple[str, ...]
) -> None:
    here = Etc("h", {HOSTS: _HOSTS, HOST_CONF: f"order bind\nmulti {multi}\n"})
    status, found = hosts.by_name(here, name, family)
    assert found is not None
    assert (status, found.addresses) == ("SUCCESS", addresses)


def test_several_lines_are_one_host() -> None:
    here = Etc("h", {HOSTS: _HOSTS, HOST_CONF: "multi on\n"})
    _, found = hosts.by_name(here, "a", 2)
    assert found is not None
    assert (found.name, found.aliases) == ("a.example.org", ("a", "b", "A"))
    assert hosts.by_name_of_any_family(here, "a")[1:3] == (
        "a.example.org",
        ["10.0.0.1", "10.0.0.2", "2001:db8::1"],
    )


def test_without_a_hosts_file() -> None:
    here = Etc("h", {})
    assert hosts.by_name(here, "a", 2) == ("UNAVAIL", None)
    assert hosts.by_address(here, "10.0.0.1") == ("UNAVAIL", None)
    assert hosts.by_name_of_any_family(here, "a")[0] == "UNAVAIL"


def test_reordering_is_not_simulated() -> None:
    with pytest.raises(NotSimulatedError, match="reorder on"):
        hosts.is_multi(etc(HOST_CONF, "reorder on\n"))


# Numbers, as tests/property/test_names.py holds them against glibc.


@pytest.mark.parametrize(
    ("text", "any_base", "known"),
    [
        ("80", False, (80, "")),
        (" +80/tcp", False, (80, "/tcp")),
        ("-80", False, (2**64 - 80, "")),
        (str(2**64 - 1), False, (2**64 - 1, "")),
        (str(2**64), False, (2**64 - 1, "")),
        (f"-{2**64 - 1}", False, (1, "")),
        (f"-{2**64}", False, (2**64 - 1, "")),
        ("0x50", False, (0, "x50")),
        ("0x50", True, (80, "")),
        ("0120", True, (80, "")),
        ("08", True, (0, "8")),
        ("0x", True, (0, "x")),
        ("-", True, None),
        ("", False, None),
    ],
)
def test_an_unsigned_long(text: str, any_base: bool, known: tuple[int, str] | None) -> None:
    assert digits.strtoul(text, any_base=any_base) == known


def test_a_line_of_a_table_has_numbers_of_32_bits() -> None:
    here = Etc(
        "pebble",
        {
            SERVICES: "a 0x50/tcp\nb 4294967295//udp\nc 4294967296/tcp\nd -80/tcp\ne 08/tcp\n",
            PROTOCOLS: f"a +6\nb 4294967295\nc 4294967296\nd 6x\ne -{2**64 - 1}\n",
        },
    )
    found = [tables.service_by_name(here, name, None) for name in "abcde"]
    assert [each and (each.port, each.protocol) for each in found] == [
        *((80, "tcp"), (65535, "udp")),
        *(None, None, None),
    ]
    known = [tables.protocol_by_name(here, name) for name in "abcde"]
    assert [each and each.number for each in known] == [6, -1, None, None, 1]


# resolv.conf.


def read(text: str, host: str = "pebble") -> resolvconf.ResolvConf:
    return resolvconf.read(etc(RESOLV_CONF, text, host))


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("", ["127.0.0.1"]),
        ("nameserver 10.0.0.1\nnameserver 10.1\n", ["10.0.0.1", "10.0.0.1"]),
        ("nameserver 10.0.0.1 10.0.0.2\n nameserver 10.0.0.3\n", ["10.0.0.1"]),
        ("#nameserver 10.0.0.1\n;nameserver 10.0.0.1\nnameserver\n", ["127.0.0.1"]),
        ("nameserver pebble\nnameserver 2001:db8::1\n", ["2001:db8::1"]),
        ("".join(f"nameserver 10.0.0.{n}\n" for n in range(5)), [f"10.0.0.{n}" for n in range(3)]),
    ],
)
def test_name_servers(text: str, servers: list[str]) -> None:
    assert [server.address for server in read(text).servers] == servers


def test_a_server_on_the_link() -> None:
    (server,) = read("nameserver fe80::1%eth0\n").servers
    assert (server.address, server.zone) == ("fe80::1", "eth0")


@pytest.mark.parametrize(
    ("text", "host", "search"),
    [
        ("", "pebble", ()),
        ("", "pebble.example.org", ("example.org",)),
        ("domain a b\n", "pebble.example.org", ("a",)),
        ("domain a\nsearch b\tc \n", "pebble", ("b", "c")),
        ("search a\nsearch\n", "pebble", ("a",)),
        ("search b\ndomain a\n", "pebble", ("a",)),
    ],
)
def test_search(text: str, host: str, search: tuple[str, ...]) -> None:
    assert read(text, host).search == search


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ("", (1, 5, 2)),
        ("ndots:3 timeout:7 attempts:4", (3, 7, 4)),
        ("ndots:99 timeout:99 attempts:99", (15, 30, 5)),
        ("ndots: timeout:x attempts:-1", (0, 0, -1)),
        ("ndots:2x nosuch", (2, 5, 2)),
        ("ndots:-1 timeout:4294967297 attempts:-4294967295", (15, 1, 1)),
        (f"ndots:{10**30} timeout:{10**30} attempts:-{10**30}", (15, -1, 0)),
    ],
)
def test_options(options: str, numbers: tuple[int, int, int]) -> None:
    conf = read(f"options {options}\n")
    assert (conf.ndots, conf.timeout, conf.attempts) == numbers


def test_flags() -> None:
    conf = read("options rotate no_tld_query single-request-reopen\noptions edns0x\n")
    assert conf.flags == {"rotate", "no-tld-query", "single-request-reopen", "edns0"}


def test_sorting_is_not_simulated() -> None:
    with pytest.raises(NotSimulatedError, match="sortlist"):
        read("sortlist 10.0.0.0\n")


# Messages.


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("www.example.org", [b"www", b"example", b"org"]),
        ("www.", [b"www"]),
        (".", []),
        ("", []),
        ("a\\.b.c\\065", [b"a.b", b"cA"]),
    ],
)
def test_a_name_in_parts(name: str, parts: list[bytes]) -> None:
    assert message.labels(name) == parts


@pytest.mark.parametrize("name", ["a..b", ".a", "x" * 64, "a." * 128])
def test_no_name(name: str) -> None:
    with pytest.raises(MalformedError):
        message.labels(name)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("www.example.org", True),
        ("under_score", True),
        ("-dash", False),
        ("a.-b", True),
        ("two words", False),
        ("star*", False),
        ("a..b", False),
        ("", True),
    ],
)
def test_what_can_be_a_hosts_name(name: str, is_one: bool) -> None:
    assert message.is_hostname(name) == is_one


def test_a_query_is_read_as_it_was_made() -> None:
    asked = message.parse(message.query("www.example.org", message.AAAA, 0xBEEF, edns=True))
    assert (asked.ident, asked.question) == (0xBEEF, ("www.example.org", message.AAAA, message.IN))
    assert (asked.counts, asked.truncated, asked.answers) == ((1, 0, 0, 1), False, ())


def test_what_a_name_server_answers_is_read() -> None:
    zone = zones.Zone(
        ("example.org",), "a.example.org CNAME b.example.org\nb.example.org A 192.0.2.1"
    )
    heard = message.parse(zone.answer(message.query("a.example.org", message.A, 7)))
    alias, address = heard.answers
    assert (alias.kind, alias.target) == (message.CNAME, "b.example.org")
    assert (address.owner, address.data) == ("b.example.org", bytes((192, 0, 2, 1)))
    assert (heard.rcode, heard.is_broken, heard.is_lame) == (message.NOERROR, False, False)


@given(st.binary(max_size=200))
def test_noise_is_read_or_refused(octets: bytes) -> None:
    try:
        heard = message.parse(octets)
    except MalformedError:
        return
    assert len(heard.answers) <= heard.counts[1]


@given(st.data())
def test_a_damaged_answer_is_read_or_refused(data: st.DataObject) -> None:
    zone = zones.Zone(("a",), "a CNAME b.a\nb.a A 192.0.2.1\nb.a A 192.0.2.2")
    whole = bytearray(zone.answer(message.query("a", message.A, 7)))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(0, len(whole))) :]
    try:
        message.parse(bytes(whole))
    except MalformedError:
        return


def test_an_address_turned_round() -> None:
    assert reverse_name("10.0.0.1") == "1.0.0.10.in-addr.arpa"
    assert reverse_name("2001:db8::1").startswith("1.0.0.0.")
    assert reverse_name("2001:db8::1").endswith(".8.b.d.0.1.0.0.2.ip6.arpa")


# The order of destinations.


def order(*found: tuple[str, str | None]) -> list[str]:
    given = [Destination(address=address, source=source) for address, source in found]
    return [given[place].address for place in destinations.in_order(given)]


@pytest.mark.parametrize(
    ("found", "first"),
    [
        pytest.param(
            [("2001:db8::1", None), ("10.0.0.1", "10.0.0.2")], "10.0.0.1", id="1: can be reached"
        ),
        pytest.param(
            [("fec0::1", "2001:db8::2"), ("2001:db8::1", "2001:db8::2")],
            "2001:db8::1",
            id="2: the scope of its source",
        ),
        pytest.param(
            [("2002:102:304::1", "2001:db8::2"), ("10.0.0.1", "10.0.0.2")],
            "10.0.0.1",
            id="5: the label of its source",
        ),
        pytest.param(
            [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")],
            "2001:db8::1",
            id="6: precedence",
        ),
        pytest.param(
            [("10.0.0.1", "10.0.0.2"), ("127.0.0.1", "127.0.0.1")], "127.0.0.1", id="8: how near"
        ),
        pytest.param(
            [("2001:db8:1::1", "2001:db8::2"), ("2001:db8::1", "2001:db8::2")],
            "2001:db8::1",
            id="9: more in common",
        ),
        pytest.param(
            [("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.2")], "10.0.0.2", id="9: the host's own"
        ),
        pytest.param(
            [("10.9.9.9", "10.0.0.2"), ("10.0.0.1", "10.0.0.2")], "10.9.9.9", id="10: as it came"
        ),
    ],
)
def test_which_destination_is_first(found: list[tuple[str, str | None]], first: str) -> None:
    assert order(*found)[0] == first


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("127.1.1.1", 2),
        ("169.254.1.1", 2),
        ("10.0.0.1", 14),
        ("::1", 2),
        ("fe80::1", 2),
        ("fec0::1", 5),
        ("fd00::1", 14),
        ("ff05::1", 5),
    ],
)
def test_how_far_an_address_reaches(address: str, scope: int) -> None:
    assert destinations.scope(address) == scope


# services and protocols.


def test_a_service_by_name_and_port() -> None:
    here = etc(SERVICES, "pebble 70000/tcp stone\nbare 7\nbad 8 tcp\nworse x/tcp\n")
    entry = tables.service_by_name(here, "stone", "tcp")
    assert entry is not None
    assert entry.port == 70000 & 0xFFFF
    assert tables.service_by_port(here, entry.port, None) == entry
    assert tables.service_by_name(here, "stone", "udp") is None
    assert tables.service_by_name(here, "bare", None) is not None
    assert [tables.service_by_name(here, name, None) for name in ("bad", "worse")] == [None, None]


def test_every_host_has_the_usual_tables() -> None:
    here = Etc("a", etc_of("a", {"a": ("10.0.0.1",)}, {}))
    (http, tcp) = tables.service_by_name(here, "www", "tcp"), tables.protocol_by_number(here, 6)
    assert http is not None
    assert tcp is not None
    assert (http.port, tcp.name) == (80, "tcp")


# A host's files in a world of people's programs.


def asks() -> None:
    import socket

    print(socket.gethostname(), socket.gethostbyname("there"))  # noqa: T201  as programs do


def test_files_of_a_host() -> None:
    world = World()
    files = {"/etc/hosts": "192.0.2.1 there\n", "/etc/hostname": "pebble\n"}
    world.host("a", files=files).start(asks)
    assert world.run().output("asks") == "pebble 192.0.2.1\n"


def test_files_elsewhere_are_refused() -> None:
    with pytest.raises(MisuseError, match="/var/x"):
        World().host("a", files={"/var/x": ""})


def uses_dnspython() -> None:
    import dns.message

    print(dns.message.make_query("a.b", "A").question[0].name)  # noqa: T201  as programs do


def test_a_guest_can_import_dnspython() -> None:
    assert alone(uses_dnspython).output("uses_dnspython") == "a.b.\n"


def sorts() -> None:
    import socket

    socket.getaddrinfo("nosuch", 80)


def test_what_is_not_simulated_stops_the_world() -> None:
    world = World()
    world.host("a", files={"/etc/resolv.conf": "sortlist 10.0.0.0\n"}).start(sorts)
    with pytest.raises(NotPossibleHereError, match="sortlist"):
        world.run()


def sets_an_option() -> None:
    import os

    os.environ["RES_OPTIONS"] = "timeout:1"


def test_the_resolvers_environment_is_not_simulated() -> None:
    world = World()
    world.host("a").start(sets_an_option)
    with pytest.raises(NotPossibleHereError, match="RES_OPTIONS in the environment"):
        world.run()


def test_a_write_forgets_errno() -> None:
    """CPython clears it (_Py_write_impl): without that the second name would be EAI_NODATA."""
    settings = "timeout:1 attempts:1 no-tld-query"
    files: dict[str, str | None] = {NSSWITCH: "hosts: dns\n"}
    files |= naming.resolv_conf(naming.SERVER_ADDRESS, options=settings, search="example.org. sub")
    asked = [("gethostbyname", ["client"]), ("gethostbyname", ["x.y.z.example.org"])]
    calls = {"calls": json.dumps(asked)}
    variant = naming.variant(
        calls, client=lookups.asks, server=lookups.serve, files=files, horizon_ns=6 * S
    )
    told = [each.text for each in run_variant(variant).events if isinstance(each, Output)]
    codes = [int(code) for code in re.findall(r"gaierror (-\d)", "".join(told))]
    assert codes == [socket.EAI_AGAIN, socket.EAI_NONAME]
