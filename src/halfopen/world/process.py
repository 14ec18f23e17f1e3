"""A process: a lifecycle, a table of descriptors, and tasks injected by the layer above.

A task is one thread of a program. The world resumes it; it runs until it waits or ends, and comes
back. While it runs it may end its own process (``exit``, or a fault that strikes at a point inside
a call): ``abandon`` is called on it like on the others, and it must then leave for ever at the end
of the call that it is in, without running any more code of the program.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from halfopen.base.value import value
from halfopen.record.events import Mark, ProcessEnded, ProcessStarted
from halfopen.world.events import NEVER, Event

if TYPE_CHECKING:
    from halfopen.world.host import Host
    from halfopen.world.world import World

RUNNING: Final = 0
STOPPED: Final = 1
ENDED: Final = 2


@value
class Waiting:
    """Who waits, where in the program, since when and for what."""

    host: str
    process: str
    thread: str
    where: str  # "client.py:31", the innermost line of the program itself, or of the library
    line: str  # what stands there: "reply = sock.recv(4096)"
    call: str  # "recv", "acquire", "sleep"
    what: str  # "data", "room", "a connection", "a lock", "an item", "time"
    since_ns: int
    until_ns: int | None  # its deadline, if it has one
    own: bool = True  # whether ``where`` is a line of the program: a pool's idle thread has none
    task: str = ""  # the asyncio task in this thread's loop that waits, as it is named


class Task(Protocol):
    """One thread of a program, injected by ``guest``."""

    def resume(self, now: int) -> None:
        """Run on, until the task waits again or ends. Never called again after ``abandon``."""

    def abandon(self) -> None:
        """Take note that the process is over. No code of the program may run, now or later."""

    def describe(self) -> Waiting | None:
        """Say what the task waits for; None where it does not wait."""


class Waiter(Event):
    """The one handle by which a task is woken: by the queues that it is given to, or its deadline.

    However many queues wake it, a wait ends once. Wake-ups resume their tasks at the same
    instant, in the order in which they came, after the work that woke them is done.
    """

    def __init__(self, process: "Process", task: Task) -> None:
        self.process = process
        self.task = task
        self.armed = False
        self.timed_out = False  # whether the last wait ended by its deadline
        self.ended = False
        self.alarm = Alarm(self)

    def arm(self, deadline: int | None) -> None:
        """Begin a wait: from now on ``wake`` counts.

        Call it before the task goes back to the world.
        """
        assert not self.ended, "a task that has ended waits"
        self.armed = True
        self.timed_out = False
        self.alarm.set(deadline)

    def wake(self) -> None:
        """End the wait, if there is one: the task is resumed at this instant."""
        if self.armed:
            self.armed = False
            self.alarm.deadline = NEVER
            world = self.process.world
            world.queue.push(world.now, self)

    def close(self) -> None:
        """Never wake again: the task has ended, or its process has."""
        self.ended = True
        self.armed = False
        self.alarm.deadline = NEVER

    def due(self, at: int) -> int:
        """A task that ended meanwhile is not resumed."""
        return NEVER if self.ended else at

    def fire(self, now: int) -> None:
        """Resume the task, or hold it back while its process is stopped."""
        process = self.process
        if process.state == STOPPED:
            process.held.append(self)
            return
        world = process.world
        world.running = self
        self.task.resume(now)
        world.running = None

    def describe(self) -> str:
        """Name the process that is resumed, and the line at which it waited."""
        return f"resume {self.process.name}{_at(self.task.describe())}"


class Alarm(Event):
    """A waiter's deadline: one lazy entry per task, however often its deadline moves."""

    def __init__(self, waiter: Waiter) -> None:
        self.waiter = waiter
        self.deadline = NEVER
        self.entry_at = NEVER

    def set(self, deadline: int | None) -> None:
        """Move the deadline; a new entry is made only where the old one comes too late."""
        if deadline is None:
            self.deadline = NEVER
            return
        world = self.waiter.process.world
        self.deadline = max(deadline, world.now)
        if self.entry_at == NEVER or self.deadline < self.entry_at:
            self.entry_at = self.deadline
            world.queue.push(self.deadline, self)

    def due(self, at: int) -> int:
        """Only the newest entry counts, and only for the present deadline."""
        return self.deadline if at == self.entry_at else NEVER

    def postpone(self, at: int, due: int) -> None:
        """Remember where the entry went."""
        if at == self.entry_at:
            self.entry_at = due

    def fire(self, now: int) -> None:
        """The time is up."""
        assert now == self.deadline, "an alarm before its time"
        self.entry_at = NEVER
        self.waiter.wake()
        self.waiter.timed_out = True

    def describe(self) -> str:
        """Name the call that waits, whose it is, and its line: ``poll of server at shop.py:9``."""
        waits = self.waiter.task.describe()
        call = waits.call if waits is not None else ""
        return f"{call or 'deadline'} of {self.waiter.process.name}{_at(waits)}"


