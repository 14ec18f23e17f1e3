"""The hosts of a variant as network namespaces, and its programs as processes in them."""

import ipaddress
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from halfopen.oracle import namespaces, netlink
from halfopen.oracle.child import Born, Task
from halfopen.scenario.etc import etc_of, nodename_of
from halfopen.scenario.model import Host, Lan, Link, Process, Variant
from halfopen.wire.address import at_interface, at_link, is_v6
from halfopen.wire.ethernet import mac_of
from halfopen.wire.ndisc import link_local

#: Both hosts' side of every connection, whatever this machine's own default is.
CONGESTION: Final = "cubic"
MTU: Final = 1500
_FIRST: Final = "eth0"
_LAN_PREFIX: Final = 24
_LAN_PREFIX6: Final = 64
#: Part of the names of sysctls that are there only when the interface is.
_OF_INTERFACE: Final = f".{_FIRST}."

#: What differs from a fresh namespace, beside what the variant asks for.
QUIET_SYSCTLS: Final = {
    # An interface speaks IPv6 where its host has such an address, and asks for no router.
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
    "net.ipv6.conf.lo.disable_ipv6": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    # It has the link-local address that it is given, and no other.
    "net.ipv6.conf.default.addr_gen_mode": 1,
    # A label of the flow is drawn, and changes with every timeout.
    "net.ipv6.auto_flowlabels": 0,
    # What one connection learns about the path is not the next one's start.
    "net.ipv4.tcp_no_metrics_save": 1,
}


class Machine:
    """A host with power: the namespace that is its kernel, and an interface for each link.

    IPv6 has addresses at once, without asking whether another has them (IFA_F_NODAD).
    """

    def __init__(self, host: Host, namespace: int) -> None:
        self.host = host
        self.namespace = namespace
        self.tuns: dict[str, int] = {}  # by link
        self._addresses: dict[str, str] = {}  # to the interface that has them
        self._sources: list[str] = []  # which of the first one's its routes prefer
        self._peers: tuple[str, ...] = ()  # where they lead
        self._is_up = True

    @classmethod
    def boot(cls, host: Host, variant: Variant) -> "Machine":
        """Make the namespace, leaving the conductor in it."""
        machine = cls(host, namespaces.new_namespace())
        for name, setting in (*QUIET_SYSCTLS.items(), *_own_sysctls(host)):
            known = Path("/proc/sys/net/ipv6").exists() or not name.startswith("net.ipv6.")
            if known and _OF_INTERFACE not in name:
                namespaces.set_sysctl(name, setting)
        netlink.set_up("lo")
        links = list(_links_of(host, variant))
        for number, (link, peer) in enumerate(links):
            interface = f"eth{number}"
            machine.tuns[link.name] = namespaces.open_tun(interface)
            own = at_interface(host.addresses, number, last=number == len(links) - 1)
            addresses = _configure(host, interface, own, at_link(first=link.a == host.name))
            sources = _firsts(addresses)
            _add_routes(interface, sources, peer.addresses, dict(host.sources))
            machine._addresses |= dict.fromkeys(addresses, interface)
            if number == 0:
                machine._sources, machine._peers = sources, peer.addresses
        for number, lan in enumerate(variant.lans):
            if host.name in lan.hosts:
                assert not links, "a host on a LAN is on nothing else"
                machine._join(lan, host, mac_of(number, lan.hosts.index(host.name)))
        for destination, kind in host.refuses:
            netlink.add_refusal(destination, kind)
        for name, setting in host.sysctl.items():
            if _OF_INTERFACE in name:
                namespaces.set_sysctl(name, setting)
        return machine

    def _join(self, lan: Lan, host: Host, mac: str) -> None:
        """Make the interface for a LAN: a /24 or /64, whose hosts are asked for."""
        self.tuns[lan.name] = namespaces.open_tun(_FIRST, ethernet=True)
        netlink.set_mac(_FIRST, mac)
        addresses = _configure(host, _FIRST, host.addresses, link_local(mac))
        self._addresses = dict.fromkeys(addresses, _FIRST)
        for source in _firsts(addresses):
            length = _LAN_PREFIX6 if is_v6(source) else _LAN_PREFIX
            network = ipaddress.ip_network(f"{source}/{length}", strict=False)
            to = str(network.network_address)
            netlink.add_route(_FIRST, to, source=source, congestion=CONGESTION, length=length)
            if not is_v6(source):
                netlink.add_broadcast(_FIRST, str(network.broadcast_address), source=source)

    def set_down(self) -> bool:
        """Take the first interface down; False: it was. Requires: in the host's namespace.

        The addresses of IPv6 go with it (Linux addrconf_ifdown).
        """
        if not self._is_up:
            return False
        netlink.set_down(_FIRST)
        self._addresses = {
            address: interface
            for address, interface in self._addresses.items()
            if interface != _FIRST or not is_v6(address)
        }
        self._is_up = False
        return True

    def set_up(self) -> bool:
        """Take the first interface up, with its routes. Requires: as ``set_down``."""
        if self._is_up:
            return False
        netlink.set_up(_FIRST)
        self._is_up = True
        kept = [source for source in self._sources if source in self._addresses]
        _add_routes(_FIRST, kept, self._peers, dict(self.host.sources))
        return True

    def remove_address(self, address: str) -> bool:
        """Take an address from its interface; its routes go with it. Requires: the same."""
        interface = self._addresses.pop(address, None)
        if interface is None:
            return False
        netlink.remove_address(interface, address)
        return True


