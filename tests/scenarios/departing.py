"""Programs of runs in which Linux departs from the RFC."""

import contextlib
import socket
import time

from halfopen.scenario.model import Lab

PORT = 80


def server(lab: Lab) -> None:
    """Accept, and stay."""
    listener = socket.socket()
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    time.sleep(5)
    conn.close()


def client(lab: Lab) -> None:
    """Connect, send a little, and stay."""
    sock = socket.socket()
    sock.connect((lab.address("server"), PORT))
    time.sleep(0.05)
    sock.sendall(b"hello")
    lab.mark("sent")
    time.sleep(5)
    sock.close()


def crossing_a(lab: Lab) -> None:
    """Be one of the two."""
    _cross(lab, "a", "b")


def crossing_b(lab: Lab) -> None:
    """Be the other."""
    _cross(lab, "b", "a")


def _cross(lab: Lab, mine: str, theirs: str) -> None:
    sock = socket.socket()
    sock.bind((lab.address(mine), PORT))
    with contextlib.suppress(OSError):
        sock.connect((lab.address(theirs), PORT))
        time.sleep(0.2)
        sock.sendall(b"hello")
    time.sleep(5)
