"""Ethernet frames, as a LAN carries them."""

from typing import Final

from halfopen.wire import arp, ip
from halfopen.wire.arp import Arp, mac_from_bytes, mac_to_bytes
from halfopen.wire.errors import WireError
from halfopen.wire.ip import Packet

BROADCAST: Final = "ff:ff:ff:ff:ff:ff"
NOBODY: Final = "00:00:00:00:00:00"

_IPV4: Final = 0x0800
_ARP: Final = 0x0806
_HEADER_LEN: Final = 14


def mac_of(lan: int, place: int) -> str:
    """Return the hardware address of a host on a LAN, both counted from 0; both arms give it."""
    return f"02:00:00:00:{lan + 1:02x}:{place + 1:02x}"


class Frame:
    """One frame: to and from which hardware address, and a packet or an ARP message in it."""

    __slots__ = ("body", "dst", "src")

    def __init__(self, dst: str, src: str, body: Packet | Arp) -> None:
        self.dst = dst
        self.src = src
        self.body = body


def encode(frame: Frame) -> bytes:
    """Write a frame, without padding and check sequence."""
    body = frame.body
    head = mac_to_bytes(frame.dst) + mac_to_bytes(frame.src)
    if isinstance(body, Arp):
        return head + _ARP.to_bytes(2, "big") + arp.encode(body)
    return head + _IPV4.to_bytes(2, "big") + ip.encode(body)


def decode(data: bytes) -> Frame:
    """Read a frame. Raises WireError where it is cut off, or carries neither IPv4 nor ARP."""
    if len(data) < _HEADER_LEN:
        raise WireError(f"an Ethernet header has 14 octets, here are {len(data)}")
    dst, src = mac_from_bytes(data[:6]), mac_from_bytes(data[6:12])
    kind = int.from_bytes(data[12:14], "big")
    rest = data[_HEADER_LEN:]
    if kind == _ARP:
        return Frame(dst, src, arp.decode(rest))
    if kind == _IPV4:
        return Frame(dst, src, ip.decode(rest))
    raise WireError(f"an Ethernet frame of type {kind:#06x}: neither IPv4 nor ARP")
