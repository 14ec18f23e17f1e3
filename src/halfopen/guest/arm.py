"""Runs a variant of a scenario in the simulated world."""

from collections.abc import Mapping

from halfopen.guest import programs
from halfopen.guest.image import Image
from halfopen.guest.libc.etc import Etc
from halfopen.guest.programs import Reference
from halfopen.guest.runs import uncollected
from halfopen.record.faults import Fault, describe_fault
from halfopen.record.trace import Trace
from halfopen.scenario.etc import etc_of
from halfopen.scenario.model import At, OnExit, OnMark, Process, Variant
from halfopen.world import process as lifecycle
from halfopen.world.faults import inject
from halfopen.world.host import Host
from halfopen.world.world import World


class WorldLab:
    """A ``Lab`` for a program in the world."""

    def __init__(
        self,
        settings: Mapping[str, str],
        addresses: Mapping[str, tuple[str, ...]],
        process: lifecycle.Process,
    ) -> None:
        self._settings = settings
        self._addresses = addresses
        self._process = process

    @property
    def settings(self) -> Mapping[str, str]:
        """The variant's settings, by name."""
        return self._settings

    def address(self, host: str) -> str:
        """Return a host's first address."""
        return self._addresses[host][0]

    def mark(self, name: str) -> None:
        """Say where the program is."""
        self._process.mark(name, self._process.world.now)


class Run:
    """A variant's world, built and not yet moved."""

    def __init__(self, variant: Variant, seed: int) -> None:
        self.variant = variant
        self.trace = Trace({"arm": "world", "seed": seed})
        self.world = World(seed, self.trace)
        self.addresses = {host.name: host.addresses for host in variant.hosts}
        self.etc: dict[str, Etc] = {}  # of each host, since it booted
        self._files = {
            host.name: etc_of(host.name, self.addresses, host.files) for host in variant.hosts
        }
        self._programs: dict[str, Reference] = {
            process.name: programs.function(process.program) for process in variant.processes
        }
        self._marked: set[tuple[str, str]] = set()
        self._ended: set[str] = set()
        for host in variant.hosts:
            self.world.host(
                host.name,
                host.addresses,
                host.sysctl,
                sources=host.sources,
                refuses=host.refuses,
            )
        for link in variant.links:
            self.world.link(link.a, link.b, link.delay_ns)
        for lan in variant.lans:
            self.world.lan(lan.name, lan.hosts, lan.delay_ns)
        for host in variant.hosts:
            self.world.hosts[host.name].on_boot.append(self._boot)
            self.world.hosts[host.name].power_on(0)
        self.world.on_mark.append(self._on_mark)
        self.world.on_exit.append(self._on_exit)
        for process in variant.processes:
            if isinstance(process.start, At):
                self._start_at(process, process.start.t_ns)
        for step in variant.steps:
            if isinstance(step.when, At):
                self._strike_at(step.fault, step.when.t_ns)

    def go(self) -> Trace:
        """Let everything happen up to the horizon."""
        with uncollected():
            self.world.run(self.variant.horizon_ns)
        return self.trace

    def _boot(self, host: Host, now: int) -> None:
        """Name the host, and start again what is started at every boot, after the first."""
        self.etc[host.name] = Etc(host.name, self._files[host.name])
        if host.boots > 1:
            for process in self.variant.processes:
                if process.boots and process.host == host.name:
                    self._start_at(process, now)

    def _on_mark(self, process: lifecycle.Process, name: str, now: int) -> None:
        """Begin what is tied to a mark, the first time that it is set."""
        if (process.name, name) in self._marked:
            return
        self._marked.add((process.name, name))
        self._begin(OnMark, (process.name, name), now)

    def _on_exit(self, process: lifecycle.Process, now: int) -> None:
        """Begin what is tied to a process's first end."""
        if process.name in self._ended:
            return
        self._ended.add(process.name)
        self._begin(OnExit, (process.name,), now)

    def _begin(self, kind: type[OnMark | OnExit], what: tuple[str, ...], now: int) -> None:
        for process in self.variant.processes:
            if isinstance(process.start, kind) and _tie(process.start) == what:
                self._start_at(process, now + process.start.delay_ns)
        for step in self.variant.steps:
            if isinstance(step.when, kind) and _tie(step.when) == what:
                self._strike_at(step.fault, now + step.when.delay_ns)

    def _strike_at(self, fault: Fault, t_ns: int) -> None:
        self.world.call_at(t_ns, lambda now: _strike(self.world, fault, now), describe_fault(fault))

    def _start_at(self, process: Process, t_ns: int) -> None:
        self.world.call_at(t_ns, lambda now: self._start(process, now), f"start {process.name}")

    def _start(self, process: Process, now: int) -> None:
        """Start a process, unless its host has no power."""
        host = self.world.hosts[process.host]
        if host.kernel is None:
            return
        started = host.start(process.name, now, privileged=process.privileged)
        reference = self._programs[process.name]
        image = Image(
            started,
            etc=self.etc[host.name],
            argv=(reference.path,),
            path=(programs.root(reference),),
        )
        lab = WorldLab(self.variant.settings, self.addresses, started)
        image.start(lambda: _run_program(reference, lab))


def run_variant(variant: Variant, *, seed: int = 0) -> Trace:
    """Run a variant in a world of its own; the same seed gives the same trace."""
    return Run(variant, seed).go()


def _run_program(reference: Reference, lab: WorldLab) -> None:
    programs.load(reference)(lab)


def _strike(world: World, fault: Fault, now: int) -> None:
    inject(world, fault, now)


def _tie(when: OnMark | OnExit) -> tuple[str, ...]:
    return (when.process, when.name) if isinstance(when, OnMark) else (when.process,)
