"""ARP for IPv4 over Ethernet (RFC 826): which hardware address has an IP address."""

import struct
from typing import Final

from halfopen.wire.address import from_bytes, to_bytes
from halfopen.wire.errors import WireError

REQUEST: Final = 1
REPLY: Final = 2

_ETHERNET: Final = 1
_IPV4: Final = 0x0800
_LAYOUT: Final = struct.Struct("!HHBBH6s4s6s4s")


class Arp:
    """One message. Hardware addresses are text, ``02:00:00:00:00:01``."""

    def __init__(
        self, op: int, *, sender: str, sender_mac: str, target: str, target_mac: str
    ) -> None:
        self.op = op
        self.sender = sender
        self.sender_mac = sender_mac
        self.target = target
        self.target_mac = target_mac

    def show(self) -> str:
        """Say it in a few words."""
        if self.op == REQUEST:
            return f"ARP: who has {self.target}? tell {self.sender}"
        return f"ARP: {self.sender} is at {self.sender_mac}"


def encode(message: Arp) -> bytes:
    """Write a message."""
    return _LAYOUT.pack(
        _ETHERNET,
        _IPV4,
        6,
        4,
        message.op,
        mac_to_bytes(message.sender_mac),
        to_bytes(message.sender),
        mac_to_bytes(message.target_mac),
        to_bytes(message.target),
    )


def decode(data: bytes) -> Arp:
    """Read a message. Raises WireError where it is cut off, or not for IPv4 over Ethernet."""
    if len(data) < _LAYOUT.size:
        raise WireError(f"an ARP message has 28 octets, here are {len(data)}")
    hardware, protocol, mac_len, ip_len, op, sender_mac, sender, target_mac, target = (
        _LAYOUT.unpack_from(data)
    )
    if (hardware, protocol, mac_len, ip_len) != (_ETHERNET, _IPV4, 6, 4):
        raise WireError("an ARP message that is not for IPv4 over Ethernet")
    return Arp(
        op,
        sender=from_bytes(sender),
        sender_mac=mac_from_bytes(sender_mac),
        target=from_bytes(target),
        target_mac=mac_from_bytes(target_mac),
    )


def mac_to_bytes(mac: str) -> bytes:
    """Return the six octets of a hardware address."""
    return bytes.fromhex(mac.replace(":", ""))


def mac_from_bytes(octets: bytes) -> str:
    """Write a hardware address as text."""
    return octets.hex(":")
