"""Programs that talk to each other while something goes wrong."""

import contextlib
import socket
import time

from halfopen.scenario.model import Lab

PORT = 80
ROUNDS = 6
MUCH = 8000
#: So that the timers of the two ends don't fall together.
PONDER = 0.06


def server(lab: Lab) -> None:
    """Give back what comes, on one connection after another."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    while True:
        conn, _ = listener.accept()
        with contextlib.suppress(OSError):
            while text := conn.recv(100):
                time.sleep(PONDER)
                conn.sendall(text)
        conn.close()


def client(lab: Lab) -> None:
    """Ask and wait, several times; after an error once more, on a connection of its own."""
    with contextlib.suppress(OSError):
        _ask(lab)
        return
    lab.mark("again")
    time.sleep(0.1)
    with contextlib.suppress(OSError):
        _ask(lab)


def _ask(lab: Lab) -> None:
    sock = socket.socket()
    try:
        sock.settimeout(2)
        sock.connect((lab.address("server"), PORT))
        time.sleep(0.05)
        lab.mark("connected")
        for _ in range(ROUNDS):
            sock.sendall(b"ping")
            sock.recv(100)
            time.sleep(0.07)
    finally:
        sock.close()


def receiver(lab: Lab) -> None:
    """Answer once all has come; not a reader that takes some of it while more comes."""
    listener = socket.socket()
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    time.sleep(2)
    conn.recv(MUCH, socket.MSG_WAITALL)
    conn.sendall(b"done")
    conn.recv(1)
    conn.close()


def sender(lab: Lab) -> None:
    """Send at once what takes many segments, and wait for the answer."""
    sock = socket.socket()
    sock.connect((lab.address("server"), PORT))
    lab.mark("connected")
    time.sleep(0.05)
    sock.sendall(bytes(MUCH))
    sock.recv(4)
    sock.close()
