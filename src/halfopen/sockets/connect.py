"""socket, bind, connect, and the names of a socket."""

import errno
from typing import Final

from halfopen.base.errors import NotSimulatedError
from halfopen.base.units import MS
from halfopen.net.demux import TWINS, arriving
from halfopen.net.interfaces import LOOPBACK, LOOPBACK_ZONE
from halfopen.net.sysctl import integer
from halfopen.sockets import constants as c
from halfopen.sockets.errors import fail
from halfopen.sockets.limits import expired, time_limit
from halfopen.sockets.names import (
    Address,
    bind_zone,
    check_source,
    destination,
    host_in,
    is_any,
    needs_zone,
    show,
    source_address,
    source_to,
)
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
from halfopen.sockets.waiting import Blocked, Wait
from halfopen.tcp import calls
from halfopen.tcp.states import CONNECTING, State
from halfopen.tcp.tcb import Tcb, send_as_ipv4
from halfopen.wire.address import (
    ANY,
    LOOPBACK4_IPV6,
    LOOPBACK6,
    bare,
    is_loopback,
    is_multicast,
    is_v6,
)
from halfopen.wire.tcp import Flow

_KIND_MASK: Final = 0xF


def socket(table: FdTable, family: int, kind: int, proto: int, now: int) -> int:  # noqa: ARG001  as every call
    """Make a socket and return its descriptor.

    Raises OSError: EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE (Linux
    inet_create, inet6_create).
    """
    if family == c.AF_UNIX:
        raise NotSimulatedError("AF_UNIX sockets are not simulated; AF_INET and AF_INET6 are")
    if family not in (c.AF_INET, c.AF_INET6):
        raise fail(errno.EAFNOSUPPORT)
    v6 = family == c.AF_INET6
    if kind & ~_KIND_MASK & ~(c.SOCK_NONBLOCK | c.SOCK_CLOEXEC):
        raise fail(errno.EINVAL)
    kernel = table.kernel
    file: TcpSock | UdpSock
    if kind & _KIND_MASK == c.SOCK_STREAM:
        if proto not in (0, c.IPPROTO_TCP):
            raise fail(errno.EPROTONOSUPPORT)
        file = TcpSock(kernel, Options(kernel.config), v6=v6)
    elif kind & _KIND_MASK == c.SOCK_DGRAM:
        if proto not in (0, c.IPPROTO_UDP):
            raise fail(errno.EPROTONOSUPPORT)
        file = UdpSock(kernel, Options(kernel.config), v6=v6)
    else:
        raise fail(errno.ESOCKTNOSUPPORT)
    file.nonblock = bool(kind & c.SOCK_NONBLOCK)
    return table.install(file)


def bind(table: FdTable, fd: int, address: Address, now: int) -> None:  # noqa: ARG001  as every call
    """Give a socket its own address and port; port 0: the kernel picks one.

    It does so at once, or with IP_BIND_ADDRESS_NO_PORT where the port is needed first.

    Raises OSError: EADDRNOTAVAIL for an address that is not the host's, EADDRINUSE, EACCES for a
    port that is the superuser's, EINVAL where it has a port already, or where an IPv6 address does
    not go with the socket. Linux __inet_bind, __inet6_bind.
    """
    file = table.socket(fd)
    host, port = host_in(file.v6, address, errno.EINVAL), address[1]
    v6only = file.v6only
    if file.v6:
        if is_multicast(host) and is_v6(host) and not file.is_datagram:
            raise fail(errno.EINVAL)
        check_port(table, port)
        if file.num:
            raise fail(errno.EINVAL)
        if not is_v6(host) and v6only:
            raise fail(errno.EINVAL)
        host = bind_zone(file, host, address, again=True)
        # Who is bound to an address of one family has nothing of the other.
        v6only = v6only or (is_v6(host) and not is_any(host))
    if not may_bind(file, host):
        raise fail(errno.EADDRNOTAVAIL)
    if not file.v6:  # whose check comes earlier
        check_port(table, port)
    if isinstance(file, UdpSock):
        file.bind(host, port, v6only=v6only)
        return
    if file.sk_state is not State.CLOSED or file.num:
        raise fail(errno.EINVAL)
    before = file.v6only
    file.address, file.v6only = host, v6only
    if (port or not file.options.bind_address_no_port) and not file.kernel.ports.get(file, port):
        file.address, file.v6only = file.wildcard, before
        file.bound6 = False
        raise fail(errno.EADDRINUSE)
    file.address_locked = file.address_locked or host != file.wildcard
    file.port_locked = file.port_locked or port != 0
    file.sport = file.num
    file.peer = None
    file.peer4 = ANY
    file.bound6 = is_v6(host) and not is_any(host)


