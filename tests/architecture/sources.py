"""The files that the architecture tests read."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "halfopen"


@cache
def modules() -> tuple[Path, ...]:
    """Every module of the package, in a fixed order."""
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def prose() -> Iterator[Path]:
    """Yield everything that may cite: sources, tests, pages. These tests cite wrongly."""
    yield from modules()
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if "architecture" not in path.parts:
            yield path
    pages = (ROOT / "docs").rglob("*.md")
    yield from sorted(path for path in pages if "_build" not in path.parts)
    yield from sorted(ROOT.glob("*.md"))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"
