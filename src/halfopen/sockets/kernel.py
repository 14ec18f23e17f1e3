"""One host's kernel, as the layers above see it.

The world enters it with packets and deadlines, programs enter it through ``sockets.calls``. Every
entry takes ``now``; after every entry, also one that raised, the caller reads and clears in place::

    outbox             what leaves the host: (number of the interface, packet)
    effects.rearm      connections to be looked at earlier than entry_at; one may stand twice
    effects.history    Transitions, where traced
    effects.fired      (tcb, timer) pairs, where traced
"""

from collections.abc import Mapping
from errno import EADDRNOTAVAIL
from typing import Final

from halfopen.base.rng import Rng
from halfopen.net.interfaces import ETHERNET_MTU, Interface, split_prefix
from halfopen.net.ip import Embryo, Ip
from halfopen.net.neighbours import Neighbour, Neighbours, Times
from halfopen.net.routes import Way
from halfopen.net.sysctl import has_v6, with_defaults
from halfopen.sockets.ports import Ports
from halfopen.sockets.sock import TcpSock
from halfopen.sockets.udp import UdpSock
from halfopen.tcp.config import Config
from halfopen.tcp.deadlines import deadline_passed
from halfopen.tcp.effects import READ, STATE, WRITE, Effects
from halfopen.tcp.iss import Secret
from halfopen.tcp.jiffies import JIFFY
from halfopen.tcp.listening import Listening
from halfopen.tcp.tcb import Tcb
from halfopen.wire.address import ANY, ANY6, LOOPBACK4_IPV6, is_v6
from halfopen.wire.ethernet import Frame
from halfopen.wire.ip import Packet
from halfopen.wire.tcp import Flow

#: How many ticks a host's tick counter may have counted when the world began.
PHASE_MAX: Final = 1 << 24
#: Some address of a link: what asks for it is its neighbour there.
ON_LINK: Final = "fe80::"


