"""Programs that set an option and show what comes of it."""
# ruff: noqa: T201  programs print

import contextlib
import select
import socket
import time
from typing import Final

from halfopen.scenario.model import Lab
from halfopen.scenario.notes import lingering, pair

S, T, IP = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP
OPTIONS: Final[dict[str, tuple[int, int, int]]] = {
    "IP_TOS": (IP, socket.IP_TOS, 0x10),
    "IP_TTL": (IP, socket.IP_TTL, 33),
    "TCP_NOTSENT_LOWAT": (T, socket.TCP_NOTSENT_LOWAT, 4_000),
    "TCP_WINDOW_CLAMP": (T, socket.TCP_WINDOW_CLAMP, 6_000),
    "TCP_MAXSEG": (T, socket.TCP_MAXSEG, 600),
    "SO_RCVLOWAT": (S, socket.SO_RCVLOWAT, 3_000),
    "SO_PRIORITY": (S, socket.SO_PRIORITY, 6),
    "SO_MARK": (S, socket.SO_MARK, 5),
}
CLOSED: Final = 81
#: More than is written: TCP_NOTSENT_LOWAT alone says how much.
ROOM: Final = 200_000


def _set(lab: Lab, sock: socket.socket, where: str) -> None:
    if lab.settings["set"] == where:
        sock.setsockopt(*OPTIONS[lab.settings["option"]])


def _show(lab: Lab, sock: socket.socket) -> None:
    level, name, _ = OPTIONS[lab.settings["option"]]
    print(sock.getsockopt(level, name))


def server(lab: Lab) -> None:
    """Accept, read what comes every now and then, send something, and close."""
    listener = socket.socket()
    _set(lab, listener, "listener")
    listener.bind((lab.address("server"), pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    _show(lab, conn)
    time.sleep(0.33)
    lingering.read(conn)
    conn.sendall(bytes(2_000))
    time.sleep(0.13)
    conn.sendall(bytes(2_000))
    time.sleep(0.13)
    conn.close()
    time.sleep(pair.LONG)


def client(lab: Lab) -> None:
    """Send as much as is taken, wait until more would be, read to the end; be refused, too."""
    sock = socket.socket()
    sock.setsockopt(S, socket.SO_SNDBUF, ROOM)
    _set(lab, sock, "client, before connect")
    sock.connect((lab.address("server"), pair.PORT))
    _set(lab, sock, "client, connected")
    _show(lab, sock)
    time.sleep(0.05)
    took = 0
    with contextlib.suppress(BlockingIOError):
        for _ in range(25 if lab.settings["option"] == "TCP_NOTSENT_LOWAT" else 12):
            took += sock.send(bytes(2_000), socket.MSG_DONTWAIT)
    print("took", took)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    print("more", len(poll.poll(600)))
    sock.shutdown(socket.SHUT_WR)
    poll.modify(sock, select.POLLIN)
    print("readable", len(poll.poll(900)), len(sock.recv(1 << 17, socket.MSG_DONTWAIT)))
    time.sleep(0.25)
    sock.close()
    refused = socket.socket()
    _set(lab, refused, "client, before connect")
    print("refused", refused.connect_ex((lab.address("server"), CLOSED)))
    time.sleep(pair.LONG)


def tied_server(lab: Lab) -> None:
    """Take connections and datagrams by one interface; open a connection by the other."""
    listener, datagrams = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    for sock in (listener, datagrams):
        sock.setsockopt(S, socket.SO_BINDTODEVICE, lab.settings["device"].encode())
        sock.bind(("0.0.0.0", pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    if poll.poll(700):
        conn, _ = listener.accept()
        print(conn.getsockopt(S, socket.SO_BINDTODEVICE, 16))
        conn.sendall(pair.PONG)
    poll.modify(listener, 0)
    poll.register(datagrams, select.POLLIN)
    if poll.poll(300):
        print(datagrams.recv(100))
    back = socket.socket()
    back.setsockopt(S, socket.SO_BINDTODEVICE, b"eth1")
    print("back", back.connect_ex((lab.address("b"), CLOSED)))
    time.sleep(pair.LONG)


def asking(lab: Lab) -> None:
    """Connect, say something by a datagram; what comes of it is in the record of the calls."""
    there = (lab.address("server"), pair.PORT)
    sock = socket.socket()
    if not sock.connect_ex(there):
        sock.recv(100)
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    datagrams.connect(there)
    datagrams.send(pair.PING)
    time.sleep(0.1)
    with contextlib.suppress(ConnectionRefusedError):
        datagrams.send(pair.PING)
    time.sleep(pair.LONG)


def half_closing(lab: Lab) -> None:
    """Close, with TCP_LINGER2 set; the peer's end comes some time later."""
    sock = pair.connected(lab)
    if lab.settings["TCP_LINGER2"] != "not set":
        sock.setsockopt(T, socket.TCP_LINGER2, int(lab.settings["TCP_LINGER2"]))
    sock.close()
    time.sleep(pair.LONG)


def closing_late(lab: Lab) -> None:
    """Close so long after the peer did."""
    conn = pair.accepted(lab)
    conn.recv(100)
    time.sleep(float(lab.settings["later"]))
    with contextlib.suppress(OSError):
        conn.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    conn.close()
    time.sleep(pair.LONG)


def refused(lab: Lab) -> None:
    """Connect by one interface to where a route refuses to lead; and say something there."""
    device = lab.settings["device"].encode()
    there = (lab.settings["to"], pair.PORT)
    family = socket.AF_INET6 if ":" in there[0] else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as sock:
            sock.setsockopt(S, socket.SO_BINDTODEVICE, device)
            sock.settimeout(0.2)
            print(sock.connect_ex(there), sock.getsockname()[0])
    time.sleep(pair.LONG)


#: A level, a name, and what is set: by what is wrong with it, and whose it is.
ASKED: Final = (
    *((S, name, value) for name in (33, 32, 36) for value in (b"", b"\1\0", b"\0\x10\0\0")),
    *((S, socket.SO_PRIORITY, value) for value in (b"\7\0", b"\7\0\0\0", b"\6\0\0\0")),
    *((S, socket.SO_RCVLOWAT, value) for value in (b"\1\0", bytes(4), b"\0\x10\0\0", b"\xff" * 4)),
    *((S, name, b"\1") for name in (socket.SO_RCVTIMEO, socket.SO_LINGER, socket.SO_ERROR, 9999)),
    *((S, name, b"\1\0\0\0") for name in (socket.SO_ERROR, 19, 9999)),
    *((T, name, b"reno") for name in (socket.TCP_CONGESTION, socket.TCP_INFO, 9999)),
    *((T, socket.TCP_NODELAY, value) for value in (b"\1", b"\1\0\0\0")),
    *((IP, socket.IP_TTL, value) for value in (b"", b"\1", b"\1\0\0\0")),
    *((level, 9999, value) for level in (IP, 17, 41, 99) for value in (b"", b"\1\0\0\0")),
    *((41, socket.IPV6_V6ONLY, value) for value in (b"\1", b"\1\0\0\0")),
)


def refuses(lab: Lab) -> None:
    """Set options as they should not be; read them."""
    family = socket.AF_INET if lab.settings["family"] == "IPv4" else socket.AF_INET6
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as sock:
            for level, name, value in ASKED:
                if level == IP and family == socket.AF_INET6:
                    continue  # what such a socket is told of IPv4 is not simulated
                with contextlib.suppress(OSError):
                    sock.setsockopt(level, name, value)
                with contextlib.suppress(OSError):
                    sock.getsockopt(level, name)
    print("refused")
    time.sleep(pair.LONG)
