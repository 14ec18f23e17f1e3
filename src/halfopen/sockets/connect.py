"""socket, bind, connect, and the names of a socket."""

import errno
from typing import Final, TypeAlias

from halfopen.base.units import MS
from halfopen.net.demux import arriving
from halfopen.net.sysctl import integer
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.limits import expired, time_limit
from halfopen.sockets.options import Options
from halfopen.sockets.sock import (
    SS_CONNECTED,
    SS_CONNECTING,
    SS_DISCONNECTING,
    SS_UNCONNECTED,
    TcpSock,
)
from halfopen.sockets.table import FdTable
from halfopen.sockets.udp import UdpSock
from halfopen.sockets.waiting import Blocked, NotSimulatedError, Wait
from halfopen.tcp import calls
from halfopen.tcp.states import CONNECTING, State
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import ANY, LOOPBACK, is_loopback, is_multicast
from halfopen.wire.tcp import Flow

Address: TypeAlias = tuple[str, int]

_KIND_MASK: Final = 0xF


def socket(table: FdTable, family: int, kind: int, proto: int, now: int) -> int:  # noqa: ARG001  as every call
    """Make a socket and return its descriptor.

    Raises OSError: EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE (Linux
    inet_create).
    """
    if family in (c.AF_UNIX, c.AF_INET6):
        name = "AF_UNIX" if family == c.AF_UNIX else "AF_INET6"
        raise NotSimulatedError(f"{name} sockets are not simulated; AF_INET sockets are")
    if family != c.AF_INET:
        raise fail(errno.EAFNOSUPPORT)
    if kind & ~_KIND_MASK & ~(c.SOCK_NONBLOCK | c.SOCK_CLOEXEC):
        raise fail(errno.EINVAL)
    kernel = table.kernel
    file: TcpSock | UdpSock
    if kind & _KIND_MASK == c.SOCK_STREAM:
        if proto not in (0, c.IPPROTO_TCP):
            raise fail(errno.EPROTONOSUPPORT)
        file = TcpSock(kernel, Options(kernel.config))
    elif kind & _KIND_MASK == c.SOCK_DGRAM:
        if proto not in (0, c.IPPROTO_UDP):
            raise fail(errno.EPROTONOSUPPORT)
        file = UdpSock(kernel, Options(kernel.config))
    else:
        raise fail(errno.ESOCKTNOSUPPORT)
    file.nonblock = bool(kind & c.SOCK_NONBLOCK)
    return table.install(file)


def bind(table: FdTable, fd: int, address: Address, now: int) -> None:  # noqa: ARG001  as every call
    """Give a socket its own address and port; port 0: the kernel picks one.

    Raises OSError: EADDRNOTAVAIL for an address that is not the host's, EADDRINUSE, EINVAL where it
    has a port already. The program is the superuser's: ports below 1024 are open to it.
    """
    file = table.socket(fd)
    host, port = address
    if not may_bind(file, host):
        raise fail(errno.EADDRNOTAVAIL)
    if isinstance(file, UdpSock):
        file.bind(host, port)
        return
    if file.sk_state is not State.CLOSED or file.num:
        raise fail(errno.EINVAL)
    file.address = host
    if not get_port(file, port):
        file.address = ANY
        raise fail(errno.EADDRINUSE)
    file.address_locked = host != ANY
    file.port_locked = port != 0
    file.sport = file.num
    file.peer = None


def may_bind(file: TcpSock | UdpSock, host: str) -> bool:
    """Whether the address is the host's own, or stands for all.

    Linux inet_addr_valid_or_nonlocal.
    """
    kernel = file.kernel
    routes = kernel.ip.routes
    return (
        host == ANY
        or routes.is_local(host)
        or is_multicast(host)
        or routes.is_broadcast(host)
        or bool(integer(kernel.sysctl, "net.ipv4.ip_nonlocal_bind"))
    )


def get_port(sock: TcpSock, port: int) -> bool:
    """Hold a port, or one that the kernel picks; False: EADDRINUSE (Linux inet_csk_get_port)."""
    ports = sock.kernel.ports
    if sock.num and sock.num == port:  # listen looks again at the port that it holds
        return not ports.conflict(sock, port, picked=False)
    if port:
        if ports.conflict(sock, port, picked=False):
            return False
    else:
        port = ports.pick(sock)
        if not port:
            return False
    ports.hold(sock, port)
    return True


def connect(table: FdTable, fd: int, address: Address, wait: Wait, now: int) -> Blocked | None:
    """Open a connection (Linux __inet_stream_connect).

    Raises OSError: what ended the attempt, once; ECONNABORTED where it was told already; EISCONN,
    EALREADY, EINPROGRESS; ENETUNREACH, EADDRNOTAVAIL.
    """
    file = table.entered(fd, wait)
    if isinstance(file, UdpSock):
        file.connect(address)
        return None
    blocked: Blocked | None = None
    try:
        blocked = _connect(file, address, wait, now)
        return blocked
    finally:
        table.left(file, wait, now, blocked=blocked is not None)


