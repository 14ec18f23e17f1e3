"""Ports and descriptors are drawn: which of the world's stands for which of the kernel's."""

from halfopen.compare.rules import EPHEMERAL
from halfopen.record.events import Json


class Renaming:
    """One to one, and learned from the first use."""

    def __init__(self) -> None:
        self._there: dict[int, int] = {}
        self._back: dict[int, int] = {}

    def same(self, world: int, kernel: int) -> bool:
        """Whether the two stand for each other, here as before."""
        known = self._there.setdefault(world, kernel)
        return known == kernel and self._back.setdefault(kernel, world) == world

    def forget(self, world: int) -> None:
        """A number is free again."""
        if world in self._there:
            del self._back[self._there.pop(world)]


class Names:
    """The renamings of one run: ports for all hosts together, descriptors for each process."""

    def __init__(self) -> None:
        self.ports = Renaming()
        self._fds: dict[tuple[str, int], Renaming] = {}

    def fds(self, process: str, life: int) -> Renaming:
        """The descriptors of one process, in one of its lives."""
        return self._fds.setdefault((process, life), Renaming())

    def same_port(self, world: int, kernel: int) -> bool:
        """Whether two ports are the same, or both drawn and stand for each other."""
        if world in EPHEMERAL and kernel in EPHEMERAL:
            return self.ports.same(world, kernel)
        return world == kernel

    def same_address(self, world: Json, kernel: Json) -> bool:
        """Whether two addresses, [host, port], are the same up to drawn ports."""
        if not (isinstance(world, list) and isinstance(kernel, list) and len(world) == len(kernel)):
            return world == kernel
        if len(world) < 2 or not (isinstance(world[1], int) and isinstance(kernel[1], int)):
            return world == kernel
        rest = [world[0], *world[2:]] == [kernel[0], *kernel[2:]]
        return rest and self.same_port(world[1], kernel[1])

    def same_result(self, call: str, fds: Renaming, world: Json, kernel: Json) -> bool:
        """Whether a call gave the same in both arms."""
        match call, world, kernel:
            case "accept", {"fd": int() as w, "peer": w_peer}, {"fd": int() as k, "peer": k_peer}:
                same = fds.same(w, k) and self.same_address(w_peer, k_peer)
            case "socket", _, _:
                same = True  # its descriptor is learned when it is used
            case "getsockname" | "getpeername", _, _:
                same = self.same_address(world, kernel)
            case "recvfrom" | "recvfrom_into", [w_data, w_from], [k_data, k_from]:
                same = w_data == k_data and self.same_address(w_from, k_from)
            case "poll" | "epoll_wait", list(), list():
                same = _same_ready(fds, world, kernel)
            case "select", list(), list():
                same = len(world) == len(kernel) and all(
                    _same_fds(fds, w, k) for w, k in zip(world, kernel, strict=True)
                )
            case "detach", int(), int():
                same = fds.same(world, kernel)
            case _:
                same = world == kernel
        return same


def _same_ready(fds: Renaming, world: list[Json], kernel: list[Json]) -> bool:
    """Compare [[fd, events], ...]; the kernel reports them in the order of registration."""
    if len(world) != len(kernel):
        return False
    for w, k in zip(world, kernel, strict=True):
        match w, k:
            case [int() as w_fd, w_events], [int() as k_fd, k_events]:
                if w_events != k_events or not fds.same(w_fd, k_fd):
                    return False
            case _:
                return False
    return True


def _same_fds(fds: Renaming, world: Json, kernel: Json) -> bool:
    if not (isinstance(world, list) and isinstance(kernel, list)):
        return world == kernel
    return len(world) == len(kernel) and all(
        isinstance(w, int) and isinstance(k, int) and fds.same(w, k)
        for w, k in zip(world, kernel, strict=True)
    )
