"""A forked run and its replay from the start are one run, byte for byte, at every point."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from halfopen.explore.points import KINDS
from halfopen.explore.report import Report
from halfopen.explore.request import Replay, Request, read_token
from halfopen.explore.run import explore, gather, replay, replay_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TARGETS: Final = Path(__file__).parent / "targets"
ONCE: Final = f"{TARGETS}/asking.py:once"


def token_of_the_client(report: Report) -> str:
    """Name the run in which the client waits for ever for a reply."""
    (found,) = [f for f in report.findings if f.waits is not None and f.waits.host == "client"]
    return found.token


def test_every_forked_run_is_repeated_by_its_replay() -> None:
    request = Request(target=ONCE, digests=True)
    tally = gather(request)
    assert {point.kind for point in tally.undisturbed.points} == set(KINDS)
    asked = [Replay(request=request, point=run.point, fault=run.fault) for run in tally.disturbed]
    for run, again in zip(tally.disturbed, replay_all(asked), strict=True):
        assert again.outcome == run.outcome
        assert again.digest == run.outcome.digest
        assert again.point == tally.undisturbed.points[run.point - 1]
    # The digests can differ: most faults leave traces of their own.
    assert len({run.outcome.digest for run in tally.disturbed}) > len(tally.disturbed) / 2


def test_one_run_at_a_time_finds_the_same_as_several() -> None:
    one, four = (gather(Request(target=ONCE, digests=True, jobs=jobs)) for jobs in (1, 4))
    assert one.undisturbed == four.undisturbed
    assert one.disturbed == four.disturbed


def test_the_token_repeats_its_run_under_the_hash_seed_that_it_carries() -> None:
    target = f"{TARGETS}/hashing.py"
    first, second = (explore(Request(target=target, hash_seed=seed)) for seed in (0, 1))
    tokens = [token_of_the_client(report) for report in (first, second)]
    asked = [read_token(token) for token in tokens]
    assert [each.request.hash_seed for each in asked] == [0, 1]
    again = [replay(token) for token in tokens]
    assert [each.digest for each in again] == [each.digest for each in asked]
    assert again[0].digest != again[1].digest  # the order of a set shows in what is sent


def test_a_program_that_has_changed_is_another_run(tmp_path: Path) -> None:
    path = tmp_path / "asking.py"
    path.write_text((TARGETS / "asking.py").read_text())
    token = token_of_the_client(explore(Request(target=f"{path}:once")))

    def halfopen_replay() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "halfopen", "replay", token],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "random"},
        )
        assert done.returncode == 1
        assert done.stderr == ""
        return done.stdout

    assert "This is not the run" not in halfopen_replay()
    path.write_text(path.read_text().replace('sendall(b"one")', 'sendall(b"another")'))
    assert "This is not the run that the token was made for" in halfopen_replay()
