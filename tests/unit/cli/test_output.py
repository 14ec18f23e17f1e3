"""Standard output that nobody reads to its end: quiet, and by the status of other tools."""

import re
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
#: Those that run worlds, in this process or in workers and forks.
RUNNING = [
    ["ask", "N18"],
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


def by_shell(*arguments: str, redirected: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as a shell redirects them."""
    words = " ".join([sys.executable, "-m", "halfopen", *arguments])
    return subprocess.run(
        ["/bin/sh", "-c", f"{words} {redirected}"], check=False, capture_output=True, text=True
    )


@pytest.mark.once
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["compare", "--rules"], *RUNNING],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_full_disk_is_told_in_a_line_and_is_no_finding(arguments: list[str]) -> None:
    done = by_shell(*arguments, redirected=">/dev/full")
    said = "halfopen: can't write: No space left on device\n"
    assert (done.returncode, done.stderr) == (3, said)


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["ask", "N18"], 3), (["ask", "N77"], 2), (["ask", "--variant", "x"], 2)],
)
def test_a_full_disk_for_both_streams_keeps_the_status(arguments: list[str], status: int) -> None:
    assert by_shell(*arguments, redirected=">/dev/full 2>&1").returncode == status


@pytest.mark.once
@pytest.mark.parametrize("arguments", RUNNING, ids=lambda words: " ".join(words[:2]))
def test_a_stream_that_was_closed_from_the_beginning_is_not_missed(arguments: list[str]) -> None:
    usual = by_shell(*arguments, redirected="")
    for closed in ("2>&-", "<&- 2>&-"):
        done = by_shell(*arguments, redirected=closed)
        assert done.returncode == usual.returncode, closed
        assert _without_times(done.stdout) == _without_times(usual.stdout), closed


@pytest.mark.parametrize(("arguments", "status"), [(["ask", "N77"], 2), (["ask", "N18"], 0)])
def test_with_every_stream_closed_the_status_says_it_all(arguments: list[str], status: int) -> None:
    assert by_shell(*arguments, redirected="<&- >&- 2>&-").returncode == status


def _without_times(text: str) -> str:
    """Leave out what the machine decides: how long it took."""
    return re.sub(r"\d[\d.]* (ms|s|min)\b.*CPU.*|in \d[\d.]* s\b", "", text)
