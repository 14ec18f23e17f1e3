"""The C library's own calls of names, with its pointers: what Python's ``socket`` hides.

A program of a scenario imports this on both arms. On the kernel it is the process's own C library;
in the world another module takes its place (``guest.standins.libc``). A pointer is an int, 0 is
NULL. What a pointer points to is read when it is asked for: it may have changed meanwhile.
"""

import _socket
import ctypes
import errno as _errno
from ctypes.util import find_library
from typing import Final, TypeAlias

#: Name, aliases, family, addresses as text.
Hostent: TypeAlias = tuple[str, list[str], int, list[str]]
#: Name, aliases, port, protocol.
Servent: TypeAlias = tuple[str, list[str], int, str]
#: Name, aliases, number.
Protoent: TypeAlias = tuple[str, list[str], int]
#: Family, type, protocol, address as text, port, canonical name.
Addrinfo: TypeAlias = tuple[int, int, int, str, int, str]

#: So much room a reentrant call is given at least.
ROOM: Final = 4096

_lib: Final = ctypes.CDLL(find_library("c") or None, use_errno=True)
_ENT: Final = 64  # room for a struct hostent and its like, in front of the buffer


class _Hostent(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("aliases", ctypes.POINTER(ctypes.c_char_p)),
        ("family", ctypes.c_int),
        ("length", ctypes.c_int),
        ("addresses", ctypes.POINTER(ctypes.c_void_p)),
    )


class _Servent(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("aliases", ctypes.POINTER(ctypes.c_char_p)),
        ("port", ctypes.c_int),
        ("protocol", ctypes.c_char_p),
    )


class _Protoent(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("aliases", ctypes.POINTER(ctypes.c_char_p)),
        ("number", ctypes.c_int),
    )


class _Addrinfo(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_int),
        ("family", ctypes.c_int),
        ("type", ctypes.c_int),
        ("protocol", ctypes.c_int),
        ("length", ctypes.c_uint),
        ("address", ctypes.c_void_p),
        ("canonical", ctypes.c_char_p),
        ("next", ctypes.c_void_p),
    )


def _function(name: str, gives: object = ctypes.c_void_p) -> "ctypes._FuncPointer":
    found = getattr(_lib, name)
    found.restype = gives
    return found  # type: ignore[no-any-return]  # by name


# Memory.


def malloc(size: int) -> int:
    """Give room."""
    return int(_function("malloc")(ctypes.c_size_t(size)) or 0)


def free(place: int) -> None:
    """Take it back."""
    _function("free", None)(ctypes.c_void_p(place))


def peek(place: int, size: int) -> bytes:
    """Read what stands in memory."""
    return ctypes.string_at(place, size)


def string(place: int) -> str:
    """Read a string up to its end."""
    return ctypes.string_at(place).decode()


# Hosts.


def gethostbyname(name: str) -> int:
    """Look a name up; the result lies where every result of it lies."""
    return int(_function("gethostbyname")(name.encode()) or 0)


def gethostbyaddr(address: str) -> int:
    """Look an address up; the same."""
    family, octets = _packed(address)
    return int(_function("gethostbyaddr")(octets, len(octets), family) or 0)


def gethostbyname_r(name: str, place: int, size: int) -> tuple[int, int, int]:
    """Look a name up into room of the caller's: an errno, the result, h_errno."""
    return _reentrant("gethostbyname_r", (name.encode(),), place, size)


def gethostbyaddr_r(address: str, place: int, size: int) -> tuple[int, int, int]:
    """Look an address up; the same."""
    family, octets = _packed(address)
    return _reentrant("gethostbyaddr_r", (octets, len(octets), family), place, size)


def h_errno() -> int:
    """Read the thread's h_errno."""
    found = _function("__h_errno_location")()
    return int(ctypes.cast(found, ctypes.POINTER(ctypes.c_int))[0])


def hostent(pointer: int) -> Hostent:
    """Read a struct hostent."""
    there = ctypes.cast(pointer, ctypes.POINTER(_Hostent))[0]
    addresses = []
    for position in range(_LIST_MAX):
        address = there.addresses[position]
        if not address:
            break
        octets = ctypes.string_at(address, there.length)
        addresses.append(_socket.inet_ntop(there.family, octets))
    return there.name.decode(), _strings(there.aliases), there.family, addresses


