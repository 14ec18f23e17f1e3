"""As many cases as one likes of the simulated host and the real kernel side by side.

``python -m tests.property.agree`` (``make agree``) prints how many there were, how many differed,
and each that did.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis.strategies import SearchStrategy
from tests.property import binding, routing
from tests.property.on_linux import Linux, linux

from halfopen.compare.rules import LOOKS_MAX
from halfopen.sockets.waiting import NotSimulatedError

#: What is compared: how a case is written, and what the simulated host makes of it.
MATTERS: Final[dict[str, tuple[SearchStrategy[Any], Callable[[Any], list[str]]]]] = {
    "binding": (binding.programs(), binding.here),
    "routing": (routing.cases(), routing.here),
}


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


def simulated(here: Callable[[Any], list[str]], case: object) -> list[str]:
    """Run a case on the simulated host; reject one that it says it can't simulate."""
    try:
        return here(case)
    except NotSimulatedError:
        reject()


def agree(matter: str, kernel: Linux, *, cases: int, start: int) -> int:
    """Compare so many cases; return how many differ."""
    differing: list[str] = []
    written, here = MATTERS[matter]

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
        found = apart(matter, case, simulated(here, case), kernel)
        if found:
            differing.append(f"{case}\n  " + "\n  ".join(found))

    began = time.monotonic()
    look()
    took = time.monotonic() - began
    sys.stdout.write(f"{matter}: {cases} cases, {len(differing)} differences, {took:.0f} s\n")
    sys.stdout.writelines(f"\n{text}\n" for text in differing)
    sys.stdout.flush()
    return len(differing)


def main() -> None:
    """Compare everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2_500, help="of each matter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("matter", nargs="*", default=list(MATTERS))
    asked = parser.parse_args()
    with linux() as kernel:
        differ = [
            agree(matter, kernel, cases=asked.cases, start=asked.seed) for matter in asked.matter
        ]
    sys.exit(1 if any(differ) else 0)


if __name__ == "__main__":
    main()
