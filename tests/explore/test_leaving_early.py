"""However an exploration ends, no process of it stays behind."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from halfopen.explore.request import Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LONG: Final = Path(__file__).parent / "targets" / "long.py"
PATIENCE_S: Final = 30.0


def parents() -> dict[int, int]:
    """Say of every process which is its parent; those that only wait to be reaped are none."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if after_name[0] != "Z":
            found[int(path.parent.name)] = int(after_name[1])
    return found


def descendants(pid: int) -> set[int]:
    found, present = {pid}, parents()
    while more := {child for child, parent in present.items() if parent in found} - found:
        found |= more
    return found - {pid}


@pytest.fixture
def exploring() -> Iterator[subprocess.Popen[str]]:
    """An exploration on its way: its worker has forked worlds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "halfopen", "explore", str(LONG), "--jobs", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def wait_for_forks(process: subprocess.Popen[str]) -> set[int]:
    """Wait until a worker forks, and return it with its children."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = descendants(process.pid)
        if len(found) >= 3:
            return found
        assert process.poll() is None, process.communicate()
    pytest.fail(f"no world was forked within {PATIENCE_S} s")


def gone(pids: set[int]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if not pids & set(parents()):
            return True
        time.sleep(0.01)
    return False


def test_interrupt_leaves_no_child_behind(exploring: subprocess.Popen[str]) -> None:
    worker = wait_for_forks(exploring)
    exploring.send_signal(signal.SIGINT)
    out, err = exploring.communicate(timeout=PATIENCE_S)
    assert (exploring.returncode, out, err) == (130, "", "")
    assert gone(worker)


def test_a_killed_command_leaves_no_child_behind(exploring: subprocess.Popen[str]) -> None:
    worker = wait_for_forks(exploring)
    exploring.kill()
    exploring.wait(PATIENCE_S)
    assert gone(worker)


def test_a_killed_worker_is_said_and_leaves_no_child_behind(
    exploring: subprocess.Popen[str],
) -> None:
    pids = wait_for_forks(exploring)
    present = parents()
    (worker,) = [pid for pid in pids if present.get(pid) == exploring.pid]
    os.kill(worker, signal.SIGKILL)
    _, err = exploring.communicate(timeout=PATIENCE_S)
    assert exploring.returncode == 2
    assert "the worker failed" in err
    assert gone(pids)


@pytest.mark.parametrize("asked", [b"", pickle.dumps((1, "cut off"))[:-9]])
def test_a_worker_that_is_not_asked_to_the_end_says_nothing(asked: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "halfopen.explore"], check=False, input=asked, capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


#: Runs the worker with nobody to hear it: its standard output is a pipe that nobody reads.
UNHEARD: Final = """
import os, sys
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
os.execv(sys.executable, [sys.executable, "-m", "halfopen.explore"])
"""

#: Tells something to a parent that is not there any more.
TELLS_NOBODY: Final = """
import os
from halfopen.explore.forked import tell
reader, writer = os.pipe()
os.close(reader)
tell(writer, b"a word")
"""


@pytest.mark.parametrize("target", [str(LONG), "nowhere.py"])
def test_a_worker_that_nobody_hears_says_nothing(target: str) -> None:
    asked = pickle.dumps((os.getpid(), Request(target=target)))
    command = [sys.executable, "-c", UNHEARD]
    done = subprocess.run(command, check=False, input=asked, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_fork_that_nobody_hears_says_nothing() -> None:
    command = [sys.executable, "-c", TELLS_NOBODY]
    done = subprocess.run(command, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
