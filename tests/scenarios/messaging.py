"""Programs that wait for urgent data, or for what a router says."""

import contextlib
import select
import socket
import time

from halfopen.scenario.model import Lab

PORT = 80
IP_RECVERR = 11


def _accept(lab: Lab) -> socket.socket:
    listener = socket.socket()
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    return conn


def sender(lab: Lab) -> None:
    """Send text, urgent text, and text again."""
    sock = socket.socket()
    sock.connect((lab.address("server"), PORT))
    for text, flags in ((b"one", 0), (b"two!", socket.MSG_OOB), (b"?", socket.MSG_OOB), (b"x", 0)):
        time.sleep(0.1)
        sock.send(text, flags)
    time.sleep(0.1)
    sock.close()
    time.sleep(10)


def waiter(lab: Lab) -> None:
    """Wait for what is urgent as the settings say; then read all."""
    conn = _accept(lab)
    how = lab.settings["waits by"]
    if how == "select":
        select.select([], [], [conn])
    elif how == "poll":
        poll = select.poll()
        poll.register(conn, select.POLLPRI)
        poll.poll()
    elif how == "epoll":
        epoll = select.epoll()
        epoll.register(conn, select.EPOLLPRI | select.EPOLLET)
        for _ in range(3):
            epoll.poll()
    elif how == "WAITALL":
        conn.recv(99, socket.MSG_WAITALL)
    elif how == "in the stream":
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    time.sleep(0.05)
    for flags in (socket.MSG_OOB, 0, 0, socket.MSG_OOB, 0, 0):
        with contextlib.suppress(OSError):
            conn.recv(99, flags)
    conn.close()
    time.sleep(10)


def talker(lab: Lab) -> None:
    """Send what does not arrive at first, and wait for the answer: twice, whatever is told."""
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, lab.settings["recverr"] == "1")
    sock.connect((lab.address("server"), PORT))
    time.sleep(0.05)
    lab.mark("sends")
    time.sleep(0.05)
    sock.send(b"hello")
    for _ in range(2):
        with contextlib.suppress(OSError):
            sock.recv(9)
    with contextlib.suppress(OSError):
        sock.recv(9, socket.MSG_ERRQUEUE)
    sock.close()
    time.sleep(10)


def answerer(lab: Lab) -> None:
    """Answer once."""
    conn = _accept(lab)
    conn.send(conn.recv(9))
    time.sleep(10)


def asks_by_udp(lab: Lab) -> None:
    """Ask by a datagram that does not arrive; wait for the answer, and for an error."""
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, lab.settings["recverr"] == "1")
    sock.settimeout(0.3)
    if lab.settings["connected"] == "yes":
        sock.connect((lab.address("server"), PORT))
    lab.mark("sends")
    time.sleep(0.05)
    sock.sendto(b"hello", (lab.address("server"), PORT))
    for flags in (0, socket.MSG_ERRQUEUE):
        with contextlib.suppress(OSError):
            sock.recvmsg(99, 99, flags)
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(0)
    sock.close()
    time.sleep(10)


def connects(lab: Lab) -> None:
    """Connect, be told that there is no way, and ask why."""
    sock = socket.socket()
    lab.mark("sends")
    time.sleep(0.05)
    with contextlib.suppress(OSError):
        sock.connect((lab.address("server"), PORT))
    for _ in range(2):
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        poll.poll(0)
        with contextlib.suppress(OSError):
            sock.recvfrom(0, socket.MSG_ERRQUEUE)
    with contextlib.suppress(OSError):
        sock.connect((lab.address("server"), PORT))
    sock.close()
    time.sleep(10)


def nobody(lab: Lab) -> None:  # noqa: ARG001  as every program
    """Do not answer."""
    time.sleep(10)
