"""What ``compare --record`` keeps, also of a run that was broken off."""

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from halfopen.atlas.beside import Comparison
from halfopen.cli import compare
from halfopen.cli.interrupt import INTERRUPTED
from halfopen.cli.main import app
from halfopen.oracle import arm, witnesses
from halfopen.record.trace import Trace
from halfopen.scenario.notes import load

ROW = "N51"


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of a row's variants; witnesses go into a folder of the test's."""
    monkeypatch.setattr(witnesses, "_FOLDER", str(tmp_path / "recorded"))
    monkeypatch.setattr(arm, "possible", lambda: None)
    note = load(ROW)
    assert note is not None
    return [variant.name for variant in note.variants if variant.kernel]


def run(monkeypatch: pytest.MonkeyPatch, found: Iterable[Comparison]) -> tuple[int, list[str]]:
    """Compare and record, where the arms found this: exit status, and what was said of it."""

    def comparisons(*_: object, **__: object) -> Generator[Comparison, None, None]:
        yield from found

    monkeypatch.setattr(compare, "_comparisons", comparisons)
    done = CliRunner().invoke(app, ["compare", ROW, "--record"])
    return done.exit_code, [line for line in done.stdout.splitlines() if line.startswith(ROW)]


def ran(name: str, kernel: Trace | None, failed: str = "") -> Comparison:
    return Comparison(
        note_id=ROW,
        number=1,
        name=name,
        world=Trace({}),
        kernel=kernel,
        differences=(),
        failed=failed,
    )


def seen(when: str) -> Trace:
    return Trace({"arm": "kernel", "release": "6.18.0", "when": when})


def kept() -> dict[str, object]:
    return {name: trace.meta["when"] for name, trace in witnesses.recorded(ROW).items()}


def test_witnesses_of_all_variants_are_kept(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said = run(monkeypatch, [ran(name, seen("now")) for name in names])
    assert status == 0
    assert kept() == dict.fromkeys(names, "now")
    assert said[-1].startswith(f"{ROW} recorded: {len(names)} variants, ")


def test_what_did_not_run_leaves_the_witness_of_before(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    witnesses.record(ROW, {name: seen("before") for name in (*names, "a variant of before")})
    broken = ran(names[0], None, failed="on the kernel: no such luck")
    _, said = run(monkeypatch, [broken, *(ran(name, seen("now")) for name in names[1:])])
    assert kept() == {names[0]: "before", **dict.fromkeys(names[1:], "now")}
    assert said[-1] == f"{ROW}: 1 of its variants did not run; their witnesses stay."


def test_what_has_run_is_kept_when_the_rest_is_broken_off(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> Generator[Comparison, None, None]:
        yield ran(names[0], seen("now"))
        raise KeyboardInterrupt

    status, _ = run(monkeypatch, interrupted())
    assert status == INTERRUPTED
    assert kept() == {names[0]: "now"}


def test_nothing_is_written_where_nothing_ran(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    witnesses.record(ROW, {name: seen("before") for name in names})
    _, said = run(monkeypatch, [])
    assert kept() == dict.fromkeys(names, "before")
    assert said == [f"{ROW}: {len(names)} of its variants did not run; their witnesses stay."]
