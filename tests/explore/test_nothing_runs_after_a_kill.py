"""A killed program's code never runs again: not in the run, not at a collection, not at the end."""

import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from halfopen.explore.points import KINDS

TARGETS: Final = Path(__file__).parent / "targets"

#: What each program tells when it comes to its own end; a cycle waits for a collection.
ENDS: Final = {
    *(f"{name} {what}" for name in ("client", "server") for what in (
        "with __exit__",
        "with __del__",
        "local __del__",
        "global __del__",
        "except",
        "finally",
        "outer finally",
        "generator",
        "atexit",
        "threading",
        "finalize",
    )),
    "client thread",
    "client thread's finally",
    "client thread's with __exit__",
    "client thread's with __del__",
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the programs told in every run, and what happened meanwhile."""
    path = tmp_path_factory.mktemp("told") / "told"
    done = subprocess.run(
        [sys.executable, TARGETS / "strike_everywhere.py", path, TARGETS / "noisy.py"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return path.read_text().splitlines()


def runs(told: list[str]) -> list[list[str]]:
    """Cut the lines into runs."""
    numbers: list[int] = []
    for line in told:
        numbers.append(numbers[-1] + (line == "* begins") if numbers else 1)
    cut = zip(numbers, told, strict=True)
    return [[line for _, line in lines] for _, lines in groupby(cut, key=lambda pair: pair[0])]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_killed_program_runs_nothing(told: list[str]) -> None:
    struck = [run for run in runs(told) if any(line.startswith("* strikes") for line in run)]
    kinds = set()
    for run in struck:
        strike = next(i for i, line in enumerate(run) if line.startswith("* strikes"))
        victim, kind = run[strike].removeprefix("* strikes ").split(" ", 1)
        kinds.add((victim, kind))
        after = run[strike:]
        assert not [line for line in after if line.startswith(victim)], run
        assert [line for line in run if line == "* over"], run
    assert kinds == {(victim, kind) for victim in ("client", "server") for kind in KINDS}
    # The survivor's code did run after the strike, where it noticed.
    assert any(line.startswith("client") for line in struck[-1][struck[-1].index("* begins") :])


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_same_program_runs_all_of_it_at_its_own_end(told: list[str]) -> None:
    undisturbed = runs(told)[0]
    assert not any(line.startswith("* strikes") for line in undisturbed)
    assert not ENDS - set(undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_nothing_runs_when_the_runs_are_over(told: list[str]) -> None:
    last = len(told) - told[::-1].index("* over")
    assert told[last:] == ["* cycle collected", "* exits", "* module collected"]
