"""Guests for tests: programs of a test file, each in a process of a world of its own."""

from collections.abc import Callable

from halfopen.base.units import MS
from halfopen.guest import programs
from halfopen.guest.image import Image
from halfopen.guest.libc.etc import Etc
from halfopen.guest.runs import uncollected
from halfopen.record.events import Output, ProcessEnded
from halfopen.record.trace import Trace
from halfopen.scenario.etc import etc_of
from halfopen.world.events import INSTANT_EVENTS_MAX
from halfopen.world.host import Host
from halfopen.world.world import Rest, World

#: Every host and its address; they stand in a row, each joined to the next.
ADDRESSES = {"a": ("10.0.0.1",), "b": ("10.0.0.2",)}
DELAY_NS = 10 * MS


class Stage:
    """Two joined hosts, ``a`` and ``b``, with guests on them."""

    def __init__(self, seed: int = 1, instant_events_max: int = INSTANT_EVENTS_MAX) -> None:
        self.trace = Trace({})
        self.world = World(seed, self.trace, instant_events_max)
        for name, addresses in ADDRESSES.items():
            self.world.host(name, addresses)
        self.world.link("a", "b", DELAY_NS)
        for host in self.world.hosts.values():
            host.power_on(0)

    def host(self, name: str) -> Host:
        return self.world.hosts[name]

    def start(
        self,
        program: Callable[..., object],
        *args: object,
        host: str = "a",
        name: str | None = None,
    ) -> Image:
        """Start a top-level function of a file in a process of its own, which loads it anew."""
        reference = programs.function(program)
        process = self.host(host).start(name or reference.name, self.world.now)
        image = Image(
            process,
            etc=Etc(host, etc_of(host, ADDRESSES, {})),
            argv=(reference.path,),
            path=(programs.root(reference),),
        )
        image.start(lambda: _load_and_call(reference, args))
        return image

    def run(self, until_ns: int | None = None) -> Rest:
        with uncollected():
            return self.world.run(until_ns)

    def outputs(self) -> list[Output]:
        return [event for event in self.trace.events if isinstance(event, Output)]

    def output(self, process: str, stream: int = 1) -> str:
        return "".join(
            event.text
            for event in self.outputs()
            if (event.process, event.stream) == (process, stream)
        )

    def lines(self, process: str) -> list[str]:
        return self.output(process).splitlines()

    def end(self, process: str) -> str:
        """How a process ended; empty where it did not."""
        for event in self.trace.events:
            if isinstance(event, ProcessEnded) and event.process == process:
                return event.how
        return ""


def _load_and_call(reference: programs.Reference, args: tuple[object, ...]) -> None:
    programs.load(reference)(*args)


def alone(program: Callable[..., object], *args: object, seed: int = 1) -> Stage:
    """Run one program to the world's end."""
    stage = Stage(seed)
    stage.start(program, *args)
    stage.run()
    return stage
