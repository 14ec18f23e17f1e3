"""What a host says to the extension headers of a packet (RFC 8200 4.2 and 4.4)."""

from typing import Final

from halfopen.wire import icmp6, ip6
from halfopen.wire.address import is_multicast
from halfopen.wire.ip import Packet

#: Where an ICMPv6 error would point that is not sent.
SILENT: Final = -1

_PAD1: Final = 0
_KNOWN: Final = frozenset({1, 5})  # PadN and the router alert
_NEXT_AT: Final = 6  # of the IPv6 header


class Objection:
    """A packet is dropped. A parameter problem of this code points there, unless SILENT."""

    def __init__(self, code: int, pointer: int) -> None:
        self.code = code
        self.pointer = pointer


def objection(packet: Packet) -> Objection | None:
    """Look for an option that must be understood, or a route that is not at its end.

    Linux ip6_parse_tlv, ip6_tlvopt_unknown, ipv6_rthdr_rcv.
    """
    at = ip6.HEADER_LEN
    for kind, octets in packet.extensions:
        found: Objection | None = None
        if kind == ip6.ROUTING:
            if octets[3]:  # segments left
                found = Objection(icmp6.BAD_HEADER, at + 2)
        elif kind != ip6.FRAGMENT:
            found = _options(octets, at, is_multicast(packet.dst))
        if found is not None:
            return found
        at += len(octets)
    return None


def unknown_next(packet: Packet) -> Objection:
    """Object to a next header that nobody takes: where is it named? (Linux ip6_input_finish)."""
    at = _NEXT_AT
    if packet.extensions:
        lengths = [len(octets) for _, octets in packet.extensions]
        at = ip6.HEADER_LEN + sum(lengths[:-1])
    if packet.proto == ip6.NO_NEXT:
        at = SILENT
    return Objection(icmp6.UNKNOWN_NEXT, at)


def _options(octets: bytes, start: int, to_many: bool) -> Objection | None:
    at = 2
    while at < len(octets):
        kind = octets[at]
        if kind == _PAD1:
            at += 1
            continue
        end = at + 2 + (octets[at + 1] if at + 1 < len(octets) else len(octets))
        if end > len(octets):
            return Objection(icmp6.BAD_HEADER, SILENT)
        action = kind >> 6
        if kind not in _KNOWN and action:
            silent = action == 1 or (action == 3 and to_many)
            return Objection(icmp6.UNKNOWN_OPTION, SILENT if silent else start + at)
        at = end
    return None
