"""The same client and server as in ``asking.py``, and both notice when the other is gone."""

# ruff: noqa: T201  programs print what they got

import socket
import time

from halfopen import Run, World

WORDS = (b"one", b"fourteen")


def ask() -> None:
    try:
        with socket.create_connection(("server", 80), timeout=10) as sock:
            for word in WORDS:
                sock.sendall(word)
                reply = b""
                while len(reply) < len(word):
                    more = sock.recv(4096)
                    if not more:
                        raise ConnectionError
                    reply += more
                print(reply.decode())
    except OSError:
        print("no reply")


def serve(work: float) -> None:
    listener = socket.create_server(("", 80))
    while True:
        conn, _ = listener.accept()
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            with conn:
                while request := conn.recv(4096):
                    if work:
                        time.sleep(work)
                    conn.sendall(request.upper())
        except OSError:
            print("a client is gone")


def said(run: Run) -> None:
    """Whatever happens, the client says how it went, or it was killed itself."""
    if run.ended("ask") == "exit 0":
        whole = run.output("ask").split("\n")
        assert whole[-2:] == ["FOURTEEN", ""] or "no reply" in whole


def world() -> World:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve, 0.0)
    client.start(ask)
    world.check(said)
    return world


def working() -> World:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve, 0.3)
    client.start(ask)
    world.check(said)
    return world
