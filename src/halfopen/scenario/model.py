"""A scenario as data: hosts, links, programs, and what goes wrong when.

A note's file (``scenario/notes/n07.py``) holds its programs, its variants, and how its answer is
read from the runs. A program is an ordinary function over the standard library's ``socket``; it
gets a ``Lab`` and nothing else, and runs unchanged as a guest of the world and as a real process in
a network namespace.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from itertools import product
from typing import Literal, Protocol, TypeAlias

from halfopen.base.units import MS
from halfopen.base.value import value
from halfopen.record.faults import Fault
from halfopen.record.trace import Trace

Verdict: TypeAlias = Literal["confirmed", "refuted", "qualified", "answered", "open"]


class Lab(Protocol):
    """What a program may know of the scenario that it runs in."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The variant's settings, by name."""

    def address(self, host: str) -> str:
        """Return a host's first address."""

    def mark(self, name: str) -> None:
        """Say where the program is; programs and faults can be tied to it."""


Program: TypeAlias = Callable[[Lab], None]


@value
class At:
    """An instant, in ns since the run began."""

    t_ns: int


@value
class OnMark:
    """``delay_ns`` after a process said ``lab.mark(name)`` for the first time."""

    process: str
    name: str
    delay_ns: int = 0


@value
class OnExit:
    """``delay_ns`` after a process ended."""

    process: str
    delay_ns: int = 0


When: TypeAlias = At | OnMark | OnExit


@value
class Host:
    """A host with its addresses; the first is the one that ``lab.address`` gives.

    ``sysctl`` by kernel name. ``files`` by path, below /etc; what is not given is as
    ``scenario.etc`` has it, and what is None is not there.
    ``sources``: (peer's address, one's own) where the route to the peer
    prefers another than the interface's first address of the family (``ip route ... src``).
    ``refuses``: (destination, with a prefix or without; kind) where a route leads nowhere
    (``ip route add unreachable|prohibit|blackhole``).
    """

    name: str
    addresses: tuple[str, ...]
    sysctl: Mapping[str, int | str]
    files: Mapping[str, str | None] = field(default_factory=dict)
    sources: tuple[tuple[str, str], ...] = ()
    refuses: tuple[tuple[str, str], ...] = ()


@value
class Link:
    """A point-to-point link between two hosts. ``name`` is ``a-b``."""

    a: str
    b: str
    delay_ns: int = 10 * MS

    @property
    def name(self) -> str:
        """The name by which faults call it."""
        return f"{self.a}-{self.b}"


@value
class Lan:
    """Several hosts at one switch; they find each other by ARP. A host on it is on nothing else."""

    hosts: tuple[str, ...]
    name: str = "lan"
    delay_ns: int = 10 * MS


@value
class Process:
    """A program on a host.

    It starts at boot-up of the run, or tied to another's mark; ``boots``: after a reboot again.
    ``privileged``: it is the superuser's (CAP_NET_BIND_SERVICE, CAP_NET_ADMIN).
    """

    host: str
    name: str
    program: Program
    start: When = At(t_ns=0)
    boots: bool = False
    privileged: bool = True


@value
class Step:
    """A fault and when it happens."""

    when: When
    fault: Fault


@value
class Variant:
    """One run: everything that happens is in here. ``horizon_ns`` is where both arms stop looking.

    ``kernel`` False: only the world can run it in reasonable time (default durations); ``because``
    says why. ``tells``: as of the note, where a variant turns on other calls.
    """

    settings: Mapping[str, str]
    hosts: tuple[Host, ...]
    links: tuple[Link, ...]
    processes: tuple[Process, ...]
    steps: tuple[Step, ...]
    horizon_ns: int
    kernel: bool = True
    because: str = ""
    lans: tuple[Lan, ...] = ()
    tells: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The settings in a line: ``crash=SIGKILL peer=recv unread=no``."""
        return " ".join(f"{key}={setting}" for key, setting in self.settings.items())


@value
class Answer:
    """What the runs say: a verdict on the note and sentences whose figures come from the runs.

    ``text`` stands on the sheet: the answer, in eight lines at most. ``more``: what the reader of
    this one row is told beside it. ``zh`` and ``more_zh``: the same in Chinese, the language of the
    notes.
    """

    verdict: Verdict
    text: str
    zh: str
    more: str = ""
    more_zh: str = ""


@value
class Note:
    """A line of the notes, with the scenario that answers it.

    ``answer`` reads the world's traces, by variant name, and must not know the outcome beforehand:
    it states what it finds, and raises AssertionError where the runs do not bear the sentence out.
    ``tells``: (process, call) whose results stand in the table of variants; without any it is what
    the program was told that connects. ``getsockopt`` goes by the option (``SO_RCVBUF``); ``prints
    by_name`` are the lines of its output that begin so.
    """

    id: str
    question: str
    question_zh: str
    variants: tuple[Variant, ...]
    answer: Callable[[Mapping[str, Trace]], Answer]
    why: tuple[str, ...]  # "RFC 9293 3.10.7.3", "Linux tcp_reset"
    words: tuple[str, ...] = ()  # what people may search by
    tells: tuple[tuple[str, str], ...] = ()


def each(**settings: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Yield the whole product of settings, the last one varying fastest."""
    for chosen in product(*settings.values()):
        yield dict(zip(settings, chosen, strict=True))
