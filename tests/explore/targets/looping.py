"""The client and the server of ``asking.py`` over asyncio, with a task for each connection."""

# ruff: noqa: T201  programs print what they got

import asyncio

from halfopen import World

WORDS = (b"one", b"fourteen")


async def asking() -> None:
    reader, writer = await asyncio.open_connection("server", 80)
    for word in WORDS:
        writer.write(word)
        reply = b""
        while len(reply) < len(word):
            more = await reader.read(4096)
            if not more:
                raise SystemExit("the server is gone")
            reply += more
        print(reply.decode())
    writer.close()
    await writer.wait_closed()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while request := await reader.read(4096):
            writer.write(request.upper())
            await writer.drain()
    except OSError:
        print("a client is gone")
    writer.close()


async def serving() -> None:
    server = await asyncio.start_server(answer, "0.0.0.0", 80)
    async with server:
        await server.serve_forever()


def ask() -> None:
    asyncio.run(asking())


def serve() -> None:
    asyncio.run(serving())


def world() -> World:
    world = World()
    client, server = world.host("client"), world.host("server")
    world.link(client, server)
    server.start(serve)
    client.start(ask)
    return world
