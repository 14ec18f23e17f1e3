"""A run when it is over: what was printed, how each process ended, who waits."""

from halfopen.base.errors import MisuseError
from halfopen.record.events import Output, ProcessEnded, ProcessStarted
from halfopen.record.trace import Trace
from halfopen.world.process import Waiting


class Run:
    """One run of a world. ``trace`` holds everything that happened."""

    def __init__(self, trace: Trace, waiting: tuple[Waiting, ...]) -> None:
        self.trace = trace
        self.waiting = waiting

    @property
    def ended_s(self) -> float:
        """How long it lasted, in seconds of virtual time."""
        return self.trace.ended_ns / 10**9

    def output(self, process: str, *, stream: int = 1) -> str:
        """What a process wrote to its standard output, or to its standard error (2)."""
        self._known(process)
        return "".join(
            event.text
            for event in self.trace.events
            if isinstance(event, Output) and (event.process, event.stream) == (process, stream)
        )

    def ended(self, process: str) -> str | None:
        """How a process ended the last time: ``exit 0``, ``SIGKILL``, ``power off``.

        None where it goes on, or was never started.
        """
        self._known(process)
        how = None
        for event in self.trace.events:
            if isinstance(event, ProcessStarted | ProcessEnded) and event.process == process:
                how = event.how if isinstance(event, ProcessEnded) else None
        return how

    def _known(self, process: str) -> None:
        """Refuse a name that no process of the world bears."""
        names = self.trace.meta.get("processes")
        assert isinstance(names, list), "the trace of a built world names its processes"
        if process not in names:
            msg = f"no process {process!r} in this world; there are: {', '.join(map(str, names))}"
            raise MisuseError(msg)