class Kernel:
    """The kernel of one host, from boot to power-off.

    ``sysctl`` holds what differs from the defaults of Linux 6.18, by kernel name; an unknown name
    is the caller's mistake (MisuseError).
    """

    def __init__(
        self, name: str, sysctl: Mapping[str, int | str], rng: Rng, *, traced: bool = False
    ) -> None:
        self.name = name
        self.sysctl = with_defaults(sysctl)
        self.rng = rng
        self.effects = Effects(traced=traced)
        self.config = Config(self.sysctl, rng.split("ticks").below(PHASE_MAX * JIFFY))
        self.ip = Ip(self.sysctl, self.effects, rng.split("ip"))
        self.outbox = self.ip.outbox
        self.ports = Ports(self.sysctl, rng.split("ports"))
        self.secret = Secret(rng.split("iss"))

    def add_interface(
        self,
        name: str,
        addresses: tuple[str, ...],
        *,
        peers: tuple[str, ...] = (),
        mtu: int = ETHERNET_MTU,
        mac: str = "",
    ) -> int:
        """Plug in an interface and return its number: 0, 1 ... in the order of the calls.

        ``addresses`` are this host's (``10.0.0.1``, or with a prefix ``10.0.0.1/24``); ``peers``
        are the hosts or networks that are reached through it. With a hardware address it is on a
        LAN, whose hosts are asked for by ARP and neighbour discovery.
        """
        ip = self.ip
        number = len(ip.interfaces)
        v6 = has_v6(self.sysctl, name)
        interface = Interface(number, name, addresses, peers=peers, mtu=mtu, v6=v6)
        if mac:
            interface.neighbours = self._neighbours(interface, mac)
            ip.on_lan = True
        ip.interfaces.append(interface)
        ip.routes.connect(interface)
        return number

    def _neighbours(self, interface: Interface, mac: str) -> tuple[Neighbours, ...]:
        """Make the neighbour tables of a LAN, one for each family that is spoken there."""
        tables = []
        for family, purpose, wildcard in (("ipv4", "arp", ANY), ("ipv6", "nd", ON_LINK)):
            own = interface.source(wildcard)
            if own is not None:
                times = Times(self.sysctl, family)
                rng = self.rng.split(purpose, interface.name)
                address = split_prefix(own)[0]
                tables.append(Neighbours(address, mac, times, self.config.phase, rng))
        return tuple(tables)

    def set_carrier(self, interface: int, *, carrier: bool) -> None:
        """Tell that the cable of an interface has been pulled or plugged in: a near cable."""
        self.ip.interfaces[interface].carrier = carrier

    def set_up(self, interface: int, *, up: bool, now: int) -> None:
        """Take an interface down or up (IFF_UP): without it nothing is routed through it."""
        at = self.ip.interfaces[interface]
        at.up = up
        if not up:
            self.ip.routes.take_down(at)
        self.ip.reroute()
        self.settle(now)

    def remove_address(self, address: str, now: int) -> None:
        """Take an address away, and the routes that prefer it."""
        self.ip.routes.remove_address(address)
        self.ip.reroute()
        self.settle(now)

    def receive(self, load: Packet | Frame, interface: int, now: int) -> None:
        """Take a packet, or a LAN's frame, that arrived at an interface."""
        self.ip.receive(load, interface, now)
        self.settle(now)

    def neighbour_passed(self, neighbour: Neighbour, now: int) -> None:
        """Let an entry of a neighbour table do what is due. Requires: neighbour.at <= now."""
        neighbour.table.passed(neighbour, now)
        self.settle(now)

    def deadline_passed(self, tcb: Tcb, now: int) -> None:
        """Let a connection do what is due. Requires: next_deadline(tcb) <= now."""
        deadline_passed(tcb, now)
        self.settle(now)

    def settle(self, now: int) -> None:
        """Send what TCP asked for, deliver what goes to this host itself, wake who waits.

        Calls do it themselves.
        """
        ip = self.ip
        effects = self.effects
        if effects.segments or effects.gone or ip.inbox or ip.on_lan:
            ip.settle(now)
        if ip.embryos:
            for embryo in ip.embryos:
                self._give_socket(embryo)
            ip.embryos.clear()
        if effects.ready:
            for listening in effects.ready:
                owner = listening.user
                assert isinstance(owner, TcpSock), "a listener without a socket"
                owner.read_wait.wake()
            effects.ready.clear()
        if effects.woken:
            for tcb in effects.woken:
                _wake(tcb)
            effects.woken.clear()
        if ip.udp.woken:
            for end in ip.udp.woken:
                assert isinstance(end.user, UdpSock), "a UDP end without a socket"
                end.user.read_wait.wake()
                if end.so_error:
                    end.user.write_wait.wake()
            ip.udp.woken.clear()
        if ip.gone:
            for tcb in ip.gone:
                self._gone(tcb)
            ip.gone.clear()

    # For the calls.

    def way_of(self, interface: int, destination: str) -> Way | None:
        """Return how to get to an address, by the interface that a socket is tied to (0: any)."""
        routes = self.ip.routes
        return routes.way_by(interface, destination) if interface else routes.way(destination)

    def no_way(self, interface: int, source: str, destination: str) -> int:
        """Return the errno where no way leads, from a socket tied and bound to these.

        To IPv6 from a host that has no such address at all it is EADDRNOTAVAIL: the source is
        looked for before the way (Linux ip6_dst_lookup_tail).
        """
        if is_v6(destination) and source == ANY6 and not any(map(is_v6, self.ip.routes.local)):
            return EADDRNOTAVAIL
        return self.ip.routes.no_way(destination, interface)

    def new_tcb(self, flow: Flow, mtu: int, now: int, *, iss: int | None = None) -> Tcb:
        """Make a connection that is still closed."""
        return Tcb(
            flow,
            self.config,
            self.effects,
            iss=self.secret.iss(flow, now) if iss is None else iss,
            mtu=mtu,
            ts_offset=self.secret.ts_offset(flow),
        )

    def new_listening(self, sock: TcpSock, backlog: int) -> Listening:
        """Make the queues of a socket that begins to listen."""
        listening = Listening(sock, self.config, self.effects, self.secret, backlog=backlog)
        listening.bound_if = sock.bound_if
        listening.mapped = sock.mapped
        listening.v6, listening.v6only = sock.v6, sock.v6only
        listening.syn_retries = sock.options.syncnt
        listening.defer_accept = sock.options.defer_accept
        return listening

    def _give_socket(self, embryo: Embryo) -> None:
        """Make the socket that accept will give, sharing the listener's options and port."""
        listener = embryo.listening.user
        assert isinstance(listener, TcpSock), "a listener without a socket"
        tcb = embryo.tcb
        address, port, peer, peer_port = tcb.flow
        sock = TcpSock(self, listener.bequest(), v6=listener.v6)
        sock.v6only = listener.v6only
        sock.bound_if = tcb.bound_if
        if sock.v6 and not is_v6(address):
            sock.mapped, sock.peer4 = True, peer
        elif listener.mapped:
            sock.mapped, sock.peer4 = True, LOOPBACK4_IPV6
        sock.tcb = tcb
        sock.address = address
        sock.sport = port
        sock.peer = (peer, peer_port)
        sock.address_locked = listener.address_locked
        sock.bound6 = is_v6(address)
        tcb.user = sock
        self.ports.hold(sock, port)

    def _gone(self, tcb: Tcb) -> None:
        """Free the port of a connection that is over.

        One that bind gave is the socket's as long as somebody holds it (Linux tcp_set_state). An
        accepted one was never given one (Linux sk_clone_lock).
        """
        sock = tcb.user
        if self.ports.forget(tcb) or not isinstance(sock, TcpSock) or sock.tcb is not tcb:
            return
        if not (sock.descriptors and sock.port_locked):
            self.ports.release(sock)

    def split(self, sock: TcpSock, tcb: Tcb) -> None:
        """Leave the port to TIME-WAIT; the socket has it no longer unless the user bound it."""
        self.ports.leave_behind(sock, tcb)
        if not sock.port_locked:
            self.ports.release(sock)


def _wake(tcb: Tcb) -> None:
    """Wake who waits for what has changed, as the callbacks of ``struct sock`` do."""
    bits = tcb.wake
    tcb.wake = 0
    sock = tcb.user
    if not isinstance(sock, TcpSock):
        return
    if bits & STATE:
        if tcb.minisock and tcb not in sock.kernel.ports.remnants:
            sock.kernel.split(sock, tcb)
        sock.wake()
        return
    if bits & READ:
        sock.read_wait.wake()
    if bits & WRITE:
        sock.write_wait.wake()
