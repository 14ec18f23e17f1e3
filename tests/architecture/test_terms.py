"""One Chinese term for one thing: CONTRIBUTING's table, and all Chinese that is our own."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.architecture.sources import ROOT

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def terms() -> dict[str, str]:
    """The terms that are not used, each with the one that is."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("### Terms in Chinese")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {
        wrong: right
        for _, right, others in rows[1:]
        for wrong in re.findall(r"(?:accept )?[\u4e00-\u9fff]+", others)
    }


def texts(tree: ast.AST) -> Iterator[str]:
    """The Chinese strings of a module, each whole, wherever the source breaks it."""
    for node in ast.walk(tree):
        pieces = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = "".join(
            str(piece.value) if isinstance(piece, ast.Constant) else "…" for piece in pieces
        )
        if CHINESE.search(text):
            yield text


def wrong_terms(source: str, not_used: Mapping[str, str]) -> list[str]:
    return [
        f"{text[max(0, text.index(wrong) - 8) :][:20]}: {right}"
        for text in texts(ast.parse(source))
        for wrong, right in not_used.items()
        if wrong in text
    ]


def modules() -> list[Path]:
    """Where Chinese is written by us; the notes' own wording stands elsewhere."""
    source = ROOT / "src/halfopen"
    return [source / "atlas/chinese.py", *sorted((source / "scenario/notes").glob("*.py"))]


def test_one_thing_has_one_term() -> None:
    found = [
        f"{path.name}: {wrong}"
        for path in modules()
        for wrong in wrong_terms(path.read_text(), terms())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source", ['"""被复位。"""', 'x = "被复" "位"', 'x = f"{n} 次被复" f"位（{n}）"']
)
def test_another_term_is_found_wherever_the_source_breaks_it(source: str) -> None:
    found = wrong_terms(source, terms())
    assert found
    assert all(wrong.endswith(": 重置") for wrong in found)
