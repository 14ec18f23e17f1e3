"""Rows that are run on every core say what they say when they are run one after another."""

import json
import os
import subprocess
import sys

import pytest

from halfopen.cli.workers import ALONE_MAX
from halfopen.scenario.notes import all_notes

#: Short rows, in another order than that of their length.
ROWS = ("N21", "N22", "N05", "N28")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core has no workers")
def test_rows_come_in_their_order_with_every_run() -> None:
    counts = [len(all_notes()[row].variants) for row in ROWS]
    assert sum(counts) > ALONE_MAX, "so many that workers are made"
    done = subprocess.run(
        [sys.executable, "-m", "halfopen", "ask", *ROWS, "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    rows = json.loads(done.stdout)["notes"]
    assert [row["id"] for row in rows] == list(ROWS)
    assert [len(row["scenarios"]) for row in rows] == counts
    assert all(run["arms"]["world"]["calls"] for row in rows for run in row["scenarios"])


ENDED = f"""
import os, signal
from halfopen.base.errors import NotPossibleHereError
from halfopen.cli.workers import run_rows
from halfopen.scenario.notes import catalogue, load

class Arms:
    def world(self, variant, *, seed):
        os.kill(os.getpid(), signal.SIGKILL)

notes = {{row: load(row) for row in {ROWS}}}
try:
    run_rows([catalogue()[row] for row in notes], notes, Arms(), seed=1, done=print)
except NotPossibleHereError as error:
    print(error)
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="one core has no workers")
def test_a_process_that_is_gone_is_not_waited_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED], check=True, capture_output=True, text=True, timeout=15
    )
    assert done.stdout == "a process was ended from outside (status -9)\n"
