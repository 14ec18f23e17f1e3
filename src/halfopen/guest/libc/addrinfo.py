"""getaddrinfo (glibc sysdeps/posix/getaddrinfo.c)."""

import _socket
import errno
from typing import TYPE_CHECKING, Final, TypeAlias

from halfopen.base.errors import NotSimulatedError
from halfopen.base.value import value
from halfopen.guest.libc import destinations, hostent, hosts, nss, nssdns, tables
from halfopen.guest.libc.digits import strtoul, to_int
from halfopen.guest.libc.hosts import AF_INET, AF_INET6, Hostent, family_of, numeric
from halfopen.guest.libc.words import (
    HOST_NOT_FOUND,
    NETDB_INTERNAL,
    NO_DATA,
    ROOM,
    TRY_AGAIN,
    NameFailure,
    Status,
)
from halfopen.sockets.names import Address
from halfopen.wire.address import ANY, ANY6, LOOPBACK, LOOPBACK6, is_v6, mapped, unmapped

if TYPE_CHECKING:
    from halfopen.guest.libc.state import Res

#: Family, type, protocol, canonical name, address: an entry of getaddrinfo.
Entry: TypeAlias = tuple[int, int, int, str, Address]
#: An address and its zone (0: none).
Found: TypeAlias = tuple[str, int]

_STREAM: Final = int(_socket.SOCK_STREAM)
_DGRAM: Final = int(_socket.SOCK_DGRAM)
_RAW: Final = int(_socket.SOCK_RAW)
_DCCP: Final = 6
_SEQPACKET: Final = int(_socket.SOCK_SEQPACKET)
_IDN: Final = 0x40 | 0x80
_FLAGS: Final = (
    _socket.AI_PASSIVE
    | _socket.AI_CANONNAME
    | _socket.AI_NUMERICHOST
    | _socket.AI_ADDRCONFIG
    | _socket.AI_V4MAPPED
    | _socket.AI_NUMERICSERV
    | _socket.AI_ALL
)
_MAPS: Final = int(_socket.AI_V4MAPPED)
_ALL: Final = int(_socket.AI_ALL)
_PORT_MAX: Final = 0xFFFF


@value
class Kind:
    """A type of socket and its protocol. ``any_protocol``, ``no_service``: it has no ports."""

    type: int
    protocol: int
    name: str
    default: bool = False
    any_protocol: bool = False


_KINDS: Final = (
    Kind(type=_STREAM, protocol=6, name="tcp", default=True),
    Kind(type=_DGRAM, protocol=17, name="udp", default=True),
    Kind(type=_DCCP, protocol=33, name="dccp"),
    Kind(type=_DGRAM, protocol=136, name="udplite"),
    Kind(type=_STREAM, protocol=132, name="sctp"),
    Kind(type=_SEQPACKET, protocol=132, name="sctp"),
    Kind(type=_RAW, protocol=0, name="raw", default=True, any_protocol=True),
)


class Result:
    """What the sources of names have given so far (struct gaih_result)."""

    def __init__(self) -> None:
        self.at: list[Found] = []
        self.canonical = ""
        self.got_ipv6 = False


