"""Programs that would tell, if any code of theirs ran when it must not.

They tell through ``textwrap``, a module that guests and the interpreter share, where the test puts
a function that writes to a real file: it works in a world, outside, and while the interpreter ends.
"""

import atexit
import gc
import socket
import textwrap
import threading
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from halfopen import World


class Told:
    """Tells when it is left, and when it goes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tell = textwrap.tell  # type: ignore[attr-defined]
        self.itself: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.tell(f"{self.name} __exit__")

    def __del__(self) -> None:
        self.tell(f"{self.name} __del__")


def generator(name: str) -> Iterator[int]:
    tell = textwrap.tell  # type: ignore[attr-defined]
    try:
        yield 1
    finally:
        tell(f"{name} generator")


KEPT: list[object] = []


def equip(name: str) -> object:
    """Register everything that a process can register for its end."""
    tell = textwrap.tell  # type: ignore[attr-defined]
    atexit.register(tell, f"{name} atexit")
    threading._register_atexit(tell, f"{name} threading")  # type: ignore[attr-defined]
    KEPT.append(Told(f"{name} global"))
    weakref.finalize(KEPT[0], tell, f"{name} finalize")
    cycle = Told(f"{name} cycle")
    cycle.itself = cycle
    del cycle  # garbage now, that only a collection finds
    open_generator = generator(name)
    next(open_generator)
    return open_generator


def live(name: str, sock: socket.socket) -> None:
    """Talk to the peer until it closes, inside of everything that has an end."""
    tell = textwrap.tell  # type: ignore[attr-defined]
    held = equip(name)
    try:
        with Told(f"{name} with"), sock:
            local = Told(f"{name} local")
            try:
                sock.sendall(b"hello")
                while sock.recv(100):
                    pass
                raise LookupError  # noqa: TRY301  for the handler's sake
            except BaseException:  # noqa: BLE001  GreenletExit too
                tell(f"{name} except")
                gc.collect()  # also of what others left
            finally:
                tell(f"{name} finally")
            del local
    finally:
        tell(f"{name} outer finally")
    del held


def beside(name: str, lock: threading.Lock) -> None:
    tell = textwrap.tell  # type: ignore[attr-defined]
    try:
        with lock, Told(f"{name} thread's with"):
            tell(f"{name} thread")
    finally:
        tell(f"{name} thread's finally")


def client() -> None:
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=beside, args=("client", lock)).start()
    live("client", socket.create_connection(("server", 80)))
    lock.release()


def server() -> None:
    listener = socket.create_server(("", 80))
    conn, _ = listener.accept()
    conn.settimeout(1)
    live("server", conn)


def world() -> World:
    world = World()
    one, two = world.host("client"), world.host("server")
    world.link(one, two)
    two.start(server)
    one.start(client)
    return world
