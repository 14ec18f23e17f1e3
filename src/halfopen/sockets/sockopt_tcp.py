"""The options of IPPROTO_TCP (Linux do_tcp_setsockopt, do_tcp_getsockopt)."""

import struct
from collections.abc import Callable
from errno import EINVAL, ENOENT, ENOPROTOOPT
from typing import Final

from halfopen.base.errors import NotSimulatedError
from halfopen.base.units import MS, S
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.info import tcp_info
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
from halfopen.tcp import acking, calls, timers
from halfopen.tcp.buffers import space_from_window
from halfopen.tcp.states import MAY_SEND, State
from halfopen.tcp.tcb import ACK_PUSHED, ACK_SCHED, MSS_DEFAULT
from halfopen.tcp.window import CLAMP_MIN, clamp_window

_INT_MAX: Final = (1 << 31) - 1
_UNSIGNED: Final = 0xFFFFFFFF
_FIN_TIMEOUT_MAX_S: Final = 120
#: Of a SYN,ACK, as TCP_DEFER_ACCEPT counts: an octet full, none longer than two minutes.
_TIMEOUTS_MAX: Final = 255
_TIMEOUT_MAX_S: Final = 120
_CA_NAME_MAX: Final = 16
_RENO: Final = b"reno"
#: Other algorithms that Linux has (its modules tcp_*.c).
_OTHERS: Final = frozenset(
    {
        *(b"bbr", b"bic", b"cdg", b"cubic", b"dctcp", b"highspeed", b"htcp", b"hybla"),
        *(b"illinois", b"lp", b"nv", b"scalable", b"vegas", b"veno", b"westwood", b"yeah"),
    }
)

_KEPT: Final[dict[int, Row]] = {
    c.TCP_NODELAY: Flag("nodelay"),
    c.TCP_CORK: Flag("cork"),
    c.TCP_KEEPIDLE: Number("keepidle_ns", "keepidle_ns", low=1, high=32767, unit=S),
    c.TCP_KEEPINTVL: Number("keepintvl_ns", "keepintvl_ns", low=1, high=32767, unit=S),
    c.TCP_KEEPCNT: Number("keepcnt", "keepcnt", low=1, high=127),
    c.TCP_USER_TIMEOUT: Number("user_timeout_ns", "user_timeout_ns", low=0, high=_INT_MAX, unit=MS),
}
#: What Linux 6.18 has beside ours.
NOT_SIMULATED: Final = named(
    "TCP_",
    "MD5SIG 14 THIN_LINEAR_TIMEOUTS 16 THIN_DUPACK 17 REPAIR 19 REPAIR_QUEUE 20 QUEUE_SEQ 21 "
    "REPAIR_OPTIONS 22 FASTOPEN 23 TIMESTAMP 24 CC_INFO 26 SAVE_SYN 27 SAVED_SYN 28 "
    "REPAIR_WINDOW 29 FASTOPEN_CONNECT 30 ULP 31 MD5SIG_EXT 32 FASTOPEN_KEY 33 "
    "FASTOPEN_NO_COOKIE 34 ZEROCOPY_RECEIVE 35 INQ 36 TX_DELAY 37 RTO_MAX_MS 44 "
    "RTO_MIN_US 45 DELACK_MAX_US 46",
)


# What happens beside keeping the value.


def keepalive_changed(sock: TcpSock, now: int) -> None:
    """Start or stop the heartbeat (Linux tcp_set_keepalive)."""
    tcb = sock.tcb
    if tcb is None or sock.sk_state is State.CLOSED:
        return
    if not tcb.keepalive:
        tcb.keepalive_at = None
    elif tcb.keepalive_at is None:
        timers.set_keepalive(tcb, tcb.keepidle_ns, now)


def _keepidle_changed(sock: TcpSock, now: int) -> None:
    """Count the idle time again from the last sign of life (Linux tcp_sock_set_keepidle_locked)."""
    tcb = sock.tcb
    if tcb is None or sock.sk_state is State.CLOSED or not tcb.keepalive:
        return
    idle = now - max(tcb.rcv_data_at, tcb.rcv_ack_at)
    timers.set_keepalive(tcb, max(tcb.keepidle_ns - idle, 0), now)


