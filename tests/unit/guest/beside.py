"""The same lines of Python in a guest and in CPython on this machine; their outcomes side by side.

A table is a text: first what stands before every row, then the rows, each under a heading
``# its name``. A row is a few statements and, last, an expression; its outcome is the expression's
value or the exception, as text. A table is run twice as a whole, by a guest and by another
interpreter. Real sockets stay on loopback.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.unit.guest.guests import alone

ROWS = Path(__file__).parent / "rows"
TABLES = sorted(path.stem for path in ROWS.glob("*.txt"))


@cache
def read(table: str) -> tuple[str, Mapping[str, str]]:
    """Read a table: what stands before every row, and the rows by name."""
    before, *parts = re.split(r"^# (.*)\n", (ROWS / f"{table}.txt").read_text(), flags=re.MULTILINE)
    names = parts[::2]
    assert len(set(names)) == len(names), "two rows of one name"
    return before, dict(zip(names, parts[1::2], strict=True))


def outcome(before: str, row: str) -> str:
    """Run a row; numbers that differ from run to run are left out."""
    space: dict[str, object] = {"__name__": "row"}
    try:
        exec(before, space)
        tree = ast.parse(row)
        last = tree.body.pop()
        assert isinstance(last, ast.Expr)
        exec(compile(tree, "<row>", "exec"), space)
        text = repr(eval(compile(ast.Expression(last.value), "<row>", "eval"), space))
    except BaseException as error:  # noqa: BLE001  an outcome as every other
        text = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
    text = re.sub(r"0x[0-9a-f]+", "0x-", text)
    text = re.sub(r"(fd|owner)=\d+", r"\1=-", text)
    return re.sub(r"\('(127\.0\.0\.1|::1)', \d+", r"('\1', -", text)


def tell(before: str, *rows: str) -> None:
    """Print the outcome of every row, a JSON string a line: a program."""
    for row in rows:
        print(json.dumps(outcome(before, row)))  # noqa: T201  as programs do


@cache
def outcomes(table: str) -> Mapping[str, tuple[str, str]]:
    """Give each row's outcome in a guest and in CPython."""
    before, rows = read(table)
    stage = alone(tell, before, *rows.values())
    guest = [json.loads(line) for line in stage.lines("tell")]
    guest += [_stuck(stage.end("tell"), stage.output("tell", 2))] * (len(rows) - len(guest))
    real = _in_cpython(before, rows)
    assert len(real) == len(rows)
    return {name: (guest[n], real[n]) for n, name in enumerate(rows)}


def _stuck(end: str, errors: str) -> str:
    return f"no outcome of the first such row, nor after it; the process: {end or 'waits'} {errors}"


def _in_cpython(before: str, rows: Mapping[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import json, {__name__} as own; own.tell(*json.loads(input()))"],
        input=json.dumps([before, *rows.values()]),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        timeout=50,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
