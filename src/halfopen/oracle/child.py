"""Runs one program of a scenario as a real process in its host's namespace, its calls recorded.

The process is forked from its conductor, which has loaded all of Python that both need; of the
conductor's descriptors it keeps none. It says that it is ready, waits for a line of standard input,
and begins. Events go to a descriptor of their own at once, a line each: what a killed process did
is known to the last call that it entered.
"""

import atexit
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, NamedTuple

from halfopen.oracle import etc, namespaces, recording
from halfopen.record.events import Json
from halfopen.record.shapes import show_error

#: A write to a pipe up to this length is never mixed with another thread's (PIPE_BUF).
_LINE_MAX: Final = 4096
_TEXT_MAX: Final = 1000


class Task(NamedTuple):
    """What a process is to do; ``program`` is ``module:name``, ``etc`` the files of its host."""

    program: str
    settings: Mapping[str, str]
    privileged: bool
    addresses: Mapping[str, str]
    etc: Mapping[str, str]
    nodename: str


class Born(BaseException):
    """This process is a new one, a program's. It ends all that its conductor was about.

    ``conductor`` is that one's pid. ``pipes`` are to be this one's input, output and errors, and
    its way to tell events.
    """

    def __init__(self, conductor: int, task: Task, pipes: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conductor = conductor
        self.task = task
        *self.standard, self.events_fd = pipes


class Events:
    """The way to the conductor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, kind: str, fields: Mapping[str, Json]) -> None:
        """Send one event; when this returns the conductor can read it, whatever becomes of us."""
        line = json.dumps({"kind": kind} | dict(fields)).encode() + b"\n"
        assert len(line) <= _LINE_MAX, "an event fits an atomic write"
        os.write(self.fd, line)


class KernelLab:
    """A ``Lab`` for a program on the real kernel."""

    def __init__(
        self, settings: Mapping[str, str], addresses: Mapping[str, str], events: Events
    ) -> None:
        self._settings = settings
        self._addresses = addresses
        self._events = events

    @property
    def settings(self) -> Mapping[str, str]:
        """The variant's settings, by name."""
        return self._settings

    def address(self, host: str) -> str:
        """Return a host's first address."""
        return self._addresses[host]

    def mark(self, name: str) -> None:
        """Say where the program is."""
        self._events.write("mark", {"t_ns": time.monotonic_ns(), "name": name})


def load(reference: str) -> Callable[[KernelLab], None]:
    """Find a program by ``module:name``."""
    module, _, name = reference.partition(":")
    program: Callable[[KernelLab], None] = getattr(importlib.import_module(module), name)
    return program


def run(born: Born) -> None:
    """Be ready, wait for the word, run the program.

    Requires: nothing of the conductor's is left that would close a descriptor.
    """
    task, parent = born.task, born.conductor
    namespaces.die_with_parent(parent)
    _keep(born)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _hear_signals()
    namespaces.run_later()
    etc.enter(task.etc, task.nodename)
    events = Events(born.events_fd)
    # What the interpreter does with open sockets when it ends is no call of the program: the first
    # function registered is the last to be called.
    atexit.register(recording.install(events.write))
    program = load(task.program)
    namespaces.run_soon()
    namespaces.wake_on_time(namespaces.PROGRAM)
    if not task.privileged:
        namespaces.give_up_privileges(parent)
    events.write("ready", {})
    if not sys.stdin.readline():
        return  # the run is over before this program began
    _tell_uncaught(events)
    try:
        program(KernelLab(task.settings, task.addresses, events))
    finally:
        events.write("returned", {"t_ns": time.monotonic_ns()})
        namespaces.wait_ones_turn()


def _keep(born: Born) -> None:
    """Have the pipes that are this process's, and no other descriptor."""
    for number, fd in enumerate(born.standard):
        os.dup2(fd, number)
    os.closerange(len(born.standard), born.events_fd)
    os.closerange(born.events_fd + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _hear_signals() -> None:
    """Ignore no more than Python does, whatever was ignored where all began (nohup)."""
    for number in sorted(signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _tell_uncaught(events: Events) -> None:
    """Let the conductor know of the error that ends the program."""
    show = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        events.write("uncaught", {"text": show_error(error)[:_TEXT_MAX]})
        show(kind, error, trace)

    sys.excepthook = tell
