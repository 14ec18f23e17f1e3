"""Names from the DNS, as a source of names (glibc resolv/nss_dns/dns-host.c)."""

import _socket
import errno
from typing import TYPE_CHECKING, Final

from halfopen.guest.libc import resquery
from halfopen.guest.libc.hosts import AF_INET, AF_INET6, Hostent
from halfopen.guest.libc.message import AAAA, CNAME, IN, PTR, A, Message, Record, is_hostname
from halfopen.guest.libc.ressend import Answers
from halfopen.guest.libc.words import (
    HOST_NOT_FOUND,
    NETDB_INTERNAL,
    NETDB_SUCCESS,
    NO_RECOVERY,
    ROOM,
    TRY_AGAIN,
    Status,
)
from halfopen.wire.address import is_v6, unmapped

if TYPE_CHECKING:
    from halfopen.guest.libc.state import Res

_KINDS: Final = {AF_INET: A, AF_INET6: AAAA}
_FAMILIES: Final = {A: AF_INET, AAAA: AF_INET6}
_SIZES: Final = {A: 4, AAAA: 16}
_POINTER: Final = 8
_TUPLE: Final = 40  # struct gaih_addrtuple


class TooSmallError(Exception):
    """The result does not fit into the room that there is."""


class Room:
    """What is left of the caller's buffer."""

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> None:
        """Use so much up. Raises TooSmallError."""
        if size > self.left:
            raise TooSmallError
        self.left -= size

    def align(self, to: int) -> None:
        """Leave out what would lie askew; all began at a multiple of 16."""
        self.left -= self.left % to


def by_name(
    res: "Res", name: str, family: int, *, checked: bool = True, room: int = ROOM
) -> tuple[Status, Hostent | None]:
    """Ask for a name's addresses of one family (_nss_dns_gethostbyname3_r; 2_r checks the name).

    Where ``room`` is too little: TRYAGAIN with ERANGE.
    """
    if checked and not is_hostname(name):
        res.h_errno = HOST_NOT_FOUND
        return "NOTFOUND", None
    kind = _KINDS[family]
    before = res.errno
    try:
        answers = resquery.search(res, name, (kind,))
    except resquery.NotFoundError:
        return _missed(res, before), None
    assert answers.first is not None, "one query has one answer"
    try:
        return _hostent(res, answers.first, kind, Room(room))
    except TooSmallError:
        return _too_small(res), None


def by_name_of_any_family(res: "Res", name: str, room: int = ROOM) -> tuple[Status, str, list[str]]:
    """Ask for a name's addresses of both families at once (_nss_dns_gethostbyname4_r)."""
    if not is_hostname(name):
        res.h_errno = HOST_NOT_FOUND
        return "NOTFOUND", "", []
    before = res.errno
    kinds = (A,) if "no-aaaa" in res.conf.flags else (A, AAAA)
    try:
        answers = resquery.search(res, name, kinds)
    except resquery.NotFoundError:
        return _missed(res, before), "", []
    try:
        return _both(res, answers, Room(room))
    except TooSmallError:
        return _too_small(res), "", []


def _both(res: "Res", answers: Answers, room: Room) -> tuple[Status, str, list[str]]:
    """Make one result of two responses (gaih_getanswer)."""
    status: Status = "NOTFOUND"
    canonical = ""
    addresses: list[str] = []
    if answers.first is not None:
        status, canonical, addresses = _slice(res, answers.first, room, is_first=True)
    if answers.second is not None and status in {"SUCCESS", "NOTFOUND"}:
        other, called, more = _slice(res, answers.second, room, is_first=not addresses)
        canonical = canonical or called
        addresses += more
        if status != "SUCCESS" and other != "NOTFOUND":
            status = other
    return status, canonical, addresses


def by_address(res: "Res", address: str) -> tuple[Status, Hostent | None]:
    """Ask for the name of an address (_nss_dns_gethostbyaddr2_r)."""
    plain = unmapped(address)
    wanted = reverse_name(plain)
    try:
        answers = resquery.query(res, wanted, (PTR,))
    except resquery.NotFoundError:
        return "NOTFOUND", None
    assert answers.first is not None, "one query has one answer"
    for record in answers.first.answers:
        if record.klass == IN and record.kind == CNAME:
            wanted = record.target
        elif record.klass == IN and record.kind == PTR and _alike(record.owner, wanted):
            res.h_errno = NETDB_SUCCESS
            family = AF_INET6 if is_v6(plain) else AF_INET
            return "SUCCESS", Hostent(
                name=record.target, aliases=(), family=family, addresses=(plain,)
            )
    res.h_errno = NO_RECOVERY
    return "UNAVAIL", None


