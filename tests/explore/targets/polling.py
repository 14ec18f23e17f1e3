"""A server that polls for ever, and clients that do and don't."""

# ruff: noqa: T201  programs print what they got

import socket
import time
from collections.abc import Callable
from socketserver import BaseRequestHandler, TCPServer

from halfopen import World


class Echo(BaseRequestHandler):
    """Sends back what it got first."""

    def handle(self) -> None:
        """Serve one client."""
        sock: socket.socket = self.request
        sock.settimeout(5)
        sock.sendall(sock.recv(100))


def serve() -> None:
    with TCPServer(("", 80), Echo) as server:
        server.serve_forever(poll_interval=20)


def ask() -> None:
    with socket.create_connection(("server", 80)) as sock:
        sock.sendall(b"one")
        print(sock.recv(100))


def beat() -> None:
    """Send something each second, more often than a program that polls is watched."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(300):
            time.sleep(1)
            sock.sendto(b"alive", ("server", 80))


def _joined(body: Callable[[], None], *others: Callable[[], None]) -> World:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    for other in others:
        server.start(other)
    client.start(body)
    return world


def world() -> World:
    """One request to a server whose loop never ends."""
    return _joined(ask, serve)


def beating() -> World:
    """A loop that is more than polling."""
    return _joined(beat)
