"""The kernel arm: a variant runs on the real kernel, and gives a trace as the world does."""

import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterable
from typing import Final

from halfopen.base.errors import NotPossibleHereError
from halfopen.base.units import S
from halfopen.base.value import value
from halfopen.oracle import tasks
from halfopen.oracle.conductor import NOT_POSSIBLE, RESULT, TASK
from halfopen.record.trace import Trace, loads
from halfopen.scenario.model import Variant

#: Runs sleep most of their time; many more on two cores would disturb each other's times.
SIDE_BY_SIDE: Final = 16
SEED: Final = 0
_OVERHEAD_S: Final = 60
_CHUNK: Final = 65536


def possible() -> str | None:
    """Say why no run is possible here; None: it is. Tried in a process of its own."""
    code = "import sys; from halfopen.oracle.namespaces import obstacle; sys.exit(obstacle() or 0)"
    tried = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=_OVERHEAD_S,
        env=_environment(),
    )
    return None if tried.returncode == 0 else tried.stderr.strip() or "the trial failed"


@value
class KernelRun:
    """One variant, run. ``trace`` is None where it broke, and ``failed`` says how."""

    variant: Variant
    trace: Trace | None
    failed: str = ""


def run_variant(variant: Variant, *, seed: int = SEED) -> Trace:
    """Run a variant on this kernel, in real time.

    Raises NotPossibleHereError where no namespace can be made, or the variant is the world's alone.
    """
    if not variant.kernel:
        msg = f"{variant.name} runs in the world only: {variant.because}"
        raise NotPossibleHereError(msg)
    (run,) = run_variants([variant], seed=seed)
    assert run.trace is not None, run.failed
    return run.trace


def run_variants(
    variants: Iterable[Variant], *, seed: int = SEED, side_by_side: int = SIDE_BY_SIDE
) -> Generator[KernelRun, None, None]:
    """Run several variants side by side, and yield them in their order.

    ``seed`` is what chance on the wire is drawn from, as in the world. Whatever ends the iteration
    ends every run, at once; and so does the end of this process. Raises NotPossibleHereError where
    no namespace can be made.
    """
    waiting = deque(variant for variant in variants if variant.kernel)
    under_way: deque[_Run] = deque()
    places: list[_Place] = []
    selector = selectors.DefaultSelector()
    try:
        while waiting or under_way:
            while waiting and (place := _free(places, side_by_side, selector)) is not None:
                under_way.append(place.conduct(waiting.popleft(), seed))
            while under_way and under_way[0].result is not None:
                yield under_way.popleft().result_or_raise()
            if under_way and under_way[0].result is None:
                _take_in(selector, places)
    finally:
        for place in places:
            place.kill()
        selector.close()


def _free(places: list["_Place"], most: int, selector: selectors.BaseSelector) -> "_Place | None":
    """Find a conductor that has nothing to do; where all have, and one more may be, start it."""
    for place in places:
        if place.is_free:
            return place
    if sum(place.run is not None for place in places) == most:
        return None
    places.append(_Place(selector))
    return places[-1]


def _take_in(selector: selectors.BaseSelector, places: Iterable["_Place"]) -> None:
    """Wait until a conductor says something or ends, or its time is up."""
    busy = [(place, place.run) for place in places if place.run is not None]
    deadline = min(run.deadline for _, run in busy)
    for key, _ in selector.select(max(deadline - time.monotonic(), 0)):
        place: _Place = key.data
        place.read(key.fd)
    now = time.monotonic()
    for _, run in busy:
        if run.result is None and run.deadline <= now:
            msg = f"the conductor of {run.variant.name} does not come to an end"
            raise AssertionError(msg)


class _Run:
    """A variant under way; ``result`` is what its conductor said, and with which exit status."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.deadline = time.monotonic() + variant.horizon_ns / S + _OVERHEAD_S
        self.result: tuple[int, str] | None = None

    def result_or_raise(self) -> KernelRun:
        """Read what was said. Requires: it was."""
        assert self.result is not None, "it is over"
        status, said = self.result
        if status == NOT_POSSIBLE:
            raise NotPossibleHereError(f"the kernel arm is not possible here: {said}")
        if status != 0:
            failed = f"the conductor failed: {said.strip() or f'status {status}'}"
            return KernelRun(variant=self.variant, trace=None, failed=failed)
        return KernelRun(variant=self.variant, trace=loads(said))


class _Place:
    """A conductor, a process of its own, that runs one variant after another."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.run: _Run | None = None
        self._selector = selector
        # The kernel ends it when the thread ends that starts it here: let that be one that stays.
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "halfopen.oracle.conductor", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        )
        assert self._popen.stdin is not None, "asked for above"
        assert self._popen.stdout is not None, "asked for above"
        assert self._popen.stderr is not None, "asked for above"
        self._task = self._popen.stdin
        self._said: dict[int, bytearray] = {}
        for pipe in (self._popen.stdout, self._popen.stderr):
            self._said[pipe.fileno()] = bytearray()
            selector.register(pipe, selectors.EVENT_READ, self)
        self._output, self._errors = self._said
        self._open = len(self._said)

    @property
    def is_free(self) -> bool:
        """Whether it can run a variant now: it has nothing to do, and has not ended."""
        return self.run is None and self._open == len(self._said)

    def conduct(self, variant: Variant, seed: int) -> _Run:
        """Have a variant run. Requires: nothing else runs here."""
        self.run = _Run(variant)
        task = tasks.dumps(variant, seed)
        try:
            self._task.write(TASK.pack(len(task)) + task)
            self._task.flush()
        except BrokenPipeError:
            pass  # it has ended already, and says why
        return self.run

    def read(self, fd: int) -> None:
        """Take in what has come on one of its pipes."""
        chunk = os.read(fd, _CHUNK)
        self._said[fd] += chunk
        if not chunk:
            self._selector.unregister(fd)
            self._open -= 1
            if not self._open:
                self._end(1, self._said[self._errors].decode())
            return
        output = self._said[self._output]
        if len(output) >= RESULT.size:
            status, length = RESULT.unpack_from(output)
            if len(output) == RESULT.size + length:
                said = bytes(output[RESULT.size :]).decode()
                output.clear()
                self._end(status, said)

    def _end(self, status: int, said: str) -> None:
        if self.run is not None:
            self.run.result = (status, said)
            self.run = None

    def kill(self) -> None:
        """End it, and with it all that it made."""
        self._popen.kill()
        self._popen.communicate()


def _environment() -> dict[str, str]:
    """Let the conductor and its children find every module that we can."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
