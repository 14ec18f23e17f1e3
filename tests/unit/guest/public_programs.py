"""Programs for the public World's tests."""

# ruff: noqa: T201  programs print what they got

import socket
import sys
import time
from collections.abc import Iterator


def say(*words: str | float | None) -> None:
    print(time.monotonic() - 100, *map(repr, words))


def tell_addresses() -> None:
    print(socket.gethostname(), socket.gethostbyname("server"))


def answer(count: int = 1) -> None:
    listener = socket.create_server(("", 80))
    for _ in range(count):
        conn, _ = listener.accept()
        conn.sendall(b"hello")
        conn.close()
    raise SystemExit(4)


def call(host: str) -> None:
    with socket.create_connection((host, 80)) as sock:
        print(sock.recv(100).decode())
        print("at", round((time.monotonic() - 100) * 1000), "ms", file=sys.stderr)


def wait() -> None:
    time.sleep(50)


def fail() -> None:
    raise KeyError("lost")


async def later() -> None:
    """A coroutine function: a call of it runs nothing."""


def bit_by_bit() -> Iterator[None]:
    """A generator function: nor does a call of this."""
    yield
