"""The rows of the sheet, one file each: ``n07.py`` holds ``NOTE``, which answers N07.

A row beyond the fifty lines of the notes is whole in its file: ``n51.py`` holds ``LINE`` too.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from halfopen.base.errors import MisuseError
from halfopen.scenario.lines import BY_ID, Line
from halfopen.scenario.model import Note


@cache
def catalogue() -> Mapping[str, Line]:
    """Give every row by its id: the lines of the notes, and then what was asked since."""
    names = sorted(module.name for module in iter_modules(__path__))
    ids = [name.upper() for name in names if name[0] == "n" and name[1:].isdigit()]
    return {**BY_ID, **{id_: _line(id_) for id_ in ids if id_ not in BY_ID}}


def _line(id_: str) -> Line:
    """Import a row that the notes don't have, and ask it what it is about."""
    line = import_module(_module(id_)).LINE
    assert isinstance(line, Line), f"{_module(id_)}.LINE is a {type(line).__name__}"
    assert line.id == id_, f"{_module(id_)} is about {line.id}"
    return line


def load(id_: str) -> Note | None:
    """Import a row's scenario; None where it is still open.

    Raises MisuseError for a row that there is not.
    """
    if id_ not in catalogue():
        msg = f"no row {id_}; there are N01 to {max(catalogue())}"
        raise MisuseError(msg)
    name = _module(id_)
    if find_spec(name) is None:
        return None
    note = import_module(name).NOTE
    assert isinstance(note, Note), f"{name}.NOTE is a {type(note).__name__}"
    assert note.id == id_, f"{name} answers {note.id}"
    return note


def all_notes() -> dict[str, Note]:
    """Import every scenario that there is, in the order of the sheet."""
    found = {id_: load(id_) for id_ in catalogue()}
    return {id_: note for id_, note in found.items() if note is not None}


def _module(id_: str) -> str:
    return f"{__name__}.{id_.lower()}"
