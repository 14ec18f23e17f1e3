"""What two threads of a client do with one socket at once, and what their server does (N14)."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from halfopen.base.value import value
from halfopen.scenario.model import Lab
from halfopen.scenario.notes import lingering, pair, unread

#: The second thread makes its call so long after the first; so long after that something comes.
APART: Final = 0.05
LATER: Final = 0.1
#: When a server that has something to say says it, counted from when all is well.
SAYS: Final = 0.25

ONE: Final = b"one"
TWO: Final = b"two"
WHOLE: Final = b"abcdefgh"
HALF: Final = len(WHOLE) // 2
#: More than both buffers hold.
MUCH: Final = 40_000
LITTLE: Final = 500
BETWEEN: Final = b"between"

Act: TypeAlias = Callable[[], object]


@value
class Case:
    """Two calls at once, by name; what the client's threads do, and what its server does."""

    client: Callable[[Lab], None]
    server: Callable[[Lab], None]


def threads(*acts: Act) -> list[threading.Thread]:
    """Let each act be a thread's, one a little later than the other."""
    started = []
    for act in acts:
        thread = threading.Thread(target=_quietly, args=(act,), daemon=True)
        thread.start()
        started.append(thread)
        time.sleep(APART)
    return started


def _quietly(act: Act) -> None:
    with contextlib.suppress(OSError):  # which one is in the record of the calls
        act()


def _finish(*acts: Act) -> None:
    for thread in threads(*acts):
        thread.join()
    time.sleep(pair.LONG)


# Servers.


def says(*messages: bytes) -> Callable[[Lab], None]:
    """Say something after a while, one message after another."""

    def server(lab: Lab) -> None:
        conn = pair.accepted(lab)
        time.sleep(SAYS)
        for message in messages:
            conn.sendall(message)
            time.sleep(LATER)
        time.sleep(pair.LONG)

    return server


def ends(*, resets: bool) -> Callable[[Lab], None]:
    """Close after a while, or reset."""

    def server(lab: Lab) -> None:
        conn = pair.accepted(lab)
        time.sleep(SAYS)
        lingering.linger(conn, on=resets, seconds=0)
        conn.close()
        time.sleep(pair.LONG)

    return server


def answers(lab: Lab) -> None:
    """Answer whatever comes, by the same words."""
    conn = pair.accepted(lab)
    while word := conn.recv(100):
        conn.sendall(word)
    time.sleep(pair.LONG)


def reads_late(lab: Lab) -> None:
    """Read nothing for a while, and then everything."""
    conn = unread.listen(lab, lingering.SMALL)
    time.sleep(unread.BEGIN + SAYS)
    lingering.read(conn)
    time.sleep(pair.LONG)


def reads_a_little(lab: Lab) -> None:
    """Read nothing for a while, then a little, and the rest only later."""
    conn = unread.listen(lab, lingering.SMALL)
    time.sleep(unread.BEGIN + SAYS)
    conn.recv(1 << 12)
    time.sleep(2 * LATER)
    lingering.read(conn)
    time.sleep(pair.LONG)


def listens(lab: Lab) -> None:
    """Listen, and accept what comes, whatever it says."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address("server"), pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    while word := conn.recv(100):
        conn.sendall(word)
    time.sleep(pair.LONG)


def refuses(lab: Lab) -> None:
    """Have nobody at the port."""
    lab.mark("listening")
    time.sleep(pair.LONG)


def accepts_two(lab: Lab) -> None:
    """Take two connections, one after the other, and read from both."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address("server"), pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    first, _ = listener.accept()
    first.recv(100)
    second, _ = listener.accept()
    second.recv(100)
    time.sleep(pair.LONG)


def accepts_at_once(act: Callable[[socket.socket], Act]) -> Callable[[Lab], None]:
    """Accept in one thread; do something to the listener in another."""

    def server(lab: Lab) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((lab.address("server"), pair.PORT))
        listener.listen(5)
        started = threads(lambda: _kept.append(listener.accept()[0]), act(listener))
        lab.mark("listening")
        for thread in started:
            thread.join()
        time.sleep(pair.LONG)

    return server


def datagrams(lab: Lab) -> None:
    """Send two datagrams to whoever sent the first."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((lab.address("server"), pair.PORT))
    lab.mark("listening")
    _, there = sock.recvfrom(100)
    time.sleep(SAYS)
    sock.sendto(ONE, there)
    time.sleep(LATER)
    sock.sendto(TWO, there)
    time.sleep(pair.LONG)


# Clients.


def on_connected(*acts: Callable[[socket.socket], object]) -> Callable[[Lab], None]:
    """Do these at once with a connection."""

    def client(lab: Lab) -> None:
        sock = pair.connected(lab)
        _finish(*[_bound(act, sock) for act in acts])

    return client


def _bound(act: Callable[[socket.socket], object], sock: socket.socket) -> Act:
    return lambda: act(sock)


def on_full(*acts: Callable[[socket.socket], object]) -> Callable[[Lab], None]:
    """Do these at once with a connection whose send buffer is full."""

    def client(lab: Lab) -> None:
        sock = unread.connect(lab, lingering.SMALL)
        sock.send(bytes(MUCH), socket.MSG_DONTWAIT)
        _finish(*[_bound(act, sock) for act in acts])

    return client


def on_roomy(*acts: Callable[[socket.socket], object]) -> Callable[[Lab], None]:
    """Do these at once with a connection whose send buffer is small, and empty."""

    def client(lab: Lab) -> None:
        sock = unread.connect(lab, lingering.SMALL)
        _finish(*[_bound(act, sock) for act in acts])

    return client


def on_new(second: Callable[[socket.socket], object] | None = None) -> Callable[[Lab], None]:
    """Connect in one thread; in another connect too, or do something else with the socket."""

    def client(lab: Lab) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        there = (lab.address("server"), pair.PORT)

        def connect() -> None:
            sock.connect(there)

        _finish(connect, connect if second is None else _bound(second, sock))

    return client


def connects_twice(lab: Lab) -> None:
    """Open two connections, one after the other."""
    time.sleep(LATER)
    first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    first.connect((lab.address("server"), pair.PORT))
    time.sleep(LATER)
    second = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    second.connect((lab.address("server"), pair.PORT))
    time.sleep(pair.LONG)


def on_stale_number(lab: Lab) -> None:
    """Keep a socket's number, while another thread closes it and opens another one."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    there = (lab.address("server"), pair.PORT)
    sock.connect(there)
    sock.sendall(pair.PING)
    number = sock.fileno()

    def replace() -> None:
        sock.close()
        other = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        _kept.append(other)
        other.connect(there)

    def write() -> None:
        time.sleep(LATER)
        stale = socket.socket(fileno=number)
        _kept.append(stale)
        stale.sendall(pair.NEWS)

    _finish(replace, write)


