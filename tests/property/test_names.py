"""Names as glibc looks them up, with files and calls that hypothesis writes: no difference.

``make agree`` takes others each time (``agree``).
"""

import json
from typing import Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.property.lookups import HORIZON_NS, said, unlike
from tests.property.naming import asks, serve

from halfopen.guest.arm import run_variant as in_world
from halfopen.oracle.arm import run_variants
from halfopen.scenario.etc import PROTOCOLS, SERVICES
from halfopen.scenario.model import Variant
from halfopen.scenario.notes import naming

HOSTS: Final = 25


#: Numbers of 32 bits, of 64, beyond; with signs, in other bases, with something behind them.
_NUMBERS: Final = (
    *("0", "80", "+80", "-80", "-1", "-65456", "65536", "65616", "2147483648", "4294967295"),
    *("4294967296", "4294967376", "-4294967216", "9223372036854775808", "18446744073709551615"),
    *("18446744073709551616", "-18446744073709551615", "-18446744073709551616", "9" * 30),
    *(
        "-" + "9" * 30,
        "0x50",
        "0120",
        "0x",
        "08",
        "1e1",
        "\uff18\uff10",
        "8 0",
        "--8",
        "+-8",
        "80 ",
    ),
)


def numbers_variant() -> Variant:
    """The numbers wherever the C library reads one from a text."""
    words = [each for each in _NUMBERS if each.isascii() and " " not in each]
    plain = list(enumerate(words))
    files = {
        SERVICES: "".join(f"s{n} {word}/tcp also{n}\nt{n} {word}//udp\n" for n, word in plain)
        + "".join(f"u{n} {word}\nv{n} {word} tcp\n" for n, word in plain),
        PROTOCOLS: "".join(f"p{n} {word} also{n}\nq{n}\t{word}\n" for n, word in plain),
    }
    called = [
        *(("C getservbyname", [f"{kind}{n}"]) for n, _ in plain for kind in "stuv"),
        *(("getprotobyname", [f"{kind}{n}"]) for n, _ in plain for kind in "pq"),
        *(("getservbyport", [port]) for port in (0, 8, 16, 80, 65535, 65456)),
        *(
            ("getaddrinfo", ["10.0.0.1", word, 2, kind, 0, flags])
            for word in _NUMBERS
            for kind in (0, 1)
            for flags in (0, 0x400)
        ),
        *(("getaddrinfo", [form, None, 2, 1, 0, 4]) for form in _NUMBERS),
        *(("getaddrinfo", [f"10.{form}", None, 2, 1, 0, 4]) for form in _NUMBERS),
        *(("getaddrinfo", [f"fe80::7%{form}", None, 10, 1, 0, 4]) for form in _NUMBERS),
        *(("C gethostbyname", [f"1.2.3.{form}"]) for form in _NUMBERS),
    ]
    return naming.variant(
        {"calls": json.dumps(called)}, client=asks, server=serve, files=files, horizon_ns=HORIZON_NS
    )


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(100)
def test_the_world_reads_numbers_as_glibc_does() -> None:
    """Also those that have no room in 32 or in 64 bits (strtoul, strtou32)."""
    (run,) = run_variants([numbers_variant()])
    assert run.trace is not None, run.failed
    world, kernel = said(in_world(numbers_variant())), said(run.trace)
    differ = [pair for pair in zip(world, kernel, strict=True) if pair[0] != pair[1]]
    assert not differ, "\n".join(f"{ours}\n    {theirs}" for ours, theirs in differ)


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=1, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(seeds=st.lists(st.integers(0, 1 << 62), min_size=HOSTS, max_size=HOSTS, unique=True))
def test_the_world_looks_names_up_as_glibc_does(seeds: list[int]) -> None:
    """Whatever the files say and the calls ask for: 2500 calls on 25 hosts."""
    found = [text for text in unlike(seeds) if text]
    assert not found, "\n".join(found)
