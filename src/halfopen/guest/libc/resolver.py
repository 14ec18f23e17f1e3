"""Names to addresses and back, from the world's table of hosts; a name server there is none.

As a host whose ``/etc/hosts`` lists every host of the world, and localhost with both its addresses.
What that file does not hold ends as it ends where no name server answers: EAI_AGAIN.
"""

import _socket
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from halfopen.base.value import value
from halfopen.sockets.names import Address, needs_zone
from halfopen.wire.address import ANY, ANY6, LOOPBACK, LOOPBACK6, is_v6, mapped, unmapped

Names: TypeAlias = Mapping[str, tuple[str, ...]]
#: Family, type, protocol, canonical name, address: an entry of getaddrinfo.
Entry: TypeAlias = tuple[int, int, int, str, Address]
#: An address and its zone (0: none).
Found: TypeAlias = tuple[str, int]

LOCALHOST: Final = (LOOPBACK6, LOOPBACK)
_PORT_MAX: Final = 0xFFFF

#: What glibc offers where the caller names no type, in its order.
_TYPES: Final = (
    (_socket.SOCK_STREAM, _socket.IPPROTO_TCP),
    (_socket.SOCK_DGRAM, _socket.IPPROTO_UDP),
    (_socket.SOCK_RAW, 0),
)


@value
class Here:
    """What glibc asks the host's kernel: interfaces by name, and whether a way leads there.

    ``families``: of which families it has an address that is not the loopback's.
    """

    interfaces: Mapping[str, int]
    usable: Callable[[str], bool]
    families: frozenset[int]


def lookup(names: Names, here: Here, host: str, family: int, flags: int = 0) -> list[Found]:
    """Find the addresses of a name, or of an address itself, the best first.

    Raises gaierror EAI_ADDRFAMILY for an address of another family, EAI_NONAME for a zone that is
    none; EAI_AGAIN, as where no name server answers.
    """
    numeric = as_address(here, host)
    if numeric is not None:
        return [_of_family(numeric, family, flags)]
    if flags & _socket.AI_NUMERICHOST or "%" in host:
        raise _gaierror(_socket.EAI_NONAME)
    known = _known(names, host)
    found: list[Found] = [(text, 0) for text in known if family in {0, family_of(text)}]
    maps = family == _socket.AF_INET6 and flags & _socket.AI_V4MAPPED
    if maps and (not found or flags & _socket.AI_ALL):
        found += [(mapped(text), 0) for text in known if not is_v6(text)]
    if flags & _socket.AI_ADDRCONFIG:
        found = [each for each in found if family_of(each[0]) in here.families]
    if not found:
        raise _gaierror(_socket.EAI_AGAIN)
    return _sorted(here, found)


def family_of(address: str) -> int:
    """The family of an address."""
    return int(_socket.AF_INET6 if is_v6(address) else _socket.AF_INET)


def reverse(names: Names, address: str) -> str | None:
    """Find the name of an address."""
    if address in LOCALHOST:
        return "localhost"
    for name, addresses in names.items():
        if address in addresses:
            return name
    return None


def as_address(here: Here, host: str) -> Found | None:
    """Read an address in digits (inet_aton, inet_pton) and write it canonically; None: it is none.

    Raises gaierror EAI_NONAME where a zone is named that the host does not have.
    """
    try:
        return _socket.inet_ntoa(_socket.inet_aton(host)), 0
    except OSError:
        pass
    text, percent, zone = host.partition("%")
    try:
        address = _socket.inet_ntop(_socket.AF_INET6, _socket.inet_pton(_socket.AF_INET6, text))
    except OSError:
        return None
    return address, _zone(here, address, zone) if percent else 0