class Query:
    """One call: its hints, and the thread that makes it."""

    def __init__(self, res: "Res", family: int, kind: int, protocol: int, flags: int) -> None:
        self.res = res
        self.family = family
        self.kind = kind
        self.protocol = protocol
        self.flags = flags
        self.room = ROOM

    # Services.

    def services(self, service: str | None) -> list[tuple[int, int, int]]:
        """Give type, protocol and port of each entry that is to be (get_servtuples)."""
        asked = self.kind or self.protocol
        fitting = [each for each in _KINDS if self._fits(each)]
        if asked and not fitting:
            raise NameFailure(_socket.EAI_SOCKTYPE if self.kind else _socket.EAI_SERVICE)
        if asked and service is not None and fitting[0].any_protocol:
            raise NameFailure(_socket.EAI_SERVICE)
        number = 0 if service is None else _number(service)
        if number is not None and number >= 0:
            port = number & _PORT_MAX
            if asked:
                return [self._with_port(fitting[0], port)]
            return [(each.type, each.protocol, port) for each in _KINDS if each.default]
        assert service is not None, "it is no port"
        chosen = fitting[:1] if asked else [each for each in _KINDS if not each.any_protocol]
        found = []
        for each in chosen:
            entry = tables.service_by_name(self.res.libc.etc, service, each.name)
            if entry is not None:
                found.append(self._with_port(each, entry.port))
        if not found:
            raise NameFailure(_socket.EAI_SERVICE)
        return found

    def _fits(self, each: Kind) -> bool:
        if self.kind not in {0, each.type}:
            return False
        return each.any_protocol or self.protocol in {0, each.protocol}

    def _with_port(self, each: Kind, port: int) -> tuple[int, int, int]:
        return each.type, self.protocol if each.any_protocol else each.protocol, port

    # Addresses.

    def addresses(self, name: str | None) -> Result:
        """Find the addresses, in the order of their sources."""
        result = Result()
        if name is None:
            passive = self.flags & _socket.AI_PASSIVE
            own = (ANY6, ANY) if passive else (LOOPBACK6, LOOPBACK)
            result.at = [(each, 0) for each in own if self.family in {0, family_of(each)}]
            return result
        address = self._numeric(name)
        if address is not None:
            result.at = [address]
            result.canonical = name
        elif self.family == AF_INET and not self.flags & _socket.AI_CANONNAME:
            self._simple(name, result)
        else:
            self._from_sources(name, result)
        if not result.at:
            raise NameFailure(_socket.EAI_NONAME)
        result.canonical = result.canonical or name
        return result

    def _numeric(self, name: str) -> Found | None:
        """Read an address in digits (text_to_binary_address); None: it is a name."""
        plain = hostent.aton(name)
        if plain is not None:
            if self.family == AF_INET6:
                if not self.flags & _MAPS:
                    raise NameFailure(_socket.EAI_ADDRFAMILY)
                return mapped(plain), 0
            return plain, 0
        text, percent, zone = name.partition("%")
        address = numeric(text, AF_INET6)
        if address is not None:
            if self.family == AF_INET:
                inner = unmapped(address)
                if inner == address:
                    raise NameFailure(_socket.EAI_ADDRFAMILY)
                address = inner
            if not percent:
                return address, 0
            number = self.res.libc.zone_or_none(numeric(text, AF_INET6) or "", zone)
            if number is None:
                raise NameFailure(_socket.EAI_NONAME)
            return address, number
        if self.flags & _socket.AI_NUMERICHOST:
            raise NameFailure(_socket.EAI_NONAME)
        return None

    def _simple(self, name: str, result: Result) -> None:
        """Use gethostbyname2_r, which does not know of canonical names or zones."""
        came = hostent.by_name_growing(self.res, name)
        self.res.h_errno = told = came.h_errno or self.res.h_errno
        if came.found is not None:
            self._take(came.found, AF_INET, result)
        elif not came.status:
            no_data = told == NO_DATA
            raise NameFailure(_socket.EAI_NODATA if no_data else _socket.EAI_NONAME)
        elif told == NETDB_INTERNAL:
            raise NameFailure(_socket.EAI_SYSTEM, self.res.errno)
        else:
            again = told == TRY_AGAIN
            raise NameFailure(_socket.EAI_AGAIN if again else _socket.EAI_NODATA)

    def _from_sources(self, name: str, result: Result) -> None:
        """Ask the sources of nsswitch.conf one after another (get_nss_addresses)."""
        res = self.res
        status: Status = "UNAVAIL"
        missed = (0, 0)
        for source in nss.sources(res.libc.etc, "hosts"):
            result.at, result.canonical, result.got_ipv6 = [], "", False
            missed = (0, missed[1])
            if source.name not in {"files", "dns"}:
                status = "UNAVAIL"  # it is not installed
                res.h_errno, res.errno = NETDB_INTERNAL, errno.EBUSY
            elif not self.family:
                status, missed = self._both(source.name, name, result)
            else:
                status, missed = self._each_family(source.name, name, result)
            if status in source.ends:
                break
        if status in {"TRYAGAIN", "UNAVAIL"} and res.h_errno == NETDB_INTERNAL:
            raise NameFailure(_socket.EAI_SYSTEM, res.errno)
        if all(missed):
            again = missed == (_socket.EAI_AGAIN, _socket.EAI_AGAIN)
            raise NameFailure(_socket.EAI_AGAIN if again else _socket.EAI_NODATA)

    def _both(self, source: str, name: str, result: Result) -> tuple[Status, tuple[int, int]]:
        """Ask for both families at once."""
        res = self.res
        if source == "files":
            status, called, addresses, told = hosts.by_name_of_any_family(res.libc.etc, name)
            res.h_errno = told or res.h_errno
            if status == "UNAVAIL":
                res.errno = errno.ENOENT
        else:
            while True:
                status, called, addresses = nssdns.by_name_of_any_family(res, name, self.room)
                if not self._lacks_room(status):
                    break
        if status == "SUCCESS":
            result.at = [(each, 0) for each in addresses]
            result.canonical = called
            return status, (0, 0)
        no_data = _no_data(res.h_errno)
        return status, (no_data, no_data)

    def _each_family(
        self, source: str, name: str, result: Result
    ) -> tuple[Status, tuple[int, int]]:
        """Ask for one family, or for IPv6 and then for IPv4, to be mapped."""
        six: Status = "UNAVAIL"
        status: Status = "UNAVAIL"
        no_data = no_data6 = 0
        if self.family == AF_INET6:
            status, no_data = self._gethosts(source, AF_INET6, name, result)
            no_data6, six = no_data, status
        maps = self.flags & _MAPS and (self.flags & _ALL or not result.got_ipv6)
        if self.family == AF_INET or maps:
            status, no_data = self._gethosts(source, AF_INET, name, result)
            if self.family == AF_INET:
                no_data6, six = no_data, status
        if "SUCCESS" in {six, status}:
            return "SUCCESS", (no_data, no_data6)
        if six == "TRYAGAIN":
            status = "TRYAGAIN"
        elif status == "UNAVAIL":
            status = six
        return status, (no_data, no_data6)

    def _gethosts(self, source: str, family: int, name: str, result: Result) -> tuple[Status, int]:
        res = self.res
        canonical = bool(self.flags & _socket.AI_CANONNAME)
        if source == "files":
            status, found = hosts.by_name(res.libc.etc, name, family)
            if status == "NOTFOUND":
                res.h_errno = HOST_NOT_FOUND
            elif status == "UNAVAIL":
                res.errno = errno.ENOENT
        else:
            while True:
                checked = not canonical
                status, found = nssdns.by_name(res, name, family, checked=checked, room=self.room)
                if not self._lacks_room(status):
                    break
        if found is None:
            if res.h_errno == NETDB_INTERNAL:
                raise NameFailure(_socket.EAI_SYSTEM, res.errno)
            return status, _no_data(res.h_errno)
        self._take(found, family, result)
        if canonical:
            result.canonical = result.canonical or found.name
        return status, 0

    def _lacks_room(self, status: Status) -> bool:
        """Whether a result did not fit; there is more room then, and all is asked anew."""
        res = self.res
        lacks = (status, res.errno, res.h_errno) == ("TRYAGAIN", errno.ERANGE, NETDB_INTERNAL)
        self.room <<= lacks
        return lacks

    def _take(self, found: Hostent, family: int, result: Result) -> None:
        """Add what was found, mapped where IPv6 is asked for (convert_hostent_...)."""
        result.got_ipv6 = family == AF_INET6
        maps = family == AF_INET and self.family == AF_INET6
        result.at += [(mapped(each) if maps else each, 0) for each in found.addresses]


