"""Programs of runs over IPv6."""

import contextlib
import socket
import time
from itertools import product

from halfopen.scenario.model import Lab

PORT = 80
STREAM, DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
#: The number of the first interface; the loopback's is 1.
ETH0, LO = 2, 1


def kind(lab: Lab) -> int:
    return DATAGRAM if lab.settings["socket"] == "UDP" else STREAM


def at(host: str, port: int = 0) -> tuple[str, int, int, int]:
    """Write an address; a zone stands behind a percent sign, by name."""
    text, _, zone = host.partition("%")
    return text, port, 0, {"": 0, "eth0": ETH0, "lo": LO}[zone]


OWN = (
    *("::", "::1", "2001:db8::1", "2001:db8::9", "fe80::1", "fe80::1%eth0", "fe80::1%lo"),
    *("fe80::9%eth0", "ff02::1", "::ffff:10.0.0.1", "::ffff:10.0.0.9", "::ffff:0.0.0.0"),
    *("::ffff:127.0.0.1", "::ffff:224.0.0.1"),
)
THERE = (
    *("2001:db8::2", "2001:db8:9::9", "::", "::1", "fe80::2", "fe80::2%eth0", "fe80::2%lo"),
    *("ff02::1", "ff02::1%eth0", "::ffff:10.0.0.2", "::ffff:9.9.9.9", "::ffff:0.0.0.0"),
    *("::ffff:127.0.0.1", "::2"),
)
FROM = ("", "V6ONLY", "::1", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1%eth0", "::ffff:0.0.0.0")


def six(lab: Lab) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, kind(lab))
    sock.setblocking(False)
    return sock


def binds_to(sock: socket.socket, host: str) -> bool:
    """Bind, and close the socket where that fails."""
    try:
        sock.bind(at(host))
    except OSError:
        sock.close()
        return False
    return True


def binds(lab: Lab) -> None:
    """Bind to every kind of address, with and without IPV6_V6ONLY."""
    for host, only in product(OWN, (0, 1)):
        sock = six(lab)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        with contextlib.suppress(OSError):
            sock.bind(at(host, 7_000))
        sock.getsockname()
        sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        sock.close()


def connects(lab: Lab) -> None:
    """Connect to every kind of address, from every kind."""
    for there, own in product(THERE, FROM):
        if there.startswith("ff") and kind(lab) == DATAGRAM:
            continue
        sock = six(lab)
        if own == "V6ONLY":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        elif own and not binds_to(sock, own):
            continue
        sock.connect_ex(at(there, PORT))
        sock.getsockname()
        with contextlib.suppress(OSError):
            sock.getpeername()
        sock.close()


def sends(lab: Lab) -> None:
    """Send a datagram to every kind of address but groups, from every kind."""
    for there, own in product(THERE, FROM):
        if there.startswith("ff") or "9.9" in there:
            continue
        sock = six(lab)
        if own == "V6ONLY":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        elif own:
            sock.bind(at(own))
        with contextlib.suppress(OSError):
            sock.sendto(b"hello", at(there, 53))
        sock.getsockname()
        sock.close()


BOUND = (
    *((socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "10.0.0.1"), (socket.AF_INET, "127.0.0.1")),
    *((socket.AF_INET6, host) for host in ("::", "only", "::1", "2001:db8::1")),
    *((socket.AF_INET6, host) for host in ("::ffff:10.0.0.1", "::ffff:0.0.0.0")),
)


def bound(lab: Lab, family: int, host: str) -> socket.socket:
    sock = socket.socket(family, kind(lab))
    if lab.settings["share"] == "SO_REUSEADDR":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if host == "only":
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        host = "::"
    with contextlib.suppress(OSError):
        sock.bind((host, 7_000))
    return sock


def conflicts(lab: Lab) -> None:
    """Bind one port to two addresses, of one family or two."""
    for first, second in product(BOUND, BOUND):
        pair = [bound(lab, *first), bound(lab, *second)]
        if lab.settings["share"] == "listening":
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.listen(1)
        for sock in pair:
            sock.close()


def options(lab: Lab) -> None:
    """Set and read the options of the IPv6 layer, and those that it does not know."""
    for name, number in product((16, 26, 67, 0, 41, 63, 71), (-2, -1, 0, 1, 255, 256)):
        sock = six(lab)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IPV6, name, number)
        with contextlib.suppress(OSError):
            sock.getsockopt(socket.IPPROTO_IPV6, name)
        sock.close()
    for family, level in product((socket.AF_INET, socket.AF_INET6), (41, 77)):
        sock = socket.socket(family, kind(lab))
        with contextlib.suppress(OSError):
            sock.setsockopt(level, socket.IPV6_V6ONLY, 1)
        with contextlib.suppress(OSError):
            sock.getsockopt(level, socket.IPV6_V6ONLY)
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)
        sock.close()
    sock = six(lab)
    sock.bind(("::", 0))
    for short in (1, b"\x01"):
        with contextlib.suppress(OSError):
            sock.setsockopt(41, 26, short)
    sock.close()


