"""Ctrl-C ends a command with status 130 and without a word, however early it comes."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LONG: Final = str(Path(__file__).parent / "targets" / "long.py")
PATIENCE_S: Final = 60.0

#: Runs ``python -m halfopen``, and sends itself SIGINT when a module is looked for.
AT_AN_IMPORT: Final = """
import os, runpy, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == where:
            os.kill(os.getpid(), signal.SIGINT)

where = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupts())
runpy.run_module("halfopen", run_name="__main__", alter_sys=True)
"""

#: Does what an installed ``halfopen`` does, and says when it begins.
INSTALLED: Final = """
import sys
from halfopen.cli.entry import main
sys.argv[0] = "halfopen"
print("begins", flush=True)
main()
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("halfopen.cli.entry", ("ask",)),
        ("halfopen.cli.main", ("ask",)),
        ("typer", ("ask",)),
        ("halfopen.cli.leaving", ("ask",)),
        ("halfopen.scenario.notes.n01", ("ask", "N01")),
        ("halfopen.atlas.row", ("ask", "N18")),
        ("halfopen.explore.run", ("explore", LONG)),
        ("halfopen.atlas.finding", ("run", LONG)),
    ],
)
def test_interrupt_while_modules_are_imported(module: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_AN_IMPORT, module, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("after_s", [0.1, 0.4, 0.8, 1.6, 2.4])
@pytest.mark.parametrize("arguments", [("ask",), ("explore", LONG)])
def test_interrupt_after_a_while(arguments: tuple[str, ...], after_s: float) -> None:
    command = [sys.executable, "-c", INSTALLED, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begins\n"
        time.sleep(after_s)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, err) == (130, "")
    # The sheet's head stands there before its rows have run; no row does.
    assert not out or (arguments == ("ask",) and out.startswith("world:") and "N01" not in out)


def test_an_ignored_interrupt_stays_ignored() -> None:
    """As a shell has it for what it runs in the background."""
    done = subprocess.run(
        [sys.executable, "-c", AT_AN_IMPORT, "halfopen.atlas.row", "ask", "N18"],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("N18")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def test_interrupt_shows_the_cursor_that_the_progress_has_hidden(
    terminal: tuple[int, int],
) -> None:
    ours, theirs = terminal
    with subprocess.Popen(
        [sys.executable, "-m", "halfopen", "explore", LONG],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    ) as running:
        os.close(theirs)
        shown = b""
        while b"exploring" not in shown:
            shown += os.read(ours, 4096)
        running.send_signal(signal.SIGINT)
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # EIO: its last writer has gone
            pass
    assert running.returncode == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"Traceback" not in shown
