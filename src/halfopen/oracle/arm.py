"""The kernel arm: a variant runs on the real kernel, and gives a trace as the world does."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from halfopen.base.errors import NotPossibleHereError
from halfopen.base.units import S
from halfopen.oracle.conductor import NOT_POSSIBLE
from halfopen.record.trace import Trace, loads
from halfopen.scenario.model import Variant

#: Runs sleep most of their time, but two cores do not hold more without disturbing their times.
SIDE_BY_SIDE = 6
_OVERHEAD_S = 60


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


def run_variant(variant: Variant) -> Trace:
    """Run a variant on this kernel, in real time.

    Raises NotPossibleHereError where no namespace can be made, or the variant is the world's alone.
    """
    if not variant.kernel:
        msg = f"{variant.name} runs in the world only: {variant.because}"
        raise NotPossibleHereError(msg)
    done = subprocess.run(
        [sys.executable, "-m", "halfopen.oracle.conductor", str(os.getpid())],
        input=pickle.dumps(variant),
        check=False,
        capture_output=True,
        timeout=variant.horizon_ns / S + _OVERHEAD_S,
        env=_environment(),
    )
    if done.returncode == NOT_POSSIBLE:
        raise NotPossibleHereError(f"the kernel arm is not possible here: {done.stderr.decode()}")
    assert done.returncode == 0, f"the conductor of {variant.name} failed: {done.stderr.decode()}"
    return loads(done.stdout.decode())


def run_variants(
    variants: Iterable[Variant], *, side_by_side: int = SIDE_BY_SIDE
) -> Iterator[tuple[Variant, Trace]]:
    """Run several variants side by side, and yield them in their order."""
    chosen = [variant for variant in variants if variant.kernel]
    with ThreadPoolExecutor(side_by_side) as pool:
        try:
            yield from zip(chosen, pool.map(run_variant, chosen), strict=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _environment() -> dict[str, str]:
    """Let the conductor and its children find every module that we can."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