class Child:
    """A program's process, ready to begin; ``pidfd`` is readable once it has ended.

    ``pipes``: what it writes (output, errors, events), and its input.
    """

    def __init__(
        self, process: Process, pid: int, pipes: tuple[int, int, int, int], number: int
    ) -> None:
        self.process = process
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.output_fd, self.errors_fd, self.events_fd, self._input_fd = pipes
        self.number = number
        self.unfinished = b""  # a line of events that has not come whole
        self.uncaught: str | None = None
        self.returned_at: int | None = None  # when its program was over, and Python was not yet
        self.started = False
        self.ended = False
        self.stopped = False
        self.powered_off_at: int | None = None

    def begin(self) -> None:
        """Let the program run."""
        os.write(self._input_fd, b"go\n")
        self.started = True


def start_child(process: Process, variant: Variant, machine: Machine, number: int) -> Child:
    """Start a process in its host's namespace, up to the point where its program would begin.

    In the new process this raises ``Born``, which nobody may catch but who began the conductor.
    """
    namespaces.setns(machine.namespace)
    program = process.program
    addresses = {host.name: host.addresses for host in variant.hosts}
    files = etc_of(machine.host.name, addresses, machine.host.files)
    task = Task(
        program=f"{program.__module__}:{program.__qualname__}",
        settings=dict(variant.settings),
        privileged=process.privileged,
        addresses={host.name: host.addresses[0] for host in variant.hosts},
        etc=files,
        nodename=nodename_of(machine.host.name, files),
    )
    (its_input, our_input), *written = (os.pipe() for _ in range(4))
    (our_output, its_output), (our_errors, its_errors), (our_events, its_events) = written
    conductor = os.getpid()
    pid = os.fork()
    if pid == 0:
        raise Born(conductor, task, (its_input, its_output, its_errors, its_events))
    for fd in (its_input, its_output, its_errors, its_events):
        os.close(fd)
    for fd in (our_output, our_errors, our_events):
        os.set_blocking(fd, False)
    return Child(process, pid, (our_output, our_errors, our_events, our_input), number)


def _configure(host: Host, interface: str, own: tuple[str, ...], near: str) -> list[str]:
    """Give an interface its addresses and bring it up; one with IPv6 has a link-local one too.

    Returns those that are not link-local. IPv6 that the host's sysctls disable is left out.
    """
    if not _speaks_v6(host, interface):
        own = tuple(address for address in own if not is_v6(address))
    if any(map(is_v6, own)):
        namespaces.set_sysctl(f"net.ipv6.conf.{interface}.disable_ipv6", 0)
    for address in own:
        netlink.add_address(interface, address)
    netlink.set_up(interface, mtu=MTU)
    if any(map(is_v6, own)):
        netlink.add_address(interface, near, length=_LAN_PREFIX6)
    return list(own)


def _own_sysctls(host: Host) -> list[tuple[str, int | str]]:
    """What the variant asks for; what would let every interface speak IPv6 is said to each."""
    allowed = ("net.ipv6.conf.all.disable_ipv6", 0)
    return [setting for setting in host.sysctl.items() if setting != allowed]


def _speaks_v6(host: Host, interface: str) -> bool:
    switches = (f"net.ipv6.conf.{where}.disable_ipv6" for where in ("all", interface))
    return not any(int(host.sysctl.get(switch, 0)) for switch in switches)


def _firsts(addresses: list[str]) -> list[str]:
    """Return the first address of each family."""
    firsts: dict[bool, str] = {}
    for address in addresses:
        firsts.setdefault(is_v6(address), address)
    return list(firsts.values())


def _add_routes(
    interface: str, sources: list[str], peers: tuple[str, ...], preferred: Mapping[str, str]
) -> None:
    """Add the routes to the peers, each from the source of its family, or the one preferred."""
    for source in sources:
        for peer in peers:
            if is_v6(peer) == is_v6(source):
                own = preferred.get(peer, source)
                netlink.add_route(interface, peer, source=own, congestion=CONGESTION)


def _links_of(host: Host, variant: Variant) -> Iterator[tuple[Link, Host]]:
    """Yield a host's links, with the host at the other end."""
    hosts = {each.name: each for each in variant.hosts}
    for link in variant.links:
        if host.name == link.a:
            yield link, hosts[link.b]
        elif host.name == link.b:
            yield link, hosts[link.a]