def getaddrinfo(  # noqa: PLR0913, PLR0917  as in C
    res: "Res",
    name: str | None,
    service: str | None,
    family: int,
    kind: int,
    protocol: int,
    flags: int,
) -> list[Entry]:
    """List the addresses of a name, the best first. Raises NameFailure."""
    name = None if name == "*" else name
    service = None if service == "*" else service
    if name is None and service is None:
        raise NameFailure(_socket.EAI_NONAME)
    if flags & _IDN:
        msg = "AI_IDN is not simulated"
        raise NotSimulatedError(msg)
    if flags & ~_FLAGS or (flags & _socket.AI_CANONNAME and name is None):
        raise NameFailure(_socket.EAI_BADFLAGS)
    if family not in {0, AF_INET, AF_INET6}:
        raise NameFailure(_socket.EAI_FAMILY)
    if flags & _socket.AI_ADDRCONFIG:
        family = _configured(res, family)
    if service and flags & _socket.AI_NUMERICSERV and _number(service) is None:
        raise NameFailure(_socket.EAI_NONAME)
    asked = Query(res, family, kind, protocol, flags)
    kinds = asked.services(service or None)
    result = asked.addresses(name)
    found = [each for each in result.at if not _is_spare(each[0], result, flags)]
    if not found:
        raise NameFailure(_socket.EAI_NONAME)
    triples = [(each, kind_) for each in found for kind_ in kinds]
    if len(found) > 1:
        ways = [res.libc.destination(each[0]) for each, _ in triples]
        triples = [triples[place] for place in destinations.in_order(ways)]
    canonical = result.canonical if flags & _socket.AI_CANONNAME else ""
    entries: list[Entry] = []
    for (address, zone), (type_, protocol_, port) in triples:
        there: Address = (address, port, 0, zone) if is_v6(address) else (address, port)
        entries.append((family_of(address), type_, protocol_, canonical, there))
        canonical = ""
    return entries


def _configured(res: "Res", family: int) -> int:
    """Narrow the family down to those of which the host has an address (AI_ADDRCONFIG)."""
    seen = res.libc.families()
    if not family:
        return next(iter(seen)) if len(seen) == 1 else 0
    if family not in seen:
        raise NameFailure(_socket.EAI_NONAME)
    return family


def _is_spare(address: str, result: Result, flags: int) -> bool:
    """Whether it is a mapped one that is not wanted beside real ones."""
    wanted = not result.got_ipv6 or flags & (_MAPS | _ALL) != _MAPS
    return not wanted and is_v6(address) and unmapped(address) != address


def _no_data(h_errno: int) -> int:
    if h_errno == TRY_AGAIN:
        return int(_socket.EAI_AGAIN)
    return int(h_errno == NO_DATA)


def _number(service: str) -> int | None:
    """Read a port as strtoul does, into an int; None: it is a name."""
    known = strtoul(service)
    return None if known is None or known[1] else to_int(known[0])