# Talk.


def serves(lab: Lab) -> None:
    """Take one connection after the other, and give back what comes."""
    listener = socket.socket(socket.AF_INET6, STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    if lab.settings.get("marked") == "yes":
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 7)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x48)
    listener.bind(("::", PORT))
    listener.listen(5)
    lab.mark("listening")
    while True:
        conn, _ = listener.accept()
        conn.getsockname()
        conn.getpeername()
        with contextlib.suppress(OSError):
            while text := conn.recv(1 << 16):
                conn.sendall(text)
        conn.close()


def _reach(lab: Lab) -> tuple[int, tuple[object, ...]]:
    """Say by which family and address the server is reached."""
    match lab.settings["over"]:
        case "IPv4":
            return socket.AF_INET, ("10.0.0.2", PORT)
        case "mapped":
            return socket.AF_INET6, ("::ffff:10.0.0.2", PORT)
        case "link-local":
            near = "fe80::ff:fe00:102" if lab.settings.get("on") == "LAN" else "fe80::2"
            return socket.AF_INET6, (near, PORT, 0, ETH0)
        case _:
            return socket.AF_INET6, ("2001:db8::2", PORT)


def talks(lab: Lab) -> None:
    """Connect, send, receive, close."""
    family, there = _reach(lab)
    sock = socket.socket(family, STREAM)
    if lab.settings.get("marked") == "yes":
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 9)
    sock.connect(there)
    sock.getsockname()
    sock.getpeername()
    for size in (5, 100, 1_400):
        sock.sendall(bytes(size))
        got = 0
        while got < size:
            got += len(sock.recv(1 << 16))
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
    sock.close()
    time.sleep(0.2)


def is_refused(lab: Lab) -> None:
    """Connect to where nobody listens; what refuses has the class of what it answers."""
    family, there = _reach(lab)
    sock = socket.socket(family, STREAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 9)
    print("refused", sock.connect_ex((there[0], PORT + 1)))  # noqa: T201  as programs do
    time.sleep(0.2)


def sends_a_segment(lab: Lab) -> None:
    """Send a full segment, and wait for the end."""
    family, there = _reach(lab)
    sock = socket.socket(family, STREAM)
    sock.connect(there)
    lab.mark("connected")
    time.sleep(0.1)
    with contextlib.suppress(OSError):
        sock.sendall(bytes(1_400))
        while sock.recv(1 << 16):
            pass
    sock.close()


def swallows(lab: Lab) -> None:
    """Take one connection, and read to its end."""
    listener = socket.socket(socket.AF_INET6, STREAM)
    listener.bind(("::", PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    while conn.recv(1 << 16):
        pass
    conn.close()


def tries(lab: Lab) -> None:
    """Connect, and see what becomes of it."""
    family, there = _reach(lab)
    sock = socket.socket(family, STREAM)
    sock.settimeout(2)
    with contextlib.suppress(OSError):
        sock.connect(there)
    sock.close()


def hears_of_errors(lab: Lab) -> None:
    """Send while a router says that it can't be, and read SO_ERROR."""
    family, there = _reach(lab)
    sock = socket.socket(family, STREAM)
    sock.connect(there)
    lab.mark("connected")
    time.sleep(0.1)
    sock.sendall(b"hello")
    time.sleep(0.1)
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.settimeout(2)
    with contextlib.suppress(OSError):
        sock.recv(100)
    sock.close()


def datagrams(lab: Lab) -> None:
    """Send to a port that nobody has, connected and not; then to one that answers."""
    family, there = _reach(lab)
    for port, connected in product((9, 53), (False, True)):
        sock = socket.socket(family, DATAGRAM)
        sock.settimeout(0.2)
        if connected:
            sock.connect((there[0], port, *there[2:]))
            sock.getsockname()
            sock.getpeername()
            sock.send(b"hello")
        else:
            sock.sendto(b"hello", (there[0], port, *there[2:]))
        with contextlib.suppress(OSError):
            sock.recvfrom(100)
        with contextlib.suppress(OSError):
            sock.sendto(b"more", (there[0], port, *there[2:]))
        sock.close()


def takes(lab: Lab) -> None:
    """Take datagrams."""
    sock = socket.socket(socket.AF_INET6, DATAGRAM)
    sock.bind(("::", 53))
    lab.mark("listening")
    while True:
        sock.recvfrom(100)


def answers(lab: Lab) -> None:
    """Give datagrams back to whoever sent them."""
    sock = socket.socket(socket.AF_INET6, DATAGRAM)
    sock.bind(("::", 53))
    lab.mark("listening")
    while True:
        text, there = sock.recvfrom(100)
        sock.sendto(text, there)


def tries_long(lab: Lab) -> None:
    """Connect for as long as it takes."""
    family, there = _reach(lab)
    sock = socket.socket(family, STREAM)
    with contextlib.suppress(OSError):
        sock.connect(there)
    sock.close()
