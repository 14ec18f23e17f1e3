"""How times, calls and their results are written wherever people read them."""

import struct
from errno import errorcode
from typing import Final

from halfopen.base.units import MS, US, S, show_duration
from halfopen.record.events import Json
from halfopen.record.query import Call

#: Calls that look a name up, or an address.
LOOKUPS: Final = frozenset(
    {
        "getaddrinfo",
        "gethostbyaddr",
        "gethostbyname",
        "gethostbyname_ex",
        "getnameinfo",
    }
)
#: Calls that wait for somebody else, or move bytes: a run's outcome shows in them.
TELLING: Final = LOOKUPS | frozenset(
    {
        "connect",
        "connect_ex",
        "accept",
        "_accept",
        "send",
        "sendall",
        "sendto",
        "sendmsg",
        "recv",
        "recv_into",
        "recvfrom",
        "recvfrom_into",
        "recvmsg",
        "recvmsg_into",
        "select",
        "poll",
        "epoll_wait",
        "getsockopt",
        "shutdown",
    }
)
_READS: Final = frozenset(
    {"recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"}
)
#: Options that programs of the notes set and read, by level and number.
_OPTIONS: Final = {
    "0, 15": "IP_FREEBIND",
    "0, 24": "IP_BIND_ADDRESS_NO_PORT",
    "1, 2": "SO_REUSEADDR",
    "1, 4": "SO_ERROR",
    "1, 7": "SO_SNDBUF",
    "1, 8": "SO_RCVBUF",
    "1, 9": "SO_KEEPALIVE",
    "1, 12": "SO_PRIORITY",
    "1, 13": "SO_LINGER",
    "1, 15": "SO_REUSEPORT",
    "1, 20": "SO_RCVTIMEO",
    "1, 21": "SO_SNDTIMEO",
    "1, 30": "SO_ACCEPTCONN",
    "1, 32": "SO_SNDBUFFORCE",
    "1, 33": "SO_RCVBUFFORCE",
    "1, 38": "SO_PROTOCOL",
    "6, 1": "TCP_NODELAY",
    "6, 2": "TCP_MAXSEG",
    "6, 3": "TCP_CORK",
    "6, 4": "TCP_KEEPIDLE",
    "6, 5": "TCP_KEEPINTVL",
    "6, 6": "TCP_KEEPCNT",
    "6, 9": "TCP_DEFER_ACCEPT",
    "6, 11": "TCP_INFO",
    "6, 12": "TCP_QUICKACK",
    "6, 18": "TCP_USER_TIMEOUT",
    "41, 26": "IPV6_V6ONLY",
}
#: States by the number that TCP_INFO begins with (Linux include/net/tcp_states.h).
_STATES: Final = (
    *("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"),
    *("CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"),
)
#: Of a listener two fields of TCP_INFO tell the queue: how many wait in it, and its backlog.
_QUEUE: Final = struct.Struct("=24x2I")
_TIMEVAL: Final = struct.Struct("=2q")
_TIMEOUTS: Final = ("SO_RCVTIMEO", "SO_SNDTIMEO")
#: Two names of one number, and the one that Linux's manual has for sockets.
_ERRNOS: Final = {"ENOTSUP": "EOPNOTSUPP"}
_POLL_BITS: Final = (
    *((1, "IN"), (2, "PRI"), (4, "OUT"), (8, "ERR")),
    *((0x10, "HUP"), (0x20, "NVAL"), (0x2000, "RDHUP")),
)
_TEXT_MAX: Final = 12
_ADDRESSES_MAX: Final = 3

#: A call that took less did not wait for anybody: a real kernel needs some time for it.
AT_ONCE_NS: Final = MS


def show_instant(ns: int) -> str:
    """Write an instant of a run in a column: milliseconds in the first second, then seconds."""
    if ns < S:
        return f"{ns / MS:.3f} ms"
    return f"{ns / S:.3f} s"


def plural(number: int, thing: str) -> str:
    """Count things: ``1 call``, ``2 calls``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def call_name(call: str) -> str:
    """Name a call as programs know it (``_accept`` is the C half of ``accept``)."""
    return call.lstrip("_")


def show_call(call: str, args: str) -> str:
    """Write a call as it was made, options by name."""
    return f"{call_name(call)}({show_args(call, args)})"


def show_args(call: str, args: str) -> str:
    """Write a call's arguments; those of ``getsockopt`` and ``setsockopt`` name the option."""
    if not call.endswith("sockopt"):
        return args
    level_and_option = ", ".join(args.split(", ")[:2])
    named = _OPTIONS.get(level_and_option)
    return args if named is None else named + args[len(level_and_option) :]


