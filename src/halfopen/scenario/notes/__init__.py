"""The lines of the notes, one file each: ``n07.py`` holds ``NOTE``, which answers N07."""

from importlib import import_module
from importlib.util import find_spec

from halfopen.base.errors import MisuseError
from halfopen.scenario.lines import BY_ID, LINES
from halfopen.scenario.model import Note


def load(id_: str) -> Note | None:
    """Import a line's scenario; None where it is still open.

    Raises MisuseError for a line that the notes don't have.
    """
    if id_ not in BY_ID:
        msg = f"no row {id_}; the notes have N01 to N{len(LINES)}"
        raise MisuseError(msg)
    name = f"{__name__}.{id_.lower()}"
    if find_spec(name) is None:
        return None
    note = import_module(name).NOTE
    assert isinstance(note, Note), f"{name}.NOTE is a {type(note).__name__}"
    assert note.id == id_, f"{name} answers {note.id}"
    return note


def all_notes() -> dict[str, Note]:
    """Import every scenario that there is, in the order of the notes."""
    found = {line.id: load(line.id) for line in LINES}
    return {id_: note for id_, note in found.items() if note is not None}
