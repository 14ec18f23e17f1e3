"""Ethernet frames, as a LAN carries them."""

from typing import Final

from halfopen.wire import arp, ip, ndisc
from halfopen.wire.address import is_v6
from halfopen.wire.arp import Arp, mac_from_bytes, mac_to_bytes
from halfopen.wire.errors import WireError
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import PROTO_ICMPV6, Packet
from halfopen.wire.ndisc import ADVERTISE, HOPS, SOLICIT, Ndisc

BROADCAST: Final = "ff:ff:ff:ff:ff:ff"
NOBODY: Final = "00:00:00:00:00:00"

_IPV4: Final = 0x0800
_ARP: Final = 0x0806
_IPV6: Final = 0x86DD
_HEADER_LEN: Final = 14


def mac_of(lan: int, place: int) -> str:
    """Return the hardware address of a host on a LAN, both counted from 0; both arms give it."""
    return f"02:00:00:00:{lan + 1:02x}:{place + 1:02x}"


class Frame:
    """One frame: to and from which hardware address, and what is in it.

    A packet, or a message about hardware addresses, of ARP or of neighbour discovery.
    """

    __slots__ = ("body", "dst", "src")

    def __init__(self, dst: str, src: str, body: Packet | Arp | Ndisc) -> None:
        self.dst = dst
        self.src = src
        self.body = body


def encode(frame: Frame) -> bytes:
    """Write a frame, without padding and check sequence."""
    body = frame.body
    head = mac_to_bytes(frame.dst) + mac_to_bytes(frame.src)
    if isinstance(body, Arp):
        return head + _ARP.to_bytes(2, "big") + arp.encode(body)
    if isinstance(body, Ndisc):
        body = carrying(body)
    kind = _IPV6 if is_v6(body.src) else _IPV4
    return head + kind.to_bytes(2, "big") + ip.encode(body)


def carrying(message: Ndisc) -> Packet:
    """Return the packet that a message of neighbour discovery goes in."""
    body = ndisc.to_icmp(message)
    return Packet(message.sender, message.to, PROTO_ICMPV6, body, HOPS)


def is_for(frame_dst: str, mac: str) -> bool:
    """Whether a switch gives a frame to an interface: it floods what is for a group."""
    return frame_dst in (mac, BROADCAST) or ndisc.is_group_mac(frame_dst)


def decode(data: bytes) -> Frame:
    """Read a frame. Raises WireError where it is cut off, or carries neither IP nor ARP."""
    if len(data) < _HEADER_LEN:
        raise WireError(f"an Ethernet header has 14 octets, here are {len(data)}")
    dst, src = mac_from_bytes(data[:6]), mac_from_bytes(data[6:12])
    kind = int.from_bytes(data[12:14], "big")
    rest = data[_HEADER_LEN:]
    if kind == _ARP:
        return Frame(dst, src, arp.decode(rest))
    if kind in (_IPV4, _IPV6):
        return Frame(dst, src, _about_neighbours(ip.decode(rest)))
    raise WireError(f"an Ethernet frame of type {kind:#06x}: neither IP nor ARP")


def _about_neighbours(packet: Packet) -> Packet | Ndisc:
    body = packet.body
    if packet.proto != PROTO_ICMPV6 or not isinstance(body, Icmp):
        return packet
    if body.kind not in (SOLICIT, ADVERTISE):
        return packet
    return ndisc.from_icmp(body, sender=packet.src, to=packet.dst, hops=packet.ttl)