def _cork_changed(sock: TcpSock, now: int) -> None:
    if sock.tcb is not None:
        calls.set_cork(sock.tcb, now, on=sock.options.cork)


def _nodelay_changed(sock: TcpSock, now: int) -> None:
    if sock.tcb is not None:
        calls.set_nodelay(sock.tcb, now, on=sock.options.nodelay)


#: What is called once such an option is kept.
_CHANGED: Final[dict[int, Callable[[TcpSock, int], None]]] = {
    c.TCP_NODELAY: _nodelay_changed,
    c.TCP_CORK: _cork_changed,
    c.TCP_KEEPIDLE: _keepidle_changed,
}


# Options that are more than a field.


def set_rcvlowat(sock: TcpSock, value: int) -> None:
    """Keep it below half of the largest buffer, which grows with it (Linux tcp_set_rcvlowat)."""
    options = own(sock)
    tcb = sock.tcb
    most = options.rcvbuf if options.rcvbuf_locked else sock.kernel.config.rmem_max
    least = min(value, most >> 1)
    options.rcvlowat = least or 1
    if tcb is not None:
        tcb.rcvlowat = options.rcvlowat
    sock.read_wait.wake()
    if options.rcvbuf_locked:
        return
    if tcb is None:
        options.rcvbuf = max(options.rcvbuf, 2 * least)
    elif space_from_window(tcb, least) > tcb.rcvbuf:
        tcb.rcvbuf = space_from_window(tcb, least)
        tcb.window_clamp = max(tcb.window_clamp, least)


