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
#: What glibc keeps in front of the names and addresses: room for 48 aliases, and one address.
_HOST_DATA: Final = 48 * _POINTER + 16
_TUPLE: Final = 40  # struct gaih_addrtuple


class TooSmallError(Exception):
    """The result does not fit into the room that there is."""


class Room:
    """What is left of the caller's buffer."""

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, size: int) -> None:
        """Use so much up. Raises TooSmallError."""
        self.fit(size)
        self.left -= size

    def fit(self, size: int) -> None:
        """Look whether there is so much. Raises TooSmallError."""
        if size > self.left:
            raise TooSmallError

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
    try:
        answers = resquery.search(res, name, (kind,))
    except resquery.NotFoundError:
        return _missed(res), None
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
    kinds = (A,) if "no-aaaa" in res.conf.flags else (A, AAAA)
    try:
        answers = resquery.search(res, name, kinds)
    except resquery.NotFoundError:
        return _missed(res), "", []
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
    if answers.second is not None and status != "UNAVAIL":
        other, called, more = _slice(res, answers.second, room, is_first=not addresses)
        canonical = canonical or called
        addresses += more
        if status != "SUCCESS" and other != "NOTFOUND":
            status = other
    return status, canonical, addresses


def by_address(res: "Res", address: str) -> tuple[Status, Hostent | None]:
    """Ask for the name of an address (_nss_dns_gethostbyaddr2_r)."""
    plain = unmapped(address)
    asked = reverse_name(plain)
    try:
        answers = resquery.query(res, asked, (PTR,))
    except resquery.NotFoundError:
        return "NOTFOUND", None
    assert answers.first is not None, "one query has one answer"
    wanted = asked
    for record in _records(answers.first):
        if record.kind == CNAME:
            wanted = record.target
        elif record.kind == PTR and record.owner.lower() == wanted.lower():
            if not is_hostname(record.target):
                break
            res.h_errno = NETDB_SUCCESS
            family = AF_INET6 if is_v6(plain) else AF_INET
            return "SUCCESS", Hostent(
                name=record.target, aliases=(), family=family, addresses=(plain,)
            )
    res.h_errno, res.errno = NO_RECOVERY, errno.ENOENT
    return "TRYAGAIN", None


def reverse_name(address: str) -> str:
    """Name an address for the DNS: 1.0.0.10.in-addr.arpa."""
    if not is_v6(address):
        return ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    digits = _socket.inet_pton(AF_INET6, address).hex()
    return ".".join(reversed(digits)) + ".ip6.arpa"


def _missed(res: "Res") -> Status:
    """Say what a search without a result means."""
    number = res.errno
    if number in {errno.EMFILE, errno.ENFILE}:
        res.h_errno = NETDB_INTERNAL
    elif res.h_errno == TRY_AGAIN:
        res.errno = errno.EAGAIN
    gone = {errno.EMFILE, errno.ENFILE, errno.ECONNREFUSED, errno.ETIMEDOUT}
    return "UNAVAIL" if number in gone else "NOTFOUND"


def _records(heard: Message) -> list[Record]:
    return [record for record in heard.answers if record.klass == IN]


def _address(record: Record) -> str:
    return _socket.inet_ntop(_FAMILIES[record.kind], record.data)


def _too_small(res: "Res") -> Status:
    res.h_errno, res.errno = NETDB_INTERNAL, errno.ERANGE
    return "TRYAGAIN"


def _hostent(res: "Res", heard: Message, kind: int, room: Room) -> tuple[Status, Hostent | None]:
    """Read a response to a question for one family (getanswer_r).

    Raises TooSmallError.
    """
    name = heard.question[0]
    if heard.counts[0] != 1 or not is_hostname(name):
        res.h_errno, res.errno = NO_RECOVERY, errno.EBADMSG
        return "UNAVAIL", None
    room.take(_HOST_DATA + (heard.counts[1] + 1) * _POINTER)
    room.take(len(name) + 1)
    aliases: list[str] = []
    addresses: list[str] = []
    for record in _records(heard):
        room.fit(len(record.owner) + 1)
        if not is_hostname(record.owner):
            break
        if record.kind == CNAME:
            if not is_hostname(record.target):
                break
            aliases.append(record.owner)
            name = record.target
            room.take(len(record.owner) + len(name) + 2)
        elif record.kind == kind and record.owner.lower() == name.lower():
            if len(record.data) != _SIZES[kind]:
                break
            if not addresses:
                name = record.owner
                room.take(len(name) + 1)
            room.align(4)
            room.take(_SIZES[kind])
            addresses.append(_address(record))
    if addresses:
        res.h_errno = NETDB_SUCCESS
        return "SUCCESS", Hostent(
            name=name, aliases=tuple(aliases), family=_FAMILIES[kind], addresses=tuple(addresses)
        )
    res.h_errno, res.errno = NO_RECOVERY, errno.ENOENT
    return ("NOTFOUND" if aliases else "TRYAGAIN"), None


def _slice(
    res: "Res", heard: Message, room: Room, *, is_first: bool
) -> tuple[Status, str, list[str]]:
    """Read one of two responses (gaih_getanswer_slice). Raises TooSmallError."""
    name = heard.question[0]
    if heard.counts[0] != 1 or not is_hostname(name):
        res.h_errno, res.errno = NO_RECOVERY, errno.EBADMSG
        return "UNAVAIL", "", []
    room.fit(len(name) + 1)
    canonical, called, addresses = _followed(heard, room, is_first=is_first)
    if addresses:
        res.h_errno = NETDB_SUCCESS
        return "SUCCESS", called, addresses
    if canonical or not heard.counts[1]:
        res.h_errno = HOST_NOT_FOUND
        return "NOTFOUND", "", []
    res.h_errno = NETDB_INTERNAL
    return "TRYAGAIN", "", []


def _followed(heard: Message, room: Room, *, is_first: bool) -> tuple[str, str, list[str]]:
    """Follow aliases to addresses: the last alias's target, what is called so, its addresses.

    Only of the first response names are kept.
    """
    canonical = called = ""
    addresses: list[str] = []
    for record in _records(heard):
        room.fit(len(record.owner) + 1)
        if not is_hostname(record.owner):
            break
        if record.kind == CNAME:
            if not is_hostname(record.target):
                break
            canonical = record.target
            if is_first:
                room.take(len(canonical) + 1)
        elif record.kind in _SIZES:
            if len(record.data) != _SIZES[record.kind]:
                break
            if is_first and not canonical and not addresses:
                room.take(len(record.owner) + 1)
            room.align(_POINTER)
            room.take(_TUPLE)
            called = called or canonical or record.owner
            addresses.append(_address(record))
    return canonical, called, addresses
