"""Programs as generators: each yield waits, until woken or until the deadline it gives."""

from collections.abc import Callable, Generator

from halfopen.world.process import Process, Waiter, Waiting

Program = Generator[int | None, None, None]


class Script:
    """A task that runs a generator; what it yields is its deadline."""

    def __init__(self, process: Process, name: str, program: Callable[["Script"], Program]) -> None:
        self.process = process
        self.name = name
        self.log: list[tuple[int, str]] = []
        self.abandoned = False
        self.now = 0
        self.over = False
        self.program = program(self)
        self.waiter: Waiter = process.start(self)

    def say(self, text: str) -> None:
        self.log.append((self.now, text))

    def resume(self, now: int) -> None:
        assert not self.abandoned, "an abandoned task was resumed"
        self.now = now
        try:
            deadline = next(self.program)
        except StopIteration:
            self.over = True
            self.process.finish(self.waiter)
            return
        if not self.abandoned:
            self.waiter.arm(deadline)

    def abandon(self) -> None:
        self.abandoned = True

    def describe(self) -> Waiting | None:
        if self.over:
            return None
        return Waiting(
            host=self.process.host.name,
            process=self.process.name,
            thread=self.name,
            where="script:1",
            line="yield",
            call="yield",
            what="a wake-up",
            since_ns=self.now,
            until_ns=None,
        )
