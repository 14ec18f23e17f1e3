"""/etc/resolv.conf: which servers are asked, how long, and for what (glibc res_vinit_1)."""

import _socket
import re
from typing import Final

from halfopen.base.errors import NotSimulatedError
from halfopen.base.value import value
from halfopen.guest.libc.digits import atoi
from halfopen.guest.libc.etc import Etc
from halfopen.guest.libc.hosts import AF_INET6, numeric
from halfopen.scenario.etc import RESOLV_CONF
from halfopen.wire.address import LOOPBACK

SERVERS_MAX: Final = 3
TIMEOUT_S: Final = 5
ATTEMPTS: Final = 2
_LIMITS: Final = {"ndots": 15, "timeout": 30, "attempts": 5}
_FLAGS: Final = (
    "rotate",
    "edns0",
    "single-request-reopen",
    "single-request",
    "no_tld_query",
    "no-tld-query",
    "no-reload",
    "use-vc",
    "trust-ad",
    "no-aaaa",
)


@value
class Server:
    """A name server; ``zone`` names the interface of a link-local one."""

    address: str
    zone: str = ""


@value
class ResolvConf:
    """What the file says, or what holds where it says nothing."""

    servers: tuple[Server, ...]
    search: tuple[str, ...]
    ndots: int
    timeout: int
    attempts: int
    flags: frozenset[str]


def read(etc: Etc) -> ResolvConf:
    """Read the file of a host. Without a server, one on the host itself is asked."""
    servers: list[Server] = []
    search: list[str] = []
    numbers = {"ndots": 1, "timeout": TIMEOUT_S, "attempts": ATTEMPTS}
    flags: set[str] = set()
    for line in etc.lines(RESOLV_CONF) or []:
        keyword, *words = re.split(r"[ \t]+", line.rstrip(" \t"))
        match keyword, words:
            case "domain", [domain, *_]:
                search = [domain]
            case "search", [_, *_]:
                search = words
            case "nameserver", [address, *_]:
                servers += _server(address)
            case "sortlist", _:
                msg = f"sortlist in {RESOLV_CONF} is not simulated"
                raise NotSimulatedError(msg)
            case "options", _:
                _set_options(words, numbers, flags)
            case _:
                pass
    if not search and "." in etc.nodename:
        search = [etc.nodename.partition(".")[2]]
    return ResolvConf(
        servers=tuple(servers[:SERVERS_MAX]) or (Server(address=LOOPBACK),),
        search=tuple(search),
        ndots=numbers["ndots"] & _LIMITS["ndots"],  # a field of four bits
        timeout=numbers["timeout"],
        attempts=numbers["attempts"],
        flags=frozenset(flags),
    )


def _server(text: str) -> list[Server]:
    try:
        return [Server(address=_socket.inet_ntoa(_socket.inet_aton(text)))]
    except OSError:
        pass
    plain, _, zone = text.partition("%")
    address = numeric(plain, AF_INET6)
    return [] if address is None else [Server(address=address, zone=zone)]


def _set_options(words: list[str], numbers: dict[str, int], flags: set[str]) -> None:
    """Take the options of a line; what is none is ignored (glibc res_setoptions)."""
    for word in words:
        name, colon, value_ = word.partition(":")
        if colon and name in _LIMITS:
            numbers[name] = min(atoi(value_), _LIMITS[name])
            continue
        for flag in _FLAGS:
            if word.startswith(flag):
                flags.add(flag.replace("_", "-"))
                break
