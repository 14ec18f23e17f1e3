"""A client that asks and a server that answers, neither of which ever gives up."""

# ruff: noqa: T201  programs print what they got

import socket
import time

from halfopen import World

WORDS = (b"one", b"fourteen")


def ask() -> None:
    with socket.create_connection(("server", 80)) as sock:
        for word in WORDS:
            sock.sendall(word)
            reply = b""
            while len(reply) < len(word):
                more = sock.recv(4096)
                if not more:
                    raise SystemExit("the server is gone")
                reply += more
            print(reply.decode())


def ask_once() -> None:
    with socket.create_connection(("server", 80)) as sock:
        sock.sendall(b"one")
        print(sock.recv(4096).decode())


def serve(work: float) -> None:
    listener = socket.create_server(("", 80))
    while True:
        conn, _ = listener.accept()
        try:
            with conn:
                while request := conn.recv(4096):
                    if work:
                        time.sleep(work)
                    conn.sendall(request.upper())
        except OSError:
            print("a client is gone")


def _joined(work: float) -> World:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve, work)
    client.start(ask)
    return world


def world() -> World:
    """The server answers at once: its acknowledgment and its reply leave at one instant."""
    return _joined(0.0)


def working() -> World:
    """The server works longer than an acknowledgment may be delayed."""
    return _joined(0.3)


def once() -> World:
    """One request, and no more."""
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve, 0.0)
    client.start(ask_once)
    return world


class ShopClosedError(ConnectionError):
    """An error of the program's own."""


def ask_or_say_why() -> None:
    with socket.create_connection(("server", 80)) as sock:
        sock.settimeout(1)
        try:
            sock.sendall(b"one")
            print(sock.recv(4096).decode())
        except OSError as error:
            raise ShopClosedError from error


def wrapped() -> World:
    """The client tells every error of a socket by a class of its own."""
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve, 0.0)
    client.start(ask_or_say_why)
    return world
