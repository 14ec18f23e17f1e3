"""The world that people build: hosts, links and programs, described; ``run`` plays it once.

A description can be played any number of times, each time in a world of its own. Times are in
seconds, as everywhere in Python.
"""

import os
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, TypeAlias

from halfopen.base.errors import MisuseError
from halfopen.base.units import S
from halfopen.base.value import value
from halfopen.guest import programs
from halfopen.guest.programs import Reference
from halfopen.guest.ran import Run
from halfopen.net.sysctl import with_defaults
from halfopen.wire.address import is_link_local, is_multicast, to_bytes
from halfopen.wire.errors import WireError

#: A program: a function at the top level of a file, or the path of a script.
Program: TypeAlias = Callable[..., object] | str | os.PathLike[str]

#: What a program can be given: each process gets its own, so that nothing is shared.
Argument: TypeAlias = str | bytes | int | float | bool | None

#: One way of a link, in seconds, where nobody says otherwise.
DELAY: Final = 0.01

#: How far a world is played where it would go on for ever: three hours, in seconds.
HORIZON: Final = 10_800.0

_HOSTS_MAX: Final = 254
_PLAIN: Final = (str, bytes, int, float, bool, type(None))


@value
class Started:
    """A program that is started on a host."""

    name: str
    reference: Reference
    args: tuple[Argument, ...]
    at_ns: int
    boot: bool


@value
class Joined:
    """Two hosts joined by a link."""

    a: str
    b: str
    delay_ns: int


class Host:
    """A machine in a world. Made by ``World.host``."""

    def __init__(
        self,
        world: "World",
        name: str,
        addresses: tuple[str, ...],
        sysctl: dict[str, int | str],
        files: dict[str, str | None],
    ) -> None:
        self.world = world
        self.name = name
        self.addresses = addresses
        self.sysctl = sysctl
        self.files = files
        self.programs: list[Started] = []

    @property
    def address(self) -> str:
        """The first address."""
        return self.addresses[0]

    def start(
        self,
        program: Program,
        *args: Argument,
        name: str | None = None,
        at: float = 0.0,
        boot: bool = False,
    ) -> None:
        """Start a program, ``at`` so many seconds after the world began.

        A function is called with ``args``; a script finds them in ``sys.argv``. The process is
        called ``name``, or as the program is. ``boot``: after a reboot it is started again.
        """
        reference = _refer(program)
        given: tuple[object, ...] = args
        for arg in given:
            if not isinstance(arg, _PLAIN):
                msg = (
                    f"the program {reference.name} is given {arg!r}: processes share no objects, "
                    "give text, bytes or numbers"
                )
                raise MisuseError(msg)
        if not reference.function and not all(isinstance(arg, str) for arg in args):
            msg = f"the script {reference.name} finds its arguments in sys.argv: give text"
            raise MisuseError(msg)
        self.programs.append(
            Started(
                name=self._name(name, reference),
                reference=reference,
                args=args,
                at_ns=_to_ns(at, "a program's start"),
                boot=boot,
            )
        )

    def _name(self, wanted: str | None, reference: Reference) -> str:
        """Choose a process's name, which is its own in the whole world."""
        taken = {started.name for host in self.world.hosts.values() for started in host.programs}
        if wanted is not None:
            if wanted in taken:
                msg = f"two processes are named {wanted!r}; a process's name must be its own"
                raise MisuseError(msg)
            return wanted
        name, number = reference.name, 1
        while name in taken:
            number += 1
            name = f"{reference.name}-{number}"
        return name


