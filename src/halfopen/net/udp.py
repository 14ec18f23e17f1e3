"""Whose is a datagram: a socket's that is connected to its sender, or bound to its port."""

import errno
from collections import deque
from typing import Final

from halfopen.net.icmp import EXC_FRAGTIME, UNREACH, Meaning, meaning6, report
from halfopen.tcp.buffers import truesize
from halfopen.tcp.errqueue import Report
from halfopen.wire import icmp, icmp6
from halfopen.wire.address import ANY, ANY6, bare, is_v6
from halfopen.wire.icmp import Icmp, Quote
from halfopen.wire.udp import HEADER_LEN, Datagram

#: A score that no socket reaches whose address is not the datagram's.
_EXACT: Final = 100
#: What a peer counts; more than the family (Linux compute_score).
_PEER: Final = 8
_TIED: Final = 4
_PROBLEM: Final = Meaning(errno.EPROTO, fatal=True)
_EXPIRED: Final = Meaning(errno.EHOSTUNREACH, fatal=False)
_TOO_BIG: Final = Meaning(errno.EMSGSIZE, fatal=True)


class Received:
    """A datagram that waits to be read."""

    def __init__(self, source: str, datagram: Datagram) -> None:
        self.source = source
        self.sport = datagram.sport
        self.data = datagram.data
        self.cost = truesize(HEADER_LEN + len(datagram.data))


class UdpEnd:
    """One UDP socket as the network sees it. ``user`` is the socket above; opaque here."""

    def __init__(self, rcvbuf: int) -> None:
        self.user: object = None
        self.v6 = False  # a socket of AF_INET6
        self.v6only = False
        self.address = ANY
        self.port = 0
        self.bound_if = 0  # it takes what comes by that interface only; 0: by any
        self.peer: tuple[str, int] | None = None
        self.queue: deque[Received] = deque()
        self.rmem = 0
        self.rcvbuf = rcvbuf
        self.so_error = 0
        self.recverr = False
        self.errors: list[Report] = []
        self.rcv_shutdown = False

    def take(self, *, peek: bool) -> Received:
        """Return the first datagram. Requires: there is one."""
        first = self.queue[0]
        if not peek:
            self.queue.popleft()
            self.rmem -= first.cost
        return first

    def keep(self, report: Report) -> None:
        """Keep an error, if it fits (Linux sock_queue_err_skb)."""
        if self.rmem + report.cost < self.rcvbuf:
            self.errors.append(report)
            self.rmem += report.cost


class Udp:
    """The UDP sockets of one host, by port. ``woken`` is read and cleared by the layer above."""

    def __init__(self) -> None:
        self.ends: dict[int, list[UdpEnd]] = {}
        self.woken: list[UdpEnd] = []

    def add(self, end: UdpEnd) -> None:
        """Let a socket have what comes to its port."""
        self.ends.setdefault(end.port, []).append(end)

    def remove(self, end: UdpEnd) -> None:
        """Take a socket out again."""
        others = self.ends[end.port]
        others.remove(end)
        if not others:
            del self.ends[end.port]

    def deliver(self, source: str, destination: str, datagram: Datagram, zone: int = 0) -> bool:
        """Queue a datagram at its socket; False where nobody has the port.

        One that does not fit into SO_RCVBUF is dropped without a word (Linux
        __udp_enqueue_schedule_skb).
        """
        end = self.find(destination, datagram.dport, source, datagram.sport, zone)
        if end is None:
            return False
        received = Received(source, datagram)
        if end.rmem + received.cost <= end.rcvbuf or not end.queue:
            end.queue.append(received)
            end.rmem += received.cost
            self.woken.append(end)
        return True

    def find(
        self, address: str, port: int, peer: str, peer_port: int, zone: int = 0
    ) -> UdpEnd | None:
        """Find the socket that fits best (Linux udp4_lib_lookup2, compute_score).

        Its own address counts most, then its peer, then that it is tied to the interface by which
        the datagram came, then that it is of the datagram's family; of equals the one that was
        bound last. One at :: takes IPv4 too, unless IPV6_V6ONLY is set.
        """
        v6 = is_v6(address)
        plain = bare(address)
        wildcard = ANY6 if v6 else ANY
        best: UdpEnd | None = None
        best_score = -1
        for end in reversed(self.ends.get(port, ())):
            score = 0
            if end.address in (address, plain):
                score = _EXACT
            elif end.address != wildcard and (v6 or end.v6only or end.address != ANY6):
                continue
            if end.v6 == v6:
                score += 1
            if end.bound_if:
                if end.bound_if != zone:
                    continue
                score += _TIED
            if end.peer is not None:
                if end.peer != (peer, peer_port):
                    continue
                score += _PEER
            if score > best_score:
                best, best_score = end, score
        return best

    def error(self, quote: Quote, message: Icmp, source: str, zone: int = 0) -> None:
        """Tell a socket of an error about what it sent (Linux __udp4_lib_err).

        Without IP_RECVERR or IPV6_RECVERR, whichever is its family's, only a connected
        one hears of it, and only of a hard one.
        """
        end = self.find(quote.src, quote.sport, quote.dst, quote.dport, zone)
        if end is None:
            return
        v6 = is_v6(quote.src)
        meaning = for_datagrams(message, v6=v6)
        if meaning is None:
            return
        if end.recverr and end.v6 == v6:
            end.keep(report(meaning.errno, message, quote, source, HEADER_LEN))
        elif end.peer is None or not meaning.fatal:
            return
        end.so_error = meaning.errno
        self.woken.append(end)


def for_datagrams(message: Icmp, *, v6: bool) -> Meaning | None:
    """Return what a message means to a datagram socket; None: nothing.

    Linux __udp4_lib_err, __udp6_lib_err.
    """
    if v6:
        return _TOO_BIG if message.kind == icmp6.PACKET_TOO_BIG else meaning6(message)
    if message.kind == icmp.PARAMETER_PROBLEM:
        return _PROBLEM
    if message.kind == icmp.TIME_EXCEEDED and message.code != EXC_FRAGTIME:
        return _EXPIRED
    if message.kind == icmp.DEST_UNREACH and message.code < len(UNREACH):
        return _TOO_BIG if message.code == icmp.FRAG_NEEDED else UNREACH[message.code]
    return None
