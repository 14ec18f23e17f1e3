"""The real kernel as an end: a socket in a network namespace, whose peer is whoever holds the TUN.

Run by itself (``python -m tests.unit.tcp.linux_end WALKS STEPS``) it holds every row of every table
against the kernel, and walks beside it. The namespaces are this process's own and end with it.
"""

import errno
import fcntl
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Final

from tests.unit.tcp import reach, test_memory, test_syncookies, walks
from tests.unit.tcp.cells import Cell, Observed, Table, observe, promised, row
from tests.unit.tcp.ends import HERE, IRS, PEER, End, Options, Ours

from halfopen.base.units import MS, S
from halfopen.compare.rules import LOOKS_MAX
from halfopen.net.sysctl import DEFAULTS
from halfopen.oracle import namespaces, netlink
from halfopen.tcp.states import State
from halfopen.wire import ip
from halfopen.wire.errors import WireError
from halfopen.wire.ip import PROTO_ICMP, Packet
from halfopen.wire.seq import wrap
from halfopen.wire.tcp import RST, SYN, Segment

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLMSG_ERROR: Final = 2
_MTU: Final = 1500
_LINGER_NOW: Final = struct.pack("ii", 1, 0)
_TCP_LINGER2: Final = 8
_TCP_NEW_SYN_RECV: Final = 12
_SIOCATMARK: Final = 0x8905
_IP_RECVERR: Final = 11
#: Where a struct inet_diag_msg, behind its header, has the state and the timer's rest in ms.
_STATE_AT: Final = 17
_EXPIRES_AT: Final = 68
_GLANCE_NS: Final = 2 * MS


class Machine:
    """A host of the kernel, with one interface whose other side is ours."""

    def __init__(self) -> None:
        namespaces.become_root_of_own()
        namespaces.new_namespace()
        namespaces.set_sysctl("net.ipv4.tcp_no_metrics_save", 1)
        netlink.set_up("lo")
        self.tun = namespaces.open_tun("eth0")
        netlink.add_address("eth0", HERE)
        netlink.set_up("eth0", mtu=_MTU)
        netlink.add_route("eth0", PEER, source=HERE, congestion="cubic")
        self.diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self.diag.bind((0, 0))
        self.flows = 0

    def next_ports(self) -> tuple[int, int]:
        """Ports, ours and the peer's, that no row has used together."""
        self.flows += 1
        return 1024 + self.flows % 60_000, 1024 + self.flows // 60_000

    def put(self, packet: Packet) -> None:
        """Let a packet arrive."""
        os.write(self.tun, ip.encode(packet))

    def take(self) -> Iterator[tuple[Segment, int]]:
        """Give what the kernel has sent, and each segment's TOS."""
        while True:
            try:
                raw = os.read(self.tun, 65536)
            except BlockingIOError:
                return
            with suppress(WireError):
                packet = ip.decode(raw)
                if isinstance(packet.body, Segment):
                    yield packet.body, packet.tos

    def state_of(self, flow: tuple[str, int, str, int]) -> State:
        """Return the state of a connection, or else of who listens."""
        reply = self._diagnose(flow)
        if reply is None:
            return State.CLOSED
        state = reply[_STATE_AT]
        return State.SYN_RECEIVED if state == _TCP_NEW_SYN_RECV else State(state)

    def timer_of(self, flow: tuple[str, int, str, int]) -> int:
        """Return how long the timer of a connection will run on, in ns."""
        reply = self._diagnose(flow)
        assert reply is not None, "there is no such connection"
        return int(struct.unpack_from("=I", reply, _EXPIRES_AT)[0]) * MS

    def _diagnose(self, flow: tuple[str, int, str, int]) -> bytes | None:
        """Ask sock_diag(7) for a connection, or else who listens; None: neither."""
        source, sport, destination, dport = flow
        request = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
        request += struct.pack("!HH", sport, dport)
        request += socket.inet_aton(source).ljust(16, b"\0")
        request += socket.inet_aton(destination).ljust(16, b"\0")
        request += struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
        head = struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, 1, 1, 0)
        self.diag.send(head + request)
        reply = self.diag.recv(65536)
        kind = struct.unpack_from("=H", reply, 4)[0]
        if kind == _NLMSG_ERROR:
            number = -struct.unpack_from("=i", reply, 16)[0]
            assert number == errno.ENOENT, os.strerror(number)
            return None
        return reply


