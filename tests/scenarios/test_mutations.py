"""A row that does not confirm the note turns red where the stack does what the note claims."""

from collections.abc import Callable, Mapping

import pytest
from tests.scenarios.mutants import all_mutations

from halfopen.base.build import running_build
from halfopen.guest.arm import run_variant
from halfopen.record.trace import Trace
from halfopen.scenario.model import Note
from halfopen.scenario.notes import load

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


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "mutate"),
    [pytest.param(row, mutate, id=f"{row}: {claim}") for row, claim, mutate in all_mutations()],
)
def test_a_row_turns_red_where_the_claim_is_true(
    row: str, mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``test_rows`` holds that the row is not red, and not confirmed, without the mutation."""
    note = load(row)
    assert note is not None, f"no scenario answers {row}"
    mutate(monkeypatch)
    assert verdict(note) in {"red", "confirmed"}
