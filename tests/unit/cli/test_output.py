"""Standard output that nobody reads to its end: quiet, and by the status of other tools."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture.sources import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

TARGET = ROOT / "tests" / "explore" / "targets" / "asking.py"
COMMANDS = [
    ["--help"],
    ["--version"],
    ["ask", "--help"],
    ["ask", "N18"],
    ["ask", "N17", "N18"],
    ["ask", "N18", "--json"],
    ["ask", "SYN_SENT", "RST"],
    ["compare", "--help"],
    ["explore", f"{TARGET}:once", "--json"],
    ["run", f"{TARGET}:once"],
]


def with_closed_pipe(*arguments: str) -> tuple[int, str]:
    """Run a command whose reader has gone; its status, and what it says on standard error."""
    with subprocess.Popen(
        [sys.executable, "-m", "halfopen", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
    return running.returncode, said


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_a_reader_that_goes_ends_a_command_quietly(arguments: list[str]) -> None:
    assert with_closed_pipe(*arguments) == (141, "")


def test_captures_are_all_written_although_nobody_reads_on(tmp_path: Path) -> None:
    assert with_closed_pipe("ask", "N18", "--pcap", str(tmp_path)) == (141, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"N18-0{n}.pcapng" for n in range(1, 7)
    ]
    assert all(path.stat().st_size > 200 for path in tmp_path.iterdir())


def test_what_writes_nothing_keeps_its_status() -> None:
    status, said = with_closed_pipe("ask", "N77")
    assert status == 2
    assert said.startswith("halfopen: no row N77")


def test_a_mistake_that_nobody_reads_keeps_its_status() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "halfopen", "ask", "N77"], stderr=subprocess.PIPE
    ) as running:
        assert running.stderr is not None
        running.stderr.close()
    assert running.returncode == 2


def test_output_that_was_closed_from_the_beginning_is_no_mistake() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m halfopen ask N18 >&-"],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
