"""Mutation testing of ``tcp``: how many of its mutants the tests kill.

mutmut makes the mutants (all of them: some 7,500) and runs the tests; of them a sample is drawn
here, for all would take a day. A mutant that the type checker refuses could not be committed, and
counts as killed; the wording of assertions is not mutated.
"""

import argparse
import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
MUTANTS: Final = ROOT / "mutants" / "src"
#: Exit codes by which mutmut says that the tests passed, or that none of them came by.
SURVIVED: Final = (0, 5, 33)
#: 95 % of a normal distribution lie so many standard deviations around its mean.
DEVIATIONS: Final = 1.96


def verdicts() -> dict[str, int | None]:
    """Read of every mutant with which exit code its tests ended; None: it was not run."""
    found: dict[str, int | None] = {}
    for path in sorted(MUTANTS.rglob("*.meta")):
        found.update(json.loads(path.read_text())["exit_code_by_key"])
    return found


def mutmut(*names: str) -> None:
    """Make the mutants that are not there, and run those that are named.

    Raises SystemExit where mutmut itself fails.
    """
    command = [sys.executable, "-m", "mutmut", "run", *names]
    done = subprocess.run(command, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"mutmut: exit status {done.returncode}")


def interval(killed: int, tried: int) -> tuple[float, float]:
    """Give the bounds of the share of all, in percent, that a sample speaks for (Wilson)."""
    z2 = DEVIATIONS**2
    share = killed / tried
    middle = (share + z2 / (2 * tried)) / (1 + z2 / tried)
    half = math.sqrt(share * (1 - share) / tried + z2 / (4 * tried**2))
    half *= DEVIATIONS / (1 + z2 / tried)
    return 100 * (middle - half), 100 * (middle + half)


def main() -> int:
    """Draw, run, and print the figure; 1 where it lies below the floor."""
    parser = argparse.ArgumentParser(description="Mutation testing of tcp, by a sample.")
    parser.add_argument("--sample", type=int, default=400, help="so many mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--floor", type=float, default=85.0, help="in percent")
    options = parser.parse_args()
    if not MUTANTS.exists():
        mutmut("halfopen.tcp.states*")
    names = sorted(verdicts())
    drawn = random.Random(options.seed).sample(names, min(options.sample, len(names)))
    mutmut(*drawn)
    ended = verdicts()
    alive = sorted(name for name in drawn if ended[name] in SURVIVED)
    for name in alive:
        print(f"alive: {name}")
    killed = len(drawn) - len(alive)
    low, high = interval(killed, len(drawn))
    print(
        f"{killed} of {len(drawn)} mutants killed, {100 * killed / len(drawn):.1f} % "
        f"({low:.1f} to {high:.1f} % of all {len(names)})"
    )
    return 0 if 100 * killed / len(drawn) >= options.floor else 1


if __name__ == "__main__":
    sys.exit(main())
