"""A UDP socket (Linux struct udp_sock).

Datagrams out and in, whole or cut off, never waited for.
"""

import errno
from typing import TYPE_CHECKING

from halfopen.base.errors import NotSimulatedError
from halfopen.net.sysctl import integer
from halfopen.net.udp import UdpEnd
from halfopen.sockets import constants as c
from halfopen.sockets.epoll import Interest, forget_all
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
    rezoned,
    show,
    source_address,
    source_to,
    zone_in,
)
from halfopen.sockets.options import HOPS_DEFAULT, Options
from halfopen.sockets.ports import same_address, same_device
from halfopen.sockets.waiting import Blocked, Wait, WaitQueue
from halfopen.tcp import errqueue
from halfopen.tcp.errqueue import Report, next_error
from halfopen.wire.address import ANY, ANY6, is_link_local, is_multicast, is_v6, zoned
from halfopen.wire.ip import PROTO_UDP, Packet
from halfopen.wire.udp import DATA6_MAX, DATA_MAX, Datagram

if TYPE_CHECKING:
    from halfopen.sockets.kernel import Kernel


class UdpSock:
    """A UDP socket. It sends at once, and holds what has come until it is read."""

    is_datagram = True

    def __init__(self, kernel: "Kernel", options: Options, *, v6: bool = False) -> None:
        self.v6 = v6
        self.kernel = kernel
        self.options = options
        options.rcvbuf = integer(kernel.sysctl, "net.core.rmem_default")
        options.sndbuf = integer(kernel.sysctl, "net.core.wmem_default")
        self.end = UdpEnd(options.rcvbuf)
        self.end.user = self
        self.end.v6 = v6
        self.end.v6only = v6 and bool(integer(kernel.sysctl, "net.ipv6.bindv6only"))
        self.end.address = self.wildcard
        self.address_locked = False  # by bind: SOCK_BINDADDR_LOCK
        self.port_locked = False  # by bind: SOCK_BINDPORT_LOCK
        self.nonblock = False
        self.descriptors = 0
        self.calls = 0
        self.shut = 0
        self.corked: bytes | None = None  # of a datagram that goes on (MSG_MORE)
        self.cork_there: tuple[str, int] = (ANY, 0)
        self.watchers: list[Interest] = []
        self.read_wait = WaitQueue()
        self.write_wait = WaitQueue()

    @property
    def wildcard(self) -> str:
        """The address of a socket that is bound to none."""
        return ANY6 if self.v6 else ANY

    @property
    def v6only(self) -> bool:
        """Whether it has nothing of IPv4."""
        return self.end.v6only

    @v6only.setter
    def v6only(self, setting: bool) -> None:
        self.end.v6only = setting

    @property
    def bound_if(self) -> int:
        """The interface that it is tied to (Linux sk_bound_dev_if); 0: none."""
        return self.end.bound_if

    @bound_if.setter
    def bound_if(self, zone: int) -> None:
        self.end.bound_if = zone

    def tie(self, zone: int) -> None:
        """Be tied to an interface, by its number; 0: to none (Linux sock_bindtoindex_locked)."""
        self.bound_if = zone
        self.end.address = rezoned(self.end.address, zone)

    @property
    def num(self) -> int:
        """The port that it holds."""
        return self.end.port

    def remark(self) -> None:
        """Nothing is to be told: each datagram asks the options."""

    @property
    def address(self) -> str:
        """Its own address; 0.0.0.0 or :: where it takes what comes to any."""
        return self.end.address

    @property
    def sport(self) -> int:
        """Its own port; 0 where it has none yet."""
        return self.end.port

    @property
    def peer(self) -> tuple[str, int] | None:
        """Whom it is connected to."""
        return self.end.peer

    def take_error(self) -> int:
        """Return the error that waits and clear it."""
        end = self.end
        error, end.so_error = end.so_error, 0
        return error

    def take_report(self) -> Report | None:
        """Take the oldest of the error queue (Linux sock_dequeue_err_skb)."""
        end = self.end
        if not end.errors:
            return None
        report = end.errors.pop(0)
        end.rmem -= report.cost
        end.so_error = next_error(report, end.errors, end.so_error)
        if end.errors:
            self.read_wait.wake()
            self.write_wait.wake()
        return report

    def recverr_changed(self) -> None:
        """IP_RECVERR or IPV6_RECVERR was set or cleared; without it the error queue is emptied."""
        end = self.end
        end.recverr = self.options.recverr_of(v6=self.v6)
        if not end.recverr:
            for report in end.errors:
                end.rmem -= report.cost
            end.errors.clear()

    # Its names.

    def bind(self, host: str, port: int, *, v6only: bool) -> None:
        """Give it an address and a port. Raises OSError: EINVAL where it has one, EADDRINUSE."""
        if self.end.port:
            raise fail(errno.EINVAL)
        before = self.end.v6only
        self.end.v6only = v6only
        if not port and self.options.bind_address_no_port:
            self.end.address = host
        else:
            taken = port and self._conflict(host, port, picked=False)
            held = 0 if taken else port or self._pick(host)
            if not held:
                self.end.v6only = before
                self.end.address = self.wildcard
                raise fail(errno.EADDRINUSE)
            self._hold(host, held)
        self.address_locked = self.address_locked or host != self.wildcard
        self.port_locked = self.port_locked or port != 0

    def connect(self, address: Address) -> None:
        """Take and give datagrams of one peer only; nothing is sent. What has come stays.

        Linux __ip4_datagram_connect, __ip6_datagram_connect.
        """
        self._autobind()
        host, port = host_in(self.v6, address, errno.EINVAL), address[1]
        host = bind_zone(self, destination(self, host), address)
        if is_v6(host) and is_multicast(host):
            raise NotSimulatedError("datagrams to a group of IPv6 are not simulated")
        own = source_address(self, host)
        way = self.kernel.way_of(self.bound_if, host)
        if way is None:
            raise fail(self.kernel.no_way(self.bound_if, self.end.address, host))
        check_source(self, host)
        source = source_to(own, way)
        self._check_broadcast(host)
        if is_any(self.end.address):
            self.end.address = source
        self.end.peer = (host, port)

    def _check_broadcast(self, host: str) -> None:
        """Refuse to send to everybody without SO_BROADCAST."""
        if self.kernel.ip.routes.is_broadcast(host) and not self.options.broadcast:
            raise fail(errno.EACCES)

    def disconnect(self) -> None:
        """Have no peer any more, and no name that bind did not give (Linux __udp_disconnect)."""
        end = self.end
        end.peer = None
        self.tie(0)
        if not self.address_locked:
            end.address = self.wildcard
        if end.port and not self.port_locked:
            self.kernel.ip.udp.remove(end)
            end.port = 0

    def _autobind(self) -> None:
        """Get a port before anything else is looked at.

        Raises OSError EAGAIN where none is free (Linux inet_autobind).
        """
        if self.end.port:
            return
        host = self.end.address
        port = self._pick(host)
        if not port:
            raise fail(errno.EAGAIN)
        self._hold(host, port)

    def _hold(self, host: str, port: int) -> None:
        self.end.address = host
        self.end.port = port
        self.kernel.ip.udp.add(self.end)

    def _conflict(self, host: str, port: int, *, picked: bool) -> bool:
        """Whether another socket has the port at this address (Linux udp_lib_lport_inuse).

        The latest of them decides, unless the kernel picks the port.
        """
        for other in reversed(self.kernel.ip.udp.ends.get(port, ())):
            owner = other.user
            assert isinstance(owner, UdpSock), "a UDP end without a socket"
            mine, theirs = self.options, owner.options
            if mine.reuseaddr and theirs.reuseaddr:
                continue
            if same_device(self.bound_if, owner.bound_if) and same_address(
                self.v6,
                host,
                other.address,
                v6only=self.end.v6only,
                others=other.v6only,
                wild=True,
            ):
                shared = mine.reuseport and theirs.reuseport
                if not (picked and shared):
                    return not shared
        return False

    def _pick(self, host: str) -> int:
        """Pick a port at random (Linux udp_lib_get_port); 0: none is free."""
        ports = self.kernel.ports
        count = ports.high + 1 - ports.low
        first = ports.rng.below(count)
        for step in range(count):
            port = ports.low + (first + step) % count
            if port not in ports.reserved and not self._conflict(host, port, picked=True):
                return port
        return 0

    # Datagrams.

    def send(self, data: bytes, address: Address | None, flags: int, now: int) -> int:
        """Send one datagram, to the peer or to an address (Linux udp_sendmsg).

        With MSG_MORE it waits for what the next call adds. Raises OSError: EDESTADDRREQ, EMSGSIZE,
        ENETUNREACH, EPIPE; what an ICMP error said of an earlier one.
        """
        self._autobind()
        if len(data) > 0xFFFF:
            raise fail(errno.EMSGSIZE)
        if flags & c.MSG_OOB:
            raise fail(errno.EOPNOTSUPP)
        if self.corked is not None:
            whole = self.corked + data
            self.corked = None
            if len(whole) > _text_max(self.cork_there[0]):
                self._too_long(self.cork_there)
            host, port = self.cork_there
        else:
            whole = data
            host, port = self._there(address)
            if len(data) > _text_max(host):
                self._too_long((host, port))
            error = self.take_error()
            if error:
                raise fail(error)
            if self.shut & c.SEND_SHUTDOWN:
                raise fail(errno.EPIPE)
        if flags & c.MSG_MORE:
            self.corked = whole
            self.cork_there = (host, port)
        else:
            self._send(whole, host, port, now)
        return len(data)

    def _there(self, address: Address | None) -> tuple[str, int]:
        """Find out where to, and that there is a way."""
        if address is None:
            there = self.end.peer
            if there is None:
                raise fail(errno.EDESTADDRREQ)
            host, port = there
        else:
            host, port = host_in(self.v6, address, errno.EINVAL), address[1]
        if not port:
            raise fail(errno.EINVAL)
        host = destination(self, host)
        if address is not None:
            host = self._on_link(host, zone_in(address))
        if is_v6(host) and is_multicast(host):
            raise NotSimulatedError("datagrams to a group of IPv6 are not simulated")
        own = source_address(self, host)
        way = self.kernel.way_of(self.bound_if, host)
        if way is None:
            raise fail(self.kernel.no_way(self.bound_if, self.end.address, host))
        check_source(self, host)
        source_to(own, way)
        self._check_broadcast(host)
        return (host, port)

    def _too_long(self, there: tuple[str, int]) -> None:
        """Refuse a datagram that IP can't carry (Linux __ip_append_data, ip_local_error)."""
        way = self.kernel.way_of(self.bound_if, there[0])
        if self.end.recverr and way is not None:
            to = (there[0], 0 if self.end.peer is None else self.end.peer[1])
            report = Report(
                errno.EMSGSIZE,
                to,
                b"",
                origin=errqueue.LOCAL,
                info=way.interface.mtu,
            )
            self.end.keep(report)
        raise fail(errno.EMSGSIZE)

    def _send(self, data: bytes, host: str, port: int, now: int) -> None:
        way = self.kernel.way_of(self.bound_if, host)
        if way is None:
            raise fail(errno.ENETUNREACH)
        source = source_to(source_address(self, host), way)
        datagram = Datagram(self.end.port, port, data)
        headers = 48 if is_v6(host) else 28
        if len(data) + headers > way.interface.mtu:
            raise NotSimulatedError("a datagram that must be fragmented is not simulated")
        packet = Packet(source, host, PROTO_UDP, datagram, df=not is_v6(host))
        if is_v6(host):
            options = self.options
            packet.ttl = HOPS_DEFAULT if options.hops < 0 else options.hops
            packet.tos = options.tclass
        else:
            packet.tos = self.options.tos
        failed = self.kernel.ip.send(packet, now, self.bound_if, ttl=self.options.ttl)
        assert not failed, "the way that was found is gone"

    def _on_link(self, host: str, zone: int) -> str:
        """Name a link-local destination by its interface; the first one where none is said.

        Linux udpv6_sendmsg asks for none.
        """
        if not is_v6(host) or not needs_zone(host):
            return host
        zone = zone or self.bound_if
        if not zone:
            for own, interface in self.kernel.ip.routes.local.items():
                if is_link_local(own) and interface.up:
                    return zoned(host, interface.zone)
        return zoned(host, zone)

    def recv(self, size: int, flags: int, wait: Wait, now: int) -> tuple[bytes, Address] | Blocked:
        """Take one datagram, cut off at ``size``, and where it is from (Linux udp_recvmsg).

        Who waits longest gets the next one (__skb_wait_for_more_packets).
        With MSG_TRUNC it is as long as it was: what is cut off are zeros.
        """
        error = self.take_error()
        if error:
            raise fail(error)
        end = self.end
        if end.queue:
            received = end.take(peek=bool(flags & c.MSG_PEEK))
            data = received.data
            if len(data) > size:
                wait.msg_flags |= c.MSG_TRUNC
                data = data[:size]
                if flags & c.MSG_TRUNC:
                    data += bytes(len(received.data) - size)
            return data, show(self.v6, received.source, received.sport)
        if self.shut & c.RCV_SHUTDOWN:
            return b"", show(self.v6, self.wildcard, 0)
        at_once = self.nonblock or bool(flags & c.MSG_DONTWAIT)
        limit = time_limit(self.kernel, wait, self.options.rcvtimeo_ns, now, at_once=at_once)
        if expired(limit, now):
            raise fail(errno.EAGAIN)
        return Blocked((self.read_wait,), limit, "data", exclusive=True)

    def shutdown(self, how: int) -> None:
        """End one direction, or both. Raises OSError ENOTCONN where it is not connected."""
        self.shut |= how
        self.end.rcv_shutdown = bool(self.shut & c.RCV_SHUTDOWN)
        self.read_wait.wake_all()
        self.write_wait.wake_all()
        if self.end.peer is None:
            raise fail(errno.ENOTCONN)

    # The end.

    def let_go(self, now: int) -> None:
        """A blocked call has let go of it."""
        self.calls -= 1
        if not self.calls and not self.descriptors:
            self.release(now)

    def exit(self, now: int) -> None:
        """Its last descriptor may have gone with the process."""
        if not self.calls and not self.descriptors:
            self.release(now)

    def release(self, now: int) -> None:  # noqa: ARG002  as every file
        """Close for good. Requires: no descriptor and no call holds it."""
        forget_all(self.watchers)
        if self.end.port:
            self.kernel.ip.udp.remove(self.end)

    # What poll sees.

    def poll_mask(self) -> int:
        """Return every poll bit that is set now (Linux udp_poll)."""
        mask = c.POLLOUT | c.POLLWRNORM
        if self.end.so_error or self.end.errors:
            mask |= c.POLLERR
        if self.end.queue:
            mask |= c.POLLIN | c.POLLRDNORM
        if self.shut & c.RCV_SHUTDOWN:
            mask |= c.POLLRDHUP | c.POLLIN | c.POLLRDNORM
        if self.shut == c.SHUTDOWN_MASK:
            mask |= c.POLLHUP
        return mask

    def poll_queues(self, events: int) -> tuple[WaitQueue, ...]:
        """Return where to wait for these events."""
        if events & (c.POLLOUT | c.POLLWRNORM):
            return (self.read_wait, self.write_wait)
        return (self.read_wait,)


def _text_max(host: str) -> int:
    return DATA6_MAX if is_v6(host) else DATA_MAX
