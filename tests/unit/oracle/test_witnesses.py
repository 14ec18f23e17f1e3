"""What the kernel did is kept: compact, the same bytes for the same runs, and read back whole."""

import gzip
from pathlib import Path

import pytest

from halfopen.base.errors import MisuseError
from halfopen.oracle.witnesses import errors_recorded, lines_recorded, record, recorded
from halfopen.record.events import CallReturn, Mark, Output
from halfopen.record.trace import Trace
from halfopen.scenario.notes import catalogue, load


def run(name: str, *, stderr: str = "") -> Trace:
    trace = Trace({"arm": "kernel", "release": "6.18.1", "hz": 250, "date": "2026-11-25"})
    trace.ended_ns = 9
    trace.add(Mark(t_ns=1, host="client", process="client", name=name))
    for stream, text in ((1, "said\n"), (2, stderr)):
        if text:
            trace.add(Output(t_ns=2, host="client", process="client", stream=stream, text=text))
    return trace


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    runs = {"peer=reads": run("a"), "peer=writes": run("b")}
    record("N07", runs, folder=tmp_path)
    again = recorded("N07", folder=tmp_path)
    assert list(again) == list(runs)
    for name, trace in again.items():
        assert trace.events == runs[name].events
        assert trace.ended_ns == 9
        assert trace.meta == runs[name].meta | {"variant": name, "recorded": True}


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    first = record("N07", {"x": run("a")}, folder=tmp_path).read_bytes()
    again = record("N07", recorded("N07", folder=tmp_path), folder=tmp_path).read_bytes()
    assert first == again
    assert first[4:8] == bytes(4), "without the time of the recording"
    assert b"n07" not in first[:20], "without a name"
    assert b"recorded" not in gzip.decompress(first)


def test_what_names_this_machine_s_files_is_left_out(tmp_path: Path) -> None:
    record("N07", {"x": run("a", stderr="/home/me/n07.py, line 3\n")}, folder=tmp_path)
    (trace,) = recorded("N07", folder=tmp_path).values()
    assert [event.text for event in trace.events if isinstance(event, Output)] == ["said\n"]


def test_new_runs_take_the_place_of_the_old(tmp_path: Path) -> None:
    record("N07", {"x": run("a"), "y": run("b")}, folder=tmp_path)
    record("N07", {"y": run("c")}, folder=tmp_path)
    assert list(recorded("N07", folder=tmp_path)) == ["y"]


def test_a_line_that_nobody_has_looked_at_has_no_witnesses(tmp_path: Path) -> None:
    assert recorded("N07", folder=tmp_path) == {}
    assert lines_recorded(folder=tmp_path) == []
    record("N18", {"x": run("a")}, folder=tmp_path)
    record("N07", {"x": run("a")}, folder=tmp_path)
    assert lines_recorded(folder=tmp_path) == ["N07", "N18"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: b"x" + data,
        lambda _: gzip.compress(b"\xff\xfe"),
        lambda _: gzip.compress(b"{}"),
    ],
    ids=["cut off", "not gzip", "not ASCII", "not a trace"],
)
def test_damaged_witnesses_are_refused(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = record("N07", {"x": run("a")}, folder=tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MisuseError):
        recorded("N07", folder=tmp_path)


def test_a_folder_that_can_t_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "recorded").write_text("a file")
    with pytest.raises(MisuseError, match="N07 can't be kept in"):
        record("N07", {"x": run("a")}, folder=tmp_path / "recorded")


@pytest.mark.parametrize("line", lines_recorded())
def test_the_package_s_witnesses_are_of_variants_that_there_are(line: str) -> None:
    assert line in catalogue()
    note = load(line)
    assert note is not None
    names = {variant.name for variant in note.variants}
    witnesses = recorded(line)
    assert set(witnesses) <= names, f"witnesses of what no longer is: {set(witnesses) - names}"
    for trace in witnesses.values():
        assert {"release", "date", "hz", "python"} <= set(trace.meta)
        assert "-" not in str(trace.meta["release"]), "what a distribution appends is left out"


def test_errors_are_counted_as_they_stand_in_the_runs(tmp_path: Path) -> None:
    assert errors_recorded("N07", folder=tmp_path) == {}
    failed = run("a")
    failed.add(CallReturn(t_ns=2, call_id=1, result=None, errno="EPIPE"))
    failed.add(CallReturn(t_ns=3, call_id=2, result=None, errno="EPIPE"))
    failed.add(CallReturn(t_ns=4, call_id=3, result={"fd": 3}, errno=None))
    record("N07", {"x": failed}, folder=tmp_path)
    assert errors_recorded("N07", folder=tmp_path) == {"EPIPE": 2}