class World:
    """Hosts, links and programs, and what must hold in the end.

    ``seed`` is what chance is drawn from where the command line does not name another.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.hosts: dict[str, Host] = {}
        self.links: list[Joined] = []
        self.checks: list[Callable[[Run], object]] = []

    def host(
        self,
        name: str,
        *addresses: str,
        sysctl: Mapping[str, int | str] | None = None,
        files: Mapping[str, str | None] | None = None,
    ) -> Host:
        """Add a host. Its name is what others resolve, and its first address is what they get.

        Addresses are of IPv4 or IPv6, as ``10.0.0.1`` or ``2001:db8::1``. Without one the first
        host has 10.0.0.1, the second 10.0.0.2. ``sysctl`` sets what is to differ from Linux's
        defaults, by the kernel's names. ``files`` are texts below /etc, by their paths: what the C
        library reads (hosts, resolv.conf, nsswitch.conf, services ...); None: there is none.
        """
        if name in self.hosts:
            msg = f"two hosts are named {name!r}; a host's name must be its own"
            raise MisuseError(msg)
        given = addresses or (self._next_address(),)
        for address in given:
            self._check_address(name, address)
        changed = dict(sysctl or {})
        with_defaults(changed)
        texts = dict(files or {})
        for path in texts:
            if not path.startswith("/etc/"):
                msg = f"host {name!r}: {path!r} is not below /etc, where the C library looks"
                raise MisuseError(msg)
        made = Host(self, name, given, changed, texts)
        self.hosts[name] = made
        return made

    def link(self, a: Host | str, b: Host | str, *, delay: float = DELAY) -> None:
        """Join two hosts by a cable; a packet takes ``delay`` seconds one way."""
        first, second = self._named(a), self._named(b)
        if first == second:
            msg = f"a link from {first!r} to itself: every host has a loopback already"
            raise MisuseError(msg)
        if any({first, second} == {link.a, link.b} for link in self.links):
            msg = f"two links join {first!r} and {second!r}; join two hosts once"
            raise MisuseError(msg)
        delay_ns = _to_ns(delay, f"the delay of {first}-{second}")
        self.links.append(Joined(a=first, b=second, delay_ns=delay_ns))

    def check(self, function: Callable[[Run], object]) -> Callable[[Run], object]:
        """Let a function look at every run when it is over, undisturbed or not.

        An AssertionError of its own makes the run a finding: a *wrong* one. Returns the function,
        so that it can decorate.
        """
        given: object = function
        if not callable(given):
            msg = f"a check is a function that is given a Run, not {given!r}"
            raise MisuseError(msg)
        self.checks.append(function)
        return function

    def run(self, *, horizon: float = HORIZON) -> Run:
        """Play the world once, without a fault, for at most so many seconds of virtual time.

        Raises AssertionError where a check does.
        """
        from halfopen.guest.stage import Stage  # which imports this module

        stage = Stage(self, seed=self.seed)
        run = stage.play(_to_ns(horizon, "the horizon"))
        for check in self.checks:
            check(run)
        return run

    def _named(self, host: Host | str) -> str:
        name = host.name if isinstance(host, Host) else host
        if name not in self.hosts:
            there = ", ".join(self.hosts) or "none yet"
            msg = f"a link to {name!r}: no such host in this world; there are: {there}"
            raise MisuseError(msg)
        return name

    def _next_address(self) -> str:
        taken = {address for host in self.hosts.values() for address in host.addresses}
        for number in range(1, _HOSTS_MAX + 1):
            address = f"10.0.0.{number}"
            if address not in taken:
                return address
        msg = f"more than {_HOSTS_MAX} hosts: give the others addresses"
        raise MisuseError(msg)

    def _check_address(self, name: str, address: str) -> None:
        try:
            to_bytes(address)
        except WireError as error:
            msg = f"host {name!r}: {error}"
            raise MisuseError(msg) from error
        if is_link_local(address) or is_multicast(address) or "%" in address:
            msg = f"host {name!r}: {address} is no address of its own; interfaces have fe80::"
            raise MisuseError(msg)
        for other in self.hosts.values():
            if address in other.addresses:
                msg = f"hosts {other.name!r} and {name!r} have one address, {address}"
                raise MisuseError(msg)


def _refer(program: Program) -> Reference:
    if isinstance(program, str | os.PathLike):
        return programs.script(os.fspath(program))
    return programs.function(program)


def _to_ns(seconds: float, what: str) -> int:
    if not isfinite(seconds) or seconds < 0:
        msg = f"{what} is {seconds} s: it must be 0 s or more"
        raise MisuseError(msg)
    return round(seconds * S)
