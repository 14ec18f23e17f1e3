"""Every row of the notes on both arms: what the world does, this kernel does."""

import re
from collections import Counter

import pytest
from tests.scenarios.mutants import all_mutations

from halfopen.atlas.chinese import CHINESE
from halfopen.atlas.english import ENGLISH
from halfopen.atlas.runs import run_row
from halfopen.atlas.sheet import answer_lines
from halfopen.cli.arms import RecordedArms
from halfopen.compare.both import compare_variants
from halfopen.guest.arm import run_variant as in_world
from halfopen.scenario.lines import BY_ID
from halfopen.scenario.model import Variant
from halfopen.scenario.notes import all_notes, catalogue

SEED = 1
#: So many lines of the sheet an answer may take.
LINES_MAX = 8
#: Of each row so many variants run here; `halfopen compare all` runs them all.
SAMPLE = 3


def figures(text: str) -> Counter[str]:
    """Every number of a text, and how often it stands there."""
    return Counter(re.findall(r"\d+(?:\.\d+)?", text))


def is_chinese(text: str) -> bool:
    return re.search(r"[\u4e00-\u9fff]", text) is not None


@pytest.mark.once
@pytest.mark.parametrize("row", sorted(all_notes()))
def test_the_runs_bear_out_the_answer_and_the_recorded_kernel_did_the_same(row: str) -> None:
    found = run_row(catalogue()[row], all_notes()[row], RecordedArms(), seed=0)
    assert not found.failed
    unseen = [run.variant.name for run in found.runs if run.variant.kernel and run.kernel is None]
    assert not unseen, f"no witness of {', '.join(unseen)}"
    differ = [f"{run.variant.name}: {text}" for run in found.runs for text in run.differences]
    assert not differ, "\n".join(differ)
    assert is_chinese(all_notes()[row].question_zh)
    assert is_chinese(found.answer.zh)
    assert figures(found.answer.zh) == figures(found.answer.text), "the same figures in both"
    assert figures(found.answer.more_zh) == figures(found.answer.more), "the same figures in both"
    assert is_chinese(found.answer.more_zh) == bool(found.answer.more), "all of it in both"
    for language in (ENGLISH, CHINESE):
        assert len(answer_lines(found, language)) <= LINES_MAX, "the detail belongs into `more`"
    if row in BY_ID and found.verdict != "confirmed":
        assert row in {mutated for mutated, _, _ in all_mutations()}, "no mutation turns it red"


def sample(variants: list[Variant]) -> list[Variant]:
    """Spread over all of them, the first and the last among them."""
    step = max((len(variants) - 1) // (SAMPLE - 1), 1)
    return variants[::step][:SAMPLE]


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_world_agrees_with_this_kernel() -> None:
    chosen = [
        (row, variant)
        for row, note in all_notes().items()
        for variant in sample([variant for variant in note.variants if variant.kernel])
    ]
    found = []
    for compared in compare_variants(
        [variant for _, variant in chosen], lambda variant: in_world(variant, seed=SEED), seed=SEED
    ):
        row, variant = chosen[compared.number]
        texts = [compared.failed] if compared.failed else [d.text for d in compared.differences]
        found += [f"{row} {variant.name}: {text}" for text in texts]
    assert not found, "\n".join(found)
