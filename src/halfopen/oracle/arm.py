"""The kernel arm: a variant runs on the real kernel, and gives a trace as the world does."""

import os
import pickle
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterable
from typing import IO, Final

from halfopen.base.errors import NotPossibleHereError
from halfopen.base.units import S
from halfopen.base.value import value
from halfopen.oracle.conductor import NOT_POSSIBLE
from halfopen.record.trace import Trace, loads
from halfopen.scenario.model import Variant

#: Runs sleep most of their time, but two cores do not hold more without disturbing their times.
SIDE_BY_SIDE: Final = 6
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
    under_way: deque[_Conducted] = deque()
    selector = selectors.DefaultSelector()
    try:
        while waiting or under_way:
            while waiting and sum(not run.is_over for run in under_way) < side_by_side:
                under_way.append(_Conducted(waiting.popleft(), seed, selector))
            while under_way and under_way[0].is_over:
                yield under_way.popleft().result()
            if under_way and not under_way[0].is_over:
                _take_in(selector, under_way)
    finally:
        for run in under_way:
            run.kill()
        selector.close()


def _take_in(selector: selectors.BaseSelector, runs: Iterable["_Conducted"]) -> None:
    """Wait until a conductor says something or ends, or its time is up."""
    deadline = min(run.deadline for run in runs if not run.is_over)
    for key, _ in selector.select(max(deadline - time.monotonic(), 0)):
        run: _Conducted = key.data
        run.read(key.fd, selector)
    now = time.monotonic()
    for run in runs:
        if not run.is_over and run.deadline <= now:
            run.kill()
            msg = f"the conductor of {run.variant.name} does not come to an end"
            raise AssertionError(msg)


class _Conducted:
    """A conductor at work, in a process of its own, and what it has said so far."""

    def __init__(self, variant: Variant, seed: int, selector: selectors.BaseSelector) -> None:
        self.variant = variant
        self.deadline = time.monotonic() + variant.horizon_ns / S + _OVERHEAD_S
        task = pickle.dumps((variant, seed))
        # The kernel ends it when the thread ends that starts it here: let that be one that stays.
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "halfopen.oracle.conductor", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        )
        pipes = [self.popen.stdout, self.popen.stderr]
        self.open: dict[int, IO[bytes]] = {pipe.fileno(): pipe for pipe in pipes if pipe}
        self.said = {fd: bytearray() for fd in self.open}
        self._order = list(self.open)  # output, errors
        for fd in self.open:
            selector.register(fd, selectors.EVENT_READ, self)
        assert self.popen.stdin is not None, "asked for above"
        try:
            self.popen.stdin.write(task)
            self.popen.stdin.close()
        except BrokenPipeError:
            self.popen.stdin = None  # it has ended already, and says why

    @property
    def is_over(self) -> bool:
        """Whether it has said all."""
        return not self.open

    def read(self, fd: int, selector: selectors.BaseSelector) -> None:
        """Take in what has come on one of its pipes."""
        chunk = os.read(fd, _CHUNK)
        self.said[fd] += chunk
        if not chunk:
            selector.unregister(fd)
            self.open.pop(fd).close()

    def result(self) -> KernelRun:
        """Read what it said. Requires: ``is_over``."""
        status = self.popen.wait()
        output, errors = (self.said[fd].decode() for fd in self._order)
        if status == NOT_POSSIBLE:
            raise NotPossibleHereError(f"the kernel arm is not possible here: {errors}")
        if status != 0:
            failed = f"the conductor failed: {errors.strip() or f'status {status}'}"
            return KernelRun(variant=self.variant, trace=None, failed=failed)
        return KernelRun(variant=self.variant, trace=loads(output))

    def kill(self) -> None:
        """End it, and with it all that it made."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        for pipe in self.open.values():
            pipe.close()
        self.open.clear()


def _environment() -> dict[str, str]:
    """Let the conductor and its children find every module that we can."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
