"""Programs of a few sockets of one host that want the same ports: what each call is told.

A program is lines of text, so that it can be read where it failed::

    range 1                   the only ephemeral port is port 1; without it there are many
    a tcp6                    a socket: tcp4, tcp6, udp4, udp6; it does not block
    a reuseaddr 1             reuseaddr, reuseport, v6only: 1 or 0
    a bind ::1 2              a port of the program's own: 1 or 2; 0: the kernel picks
    b bind 0.0.0.0 =a         the port that a has
    a device eth0             tie it to an interface: eth0, eth1, lo
    a listen
    b connect ::1 =a
    c accept a
    c shutdown wr             rd, wr, rdwr
    c close
    b abort                   close with SO_LINGER and no time
    b dissolve                connect with AF_UNSPEC

``Here`` runs one on the simulated host's sockets, ``Linux`` (``on_linux``) on the kernel's.
"""

import errno
import struct
from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import Final, Protocol, TypeAlias

from hypothesis import strategies as st

from halfopen.base.rng import Rng
from halfopen.base.units import S
from halfopen.sockets import calls
from halfopen.sockets import constants as c
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.names import Address
from halfopen.sockets.table import FdTable
from halfopen.sockets.waiting import Wait

Program: TypeAlias = list[str]

#: What the interfaces have, and where they lead.
ETH0: Final = ("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "fe80::1")
ETH1: Final = ("10.1.0.1", "fd01::1", "fe80::1")
PEERS: Final = ("10.0.0.9", "fd00::9")
#: Their numbers, as of every host's first and second interface.
ZONES: Final = {"eth0": 2, "eth1": 3}
EPHEMERAL: Final = (40_000, 60_999)
_PORTS: Final = ("1", "2")

HOSTS4: Final = ("0.0.0.0", "127.0.0.1", "127.0.0.2", "10.0.0.1", "10.0.0.2", "10.1.0.1")
HOSTS6: Final = (
    *("::", "::1", "fd00::1", "fd00::2", "fd01::1", "fe80::1%eth0", "fe80::1%eth1"),
    *(f"::ffff:{host}" for host in HOSTS4[:4]),
)
#: Nobody's here, or not for a socket of TCP.
STRANGE4: Final = ("10.9.9.9", "224.0.0.1", "255.255.255.255")
STRANGE6: Final = ("::ffff:10.9.9.9", "fd09::9", "fe80::1", "fe80::2%eth0", "ff02::1%eth0")
KINDS: Final = ("tcp4", "tcp6", "udp4", "udp6")
OPTIONS: Final = {
    "reuseaddr": (c.SOL_SOCKET, c.SO_REUSEADDR),
    "reuseport": (c.SOL_SOCKET, c.SO_REUSEPORT),
    "v6only": (c.IPPROTO_IPV6, c.IPV6_V6ONLY),
}
#: SO_LINGER, and no time.
AT_ONCE: Final = struct.pack("ii", 1, 0)
HOWS: Final = {"rd": c.SHUT_RD, "wr": c.SHUT_WR, "rdwr": c.SHUT_RDWR}


class Host(Protocol):
    """What runs a program: sockets by number, and calls that raise OSError."""

    def begin(self, ports: tuple[int, ...], ephemeral: tuple[int, int]) -> None:
        """Be ready for a program whose ports are these."""

    def socket(self, family: int, kind: int) -> int: ...
    def set(self, fd: int, level: int, name: int, value: int) -> None: ...
    def bind(self, fd: int, address: Address) -> None: ...
    def listen(self, fd: int) -> None: ...
    def connect(self, fd: int, address: Address) -> None: ...
    def accept(self, fd: int) -> int: ...
    def shutdown(self, fd: int, how: int) -> None: ...
    def device(self, fd: int, name: str) -> None: ...
    def dissolve(self, fd: int) -> None: ...
    def close(self, fd: int) -> None: ...
    def abort(self, fd: int) -> None: ...
    def name(self, fd: int) -> Address: ...


class Here:
    """The simulated host."""

    def __init__(self) -> None:
        self.now = 10 * S
        self.table = FdTable(Kernel("a", {}, Rng(0)))

    def begin(self, ports: tuple[int, ...], ephemeral: tuple[int, int]) -> None:
        del ports  # every host is a new one
        kernel = Kernel("a", {"net.ipv4.ip_local_port_range": "{} {}".format(*ephemeral)}, Rng(0))
        kernel.add_interface("eth0", ETH0, peers=PEERS)
        kernel.add_interface("eth1", ETH1)
        self.table = FdTable(kernel)

    def socket(self, family: int, kind: int) -> int:
        return calls.socket(self.table, family, kind | c.SOCK_NONBLOCK, 0, self.now)

    def set(self, fd: int, level: int, name: int, value: int) -> None:
        calls.setsockopt(self.table, fd, level, name, value, self.now)

    def bind(self, fd: int, address: Address) -> None:
        calls.bind(self.table, fd, address, self.now)

    def listen(self, fd: int) -> None:
        calls.listen(self.table, fd, 8, self.now)

    def connect(self, fd: int, address: Address) -> None:
        calls.connect(self.table, fd, address, Wait(self.now), self.now)

    def accept(self, fd: int) -> int:
        taken = calls.accept(self.table, fd, Wait(self.now), self.now)
        assert isinstance(taken, tuple), "nobody waits"
        calls.setblocking(self.table, taken[0], False)
        return taken[0]

    def shutdown(self, fd: int, how: int) -> None:
        calls.shutdown(self.table, fd, how, self.now)

    def close(self, fd: int) -> None:
        calls.close(self.table, fd, Wait(self.now), self.now)

    def device(self, fd: int, name: str) -> None:
        option = (c.SOL_SOCKET, c.SO_BINDTODEVICE)
        calls.setsockopt(self.table, fd, *option, name.encode(), self.now)

    def dissolve(self, fd: int) -> None:
        calls.disconnect(self.table, fd, self.now)

    def abort(self, fd: int) -> None:
        calls.setsockopt(self.table, fd, c.SOL_SOCKET, c.SO_LINGER, AT_ONCE, self.now)
        self.close(fd)

    def name(self, fd: int) -> Address:
        return calls.getsockname(self.table, fd)


class Run:
    """One run of a program; ``ports`` are what it calls 1 and 2."""

    def __init__(self, host: Host, ports: tuple[int, int]) -> None:
        self.host = host
        self.ports = dict(zip(_PORTS, ports, strict=True))
        self.fds: dict[str, int] = {}
        self.kinds: dict[str, str] = {}

    def run(self, program: Program) -> list[str]:
        """Carry out every line; tell what each was told, and the socket's name after it."""
        narrow = "range 1" in program
        first = self.ports["1"]
        self.host.begin(tuple(self.ports.values()), (first, first) if narrow else EPHEMERAL)
        told = [self.told(line) for line in program if line != "range 1"]
        for fd in self.fds.values():
            self.host.close(fd)
        return told

    def told(self, line: str) -> str:
        """Carry out a line."""
        who, what, *rest = line.split()
        if what in KINDS:
            self.fds[who] = self.host.socket(
                c.AF_INET6 if what.endswith("6") else c.AF_INET,
                c.SOCK_STREAM if what.startswith("tcp") else c.SOCK_DGRAM,
            )
            self.kinds[who] = what
            return self.named("ok", who)
        whose = rest[0] if what == "accept" else who
        if whose not in self.fds:
            return "no socket"
        fd = self.fds[whose]
        act: dict[str, Callable[[], object]] = {
            "bind": lambda: self.host.bind(fd, self.address(whose, rest)),
            "connect": lambda: self.host.connect(fd, self.address(whose, rest)),
            "listen": lambda: self.host.listen(fd),
            "shutdown": lambda: self.host.shutdown(fd, HOWS[rest[0]]),
            "accept": lambda: self.accepted(who, whose),
            "device": lambda: self.host.device(fd, rest[0]),
            "dissolve": lambda: self.host.dissolve(fd),
            "close": lambda: self.host.close(self.fds.pop(who)),
            "abort": lambda: self.host.abort(self.fds.pop(who)),
        }
        try:
            if what in OPTIONS:
                self.host.set(fd, *OPTIONS[what], int(rest[0]))
            else:
                act[what]()
        except BlockingIOError as waits:
            result = "ok" if waits.errno == errno.EINPROGRESS else "EAGAIN"
        except OSError as failed:
            result = errno.errorcode[failed.errno or 0]
        else:
            result = "ok"
        return self.named(result, who)

    def accepted(self, who: str, whose: str) -> None:
        fd = self.host.accept(self.fds[whose])
        if who in self.fds:
            self.host.close(self.fds[who])
        self.fds[who] = fd
        self.kinds[who] = self.kinds[whose]

    def address(self, who: str, said: list[str]) -> Address:
        """Read an address with its port, for a socket of its family."""
        host, _, zone = said[0].partition("%")
        port = self.port(said[1])
        if self.kinds[who].endswith("6"):
            return (host, port, 0, ZONES.get(zone, 0))
        return (host, port)

    def port(self, said: str) -> int:
        if said.startswith("="):
            return self.host.name(self.fds[said[1:]])[1] if said[1:] in self.fds else 0
        return self.ports.get(said, 0)

    def named(self, result: str, who: str) -> str:
        """Add a socket's name; a port that was picked has no number here."""
        if who not in self.fds:
            return result
        address = self.host.name(self.fds[who])
        calls_it = {port: name for name, port in self.ports.items()}
        port = calls_it.get(address[1], "picked" if address[1] else "0")
        zone = f"%{address[3]}" if len(address) == 4 and address[3] else ""
        return f"{result}, {address[0]}{zone} {port}"


def here(program: Program) -> list[str]:
    """Run a program on the simulated host."""
    return Run(Here(), (1_001, 1_002)).run(program)


# What hypothesis writes.


#: Where a listener at all addresses is found.
_FOUND_AT: Final = {
    "0.0.0.0": ("127.0.0.1", "10.0.0.1", "10.1.0.1"),
    "::": ("::1", "fd00::1", "fd01::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:10.1.0.1"),
    "::ffff:0.0.0.0": ("::ffff:127.0.0.1", "::ffff:10.0.0.1"),
}
_ENDS: Final = (
    "close",
    "close",
    "close",
    "shutdown wr",
    "shutdown rdwr",
    "shutdown rd",
    "abort",
    "dissolve",
)


class Writer:
    """Writes a program, line by line."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines = ["range 1"] if draw(st.integers(0, 3)) == 3 else []
        self.kinds: dict[str, str] = {}
        self.ties = self.odds(4)  # many of its sockets to interfaces

    def any(self, among: Sequence[str]) -> str:
        return self.draw(st.sampled_from(among))

    def odds(self, of: int) -> bool:
        """Whether it is the one time of so many."""
        return self.draw(st.integers(1, of)) == of

    def new(self, kind: str) -> str:
        who = ascii_lowercase[len(self.kinds)]
        self.kinds[who] = kind
        return who

    def socket(self, kinds: Sequence[str]) -> str:
        """Make a socket and set some options."""
        who = self.new(self.any(kinds))
        v6 = self.kinds[who].endswith("6")
        self.lines.append(f"{who} {self.kinds[who]}")
        for option in OPTIONS:
            if self.odds(3) and (v6 or option != "v6only"):
                self.lines.append(f"{who} {option} 1")
        if self.odds(2 if self.ties else 12):
            self.lines.append(f"{who} device {self.any(_DEVICES)}")
        return who

    def conversation(self) -> None:
        """Make a connection and bring it somewhere: TIME-WAIT, FIN-WAIT-2, CLOSE-WAIT ..."""
        server, client = self.socket(KINDS[:2]), self.socket(KINDS[:2])
        if self.odds(6):
            self.past(server)
        host = self.any(HOSTS4 if self.kinds[server] == "tcp4" else (*HOSTS6, "::", "::"))
        self.lines += [f"{server} bind {host} {self.any('110')}", f"{server} listen"]
        to = self.any(_FOUND_AT.get(host, (host,)))
        if self.kinds[client] == "tcp4":
            to = to.removeprefix("::ffff:") if "." in to else "127.0.0.1"
        elif ":" not in to:
            to = f"::ffff:{to}"
        if self.odds(3):
            self.bind(client)
        self.lines.append(f"{client} connect {to} ={server}")
        accepted = self.new(self.kinds[server])
        self.lines.append(f"{accepted} accept {server}")
        for _ in range(self.draw(st.integers(0, 4))):
            who = self.any((server, client, accepted, client, accepted))
            self.lines.append(f"{who} {self.any(_ENDS)}")
        if self.odds(3):
            self.again(self.any((client, accepted)))

    def past(self, who: str) -> None:
        """Give a socket a connection, or an attempt, that is no more; IPv4 to one of IPv6."""
        if self.kinds[who].endswith("6") and not self.odds(3):
            self.lines.append(
                f"{who} connect {self.any(_FOUND_AT['::ffff:0.0.0.0'])} {self.port()}"
            )
        else:
            self.connect(who)
        self.lines.append(f"{who} dissolve")

    def again(self, who: str) -> None:
        """Dissolve what a socket has, and connect it anew, of either family."""
        self.lines.append(f"{who} dissolve")
        if self.odds(2):
            self.past(who)
        if self.odds(3):
            self.bind(who)
        self.connect(who)

    def connect(self, who: str) -> None:
        host = self.host(who, groups=self.kinds[who].startswith("tcp"))
        self.lines.append(f"{who} connect {host} {self.port()}")

    def bind(self, who: str) -> None:
        self.lines.append(f"{who} bind {self.host(who, groups=True)} {self.port()}")

    def host(self, who: str, *, groups: bool) -> str:
        usual, strange = (HOSTS6, STRANGE6) if self.kinds[who].endswith("6") else (HOSTS4, STRANGE4)
        if not self.odds(20):
            return self.any(usual)
        return self.any(strange if groups else strange[:1])

    def port(self) -> str:
        said = self.any("111120=")
        return said + self.any(sorted(self.kinds)) if said == "=" else said

    def line(self) -> None:
        """One call, of the latest socket most of the time."""
        who = self.any(sorted(self.kinds))
        if not self.odds(3):
            who = max(self.kinds)
        what = self.any(_WHAT)
        if what == "bind":
            self.bind(who)
        elif what == "connect":
            self.connect(who)
        elif what == "again":
            self.again(who)
        elif what == "accept":
            whose = self.any(sorted(self.kinds))
            self.lines.append(f"{self.new(self.kinds[whose])} accept {whose}")
        elif what == "shutdown":
            self.lines.append(f"{who} shutdown {self.any(sorted(HOWS))}")
        elif what in OPTIONS:
            self.lines.append(f"{who} {what} {self.any('01')}")
        elif what == "device":
            self.lines.append(f"{who} device {self.any(_DEVICES)}")
        else:
            self.lines.append(f"{who} {what}")


_WHAT: Final = (
    *("bind",) * 6,
    *("listen",) * 3,
    *("connect",) * 3,
    *("accept", "shutdown", "close", "abort", "dissolve", "again", "device", *OPTIONS),
)
_DEVICES: Final = ("eth0", "eth1", "lo")


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Sockets that come and go, most of them near one another."""
    writer = Writer(draw)
    udp = writer.odds(4)
    if not udp and not writer.odds(3):
        writer.conversation()
    for _ in range(draw(st.integers(1, 5))):
        writer.socket(KINDS[2:] if udp else KINDS[:2])
        for _ in range(draw(st.integers(0, 4))):
            writer.line()
    return writer.lines
