"""getsockopt and setsockopt as tables, a row an option (Linux sk_setsockopt, do_tcp_setsockopt)."""

import struct
from collections.abc import Callable
from errno import EDOM, EINVAL, ENOENT, ENOPROTOOPT, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, Final, TypeAlias

from halfopen.base.units import MS, US, S
from halfopen.net.sysctl import integer
from halfopen.sockets import constants as c
from halfopen.sockets.device import get_device, set_device
from halfopen.sockets.errors import fail
from halfopen.sockets.info import tcp_info
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.sockopt4 import IPV4, get_ipv4, set_ipv4
from halfopen.sockets.sockopt6 import get_ipv6, set_ipv6
from halfopen.sockets.waiting import NotSimulatedError
from halfopen.tcp import acking, calls, timers
from halfopen.tcp.buffers import space_from_window
from halfopen.tcp.jiffies import HZ, JIFFY, to_jiffies
from halfopen.tcp.states import MAY_SEND, State
from halfopen.tcp.tcb import ACK_PUSHED, ACK_SCHED, MSS_DEFAULT
from halfopen.tcp.window import CLAMP_MIN, clamp_window

if TYPE_CHECKING:
    from halfopen.sockets.options import Options
    from halfopen.sockets.table import FdTable
    from halfopen.sockets.udp import UdpSock

_INT_MAX: Final = (1 << 31) - 1
#: What Linux never goes below (TCP_SKB_MIN_TRUESIZE, SOCK_MIN_SNDBUF).
RCVBUF_MIN: Final = 2048 + 256
SNDBUF_MIN: Final = 2 * RCVBUF_MIN
#: A longer timeout is none (MAX_SCHEDULE_TIMEOUT).
_TIMEO_MAX_S: Final = ((1 << 63) - 1) // HZ - 1
#: A higher SO_PRIORITY is the superuser's.
_PRIORITY_MAX: Final = 6
_FIN_TIMEOUT_MAX_S: Final = 120
#: Of a SYN,ACK, as TCP_DEFER_ACCEPT counts: an octet full, none longer than two minutes.
_TIMEOUTS_MAX: Final = 255
_TIMEOUT_MAX_S: Final = 120
_UNSIGNED: Final = 0xFFFFFFFF
_CA_NAME_MAX: Final = 16
_RENO: Final = b"reno"
#: Other algorithms that Linux has (its modules tcp_*.c).
_OTHERS: Final = frozenset(
    {
        *(b"bbr", b"bic", b"cdg", b"cubic", b"dctcp", b"highspeed", b"htcp", b"hybla"),
        *(b"illinois", b"lp", b"nv", b"scalable", b"vegas", b"veno", b"westwood", b"yeah"),
    }
)


class Number:
    """An option that is a number: a field of ``Options``, and of the Tcb where there is one.

    Outside of ``low`` to ``high`` it is EINVAL. ``unit`` ns make one of it.
    """

    def __init__(self, field: str, tcb_field: str, *, low: int, high: int, unit: int = 1) -> None:
        self.field = field
        self.tcb_field = tcb_field
        self.low = low
        self.high = high
        self.unit = unit


class Flag:
    """An option that is on or off."""

    def __init__(self, field: str, tcb_field: str = "") -> None:
        self.field = field
        self.tcb_field = tcb_field


def own(sock: "TcpSock | UdpSock") -> "Options":
    """Return the socket's options, to be changed: its own from now on."""
    if sock.options.shared:
        sock.options = sock.options.copy(sock.kernel.config)
    return sock.options


# What happens beside keeping the value.


def _keepalive_changed(sock: "TcpSock", now: int) -> None:
    """Start or stop the heartbeat (Linux tcp_set_keepalive)."""
    tcb = sock.tcb
    if tcb is None or sock.sk_state is State.CLOSED:
        return
    if not tcb.keepalive:
        tcb.keepalive_at = None
    elif tcb.keepalive_at is None:
        timers.set_keepalive(tcb, tcb.keepidle_ns, now)


