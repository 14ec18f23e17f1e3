"""Name servers that answer oddly: what glibc makes of it, the world's does."""

import pytest
from tests.scenarios.alike import alike
from tests.scenarios.naming import NAMES, ODD, ask, serve

from halfopen.base.units import MS, S
from halfopen.guest.arm import run_variant
from halfopen.scenario.model import Variant
from halfopen.scenario.notes import naming

OPTIONS = "timeout:1 attempts:1"
#: For these both queries wait, and one of them in vain.
SLOW = frozenset({"late", "parted"})


def variant(name: str, family: str, *servers: str) -> Variant:
    return naming.variant(
        {"name": name, "family": family, "servers": ", ".join(servers)},
        client=ask,
        server=serve,
        files=naming.resolv_conf(*servers, options=OPTIONS),
        server_addresses=(naming.SERVER_ADDRESS, ODD),
        horizon_ns=7 * S // 2 if name in SLOW else 3 * S // 2,
    )


VARIANTS = [
    variant(name, family, *servers)
    for name in NAMES
    for family, *servers in (
        ("any", ODD),
        ("IPv4", ODD),
        ("any", ODD, naming.SERVER_ADDRESS),
    )
    if not (family == "IPv4" and name in {"closes", "resets", "trickles", "wrong", "header"})
]

#: Of one server that answers oddly; the others give the address.
FAILS = {
    "lame": "EAI_AGAIN",
    "bare": "EAI_AGAIN",
    "short": "EAI_AGAIN",
    "notimp": "EAI_AGAIN",
    "closes": "EAI_AGAIN",
    "header": "EAI_AGAIN",
    "neither": "EAI_AGAIN",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_becomes_of_it(name: str) -> None:
    (call,) = naming.lookups(run_variant(variant(name, "any", ODD)))
    assert call.returned_ns is not None, "it came to an end"
    if name in FAILS:
        assert call.errno == FAILS[name]


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_both_arms_make_the_same_of_it() -> None:
    alike(*VARIANTS)


#: What has no room in an ``int`` is cut down, or the highest ``long`` is (atoi).
NUMBERS = ("0", "1", "2", "-1", "-15", "4294967297", "4294967311", "9" * 30, "-" + "9" * 30, "x")


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(100)
@pytest.mark.parametrize("option", ["ndots", "timeout", "attempts"])
def test_numbers_of_resolv_conf(option: str) -> None:
    """Held by which names are asked for, in which order, how long and how often."""
    files = [
        naming.resolv_conf(
            ODD if option == "ndots" else "10.0.0.9",
            options=f"timeout:1 attempts:1 {option}:{number}",
            search="example.com",
        )
        for number in NUMBERS
    ]
    variants = [
        naming.variant(
            {"name": "nowhere", "family": "IPv4", "option": each["/etc/resolv.conf"] or ""},
            client=ask,
            server=serve,
            files=each,
            server_addresses=(naming.SERVER_ADDRESS, ODD),
            horizon_ns=1970 * MS,
        )
        for each in files
    ]
    alike(*variants)
