"""A name server that answers oddly, and one beside it that does not; a client that asks."""

import contextlib
import select
import socket
import struct
import time
from threading import Thread

from halfopen.scenario import zones
from halfopen.scenario.model import Lab
from halfopen.scenario.notes import naming

ODD = "10.0.0.3"
PAUSE = 0.01
#: What each name is answered with; every one of them has an address.
NAMES = (
    *("spoofed", "question", "lame", "bare", "short", "cut", "noise", "notimp", "formerr", "case"),
    *("swapped", "twice", "late", "closes", "resets", "trickles", "wrong", "header", "nobody"),
    *("loop", "target", "type", "length", "first", "second", "neither", "parted"),
)
ZONE = zones.Zone(
    ("example.org",), "\n".join(f"{name}.example.org A 192.0.2.{n}" for n, name in enumerate(NAMES))
)
_HEADER = struct.Struct("!6H")
_SERVFAIL = 2


def serve(lab: Lab) -> None:
    """Be both servers, over UDP and TCP."""
    odd, plain = (naming.bound(address) for address in (ODD, naming.SERVER_ADDRESS))
    listener = naming.bound(ODD, socket.SOCK_STREAM)
    listener.listen(5)
    Thread(target=naming.answer_all, args=(plain, None, ZONE), daemon=True).start()
    lab.mark("serving")
    room = bytearray(4096)
    resets = 0
    while True:
        ready, _, _ = select.select([odd, listener], [], [])
        if listener in ready:
            conn, _ = listener.accept()
            with conn:
                resets += _over_tcp(conn, resets)
            continue
        with contextlib.suppress(ConnectionRefusedError):
            size, client = odd.recvfrom_into(room)
            for answer in _answers(bytes(room[:size])):
                time.sleep(PAUSE)
                odd.sendto(answer, client)


def _answers(query: bytes) -> list[bytes]:
    """What one query is answered with, one after another."""
    name, kind = zones.asked(query)
    right = ZONE.answer(query)
    ident, flags, *counts = _HEADER.unpack(right[:12])
    body = right[12:]

    def head(*, ident: int = ident, flags: int = flags, counts: list[int] = counts) -> bytes:
        return _HEADER.pack(ident, flags, *counts)

    cut_off = [head(flags=flags | 0x0200, counts=[1, 0, 0, 0]) + query[12:]]
    what = name.partition(".")[0]
    found: dict[str, list[bytes]] = {
        "spoofed": [head(ident=ident ^ 1) + body, right],
        "question": [head() + body.replace(b"\x08question", b"\x08answered"), right],
        "lame": [head(flags=0x8000, counts=[1, 0, 0, 0]) + query[12:]],
        "bare": [head(flags=0x8005, counts=[0, 0, 0, 0])],
        "short": [right[:5]],
        "cut": [right[:-2] if kind == "A" else right],
        "noise": [b"\xff" * 40, right],
        "notimp": [head(flags=flags | 4, counts=[1, 0, 0, 0]) + query[12:]],
        "formerr": [head(flags=flags | 1, counts=[1, 0, 0, 0]) + query[12:]],
        "case": [right.replace(b"\x04case", b"\x04CaSe")],
        "twice": [right, right],
        "late": [] if kind == "AAAA" else [right],
        "loop": [right.replace(b"\xc0\x0c", b"\xc0\x2d", 1)],
        "target": [_alias(query, b"\x04not!\xc0\x14")],
        "type": [
            right[:12] + body.replace(b"\x00\x01\x00\x01\x00\x00", b"\x00\x10\x00\x01\x00\x00")
        ],
        "length": [
            right.replace(b"\x00\x04\xc0\x00", b"\x00\x03\xc0\x00")[: -1 if kind == "A" else None]
        ],
        "first": [_failing(query)] if kind == "A" else [right],
        "second": [_failing(query)] if kind == "AAAA" else [right],
        "neither": [_failing(query)],
        "parted": [right] if kind == "A" else [],
    }
    if what in {"closes", "resets", "trickles", "wrong", "header"}:
        return cut_off
    return found.get(what, [right])


def _failing(query: bytes) -> bytes:
    ident, flags, *_ = _HEADER.unpack(query[:12])
    return _HEADER.pack(ident, flags | 0x8000 | _SERVFAIL, 1, 0, 0, 0) + query[12:]


def _alias(query: bytes, target: bytes) -> bytes:
    """An alias that leads to what is no host's name, and an address of that."""
    ident, flags, *_ = _HEADER.unpack(query[:12])
    head = _HEADER.pack(ident, flags | 0x8480, 1, 2, 0, 0)
    alias = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c" + len(target).to_bytes(2) + target
    at = (0xC000 | 12 + len(query[12:]) + 12).to_bytes(2)
    address = at + b"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x63"
    return head + query[12:] + alias + address


def _over_tcp(conn: socket.socket, resets: int) -> int:
    """Answer on a connection as its first query says; 1 where it was reset."""
    queries: list[bytes] = []
    while len(queries) < 2:
        queries.append(_read(conn, int.from_bytes(_read(conn, 2))))
    what = zones.asked(queries[0])[0].partition(".")[0]
    whole = b""
    for query in queries:
        right = ZONE.answer(query, over_tcp=True)
        if what == "wrong":
            whole += len(right).to_bytes(2) + bytes([right[0] ^ 1]) + right[1:]
        whole += len(right).to_bytes(2) + right
    if what == "closes":
        return 0
    if what == "header":
        conn.sendall(b"\x00\x05hello")
    elif what == "resets" and not resets:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return 1
    elif what == "trickles":
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first = 2 + int.from_bytes(whole[:2])
        for part in (whole[:4], whole[4:first], whole[first:]):
            conn.sendall(part)
            time.sleep(PAUSE)
    else:
        conn.sendall(whole)
    conn.recv(1)
    return 0


def _read(conn: socket.socket, size: int) -> bytes:
    """Read so much; it begins with a drawn number, which is not to be recorded."""
    room = bytearray(size)
    conn.recv_into(room, size, socket.MSG_WAITALL)
    return bytes(room)


def ask(lab: Lab) -> None:
    """Ask for one name, in one family or in both."""
    name = f"{lab.settings['name']}.example.org"
    family = socket.AF_INET if lab.settings["family"] == "IPv4" else socket.AF_UNSPEC
    flags = socket.AI_CANONNAME
    naming.attempt(lambda: socket.getaddrinfo(name, None, family, socket.SOCK_STREAM, 0, flags))
    time.sleep(naming.LONG)
