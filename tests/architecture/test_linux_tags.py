"""House style, rule 17: a departure from the RFC is tagged, registered and witnessed."""

import re
from collections.abc import Mapping
from typing import Final

import pytest
from tests.architecture import sources

from halfopen.scenario.notes import all_notes
from halfopen.tcp.linux import TAGS

_TAG: Final = re.compile(r"#.*?\bLINUX\(([^)]*)\)")
_NOTE: Final = re.compile(r"\bN\d\d\b")
_TEST: Final = re.compile(r"\btest_\w+")


def tags_in(text: str) -> list[str]:
    """List the tags that comments carry."""
    return [tag for line in text.splitlines() for tag in _TAG.findall(line)]


def complaints(
    used: list[str], witness_of: Mapping[str, str], notes: set[str], tests: set[str]
) -> list[str]:
    """Hold the tags in use against the registry, and the witnesses against what exists."""
    found = [f"LINUX({tag}) is not in tcp/linux.py" for tag in used if tag not in witness_of]
    for tag, witness in witness_of.items():
        if tag not in used:
            found.append(f"{tag!r} is registered, and no code carries it")
        named_notes, named_tests = _NOTE.findall(witness), _TEST.findall(witness)
        if not named_notes and not named_tests:
            found.append(f"{tag!r}: its witness names no note and no test: {witness!r}")
        found += [f"{tag!r}: no scenario {note}" for note in named_notes if note not in notes]
        found += [f"{tag!r}: no test {test}" for test in named_tests if test not in tests]
    return found


def _tests() -> set[str]:
    files = (sources.ROOT / "tests").rglob("*.py")
    return {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}


def test_tags_registry_and_witnesses_agree() -> None:
    used = [tag for path in sources.modules() for tag in tags_in(path.read_text())]
    witness_of = {tag: departure.witness for tag, departure in TAGS.items()}
    assert used, "no LINUX(tag) was found at all: is the pattern still right?"
    found = complaints(used, witness_of, set(all_notes()), _tests())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_a_departure_names_a_kernel_function(tag: str) -> None:
    assert re.search(r"\b_*[a-z]\w*_\w+\b", TAGS[tag].kernel), f"{tag}: {TAGS[tag].kernel!r}"


@pytest.mark.parametrize(
    ("used", "registry", "says"),
    [
        (["new"], {}, "not in tcp/linux.py"),
        ([], {"old": "N18"}, "no code carries it"),
        (["a"], {"a": ""}, "names no note and no test"),
        (["a"], {"a": "N99"}, "no scenario N99"),
        (["a"], {"a": "test_gone"}, "no test test_gone"),
    ],
)
def test_a_broken_registry_is_seen(used: list[str], registry: dict[str, str], says: str) -> None:
    (complaint,) = complaints(used, registry, {"N18"}, {"test_here"})
    assert says in complaint


def test_a_sound_registry_passes() -> None:
    used = tags_in("x = 1   # LINUX(a)\n# why, and LINUX(b)\n")
    assert complaints(used, {"a": "N18 nobody", "b": "test_here"}, {"N18"}, {"test_here"}) == []
