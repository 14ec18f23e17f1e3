"""A page for each state, and a table of them all: run and written before the pages are read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from sphinx.application import Sphinx

from halfopen.atlas.cell import Cell, cells
from halfopen.atlas.celltext import (
    HEADS,
    answer,
    cited,
    departs,
    departures,
    reasons_of,
    then,
    told_to,
)
from halfopen.atlas.deciding import Decider
from halfopen.tcp.states import TRANSITIONS, State, spell

_INDEX = """# Atlas

What happens in every state, whatever comes. Each cell was run when these pages were built: the
state was reached by legal traffic, the stimulus happened, and what the stack did is written here,
with the function that decided. For one cell, `halfopen ask SYN_SENT RST` prints the same.

```{{toctree}}
:maxdepth: 1

{pages}
```

## Where each state leads

`tcp/states.py` is the law: a move that is not in it stops the world. The last column is what the
cells came to.

| state | may go to (RFC 9293 3.3.2) | cells | moved |
|---|---|---|---|
{rows}
"""

_PAGE = """# {state}

{tables}

## Decided by

{reasons}

Numbers count from each end's SYN, which is 0. The user's calls are made on a non-blocking socket.
"""


def write_pages(app: Sphinx) -> None:
    """Write ``reference/atlas/syn-sent.md`` and its like.

    What would stay the same is left alone.
    """
    folder = Path(app.srcdir) / "reference" / "atlas"
    folder.mkdir(exist_ok=True)
    pages = {_name(state): _page(state) for state in State}
    pages["index"] = _index()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _name(state: State) -> str:
    return spell(state).lower()


def _index() -> str:
    rows = []
    for state in State:
        found = cells(state)
        moved = sum(cell.then is not state for cell in found)
        leads = ", ".join(spell(after) for after in sorted(TRANSITIONS[state]))
        rows.append(f"| [{spell(state)}]({_name(state)}.md) | {leads} | {len(found)} | {moved} |")
    return _INDEX.format(pages="\n".join(map(_name, State)), rows="\n".join(rows))


def _page(state: State) -> str:
    found = cells(state)
    targets = {
        decider: f"{_name(state)}-{number}"
        for number, decider in enumerate(reasons_of(found), start=1)
    }
    tables = []
    for way, of_way in groupby(found, key=lambda cell: cell.way):
        tables.append(f"## {way.name[0].upper()}{way.name[1:]}")
        for kind, of_kind in groupby(of_way, key=lambda cell: cell.stimulus.kind):
            told = "it gives" if kind == "call" else told_to(way)
            tables.append("\n".join(_table(HEADS[kind], told, of_kind, targets)))
    reasons = ["\n".join(_reason(decider, target, found)) for decider, target in targets.items()]
    return _PAGE.format(
        state=spell(state), tables="\n\n".join(tables), reasons="\n\n".join(reasons)
    )


def _table(
    head: str, told: str, found: Iterable[Cell], targets: Mapping[Decider, str]
) -> Iterator[str]:
    yield f"| {head} | then | it sends | {told} | decided by |"
    yield "|---|---|---|---|---|"
    for cell in found:
        decided = "nobody: nothing is pending"
        if cell.decider is not None:
            decided = f"[{cell.decider.function}](#{targets[cell.decider]})"
        sent = _code(answer(cell)) if cell.answers else ""
        user = _code(cell.user) if cell.user else ""
        yield f"| {cell.stimulus.name} | {then(cell)} | {sent} | {user} | {decided} |"


def _reason(decider: Decider, target: str, found: Sequence[Cell]) -> Iterator[str]:
    yield f"({target})="
    yield f"### {_code(decider.name)}"
    yield ""
    if decider.says:
        yield decider.says
        yield ""
    yield f"{cited(decider)}."
    for tag, names in departures(decider, found):
        yield ""
        yield f"- {_code(f'LINUX({tag})')} on {'; '.join(names)}: {departs(tag)}."


def _code(text: str) -> str:
    return f"`{text}`"


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages once the build begins."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
