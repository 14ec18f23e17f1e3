"""Pages that say where things lie say it as it is: files, functions, parameters."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from tests.architecture.sources import PACKAGE, ROOT, tree_of

from halfopen.scenario.lines import BY_ID, LINES
from halfopen.scenario.notes import all_notes

SEAMS: Final = ROOT / "docs" / "design" / "interfaces.md"
MAP: Final = ROOT / "docs" / "design" / "map.md"
_BLOCK: Final = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CALL: Final = re.compile(r"    ([\w.]+)\(([^)]*)\)")
_PATH: Final = re.compile(r"`([\w/]+\.py)`")


def signatures() -> list[tuple[str, str, str]]:
    """List what the page of the seams states: a file, a name, its parameters."""
    found = []
    for block in _BLOCK.findall(SEAMS.read_text()):
        path = ""
        for line in block.splitlines():
            if not line.startswith(" "):
                path = line.strip()
                continue
            stated = _CALL.match(line)
            assert stated is not None, f"{path}: no signature in {line!r}"
            found.append((path, stated[1], stated[2]))
    return found


@cache
def defined(path: Path) -> dict[str, str]:
    """Read the parameters of every function, class and method of a file."""
    found = {}
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = parameters(node)
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    found[f"{node.name}.{part.name}"] = parameters(part)
                    if part.name == "__init__":
                        found[node.name] = parameters(part)
    return found


def parameters(node: ast.FunctionDef) -> str:
    """Write parameters as the page does: without types, defaults and ``self``."""
    given = node.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args)]
    if given.vararg is not None:
        names.append(f"*{given.vararg.arg}")
    elif given.kwonlyargs:
        names.append("*")
    names += [argument.arg for argument in given.kwonlyargs]
    return ", ".join(name for name in names if name != "self")


@pytest.mark.parametrize(("path", "name", "stated"), signatures())
def test_seam_is_as_the_page_says(path: str, name: str, stated: str) -> None:
    assert defined(PACKAGE / path).get(name) == stated


@pytest.mark.parametrize("page", [SEAMS, MAP, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = set(_PATH.findall(page.read_text()))
    assert named
    assert [
        path for path in sorted(named) if not ((PACKAGE / path).exists() or (ROOT / path).exists())
    ] == []


def test_functions_of_the_map_are_in_their_files() -> None:
    rows = [line.split(" | ") for line in MAP.read_text().splitlines() if line.startswith("| ")]
    missing = []
    for _, files, function in rows:
        name = function.strip(" |`")
        if name and "`" in function:
            path = _PATH.findall(files)[-1]
            ends = {known.rpartition(".")[2] for known in defined(PACKAGE / path)}
            if name not in ends:
                missing.append(f"{path} {name}")
    assert missing == []


def test_the_readme_counts_the_lines_that_are_scenarios() -> None:
    said = (ROOT / "README.md").read_text()
    assert "Each of the fifty lines of an engineer's notes on sockets is a scenario." in said
    assert len(LINES) == 50
    assert not BY_ID.keys() - all_notes().keys()