def show_result(call: str, args: str, result: Json, errno: str | None) -> str:
    """Write what a call gave: ``b""``, ``1448 bytes``, ``ECONNRESET``, ``ok``."""
    if errno is not None:
        return _ERRNOS.get(errno, errno)
    name, text = call_name(call), str(result)
    match result:
        case None:
            text = "ok"
        case {"len": int(length), "head": str(head)}:
            text = _show_option(show_args(call, args), head) or _show_bytes(length, head)
        case {"peer": [str(host), int(port), *_]}:
            text = _show_endpoint(host, port)
        case list(found):
            text = _show_list(name, found)
        case int(number) if name in _READS or name.startswith("send"):
            text = f"{number} bytes"
        case int(number) if gives_error(call, args):
            text = errorcode.get(number, "ok" if name == "connect_ex" else "0")
        case _:
            pass
    return text


def _show_list(name: str, found: list[Json]) -> str:
    """Write what a call gave that gives several things."""
    if name in LOOKUPS:
        return _show_found(found)
    if name in {"poll", "epoll_wait", "select"}:
        return _show_ready(found)
    match found:
        case [str(host), int(port), *_]:
            return _show_endpoint(host, port)
        case [{"len": int(length), "head": str(head)}, [str(host), int(port), *_]]:
            return f"{_show_bytes(length, head)} from {_show_endpoint(host, port)}"
        case [{"len": int(length), "head": str(head)}, None] | [
            {"len": int(length), "head": str(head)},
            list(),
            int(),
            _,
        ]:
            return _show_bytes(length, head)
        case _:
            return str(found)


def _show_option(asked: str, head: str) -> str:
    """Write what an option holds that is a structure; "" for others."""
    raw = head.encode("latin-1")
    if asked.startswith(_TIMEOUTS) and len(raw) == _TIMEVAL.size:
        seconds, us = _TIMEVAL.unpack(raw)
        return show_duration(seconds * S + us * US)
    if not (raw and asked.startswith("TCP_INFO")):
        return ""
    state = _STATES[raw[0]]
    if state != "LISTEN" or len(raw) < _QUEUE.size:
        return state
    waiting, backlog = _QUEUE.unpack_from(raw)
    return f"LISTEN {waiting}/{backlog}"


def _show_found(found: list[Json]) -> str:
    """Write what a lookup gave; of getaddrinfo each address once, with the port if it has one."""
    match found:
        case [str(host), str(service)]:
            return f"{host}, {service}"
        case [str(host), list(), list(addresses)]:
            return f"{host}, {', '.join(map(str, addresses))}"
        case _:
            shown = list(dict.fromkeys(map(_show_entry, found)))
    more = [f"and {len(shown) - _ADDRESSES_MAX} more"] if len(shown) > _ADDRESSES_MAX else []
    return ", ".join([*shown[:_ADDRESSES_MAX], *more])


def _show_endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _show_entry(entry: Json) -> str:
    match entry:
        case [_, _, _, _, [str(host), int(port), *_]]:
            return _show_endpoint(host, port) if port else host
        case _:
            return str(entry)


def gives_error(call: str, args: str) -> bool:
    """Whether a call returns an errno as its result."""
    name = call_name(call)
    return name == "connect_ex" or (name == "getsockopt" and show_args(call, args) == "SO_ERROR")


def show_wait(ns: int | None) -> str:
    """Write how long a call waited: `` after 10 ms``; "" where it did not wait to speak of."""
    if ns is None or ns < AT_ONCE_NS:
        return ""
    return f" after {show_duration(ns if ns < 10 * MS else round(ns, -5))}"


def _show_bytes(length: int, head: str) -> str:
    if length > _TEXT_MAX:
        return f"{length} bytes"
    return repr(head.encode("latin-1")).replace("'", '"')


def outcome_name(call: Call) -> str:
    """Name what gave a result: an option that was asked for, or the call."""
    name = call_name(call.call)
    asked = show_args(call.call, call.args).partition(", ")[0] if name == "getsockopt" else ""
    return asked if asked.isidentifier() else name


def show_outcome(call: Call) -> str:
    """Write a finished or unfinished call in a few words: ``recv -> ECONNRESET after 10 ms``."""
    name = outcome_name(call)
    if call.blocked_ns is None:
        return f"{name} waits on"
    shown = show_result(call.call, call.args, call.result, call.errno)
    return f"{name} -> {shown}{show_wait(call.blocked_ns)}"


def _show_ready(entries: list[Json]) -> str:
    shown = []
    for entry in entries:
        match entry:
            case [int(), int(bits)]:
                known = [name for bit, name in _POLL_BITS if bits & bit]
                shown.append("|".join(known) or str(bits))
            case list(descriptors):
                shown.append(f"{len(descriptors)} ready")
            case _:
                shown.append(str(entry))
    return ", ".join(shown) or "nothing ready"