def _at(waits: Waiting | None) -> str:
    return f" at {waits.where}" if waits is not None and waits.where else ""


class Table(Protocol):
    """What a process needs of its table of descriptors."""

    def close_all(self, now: int) -> None:
        """Close every descriptor, as the kernel does when a process is over."""


class Process:
    """A running program on a host. Made by ``Host.start``."""

    def __init__(self, host: "Host", name: str, pid: int, table: Table, now: int) -> None:
        self.host = host
        self.world: World = host.world
        self.name = name
        self.pid = pid
        self.table = table
        self.state = RUNNING
        self.how = ""  # how it ended: "exit 0", "SIGKILL", "power off", "uncaught OSError: ..."
        self.waiters: list[Waiter] = []  # one per task, in order of their start
        self.held: list[Waiter] = []  # woken while the process was stopped
        self.on_exit: list[Callable[[Process, int], None]] = []
        self.user: object = None  # the guest's side of it; opaque here
        if self.world.trace is not None:
            self.world.trace.add(ProcessStarted(t_ns=now, host=host.name, process=name))

    def start(self, task: Task) -> Waiter:
        """Add a task; it runs for the first time at this instant, when its turn comes."""
        assert self.state != ENDED, "a task is started in a process that is over"
        waiter = Waiter(self, task)
        self.waiters.append(waiter)
        waiter.arm(None)
        waiter.wake()
        return waiter

    def finish(self, waiter: Waiter) -> None:
        """A task has come to its own end.

        The process goes on; ``exit`` is its program's decision.
        """
        waiter.close()
        self.waiters.remove(waiter)

    def exit(self, status: int, now: int, how: str = "") -> None:
        """End with a status; ``how`` says more (``uncaught ValueError: ...``).

        Its kernel closes its descriptors.
        """
        self.end(how or f"exit {status}", now, closes=True)

    def kill(self, signal: str, now: int) -> None:
        """End by a signal, at once: no code of the program runs.

        Its kernel closes its descriptors.
        """
        self.end(signal, now, closes=True)

    def end(self, how: str, now: int, *, closes: bool) -> None:
        """Be over.

        ``closes`` is False where the kernel vanished too, and nobody is left to close
        anything.
        """
        if self.state == ENDED:
            return
        self.state = ENDED
        self.how = how
        self.host.processes.remove(self)
        world = self.world
        if world.trace is not None:
            world.trace.add(ProcessEnded(t_ns=now, host=self.host.name, process=self.name, how=how))
        for waiter in self.waiters:
            waiter.close()
            waiter.task.abandon()
        # Collecting a task would run its program's finally blocks and destructors.
        world.graveyard.append(self)
        if closes:
            self.table.close_all(now)
            self.host.flush(now)
        for heard in (*self.on_exit, *world.on_exit):
            heard(self, now)

    def stop(self) -> None:
        """SIGSTOP: its tasks are not resumed; its kernel goes on for it."""
        if self.state == RUNNING:
            self.state = STOPPED

    def go_on(self) -> None:
        """SIGCONT: resume what was woken meanwhile, in the order in which it was."""
        if self.state == STOPPED:
            self.state = RUNNING
            for waiter in self.held:
                self.world.queue.push(self.world.now, waiter)
            self.held.clear()

    def mark(self, name: str, now: int) -> None:
        """The program says where it is."""
        world = self.world
        if world.trace is not None:
            world.trace.add(Mark(t_ns=now, host=self.host.name, process=self.name, name=name))
        for heard in world.on_mark:
            heard(self, name, now)
