"""Cells of the atlas as text: a table for each way to a state, then why, function by function."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from string import ascii_letters
from textwrap import wrap
from typing import Final

from halfopen.atlas.cell import Cell
from halfopen.atlas.deciding import Decider
from halfopen.atlas.stimuli import Way
from halfopen.base.units import show_duration
from halfopen.tcp.linux import TAGS
from halfopen.tcp.states import State, spell

_WIDTH: Final = 80
_INDENT: Final = "  "
#: Stimulus, state, answer, what the user is told, why.
_COLUMNS: Final = (26, 12, 21, 13, 1)
_GAP: Final = " "
#: What heads a table of one kind of stimulus.
HEADS: Final = {
    "segment": "a segment comes",
    "call": "the user calls",
    "network": "a router answers",
    "silence": "the peer is silent",
}


def page(state: State, cells: Sequence[Cell], *, asked: str) -> list[str]:
    """Write cells of a state at 80 columns."""
    reasons = reasons_of(cells)
    title = f"{spell(state)}, {asked}" if asked else spell(state)
    lines = [title]
    for way, of_way in groupby(cells, key=lambda cell: cell.way):
        lines += ["", *_table(way, list(of_way), reasons)]
    lines += ["", "Decided by"]
    for decider, letter in reasons.items():
        lines += _reason(decider, letter, cells)
    lines += ["", *wrap(" ".join(_notes(cells)), _WIDTH)]
    if asked:
        lines.append(f"All of it: halfopen ask {state.name}")
    return lines


def reasons_of(cells: Iterable[Cell]) -> dict[Decider, str]:
    """Give every deciding function a letter, in the order in which the table meets them."""
    deciders = dict.fromkeys(cell.decider for cell in cells if cell.decider is not None)
    assert len(deciders) <= len(ascii_letters), "more deciding functions than letters"
    return dict(zip(deciders, ascii_letters, strict=False))


def told_to(way: Way) -> str:
    """Head the column that says what the user is told."""
    return way.asks or "the user"


def then(cell: Cell) -> str:
    """Say where a cell leads: ``stays``, ``CLOSED``, ``CLOSED after 1 min``."""
    if cell.then is cell.way.state:
        return "stays"
    if cell.after_ns:
        return f"{spell(cell.then)} after {show_duration(cell.after_ns)}"
    return spell(cell.then)


def answer(cell: Cell) -> str:
    """Say what was sent: equal segments one after another are counted."""
    said = []
    for segment, same in groupby(cell.answers):
        times = len(list(same))
        said.append(segment if times == 1 else f"{segment}, {times} times")
    return "; ".join(said) or "-"


def departures(decider: Decider, cells: Iterable[Cell]) -> Iterator[tuple[str, list[str]]]:
    """Pair each departure of Linux with the stimuli of a decider under which it showed."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        if cell.decider == decider:
            for tag in cell.tags:
                found.setdefault(tag, []).append(cell.stimulus.name)
    for tag, names in found.items():
        yield tag, list(dict.fromkeys(names))


def departs(tag: str) -> str:
    """Say what a departure is, against which rule, and where Linux was seen doing so."""
    known = TAGS[tag]
    return f"{known.does} ({known.rfc}); {known.kernel}; seen in {known.witness}"


def cited(decider: Decider) -> str:
    """List where the reason is written: the RFC, and the kernel's function."""
    kernel = [f"Linux {name}" for name in decider.kernel]
    return "; ".join([*decider.rfc, *kernel])


def _table(way: Way, cells: Sequence[Cell], reasons: dict[Decider, str]) -> list[str]:
    lines = [f"{way.name[0].upper()}{way.name[1:]}."]
    for kind, of_kind in groupby(cells, key=lambda cell: cell.stimulus.kind):
        told = "it gives" if kind == "call" else told_to(way)
        lines += _row(HEADS[kind], "then", "it sends", told, "")
        for cell in of_kind:
            letter = reasons[cell.decider] if cell.decider is not None else "-"
            lines += _row(cell.stimulus.name, then(cell), answer(cell), cell.user or "-", letter)
    return lines


def _row(*texts: str) -> list[str]:
    pieces = [wrap(text, width) or [""] for text, width in zip(texts, _COLUMNS, strict=True)]
    lines = []
    for number in range(max(map(len, pieces))):
        cells = [piece[number] if number < len(piece) else "" for piece in pieces]
        padded = (cell.ljust(width) for cell, width in zip(cells, _COLUMNS, strict=True))
        lines.append((_INDENT + _GAP.join(padded)).rstrip())
    return lines


def _reason(decider: Decider, letter: str, cells: Sequence[Cell]) -> list[str]:
    lines = [f"{_INDENT}{letter}  {decider.name}"]
    texts = [decider.says, cited(decider)]
    stimuli = {cell.stimulus.name for cell in cells if cell.decider == decider}
    for tag, names in departures(decider, cells):
        where = "" if len(names) == len(stimuli) else f" on {'; '.join(names)}"
        texts.append(f"LINUX({tag}){where}: {departs(tag)}")
    for text in texts:
        lines += wrap(
            text, _WIDTH, initial_indent=_INDENT + "   ", subsequent_indent=_INDENT + "     "
        )
    return lines


def _notes(cells: Sequence[Cell]) -> Iterator[str]:
    yield "Every row was run just now. Numbers count from each end's SYN, which is 0."
    if any(cell.stimulus.kind == "call" for cell in cells):
        yield "The user's calls are made on a non-blocking socket."
