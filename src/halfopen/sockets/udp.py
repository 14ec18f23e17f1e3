"""A UDP socket (Linux struct udp_sock).

Datagrams out and in, whole or cut off, never waited for.
"""

import errno
from typing import TYPE_CHECKING, Final

from halfopen.net.sysctl import integer
from halfopen.net.udp import UdpEnd
from halfopen.sockets import constants as c
from halfopen.sockets.epoll import Interest, forget_all
from halfopen.sockets.errors import fail
from halfopen.sockets.limits import expired, time_limit
from halfopen.sockets.options import Options
from halfopen.sockets.waiting import Blocked, NotSimulatedError, Wait, WaitQueue
from halfopen.tcp import errqueue
from halfopen.tcp.errqueue import Report, next_error
from halfopen.wire.address import ANY, LOOPBACK
from halfopen.wire.ip import PROTO_UDP, Packet
from halfopen.wire.udp import Datagram

if TYPE_CHECKING:
    from halfopen.sockets.kernel import Kernel

#: The longest text of a datagram: 65535 octets of IPv4, less its header and UDP's.
TEXT_MAX: Final = 65535 - 20 - 8


class UdpSock:
    """A UDP socket. It sends at once, and holds what has come until it is read."""

    def __init__(self, kernel: "Kernel", options: Options) -> None:
        self.kernel = kernel
        self.options = options
        options.rcvbuf = integer(kernel.sysctl, "net.core.rmem_default")
        options.sndbuf = integer(kernel.sysctl, "net.core.wmem_default")
        self.end = UdpEnd(options.rcvbuf)
        self.end.user = self
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
    def address(self) -> str:
        """Its own address; 0.0.0.0 where it takes what comes to any."""
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
        """IP_RECVERR was set or cleared; without it the error queue is emptied."""
        end = self.end
        end.recverr = self.options.recverr
        if not end.recverr:
            for report in end.errors:
                end.rmem -= report.cost
            end.errors.clear()

    # Its names.

    def bind(self, host: str, port: int) -> None:
        """Give it an address and a port. Raises OSError: EINVAL where it has one, EADDRINUSE."""
        if self.end.port:
            raise fail(errno.EINVAL)
        if port and self._conflict(host, port):
            raise fail(errno.EADDRINUSE)
        self._hold(host, port or self._pick(host))

    def connect(self, address: tuple[str, int]) -> None:
        """Take and give datagrams of one peer only; nothing is sent. What has come stays.

        Linux __ip4_datagram_connect.
        """
        host, port = address
        if host == ANY:
            host = LOOPBACK
        way = self.kernel.ip.way(host)
        if way is None:
            raise fail(errno.ENETUNREACH)
        if not self.end.port:
            self._hold(ANY, self._pick(ANY))
        if self.end.address == ANY:
            self.end.address = way.source
        self.end.peer = (host, port)

    def _hold(self, host: str, port: int) -> None:
        self.end.address = host
        self.end.port = port
        self.kernel.ip.udp.add(self.end)

    def _conflict(self, host: str, port: int) -> bool:
        """Whether another socket has the port at this address (Linux udp_lib_lport_inuse)."""
        for other in self.kernel.ip.udp.ends.get(port, ()):
            if other.address != host and ANY not in {other.address, host}:
                continue
            owner = other.user
            assert isinstance(owner, UdpSock), "a UDP end without a socket"
            mine, theirs = self.options, owner.options
            if not (mine.reuseaddr and theirs.reuseaddr) and not (
                mine.reuseport and theirs.reuseport
            ):
                return True
        return False

    def _pick(self, host: str) -> int:
        """Pick a port at random (Linux udp_lib_get_port). Raises OSError EADDRINUSE."""
        ports = self.kernel.ports
        count = ports.high + 1 - ports.low
        first = ports.rng.below(count)
        for step in range(count):
            port = ports.low + (first + step) % count
            if port not in ports.reserved and not self._conflict(host, port):
                return port
        raise fail(errno.EADDRINUSE)

    # Datagrams.

    def send(self, data: bytes, address: tuple[str, int] | None, flags: int, now: int) -> int:
        """Send one datagram, to the peer or to an address (Linux udp_sendmsg).

        With MSG_MORE it waits for what the next call adds. Raises OSError: EDESTADDRREQ, EMSGSIZE,
        ENETUNREACH, EPIPE; what an ICMP error said of an earlier one.
        """
        if not self.end.port:
            self._hold(ANY, self._pick(ANY))
        if len(data) > 0xFFFF:
            raise fail(errno.EMSGSIZE)
        if flags & c.MSG_OOB:
            raise fail(errno.EOPNOTSUPP)
        if self.corked is not None:
            whole = self.corked + data
            self.corked = None
            if len(whole) > TEXT_MAX:
                self._too_long(self.cork_there)
            host, port = self.cork_there
        else:
            whole = data
            host, port = self._there(address)
            if len(data) > TEXT_MAX:
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

    def _there(self, address: tuple[str, int] | None) -> tuple[str, int]:
        """Find out where to, and that there is a way."""
        there = self.end.peer if address is None else address
        if there is None:
            raise fail(errno.EDESTADDRREQ)
        host, port = there
        if not port:
            raise fail(errno.EINVAL)
        if host == ANY:
            host = LOOPBACK
        if self.kernel.ip.way(host) is None:
            raise fail(errno.ENETUNREACH)
        if self.kernel.ip.routes.is_broadcast(host) and not self.options.broadcast:
            raise fail(errno.EACCES)
        return (host, port)

    def _too_long(self, there: tuple[str, int]) -> None:
        """Refuse a datagram that IP can't carry (Linux __ip_append_data, ip_local_error)."""
        way = self.kernel.ip.way(there[0])
        if self.end.recverr and way is not None:
            destination = (there[0], 0 if self.end.peer is None else self.end.peer[1])
            report = Report(
                errno.EMSGSIZE,
                destination,
                b"",
                origin=errqueue.LOCAL,
                info=way.interface.mtu,
            )
            self.end.keep(report)
        raise fail(errno.EMSGSIZE)

    def _send(self, data: bytes, host: str, port: int, now: int) -> None:
        way = self.kernel.ip.way(host)
        if way is None:
            raise fail(errno.ENETUNREACH)
        source = way.source if self.end.address == ANY else self.end.address
        datagram = Datagram(self.end.port, port, data)
        if len(data) + 28 > way.interface.mtu:
            raise NotSimulatedError("a datagram that must be fragmented is not simulated")
        failed = self.kernel.ip.send(Packet(source, host, PROTO_UDP, datagram, df=True), now)
        if failed:
            raise fail(failed)

    def recv(
        self, size: int, flags: int, wait: Wait, now: int
    ) -> tuple[bytes, tuple[str, int]] | Blocked:
        """Take one datagram, cut off at ``size``, and where it is from (Linux udp_recvmsg).

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
            return data, (received.source, received.sport)
        if self.shut & c.RCV_SHUTDOWN:
            return b"", ("0.0.0.0", 0)
        limit = time_limit(self.kernel, wait, self.options.rcvtimeo_ns, now)
        if self.nonblock or flags & c.MSG_DONTWAIT or expired(limit, now):
            raise fail(errno.EAGAIN)
        return Blocked((self.read_wait,), limit, "data")

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