def reverse_name(address: str) -> str:
    """Name an address for the DNS: 1.0.0.10.in-addr.arpa."""
    if not is_v6(address):
        return ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    digits = _socket.inet_pton(AF_INET6, address).hex()
    return ".".join(reversed(digits)) + ".ip6.arpa"


def _missed(res: "Res", before: int) -> Status:
    """Say what a search without a result means; errno is mostly what it was before."""
    number = res.errno
    if number in {errno.EMFILE, errno.ENFILE}:
        res.h_errno = NETDB_INTERNAL
    res.errno = errno.EAGAIN if res.h_errno == TRY_AGAIN else before
    gone = {errno.EMFILE, errno.ENFILE, errno.ECONNREFUSED, errno.ETIMEDOUT}
    return "UNAVAIL" if number in gone else "NOTFOUND"


def _alike(name: str, other: str) -> bool:
    return name.lower() == other.lower()


def _address(record: Record) -> str:
    return _socket.inet_ntop(_FAMILIES[record.kind], record.data)


def _too_small(res: "Res") -> Status:
    res.h_errno, res.errno = NETDB_INTERNAL, errno.ERANGE
    return "TRYAGAIN"


def _hostent(res: "Res", heard: Message, kind: int, room: Room) -> tuple[Status, Hostent | None]:
    """Read a response to a question for one family (getanswer_r).

    Raises TooSmallError.
    """
    wanted = heard.question[0]
    if not is_hostname(wanted):
        res.h_errno, res.errno = HOST_NOT_FOUND, errno.ENOENT
        return "NOTFOUND", None
    names = [wanted]
    addresses: list[str] = []
    room.take(len(wanted) + 1)
    for record in heard.answers:
        if record.klass != IN:
            continue
        if record.kind == CNAME:
            wanted = record.target
            if is_hostname(wanted):
                names.append(wanted)
                room.take(len(wanted) + 1)
        elif _fits(record, kind, wanted):
            room.align(4)
            room.take(_SIZES[kind])
            addresses.append(_address(record))
    if heard.is_broken:
        res.h_errno = NO_RECOVERY
        return "UNAVAIL", None
    if not addresses:
        res.h_errno, res.errno = NO_RECOVERY, errno.ENOENT
        return "TRYAGAIN", None
    room.align(_POINTER)
    room.take((len(addresses) + 1 + len(names)) * _POINTER)
    res.h_errno = NETDB_SUCCESS
    *aliases, name = names
    return "SUCCESS", Hostent(
        name=name, aliases=tuple(aliases), family=_FAMILIES[kind], addresses=tuple(addresses)
    )


def _slice(
    res: "Res", heard: Message, room: Room, *, is_first: bool
) -> tuple[Status, str, list[str]]:
    """Read one of two responses (gaih_getanswer_slice). Raises TooSmallError.

    ``is_first``: none before it had an address, and the canonical name is kept.
    """
    canonical = wanted = heard.question[0]
    addresses: list[str] = []
    res.h_errno = HOST_NOT_FOUND
    if not heard.counts[1] or not is_hostname(wanted):
        return "NOTFOUND", "", []
    for record in heard.answers:
        if record.kind == CNAME:
            wanted = record.target
            if is_hostname(wanted):
                canonical = wanted
        elif _fits(record, heard.question[1], wanted):
            room.align(_POINTER)
            room.take(_TUPLE)
            if is_first and not addresses:
                room.take(len(canonical) + 1)
            addresses.append(_address(record))
    if heard.is_broken:
        res.h_errno = NO_RECOVERY
        return "UNAVAIL", "", []
    if not addresses:
        return "NOTFOUND", "", []
    res.h_errno = NETDB_SUCCESS
    return "SUCCESS", canonical, addresses


def _fits(record: Record, kind: int, wanted: str) -> bool:
    """Whether it is an address of a kind, of the name that is wanted."""
    alike = record.kind == kind and _alike(record.owner, wanted)
    return alike and len(record.data) == _SIZES[kind]
