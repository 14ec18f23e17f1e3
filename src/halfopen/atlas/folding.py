"""Text in columns where a character may be two wide, as Chinese ones are, or none."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from rich.cells import cell_len

#: What may not begin a line, and what may not end one.
_NEVER_FIRST: Final = "，。、；：！？）」』》”’,.;:!?)]}…"
_NEVER_LAST: Final = "（「『《“‘([{"


def pad(text: str, width: int) -> str:
    """Fill a text up with blanks to a number of columns."""
    return text + " " * (width - cell_len(text))


def fold(text: str, width: int, *, first: str = "", then: str = "") -> list[str]:
    """Break a text into lines of so many columns; ``first`` and ``then`` are their indents.

    A line breaks at blanks, and on either side of a wide character, but not before what closes nor
    behind what opens.
    """
    if all(cell_len(part) == len(part) for part in (text, first, then)):
        return wrap(text, width, initial_indent=first, subsequent_indent=then)
    lines, line, taken = [], first, False
    for unit in _units(text):
        if taken and cell_len(line) + cell_len(unit.rstrip()) > width:
            lines.append(line.rstrip())
            line = then
        line += unit
        taken = True
    return [*lines, line.rstrip()]


def _units(text: str) -> Iterator[str]:
    """Cut a text where lines may break; each piece keeps the blanks behind it."""
    start = 0
    for place in range(1, len(text)):
        if _may_break(text[place - 1], text[place]):
            yield text[start:place]
            start = place
    yield text[start:]


def _may_break(left: str, right: str) -> bool:
    if " " in {left, right}:
        return right != " "
    wide = cell_len(left) > 1 or cell_len(right) > 1
    return wide and left not in _NEVER_LAST and right not in _NEVER_FIRST
