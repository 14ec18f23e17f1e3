"""One page for each line of the notes that has a scenario: written before the pages are read."""

from pathlib import Path

from sphinx.application import Sphinx

from halfopen.scenario.lines import LINES
from halfopen.scenario.notes import all_notes

_PAGE = """# {id}: {question}

{note}

```{{run}} halfopen ask {id}
```

Read on: {why}.
"""


def write_pages(app: Sphinx) -> None:
    """Write ``answers/n07.md`` and its like, and leave a file alone that would stay the same."""
    folder = Path(app.srcdir) / "answers"
    notes = all_notes()
    for line in LINES:
        if line.id not in notes:
            continue
        note = notes[line.id]
        page = _PAGE.format(
            id=note.id, question=note.question, note=f"> {line.note}", why="; ".join(note.why)
        )
        path = folder / f"{note.id.lower()}.md"
        if not path.exists() or path.read_text() != page:
            path.write_text(page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages once the build begins."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
