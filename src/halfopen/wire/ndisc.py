"""Neighbour discovery (RFC 4861): which hardware address has an IPv6 address."""

from typing import Final

from halfopen.wire import icmp6
from halfopen.wire.address import from_bytes, to_bytes
from halfopen.wire.arp import mac_from_bytes, mac_to_bytes
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp

SOLICIT: Final = icmp6.NEIGHBOUR_SOLICITATION
ADVERTISE: Final = icmp6.NEIGHBOUR_ADVERTISEMENT

#: No router has passed such a message on (RFC 4861 7.1.1).
HOPS: Final = 255

_SOLICITED: Final = 0x40000000
_OVERRIDE: Final = 0x20000000
_TARGET_LEN: Final = 16
_SOURCE_MAC: Final = 1
_TARGET_MAC: Final = 2
_MULTICAST: Final = "33:33:"


class Ndisc:
    """One message, from ``sender`` to ``to``; ``mac`` is empty where it is not said.

    ``solicited``: it answers a question. ``override``: it counts more than what is known.
    """

    def __init__(
        self,
        op: int,
        *,
        sender: str,
        to: str,
        target: str,
        mac: str = "",
        solicited: bool = False,
        override: bool = False,
    ) -> None:
        self.op = op
        self.sender = sender
        self.to = to
        self.target = target
        self.mac = mac
        self.solicited = solicited
        self.override = override

    def show(self) -> str:
        """Say it in a few words."""
        if self.op == SOLICIT:
            return f"ND: who has {self.target}? tell {self.sender}"
        return f"ND: {self.target} is at {self.mac or 'the same address'}"


def to_icmp(message: Ndisc) -> Icmp:
    """Lay a message out as the body of a packet."""
    rest = (_SOLICITED if message.solicited else 0) | (_OVERRIDE if message.override else 0)
    body = to_bytes(message.target)
    if message.mac:
        kind = _SOURCE_MAC if message.op == SOLICIT else _TARGET_MAC
        body += bytes((kind, 1)) + mac_to_bytes(message.mac)
    return Icmp(message.op, 0, rest, body)


def from_icmp(message: Icmp, *, sender: str, to: str, hops: int) -> Ndisc:
    """Read a message. Raises WireError where it is cut off, or a router passed it on."""
    body = message.quoted
    if hops != HOPS or message.code:
        raise WireError("a message of neighbour discovery that came from afar")
    if len(body) < _TARGET_LEN:
        raise WireError("a message of neighbour discovery is cut off")
    solicits = message.kind == SOLICIT
    return Ndisc(
        message.kind,
        sender=sender,
        to=to,
        target=from_bytes(body[:_TARGET_LEN]),
        mac=_option(body[_TARGET_LEN:], _SOURCE_MAC if solicits else _TARGET_MAC),
        solicited=bool(message.rest & _SOLICITED),
        override=bool(message.rest & _OVERRIDE),
    )


def solicited_node(address: str) -> str:
    """Return the group that an address is asked for in (RFC 4291 2.7.1)."""
    prefix = bytes.fromhex("ff0200000000000000000001ff")
    return from_bytes(prefix + to_bytes(address)[13:])


def group_mac(group: str) -> str:
    """Return the hardware address of a multicast group (RFC 2464 7)."""
    return _MULTICAST + mac_from_bytes(to_bytes(group)[12:])


def is_group_mac(mac: str) -> bool:
    """Whether frames to there are for a group of IPv6."""
    return mac.startswith(_MULTICAST)


def link_local(mac: str) -> str:
    """Return the address that an interface gives itself (RFC 4291 2.5.1 and Appendix A)."""
    octets = mac_to_bytes(mac)
    identifier = bytes((octets[0] ^ 2,)) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return from_bytes(b"\xfe\x80" + bytes(6) + identifier)


def _option(options: bytes, wanted: int) -> str:
    at = 0
    while at + 8 <= len(options):
        kind, length = options[at], options[at + 1] * 8
        if not length:
            raise WireError("an option of neighbour discovery without a length")
        if kind == wanted:
            return mac_from_bytes(options[at + 2 : at + 8])
        at += length
    return ""
