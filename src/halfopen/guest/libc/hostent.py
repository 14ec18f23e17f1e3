"""gethostbyname and gethostbyaddr: one source after another (glibc nss/getXXbyYY_r.c)."""

import _socket
import errno
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from halfopen.guest.libc import hosts, nss, nssdns
from halfopen.guest.libc.hosts import AF_INET, AF_INET6, Hostent
from halfopen.guest.libc.words import (
    HOST_NOT_FOUND,
    NETDB_INTERNAL,
    NETDB_SUCCESS,
    NO_RECOVERY,
    ROOM,
    Status,
)
from halfopen.wire.address import ANY6

if TYPE_CHECKING:
    from halfopen.guest.libc.state import Res

_DIGITS: Final = re.compile(r"[0-9][0-9.]*")
_FIRST: Final = "0123456789ABCDEFabcdef:"
_COLONS: Final = re.compile(rf"[{_FIRST}.]+")


class Lookup:
    """What came of it: ``status`` is what the call returns, ``h_errno`` as it is given back."""

    def __init__(self, found: Hostent | None, status: int, h_errno: int) -> None:
        self.found = found
        self.status = status
        self.h_errno = h_errno

    @property
    def lacks_room(self) -> bool:
        """Whether the result does not fit."""
        return self.status == errno.ERANGE and self.h_errno == NETDB_INTERNAL


def by_name_growing(res: "Res", name: str) -> Lookup:
    """Find a host, with as much room as it takes; each time all is asked anew."""
    room = ROOM
    while (came := by_name(res, name, room=room)).lacks_room:
        room *= 2
    return came


def by_name(res: "Res", name: str, family: int = AF_INET, *, room: int = ROOM) -> Lookup:
    """Find a host (gethostbyname2_r)."""
    taken = _digits_and_dots(name, family)
    if taken is not None:
        found = taken or None
        told = NETDB_SUCCESS if found else HOST_NOT_FOUND
        return Lookup(found, 0, told)
    return _ask(res, lambda source: _name_in(res, source, name, family, room))


def by_address(res: "Res", address: str) -> Lookup:
    """Find the host with an address (gethostbyaddr_r)."""
    if address == ANY6:
        return Lookup(None, errno.ENOENT, HOST_NOT_FOUND)
    return _ask(res, lambda source: _address_in(res, source, address))


_Found: TypeAlias = tuple[Status, Hostent | None]


def _ask(res: "Res", look: Callable[[str], _Found | None]) -> Lookup:
    """Ask the sources in their order; one that is not installed is passed over.

    The thread's own h_errno is set by the DNS only.
    """
    status: Status = "UNAVAIL"
    found: Hostent | None = None
    asked = False
    h_errno = NETDB_SUCCESS
    for source in nss.sources(res.libc.etc, "hosts"):
        came = look(source.name)
        if came is not None:
            asked = True
            status, found = came
            if source.name == "dns":
                h_errno = res.h_errno
            elif status == "NOTFOUND":
                h_errno = HOST_NOT_FOUND
        elif "UNAVAIL" in source.ends:
            break
        else:
            continue
        if status in source.ends or (status, res.errno) == ("TRYAGAIN", errno.ERANGE):
            break
    if not asked:
        h_errno = NO_RECOVERY
    if status in {"SUCCESS", "NOTFOUND"}:
        code = 0
    elif status == "TRYAGAIN" and h_errno != NETDB_INTERNAL:
        code = errno.EAGAIN
    else:
        code = res.errno
    return Lookup(found if status == "SUCCESS" else None, code, h_errno)


def _name_in(res: "Res", source: str, name: str, family: int, room: int) -> _Found | None:
    if source == "files":
        return _in_file(res, hosts.by_name(res.libc.etc, name, family))
    return nssdns.by_name(res, name, family, room=room) if source == "dns" else None


def _address_in(res: "Res", source: str, address: str) -> _Found | None:
    if source == "files":
        return _in_file(res, hosts.by_address(res.libc.etc, address))
    return nssdns.by_address(res, address) if source == "dns" else None


def _in_file(res: "Res", came: _Found) -> _Found:
    if came[0] == "UNAVAIL":
        res.errno = errno.ENOENT
    return came


def _digits_and_dots(name: str, family: int) -> "Hostent | Literal[False] | None":
    """Take an address in digits for its own name; False: it is none, None: it may be a name.

    glibc __nss_hostname_digits_dots.
    """
    if name.endswith("."):
        return None
    if _DIGITS.fullmatch(name):
        address = aton(name) if family == AF_INET else hosts.numeric(name, AF_INET6)
    elif ":" in name and name[0] in _FIRST:
        if family == AF_INET6 and not _COLONS.fullmatch(name):
            return None
        address = hosts.numeric(name, AF_INET6) if family == AF_INET6 else None
    else:
        return None
    if address is None:
        return False
    return Hostent(name=name, aliases=(), family=family, addresses=(address,))


def aton(name: str) -> str | None:
    """Read an address of IPv4 in any of its forms, with nothing behind it (inet_aton_exact)."""
    if name.split() != [name]:
        return None
    try:
        return _socket.inet_ntoa(_socket.inet_aton(name))
    except OSError:
        return None
