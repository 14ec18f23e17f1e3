"""Programs that send signals to one another, and wait in calls when they come."""
# ruff: noqa: T201  programs print

import contextlib
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

from halfopen.scenario.model import Lab
from halfopen.scenario.notes import pair

HERE: Final = "127.0.0.1"
TELLS: Final = 7
LISTENS: Final = 80
#: A process's number is told by two ports that a kernel might have drawn: they may differ.
LOW: Final = 32768
HIGH: Final = 50000
_BITS: Final = 14
COMES: Final = 0.3
OVER: Final = 0.3
PATIENCE: Final = 0.9


class InterruptedByHandlerError(Exception):
    """What the handler raises to get out of a call."""


def tell() -> None:
    """Let the other one know who this is."""
    pid = os.getpid()
    for port in (LOW + (pid & (1 << _BITS) - 1), HIGH + (pid >> _BITS)):
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind((HERE, port))
            sock.sendto(b"x", (HERE, TELLS))


def told(sock: socket.socket) -> int:
    """Hear who the other one is."""
    low, high = sorted(int(sock.recvfrom(1)[1][1]) for _ in range(2))
    return low - LOW | (high - HIGH) << _BITS


def target(lab: Lab) -> None:
    """Wait in a call until a signal comes; say when its handler runs, and what becomes of it."""

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        print("handler", signal.Signals(number).name, threading.current_thread().name)
        if lab.settings["handler"] == "raises":
            raise InterruptedByHandlerError

    signal.signal(signal.SIGUSR1, handler)
    if lab.settings["siginterrupt"] == "False":
        signal.siginterrupt(signal.SIGUSR1, False)
    with socket.create_server((HERE, LISTENS)) as listener:
        tell()
        conn, _ = listener.accept()
        try:
            print(WAITS[lab.settings["waits in"]](conn, listener))
        except (InterruptedByHandlerError, OSError) as error:
            print(type(error).__name__)
        lab.mark("returned")
        time.sleep(pair.LONG)


def _received(conn: socket.socket, _: socket.socket) -> object:
    return conn.recv(10)


