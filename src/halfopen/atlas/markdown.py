"""The sheet as a Markdown document. The same runs give the same document, letter by letter."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from halfopen.atlas.language import Language
from halfopen.atlas.runs import RowRun, kernel_name
from halfopen.atlas.sheet import in_order, kernel_cell, standing, world_cell

#: Names that Markdown would take for emphasis: ``tcp_retries2``, ``EAI_*``.
_NAME: Final = re.compile(r"(\w*_[\w*]*)", re.ASCII)
_SIGNS: Final = re.compile(r"([\\*<>\[\]#])")


def markdown(rows: Sequence[RowRun], language: Language) -> list[str]:
    """Write rows as a document."""
    rows = in_order(rows)
    lines = [f"# {language.heading}", "", language.preface("--markdown")]
    for sentence in standing(rows, language):
        lines += ["", sentence]
    kernel = language.kernel(kernel_name(rows))
    for section, group in groupby(rows, key=lambda row: language.section(row.line)):
        lines += ["", f"## {section}"]
        for row in group:
            lines += ["", *_row(row, kernel, language)]
    return lines


def _row(row: RowRun, kernel: str, language: Language) -> list[str]:
    title = _escaped(language.title(row.line, row.note))
    verdict = f"**{language.verdict(row.verdict)}**"
    answer: list[str] = []
    why: list[str] = []
    if row.note is not None:
        verdict += f" · {language.world} {world_cell(row)}"
        verdict += f" · {kernel}{language.colon}{kernel_cell(row, language)}"
        answer = ["", _escaped(language.answer(row))]
        if more := language.more(row):
            answer += ["", _escaped(more)]
        why = ["", _escaped(language.colon.join(language.why(row.note.why)))]
    quoted = [_escaped(language.colon.join(each)) for each in language.notes(row.line)]
    note = ["", "\n>\n".join(f"> {text}" for text in quoted)]
    return [f"### {row.line.id} {title}", "", verdict, *answer, *note, *why]


def _escaped(text: str) -> str:
    """Keep Markdown from reading signs into a text: names become code, the rest is escaped."""
    parts = _NAME.split(text)
    return "".join(
        f"`{part}`" if number % 2 else _SIGNS.sub(r"\\\1", part)
        for number, part in enumerate(parts)
    )