class LinuxEnd(End):
    """A socket of the kernel."""

    def __init__(self, machine: Machine, options: Options) -> None:
        super().__init__(options, irs=IRS)
        self.machine = machine
        ours, peers = machine.next_ports()
        self.flow = (HERE, ours, PEER, peers)
        self.sock: socket.socket | None = None
        self.listener: socket.socket | None = None
        self.complained = False  # a router told something of the way

    def _put_packet(self, packet: Packet) -> None:
        self.complained = self.complained or packet.proto == PROTO_ICMP
        self.machine.put(packet)
        self.look()

    def look(self) -> None:
        for seg, tos in self.machine.take():
            self._hear(seg, tos)

    @property
    def state(self) -> State:
        return self.machine.state_of(self.flow)

    def error(self) -> int:
        if self.sock is None:
            return 0
        return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def connect(self) -> None:
        self.sock = self._socket()
        self.sock.connect_ex(self.flow[2:])
        self.look()

    def _socket(self) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(self.flow[:2])
        return sock

    def listen(self, backlog: int = 8) -> None:
        self.listener = self._socket()
        self.listener.listen(backlog)

    def accept(self) -> None:
        assert self.listener is not None, "accept without listen"
        self.sock, _ = self.listener.accept()
        self.sock.setblocking(False)
        self.listener.close()
        self.listener = None

    def held(self) -> socket.socket:
        """Return the descriptor."""
        assert self.sock is not None, "the user holds no connection"
        return self.sock

    def write(self, data: bytes) -> None:
        assert self.held().send(data) == len(data), "the kernel took less"
        self.look()

    def read(self, size: int = 1 << 20) -> bytes:
        if self.sock is None:
            return b""
        try:
            return self.sock.recv(size)
        except OSError:
            return b""

    def write_urgent(self, data: bytes) -> None:
        assert self.held().send(data, socket.MSG_OOB) == len(data), "the kernel took less"
        self.look()

    def read_urgent(self, *, peek: bool = False) -> bytes | int:
        if self.sock is None:
            return errno.EBADF
        try:
            return self.sock.recv(1, socket.MSG_OOB | (socket.MSG_PEEK if peek else 0))
        except OSError as error:
            return error.errno or 0

    def recverr(self) -> None:
        self.held().setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)

    def soft_error(self) -> int:
        return self.error()

    def reports(self) -> list[tuple[int, int, int, str]]:
        told = []
        with suppress(BlockingIOError):
            while True:
                _, control, _, _ = self.held().recvmsg(2000, 200, socket.MSG_ERRQUEUE)
                ((_, _, data),) = control
                number, _, kind, code = struct.unpack_from("=IBBB", data)
                told.append((number, kind, code, socket.inet_ntoa(data[20:24])))
        return told

    def inline(self, *, on: bool) -> None:
        self.held().setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, on)

    def at_mark(self) -> bool:
        answer = fcntl.ioctl(self.held(), _SIOCATMARK, bytes(4))
        return bool(struct.unpack("=i", answer)[0])

    def shutdown_write(self) -> None:
        with suppress(OSError):  # ENOTCONN, which the socket layer tells
            self.held().shutdown(socket.SHUT_WR)

    def shutdown_read(self) -> None:
        with suppress(OSError):
            self.held().shutdown(socket.SHUT_RD)

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None
        elif self.listener is not None:
            self.listener.close()
            self.listener = None

    def abort(self) -> None:
        self.held().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOW)
        self.close()

    def linger2(self, seconds: int) -> None:
        self.held().setsockopt(socket.IPPROTO_TCP, _TCP_LINGER2, seconds)

    def nodelay(self) -> None:
        self.held().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def cork(self, *, on: bool) -> None:
        self.held().setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)

    def rcvbuf(self) -> int:
        return self.held().getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def fix_rcvbuf(self, octets: int) -> None:
        self.held().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)

    def rcvlowat(self, octets: int) -> None:
        self.held().setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)

    def syncnt(self, count: int) -> None:
        assert self.listener is not None, "nobody listens"
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, count)

    def wait(self, duration_ns: int) -> None:
        until = time.monotonic_ns() + duration_ns
        while (left := until - time.monotonic_ns()) > 0:
            if left >= _GLANCE_NS:  # a shorter sleep lasts too long
                time.sleep(_GLANCE_NS / S)
            self.look()  # a kernel whose packets lie in the interface does not send them again

    def vanish(self) -> None:
        """Leave nothing behind that would send."""
        if self.sock is not None:
            self.abort()
        if self.listener is not None:
            self.listener.close()
        if self.complained:
            namespaces.set_sysctl("net.ipv4.route.flush", 1)  # the way's MTU is forgotten
        self.look()


#: What Linux does not do, to see that it is seen.
WRONG: Final = row("RST without ACK", RST, IRS, None, State.CLOSED)
#: No limit to challenge ACKs.
TALKATIVE: Final[dict[str, int | str]] = {"net.ipv4.tcp_invalid_ratelimit": 0}


def run(machine: Machine, table: Table, cell: Cell) -> Observed:
    """Let a row happen to the kernel."""
    for name, setting in table.sysctl.items():
        namespaces.set_sysctl(name, setting)
    end = LinuxEnd(machine, table.options)
    try:
        return observe(end, table, cell)
    finally:
        end.vanish()
        for name in table.sysctl:
            namespaces.set_sysctl(name, DEFAULTS[name])


