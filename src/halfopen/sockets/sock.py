"""A TCP socket: Linux's ``struct socket`` and ``struct sock``, around a Tcb or a Listening."""

from typing import TYPE_CHECKING, Final, TypeAlias

from halfopen.net.sysctl import integer
from halfopen.sockets.constants import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRNORM,
    RCV_SHUTDOWN,
    SEND_SHUTDOWN,
    SHUTDOWN_MASK,
)
from halfopen.sockets.epoll import Epoll, Interest, forget_all
from halfopen.sockets.names import rezoned
from halfopen.sockets.options import Options
from halfopen.sockets.udp import UdpSock
from halfopen.sockets.waiting import Wait, WaitQueue
from halfopen.tcp import calls, urgent
from halfopen.tcp.errqueue import Report, next_error
from halfopen.tcp.listening import Listening
from halfopen.tcp.states import CONNECTING, State
from halfopen.tcp.tcb import URG_VALID, Tcb
from halfopen.tcp.window import open_window
from halfopen.wire.address import ANY, ANY6, is_v6

if TYPE_CHECKING:
    from halfopen.sockets.kernel import Kernel

# The state of the API's side (Linux enum socket_state); the protocol's is ``sk_state``.
SS_UNCONNECTED: Final = 1
SS_CONNECTING: Final = 2
SS_CONNECTED: Final = 3
SS_DISCONNECTING: Final = 4


