"""Every row of the notes on both arms: what the world does, this kernel does."""

import re
from collections import Counter

import pytest

from halfopen.cli.arms import RecordedArms
from halfopen.compare.both import compare_variants
from halfopen.guest.arm import run_variant as in_world
from halfopen.scenario.model import Variant
from halfopen.scenario.notes import all_notes

SEED = 1
#: Of each row so many variants run here; `halfopen compare all` runs them all.
SAMPLE = 5


def figures(text: str) -> Counter[str]:
    """Every number of a text, and how often it stands there."""
    return Counter(re.findall(r"\d+(?:\.\d+)?", text))


def is_chinese(text: str) -> bool:
    return re.search(r"[\u4e00-\u9fff]", text) is not None


@pytest.mark.parametrize("row", sorted(all_notes()))
def test_the_answer_is_borne_out_by_the_runs(row: str) -> None:
    note = all_notes()[row]
    answer = note.answer({variant.name: in_world(variant) for variant in note.variants})
    assert answer.text
    assert is_chinese(note.question_zh)
    assert is_chinese(answer.zh)
    assert figures(answer.zh) == figures(answer.text), "the same figures in both languages"


@pytest.mark.parametrize("row", sorted(all_notes()))
def test_the_world_agrees_with_the_recorded_kernel(row: str) -> None:
    arms, note = RecordedArms(), all_notes()[row]
    found = []
    for variant in note.variants:
        kernel = arms.kernel(note, variant)
        if kernel is None:
            assert not variant.kernel, f"no witness of {row} {variant.name}"
            continue
        world = arms.world(variant, seed=0)
        found += [
            f"{variant.name}: {text}"
            for text in arms.differences(variant, world=world, kernel=kernel)
        ]
    assert not found, "\n".join(found)


def sample(variants: list[Variant]) -> list[Variant]:
    """Spread over all of them, the first and the last among them."""
    step = max((len(variants) - 1) // (SAMPLE - 1), 1)
    return variants[::step]


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.parametrize("row", sorted(all_notes()))
def test_the_world_agrees_with_this_kernel(row: str) -> None:
    variants = sample([variant for variant in all_notes()[row].variants if variant.kernel])
    for compared in compare_variants(
        variants, lambda variant: in_world(variant, seed=SEED), seed=SEED
    ):
        assert not compared.failed
        found = "; ".join(each.text for each in compared.differences)
        assert not found, f"{compared.variant.name}: {found}"
