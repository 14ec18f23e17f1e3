"""What N01 and N02 share: a server that reads nothing, late or slowly what a client writes."""

import socket
import time
from collections.abc import Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Lab
from halfopen.scenario.notes import pair

CLIENT: Final = "client"
SERVER: Final = "server"
CABLE: Final = "client-server"
#: So long a way that a delayed ACK comes back well before the loss probe would leave.
DELAY_NS: Final = 50 * MS
WAY: Final = 0.05
#: The client begins so long after the handshake.
BEGIN: Final = 0.1

#: A reader that comes late begins so long after the connection did; both read at even distances,
#: so that neither what a read calls forth nor a timer falls on the next ones.
LATE: Final[Mapping[str, float]] = {"small": 1.93, "default": 2.23}
EARLY: Final = 0.19
STEP: Final = 0.22
FOR_EVER: Final = 1e6
AT_ONCE: Final = 1 << 17
#: A large buffer is filled in steps, each of which is acknowledged before the next: delayed ACKs
#: of one flight must not meet the next one's.
FILL: Final = 16000
FILLS: Final = 5
FILL_STEP: Final = 0.22
PIECE: Final = 4000


def listen(lab: Lab, rcvbuf: int | None) -> socket.socket:
    """Accept one connection with a receive buffer of a size; the window scale is fixed by then."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if rcvbuf is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    listener.bind((lab.address(SERVER), pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    conn, _ = listener.accept()
    listener.close()
    return conn


def read(lab: Lab, conn: socket.socket) -> None:
    """Read never, late or slowly, to the end of what comes."""
    how = lab.settings["reader"]
    if how == "never":
        time.sleep(FOR_EVER)
    due = time.monotonic() + (LATE[lab.settings["buffers"]] if how == "late" else EARLY)
    size = AT_ONCE if how == "late" else PIECE
    time.sleep(due - time.monotonic())
    while conn.recv(size):
        due += STEP
        time.sleep(max(due - time.monotonic(), 0))
    time.sleep(pair.LONG)


def connect(lab: Lab, sndbuf: int | None = None) -> socket.socket:
    """Connect, perhaps with a small send buffer, and wait until nothing is under way."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sndbuf is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
    sock.connect((lab.address(SERVER), pair.PORT))
    time.sleep(BEGIN)
    return sock


def fill(sock: socket.socket) -> None:
    """Write most of what a buffer of the usual size takes."""
    due = time.monotonic()
    for _ in range(FILLS):
        sock.sendall(bytes(FILL))
        due += FILL_STEP
        time.sleep(due - time.monotonic())


def octets_read(trace: Trace) -> int:
    """How much the server's program has read."""
    reads = [call.result for call in calls(trace, process=SERVER, call="recv")]
    return sum(int(str(each["len"])) for each in reads if isinstance(each, dict))
