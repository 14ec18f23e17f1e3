"""A client that sends in the order of a set, and waits for the reply."""

import socket
import time

from halfopen import World


def ask() -> None:
    with socket.create_connection(("server", 80)) as sock:
        for word in {f"word {number}" for number in range(20)}:  # the order of a set is meant
            sock.sendall(word.encode())
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)


def serve() -> None:
    listener = socket.create_server(("", 80))
    conn, _ = listener.accept()
    with conn:
        while conn.recv(4096):
            pass
        time.sleep(1)
        conn.sendall(b".")


def world() -> World:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve)
    client.start(ask)
    return world
