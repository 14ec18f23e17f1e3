"""/etc/services and /etc/protocols (glibc nss_files/files-service.c, files-proto.c)."""

from halfopen.base.value import value
from halfopen.guest.libc import nss
from halfopen.guest.libc.digits import strtou32, to_int
from halfopen.guest.libc.etc import Etc
from halfopen.scenario.etc import PROTOCOLS, SERVICES


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
        known = strtou32(port, any_base=True)
        if known is None:
            continue
        number, rest = known
        if rest.startswith("/") or not (rest or aliases):
            entry = Servent(
                name=name,
                port=number & 0xFFFF,
                protocol=rest.lstrip("/"),
                aliases=tuple(aliases),
            )
            found.append(entry)
    return found


def protocols(etc: Etc) -> list[Protoent]:
    """Read the protocols, as ``services`` does."""
    found = []
    for name, text, *aliases in _rows(etc, "protocols", PROTOCOLS):
        known = strtou32(text)
        if known is not None and not known[1]:
            number = to_int(known[0])
            found.append(Protoent(name=name, number=number, aliases=tuple(aliases)))
    return found


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