def check_port(table: FdTable, port: int) -> None:
    """Refuse a low port to who is not the superuser (Linux inet_port_requires_bind_service)."""
    if port and not table.privileged:
        start = integer(table.kernel.sysctl, "net.ipv4.ip_unprivileged_port_start")
        if port < start:
            raise fail(errno.EACCES)


def may_bind(file: TcpSock | UdpSock, host: str) -> bool:
    """Whether the address is the host's own, stands for all, or may be another's.

    ``::1`` is not for a socket that is tied to another interface. Linux
    inet_addr_valid_or_nonlocal, ipv6_can_nonlocal_bind, ipv6_chk_addr.
    """
    kernel = file.kernel
    routes = kernel.ip.routes
    family = "ipv6" if is_v6(host) else "ipv4"
    return (
        is_any(host)
        or (routes.is_local(host) and (host != LOOPBACK6 or file.bound_if in (0, LOOPBACK_ZONE)))
        or is_multicast(host)
        or routes.is_broadcast(host)
        or file.options.freebind
        or bool(integer(kernel.sysctl, f"net.{family}.ip_nonlocal_bind"))
    )


def connect(table: FdTable, fd: int, address: Address, wait: Wait, now: int) -> Blocked | None:
    """Open a connection (Linux __inet_stream_connect).

    Raises OSError: what ended the attempt, once; ECONNABORTED where it was told already, and EPIPE
    to others who wait for it; EISCONN, EALREADY, EINPROGRESS; ENETUNREACH, EADDRNOTAVAIL.
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
    elif sock.was_disconnected(wait):
        raise fail(errno.EPIPE)
    if sock.sk_state in CONNECTING:
        patience = sock.options.sndtimeo_ns
        limit = time_limit(sock.kernel, wait, patience, now, at_once=sock.nonblock)
        if expired(limit, now):
            raise fail(wait.error)
        wait.disconnects = sock.disconnects
        return Blocked((sock.read_wait, sock.write_wait), limit, "the handshake")
    if sock.sk_state is State.CLOSED:
        error = sock.take_error() or errno.ECONNABORTED
        sock.ss = SS_UNCONNECTED
        sock.disconnects += 1
        if sock.tcb is not None:  # else another thread's shutdown has done so
            sock.disconnect(now)
        raise fail(error)
    sock.ss = SS_CONNECTED
    return None


def disconnect(table: FdTable, fd: int, now: int) -> None:
    """Dissolve what connect or listen began: connect with AF_UNSPEC.

    Linux __inet_stream_connect, inet_dgram_connect.
    """
    sock = table.socket(fd)
    if isinstance(sock, UdpSock):
        sock.disconnect()
        return
    sock.disconnects += 1
    sock.disconnect(now)
    sock.ss = SS_UNCONNECTED
    table.kernel.settle(now)


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
    """Find the way, the source address and the port; then OPEN.

    Linux tcp_v4_connect, tcp_v6_connect.
    """
    kernel = sock.kernel
    host, dport = host_in(sock.v6, address, errno.EINVAL), address[1]
    host = destination(sock, host)
    if not is_v6(host):
        sock.mapped = False  # until there is a connection of IPv4
    routes = kernel.ip.routes
    own = source_address(sock, host)
    if is_multicast(host) or routes.is_broadcast(host):
        raise fail(errno.ENETUNREACH)
    host = bind_zone(sock, host, address)
    way = kernel.way_of(sock.bound_if, host)
    if way is None:
        raise fail(kernel.no_way(sock.bound_if, sock.address, host))
    check_source(sock, host)
    source = source_to(own, way)
    flow = _hash_connect(sock, source, host, dport, now)
    if flow is None:
        _give_up(sock, source)
        raise fail(errno.EADDRNOTAVAIL)
    sent_as: Flow | None = None
    if sock.mapped:
        sent_as = _as_ipv4(sock, flow)
        # To itself it goes by the loopback, whatever it is tied to.
        way4 = kernel.way_of(0 if sock.peer4 == ANY else sock.bound_if, sent_as[2])
        leaves = way4 is not None and way4.interface.index != LOOPBACK
        if way4 is None or (leaves and is_loopback(sent_as[0])):
            _give_up(sock, source)
            sock.error_soft = errno.ENETUNREACH if way4 is None else errno.EINVAL
            raise fail(errno.EHOSTUNREACH)
        way = way4
    if sock.v6 and not is_v6(host):
        sock.mapped, sock.peer4 = True, host
    sock.address = source
    sock.sport = sock.num
    sock.peer = (host, dport)
    sock.error = 0
    old = kernel.ip.demux.flows.get(arriving(flow))
    iss = None if old is None else kernel.ip.make_way(old, now)
    tcb = kernel.new_tcb(flow, way.interface.mtu, now, iss=iss)
    if old is not None:  # what it knew of the peer's clock tells old segments from new ones
        tcb.ts_recent, tcb.ts_recent_at = old.ts_recent, old.ts_recent_at
    if sent_as is not None:
        kernel.ip.demux.astray[flow] = sent_as
        send_as_ipv4(tcb, way.interface.mtu)
    tcb.user = sock
    tcb.bound_if = sock.bound_if
    # Who shut down a way before there was one has it shut (Linux inet_shutdown).
    tcb.rcv_shutdown = bool(sock.shut & c.RCV_SHUTDOWN)
    tcb.snd_shutdown = bool(sock.shut & c.SEND_SHUTDOWN)
    tcb.errors = sock.errors
    sock.inherit(tcb)
    sock.tcb = tcb
    kernel.ip.demux.add(tcb)
    calls.open_active(tcb, now)


def _as_ipv4(sock: TcpSock, flow: Flow) -> Flow:
    """Return as what of IPv4 a socket sends IPv6 that has had a connection of IPv4.

    From no address or, bound to one of IPv6, from what stands for that; to the peer that it had, or
    where bind forgot that, to itself (Linux tcp_v6_connect leaves ipv6_mapped and inet_daddr;
    inet_sk_rebuild_header, ip_route_output_key_hash_rcu).
    """
    source = LOOPBACK4_IPV6 if sock.bound6 else ANY
    there = sock.peer4
    if there == ANY:
        there = sock.kernel.ip.routes.oneself(sock.bound_if) if source == ANY else source
    return (source, flow[1], there, flow[3])


def _give_up(sock: TcpSock, source: str) -> None:
    """Leave the port, which still shows, unless the user bound it; and the address likewise.

    Linux tcp_set_state, inet_bhash2_reset_saddr.
    """
    if sock.address_locked:
        sock.address = source
    sock.sport = sock.num or sock.sport
    if not sock.port_locked:
        sock.kernel.ports.release(sock)


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
    if old.bound_if not in (0, sock.bound_if):  # Linux inet_match: it has none of the other's
        raise NotSimulatedError(TWINS)
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
    """Return a socket's own address; 0.0.0.0 (or ::) and 0 where it has none yet."""
    file = table.socket(fd)
    host = file.address
    if is_v6(host) and needs_zone(host):  # a group has no zone of its own
        return (bare(host), file.sport, 0, file.bound_if)
    return show(file.v6, host, file.sport)


def getpeername(table: FdTable, fd: int) -> Address:
    """Return the peer's address.

    Raises OSError ENOTCONN before the handshake is over, and after the end (Linux inet_getname).
    """
    file = table.socket(fd)
    if isinstance(file, TcpSock) and file.sk_state in (State.CLOSED, State.SYN_SENT):
        raise fail(errno.ENOTCONN)
    if file.peer is None or not file.peer[1]:
        raise fail(errno.ENOTCONN)
    host, port = file.peer
    return show(file.v6, host, port)


def setblocking(table: FdTable, fd: int, flag: bool) -> None:
    """Set or clear O_NONBLOCK; it belongs to the socket, not to the descriptor."""
    table.get(fd).nonblock = not flag


def getblocking(table: FdTable, fd: int) -> bool:
    """Whether calls on it wait."""
    return not table.get(fd).nonblock
