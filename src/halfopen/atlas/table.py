"""Variants as a table: one setting across, the others down; what is alike is folded together."""

from collections.abc import Mapping, Sequence
from math import prod
from textwrap import wrap
from typing import TypeAlias

Settings: TypeAlias = Mapping[str, str]
Labels: TypeAlias = tuple[str, ...]
Outcomes: TypeAlias = Sequence[tuple[Settings, str]]

_WIDTH = 80
_INDENT = 2
_LABEL_MAX = 24
_ACROSS_MAX = 3


def variants_table(outcomes: Outcomes) -> list[str]:
    """Lay the outcomes out at 80 columns."""
    blocks = _by_keys(outcomes)
    lines: list[str] = []
    for block in blocks:
        if lines:
            lines.append("")
        lines += _block(block)
    return lines


def _by_keys(outcomes: Outcomes) -> list[Outcomes]:
    """Split variants that do not name the same settings; each part is a table of its own."""
    parts: dict[Labels, list[tuple[Settings, str]]] = {}
    for settings, text in outcomes:
        parts.setdefault(tuple(settings), []).append((settings, text))
    return list(parts.values())


def _block(outcomes: Outcomes) -> list[str]:
    keys = list(outcomes[0][0])
    alike: list[str] = []
    cells = {tuple(settings[key] for key in keys): text for settings, text in outcomes}
    for key in list(keys):
        values = _values(outcomes, key)
        if (len(values) == 1 and len(keys) > 1) or _makes_no_difference(cells, keys.index(key)):
            place = keys.index(key)
            cells = {_without(at, place): text for at, text in cells.items()}
            keys.remove(key)
            alike.append(_say_alike(key, values))
    across = _across(cells, keys)
    return [*_grid(cells, keys, across), *alike]


def _say_alike(key: str, values: list[str]) -> str:
    said = f"{key}: {', '.join(values)}" + (": all alike" if len(values) > 1 else "")
    return "\n".join(
        wrap(said, _WIDTH, initial_indent=" " * _INDENT, subsequent_indent=" " * (_INDENT + 2))
    )


def _values(outcomes: Outcomes, key: str) -> list[str]:
    return list(dict.fromkeys(settings[key] for settings, _ in outcomes))


def _without(at: tuple[str, ...], place: int) -> tuple[str, ...]:
    return at[:place] + at[place + 1 :]


def _makes_no_difference(cells: Mapping[Labels, str], place: int) -> bool:
    """Whether outcomes never depend on the setting at ``place``, and it was varied at all."""
    seen: dict[Labels, str] = {}
    varied = False
    for at, text in cells.items():
        rest = _without(at, place)
        varied = varied or rest in seen
        if seen.setdefault(rest, text) != text:
            return False
    return varied and bool(next(iter(seen), ()))


def _across(cells: Mapping[Labels, str], keys: list[str]) -> int | None:
    """Choose the setting that stands across: that with the fewest values, the last of equals."""
    best: tuple[int, int] | None = None
    for place in reversed(range(len(keys))):
        count = len({at[place] for at in cells})
        if 2 <= count <= _ACROSS_MAX and len(keys) > 1 and (best is None or count < best[0]):
            best = count, place
    return best[1] if best is not None else None


def _grid(cells: Mapping[Labels, str], keys: list[str], across: int | None) -> list[str]:
    columns = [""] if across is None else list(dict.fromkeys(at[across] for at in cells))
    rows: dict[Labels, list[str]] = {}
    for at, text in cells.items():
        label = at if across is None else _without(at, across)
        row = rows.setdefault(label, ["-"] * len(columns))
        row[0 if across is None else columns.index(at[across])] = text
    names = [key for place, key in enumerate(keys) if place != across]
    folded = _folded(rows)
    labels = [", ".join(names)] + [named for named, _ in folded]
    width = min(max(len(label) for label in labels), _LABEL_MAX)
    room = (_WIDTH - _INDENT - width) // len(columns) - 2
    lines = []
    if across is not None or len(folded) > 1:
        lines += _lines(labels[0], columns, width, room)
    for named, row in folded:
        lines += _lines(named, row, width, room)
    return lines


def _folded(rows: Mapping[Labels, list[str]]) -> list[tuple[str, list[str]]]:
    """Put neighbours with the same cells into one row, where their labels form a product."""
    runs: list[tuple[list[Labels], list[str]]] = []
    for label, row in rows.items():
        if runs and runs[-1][1] == row:
            runs[-1][0].append(label)
        else:
            runs.append(([label], row))
    return [(_join(part), row) for labels, row in runs for part in _products(labels, 0)]


def _products(labels: list[Labels], place: int) -> list[list[Labels]]:
    """Cut a list of labels into parts that are each the whole product of their values."""
    sizes = [len(values) for values in _distinct(labels)]
    if prod(sizes) == len(labels):
        return [labels]
    groups: dict[str, list[Labels]] = {}
    for label in labels:
        groups.setdefault(label[place], []).append(label)
    return [part for group in groups.values() for part in _products(group, place + 1)]


def _distinct(labels: list[Labels]) -> list[list[str]]:
    return [list(dict.fromkeys(values)) for values in zip(*labels, strict=True)]


def _join(labels: list[Labels]) -> str:
    """Name several rows at once: what they share is said once."""
    return ", ".join(" | ".join(values) for values in _distinct(labels))


def _lines(label: str, row: Sequence[str], width: int, room: int) -> list[str]:
    pieces = [wrap(label, width) or [""], *(wrap(cell, room) or [""] for cell in row)]
    lines = []
    for number in range(max(map(len, pieces))):
        cells = [piece[number] if number < len(piece) else "" for piece in pieces]
        line = " " * _INDENT + cells[0].ljust(width)
        line += "".join("  " + cell.ljust(room) for cell in cells[1:])
        lines.append(line.rstrip())
    return lines