def getaddrinfo(  # noqa: PLR0913, PLR0917  as in C
    names: Names,
    here: Here,
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,  # noqa: A002  the parameter's name in CPython
    proto: int = 0,
    flags: int = 0,
) -> list[Entry]:
    """List where a name and a service lead.

    Raises gaierror: EAI_NONAME, EAI_AGAIN, EAI_SERVICE, EAI_FAMILY, EAI_SOCKTYPE, EAI_ADDRFAMILY.
    """
    if family not in {_socket.AF_UNSPEC, _socket.AF_INET, _socket.AF_INET6}:
        raise _gaierror(_socket.EAI_FAMILY)
    if host is None and port is None:
        raise _gaierror(_socket.EAI_NONAME)
    number = _service(port)
    addresses = _addresses(names, here, host, family, flags)
    kinds = [
        (kind, protocol)
        for kind, protocol in _TYPES
        if type in {0, kind} and proto in {0, protocol or proto}
    ]
    if not kinds:
        raise _gaierror(_socket.EAI_SOCKTYPE)
    canonical = _text(host) if flags & _socket.AI_CANONNAME and host is not None else ""
    found = []
    for address, zone in addresses:
        there: Address = (address, number, 0, zone) if is_v6(address) else (address, number)
        for kind, protocol in kinds:
            found.append((family_of(address), kind, protocol or proto, canonical, there))
            canonical = ""
    return found


def _addresses(
    names: Names, here: Here, host: str | bytes | None, family: int, flags: int
) -> list[Found]:
    if host is not None:
        return lookup(names, here, _text(host), family, flags)
    if flags & _socket.AI_PASSIVE:
        own: tuple[str, ...] = (ANY, ANY6)
    else:
        own = LOCALHOST
    return [(text, 0) for text in own if family in {0, family_of(text)}]


def _known(names: Names, host: str) -> tuple[str, ...]:
    wanted = host.rstrip(".").lower()
    if wanted == "localhost":
        return LOCALHOST
    for name, addresses in names.items():
        if name.lower() == wanted:
            return addresses
    return ()


def _of_family(numeric: Found, family: int, flags: int) -> Found:
    """Give an address in the family that is asked for, where it has a form there."""
    address = numeric[0]
    if family in {0, family_of(address)}:
        return numeric
    if family == _socket.AF_INET6 and flags & _socket.AI_V4MAPPED:
        return mapped(address), 0
    plain = unmapped(address)
    if family == _socket.AF_INET6 or plain == address:
        raise _gaierror(_socket.EAI_ADDRFAMILY)
    return plain, 0


def _zone(here: Here, address: str, zone: str) -> int:
    """Read the zone behind an address (glibc __inet6_scopeid_pton)."""
    if needs_zone(address) and zone in here.interfaces:
        return here.interfaces[zone]
    if zone.isascii() and zone.isdigit():
        return int(zone)
    raise _gaierror(_socket.EAI_NONAME)


def _sorted(here: Here, found: list[Found]) -> list[Found]:
    """Put first what can be reached, and of that IPv6 (RFC 6724 6, rules 1 and 6)."""
    return sorted(found, key=lambda each: (not here.usable(each[0]), not is_v6(each[0])))


def _service(port: str | bytes | int | None) -> int:
    if port is None:
        return 0
    if isinstance(port, int):
        return port & _PORT_MAX
    text = _text(port)
    if text.isdigit() and int(text) <= _PORT_MAX:
        return int(text)
    raise _gaierror(_socket.EAI_SERVICE)


def _text(name: str | bytes) -> str:
    return name.decode("ascii") if isinstance(name, bytes) else name


_WORDS: Final = {
    _socket.EAI_NONAME: "Name or service not known",
    _socket.EAI_AGAIN: "Temporary failure in name resolution",
    _socket.EAI_SERVICE: "Servname not supported for ai_socktype",
    _socket.EAI_FAMILY: "ai_family not supported",
    _socket.EAI_SOCKTYPE: "ai_socktype not supported",
    _socket.EAI_ADDRFAMILY: "Address family for hostname not supported",
}


def _gaierror(code: int) -> OSError:
    return _socket.gaierror(code, _WORDS[code])
