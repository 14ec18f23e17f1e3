"""One page for each row that has a scenario: written before the pages are read."""

from pathlib import Path

from sphinx.application import Sphinx

from halfopen.oracle.witnesses import recorded
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Note
from halfopen.scenario.notes import all_notes, catalogue

_PAGE = """# {id}: {question}

> {note}

```{{run}} halfopen ask {id}
```

## Read on

{why}

## Witness

{witness}
"""


def write_pages(app: Sphinx) -> None:
    """Write ``answers/n07.md`` and its like, and leave a file alone that would stay the same."""
    folder = Path(app.srcdir) / "answers"
    notes = all_notes()
    for line in catalogue().values():
        if line.id in notes:
            path = folder / f"{line.id.lower()}.md"
            page = _page(line, notes[line.id])
            if not path.exists() or path.read_text() != page:
                path.write_text(page)


def _page(line: Line, note: Note) -> str:
    return _PAGE.format(
        id=note.id,
        question=note.question,
        note=line.note,
        why="\n".join(f"- {place}" for place in note.why),
        witness=_witness(note),
    )


def _witness(note: Note) -> str:
    """Say which kernel was looked at, when, and what it can't show."""
    again = f"`halfopen compare {note.id}` holds the world against the kernel that runs here"
    witnesses = recorded(note.id)
    runs = witnesses.values()
    if not runs:
        return f"No kernel has been recorded yet. {again}."
    kernels = sorted({f"Linux {run.meta['release']} at {run.meta['hz']} Hz" for run in runs})
    dates = sorted({str(run.meta["date"]) for run in runs})
    said = (
        f"{len(runs)} of {len(note.variants)} variants ran on {', '.join(kernels)},"
        f" recorded on {', '.join(dates)} and kept in"
        f" `src/halfopen/oracle/recorded/{note.id.lower()}.jsonl.gz`. {again}."
    )
    alone = dict.fromkeys(
        variant.because for variant in note.variants if variant.name not in witnesses
    )
    return " ".join([said, *(f"Run in the world alone: {because}." for because in alone)])


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages once the build begins."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
