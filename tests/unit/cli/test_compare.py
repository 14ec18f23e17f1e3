"""What ``compare --record`` keeps, and when."""

from collections.abc import Callable, Generator, Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from halfopen.atlas.beside import Comparison
from halfopen.cli import arms, compare
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


def run(
    monkeypatch: pytest.MonkeyPatch,
    found: Iterable[Comparison | Callable[[], object]],
    *options: str,
) -> tuple[int, list[str]]:
    """Compare and record, where the arms found this: exit status, and what was said of it.

    A function among what was found is called when it is its turn.
    """

    def comparisons(*_: object, **__: object) -> Generator[Comparison, None, None]:
        for each in found:
            if isinstance(each, Comparison):
                yield each
            else:
                each()

    monkeypatch.setattr(compare, "_comparisons", comparisons)
    done = CliRunner().invoke(app, ["compare", *options, "--record"])
    return done.exit_code, [line for line in done.stdout.splitlines() if "recorded" in line]


def ran(name: str, kernel: Trace | None, failed: str = "", note_id: str = ROW) -> Comparison:
    return Comparison(
        note_id=note_id,
        number=1,
        name=name,
        world=Trace({}),
        kernel=kernel,
        differences=(),
        failed=failed,
    )


def seen(when: str) -> Trace:
    return Trace({"arm": "kernel", "release": "6.18.0", "when": when})


def kept(note_id: str = ROW) -> dict[str, object]:
    return {name: trace.meta["when"] for name, trace in witnesses.recorded(note_id).items()}


def test_witnesses_of_all_variants_are_kept(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, said = run(monkeypatch, [ran(name, seen("now")) for name in names], ROW)
    assert status == 0
    assert kept() == dict.fromkeys(names, "now")
    assert len(said) == 1
    assert said[0].startswith(f"{ROW} recorded: {len(names)} of {len(names)} variants, ")


def test_what_did_not_run_leaves_the_witness_of_before(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    witnesses.record(ROW, {name: seen("before") for name in (*names, "a variant of before")})
    broken = ran(names[0], None, failed="on the kernel: no such luck")
    found = [broken, *(ran(name, seen("now")) for name in names[1:])]
    _, said = run(monkeypatch, found, ROW)
    assert kept() == {names[0]: "before", **dict.fromkeys(names[1:], "now")}
    assert said[0].startswith(f"{ROW} recorded: {len(names) - 1} of {len(names)} variants, ")


def test_a_row_is_kept_as_soon_as_it_is_done(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile: list[dict[str, object]] = []
    found = [ran(name, seen("now")) for name in names]

    def look() -> None:
        meanwhile.append(kept())

    run(monkeypatch, [*found[:-1], look, found[-1], look], ROW)
    assert meanwhile == [{}, dict.fromkeys(names, "now")]


def test_what_takes_hours_is_kept_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(witnesses, "_FOLDER", str(tmp_path / "recorded"))
    monkeypatch.setattr(arm, "possible", lambda: None)
    note = load("N41")
    assert note is not None
    first, *_, last = [variant.name for variant in note.variants if not variant.kernel]
    witnesses.record("N41", {last: seen("before")})
    meanwhile: list[dict[str, object]] = []

    def look() -> None:
        meanwhile.append(kept("N41"))

    run(monkeypatch, [ran(first, seen("now"), note_id="N41"), look], "N41", "--full-length")
    assert meanwhile == [{first: "now", last: "before"}]


def test_nothing_is_written_where_nothing_ran(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, said = run(monkeypatch, [ran(name, None, failed="on the kernel: no") for name in names], ROW)
    assert kept() == {}
    assert said == []


@pytest.mark.parametrize(("rows", "shown"), [("N18", "ask N18"), ("N18 n17", "ask N18 n17")])
def test_without_leave_the_recorded_runs_are_pointed_to(
    rows: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm, "possible", lambda: "unshare: Operation not permitted")
    monkeypatch.setattr(arms, "recorded", lambda id_: {"one": _recorded_at(id_)})
    done = CliRunner().invoke(app, ["compare", *rows.split()])
    assert (done.exit_code, done.stdout) == (3, "")
    span = "2026-11-18" if rows == "N18" else "2026-11-17 to 2026-11-18"
    assert done.stderr.splitlines()[-2:] == [
        f"  Beside the runs recorded {span} on 6.18: halfopen {shown}",
        f"  As root, or with user namespaces allowed: halfopen compare {rows}",
    ]


def test_without_leave_and_witnesses_none_are_pointed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm, "possible", lambda: "unshare: Operation not permitted")
    monkeypatch.setattr(arms, "recorded", lambda _: {})
    assert "ask" not in CliRunner().invoke(app, ["compare", "N18"]).stderr


def _recorded_at(id_: str) -> Trace:
    return Trace({"date": f"2026-11-{id_[1:]}", "release": "6.18.5-cloud"})
