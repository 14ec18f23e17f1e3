"""A row that does not confirm the note turns red where the stack does what the note claims."""

from collections.abc import Callable, Mapping

import pytest
from tests.scenarios.mutants import all_mutations

from halfopen.base.build import running_build
from halfopen.guest.arm import run_variant
from halfopen.record.trace import Trace
from halfopen.scenario.lines import BY_ID
from halfopen.scenario.model import Note
from halfopen.scenario.notes import all_notes, load

pytestmark = pytest.mark.skipif(
    running_build() == "compiled", reason="a compiled class can't be changed from outside"
)


def runs(note: Note) -> Mapping[str, Trace]:
    return {variant.name: run_variant(variant) for variant in note.variants}


def verdict(note: Note) -> str:
    """The verdict of the runs; ``red`` where they don't bear the answer out."""
    try:
        return note.answer(runs(note)).verdict
    except (AssertionError, LookupError, ValueError):
        return "red"


@pytest.mark.parametrize(
    ("row", "mutate"),
    [pytest.param(row, mutate, id=f"{row}: {claim}") for row, claim, mutate in all_mutations()],
)
@pytest.mark.slow
def test_a_row_turns_red_where_the_claim_is_true(
    row: str, mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    note = load(row)
    assert note is not None, f"no scenario answers {row}"
    sound = verdict(note)
    assert sound in {"refuted", "qualified", "answered"}
    mutate(monkeypatch)
    assert verdict(note) != sound


@pytest.mark.slow
def test_every_line_of_the_notes_that_is_not_confirmed_has_a_mutation() -> None:
    mutated = {row for row, _, _ in all_mutations()}
    open_ = [
        id_
        for id_, note in all_notes().items()
        if id_ in BY_ID and id_ not in mutated and verdict(note) != "confirmed"
    ]
    assert not open_, f"no mutation for {', '.join(open_)}"
