"""The hosts of a variant as network namespaces, and its programs as processes in them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from halfopen.oracle import namespaces, netlink
from halfopen.scenario.model import Host, Lan, Link, Process, Variant
from halfopen.wire.ethernet import mac_of

#: Both hosts' side of every connection, whatever this machine's own default is.
CONGESTION: Final = "cubic"
MTU: Final = 1500
_FIRST: Final = "eth0"
#: Part of the names of sysctls that are there only when the interface is.
_OF_INTERFACE: Final = f".{_FIRST}."

#: What differs from a fresh namespace, beside what the variant asks for.
QUIET_SYSCTLS: Final = {
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
    # What one connection learns about the path is not the next one's start.
    "net.ipv4.tcp_no_metrics_save": 1,
}


class Machine:
    """A host with power: the namespace that is its kernel, and an interface for each link."""

    def __init__(self, host: Host, namespace: int) -> None:
        self.host = host
        self.namespace = namespace
        self.tuns: dict[str, int] = {}  # by link
        self._addresses: list[str] = []  # of the first interface
        self._source = ""  # which of them its routes prefer
        self._peers: tuple[str, ...] = ()  # where they lead
        self._is_up = True

    @classmethod
    def boot(cls, host: Host, variant: Variant) -> "Machine":
        """Make the namespace, leaving the conductor in it.

        The n-th interface has the n-th address; those left over are the last one's.
        """
        machine = cls(host, namespaces.new_namespace())
        for name, setting in (QUIET_SYSCTLS | dict(host.sysctl)).items():
            known = Path("/proc/sys/net/ipv6").exists() or not name.startswith("net.ipv6.")
            if known and _OF_INTERFACE not in name:
                namespaces.set_sysctl(name, setting)
        netlink.set_up("lo")
        links = list(_links_of(host, variant))
        for number, (link, peer) in enumerate(links):
            interface = f"eth{number}"
            machine.tuns[link.name] = namespaces.open_tun(interface)
            end = None if number == len(links) - 1 else number + 1
            addresses = host.addresses[number:end]
            for address in addresses:
                netlink.add_address(interface, address)
            netlink.set_up(interface, mtu=MTU)
            _add_routes(interface, addresses[0], peer.addresses)
            if number == 0:
                machine._addresses = list(addresses)
                machine._source, machine._peers = addresses[0], peer.addresses
        for number, lan in enumerate(variant.lans):
            if host.name in lan.hosts:
                assert not links, "a host on a LAN is on nothing else"
                machine._join(lan, host, mac_of(number, lan.hosts.index(host.name)))
        for name, setting in host.sysctl.items():
            if _OF_INTERFACE in name:
                namespaces.set_sysctl(name, setting)
        return machine

    def _join(self, lan: Lan, host: Host, mac: str) -> None:
        """Make the interface for a LAN: a /24, whose hosts are asked for by ARP."""
        self.tuns[lan.name] = namespaces.open_tun(_FIRST, ethernet=True)
        netlink.set_mac(_FIRST, mac)
        for address in host.addresses:
            netlink.add_address(_FIRST, address)
        netlink.set_up(_FIRST, mtu=MTU)
        source = host.addresses[0]
        network = source.rpartition(".")[0] + ".0"
        netlink.add_route(_FIRST, network, source=source, congestion=CONGESTION, length=24)
        self._addresses = list(host.addresses)
        self._source = source

    def set_down(self) -> bool:
        """Take the first interface down; False: it was. Requires: in the host's namespace."""
        if not self._is_up:
            return False
        netlink.set_down(_FIRST)
        self._is_up = False
        return True

    def set_up(self) -> bool:
        """Take the first interface up, with its routes. Requires: as ``set_down``."""
        if self._is_up:
            return False
        netlink.set_up(_FIRST)
        self._is_up = True
        if self._source in self._addresses:
            _add_routes(_FIRST, self._source, self._peers)
        return True

    def remove_address(self, address: str) -> bool:
        """Take an address from the first interface; its routes go with it. Requires: the same."""
        if address not in self._addresses:
            return False
        netlink.remove_address(_FIRST, address)
        self._addresses.remove(address)
        return True


class Child:
    """A program's process, ready to begin; ``pidfd`` is readable once it has ended."""

    def __init__(
        self, process: Process, popen: "subprocess.Popen[bytes]", events_fd: int, number: int
    ) -> None:
        self.process = process
        self.popen = popen
        self.pidfd = os.pidfd_open(popen.pid)
        self.events_fd = events_fd
        self.number = number
        self.unfinished = b""  # a line of events that has not come whole
        self.uncaught: str | None = None
        self.started = False
        self.ended = False
        self.stopped = False
        self.powered_off_at: int | None = None

    def begin(self) -> None:
        """Let the program run."""
        assert self.popen.stdin is not None, "a child is started with a pipe to it"
        self.popen.stdin.write(b"go\n")
        self.popen.stdin.flush()
        self.started = True


def start_child(process: Process, variant: Variant, machine: Machine, number: int) -> Child:
    """Start a process in its host's namespace, up to the point where its program would begin."""
    namespaces.setns(machine.namespace)
    ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    os.set_blocking(theirs, True)
    popen = subprocess.Popen(
        [sys.executable, "-m", "halfopen.oracle.child", str(os.getpid()), str(theirs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(theirs,),
    )
    os.close(theirs)
    assert popen.stdin is not None, "asked for above"
    program = process.program
    task = {
        "program": f"{program.__module__}:{program.__qualname__}",
        "settings": dict(variant.settings),
        "addresses": {host.name: host.addresses[0] for host in variant.hosts},
    }
    popen.stdin.write(json.dumps(task).encode() + b"\n")
    popen.stdin.flush()
    for stream in (popen.stdout, popen.stderr):
        assert stream is not None, "asked for above"
        os.set_blocking(stream.fileno(), False)
    return Child(process, popen, ours, number)


def _add_routes(interface: str, source: str, peers: tuple[str, ...]) -> None:
    for peer in peers:
        netlink.add_route(interface, peer, source=source, congestion=CONGESTION)


def _links_of(host: Host, variant: Variant) -> Iterator[tuple[Link, Host]]:
    """Yield a host's links, with the host at the other end."""
    hosts = {each.name: each for each in variant.hosts}
    for link in variant.links:
        if host.name == link.a:
            yield link, hosts[link.b]
        elif host.name == link.b:
            yield link, hosts[link.a]
