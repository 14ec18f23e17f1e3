"""Names to addresses and back, from the world's table of hosts; a name server there is none.

As a host whose ``/etc/hosts`` lists every host of the world. What that file does not hold ends as
it ends where no name server answers: EAI_AGAIN.
"""

import _socket
from collections.abc import Mapping
from typing import Final, TypeAlias

Names: TypeAlias = Mapping[str, tuple[str, ...]]
#: Family, type, protocol, canonical name, address: an entry of getaddrinfo.
Entry: TypeAlias = tuple[int, int, int, str, tuple[str, int]]

LOCALHOST: Final = ("127.0.0.1",)
ANY: Final = "0.0.0.0"
_PORT_MAX: Final = 0xFFFF

#: What glibc offers where the caller names no type, in its order.
_TYPES: Final = (
    (_socket.SOCK_STREAM, _socket.IPPROTO_TCP),
    (_socket.SOCK_DGRAM, _socket.IPPROTO_UDP),
    (_socket.SOCK_RAW, 0),
)


def lookup(names: Names, host: str) -> tuple[str, ...]:
    """Find the addresses of a name, or of an address itself.

    Raises gaierror EAI_AGAIN, as where no name server answers.
    """
    numeric = as_address(host)
    if numeric:
        return (numeric,)
    wanted = host.rstrip(".").lower()
    if wanted == "localhost":
        return LOCALHOST
    for name, addresses in names.items():
        if name.lower() == wanted and addresses:
            return addresses
    raise _gaierror(_socket.EAI_AGAIN)


def reverse(names: Names, address: str) -> str | None:
    """Find the name of an address."""
    if address in LOCALHOST:
        return "localhost"
    for name, addresses in names.items():
        if address in addresses:
            return name
    return None


def as_address(host: str) -> str:
    """Read an address in digits (inet_aton) and write it canonically; empty where it is none."""
    try:
        return _socket.inet_ntoa(_socket.inet_aton(host))
    except OSError:
        return ""


def getaddrinfo(  # noqa: PLR0913, PLR0917  as in C
    names: Names,
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,  # noqa: A002  the parameter's name in CPython
    proto: int = 0,
    flags: int = 0,
) -> list[Entry]:
    """List where a name and a service lead, IPv4 only.

    Raises gaierror: EAI_NONAME, EAI_AGAIN, EAI_SERVICE, EAI_FAMILY, EAI_SOCKTYPE, EAI_ADDRFAMILY.
    """
    if family == _socket.AF_INET6:
        raise _gaierror(_socket.EAI_ADDRFAMILY)
    if family not in {_socket.AF_UNSPEC, _socket.AF_INET}:
        raise _gaierror(_socket.EAI_FAMILY)
    if host is None and port is None:
        raise _gaierror(_socket.EAI_NONAME)
    number = _service(port)
    addresses = _addresses(names, host, flags)
    kinds = [
        (kind, protocol)
        for kind, protocol in _TYPES
        if type in {0, kind} and proto in {0, protocol or proto}
    ]
    if not kinds:
        raise _gaierror(_socket.EAI_SOCKTYPE)
    canonical = _text(host) if flags & _socket.AI_CANONNAME and host is not None else ""
    found = []
    for address in addresses:
        for kind, protocol in kinds:
            entry = (_socket.AF_INET, kind, protocol or proto, canonical, (address, number))
            found.append(entry)
            canonical = ""
    return found


def _addresses(names: Names, host: str | bytes | None, flags: int) -> tuple[str, ...]:
    if host is None:
        return (ANY,) if flags & _socket.AI_PASSIVE else LOCALHOST
    text = _text(host)
    if flags & _socket.AI_NUMERICHOST and not as_address(text):
        raise _gaierror(_socket.EAI_NONAME)
    return lookup(names, text)


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
