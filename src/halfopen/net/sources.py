"""Which of a host's addresses a packet comes from, where neither socket nor route says so."""

from typing import Final

from halfopen.net.interfaces import LOOPBACK, Interface, split_prefix
from halfopen.wire import address

# Scopes (RFC 4291 2.7; Linux ipv6_addr_src_scope). The loopback's is its link.
_LINK: Final = 0x2
_SITE: Final = 0x5
_GLOBAL: Final = 0xE
#: What is worse than any scope that is too large (Linux ipv6_get_saddr_eval).
_TOO_SMALL: Final = 128

_SITE_LOCAL: Final = (0xFEC0 << 112, 10)
_ORCHID: Final = (0x20010010 << 96, 28)  # RFC 4843
#: Prefix, its length, its label (RFC 6724 2.1, and what Linux ip6addrlbl_init_table adds).
_LABELS: Final = (
    (1, 128, 0),
    (0, 96, 3),
    (0xFFFF << 32, 96, 4),
    (0x20010000 << 96, 32, 6),
    (0x20010010 << 96, 28, 7),
    (0x2002 << 112, 16, 2),
    (0x3FFE << 112, 16, 12),
    (0xFEC0 << 112, 10, 11),
    (0xFC00 << 112, 7, 5),
)
_OTHER: Final = 1


def of_ipv4(by: Interface, interfaces: list[Interface]) -> str:
    """Return the first address of an interface, or else of any (Linux inet_select_addr).

    The loopback's is for itself alone. 0.0.0.0: there is none.
    """
    for interface in (by, *interfaces):
        if interface.index != LOOPBACK:
            for own, _ in interface.primaries():
                return own
    return address.ANY


def of_ipv6(by: Interface, destination: str, interfaces: list[Interface]) -> str:
    """Return the address that goes best with a destination (RFC 6724 5; Linux ipv6_dev_get_saddr).

    Of equals, the first interface's and there the one that was added last. "": there is none.
    """
    scope = _scope(destination)
    best = ""
    best_score = (0, 0, 0, 0, 0, 0)
    for interface in (by,) if scope <= _LINK else interfaces:
        for own, length in _in_order(interface):
            score = _score(own, length, destination, leaves=interface is by)
            if not best or score > best_score:
                best, best_score = own, score
    return best


def _in_order(interface: Interface) -> list[tuple[str, int]]:
    """List the IPv6 addresses as the kernel does: large scopes first, then the latest.

    Linux ipv6_link_dev_addr.
    """
    own = [split_prefix(text) for text in reversed(interface.addresses) if address.is_v6(text)]
    own.sort(key=_by_scope)
    return own


def _by_scope(own: tuple[str, int]) -> int:
    return -_scope(own[0])


def _score(
    own: str, length: int, destination: str, *, leaves: bool
) -> tuple[int, int, int, int, int, int]:
    """Weigh an address by the rules, the weightiest first."""
    mine, theirs = address.number(own), address.number(destination)
    scope, needed = _scope(own), _scope(destination)
    common = 128 - (mine ^ theirs).bit_length()
    return (
        int(own == destination),
        -scope if scope >= needed else scope - _TOO_SMALL,
        int(leaves),
        int(_label(mine) == _label(theirs)),
        int(_within(mine, *_ORCHID) == _within(theirs, *_ORCHID)),
        min(common, length),
    )


def _scope(own: str) -> int:
    if own == address.LOOPBACK6 or address.is_link_local(own):
        return _LINK
    return _SITE if _within(address.number(own), *_SITE_LOCAL) else _GLOBAL


def _label(number: int) -> int:
    for prefix, length, label in _LABELS:
        if _within(number, prefix, length):
            return label
    return _OTHER


def _within(number: int, prefix: int, length: int) -> bool:
    return (number ^ prefix) >> (128 - length) == 0