def _keepidle_changed(sock: "TcpSock", now: int) -> None:
    """Count the idle time again from the last sign of life (Linux tcp_sock_set_keepidle_locked)."""
    tcb = sock.tcb
    if tcb is None or sock.sk_state is State.CLOSED or not tcb.keepalive:
        return
    idle = now - max(tcb.rcv_data_at, tcb.rcv_ack_at)
    timers.set_keepalive(tcb, max(tcb.keepidle_ns - idle, 0), now)


def _cork_changed(sock: "TcpSock", now: int) -> None:
    if sock.tcb is not None:
        calls.set_cork(sock.tcb, now, on=sock.options.cork)


def _nodelay_changed(sock: "TcpSock", now: int) -> None:
    if sock.tcb is not None:
        calls.set_nodelay(sock.tcb, now, on=sock.options.nodelay)


def _recverr_changed(sock: "TcpSock", now: int) -> None:  # noqa: ARG001  a row of the table
    if not sock.options.recverr:
        sock.drop_reports()


def _number(level: int, name: int, value: bytes) -> int:
    """Read an option that is a number; IP takes an octet for one, and mostly nothing for 0.

    Raises OSError EINVAL. Linux do_ip_setsockopt.
    """
    if len(value) < 4:
        if level != c.IPPROTO_IP or (not value and name == c.IP_FREEBIND):
            raise fail(EINVAL)
        return value[0] if value else 0
    number: int = struct.unpack_from("=i", value)[0]
    return number


#: Kept in a field; the function, if any, is called afterwards.
_Kept: TypeAlias = tuple[Number | Flag, "Callable[[TcpSock, int], None] | None"]
KEPT: Final[dict[tuple[int, int], _Kept]] = {
    (c.SOL_SOCKET, c.SO_REUSEADDR): (Flag("reuseaddr"), None),
    (c.SOL_SOCKET, c.SO_REUSEPORT): (Flag("reuseport"), None),
    (c.SOL_SOCKET, c.SO_BROADCAST): (Flag("broadcast"), None),
    (c.SOL_SOCKET, c.SO_DONTROUTE): (Flag("dontroute"), None),
    (c.SOL_SOCKET, c.SO_OOBINLINE): (Flag("oobinline", "oobinline"), None),
    (c.SOL_SOCKET, c.SO_KEEPALIVE): (Flag("keepalive", "keepalive"), _keepalive_changed),
    (c.SOL_SOCKET, c.SO_PRIORITY): (Number("priority", "", low=-_INT_MAX - 1, high=_INT_MAX), None),
    (c.SOL_SOCKET, c.SO_MARK): (Number("mark", "", low=-_INT_MAX - 1, high=_INT_MAX), None),
    (c.IPPROTO_IP, c.IP_RECVERR): (Flag("recverr", "recverr"), _recverr_changed),
    (c.IPPROTO_IP, c.IP_FREEBIND): (Flag("freebind"), None),
    (c.IPPROTO_IP, c.IP_BIND_ADDRESS_NO_PORT): (Flag("bind_address_no_port"), None),
    (c.IPPROTO_TCP, c.TCP_NODELAY): (Flag("nodelay"), _nodelay_changed),
    (c.IPPROTO_TCP, c.TCP_CORK): (Flag("cork"), _cork_changed),
    (c.IPPROTO_TCP, c.TCP_KEEPIDLE): (
        Number("keepidle_ns", "keepidle_ns", low=1, high=32767, unit=S),
        _keepidle_changed,
    ),
    (c.IPPROTO_TCP, c.TCP_KEEPINTVL): (
        Number("keepintvl_ns", "keepintvl_ns", low=1, high=32767, unit=S),
        None,
    ),
    (c.IPPROTO_TCP, c.TCP_KEEPCNT): (Number("keepcnt", "keepcnt", low=1, high=127), None),
    (c.IPPROTO_TCP, c.TCP_USER_TIMEOUT): (
        Number("user_timeout_ns", "user_timeout_ns", low=0, high=_INT_MAX, unit=MS),
        None,
    ),
}


# Options that are more than a field.


def _at_most(sock: "TcpSock | UdpSock", value: int, limit: str) -> int:
    """Cut a size to what a sysctl allows; one below 0 counts as large."""
    return min(value & 0xFFFFFFFF, integer(sock.kernel.sysctl, limit))


