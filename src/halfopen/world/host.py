"""A host: addresses, a kernel while it has power, and processes."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from halfopen.record.events import StateChange, TimerFired
from halfopen.sockets.kernel import Kernel
from halfopen.sockets.table import FdTable
from halfopen.tcp.deadlines import next_deadline
from halfopen.tcp.tcb import Tcb
from halfopen.wire import ip
from halfopen.world.events import NEVER, Event
from halfopen.world.process import Process

if TYPE_CHECKING:
    from halfopen.world.link import Direction
    from halfopen.world.world import World


class Host:
    """A machine. Without power its kernel is None and it has no processes. Made by ``World.host``."""

    def __init__(
        self,
        world: "World",
        name: str,
        addresses: tuple[str, ...],
        sysctl: Mapping[str, int | str],
    ) -> None:
        self.world = world
        self.name = name
        self.addresses = addresses
        self.sysctl = sysctl
        self.kernel: Kernel | None = None
        self.boots = 0
        self.processes: list[Process] = []
        self.ways: list[Direction] = []  # what leaves by interface n goes to ways[n]
        self.on_boot: list[Callable[[Host, int], None]] = []
        self.flushing = False