def _set_notsent_lowat(sock: TcpSock, value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """So little must be unsent for more to be taken; 0: tcp_notsent_lowat says how little."""
    options = own(sock)
    options.notsent_lowat = value & _UNSIGNED
    if sock.tcb is not None:
        sock.tcb.notsent_lowat = options.notsent_lowat or sock.kernel.config.notsent_lowat
        sock.write_wait.wake()


def _set_window_clamp(sock: TcpSock, value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Bound the window that is offered; 0, of a closed socket only: not at all."""
    tcb = sock.tcb
    closed = sock.sk_state is State.CLOSED
    if not value and not closed:
        raise fail(EINVAL)
    if tcb is None or closed:
        own(sock).window_clamp = max(value, CLAMP_MIN) if value else 0
    else:
        clamp_window(tcb, value)


def _set_maxseg(sock: TcpSock, value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Linux TCP_MIN_MSS, MAX_TCP_WINDOW; it takes effect in the handshake."""
    if value and not 88 <= value <= 32767:
        raise fail(EINVAL)
    own(sock).maxseg = value
    if sock.tcb is not None:
        sock.tcb.user_mss = value


def _set_linger2(sock: TcpSock, value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    options = own(sock)
    if value < 0:
        options.linger2_ns = -1
    elif value == 0:
        options.linger2_ns = sock.kernel.config.fin_timeout_ns
    else:
        options.linger2_ns = min(value, _FIN_TIMEOUT_MAX_S) * S
    if sock.tcb is not None:
        sock.tcb.linger2_ns = options.linger2_ns


def _set_syncnt(sock: TcpSock, value: int, now: int) -> None:  # noqa: ARG001  a row of the table
    """Linux tcp_sock_set_syncnt; a listener's SYN,ACKs obey it, too (reqsk_timer_handler)."""
    if not 1 <= value <= 127:
        raise fail(EINVAL)
    own(sock).syncnt = value
    if sock.tcb is not None:
        sock.tcb.syn_retries = value
    if sock.listening is not None:
        sock.listening.syn_retries = value


def _get_syncnt(sock: TcpSock) -> int:
    return sock.options.syncnt or sock.kernel.config.syn_retries


def _set_defer_accept(sock: TcpSock, value: int, now: int) -> None:  # noqa: ARG001  a row of the table
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


def _get_defer_accept(sock: TcpSock) -> int:
    """Tell how long that is (Linux retrans_to_secs)."""
    return sum(min(1 << number, _TIMEOUT_MAX_S) for number in range(sock.options.defer_accept))


def _set_quickack(sock: TcpSock, value: int, now: int) -> None:
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


def _get_quickack(sock: TcpSock) -> int:
    if sock.tcb is None:
        return int(sock.options.quickack)
    return int(not acking.in_pingpong(sock.tcb))


def _get_maxseg(sock: TcpSock) -> int:
    if sock.tcb is None or sock.sk_state is State.CLOSED:
        return sock.options.maxseg or MSS_DEFAULT
    return sock.tcb.mss


def _get_linger2(sock: TcpSock) -> int:
    """Answer in whole seconds; -1 where no close waits for the peer's FIN."""
    linger2_ns = sock.options.linger2_ns
    return -1 if linger2_ns < 0 else linger2_ns // S


def _get_notsent_lowat(sock: TcpSock) -> int:
    return _signed(sock.options.notsent_lowat)


def _get_window_clamp(sock: TcpSock) -> int:
    if sock.tcb is None or sock.sk_state is State.CLOSED:
        return sock.options.window_clamp
    return sock.tcb.window_clamp


def _signed(number: int) -> int:
    return number - (number >> 31 << 32)


def _set_congestion(value: bytes) -> None:
    """Choose by name; Reno alone is simulated."""
    if not value:
        raise fail(EINVAL)
    name = value[: _CA_NAME_MAX - 1].split(b"\0")[0]
    if name in _OTHERS:
        raise NotSimulatedError(f"TCP_CONGESTION {name.decode()} is not simulated, only reno is")
    if name != _RENO:
        raise fail(ENOENT)


#: Options with a function of their own; what can only be read is ENOPROTOOPT to set.
_SET: Final[dict[int, Callable[[TcpSock, int, int], None]]] = {
    c.TCP_MAXSEG: _set_maxseg,
    c.TCP_NOTSENT_LOWAT: _set_notsent_lowat,
    c.TCP_WINDOW_CLAMP: _set_window_clamp,
    c.TCP_SYNCNT: _set_syncnt,
    c.TCP_LINGER2: _set_linger2,
    c.TCP_DEFER_ACCEPT: _set_defer_accept,
    c.TCP_QUICKACK: _set_quickack,
}
_GET: Final[dict[int, Callable[[TcpSock], int]]] = {
    c.TCP_MAXSEG: _get_maxseg,
    c.TCP_NOTSENT_LOWAT: _get_notsent_lowat,
    c.TCP_WINDOW_CLAMP: _get_window_clamp,
    c.TCP_SYNCNT: _get_syncnt,
    c.TCP_LINGER2: _get_linger2,
    c.TCP_DEFER_ACCEPT: _get_defer_accept,
    c.TCP_QUICKACK: _get_quickack,
}


def set_tcp(sock: TcpSock, name: int, value: bytes, now: int) -> None:
    """Set an option of IPPROTO_TCP. Raises OSError: EINVAL, ENOENT, ENOPROTOOPT."""
    if name == c.TCP_CONGESTION:
        _set_congestion(value)
        return
    refuse_gap(NOT_SIMULATED, name)
    number = to_number(value)
    row = _KEPT.get(name)
    if row is not None:
        keep(sock, row, number)
        changed = _CHANGED.get(name)
        if changed is not None:
            changed(sock, now)
        return
    set_number = _SET.get(name)
    if set_number is None:
        raise fail(ENOPROTOOPT)
    set_number(sock, number, now)


def get_tcp(sock: TcpSock, name: int, now: int) -> bytes:
    """Return an option of IPPROTO_TCP. Raises OSError ENOPROTOOPT."""
    if name == c.TCP_CONGESTION:
        return _RENO.ljust(_CA_NAME_MAX, b"\0")
    if name == c.TCP_INFO:
        return tcp_info(sock, now)
    row = _KEPT.get(name)
    if row is not None:
        return struct.pack("=i", kept(sock, row))
    refuse_gap(NOT_SIMULATED, name)
    get_number = _GET.get(name)
    if get_number is None:
        raise fail(ENOPROTOOPT)
    return struct.pack("=i", get_number(sock))
