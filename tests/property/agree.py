"""As many cases as one likes of the simulated host and the real kernel side by side.

``python -m tests.property.agree`` (``make agree``) prints for each matter the seed, how many cases
there were and how many differed, and each that did. Without ``--seed`` every run has other cases.
"""

import argparse
import sys
import time
from collections.abc import Callable
from random import Random, SystemRandom
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis.strategies import SearchStrategy
from tests.property import binding, lookups, routing
from tests.property.on_linux import Linux, linux

from halfopen.base.errors import NotSimulatedError
from halfopen.compare.rules import LOOKS_MAX

#: What is compared: how a case is written, and what the simulated host makes of it.
MATTERS: Final[dict[str, tuple[SearchStrategy[Any], Callable[[Any], list[str]]]]] = {
    "binding": (binding.programs(), binding.here),
    "routing": (routing.cases(), routing.here),
}
#: A case is a call; a host makes many.
NAMES: Final = "names"
_SEEDS: Final = 1 << 32


def apart(matter: str, case: object, ours: list[str], kernel: Linux) -> list[str]:
    """Run a case on the kernel; return what differs from ours, line by line.

    It is asked again: it may have been about something else (a segment to itself waits for
    ksoftirqd).
    """
    theirs = ours
    for _ in range(LOOKS_MAX):
        theirs = kernel.answer(matter, case)
        if ours == theirs:
            return []
    return [
        f"{one}, Linux: {other}" if one != other else one
        for one, other in zip(ours, theirs, strict=True)
    ]


def agree(matter: str, kernel: Linux, *, cases: int, start: int) -> int:
    """Compare so many cases; return how many differ."""
    differing: list[str] = []
    written, here = MATTERS[matter]
    seen = refused = 0

    @seed(start)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(written)
    def look(case: object) -> None:
        nonlocal seen, refused
        try:
            ours = here(case)
        except NotSimulatedError:
            refused += 1
            reject()
        seen += 1
        found = apart(matter, case, ours, kernel)
        if found:
            differing.append(f"{case}\n  " + "\n  ".join(found))

    began = time.monotonic()
    look()
    _tell(matter, start, seen, differing, began)
    if refused:
        sys.stdout.write(f"{refused} more are not simulated, and said so\n")
    return len(differing)


def agree_on_names(*, cases: int, start: int) -> int:
    """Compare at least so many calls that look names up; return how many hosts differ."""
    chance = Random(start)
    hosts = [chance.getrandbits(62) for _ in range(-(-cases // lookups.CALLS))]
    began = time.monotonic()
    differing = [text for text in lookups.unlike(hosts) if text]
    _tell(NAMES, start, len(hosts) * lookups.CALLS, differing, began)
    return len(differing)


def _tell(matter: str, start: int, cases: int, differing: list[str], began: float) -> None:
    took = time.monotonic() - began
    sys.stdout.write(
        f"{matter}: seed {start}, {cases} cases, {len(differing)} differences, {took:.0f} s\n"
    )
    sys.stdout.writelines(f"\n{text}\n" for text in differing)
    sys.stdout.flush()


def main() -> None:
    """Compare everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_500, help="of each matter, at least")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(_SEEDS))
    parser.add_argument("matter", nargs="*", default=[*MATTERS, NAMES])
    asked = parser.parse_args()
    differ = 0
    with linux() as kernel:
        for matter in asked.matter:
            if matter == NAMES:
                differ += agree_on_names(cases=asked.cases, start=asked.seed)
            else:
                differ += agree(matter, kernel, cases=asked.cases, start=asked.seed)
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