def _received_in_time(conn: socket.socket, _: socket.socket) -> object:
    """With SO_RCVTIMEO, which would be over later."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", 2, 0))
    return conn.recv(10)


def _received_in_pythons_time(conn: socket.socket, _: socket.socket) -> object:
    conn.settimeout(PATIENCE)
    return conn.recv(10)


def _accepted(conn: socket.socket, listener: socket.socket) -> object:  # noqa: ARG001  as all
    return listener.accept()[0].recv(10)


def _selected(conn: socket.socket, _: socket.socket) -> object:
    return len(select.select([conn], [], [])[0])


def _slept(*_: socket.socket) -> object:
    time.sleep(COMES + OVER)
    return "slept"


def _locked(*_: socket.socket) -> threading.Lock:
    """A lock that another thread lets go after a while."""
    lock = threading.Lock()
    lock.acquire()

    def release() -> None:
        time.sleep(COMES + OVER)
        lock.release()

    threading.Thread(target=release, daemon=True).start()
    return lock


def _acquired(*_: socket.socket) -> object:
    return _locked().acquire()


def _acquired_in_time(*_: socket.socket) -> object:
    return _locked().acquire(timeout=PATIENCE)


def _paused(*_: socket.socket) -> object:
    signal.pause()
    return "paused"


WAITS: Final[dict[str, Callable[[socket.socket, socket.socket], object]]] = {
    "recv": _received,
    "recv, SO_RCVTIMEO": _received_in_time,
    "recv, settimeout": _received_in_pythons_time,
    "accept": _accepted,
    "select": _selected,
    "sleep": _slept,
    "acquire": _acquired,
    "acquire, a timeout": _acquired_in_time,
    "pause": _paused,
}


def sender(lab: Lab) -> None:
    """Send a signal to the other one, and a while later what it waits for."""
    with socket.socket(type=socket.SOCK_DGRAM) as heard:
        heard.bind((HERE, TELLS))
        lab.mark("listening")
        pid = told(heard)
    with socket.create_connection((HERE, LISTENS)) as conn:
        time.sleep(COMES)
        os.kill(pid, signal.SIGUSR1)
        time.sleep(OVER)
        conn.send(b"data")
        with contextlib.suppress(ConnectionError), socket.socket() as more:
            more.connect((HERE, LISTENS))
            more.send(b"more")
            time.sleep(pair.LONG)


def itself(lab: Lab) -> None:
    """Wait in a call while another thread sends the signal: to its process, or to itself."""

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        print("handler", threading.current_thread().name)

    def sends() -> None:
        time.sleep(COMES)
        if lab.settings["by"] == "raise_signal":
            signal.raise_signal(signal.SIGUSR1)
        else:
            os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(OVER)
        there.send(b"data")

    signal.signal(signal.SIGUSR1, handler)
    if lab.settings["siginterrupt"] == "False":
        signal.siginterrupt(signal.SIGUSR1, False)
    with socket.create_server((HERE, LISTENS)) as listener:
        there = socket.create_connection((HERE, LISTENS))
        conn, _ = listener.accept()
        threading.Thread(target=sends, daemon=True).start()
        print(WAITS[lab.settings["waits in"]](conn, listener))
        lab.mark("returned")
        time.sleep(pair.LONG)


#: Of the real-time signals.
FOURTH: Final = signal.SIGRTMIN + 3
FIFTH: Final = signal.SIGRTMIN + 4


def stopped(lab: Lab) -> None:
    """Be stopped while signals come; say which were told at last, and in which order."""

    def handler(number: int, frame: object) -> None:  # noqa: ARG001  as every handler
        print("handler", number)

    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGSYS, FOURTH, FIFTH):
        signal.signal(number, handler)
    with socket.create_server((HERE, LISTENS)) as listener:
        there = socket.create_connection((HERE, LISTENS))
        conn, _ = listener.accept()
        there.setblocking(False)
        signal.set_wakeup_fd(there.fileno())
        tell()
        time.sleep(0.5)
        lab.mark("slept")
        print(list(conn.recv(100)))
        if lab.settings["then"] == "stops itself":
            os.kill(os.getpid(), signal.SIGSTOP)
            lab.mark("goes on")
        time.sleep(pair.LONG)


def stops(lab: Lab) -> None:
    """Stop the other one, send it signals, let it go on; then end it."""
    with socket.socket(type=socket.SOCK_DGRAM) as heard:
        heard.bind((HERE, TELLS))
        lab.mark("listening")
        pid = told(heard)
    time.sleep(0.1)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.05)
    for number in (signal.SIGUSR2, FIFTH, FOURTH, signal.SIGSYS, signal.SIGUSR1) * 2:
        os.kill(pid, number)
    for number in WHILE_STOPPED.get(lab.settings["then"], ()):
        os.kill(pid, number)
    lab.mark("stopped")
    time.sleep(0.75)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.2)
    if lab.settings["then"] in WHILE_STOPPED:
        time.sleep(pair.LONG)  # it is over
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.1)
    os.kill(pid, signal.SIGWINCH)
    os.kill(pid, DEADLY[lab.settings["then"]])
    time.sleep(pair.LONG)


#: By these it is over as soon as it goes on.
WHILE_STOPPED: Final = {
    "SIGTERM": (signal.SIGTERM,),
    "SIGHUP, SIGTERM": (signal.SIGHUP, signal.SIGTERM),
    "SIGTERM, SIGHUP": (signal.SIGTERM, signal.SIGHUP),
}
DEADLY: Final = {
    "a real-time signal": signal.SIGRTMIN + 5,
    "stops itself": signal.SIGRTMAX,
    "SIGKILL": signal.SIGKILL,
}
