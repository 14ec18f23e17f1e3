"""Programs that the tests of the kernel arm run as real processes."""

import os
import select
import signal
import socket
import sys
import threading
import time

from halfopen.scenario.model import Lab

PORT = 80


def marks(lab: Lab) -> None:
    """Say what the variant says."""
    lab.mark(lab.settings["name"])


def serves(lab: Lab) -> None:
    """Give back what comes on one connection."""
    listener = socket.socket()
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    while text := conn.recv(100):
        conn.sendall(text)
    conn.close()
    listener.close()


def calls(lab: Lab) -> None:
    """Make a call of every kind."""
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    sock.connect((lab.address("server"), PORT))
    sock.getsockname()
    sock.getpeername()
    sock.send(b"one")
    select.select([sock], [], [], 5)
    sock.recv(100)
    sock.sendmsg([b"t", b"wo"])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(5000)
    sock.recv_into(bytearray(100))
    sock.sendall(bytes(range(40)))
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN)
    epoll.poll(5)
    sock.recv(100)
    epoll.close()
    sock.settimeout(0.05)
    try:
        sock.recv(1)
    except TimeoutError:
        sock.setblocking(False)
    sock.connect_ex((lab.address("server"), PORT))
    worker = threading.Thread(target=sock.shutdown, args=(socket.SHUT_WR,), name="worker")
    worker.start()
    worker.join()
    sock.close()


def is_hung_up(lab: Lab) -> None:
    lab.mark("begins")
    os.kill(os.getpid(), signal.SIGHUP)


def raises(lab: Lab) -> None:
    """End by an error that nobody catches, after a word."""
    del lab
    sys.stdout.write("said\n")
    sys.stdout.flush()
    raise ValueError("of its own")


def dies(lab: Lab) -> None:
    """End in the way that the variant names."""
    name = lab.settings["name"]
    if name == "exit":
        sys.exit(3)
    if name == "_exit":
        os._exit(4)
    os.abort()


def lasts(lab: Lab) -> None:
    """Go on longer than any run."""
    lab.mark("lasts")
    time.sleep(60)
