"""However a run is ended, nothing of it stays: no process, no namespace, no file.

A namespace without a name goes with the last process that is in it or holds it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: ``halfopen compare`` on a row whose runs last for seconds.
COMPARE = [sys.executable, "-m", "halfopen", "compare", "N10"]
#: Two hosts make a run, and nowhere, where its conductor is; three of them are surely under way.
AT_LEAST = 9
BEGINS_WITHIN_S = 15
ENDS_WITHIN_S = 5


def of_session(session: int) -> set[int]:
    """List the living processes of a session, whoever their parent is by now."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, *fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == session and state != "Z":  # one that ended waits to be taken note of
            found.add(int(path.parent.name))
    return found


def namespaces_of(pids: set[int]) -> set[str]:
    """Name the network namespaces that processes are in, or hold by a descriptor."""
    names = set()
    for pid in pids:
        for path in [Path(f"/proc/{pid}/ns/net"), *Path(f"/proc/{pid}/fd").glob("*")]:
            try:
                target = str(path.readlink())
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if target.startswith("net:["):
                names.add(target)
    return names


def others(session: int) -> set[int]:
    return {int(path.name) for path in Path("/proc").glob("[0-9]*")} - of_session(session)


@pytest.mark.kernel
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("number", "to_all", "status"),
    [
        (signal.SIGINT, True, 130),  # Ctrl-C at a terminal goes to everybody in the foreground
        (signal.SIGINT, False, 130),
        (signal.SIGTERM, False, -signal.SIGTERM),
        (signal.SIGKILL, False, -signal.SIGKILL),
    ],
    ids=["Ctrl-C", "SIGINT", "SIGTERM", "SIGKILL"],
)
def test_a_comparison_that_is_ended_leaves_nothing(
    number: signal.Signals, to_all: bool, status: int, tmp_path: Path
) -> None:
    with subprocess.Popen(
        COMPARE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=dict(os.environ) | {"TMPDIR": str(tmp_path)},
    ) as compare:
        try:
            begun = time.monotonic()
            before = namespaces_of({os.getpid()})
            while len(made := namespaces_of(of_session(compare.pid)) - before) < AT_LEAST:
                assert compare.poll() is None, "the comparison runs until it is ended"
                assert time.monotonic() - begun < BEGINS_WITHIN_S, "runs are under way in time"
                time.sleep(0.05)
            assert not made & namespaces_of(others(compare.pid)), "nobody else holds them"
            if to_all:
                os.killpg(compare.pid, number)
            else:
                compare.send_signal(number)
            ended = time.monotonic()
            assert compare.wait(ENDS_WITHIN_S) == status
            while left := of_session(compare.pid):
                assert time.monotonic() - ended < ENDS_WITHIN_S, f"left: {left}"
                time.sleep(0.05)
        finally:
            compare.kill()
    assert not list(tmp_path.iterdir())