#: Two objects of one number: none of them may close it.
_kept: list[socket.socket] = []


def on_datagrams(lab: Lab) -> None:
    """Receive datagrams in two threads, the first of which has room for a little more."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.sendto(pair.PING, (lab.address("server"), pair.PORT))
    _finish(lambda: sock.recvfrom(101), lambda: sock.recvfrom(100))


def _recv(sock: socket.socket) -> None:
    sock.recv(100)


def _recv_half(sock: socket.socket) -> None:
    sock.recv(HALF)


def _send(sock: socket.socket) -> None:
    sock.send(bytes(LITTLE))


def _send_much(sock: socket.socket) -> None:
    sock.send(b"a" * MUCH)


def _send_between(sock: socket.socket) -> None:
    for _ in range(12):
        with contextlib.suppress(BlockingIOError):
            sock.send(BETWEEN, socket.MSG_DONTWAIT)
            return
        time.sleep(0.03)


def _ping(sock: socket.socket) -> None:
    sock.sendall(pair.PING)


def _close(sock: socket.socket) -> None:
    sock.close()


def _shut_read(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RD)


def _shut_write(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def _shut(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def _options(sock: socket.socket) -> None:
    sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@qq", 0, 100_000))
    sock.getsockname()
    sock.getpeername()


def _set_non_blocking(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.recv(100)


def _poll(sock: socket.socket) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(400)


CASES: Final[Mapping[str, Case]] = {
    "recv, recv: two messages": Case(client=on_connected(_recv, _recv), server=says(ONE, TWO)),
    "recv, recv: one message": Case(
        client=on_connected(_recv_half, _recv_half), server=says(WHOLE)
    ),
    "recv, recv: the end": Case(client=on_connected(_recv, _recv), server=ends(resets=False)),
    "recv, recv: a reset": Case(client=on_connected(_recv, _recv), server=ends(resets=True)),
    "recv, send": Case(client=on_connected(_recv, _ping), server=answers),
    "recv, options": Case(client=on_connected(_recv, _options), server=says(ONE)),
    "recv, setblocking": Case(client=on_connected(_recv, _set_non_blocking), server=says(ONE)),
    "recv, shutdown SHUT_RD": Case(client=on_connected(_recv, _shut_read), server=says(ONE)),
    "recv, shutdown SHUT_RDWR": Case(client=on_connected(_recv, _shut), server=says(ONE)),
    "recv, close": Case(client=on_connected(_recv, _close), server=says(ONE)),
    "poll, poll": Case(client=on_connected(_poll, _poll), server=says(ONE)),
    "poll, close": Case(client=on_connected(_poll, _close), server=says(ONE)),
    "poll, shutdown SHUT_RDWR": Case(client=on_connected(_poll, _shut), server=says(ONE)),
    "send, send: room": Case(client=on_roomy(_send, _send), server=reads_late),
    "send, send: no room": Case(client=on_full(_send, _send), server=reads_late),
    "send, send: room comes": Case(
        client=on_roomy(_send_much, _send_between), server=reads_a_little
    ),
    "send, shutdown SHUT_WR": Case(client=on_roomy(_send_much, _shut_write), server=reads_late),
    "send, close": Case(client=on_roomy(_send_much, _close), server=reads_late),
    "connect, connect: accepted": Case(client=on_new(), server=listens),
    "connect, connect: refused": Case(client=on_new(), server=refuses),
    "connect, send": Case(client=on_new(_ping), server=listens),
    "connect, recv": Case(client=on_new(_recv), server=listens),
    "connect, shutdown SHUT_RDWR": Case(client=on_new(_shut), server=listens),
    "connect, close": Case(client=on_new(_close), server=listens),
    "accept, accept": Case(
        client=connects_twice,
        server=accepts_at_once(lambda listener: lambda: _kept.append(listener.accept()[0])),
    ),
    "accept, shutdown SHUT_RDWR": Case(
        client=connects_twice, server=accepts_at_once(lambda listener: lambda: _shut(listener))
    ),
    "accept, close": Case(
        client=connects_twice, server=accepts_at_once(lambda listener: listener.close)
    ),
    "close, write to its number": Case(client=on_stale_number, server=accepts_two),
    "recvfrom, recvfrom: datagrams": Case(client=on_datagrams, server=datagrams),
}