# Services and protocols.


def getservbyname(name: str, protocol: str | None = None) -> int:
    """Look a service up; the result lies where every result of it lies."""
    return int(_function("getservbyname")(name.encode(), _text(protocol)) or 0)


def getservbyport(port: int, protocol: str | None = None) -> int:
    """Look a port up; the same."""
    return int(_function("getservbyport")(_socket.htons(port), _text(protocol)) or 0)


def servent(pointer: int) -> Servent:
    """Read a struct servent."""
    there = ctypes.cast(pointer, ctypes.POINTER(_Servent))[0]
    port = _socket.ntohs(there.port & 0xFFFF)
    return there.name.decode(), _strings(there.aliases), port, there.protocol.decode()


def getprotobyname(name: str) -> int:
    """Look a protocol up by its name; the result lies where every result of it lies."""
    return int(_function("getprotobyname")(name.encode()) or 0)


def getprotobynumber(number: int) -> int:
    """Look a protocol up by its number; the same."""
    return int(_function("getprotobynumber")(number) or 0)


def protoent(pointer: int) -> Protoent:
    """Read a struct protoent."""
    there = ctypes.cast(pointer, ctypes.POINTER(_Protoent))[0]
    return there.name.decode(), _strings(there.aliases), there.number


# getaddrinfo.


def getaddrinfo(
    name: str | None, service: str | None, family: int = 0, type_: int = 0, flags: int = 0
) -> tuple[int, int]:
    """Look a name and a service up: an EAI_ number, and a list that is the caller's."""
    hints = _Addrinfo(flags=flags, family=family, type=type_)
    found = ctypes.c_void_p()
    call = _function("getaddrinfo", ctypes.c_int)
    code = call(_text(name), _text(service), ctypes.byref(hints), ctypes.byref(found))
    return int(code), int(found.value or 0)


def freeaddrinfo(pointer: int) -> None:
    """Give a list back."""
    _function("freeaddrinfo", None)(ctypes.c_void_p(pointer))


def addrinfo(pointer: int) -> list[Addrinfo]:
    """Read a list of struct addrinfo."""
    found: list[Addrinfo] = []
    while pointer:
        there = ctypes.cast(pointer, ctypes.POINTER(_Addrinfo))[0]
        octets = ctypes.string_at(there.address, there.length)
        at = slice(4, 8) if there.family == _socket.AF_INET else slice(8, 24)
        address = _socket.inet_ntop(there.family, octets[at])
        port = int.from_bytes(octets[2:4])
        canonical = (there.canonical or b"").decode()
        found.append((there.family, there.type, there.protocol, address, port, canonical))
        pointer = there.next or 0
    return found


# The host's name, and an address as text.


def gethostname(place: int, size: int) -> int:
    """Write the host's name into room of the caller's: 0, or an errno."""
    status = _function("gethostname", ctypes.c_int)(ctypes.c_void_p(place), ctypes.c_size_t(size))
    return 0 if status == 0 else ctypes.get_errno() or _errno.EIO


def inet_ntoa(address: str) -> int:
    """Write an address of IPv4; the text lies where every text of the thread lies."""
    number = int.from_bytes(_socket.inet_aton(address), "little")
    return int(_function("inet_ntoa")(ctypes.c_uint32(number)) or 0)


_LIST_MAX: Final = 100


def _reentrant(name: str, given: tuple[object, ...], place: int, size: int) -> tuple[int, int, int]:
    found, told = ctypes.c_void_p(), ctypes.c_int()
    status = _function(name, ctypes.c_int)(
        *given,
        ctypes.c_void_p(place),
        ctypes.c_void_p(place + _ENT),
        ctypes.c_size_t(size - _ENT),
        ctypes.byref(found),
        ctypes.byref(told),
    )
    return int(status), int(found.value or 0), told.value


def _packed(address: str) -> tuple[int, bytes]:
    family = int(_socket.AF_INET6 if ":" in address else _socket.AF_INET)
    return family, _socket.inet_pton(family, address)


def _strings(there: "ctypes._Pointer[ctypes.c_char_p]") -> list[str]:
    found = []
    for position in range(_LIST_MAX):
        text: bytes | None = there[position]
        if text is None:
            break
        found.append(text.decode())
    return found


def _text(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
