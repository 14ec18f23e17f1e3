"""Programs that print TCP_INFO, but for times and what hangs on them."""
# ruff: noqa: T201  programs print

import socket
import struct
import time
from typing import Final

from halfopen.scenario.model import Lab

PORT = 80
_NAMES: Final = (
    "state ca_state retransmits probes backoff options wscale limited rto ato snd_mss rcv_mss "
    "unacked sacked lost retrans fackets data_sent ack_sent data_recv ack_recv pmtu rcv_ssthresh "
    "rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"
)
FIELDS: Final = tuple(_NAMES.split())
#: Times, and whether the user was slow, which the world does not know.
LEFT_OUT: Final = frozenset(
    {"limited", "rto", "ato", "data_sent", "data_recv", "ack_recv", "rtt", "rttvar", "rcv_rtt"}
)


def show(name: str, sock: socket.socket) -> None:
    """Print what is the same in every run."""
    octets = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    found = dict(zip(FIELDS, struct.unpack("=8B24I", octets), strict=True))
    print(name, *(f"{field}={found[field]}" for field in FIELDS if field not in LEFT_OUT))


def server(lab: Lab) -> None:
    """Show the listener, and the connection from its beginning to its end."""
    listener = socket.socket()
    show("new", listener)
    listener.bind((lab.address("server"), PORT))
    listener.listen(5)
    show("listens", listener)
    lab.mark("listening")
    time.sleep(0.3)
    show("one waits", listener)
    conn, _ = listener.accept()
    show("accepted", conn)
    conn.recv(100, socket.MSG_WAITALL)
    show("read", conn)
    conn.send(bytes(20_000))
    show("sends", conn)
    time.sleep(0.3)
    show("has sent", conn)
    while conn.recv(5_000):
        pass
    show("at the end", conn)
    conn.close()
    time.sleep(10)


def client(lab: Lab) -> None:
    """Show the other side of it."""
    sock = socket.socket()
    sock.connect((lab.address("server"), PORT))
    show("connected", sock)
    time.sleep(0.3)
    sock.send(bytes(100))
    show("sends", sock)
    time.sleep(0.2)
    show("unread", sock)
    sock.recv(20_000, socket.MSG_WAITALL)
    show("read", sock)
    for _ in range(10):
        sock.send(bytes(1_000))
        time.sleep(0.05)
    show("has sent", sock)
    sock.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    show("has shut", sock)
    sock.close()
    time.sleep(10)
