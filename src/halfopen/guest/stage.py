"""A described world, set up and not yet moved: kernels booted, programs about to start."""

from halfopen.guest import programs
from halfopen.guest.image import Image
from halfopen.guest.libc.etc import Etc
from halfopen.guest.public import Started, World
from halfopen.guest.ran import Run
from halfopen.guest.runs import uncollected
from halfopen.record.events import Json
from halfopen.record.trace import Trace
from halfopen.scenario.etc import etc_of
from halfopen.world import world as moving
from halfopen.world.host import Host


class Stage:
    """One world on its way, made from a description."""

    def __init__(self, plan: World, *, seed: int) -> None:
        names: list[Json] = [each.name for host in plan.hosts.values() for each in host.programs]
        self.plan = plan
        self.trace = Trace({"arm": "world", "seed": seed, "processes": names})
        self.world = moving.World(seed, self.trace)
        addresses = {host.name: host.addresses for host in plan.hosts.values()}
        self.etc: dict[str, Etc] = {}  # of each host, since it booted
        self._files = {
            host.name: etc_of(host.name, addresses, host.files) for host in plan.hosts.values()
        }
        for host in plan.hosts.values():
            self.world.host(host.name, host.addresses, host.sysctl)
        for link in plan.links:
            self.world.link(link.a, link.b, link.delay_ns)
        for made in self.world.hosts.values():
            made.on_boot.append(self._boot)
            made.power_on(0)
        for host in plan.hosts.values():
            for started in host.programs:
                self._start_at(self.world.hosts[host.name], started, started.at_ns)

    def play(self, until_ns: int) -> Run:
        """Let everything happen up to an instant."""
        with uncollected():
            self.world.run(until_ns)
        return self.look()

    def look(self) -> Run:
        """Give the run as it stands now."""
        return Run(self.trace, self.world.waiting())

    def _boot(self, host: Host, now: int) -> None:
        """Name the host, and start again what is started at every boot, after the first."""
        self.etc[host.name] = Etc(host.name, self._files[host.name])
        if host.boots > 1:
            for started in self.plan.hosts[host.name].programs:
                if started.boot:
                    self._start_at(host, started, now)

    def _start_at(self, host: Host, started: Started, t_ns: int) -> None:
        what = f"start {started.name}"
        self.world.call_at(t_ns, lambda now: self._start(host, started, now), what)

    def _start(self, host: Host, started: Started, now: int) -> None:
        """Start a process, unless its host has no power."""
        if host.kernel is None:
            return
        reference = started.reference
        given = () if reference.function else tuple(map(str, started.args))
        image = Image(
            host.start(started.name, now),
            etc=self.etc[host.name],
            argv=(reference.path, *given),
            path=(programs.root(reference),),
        )
        args = started.args if reference.function else ()
        image.start(lambda: _run_program(started, args))


def _run_program(started: Started, args: tuple[object, ...]) -> None:
    programs.load(started.reference)(*args)
