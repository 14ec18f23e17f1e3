"""Which of several addresses is tried first (RFC 6724 6, as glibc sorts)."""

import ipaddress
from collections.abc import Callable
from typing import Final, TypeAlias

from halfopen.base.value import value
from halfopen.wire.address import LOOPBACK6, is_link_local, is_multicast, is_v6

#: A prefix and the number that it has.
Table: TypeAlias = tuple[tuple[ipaddress.IPv6Network, int], ...]


def _table(*entries: tuple[str, int]) -> Table:
    return tuple((ipaddress.IPv6Network(prefix), number) for prefix, number in entries)


#: gai.conf's defaults: those of the RFC before RFC 6724, with what glibc adds.
LABELS: Final = _table(
    ("::1/128", 0),
    ("2002::/16", 2),
    ("::/96", 3),
    ("::ffff:0:0/96", 4),
    ("fec0::/10", 5),
    ("fc00::/7", 6),
    ("2001::/32", 7),
    ("::/0", 1),
)
PRECEDENCES: Final = _table(
    ("::1/128", 50),
    ("2002::/16", 30),
    ("::/96", 20),
    ("::ffff:0:0/96", 10),
    ("::/0", 40),
)
_NEAR: Final = 2
_SITE: Final = 5
_GLOBAL: Final = 14


@value
class Destination:
    """An address, and from where it would be spoken to; None: no way leads there.

    ``prefix``: how long the network of that source is, where glibc knows it.
    """

    address: str
    source: str | None
    prefix: int = 32


def in_order(found: list[Destination]) -> list[int]:
    """Sort, and return the places that each had before."""
    return _merged(list(range(len(found))), lambda a, b: _before(found, a, b))


def _merged(places: list[int], before: Callable[[int, int], bool]) -> list[int]:
    """Sort by merging halves, as qsort does: where a rule is not transitive it matters."""
    if len(places) < 2:
        return places
    half = len(places) // 2
    left, right = _merged(places[:half], before), _merged(places[half:], before)
    done: list[int] = []
    while left and right:
        done.append(left.pop(0) if before(left[0], right[0]) else right.pop(0))
    return done + left + right


def _before(found: list[Destination], one: int, other: int) -> bool:
    """Whether one comes first, by the first rule that tells them apart."""
    a, b = found[one], found[other]
    if (a.source is None) != (b.source is None):
        return a.source is not None
    rules: list[tuple[int, int]] = []
    if a.source is not None and b.source is not None:
        rules = [
            (scope(a.address) == scope(a.source), scope(b.address) == scope(b.source)),
            (_label(a.address) == _label(a.source), _label(b.address) == _label(b.source)),
        ]
    rules.append((_precedence(a.address), _precedence(b.address)))
    rules.append((-scope(a.address), -scope(b.address)))
    if a.source is not None and b.source is not None and is_v6(a.address) == is_v6(b.address):
        rules.append(_alike(a, b))
    for mine, theirs in rules:
        if mine != theirs:
            return mine > theirs
    return one < other


def scope(address: str) -> int:
    """How far an address reaches: 2 is the link, 5 the site, 14 the world."""
    if not is_v6(address):
        return _NEAR if address.startswith(("127.", "169.254.")) else _GLOBAL
    number = ipaddress.IPv6Address(address)
    if is_multicast(address):
        return number.packed[1] & 0xF
    if is_link_local(address) or address == LOOPBACK6:
        return _NEAR
    return _SITE if number.is_site_local else _GLOBAL


def _label(address: str) -> int:
    return _match(address, LABELS)


def _precedence(address: str) -> int:
    return _match(address, PRECEDENCES)


def _match(address: str, table: Table) -> int:
    number = ipaddress.IPv6Address(address if is_v6(address) else f"::ffff:{address}")
    return next(value_ for prefix, value_ in table if number in prefix)


def _alike(a: Destination, b: Destination) -> tuple[int, int]:
    """How many bits each shares with its source; of IPv4 only within one network (rule 9)."""
    if is_v6(a.address):
        unlike = [_unlike(each) for each in (a, b)]
        word = min(_word(bits) for bits in unlike)
        if word == 4:
            return 0, 0
        shift = 96 - 32 * word
        first, second = (32 - (bits >> shift & 0xFFFFFFFF).bit_length() for bits in unlike)
        return first, second
    first, second = (
        32 - bits.bit_length() if not bits >> (32 - (each.prefix or 32)) else 0
        for each, bits in ((a, _unlike(a)), (b, _unlike(b)))
    )
    return first, second


def _unlike(each: Destination) -> int:
    assert each.source is not None, "both can be reached"
    address, source = (int(ipaddress.ip_address(text)) for text in (each.address, each.source))
    return address ^ source


def _word(bits: int) -> int:
    """The first of four words in which two addresses differ."""
    return (128 - bits.bit_length()) // 32