class TcpSock:
    """A TCP socket. It outlives its descriptors while the connection does (an orphan)."""

    is_datagram = False

    def __init__(self, kernel: "Kernel", options: Options, *, v6: bool = False) -> None:
        self.kernel = kernel
        self.options = options
        self.v6 = v6  # of AF_INET6
        self.v6only = v6 and bool(integer(kernel.sysctl, "net.ipv6.bindv6only"))
        # Of AF_INET6, and its connection is one of IPv4, or was: it goes on sending that (Linux
        # ipv6_mapped), to the peer that it had then (inet_daddr).
        self.mapped = False
        self.peer4 = ANY
        self.bound6 = False  # its IPv6 address is from bind or accept, and not from connect
        self.bound_if = 0  # the interface that it is tied to (Linux sk_bound_dev_if)
        self.ss = SS_UNCONNECTED
        self.tcb: Tcb | None = None
        self.listening: Listening | None = None
        self.nonblock = False
        self.descriptors = 0
        self.calls = 0  # blocked calls that hold it
        self.disconnects = 0  # failed or dissolved: who still waits is told (Linux sk_disconnects)
        self.write_pending = 0  # sends that wait for the handshake (Linux sk_write_pending)
        self.watchers: list[Interest] = []
        self.read_wait = WaitQueue()
        self.write_wait = WaitQueue()

        # Names. ``num`` is the port it holds (Linux inet_num), ``sport`` the one that it shows.
        self.address = self.wildcard
        self.num = 0
        self.sport = 0
        self.peer: tuple[str, int] | None = None
        self.address_locked = False  # by bind: SOCK_BINDADDR_LOCK
        self.port_locked = False  # by bind: SOCK_BINDPORT_LOCK
        self.connect_bound = False  # its port was picked by connect

        # Kept here while there is no Tcb.
        self.error = 0
        self.error_soft = 0  # told by SO_ERROR alone (Linux sk_err_soft)
        self.errors: list[Report] | None = None
        self.shut = 0

    @property
    def wildcard(self) -> str:
        """The address of a socket that is bound to none."""
        return ANY6 if self.v6 else ANY

    @property
    def sk_state(self) -> State:
        """The protocol's state as the API sees it.

        What is left of a TIME-WAIT is no socket any more.
        """
        tcb = self.tcb
        if tcb is not None:
            return State.CLOSED if tcb.minisock else tcb.state
        return State.CLOSED if self.listening is None else State.LISTEN

    @property
    def shutdown(self) -> int:
        """RCV_SHUTDOWN and SEND_SHUTDOWN (Linux sk_shutdown)."""
        tcb = self.tcb
        if tcb is None:
            return self.shut
        if tcb.minisock:
            return SHUTDOWN_MASK
        return (RCV_SHUTDOWN if tcb.rcv_shutdown else 0) | (
            SEND_SHUTDOWN if tcb.snd_shutdown else 0
        )

    @property
    def has_error(self) -> bool:
        """Whether an error waits to be told (Linux sk_err)."""
        tcb = self.tcb
        return bool(self.error if tcb is None else tcb.so_error)

    def take_error(self) -> int:
        """Return the error that waits and clear it (Linux sock_error)."""
        tcb = self.tcb
        if tcb is None:
            error, self.error = self.error, 0
        else:
            error, tcb.so_error = tcb.so_error, 0
        return error

    @property
    def has_report(self) -> bool:
        """Whether the error queue holds something."""
        tcb = self.tcb
        return bool(self.errors if tcb is None else tcb.errors)

    def take_report(self) -> Report | None:
        """Take the oldest of the error queue (Linux sock_dequeue_err_skb)."""
        tcb = self.tcb
        errors = self.errors if tcb is None else tcb.errors
        if not errors:
            return None
        report = errors.pop(0)
        if tcb is None:
            self.error = next_error(report, errors, self.error)
        else:
            tcb.so_error = next_error(report, errors, tcb.so_error)
        if errors:
            self.wake()
        return report

    def drop_reports(self) -> None:
        """Empty the error queue (Linux skb_errqueue_purge)."""
        self.errors = None
        if self.tcb is not None:
            self.tcb.errors = None

    def recverr_changed(self) -> None:
        """IP_RECVERR or IPV6_RECVERR was set or cleared; without it the error queue is emptied."""
        options, tcb = self.options, self.tcb
        if tcb is not None:
            tcb.recverr = options.recverr_of(v6=is_v6(tcb.flow[0]))
        if not options.recverr_of(v6=self.v6):
            self.drop_reports()

    def wake(self) -> None:
        """Make everybody look again (Linux sock_def_wakeup)."""
        self.read_wait.wake_all()
        self.write_wait.wake_all()

    def pend(self, sends: int) -> None:
        """So many more sends wait for the handshake, or fewer."""
        self.write_pending += sends
        if self.tcb is not None:
            self.tcb.write_waits = self.write_pending > 0

    def was_disconnected(self, wait: Wait) -> bool:
        """Whether another thread found the attempt failed that this call waits for.

        Requires: it has waited. Linux sk_wait_event, __inet_stream_connect.
        """
        return wait.disconnects != self.disconnects

    def tie(self, zone: int) -> None:
        """Be tied to an interface, by its number; 0: to none (Linux sock_bindtoindex_locked)."""
        self.bound_if = zone
        demux = self.kernel.ip.demux
        if self.sk_state is State.CLOSED:
            self.address = rezoned(self.address, zone)
        elif self.tcb is not None:
            demux.tie(self.tcb, zone)
        if self.listening is not None:
            self.listening.bound_if = zone
            before, self.address = self.address, rezoned(self.address, zone)
            if self.address != before:
                demux.move(before, self.address, self.num, self.listening)

    def inherit(self, tcb: Tcb) -> None:
        """Hand the options down to a connection that has come, and to the socket it may have."""
        self.options.apply(tcb)
        child = tcb.user
        if isinstance(child, TcpSock) and child is not self:
            child.options = self.bequest()
        self.mark(tcb)

    def shares(self) -> bool:
        """Whether it may share its port with others that listen (Linux sk_reuseport)."""
        return self.options.reuseport

    def bequest(self) -> Options:
        """Return the options of a socket that accept will give.

        All but SO_PRIORITY (Linux sk_clone) and TCP_DEFER_ACCEPT (inet_csk_clone_lock).
        """
        options = self.options
        if options.priority or options.defer_accept:
            options = options.copy(self.kernel.config)
            options.priority = options.defer_accept = 0
        else:
            options.shared = True
        return options

    def remark(self) -> None:
        """Let the segments of its connection have the hop limit and class of the options."""
        if self.tcb is not None:
            self.mark(self.tcb)

    def mark(self, tcb: Tcb) -> None:
        """Let a connection's segments have the hop limit and class of the options."""
        options = self.options
        if is_v6(tcb.flow[0]) and tcb.flow not in self.kernel.ip.demux.astray:
            self.kernel.ip.mark(tcb.flow, ttl=options.hops, tos=options.tclass)
        else:
            self.kernel.ip.mark(tcb.flow, ttl=options.ttl, tos=options.tos)

    def places(self) -> tuple[str, ...]:
        """Return the addresses under which the demultiplexer knows it as a listener."""
        if self.address == ANY6 and not self.v6only:
            return (ANY6, ANY)
        return (self.address,)

    # The end.

    def let_go(self, now: int) -> None:
        """A blocked call has let go of it."""
        self.calls -= 1
        if not self.calls and not self.descriptors:
            self.release(now)

    def exit(self, now: int) -> None:
        """Its last descriptor may have gone with the process; nobody lingers then.

        Linux PF_EXITING.
        """
        if not self.calls and not self.descriptors:
            self.release(now)

    def release(self, now: int) -> None:
        """Close for good. Requires: no descriptor and no call holds it (Linux __tcp_close)."""
        forget_all(self.watchers)
        tcb = self.tcb
        if tcb is not None:
            options = self.options
            calls.close(tcb, now, linger=0 if options.linger and not options.linger_s else None)
            if tcb.state is State.CLOSED or tcb in self.kernel.ports.remnants:
                self.kernel.ports.release(self)
            return
        if self.listening is not None:
            self.stop_listening(now)
        self.kernel.ports.release(self)

    def stop_listening(self, now: int) -> None:
        """Reset what nobody accepted (Linux inet_csk_listen_stop)."""
        listening = self.listening
        assert listening is not None, "a socket that does not listen stops listening"
        for place in self.places():
            self.kernel.ip.demux.unlisten(place, self.num, listening)
        self.listening = None
        calls.close_listening(listening, now)

    def disconnect(self, now: int) -> None:
        """Be as new, except for what bind and the options said (Linux tcp_disconnect).

        One that is closed already keeps its port.
        """
        tcb = self.tcb
        was_open = self.sk_state is not State.CLOSED
        if tcb is not None:
            self.tcb = None
            self.errors = tcb.errors
            tcb.user = None
            calls.abort(tcb, now)
            tcb.orphan = True  # where its TIME-WAIT lasts
            self.error = tcb.so_error  # it stays to be told
        elif self.listening is not None:
            self.stop_listening(now)
        self.shut = 0
        self.peer = None
        if not self.address_locked:
            self.address = self.wildcard
            self.bound6 = False
        if was_open and not self.port_locked:
            self.kernel.ports.release(self)
        self.wake()

    # What poll sees.

    def poll_mask(self) -> int:
        """Return every poll bit that is set now (Linux tcp_poll)."""
        if self.listening is not None:
            return POLLIN | POLLRDNORM if self.listening.ready else 0
        state = self.sk_state
        shutdown = self.shutdown
        mask = 0
        if shutdown == SHUTDOWN_MASK or state is State.CLOSED:
            mask |= POLLHUP
        if shutdown & RCV_SHUTDOWN:
            mask |= POLLIN | POLLRDNORM | POLLRDHUP
        if state not in CONNECTING:
            tcb = self.tcb
            if tcb is not None and readable(tcb, self.options.rcvlowat):
                mask |= POLLIN | POLLRDNORM
            if shutdown & SEND_SHUTDOWN or tcb is None or tcb.writeable():
                mask |= POLLOUT | POLLWRNORM
            else:
                tcb.no_room = True  # wake us when there is room
            if tcb is not None and tcb.urg_data & URG_VALID:
                mask |= POLLPRI
        if self.has_error or self.has_report:
            mask |= POLLERR
        return mask

    def poll_queues(self, events: int) -> tuple[WaitQueue, ...]:
        """Return where to wait for these events; HUP and ERR wake both."""
        if events & (POLLOUT | POLLWRNORM):
            return (self.read_wait, self.write_wait)
        return (self.read_wait,)


def readable(tcb: Tcb, rcvlowat: int) -> bool:
    """Whether there is something to read (Linux tcp_stream_is_readable).

    An urgent octet at the mark is not, unless it stays in the stream. Less than SO_RCVLOWAT is
    enough where no more would fit.
    """
    if tcb.urg_data and not tcb.oobinline and urgent.at_mark(tcb):
        rcvlowat += 1
    queued = tcb.rcv_queued
    return queued > 0 and (
        queued >= rcvlowat
        or tcb.rmem > tcb.rcvbuf - (tcb.rcvbuf >> 3)
        or open_window(tcb) <= tcb.rcv_mss
    )


File: TypeAlias = TcpSock | UdpSock | Epoll