def _connect(sock: TcpSock, address: Address, wait: Wait, now: int) -> Blocked | None:
    if wait.holder is None:
        wait.error = _begin(sock, address, now)
    if sock.sk_state in CONNECTING:
        limit = time_limit(sock.kernel, wait, sock.options.sndtimeo_ns, now)
        if sock.nonblock or expired(limit, now):
            raise fail(wait.error)
        return Blocked((sock.read_wait, sock.write_wait), limit, "the handshake")
    if sock.sk_state is State.CLOSED:
        error = sock.take_error() or errno.ECONNABORTED
        sock.ss = SS_UNCONNECTED
        if sock.tcb is not None:  # else another thread's shutdown has done so
            sock.disconnect(now)
        raise fail(error)
    sock.ss = SS_CONNECTED
    return None


def _begin(sock: TcpSock, address: Address, now: int) -> int:
    """Send the SYN, unless it is on its way; return what a caller is told who won't wait."""
    if sock.ss == SS_CONNECTING:
        return errno.EALREADY
    if sock.ss == SS_DISCONNECTING:
        raise fail(errno.EINVAL)
    if sock.ss == SS_CONNECTED or sock.sk_state is not State.CLOSED:
        raise fail(errno.EISCONN)
    _tcp_connect(sock, address, now)
    sock.ss = SS_CONNECTING
    return errno.EINPROGRESS


def _tcp_connect(sock: TcpSock, address: Address, now: int) -> None:
    """Find the way, the source address and the port; then OPEN (Linux tcp_v4_connect)."""
    kernel = sock.kernel
    host, dport = address
    if host == ANY:
        host = LOOPBACK if sock.address == ANY else sock.address
    routes = kernel.ip.routes
    way = kernel.ip.way(host)
    if way is None or is_multicast(host) or routes.is_broadcast(host):
        raise fail(errno.ENETUNREACH)
    source = sock.address if sock.address != ANY else way.source
    if is_loopback(source) and not routes.is_local(host):
        raise fail(errno.EINVAL)  # Linux ip_route_output_key_hash: such a packet must not leave
    flow = _hash_connect(sock, source, host, dport, now)
    if flow is None:
        raise fail(errno.EADDRNOTAVAIL)
    sock.address = source
    sock.sport = sock.num
    sock.peer = (host, dport)
    sock.error = 0
    sock.shut = 0
    old = kernel.ip.demux.flows.get(arriving(flow))
    iss = None if old is None else kernel.ip.make_way(old, now)
    tcb = kernel.new_tcb(flow, way.interface.mtu, now, iss=iss)
    if old is not None:  # what it knew of the peer's clock tells old segments from new ones
        tcb.ts_recent, tcb.ts_recent_at = old.ts_recent, old.ts_recent_at
    tcb.user = sock
    tcb.errors = sock.errors
    sock.options.apply(tcb)
    sock.tcb = tcb
    kernel.ip.demux.add(tcb)
    calls.open_active(tcb, now)


def _hash_connect(sock: TcpSock, source: str, host: str, dport: int, now: int) -> Flow | None:
    """Find a port so that the flow is the host's only one (Linux __inet_hash_connect)."""
    ports = sock.kernel.ports
    if sock.num:
        flow = (source, sock.num, host, dport)
        return flow if _unique(sock, flow, now, picked=False) else None
    candidates = ports.ephemeral(source, host, dport)
    while port := candidates.next():
        flow = (source, port, host, dport)
        if ports.shareable(port) and _unique(sock, flow, now, picked=True):
            candidates.chosen()
            ports.hold(sock, port)
            sock.connect_bound = True
            return flow
    return None


def _unique(sock: TcpSock, flow: Flow, now: int, *, picked: bool) -> bool:
    """Whether a flow is free, or held by a TIME-WAIT that may be taken over.

    Linux tcp_twsk_unique: with timestamps the old one's segments can be told from the new one's. A
    port that the user bound is taken over at once; one that the kernel picks under tcp_tw_reuse
    only (2: on the loopback), and after tcp_tw_reuse_delay.
    """
    old = sock.kernel.ip.demux.flows.get(arriving(flow))
    if old is None:
        return True
    if old.state is not State.TIME_WAIT or old.ts_recent_at is None:
        return False
    return not picked or _reusable(sock, old, now)


def _reusable(sock: TcpSock, old: Tcb, now: int) -> bool:
    sysctl = sock.kernel.sysctl
    since = old.time_wait_at
    if now <= since + integer(sysctl, "net.ipv4.tcp_tw_reuse_delay") * MS:
        return False
    reuse = integer(sysctl, "net.ipv4.tcp_tw_reuse")
    source, _, host, _ = old.flow
    return reuse == 1 or (reuse == 2 and (is_loopback(source) or is_loopback(host)))


def getsockname(table: FdTable, fd: int) -> Address:
    """Return a socket's own address; 0.0.0.0 and 0 where it has none yet."""
    file = table.socket(fd)
    return (file.address, file.sport)


def getpeername(table: FdTable, fd: int) -> Address:
    """Return the peer's address.

    Raises OSError ENOTCONN before the handshake is over, and after the end (Linux inet_getname).
    """
    file = table.socket(fd)
    if isinstance(file, TcpSock) and file.sk_state in (State.CLOSED, State.SYN_SENT):
        raise fail(errno.ENOTCONN)
    if file.peer is None or not file.peer[1]:
        raise fail(errno.ENOTCONN)
    return file.peer


def setblocking(table: FdTable, fd: int, flag: bool) -> None:
    """Set or clear O_NONBLOCK; it belongs to the socket, not to the descriptor."""
    table.get(fd).nonblock = not flag


def getblocking(table: FdTable, fd: int) -> bool:
    """Whether calls on it wait."""
    return not table.get(fd).nonblock
