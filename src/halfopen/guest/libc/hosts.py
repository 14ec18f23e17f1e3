"""/etc/hosts: names and addresses, a line each (glibc nss_files/files-hosts.c)."""

import _socket
from collections.abc import Iterator
from typing import Final

from halfopen.base.errors import NotSimulatedError
from halfopen.base.value import value
from halfopen.guest.libc.etc import Etc
from halfopen.guest.libc.words import HOST_NOT_FOUND, Status
from halfopen.scenario.etc import HOST_CONF, HOSTS
from halfopen.wire.address import LOOPBACK, LOOPBACK6, is_v6, unmapped

AF_INET: Final = int(_socket.AF_INET)
AF_INET6: Final = int(_socket.AF_INET6)


@value
class Hostent:
    """What is known of a host (struct hostent)."""

    name: str
    aliases: tuple[str, ...]
    family: int
    addresses: tuple[str, ...]


def family_of(address: str) -> int:
    """The family of an address."""
    return AF_INET6 if is_v6(address) else AF_INET


def numeric(text: str, family: int) -> str | None:
    """Read an address as ``inet_pton`` does, and write it canonically; None: it is none."""
    try:
        return _socket.inet_ntop(family, _socket.inet_pton(family, text))
    except (OSError, UnicodeError, ValueError):
        return None


def entries(etc: Etc, family: int) -> Iterator[Hostent] | None:
    """Yield the file's entries, in the form of a family (0: each in its own); None: no file."""
    lines = etc.lines(HOSTS)
    return None if lines is None else _parsed(lines, family)


def _parsed(lines: list[str], family: int) -> Iterator[Hostent]:
    for line in lines:
        words = line.partition("#")[0].split()
        if not words:
            continue
        address = _in_form(words[0], family)
        if address is not None:
            name, aliases = (words[1] if len(words) > 1 else ""), tuple(words[2:])
            yield Hostent(
                name=name, aliases=aliases, family=family_of(address), addresses=(address,)
            )


def _in_form(text: str, family: int) -> str | None:
    """Give an address of the file in the form of a family; None: it has none there."""
    if family:
        own = numeric(text, family)
        if own is not None or family == AF_INET6:
            return own
        other = numeric(text, AF_INET6)
        if other == LOOPBACK6:
            return LOOPBACK  # what is asked for in IPv4 is given ::1 as 127.0.0.1
        plain = None if other is None else unmapped(other)
        return plain if plain != other else None
    return numeric(text, AF_INET) or numeric(text, AF_INET6)


def by_name(etc: Etc, name: str, family: int) -> tuple[Status, Hostent | None]:
    """Find a name's addresses of one family (glibc _nss_files_gethostbyname3_r)."""
    there = entries(etc, family)
    if there is None:
        return "UNAVAIL", None
    found = [entry for entry in there if _is_called(entry, name)]
    if not found:
        return "NOTFOUND", None
    first = found[0]
    if not is_multi(etc):
        return "SUCCESS", first
    aliases = [*first.aliases]
    for more in found[1:]:
        aliases += more.aliases
        if more.name != first.name:
            aliases.append(more.name)
    addresses = tuple(entry.addresses[0] for entry in found)
    return "SUCCESS", Hostent(
        name=first.name, aliases=tuple(aliases), family=family, addresses=addresses
    )


def by_name_of_any_family(etc: Etc, name: str) -> tuple[Status, str, list[str], int]:
    """Find a name's addresses and its canonical name (glibc _nss_files_gethostbyname4_r).

    The last is h_errno.
    """
    there = entries(etc, 0)
    if there is None:
        return "UNAVAIL", "", [], HOST_NOT_FOUND
    found = [entry for entry in there if _is_called(entry, name)]
    if not found:
        return "NOTFOUND", "", [], HOST_NOT_FOUND
    if not is_multi(etc):
        del found[1:]
    return "SUCCESS", found[0].name, [entry.addresses[0] for entry in found], 0


def by_address(etc: Etc, address: str) -> tuple[Status, Hostent | None]:
    """Find the first entry of an address."""
    there = entries(etc, family_of(address))
    if there is None:
        return "UNAVAIL", None
    for entry in there:
        if entry.addresses[0] == address:
            return "SUCCESS", entry
    return "NOTFOUND", None


def is_multi(etc: Etc) -> bool:
    """Whether a name may stand in several lines (host.conf)."""
    multi = False
    for line in etc.lines(HOST_CONF) or []:
        match line.partition("#")[0].split():
            case ["multi", setting]:
                multi = setting == "on"
            case ["order", *_] | ["reorder" | "spoofalert" | "nospoof", "off"] | []:
                pass  # the first has no effect any more
            case words:
                msg = f"{' '.join(words)!r} in {HOST_CONF} is not simulated"
                raise NotSimulatedError(msg)
    return multi


def _is_called(entry: Hostent, name: str) -> bool:
    wanted = name.lower()
    return entry.name.lower() == wanted or wanted in (alias.lower() for alias in entry.aliases)
