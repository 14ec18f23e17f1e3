"""The options of SOL_SOCKET, of every socket (Linux sk_setsockopt, sk_getsockopt)."""

import struct
from collections.abc import Callable
from errno import EDOM, EINVAL, ENOPROTOOPT, EPERM
from typing import TYPE_CHECKING, Final

from halfopen.base.units import US, S
from halfopen.net.sysctl import integer
from halfopen.sockets import constants as c
from halfopen.sockets import sockopt_tcp
from halfopen.sockets.device import set_device
from halfopen.sockets.errors import fail
from halfopen.sockets.kept import (
    Flag,
    Number,
    Row,
    keep,
    kept,
    named,
    own,
    refuse_gap,
    to_number,
)
from halfopen.sockets.sock import TcpSock
from halfopen.tcp.jiffies import HZ, JIFFY, to_jiffies

if TYPE_CHECKING:
    from halfopen.sockets.udp import UdpSock

_INT_MAX: Final = (1 << 31) - 1
#: What Linux never goes below (TCP_SKB_MIN_TRUESIZE, SOCK_MIN_SNDBUF).
RCVBUF_MIN: Final = 2048 + 256
SNDBUF_MIN: Final = 2 * RCVBUF_MIN
#: A longer timeout is none (MAX_SCHEDULE_TIMEOUT).
_TIMEO_MAX_S: Final = ((1 << 63) - 1) // HZ - 1
#: A higher SO_PRIORITY is the superuser's.
_PRIORITY_MAX: Final = 6

_KEPT: Final[dict[int, Row]] = {
    c.SO_REUSEADDR: Flag("reuseaddr"),
    c.SO_REUSEPORT: Flag("reuseport"),
    c.SO_BROADCAST: Flag("broadcast"),
    c.SO_DONTROUTE: Flag("dontroute"),
    c.SO_OOBINLINE: Flag("oobinline", "oobinline"),
    c.SO_KEEPALIVE: Flag("keepalive", "keepalive"),
    c.SO_PRIORITY: Number("priority", "", low=-_INT_MAX - 1, high=_INT_MAX),
    c.SO_MARK: Number("mark", "", low=-_INT_MAX - 1, high=_INT_MAX),
}
#: What Linux 6.18 has beside ours.
NOT_SIMULATED: Final = named(
    "SO_",
    "DEBUG 1 NO_CHECK 11 BSDCOMPAT 14 PASSCRED 16 PEERCRED 17 ATTACH_FILTER 26 DETACH_FILTER 27 "
    "PEERNAME 28 TIMESTAMP 29 PASSSEC 34 TIMESTAMPNS 35 TIMESTAMPING 37 RXQ_OVFL 40 "
    "WIFI_STATUS 41 PEEK_OFF 42 NOFCS 43 LOCK_FILTER 44 SELECT_ERR_QUEUE 45 BUSY_POLL 46 "
    "MAX_PACING_RATE 47 BPF_EXTENSIONS 48 INCOMING_CPU 49 ATTACH_BPF 50 "
    "ATTACH_REUSEPORT_CBPF 51 ATTACH_REUSEPORT_EBPF 52 CNX_ADVICE 53 MEMINFO 55 "
    "INCOMING_NAPI_ID 56 COOKIE 57 PEERGROUPS 59 ZEROCOPY 60 TXTIME 61 BINDTOIFINDEX 62 "
    "TIMESTAMP_NEW 63 TIMESTAMPNS_NEW 64 TIMESTAMPING_NEW 65 RCVTIMEO_NEW 66 SNDTIMEO_NEW 67 "
    "DETACH_REUSEPORT_BPF 68 PREFER_BUSY_POLL 69 BUSY_POLL_BUDGET 70 NETNS_COOKIE 71 "
    "BUF_LOCK 72 RESERVE_MEM 73 TXREHASH 74 RCVMARK 75 PASSPIDFD 76 PEERPIDFD 77 "
    "DEVMEM_DONTNEED 80 RCVPRIORITY 82 PASSRIGHTS 83",
)


# Sizes of buffers.


def _at_most(sock: "TcpSock | UdpSock", value: int, limit: str) -> int:
    """Cut a size to what a sysctl allows; one below 0 counts as large."""
    return min(value & 0xFFFFFFFF, integer(sock.kernel.sysctl, limit))


