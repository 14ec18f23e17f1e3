"""What N48 to N50 share: a client that ends with data on their way, and what its peer is at."""

import contextlib
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from halfopen.base.units import MS
from halfopen.record.faults import CableIn, CableOut, Fault, Kill, PowerOff
from halfopen.record.query import Call, calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Lab, OnMark, Program, Step, Variant
from halfopen.scenario.notes import pair, unread
from halfopen.scenario.notes.reading import segments_from
from halfopen.scenario.notes.unread import CABLE, CLIENT, DELAY_NS, SERVER
from halfopen.wire.tcp import FIN, RST

SMALL: Final = 8192
#: More than all buffers hold.
MESSAGE: Final = 1 << 20
NEWS: Final = b"news"

#: The client says that all is well, and ends so much later; in between its peer may be gone.
PONDER: Final = 0.12
GONE_AFTER_NS: Final = 50 * MS
#: After the loss probe, whose answer may be read in two ways (Linux tcp_rack_advance).
AGAIN_AFTER_NS: Final = 460 * MS
#: When a peer reads that comes late.
LATE: Final = 0.55
#: When a peer begins to read, counted from when all is well, and how long it rests in between: some
#: time after segments came that a read called forth.
SOON: Final = 0.15
BEGINS: Final[Mapping[str, float]] = {
    "reads late": LATE,
    "reads later": 1.63,
    "cable out and in": 1.63,
}
STEP: Final = 0.13
#: A peer that is killed is killed while its client's close waits for it.
KILLED_AFTER_NS: Final = 550 * MS
#: With one retry an orphan's segments are repeated for less than 2 s.
SHORT: Final = {"net.ipv4.tcp_orphan_retries": 1}

#: Descriptors of a program that exits without ``close``: a global keeps them open to the end.
_kept: list[socket.socket] = []


def linger(sock: socket.socket, *, on: bool, seconds: int) -> None:
    """Set SO_LINGER."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", on, seconds))


def server(lab: Lab) -> None:
    """Be a peer that reads soon, late or never, or that speaks when it is not expected to."""
    peer = lab.settings["peer"]
    conn = unread.listen(lab, SMALL)
    if lab.settings.get("unread", "none") == "data":
        conn.sendall(NEWS)
    if peer in {"never reads", "is killed, data unread"}:
        time.sleep(unread.FOR_EVER)
    if peer == "speaks":
        time.sleep(unread.BEGIN + LATE - 0.3)
        conn.sendall(NEWS)
        time.sleep(0.3)
    else:
        time.sleep(unread.BEGIN + BEGINS.get(peer, SOON))
    read(conn)
    time.sleep(pair.LONG)


def read(conn: socket.socket) -> None:
    """Read to the end, every now and then: never while segments come in."""
    due = time.monotonic()
    while True:
        with contextlib.suppress(BlockingIOError):
            try:
                if not conn.recv(1 << 17, socket.MSG_DONTWAIT):
                    return
            except ConnectionResetError:
                return
        due += STEP
        time.sleep(due - time.monotonic())


def server_that_is_busy(lab: Lab) -> None:
    """Listen, and do nothing else."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((lab.address(SERVER), pair.PORT))
    listener.listen(5)
    lab.mark("listening")
    time.sleep(pair.LONG)


def connected(lab: Lab) -> socket.socket:
    """Connect, say that all is well, and give the peer's host time to vanish."""
    sock = unread.connect(lab, SMALL)
    lab.mark("all is well")
    time.sleep(PONDER)
    return sock


def write(sock: socket.socket, pending: str) -> None:
    """Write what the kernel takes, or nothing."""
    if pending == "data":
        with contextlib.suppress(OSError):
            sock.send(bytes(MESSAGE), socket.MSG_DONTWAIT)


def _non_blocking(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.close()


def _close_last(sock: socket.socket) -> None:
    other = sock.dup()
    sock.close()
    time.sleep(0.05)
    other.close()


def _shutdown_first(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)
    sock.close()


def _exit_now(sock: socket.socket) -> None:
    _kept.append(sock)
    os._exit(1)


def _exit(sock: socket.socket) -> None:
    _kept.append(sock)
    sys.exit(0)


def _killed(sock: socket.socket) -> None:
    _kept.append(sock)
    os.kill(os.getpid(), signal.SIGKILL)


#: How a program lets go of its socket.
ENDS: Final[dict[str, Callable[[socket.socket], None]]] = {
    "close": socket.socket.close,
    "close, non-blocking": _non_blocking,
    "close, duplicate first": _close_last,
    "shutdown, then close": _shutdown_first,
    "os._exit": _exit_now,
    "exit": _exit,
    "SIGKILL": _killed,
}

PEERS: Final = (
    "reads",
    "reads late",
    "reads later",
    "never reads",
    "speaks",
    "is killed, data unread",
    "cable out and in",
    "host off",
)
_GONE: Final[dict[str, tuple[Fault, ...]]] = {
    "host off": (PowerOff(host=SERVER),),
    "cable out and in": (CableOut(link=CABLE), CableIn(link=CABLE)),
    "is killed, data unread": (Kill(process=SERVER),),
}


def variant(
    settings: Mapping[str, str],
    client: Program,
    *,
    horizon_ns: int,
    because: str = "",
    sysctl: Mapping[str, int | str] | None = None,
) -> Variant:
    """Build the run. ``peer`` says what the server does, or what becomes of it."""
    faults = _GONE.get(settings["peer"], ())
    killed = settings["peer"].startswith("is killed")
    first = KILLED_AFTER_NS if killed else GONE_AFTER_NS
    when = (first, AGAIN_AFTER_NS)
    default = {} if because else SHORT
    return pair.variant(
        settings,
        server=server,
        client=client,
        horizon_ns=horizon_ns,
        steps=tuple(
            Step(when=OnMark(process=CLIENT, name="all is well", delay_ns=after), fault=fault)
            for fault, after in zip(faults, when, strict=False)
        ),
        sysctl=default if sysctl is None else sysctl,
        because=because,
        delay_ns=DELAY_NS,
    )


def written(trace: Trace) -> int:
    """How much the client's kernel took; nothing where it did not write."""
    taken = [call.result for call in calls(trace, process=CLIENT, call="send")]
    return sum(each for each in taken if isinstance(each, int))


def closing(trace: Trace) -> Call:
    """The close that is the client's last."""
    return calls(trace, process=CLIENT, call="close")[-1]


def told(trace: Trace) -> str:
    """What the last recv of the server gave: ``end``, an errno, or ``nothing`` where it waits."""
    reads = calls(trace, process=SERVER, call="recv")
    if not reads or reads[-1].returned_ns is None:
        return "nothing"
    last = reads[-1]
    if last.errno is not None:
        return "nothing" if last.errno == "EAGAIN" else last.errno
    return "end" if last.result == {"len": 0, "head": ""} else "data"


def sent(trace: Trace, flag: int) -> int:
    """How many segments with a flag left the client, repeated ones included."""
    return sum(1 for seen in segments_from(trace, CLIENT) if seen.seg.flags & flag)


def kinds(trace: Trace) -> frozenset[str]:
    """By what the client's host ended the connection: FIN, RST, both or neither."""
    return frozenset(name for name, flag in (("FIN", FIN), ("RST", RST)) if sent(trace, flag))