def judge_row(machine: Machine, table: Table, cell: Cell) -> str:
    """Hold a row against the kernel; empty where it does so, at least in one of several looks.

    Time passes there: a tick may fall between two steps.
    """
    expected = promised(cell)
    seen = expected
    for _ in range(LOOKS_MAX):
        seen = run(machine, table, cell)
        if seen == expected:
            return ""
    return f"the row says {expected}, Linux does {seen}"


def judge_walk(
    machine: Machine, seed: int, length: int, sysctl: dict[str, int | str] | None = None
) -> list[str]:
    """Walk with the kernel; return the way to the difference, if there is one in every look.

    ``sysctl`` is ours alone.
    """
    trail: list[str] = []
    for _ in range(LOOKS_MAX):
        rng = Random(seed)
        options = rng.choice(walks.OPTIONS)
        end = LinuxEnd(machine, options)
        try:
            trail = walks.side_by_side(seed, length, Ours(options, sysctl=sysctl), end, rng)
        finally:
            end.vanish()
        if not trail:
            break
    return trail


def cookies(machine: Machine) -> list[list[object]]:
    """Tell the story of SYN cookies for peers with various options."""
    stories = []
    for options in test_syncookies.PEERS:
        end = LinuxEnd(machine, options)
        try:
            stories.append(test_syncookies.story(end))
        finally:
            end.vanish()
    return stories


def crosses_of_the_past(machine: Machine) -> list[list[str]]:
    """Take the place of a TIME-WAIT, and let SYNs cross; return what each is answered with.

    The first is older than the connection that was, the second is not.
    """
    namespaces.set_sysctl("net.ipv4.tcp_tw_reuse", 1)
    end = LinuxEnd(machine, Options(timestamps=True))
    try:
        reach.time_wait_closed(end)
        end.wait(2 * S)
        end.iss = None
        end.connect()
        end.sent()
        answers = []
        for ts in (-50, 0):
            end.arrives(SYN, IRS, ts=ts)
            answers.append([str(sent) for sent in end.sent()])
        return answers
    finally:
        end.vanish()


def grown_by_early_text(machine: Machine) -> list[int]:
    """Return the receive buffers after much early text."""
    sizes = []
    for taken in (True, False):
        end = LinuxEnd(machine, Options())
        try:
            sizes.append(test_memory.grown_by_early_text(end, taken=taken))
        finally:
            end.vanish()
    return sizes


def time_wait_lasts(machine: Machine) -> int:
    """Return how long a TIME-WAIT that has just begun will last, in ns."""
    end = LinuxEnd(machine, Options())
    try:
        reach.time_wait_closed(end)
        assert end.state is State.TIME_WAIT
        return machine.timer_of(end.flow)
    finally:
        end.vanish()


def iss_clock(machine: Machine) -> tuple[int, int, int]:
    """Open the same connection twice; return how far the ISS has moved on.

    And the ns that passed meanwhile: at least, and at most.
    """
    end = LinuxEnd(machine, Options())
    numbers: list[int] = []
    times: list[int] = []
    for _ in range(2):
        times.append(time.monotonic_ns())
        end.connect()
        times.append(time.monotonic_ns())
        numbers.append(end.segments[-1].seq)
        end.vanish()
        time.sleep(0.02)
    return wrap(numbers[1] - numbers[0]), times[2] - times[1], times[3] - times[0]


def main() -> None:
    """Print, as JSON, what the kernel says: to each row of each table, and to so many walks."""
    from tests.unit.tcp.tables import TABLES

    count, length = int(sys.argv[1]), int(sys.argv[2])
    machine = Machine()
    namespaces.wake_on_time(namespaces.WIRE)  # some rows wait for 100 µs
    rows = {
        f"{number} {place}": judge_row(machine, table, cell)
        for number, table in enumerate(TABLES)
        for place, cell in enumerate(table.rows)
        if not cell.linux
    }
    trails = [judge_walk(machine, seed, length) for seed in range(count)]
    lame = [judge_walk(machine, seed, length, TALKATIVE) for seed in range(count // 20)]
    verdict = {
        "rows": rows,
        "walks": [trail for trail in trails if trail],
        "TIME-WAIT": time_wait_lasts(machine),
        "ISS": iss_clock(machine),
        "early text": grown_by_early_text(machine),
        "crossing SYNs": crosses_of_the_past(machine),
        "SYN cookies": cookies(machine),
        "a wrong row": judge_row(machine, Table("", reach.syn_sent, ()), WRONG),
        "walks of a stack that differs": [trail for trail in lame if trail],
    }
    json.dump(verdict, sys.stdout)


if __name__ == "__main__":
    main()