def _doubled(value: int, least: int) -> int:
    """Double what was asked for, for the kernel's own overhead (Linux __sock_set_rcvbuf)."""
    return max(2 * min(max(value, 0), _INT_MAX // 2), least)


def _set_rcvbuf(sock: "TcpSock | UdpSock", value: int) -> None:
    _force_rcvbuf(sock, _at_most(sock, value, "net.core.rmem_max"))


def _force_rcvbuf(sock: "TcpSock | UdpSock", value: int) -> None:
    options = own(sock)
    options.rcvbuf = _doubled(value, RCVBUF_MIN)
    options.rcvbuf_locked = True
    if not isinstance(sock, TcpSock):
        sock.end.rcvbuf = options.rcvbuf
    elif sock.tcb is not None:
        sock.tcb.rcvbuf = options.rcvbuf
        sock.tcb.rcvbuf_locked = True


def _set_sndbuf(sock: "TcpSock | UdpSock", value: int) -> None:
    _force_sndbuf(sock, _at_most(sock, value, "net.core.wmem_max"))


def _force_sndbuf(sock: "TcpSock | UdpSock", value: int) -> None:
    options = own(sock)
    options.sndbuf = _doubled(value, SNDBUF_MIN)
    options.sndbuf_locked = True
    if isinstance(sock, TcpSock) and sock.tcb is not None:
        sock.tcb.sndbuf = options.sndbuf
        sock.tcb.sndbuf_locked = True
        sock.write_wait.wake()


def _set_rcvlowat(sock: "TcpSock | UdpSock", value: int) -> None:
    least = _INT_MAX if value < 0 else value
    if isinstance(sock, TcpSock):
        sockopt_tcp.set_rcvlowat(sock, least)
    else:
        own(sock).rcvlowat = least or 1  # nothing looks at it: a datagram is whole


def _get_rcvbuf(sock: "TcpSock | UdpSock") -> int:
    if not isinstance(sock, TcpSock):
        return sock.end.rcvbuf
    return sock.options.rcvbuf if sock.tcb is None else sock.tcb.rcvbuf


def _get_sndbuf(sock: "TcpSock | UdpSock") -> int:
    if isinstance(sock, TcpSock) and sock.tcb is not None:
        return sock.tcb.sndbuf
    return sock.options.sndbuf


def _get_rcvlowat(sock: "TcpSock | UdpSock") -> int:
    return sock.options.rcvlowat


def _get_sndlowat(sock: "TcpSock | UdpSock") -> int:  # noqa: ARG001  a row of the table
    return 1


# What can only be read.


def _get_error(sock: "TcpSock | UdpSock") -> int:
    """Read and clear: the error, or else the soft one."""
    error = sock.take_error()
    if error or not isinstance(sock, TcpSock):
        return error
    if sock.tcb is None:
        error, sock.error_soft = sock.error_soft, 0
    else:
        error, sock.tcb.so_error_soft = sock.tcb.so_error_soft, 0
    return error


def _get_type(sock: "TcpSock | UdpSock") -> int:
    return c.SOCK_DGRAM if sock.is_datagram else c.SOCK_STREAM


def _get_protocol(sock: "TcpSock | UdpSock") -> int:
    return c.IPPROTO_UDP if sock.is_datagram else c.IPPROTO_TCP


def _get_domain(sock: "TcpSock | UdpSock") -> int:
    return c.AF_INET6 if sock.v6 else c.AF_INET


def _get_acceptconn(sock: "TcpSock | UdpSock") -> int:
    return int(isinstance(sock, TcpSock) and sock.listening is not None)


#: Options with a function of their own; what can only be read is ENOPROTOOPT to set.
_SET: Final[dict[int, "Callable[[TcpSock | UdpSock, int], None]"]] = {
    c.SO_RCVBUF: _set_rcvbuf,
    c.SO_RCVBUFFORCE: _force_rcvbuf,
    c.SO_SNDBUF: _set_sndbuf,
    c.SO_SNDBUFFORCE: _force_sndbuf,
    c.SO_RCVLOWAT: _set_rcvlowat,
}
_GET: Final[dict[int, "Callable[[TcpSock | UdpSock], int]"]] = {
    c.SO_ERROR: _get_error,
    c.SO_TYPE: _get_type,
    c.SO_PROTOCOL: _get_protocol,
    c.SO_DOMAIN: _get_domain,
    c.SO_ACCEPTCONN: _get_acceptconn,
    c.SO_RCVBUF: _get_rcvbuf,
    c.SO_SNDBUF: _get_sndbuf,
    c.SO_RCVLOWAT: _get_rcvlowat,
    c.SO_SNDLOWAT: _get_sndlowat,
}


# Options that are structures.


def _set_linger(sock: "TcpSock | UdpSock", value: bytes) -> None:
    if len(value) < 8:
        raise fail(EINVAL)
    on, seconds = struct.unpack_from("=ii", value)
    options = own(sock)
    options.linger = bool(on)
    if on:
        options.linger_s = seconds & 0xFFFFFFFF


def _get_linger(sock: "TcpSock | UdpSock") -> bytes:
    options = sock.options
    return struct.pack("=iI", options.linger, options.linger_s)


def _to_timeout(value: bytes) -> int | None:
    """Read a ``struct timeval``, in ns of whole ticks (Linux sock_set_timeout)."""
    if len(value) < 16:
        raise fail(EINVAL)
    seconds, micros = struct.unpack_from("=qq", value)
    if not 0 <= micros < 1_000_000:
        raise fail(EDOM)
    if seconds < 0:
        return 0
    if (not seconds and not micros) or seconds >= _TIMEO_MAX_S:
        return None
    ticks: int = seconds * HZ + to_jiffies(micros * US)
    return ticks * JIFFY


def _from_timeout(timeout: int | None) -> bytes:
    if timeout is None:
        return struct.pack("=qq", 0, 0)
    return struct.pack("=qq", timeout // S, timeout % S // US)


def _set_rcvtimeo(sock: "TcpSock | UdpSock", value: bytes) -> None:
    timeout = _to_timeout(value)
    own(sock).rcvtimeo_ns = timeout


def _set_sndtimeo(sock: "TcpSock | UdpSock", value: bytes) -> None:
    timeout = _to_timeout(value)
    own(sock).sndtimeo_ns = timeout


def _get_rcvtimeo(sock: "TcpSock | UdpSock") -> bytes:
    return _from_timeout(sock.options.rcvtimeo_ns)


def _get_sndtimeo(sock: "TcpSock | UdpSock") -> bytes:
    return _from_timeout(sock.options.sndtimeo_ns)


_SET_STRUCT: Final[dict[int, "Callable[[TcpSock | UdpSock, bytes], None]"]] = {
    c.SO_LINGER: _set_linger,
    c.SO_RCVTIMEO: _set_rcvtimeo,
    c.SO_SNDTIMEO: _set_sndtimeo,
}
_GET_STRUCT: Final[dict[int, "Callable[[TcpSock | UdpSock], bytes]"]] = {
    c.SO_LINGER: _get_linger,
    c.SO_RCVTIMEO: _get_rcvtimeo,
    c.SO_SNDTIMEO: _get_sndtimeo,
}


def set_socket(
    sock: "TcpSock | UdpSock", name: int, value: bytes, now: int, *, privileged: bool
) -> None:
    """Set an option of SOL_SOCKET; some are the superuser's (CAP_NET_ADMIN).

    Raises OSError: EPERM, EINVAL, ENOPROTOOPT.
    """
    if name == c.SO_BINDTODEVICE:
        set_device(sock, value, privileged=privileged)
        return
    set_struct = _SET_STRUCT.get(name)
    if set_struct is not None:
        set_struct(sock, value)
        return
    refuse_gap(NOT_SIMULATED, name)
    number = to_number(value)
    if not privileged:
        _check_privilege(name, number)
    row = _KEPT.get(name)
    if row is not None:
        keep(sock, row, number)
        if name == c.SO_KEEPALIVE and isinstance(sock, TcpSock):
            sockopt_tcp.keepalive_changed(sock, now)
        return
    set_number = _SET.get(name)
    if set_number is None:
        raise fail(ENOPROTOOPT)
    set_number(sock, number)


def _check_privilege(name: int, number: int) -> None:
    """Refuse what is the superuser's. Raises OSError EPERM."""
    if name in (c.SO_RCVBUFFORCE, c.SO_SNDBUFFORCE, c.SO_MARK):
        raise fail(EPERM)
    if name == c.SO_PRIORITY and not 0 <= number <= _PRIORITY_MAX:
        raise fail(EPERM)


def get_socket(sock: "TcpSock | UdpSock", name: int) -> bytes:
    """Return an option of SOL_SOCKET, but for SO_BINDTODEVICE. Raises OSError ENOPROTOOPT."""
    get_struct = _GET_STRUCT.get(name)
    if get_struct is not None:
        return get_struct(sock)
    row = _KEPT.get(name)
    if row is not None:
        return struct.pack("=i", kept(sock, row))
    refuse_gap(NOT_SIMULATED, name)
    get_number = _GET.get(name)
    if get_number is None:
        raise fail(ENOPROTOOPT)
    return struct.pack("=i", get_number(sock))