def _doubled(value: int, least: int) -> int:
    """Double what was asked for, for the kernel's own overhead (Linux __sock_set_rcvbuf)."""
    return max(2 * min(max(value, 0), _INT_MAX // 2), least)


def _set_rcvbuf(sock: "TcpSock", value: int, now: int) -> None:
    _force_rcvbuf(sock, _at_most(sock, value, "net.core.rmem_max"), now)


def _force_rcvbuf(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    options = own(sock)
    options.rcvbuf = _doubled(value, RCVBUF_MIN)
    options.rcvbuf_locked = True
    if sock.tcb is not None:
        sock.tcb.rcvbuf = options.rcvbuf
        sock.tcb.rcvbuf_locked = True


def _set_sndbuf(sock: "TcpSock", value: int, now: int) -> None:
    _force_sndbuf(sock, _at_most(sock, value, "net.core.wmem_max"), now)


def _force_sndbuf(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    options = own(sock)
    options.sndbuf = _doubled(value, SNDBUF_MIN)
    options.sndbuf_locked = True
    if sock.tcb is not None:
        sock.tcb.sndbuf = options.sndbuf
        sock.tcb.sndbuf_locked = True
        sock.write_wait.wake()


def _set_rcvlowat(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Keep it below half of the largest buffer, which grows with it (Linux tcp_set_rcvlowat)."""
    options = own(sock)
    tcb = sock.tcb
    most = options.rcvbuf if options.rcvbuf_locked else sock.kernel.config.rmem_max
    least = min(_INT_MAX if value < 0 else value, most >> 1)
    options.rcvlowat = least or 1
    sock.read_wait.wake()
    if options.rcvbuf_locked:
        return
    if tcb is None:
        options.rcvbuf = max(options.rcvbuf, 2 * least)
    elif space_from_window(tcb, least) > tcb.rcvbuf:
        tcb.rcvbuf = space_from_window(tcb, least)
        tcb.window_clamp = max(tcb.window_clamp, least)


def _set_notsent_lowat(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """So little must be unsent for more to be taken; 0: tcp_notsent_lowat says how little."""
    options = own(sock)
    options.notsent_lowat = value & _UNSIGNED
    if sock.tcb is not None:
        sock.tcb.notsent_lowat = options.notsent_lowat or sock.kernel.config.notsent_lowat
        sock.write_wait.wake()


def _set_window_clamp(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Bound the window that is offered; 0, of a closed socket only: not at all."""
    tcb = sock.tcb
    closed = sock.sk_state is State.CLOSED
    if not value and not closed:
        raise fail(EINVAL)
    if tcb is None or closed:
        own(sock).window_clamp = max(value, CLAMP_MIN) if value else 0
    else:
        clamp_window(tcb, value)


def _set_maxseg(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Linux TCP_MIN_MSS, MAX_TCP_WINDOW; it takes effect in the handshake."""
    if value and not 88 <= value <= 32767:
        raise fail(EINVAL)
    own(sock).maxseg = value
    if sock.tcb is not None:
        sock.tcb.user_mss = value


def _set_linger2(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    options = own(sock)
    if value < 0:
        options.linger2_ns = -1
    elif value == 0:
        options.linger2_ns = sock.kernel.config.fin_timeout_ns
    else:
        options.linger2_ns = min(value, _FIN_TIMEOUT_MAX_S) * S
    if sock.tcb is not None:
        sock.tcb.linger2_ns = options.linger2_ns


def _set_syncnt(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Linux tcp_sock_set_syncnt; a listener's SYN,ACKs obey it, too (reqsk_timer_handler)."""
    if not 1 <= value <= 127:
        raise fail(EINVAL)
    own(sock).syncnt = value
    if sock.tcb is not None:
        sock.tcb.syn_retries = value
    if sock.listening is not None:
        sock.listening.syn_retries = value


def _get_syncnt(sock: "TcpSock") -> int:
    return sock.options.syncnt or sock.kernel.config.syn_retries


def _set_defer_accept(sock: "TcpSock", value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Keep seconds as timeouts of a SYN,ACK: as many as last so long (Linux secs_to_retrans)."""
    timeouts = lasts = 0
    while lasts < value and timeouts < _TIMEOUTS_MAX:
        lasts += min(1 << timeouts, _TIMEOUT_MAX_S)
        timeouts += 1
    own(sock).defer_accept = timeouts
    if sock.tcb is not None:
        sock.tcb.defer_accept = timeouts
    if sock.listening is not None:
        sock.listening.defer_accept = timeouts


def _get_defer_accept(sock: "TcpSock") -> int:
    """Tell how long that is (Linux retrans_to_secs)."""
    return sum(min(1 << number, _TIMEOUT_MAX_S) for number in range(sock.options.defer_accept))


def _set_quickack(sock: "TcpSock", value: int, now: int) -> None:
    """Linux __tcp_sock_set_quickack: for now, not for ever."""
    tcb = sock.tcb
    if tcb is None:
        own(sock).quickack = value != 0
        return
    threshold = tcb.config.pingpong_thresh
    if not value:
        tcb.pingpong = threshold
        return
    tcb.pingpong = 0
    if (tcb.state in MAY_SEND) and tcb.ack_pending & ACK_SCHED:
        tcb.ack_pending |= ACK_PUSHED
        acking.user_read(tcb, 1, now)
        if not value & 1:
            tcb.pingpong = threshold


def _get_quickack(sock: "TcpSock") -> int:
    if sock.tcb is None:
        return int(sock.options.quickack)
    return int(not acking.in_pingpong(sock.tcb))


def _get_error(sock: "TcpSock") -> int:
    """Read and clear: the error, or else the soft one."""
    error = sock.take_error()
    tcb = sock.tcb
    if error:
        return error
    if tcb is None:
        error, sock.error_soft = sock.error_soft, 0
    else:
        error, tcb.so_error_soft = tcb.so_error_soft, 0
    return error


def _get_sndbuf(sock: "TcpSock") -> int:
    return sock.options.sndbuf if sock.tcb is None else sock.tcb.sndbuf


def _get_rcvbuf(sock: "TcpSock") -> int:
    return sock.options.rcvbuf if sock.tcb is None else sock.tcb.rcvbuf


def _get_maxseg(sock: "TcpSock") -> int:
    if sock.tcb is None or sock.sk_state is State.CLOSED:
        return sock.options.maxseg or MSS_DEFAULT
    return sock.tcb.mss


def _get_linger2(sock: "TcpSock") -> int:
    """Answer in the kernel's way: -1 itself is rounded to the second."""
    linger2_ns = sock.options.linger2_ns
    return -1 if linger2_ns < 0 else linger2_ns // S


def _get_acceptconn(sock: "TcpSock") -> int:
    return int(sock.listening is not None)


def _get_rcvlowat(sock: "TcpSock") -> int:
    return sock.options.rcvlowat


def _get_type(sock: "TcpSock") -> int:  # noqa: ARG001  a row of the table
    return c.SOCK_STREAM


def _get_protocol(sock: "TcpSock") -> int:  # noqa: ARG001  a row of the table
    return c.IPPROTO_TCP


def _get_domain(sock: "TcpSock") -> int:
    return c.AF_INET6 if sock.v6 else c.AF_INET


def _get_notsent_lowat(sock: "TcpSock") -> int:
    return _signed(sock.options.notsent_lowat)


def _get_window_clamp(sock: "TcpSock") -> int:
    if sock.tcb is None or sock.sk_state is State.CLOSED:
        return sock.options.window_clamp
    return sock.tcb.window_clamp


def _signed(number: int) -> int:
    return number - (number >> 31 << 32)


def _get_one(sock: "TcpSock") -> int:  # noqa: ARG001  a row of the table
    return 1


#: Options with a function of their own; what can only be read is ENOPROTOOPT to set.
SET: Final[dict[tuple[int, int], "Callable[[TcpSock, int, int], None]"]] = {
    (c.SOL_SOCKET, c.SO_RCVBUF): _set_rcvbuf,
    (c.SOL_SOCKET, c.SO_RCVBUFFORCE): _force_rcvbuf,
    (c.SOL_SOCKET, c.SO_SNDBUF): _set_sndbuf,
    (c.SOL_SOCKET, c.SO_SNDBUFFORCE): _force_sndbuf,
    (c.SOL_SOCKET, c.SO_RCVLOWAT): _set_rcvlowat,
    (c.IPPROTO_TCP, c.TCP_MAXSEG): _set_maxseg,
    (c.IPPROTO_TCP, c.TCP_NOTSENT_LOWAT): _set_notsent_lowat,
    (c.IPPROTO_TCP, c.TCP_WINDOW_CLAMP): _set_window_clamp,
    (c.IPPROTO_TCP, c.TCP_SYNCNT): _set_syncnt,
    (c.IPPROTO_TCP, c.TCP_LINGER2): _set_linger2,
    (c.IPPROTO_TCP, c.TCP_DEFER_ACCEPT): _set_defer_accept,
    (c.IPPROTO_TCP, c.TCP_QUICKACK): _set_quickack,
}
GET: Final[dict[tuple[int, int], "Callable[[TcpSock], int]"]] = {
    (c.SOL_SOCKET, c.SO_ERROR): _get_error,
    (c.SOL_SOCKET, c.SO_TYPE): _get_type,
    (c.SOL_SOCKET, c.SO_PROTOCOL): _get_protocol,
    (c.SOL_SOCKET, c.SO_DOMAIN): _get_domain,
    (c.SOL_SOCKET, c.SO_ACCEPTCONN): _get_acceptconn,
    (c.SOL_SOCKET, c.SO_RCVBUF): _get_rcvbuf,
    (c.SOL_SOCKET, c.SO_SNDBUF): _get_sndbuf,
    (c.SOL_SOCKET, c.SO_RCVLOWAT): _get_rcvlowat,
    (c.SOL_SOCKET, c.SO_SNDLOWAT): _get_one,
    (c.IPPROTO_TCP, c.TCP_MAXSEG): _get_maxseg,
    (c.IPPROTO_TCP, c.TCP_NOTSENT_LOWAT): _get_notsent_lowat,
    (c.IPPROTO_TCP, c.TCP_WINDOW_CLAMP): _get_window_clamp,
    (c.IPPROTO_TCP, c.TCP_SYNCNT): _get_syncnt,
    (c.IPPROTO_TCP, c.TCP_LINGER2): _get_linger2,
    (c.IPPROTO_TCP, c.TCP_DEFER_ACCEPT): _get_defer_accept,
    (c.IPPROTO_TCP, c.TCP_QUICKACK): _get_quickack,
}
#: Linux knows them and we don't: a loud error instead of a wrong answer.
NOT_SIMULATED: Final[dict[tuple[int, int], str]] = {
    (c.IPPROTO_IP, c.IP_TRANSPARENT): "IP_TRANSPARENT",
    (c.IPPROTO_IP, c.IP_LOCAL_PORT_RANGE): "IP_LOCAL_PORT_RANGE",
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


def _get_linger(sock: "TcpSock | UdpSock", now: int) -> bytes:  # noqa: ARG001  a row of the table
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


def _get_rcvtimeo(sock: "TcpSock | UdpSock", now: int) -> bytes:  # noqa: ARG001  a row of the table
    return _from_timeout(sock.options.rcvtimeo_ns)


def _get_sndtimeo(sock: "TcpSock | UdpSock", now: int) -> bytes:  # noqa: ARG001  a row of the table
    return _from_timeout(sock.options.sndtimeo_ns)


def _set_congestion(sock: "TcpSock | UdpSock", value: bytes) -> None:  # noqa: ARG001  a row of the table
    """Choose by name; Reno alone is simulated."""
    if not value:
        raise fail(EINVAL)
    name = value[: _CA_NAME_MAX - 1].split(b"\0")[0]
    if name in _OTHERS:
        raise NotSimulatedError(f"TCP_CONGESTION {name.decode()} is not simulated, only reno is")
    if name != _RENO:
        raise fail(ENOENT)


def _get_congestion(sock: "TcpSock", now: int) -> bytes:  # noqa: ARG001  a row of the table
    return _RENO.ljust(_CA_NAME_MAX, b"\0")


SET_STRUCT: Final[dict[tuple[int, int], "Callable[[TcpSock | UdpSock, bytes], None]"]] = {
    (c.SOL_SOCKET, c.SO_LINGER): _set_linger,
    (c.SOL_SOCKET, c.SO_RCVTIMEO): _set_rcvtimeo,
    (c.SOL_SOCKET, c.SO_SNDTIMEO): _set_sndtimeo,
    (c.IPPROTO_TCP, c.TCP_CONGESTION): _set_congestion,
}
GET_STRUCT: Final[dict[tuple[int, int], "Callable[[TcpSock, int], bytes]"]] = {
    (c.SOL_SOCKET, c.SO_LINGER): _get_linger,
    (c.SOL_SOCKET, c.SO_RCVTIMEO): _get_rcvtimeo,
    (c.SOL_SOCKET, c.SO_SNDTIMEO): _get_sndtimeo,
    (c.IPPROTO_TCP, c.TCP_CONGESTION): _get_congestion,
    (c.IPPROTO_TCP, c.TCP_INFO): tcp_info,
}


def set_option(sock: "TcpSock", level: int, name: int, value: int | bytes, now: int) -> None:
    """Carry out setsockopt on a TCP socket."""
    key = (level, name)
    raw = struct.pack("=i", value) if isinstance(value, int) else bytes(value)
    set_struct = SET_STRUCT.get(key)
    if set_struct is not None:
        set_struct(sock, raw)
        return
    if sock.v6 and key == (c.IPPROTO_IPV6, c.IPV6_RECVERR):
        own(sock).recverr6 = _number(level, name, raw) != 0
        sock.recverr6_changed()
        return
    if level == c.IPPROTO_IPV6 and sock.v6:
        set_ipv6(sock, own(sock), name, raw)
        return
    _refuse_on_v6(sock, level, name)
    if key in NOT_SIMULATED:
        raise NotSimulatedError(f"setsockopt {NOT_SIMULATED[key]} is not simulated")
    number = _number(level, name, raw)
    if level == c.IPPROTO_IP and name in IPV4:
        set_ipv4(sock, own(sock), name, number)
        return
    kept = KEPT.get(key)
    if kept is not None:
        _keep(sock, kept, number, now)
        return
    set_number = SET.get(key)
    if set_number is None:
        raise fail(ENOPROTOOPT)
    set_number(sock, number, now)


def _refuse_on_v6(sock: "TcpSock | UdpSock", level: int, name: int) -> None:
    """What AF_INET6 sockets say of the IPv4 that they speak is not simulated."""
    if sock.v6 and level == c.IPPROTO_IP and (name in IPV4 or name == c.IP_RECVERR):
        msg = f"the option {name} of IPPROTO_IP of an AF_INET6 socket is not simulated"
        raise NotSimulatedError(msg)


def _keep(sock: "TcpSock", kept: _Kept, number: int, now: int) -> None:
    row, changed = kept
    if isinstance(row, Flag):
        _put(sock, row, number != 0)
    elif row.low <= number <= row.high:
        _put(sock, row, number * row.unit)
    else:
        raise fail(EINVAL)
    if changed is not None:
        changed(sock, now)


def _put(sock: "TcpSock", row: Flag | Number, setting: object) -> None:
    """Keep a setting; of type object, because mypyc makes an int of what is bool or int."""
    setattr(own(sock), row.field, setting)
    if sock.tcb is not None and row.tcb_field:
        setattr(sock.tcb, row.tcb_field, setting)


def get_option(sock: "TcpSock", level: int, name: int, now: int) -> bytes:
    """Carry out getsockopt on a TCP socket; the answer is not yet cut to the caller's size."""
    key = (level, name)
    if level == c.IPPROTO_IP and name in IPV4:
        return struct.pack("=i", get_ipv4(sock, name))
    kept = KEPT.get(key)
    if kept is not None:
        row = kept[0]
        setting = int(getattr(sock.options, row.field))
        return struct.pack("=i", setting // row.unit if isinstance(row, Number) else setting)
    get_number = GET.get(key)
    if get_number is not None:
        return struct.pack("=i", get_number(sock))
    get_struct = GET_STRUCT.get(key)
    if get_struct is not None:
        return get_struct(sock, now)
    if key in NOT_SIMULATED:
        raise NotSimulatedError(f"getsockopt {NOT_SIMULATED[key]} is not simulated")
    if sock.v6 and key == (c.IPPROTO_IPV6, c.IPV6_RECVERR):
        return struct.pack("=i", int(sock.options.recverr6))
    if level == c.IPPROTO_IPV6 and sock.v6:
        return get_ipv6(sock, name)
    raise fail(_unknown(sock, level, c.IPPROTO_TCP))


def _unknown(sock: "TcpSock | UdpSock", level: int, protocol: int) -> int:
    """Give the error of an option that can't be read.

    Last in the row is Linux do_ip_getsockopt, or ipv6_getsockopt.
    """
    known = sock.v6 or level in (c.SOL_SOCKET, c.IPPROTO_IP, protocol)
    return ENOPROTOOPT if known else EOPNOTSUPP


# UDP has the options of every socket.


def set_udp_option(sock: "UdpSock", level: int, name: int, value: int | bytes) -> None:
    """Carry out setsockopt on a UDP socket."""
    key = (level, name)
    raw = struct.pack("=i", value) if isinstance(value, int) else bytes(value)
    set_struct = SET_STRUCT.get(key)
    if set_struct is not None:
        set_struct(sock, raw)
        return
    if key in NOT_SIMULATED:
        raise NotSimulatedError(f"setsockopt {NOT_SIMULATED[key]} is not simulated on UDP")
    if sock.v6 and key == (c.IPPROTO_IPV6, c.IPV6_RECVERR):
        own(sock).recverr = _number(level, name, raw) != 0
        sock.recverr_changed()
        return
    if level == c.IPPROTO_IPV6 and sock.v6:
        set_ipv6(sock, own(sock), name, raw)
        return
    _refuse_on_v6(sock, level, name)
    number = _number(level, name, raw)
    kept = KEPT.get(key)
    if level == c.IPPROTO_IP and name in IPV4:
        set_ipv4(sock, own(sock), name, number)
    elif kept is not None and key in _UDP_NUMBERS and isinstance(kept[0], Number):
        setattr(own(sock), kept[0].field, number)
    elif key == (c.IPPROTO_IP, c.IP_RECVERR):
        own(sock).recverr = number != 0
        sock.recverr_changed()
    elif kept is not None and level in _UDP_LEVELS and isinstance(kept[0], Flag):
        setattr(own(sock), kept[0].field, number != 0)
    elif key == (c.SOL_SOCKET, c.SO_RCVBUF):
        _set_udp_rcvbuf(sock, _at_most(sock, number, "net.core.rmem_max"))
    elif key == (c.SOL_SOCKET, c.SO_RCVBUFFORCE):
        _set_udp_rcvbuf(sock, number)
    elif key == (c.SOL_SOCKET, c.SO_SNDBUF):
        own(sock).sndbuf = _doubled(_at_most(sock, number, "net.core.wmem_max"), SNDBUF_MIN)
    elif key == (c.SOL_SOCKET, c.SO_SNDBUFFORCE):
        own(sock).sndbuf = _doubled(number, SNDBUF_MIN)
    else:
        raise fail(ENOPROTOOPT)


def _set_udp_rcvbuf(sock: "UdpSock", value: int) -> None:
    own(sock).rcvbuf = sock.end.rcvbuf = _doubled(value, RCVBUF_MIN)


def get_udp_option(sock: "UdpSock", level: int, name: int) -> bytes:
    """Carry out getsockopt on a UDP socket."""
    key = (level, name)
    if key in _UDP_STRUCT:
        return _UDP_STRUCT[key](sock, 0)
    if key in NOT_SIMULATED:
        raise NotSimulatedError(f"getsockopt {NOT_SIMULATED[key]} is not simulated on UDP")
    kept = KEPT.get(key)
    if key == (c.IPPROTO_IP, c.IP_RECVERR):
        return struct.pack("=i", int(sock.options.recverr and not sock.v6))
    if sock.v6 and key == (c.IPPROTO_IPV6, c.IPV6_RECVERR):
        return struct.pack("=i", int(sock.options.recverr))
    if level == c.IPPROTO_IP and name in IPV4:
        return struct.pack("=i", get_ipv4(sock, name))
    if kept is not None and key in _UDP_NUMBERS:
        return struct.pack("=i", int(getattr(sock.options, kept[0].field)))
    if kept is not None and level in _UDP_LEVELS and isinstance(kept[0], Flag):
        return struct.pack("=i", int(getattr(sock.options, kept[0].field)))
    if level == c.IPPROTO_IPV6 and sock.v6:
        return get_ipv6(sock, name)
    return struct.pack("=i", _get_udp_number(sock, level, name))


def _get_udp_number(sock: "UdpSock", level: int, name: int) -> int:
    if level != c.SOL_SOCKET:
        raise fail(_unknown(sock, level, c.IPPROTO_UDP))
    if name == c.SO_ERROR:
        return sock.take_error()
    if name == c.SO_RCVBUF:
        return sock.end.rcvbuf
    if name == c.SO_SNDBUF:
        return sock.options.sndbuf
    fixed = {
        c.SO_TYPE: c.SOCK_DGRAM,
        c.SO_PROTOCOL: c.IPPROTO_UDP,
        c.SO_DOMAIN: c.AF_INET6 if sock.v6 else c.AF_INET,
        c.SO_ACCEPTCONN: 0,
    }
    if name not in fixed:
        raise fail(ENOPROTOOPT)
    return fixed[name]


#: Whose flags a socket for datagrams has, too.
_UDP_NUMBERS: Final = ((c.SOL_SOCKET, c.SO_PRIORITY), (c.SOL_SOCKET, c.SO_MARK))
_UDP_LEVELS: Final = (c.SOL_SOCKET, c.IPPROTO_IP)
_UDP_STRUCT: Final[dict[tuple[int, int], "Callable[[TcpSock | UdpSock, int], bytes]"]] = {
    (c.SOL_SOCKET, c.SO_LINGER): _get_linger,
    (c.SOL_SOCKET, c.SO_RCVTIMEO): _get_rcvtimeo,
    (c.SOL_SOCKET, c.SO_SNDTIMEO): _get_sndtimeo,
}


def setsockopt(
    table: "FdTable", fd: int, level: int, name: int, value: int | bytes, now: int
) -> None:
    """Set an option; ``value`` is a number, or the octets of a structure.

    Raises OSError: EPERM without the privilege, EINVAL, ENOPROTOOPT.
    """
    file = table.socket(fd)
    if level == c.SOL_SOCKET and not table.privileged:
        _check_privilege(name, value)
    if (level, name) == (c.SOL_SOCKET, c.SO_BINDTODEVICE):
        raw = struct.pack("=i", value) if isinstance(value, int) else bytes(value)
        set_device(file, raw, privileged=table.privileged)
        return
    try:
        if isinstance(file, TcpSock):
            set_option(file, level, name, value, now)
        else:
            set_udp_option(file, level, name, value)
    finally:
        table.kernel.settle(now)


def _check_privilege(name: int, value: int | bytes) -> None:
    """Refuse what is the superuser's.

    Raises OSError EPERM. Linux sk_setsockopt: CAP_NET_ADMIN.
    """
    if name in (c.SO_RCVBUFFORCE, c.SO_SNDBUFFORCE, c.SO_MARK):
        raise fail(EPERM)
    if name == c.SO_PRIORITY:
        raw = struct.pack("=i", value) if isinstance(value, int) else value
        if not 0 <= _number(c.SOL_SOCKET, name, raw) <= _PRIORITY_MAX:
            raise fail(EPERM)


def getsockopt(
    table: "FdTable", fd: int, level: int, name: int, size: int, now: int
) -> int | bytes:
    """Return an option as a number (``size`` 0), or as the octets of a structure."""
    if not 0 <= size <= 1024:
        raise fail(EINVAL)
    file = table.socket(fd)
    if (level, name) == (c.SOL_SOCKET, c.SO_BINDTODEVICE):
        device = get_device(file, size or 4)
        return device if size else 0  # CPython asks for a number, of which nothing is written
    if isinstance(file, TcpSock):
        answer = get_option(file, level, name, now)
    else:
        answer = get_udp_option(file, level, name)
    if size:
        # IP gives an octet where there is no room for a number (Linux do_ip_getsockopt).
        return answer[: 1 if level == c.IPPROTO_IP and size < 4 else size]
    number: int = struct.unpack_from("=i", answer)[0]
    return number
