"""The command line as a whole."""

import re

import pytest
import typer
from typer.testing import CliRunner

from halfopen.base.errors import HalfopenError, MisuseError, NotPossibleHereError
from halfopen.cli import console
from halfopen.cli.leaving import leaves_with_status
from halfopen.cli.main import app


def test_version_says_build_and_python() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert re.match(
        r"halfopen [\d.]+, (pure|compiled) build, CPython 3\.\d+\.\d+\S*\n", done.stdout
    )


def test_unknown_command_is_misuse() -> None:
    assert CliRunner().invoke(app, ["guess"]).exit_code == 2


def test_compare_without_rows_is_misuse_and_runs_nothing() -> None:
    done = CliRunner().invoke(app, ["compare"])
    assert done.exit_code == 2
    assert done.stderr.startswith("halfopen: compare takes rows, as in: halfopen compare N07")


@pytest.mark.parametrize("command", ["ask", "compare", "explore", "replay", "run"])
def test_every_command_has_help_and_states_its_statuses(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    stated = [line.split()[0] for line in lines[lines.index("  Exit status:") + 1 :]]
    assert [word for word in stated if word.isdigit()] == ["0", "1", "2", "3"]


def test_help_of_replay_says_that_a_finding_is_1() -> None:
    said = " ".join(CliRunner().invoke(app, ["replay", "--help"]).stdout.split())
    assert "0 the finding was not reproduced" in said
    assert "1 the finding was reproduced" in said


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MisuseError("no row N77"), 2),
        (HalfopenError("no such host"), 2),
        (NotPossibleHereError("no namespaces"), 3),
    ],
)
def test_mistakes_become_a_line_and_a_status(
    error: HalfopenError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @leaves_with_status
    def command() -> int:
        raise error

    with pytest.raises(typer.Exit) as left:
        command()
    assert left.value.exit_code == status
    assert capsys.readouterr().err == f"halfopen: {error}\n"


def test_long_mistake_is_folded_and_its_command_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    @leaves_with_status
    def command() -> int:
        raise MisuseError(f"{'no such thing ' * 9}\n  Try: halfopen {'x' * 90}")

    with pytest.raises(typer.Exit):
        command()
    *said, tried = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all(len(line) <= 80 for line in said)
    assert "x" * 90 in tried


def test_bug_of_ours_is_not_hidden() -> None:
    @leaves_with_status
    def command() -> int:
        raise AssertionError("SND.UNA passed SND.NXT")

    with pytest.raises(AssertionError, match="passed"):
        command()


def test_colour_is_for_terminals_and_obeys_no_color(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    console.show(["     refuted    POWER OFF"])
    assert capsys.readouterr().out == "     refuted    POWER OFF\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    console.show(["     refuted    POWER OFF"])
    assert capsys.readouterr().out == "     refuted    POWER OFF\n"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    console.show(["     refuted    POWER OFF"])
    assert "\x1b[" in capsys.readouterr().out


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("running", 3) as done:
        done(3)
    assert capsys.readouterr().err == ""
