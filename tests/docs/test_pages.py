"""Every code block of every page does what the page says.

- ``python`` blocks run, one after another, in one namespace for each page. A block whose first line
  is a comment with a file's name (``# shop.py``) is written to that file instead.
- ``console`` blocks hold commands (``$ halfopen ask N18``) and what they print; a line ``...``
  stands for any lines, and figures that differ from machine to machine are written ``…``.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser
from tests.architecture.sources import ROOT

PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if "_build" not in path.parts
)


def matches(expected: list[str], printed: list[str]) -> bool:
    """Hold printed lines against expected ones, with ``...`` for lines and ``…`` within one."""
    parts = []
    for line in expected:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(part) for part in line.rstrip().split("…")) + r"\n")
    text = "".join(line.rstrip() + "\n" for line in printed)
    return re.fullmatch("".join(parts), text) is not None


def _console(example: Example) -> str | None:
    commands: list[tuple[str, list[str]]] = []
    for line in example.parsed.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands:
            commands[-1][1].append(line)
    for command, expected in commands:
        name, *arguments = shlex.split(command)
        assert name == "halfopen", f"a page may show our own command only, not {command!r}"
        done = subprocess.run(
            [sys.executable, "-m", "halfopen", *arguments],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=example.namespace["cwd"],
            env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"},
        )
        if not matches(expected, done.stdout.splitlines()):
            return f"{command} printed (exit {done.returncode}):\n{done.stdout}"
    return None


def _python(example: Example) -> str | None:
    code = example.parsed
    named = re.match(r"# (\w+\.py)\n", code)
    if named:
        (Path(example.namespace["cwd"]) / named[1]).write_text(code)
        return None
    block = compile(code, f"{example.path}:{example.line}", "exec", dont_inherit=True)
    exec(block, example.namespace)
    return None


_SYBIL = Sybil(
    parsers=[
        CodeBlockParser(language="python", evaluator=_python),
        CodeBlockParser(language="console", evaluator=_console),
    ]
)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_do_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    document = _SYBIL.parse(page)
    document.namespace["cwd"] = str(tmp_path)
    before = set(sys.modules)
    for example in document.examples():
        example.evaluate()
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == tmp_path:
            del sys.modules[name]  # another page may have a file of this name


@pytest.mark.parametrize(
    ("expected", "printed", "agree"),
    [
        (["a", "b"], ["a", "b "], True),
        (["a", "..."], ["a", "b", "c"], True),
        (["a", "...", "c"], ["a", "c"], True),
        (["in … s"], ["in 0.3 s"], True),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        (["in … s"], ["in 0.3 h"], False),
    ],
)
def test_output_is_compared_line_by_line(
    expected: list[str], printed: list[str], agree: bool
) -> None:
    assert matches(expected, printed) is agree
