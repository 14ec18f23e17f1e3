"""A conversation with so many points that an exploration takes a while."""

import socket

from halfopen import World


def ask() -> None:
    with socket.create_connection(("server", 80)) as sock:
        for _ in range(2_000):
            sock.sendall(b"x")
            sock.recv(1)


def serve() -> None:
    listener = socket.create_server(("", 80))
    conn, _ = listener.accept()
    with conn:
        while data := conn.recv(1):
            conn.sendall(data)


def world() -> World:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve)
    client.start(ask)
    return world
