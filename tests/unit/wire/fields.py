"""The fields of a value, in both builds: a compiled class has no ``__slots__``, nor ``vars``."""

from collections.abc import Mapping

from halfopen.wire.arp import Arp
from halfopen.wire.icmp import Icmp
from halfopen.wire.ip import Packet
from halfopen.wire.ndisc import Ndisc
from halfopen.wire.tcp import Segment
from halfopen.wire.udp import Datagram


def fields(thing: object) -> object:
    """Give every field by name, and those of what it holds; anything else as it is."""
    if not isinstance(thing, (Arp, Datagram, Icmp, Ndisc, Packet, Segment)):
        return thing
    found = {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}
    shown: Mapping[str, object] = {
        name: fields(each) for name, each in found.items() if not callable(each)
    }
    return shown
