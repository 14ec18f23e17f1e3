"""/etc/services and /etc/protocols (glibc nss_files/files-service.c, files-proto.c)."""

import re
from typing import Final

from halfopen.base.value import value
from halfopen.guest.libc import nss
from halfopen.guest.libc.etc import Etc

SERVICES: Final = "/etc/services"
PROTOCOLS: Final = "/etc/protocols"
_PORT: Final = re.compile(r"[+-]?(\d+)(/?)(\S*)")


@value
class Servent:
    """A line of /etc/services."""

    name: str
    port: int
    protocol: str
    aliases: tuple[str, ...]


@value
class Protoent:
    """A line of /etc/protocols."""

    name: str
    number: int
    aliases: tuple[str, ...]


def services(etc: Etc) -> list[Servent]:
    """Read the services, where /etc/nsswitch.conf says that the file is asked."""
    found = []
    for name, port, *aliases in _rows(etc, "services", SERVICES):
        match = _PORT.fullmatch(port)
        if match and (match[2] or not (match[3] or aliases)):
            number = min(int(match[1]), 0xFFFFFFFF) & 0xFFFF
            entry = Servent(name=name, port=number, protocol=match[3], aliases=tuple(aliases))
            found.append(entry)
    return found


def protocols(etc: Etc) -> list[Protoent]:
    """Read the protocols, as ``services`` does."""
    return [
        Protoent(name=name, number=int(number), aliases=tuple(aliases))
        for name, number, *aliases in _rows(etc, "protocols", PROTOCOLS)
        if number.isascii() and number.isdigit()
    ]


def service_by_name(etc: Etc, name: str, protocol: str | None) -> Servent | None:
    """Find a service (getservbyname); case matters."""
    for entry in services(etc):
        if protocol in {None, entry.protocol} and name in {entry.name, *entry.aliases}:
            return entry
    return None


def service_by_port(etc: Etc, port: int, protocol: str | None) -> Servent | None:
    """Find the service of a port (getservbyport)."""
    for entry in services(etc):
        if entry.port == port and protocol in {None, entry.protocol}:
            return entry
    return None


def protocol_by_name(etc: Etc, name: str) -> Protoent | None:
    """Find a protocol (getprotobyname); case matters."""
    for entry in protocols(etc):
        if name in {entry.name, *entry.aliases}:
            return entry
    return None


def protocol_by_number(etc: Etc, number: int) -> Protoent | None:
    """Find the protocol with a number (getprotobynumber)."""
    return next((entry for entry in protocols(etc) if entry.number == number), None)


def _rows(etc: Etc, database: str, path: str) -> list[list[str]]:
    if all(source.name != "files" for source in nss.sources(etc, database)):
        return []
    rows = [line.partition("#")[0].split() for line in etc.lines(path) or []]
    return [row for row in rows if len(row) > 1]
