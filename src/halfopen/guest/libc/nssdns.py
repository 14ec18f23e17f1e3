"""Names from the DNS, as a source of names (glibc resolv/nss_dns/dns-host.c)."""

import _socket
import errno
from typing import TYPE_CHECKING, Final

from halfopen.guest.libc import resquery
from halfopen.guest.libc.hosts import AF_INET, AF_INET6, Hostent
from halfopen.guest.libc.message import AAAA, CNAME, IN, PTR, A, Message, Record, is_hostname
from halfopen.guest.libc.words import (
    HOST_NOT_FOUND,
    NETDB_INTERNAL,
    NETDB_SUCCESS,
    NO_RECOVERY,
    TRY_AGAIN,
    Status,
)
from halfopen.wire.address import is_v6, unmapped

if TYPE_CHECKING:
    from halfopen.guest.libc.state import Res

_KINDS: Final = {AF_INET: A, AF_INET6: AAAA}
_FAMILIES: Final = {A: AF_INET, AAAA: AF_INET6}
_SIZES: Final = {A: 4, AAAA: 16}


def by_name(
    res: "Res", name: str, family: int, *, checked: bool = True
) -> tuple[Status, Hostent | None]:
    """Ask for a name's addresses of one family (_nss_dns_gethostbyname3_r; 2_r checks the name)."""
    if checked and not is_hostname(name):
        res.h_errno = HOST_NOT_FOUND
        return "NOTFOUND", None
    kind = _KINDS[family]
    try:
        answers = resquery.search(res, name, (kind,))
    except resquery.NotFoundError:
        return _missed(res), None
    assert answers.first is not None, "one query has one answer"
    return _hostent(res, answers.first, kind)


def by_name_of_any_family(res: "Res", name: str) -> tuple[Status, str, list[str]]:
    """Ask for a name's addresses of both families at once (_nss_dns_gethostbyname4_r)."""
    if not is_hostname(name):
        res.h_errno = HOST_NOT_FOUND
        return "NOTFOUND", "", []
    kinds = (A,) if "no-aaaa" in res.conf.flags else (A, AAAA)
    try:
        answers = resquery.search(res, name, kinds)
    except resquery.NotFoundError:
        return _missed(res), "", []
    status: Status = "NOTFOUND"
    canonical = ""
    addresses: list[str] = []
    if answers.first is not None:
        status, canonical, addresses = _slice(res, answers.first)
    if answers.second is not None and status != "UNAVAIL":
        other, called, more = _slice(res, answers.second)
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


def _hostent(res: "Res", heard: Message, kind: int) -> tuple[Status, Hostent | None]:
    """Read a response to a question for one family (getanswer_r)."""
    name = heard.question[0]
    if heard.counts[0] != 1 or not is_hostname(name):
        res.h_errno, res.errno = NO_RECOVERY, errno.EBADMSG
        return "UNAVAIL", None
    aliases: list[str] = []
    addresses: list[str] = []
    for record in _records(heard):
        if not is_hostname(record.owner):
            break
        if record.kind == CNAME:
            if not is_hostname(record.target):
                break
            aliases.append(record.owner)
            name = record.target
        elif record.kind == kind and record.owner.lower() == name.lower():
            if len(record.data) != _SIZES[kind]:
                break
            if not addresses:
                name = record.owner
            addresses.append(_address(record))
    if addresses:
        res.h_errno = NETDB_SUCCESS
        return "SUCCESS", Hostent(
            name=name, aliases=tuple(aliases), family=_FAMILIES[kind], addresses=tuple(addresses)
        )
    res.h_errno, res.errno = NO_RECOVERY, errno.ENOENT
    return ("NOTFOUND" if aliases else "TRYAGAIN"), None


def _slice(res: "Res", heard: Message) -> tuple[Status, str, list[str]]:
    """Read one of two responses (gaih_getanswer_slice)."""
    if heard.counts[0] != 1 or not is_hostname(heard.question[0]):
        res.h_errno, res.errno = NO_RECOVERY, errno.EBADMSG
        return "UNAVAIL", "", []
    canonical, called, addresses = _followed(heard)
    if addresses:
        res.h_errno = NETDB_SUCCESS
        return "SUCCESS", called, addresses
    if canonical or not heard.counts[1]:
        res.h_errno = HOST_NOT_FOUND
        return "NOTFOUND", "", []
    res.h_errno = NETDB_INTERNAL
    return "TRYAGAIN", "", []


def _followed(heard: Message) -> tuple[str, str, list[str]]:
    """Follow aliases to addresses: the last alias's target, what is called so, its addresses."""
    canonical = called = ""
    addresses: list[str] = []
    for record in _records(heard):
        if not is_hostname(record.owner):
            break
        if record.kind == CNAME:
            if not is_hostname(record.target):
                break
            canonical = record.target
        elif record.kind in _SIZES:
            if len(record.data) != _SIZES[record.kind]:
                break
            called = called or canonical or record.owner
            addresses.append(_address(record))
    return canonical, called, addresses
