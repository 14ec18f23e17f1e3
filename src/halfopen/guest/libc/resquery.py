"""What is asked of the name servers, with which endings of the name (glibc resolv/res_query.c)."""

import errno
from typing import TYPE_CHECKING, Final

from halfopen.guest.libc import message
from halfopen.guest.libc.message import AAAA, MalformedError, Message
from halfopen.guest.libc.ressend import Answers, NoAnswerError, Sending
from halfopen.guest.libc.words import HOST_NOT_FOUND, NO_DATA, NO_RECOVERY, TRY_AGAIN

if TYPE_CHECKING:
    from halfopen.guest.libc.state import Res

_NAME_MAX: Final = 1025
_TOLD: Final = {
    message.NXDOMAIN: HOST_NOT_FOUND,
    message.SERVFAIL: TRY_AGAIN,
    message.NOERROR: NO_DATA,
}


class NotFoundError(Exception):
    """Nothing was found; h_errno and errno of the thread say why."""


def query(res: "Res", name: str, kinds: tuple[int, ...]) -> Answers:
    """Ask for records of a name as it is. Raises NotFoundError."""
    res.rcode = message.NOERROR
    flags = res.conf.flags
    try:
        queries = [
            message.query(
                name,
                kind,
                res.libc.chance.below(1 << 16),
                edns="edns0" in flags,
                trust_ad="trust-ad" in flags,
            )
            for kind in kinds
        ]
    except MalformedError:
        raise _failed(res, NO_RECOVERY) from None
    if "no-aaaa" in flags and kinds == (AAAA,):
        raise _failed(res, NO_DATA)
    try:
        answers = Sending(res, queries).run()
    except NoAnswerError as none:
        res.errno = none.number
        raise _failed(res, TRY_AGAIN) from None
    res.errno = 0
    heard = [each for each in (answers.first, answers.second) if each is not None]
    if any(each.rcode == message.NOERROR and each.counts[1] for each in heard):
        return answers
    raise _failed(res, _why(heard))


def _why(heard: list[Message]) -> int:
    rcodes = [each.rcode for each in heard if each.rcode != message.NOERROR]
    return _TOLD.get(rcodes[0] if rcodes else message.NOERROR, NO_RECOVERY)


def search(res: "Res", name: str, kinds: tuple[int, ...]) -> Answers:
    """Ask for a name as it is and with the endings of the search list, in the order of ndots.

    Raises NotFoundError.
    """
    res.errno = 0
    res.h_errno = HOST_NOT_FOUND
    dots = name.count(".")
    if name.endswith("."):
        return _with_ending(res, name, None, kinds)
    told: list[int] = []  # in the order in which it counts in the end
    if dots >= res.conf.ndots:
        try:
            return _with_ending(res, name, None, kinds)
        except NotFoundError:
            told.append(res.h_errno)
    found = _through_list(res, name, kinds, told)
    if found is not None:
        return found
    root_on_list = "." in res.conf.search
    barred = not dots and bool(res.conf.search) and "no-tld-query" in res.conf.flags
    if dots < res.conf.ndots and not root_on_list and not barred:
        try:
            return _with_ending(res, name, None, kinds)
        except NotFoundError:
            pass
    raise _failed(res, (*told, res.h_errno)[0])


def _through_list(res: "Res", name: str, kinds: tuple[int, ...], told: list[int]) -> Answers | None:
    """Ask with each ending; one that fails for good ends it.

    Raises NotFoundError where no server can be reached.
    """
    missed: set[int] = set()
    for domain in res.conf.search:
        try:
            return _with_ending(res, name, domain.removeprefix("."), kinds)
        except NotFoundError:
            if res.errno == errno.ECONNREFUSED:
                raise _failed(res, TRY_AGAIN) from None
        servfail = res.h_errno == TRY_AGAIN and res.rcode == message.SERVFAIL
        if res.h_errno not in {NO_DATA, HOST_NOT_FOUND} and not servfail:
            break
        missed.add(res.h_errno)
    told += [each for each in (NO_DATA, TRY_AGAIN) if each in missed]
    return None


def _with_ending(res: "Res", name: str, ending: str | None, kinds: tuple[int, ...]) -> Answers:
    whole = name if ending is None else f"{name}.{ending}"
    if not 0 < len(whole) < _NAME_MAX:
        raise _failed(res, NO_RECOVERY)
    return query(res, whole, kinds)


def _failed(res: "Res", h_errno: int) -> NotFoundError:
    res.h_errno = h_errno
    return NotFoundError()
