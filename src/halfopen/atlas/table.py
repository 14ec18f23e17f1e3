"""Variants as tables: settings down, one of them across; what comes to the same is said once.

A setting that makes no difference, or has one value, stands above its table. Values whose part of
the table is the same share a row, as a set: ``near cable | far cable``. Of the ways to lay a table
out (which setting stands across, in which order the others go down, whether one of them parts it in
two) that with the fewest lines is taken, and a cell that must be folded counts against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations
from textwrap import wrap
from typing import Final, TypeAlias

from halfopen.base.value import value

Settings: TypeAlias = Mapping[str, str]
Labels: TypeAlias = tuple[str, ...]
Outcomes: TypeAlias = Sequence[tuple[Settings, str]]

#: A cell that is the same as the one before it in its row, and a variant that is not there.
SAME: Final = "same"
NOT_RUN: Final = "-"

_WIDTH: Final = 80
_INDENT: Final = "  "
_GAP: Final = "  "
_ACROSS_MAX: Final = 4
_DOWN_MAX: Final = 4  # more settings than that keep their order
_WORD_MAX: Final = 30
#: So many folds of a cell are as bad as a line more.
_FOLDS_PER_LINE: Final = 2


@value
class _Body:
    """Cells of one row, or groups: values of one setting that share their part of the table."""

    cells: Labels
    groups: "tuple[tuple[Labels, _Body], ...]"


@value
class _Layout:
    """A table as it could be laid out."""

    head: tuple[str, ...]  # what stands above it
    names: Labels  # what heads its columns
    body: _Body


def variants_table(outcomes: Outcomes) -> list[str]:
    """Lay the outcomes out at 80 columns."""
    parts: dict[Labels, list[tuple[Settings, str]]] = {}
    for settings, text in outcomes:
        parts.setdefault(tuple(settings), []).append((settings, text))
    return _joined([_shortest(part) for part in parts.values()])


def _joined(blocks: Sequence[Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += ["", *block] if lines else block
    return lines


def _shortest(outcomes: Outcomes) -> list[str]:
    """Lay out variants that name the same settings: in one table, or in one for each value."""
    ways = [[_best(outcomes)], *([_best(part) for part in parts] for parts in _partings(outcomes))]
    best = min(ways, key=lambda tables: sum(cost + _FOLDS_PER_LINE for cost, _ in tables))
    return _joined([lines for _, lines in best])


def _best(outcomes: Outcomes) -> tuple[int, list[str]]:
    """Lay out one table; what it costs, and its lines."""
    found = []
    for layout in _layouts(outcomes):
        widths = _widths(layout)
        cost = _cost(layout, widths) + _FOLDS_PER_LINE * len(layout.head)
        found.append((cost, layout, widths))
    cost, layout, widths = min(found, key=lambda way: way[0])
    return cost, _drawn(layout, widths)


def _partings(outcomes: Outcomes) -> Iterator[list[Outcomes]]:
    """Part the variants by each setting that has few values."""
    for key in outcomes[0][0]:
        parts: dict[str, list[tuple[Settings, str]]] = {}
        for settings, text in outcomes:
            parts.setdefault(settings[key], []).append((settings, text))
        if 2 <= len(parts) <= _ACROSS_MAX:
            yield list(parts.values())


def _layouts(outcomes: Outcomes) -> Iterator[_Layout]:
    """Find the ways to lay out one table; of equals the first is the best."""
    keys = list(outcomes[0][0])
    cells = {tuple(settings[key] for key in keys): text for settings, text in outcomes}
    said: list[str] = []
    alike: list[str] = []
    for key in list(keys):
        place = keys.index(key)
        values = _values(cells, place)
        if len(values) == 1:
            said.append(f"{key}: {values[0]}")
        elif _makes_no_difference(cells, place):
            alike.append(f"{key}: {' | '.join(values)} (all alike)")
        else:
            continue
        cells = {_without(at, place): text for at, text in cells.items()}
        keys.remove(key)
    head = tuple(_fold_head("; ".join([*said, *alike])))
    for across in [*_across(cells, keys), None]:
        down = [place for place in range(len(keys)) if place != across]
        for order in permutations(down) if len(down) <= _DOWN_MAX else [tuple(down)]:
            yield _layout(head, cells, keys, order, across)


def _fold_head(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT + "  ")


def _values(cells: Mapping[Labels, str], place: int) -> list[str]:
    return list(dict.fromkeys(at[place] for at in cells))


def _without(at: Labels, place: int) -> Labels:
    return at[:place] + at[place + 1 :]


def _makes_no_difference(cells: Mapping[Labels, str], place: int) -> bool:
    """Whether outcomes never depend on a setting, of which each value was run with all others."""
    seen: dict[Labels, list[tuple[str, str]]] = {}
    for at, text in cells.items():
        seen.setdefault(_without(at, place), []).append((at[place], text))
    values = _values(cells, place)
    return all(
        [value for value, _ in found] == values and len({text for _, text in found}) == 1
        for found in seen.values()
    )


def _across(cells: Mapping[Labels, str], keys: Sequence[str]) -> list[int]:
    """List the settings that may stand across; those with the fewest values first."""
    counts = {place: len(_values(cells, place)) for place in range(len(keys))}
    few = [place for place in counts if 2 <= counts[place] <= _ACROSS_MAX]
    return sorted(few, key=lambda place: (counts[place], -place))


def _layout(
    head: Labels,
    cells: Mapping[Labels, str],
    keys: Sequence[str],
    order: Sequence[int],
    across: int | None,
) -> _Layout:
    columns = [""] if across is None else _values(cells, across)
    rows: dict[Labels, list[str]] = {}
    for at, text in cells.items():
        row = rows.setdefault(tuple(at[place] for place in order), [NOT_RUN] * len(columns))
        row[0 if across is None else columns.index(at[across])] = text
    if across is not None:
        columns[0] = f"{keys[across]}: {columns[0]}"
    return _Layout(
        head=head,
        names=(*(keys[place] for place in order), *columns),
        body=_grouped([(label, _marked(row)) for label, row in rows.items()]),
    )


def _marked(row: Sequence[str]) -> Labels:
    """Write ``same`` for what repeats the cell before it."""
    before = ["", *row]
    return tuple(
        SAME if text == left and text != NOT_RUN else text
        for left, text in zip(before, row, strict=False)
    )


def _grouped(rows: Sequence[tuple[Labels, Labels]]) -> _Body:
    """Put rows below the value that they begin with, and values with the same rows together."""
    if not rows[0][0]:
        return _Body(cells=rows[0][1], groups=())
    parts: dict[str, list[tuple[Labels, Labels]]] = {}
    for label, row in rows:
        parts.setdefault(label[0], []).append((label[1:], row))
    shared: list[tuple[list[str], _Body]] = []
    for name, part in parts.items():
        below = _grouped(part)
        known = next((names for names, same in shared if same == below), None)
        if known is None:
            shared.append(([name], below))
        else:
            known.append(name)
    return _Body(cells=(), groups=tuple((tuple(names), below) for names, below in shared))


def _drawn(layout: _Layout, widths: Sequence[int]) -> list[str]:
    """Write a table."""
    lines = list(layout.head)
    if any(layout.names):
        lines += _row(layout.names, widths)
    indent = _INDENT * 2 if layout.head and not any(layout.names) else _INDENT
    return lines + [f"{indent}{line}".rstrip() for line in _body(layout.body, widths)]


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [f"{_INDENT}{line}".rstrip() for line in _side_by_side(cells, widths)]


def _body(body: _Body, widths: Sequence[int]) -> list[str]:
    if not body.groups:
        return _side_by_side(body.cells, widths)
    lines: list[str] = []
    for values, part in body.groups:
        label, below = _fold(_label(values), widths[0]), _body(part, widths[1:])
        for number in range(max(len(label), len(below))):
            left = label[number] if number < len(label) else ""
            right = below[number] if number < len(below) else ""
            lines.append(f"{left:<{widths[0]}}{_GAP}{right}")
    return lines


def _side_by_side(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    pieces = [_fold(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return [
        _GAP.join(
            (piece[number] if number < len(piece) else "").ljust(width)
            for piece, width in zip(pieces, widths, strict=True)
        )
        for number in range(max(map(len, pieces)))
    ]


def _fold(text: str, width: int) -> list[str]:
    return wrap(text, width, break_on_hyphens=False) or [""]


def _label(values: Labels) -> str:
    return " | ".join(values)


def _widths(layout: _Layout) -> list[int]:
    """Share the room among the columns: each time, that is cut which costs least.

    Where no widths fit, longer words than a column are broken.
    """
    columns = _columns(layout)
    room = _WIDTH - len(_INDENT) - len(_GAP) * (len(columns) - 1)
    least = [min(max(map(_longest_word, texts)), _WORD_MAX) for texts in columns]
    widths = [max(map(len, texts)) for texts in columns]
    while sum(widths) > room:
        cuts = []
        for place, texts in enumerate(columns):
            if widths[place] > least[place]:
                cut = max(_next_width(texts, widths[place]), least[place])
                cost = _cost(layout, [*widths[:place], cut, *widths[place + 1 :]])
                cuts.append((cost, -widths[place], place, cut))
        if not cuts:
            break
        _, _, place, cut = min(cuts)
        widths[place] = max(cut, widths[place] - (sum(widths) - room))
    if sum(widths) > room:
        return [max(room // len(columns), 1)] * len(columns)
    return widths


def _columns(layout: _Layout) -> list[list[str]]:
    """List the texts of each column, with what heads it."""
    found = [[name] for name in layout.names]

    def collect(body: _Body, place: int) -> None:
        for number, cell in enumerate(body.cells, start=place):
            found[number].append(cell)
        for values, part in body.groups:
            found[place].append(_label(values))
            collect(part, place + 1)

    collect(layout.body, 0)
    return found


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=1)


def _next_width(texts: Sequence[str], width: int) -> int:
    """Find the next smaller width at which one of the texts needs a line more."""
    heights = [_lines_of(text, width) for text in texts]
    while width > 1 and [_lines_of(text, width) for text in texts] == heights:
        width -= 1
    return width


def _cost(layout: _Layout, widths: Sequence[int]) -> int:
    """Count the lines of a table at some widths, and the lines into which its cells are folded."""
    heads = [_lines_of(name, width) for name, width in zip(layout.names, widths, strict=True)]
    lines, folds = _cost_of(layout.body, widths)
    return _FOLDS_PER_LINE * (max(heads) + lines) + sum(heads) - len(heads) + folds


def _cost_of(body: _Body, widths: Sequence[int]) -> tuple[int, int]:
    if not body.groups:
        cells = [_lines_of(cell, width) for cell, width in zip(body.cells, widths, strict=True)]
        return max(cells), sum(cells) - len(cells)
    lines = folds = 0
    for values, part in body.groups:
        below, folded = _cost_of(part, widths[1:])
        lines += max(_lines_of(_label(values), widths[0]), below)
        folds += folded
    return lines, folds


@cache
def _lines_of(text: str, width: int) -> int:
    """Count the lines that a text takes, as ``_fold`` folds it."""
    return len(_fold(text, width))
