"""The kernel's side of the property tests: a process in namespaces of its own, asked line by line.

``Linux`` starts it and asks; run by itself (``python -m tests.property.on_linux``) it reads cases
as JSON from standard input, a line each, and answers each with a line.
"""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.property import binding, routing

from halfopen.net.interfaces import split_prefix
from halfopen.oracle import namespaces, netlink
from halfopen.oracle.machines import QUIET_SYSCTLS
from halfopen.scenario.unspec import dissolve
from halfopen.sockets.names import Address

#: Programs in one namespace; then a new one, before TIME-WAITs fill its table.
_PROGRAMS_MAX: Final = 400
_FIRST_PORT: Final = 1_024
_SOON_MS: Final = 20
_RTF_LOCAL: Final = 0x80000000
_RANGE: Final = "net.ipv4.ip_local_port_range"


class Linux:
    """The child, seen from the test."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.property.on_linux"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )

    def answer(self, kind: str, case: object) -> list[str]:
        """Have a case run."""
        assert self.popen.stdin is not None, "asked for above"
        assert self.popen.stdout is not None, "asked for above"
        self.popen.stdin.write(json.dumps([kind, case]) + "\n")
        self.popen.stdin.flush()
        line = self.popen.stdout.readline()
        assert line, "the kernel's side has ended"
        answer: list[str] = json.loads(line)
        return answer

    def end(self) -> None:
        """Let the child end."""
        self.popen.communicate()


@contextmanager
def linux() -> Iterator[Linux]:
    """Lend the kernel's side."""
    child = Linux()
    try:
        yield child
    finally:
        child.end()


class Sockets:
    """The kernel's sockets, as ``binding`` calls them."""

    def __init__(self) -> None:
        self.left = 0
        self.range: tuple[int, int] = (0, 0)
        self.ports = _FIRST_PORT
        self.sockets: dict[int, socket.socket] = {}
        self.namespace = -1
        self.tuns: list[int] = []

    def next_ports(self) -> tuple[int, int]:
        """Ports that no program has used in this namespace."""
        if not self.left:
            self._enter()
        self.left -= 1
        self.ports += 2
        return self.ports, self.ports + 1

    def _enter(self) -> None:
        for fd in (self.namespace, *self.tuns):
            if fd >= 0:
                os.close(fd)
        self.namespace = namespaces.new_namespace()
        for name, setting in QUIET_SYSCTLS.items():
            namespaces.set_sysctl(name, setting)
        netlink.set_up("lo")
        self.tuns = []
        for interface, addresses in (("eth0", binding.ETH0), ("eth1", binding.ETH1)):
            self.tuns.append(namespaces.open_tun(interface))
            namespaces.set_sysctl(f"net.ipv6.conf.{interface}.disable_ipv6", 0)
            netlink.set_up(interface)
            for address in addresses:
                length = 64 if address.startswith("fe80") else None
                netlink.add_address(interface, address, length=length)
        for peer in binding.PEERS:
            source = next(own for own in binding.ETH0 if (":" in own) == (":" in peer))
            netlink.add_route("eth0", peer, source=source, congestion="cubic")
        self.left = _PROGRAMS_MAX
        self.ports = _FIRST_PORT
        self.range = (0, 0)

    def begin(self, ports: tuple[int, ...], ephemeral: tuple[int, int]) -> None:
        del ports  # next_ports gave them
        if ephemeral != self.range:
            namespaces.set_sysctl(_RANGE, "{} {}".format(*ephemeral))
            self.range = ephemeral

    def _keep(self, made: socket.socket) -> int:
        made.setblocking(False)
        self.sockets[made.fileno()] = made
        return made.fileno()

    def socket(self, family: int, kind: int) -> int:
        return self._keep(socket.socket(family, kind))

    def set(self, fd: int, level: int, name: int, value: int) -> None:
        self.sockets[fd].setsockopt(level, name, value)

    def bind(self, fd: int, address: Address) -> None:
        self.sockets[fd].bind(address)

    def listen(self, fd: int) -> None:
        self.sockets[fd].listen(8)

    def connect(self, fd: int, address: Address) -> None:
        try:
            self.sockets[fd].connect(address)
        except BlockingIOError:
            # On the loopback it is over at once, but for a kernel that is about something else.
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll(_SOON_MS)
            raise

    def accept(self, fd: int) -> int:
        return self._keep(self.sockets[fd].accept()[0])

    def shutdown(self, fd: int, how: int) -> None:
        self.sockets[fd].shutdown(how)

    def close(self, fd: int) -> None:
        self.sockets.pop(fd).close()

    def device(self, fd: int, name: str) -> None:
        self.sockets[fd].setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())

    def dissolve(self, fd: int) -> None:
        dissolve(self.sockets[fd])

    def abort(self, fd: int) -> None:
        self.sockets[fd].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, binding.AT_ONCE)
        self.close(fd)

    def name(self, fd: int) -> Address:
        name: Address = self.sockets[fd].getsockname()
        return name


def await_local(interface: str, addresses: list[str]) -> None:
    """Wait until IPv6 addresses are the host's own: a worker of the kernel makes them so.

    Linux addrconf_dad_work.
    """
    awaited = {socket.inet_pton(socket.AF_INET6, address).hex() for address in addresses}
    while awaited:
        for line in Path("/proc/thread-self/net/ipv6_route").read_text("ascii").splitlines():
            fields = line.split()
            if (
                fields[1] == "80"
                and int(fields[8], 16) & _RTF_LOCAL
                and fields[9] in {interface, "lo"}
            ):
                awaited.discard(fields[0])


class Routes:
    """One host of ``routing``: a namespace of its own, gone with it."""

    def __init__(self) -> None:
        self.held = [namespaces.new_namespace()]
        for name, setting in QUIET_SYSCTLS.items():
            namespaces.set_sysctl(name, setting)
        netlink.set_up("lo")

    def interface(self, name: str, addresses: tuple[str, ...]) -> None:
        self.held.append(namespaces.open_tun(name))
        namespaces.set_sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 0)
        netlink.set_up(name)
        for text in addresses:
            address, length = split_prefix(text)
            netlink.add_address(name, address, length=length)
        await_local(name, [split_prefix(text)[0] for text in addresses if ":" in text])

    def route(self, to: str, name: str, source: str, metric: int) -> None:
        network, length = split_prefix(to)
        netlink.add_route(name, network, source=source, length=length, metric=metric)

    def source(self, family: int, to: Address) -> Address:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(to)
            name: Address = sock.getsockname()
            return name

    def end(self) -> None:
        for fd in self.held:
            os.close(fd)


def routed(case: routing.Case) -> list[str]:
    """Run a case of ``routing``."""
    host = Routes()
    try:
        return routing.run(host, case)
    finally:
        host.end()


def main() -> None:
    """Answer until nobody asks."""
    namespaces.die_with_parent(os.getppid())
    namespaces.become_root_of_own()
    sockets = Sockets()
    for line in sys.stdin:
        kind, case = json.loads(line)
        if kind == "binding":
            told = binding.Run(sockets, sockets.next_ports()).run(case)
        else:
            told = routed(case)
            sockets.left = 0
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
