"""The sheet as a help file of vim, as the notes were one: ``:help connect`` opens it.

Each row has its id as a tag; each call, option and error has one at the row whose title names it,
or else at the first that speaks of it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.cells import cell_len

from halfopen.atlas.folding import fold, pad
from halfopen.atlas.language import Language
from halfopen.atlas.runs import RowRun, kernel_name
from halfopen.atlas.sheet import in_order, kernel_cell, standing, world_cell

_WIDTH: Final = 78
_LABEL: Final = 12
_INDENT: Final = "  "
_MODELINE: Final = " vim:tw=78:ts=8:ft=help:norl:"
#: What the notes call and name, with the tag; vim has commands of its own named as some calls are.
_CALLS: Final[Mapping[str, str]] = {
    "accept": "accept",
    "bind": "bind",
    "close": "close()",
    "connect": "connect",
    "epoll": "epoll",
    "freeaddrinfo": "freeaddrinfo",
    "getaddrinfo": "getaddrinfo",
    "gethostbyaddr": "gethostbyaddr",
    "gethostbyname": "gethostbyname",
    "gethostname": "gethostname",
    "getpeername": "getpeername",
    "getprotobynumber": "getprotobynumber",
    "getservbyname": "getservbyname",
    "getservbyport": "getservbyport",
    "getsockname": "getsockname",
    "in6addr_any": "in6addr_any",
    "listen": "listen",
    "poll": "poll",
    "read": "read()",
    "recv": "recv",
    "shutdown": "shutdown",
    "write": "write()",
}
_CONSTANT: Final = re.compile(r"[A-Z]+_[A-Z_]*[A-Z]|E[A-Z]{3,}|SIG[A-Z]+")
#: Calls that no line names, because a whole section is about them.
_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {"Options": ("getsockopt", "setsockopt")}
_STARRED: Final = re.compile(r"\*([^\s*|]+)\*")


def vimhelp(rows: Sequence[RowRun], language: Language) -> list[str]:
    """Write rows as a help file. Its first line is ASCII: help files of a folder go together."""
    rows = in_order(rows)
    tags = _tags(rows)
    lines = ["*halfopen.txt*\tNotes on sockets, answered by runs: halfopen ask", ""]
    for text in (language.preface("--vimhelp"), *standing(rows, language)):
        lines += [*fold(text, _WIDTH), ""]
    lines += _contents(rows, tags, language)
    kernel = language.kernel(kernel_name(rows))
    for section, group in groupby(rows, key=lambda row: row.line.section):
        of = list(group)
        lines += [_rule(), *_headed(language.section(of[0].line), _section_tags(section)), ""]
        for row in of:
            lines += [*_row(row, tags[row.line.id], kernel, language), ""]
    return [*lines, _MODELINE]


def _contents(
    rows: Sequence[RowRun], tags: Mapping[str, Sequence[str]], language: Language
) -> list[str]:
    lines = [_rule(), *_headed(language.contents, ["halfopen-contents"]), ""]
    names: list[str] = []
    for section, group in groupby(rows, key=lambda row: row.line.section):
        of = list(group)
        lines += [_aside(language.section(of[0].line), f"|{_section_tags(section)[0]}|")]
        for row in of:
            lead = f"{_INDENT}|{row.line.id}|  {pad(language.verdict(row.verdict), 11)}"
            text = language.title(row.line, row.note)
            lines += fold(text, _WIDTH, first=lead, then=" " * cell_len(lead))
            names += tags[row.line.id]
        lines.append("")
        names += _SECTIONS.get(section, ())
    links = "  ".join(f"|{name}|" for name in names)
    return [*lines, language.names, *fold(links, _WIDTH, first=_INDENT, then=_INDENT), ""]


def _row(row: RowRun, tags: Sequence[str], kernel: str, language: Language) -> list[str]:
    title = _plain(language.title(row.line, row.note))
    lines = _right([row.line.id, *tags])
    lines += [f"{line} ~" for line in fold(f"{row.line.id}  {title}", _WIDTH - 2, then="     ")]
    verdict = language.verdict(row.verdict)
    if row.note is None:
        lines.append(verdict)
    else:
        lines += _labelled(verdict, language.answer(row))
        if more := language.more(row):
            lines += ["", *_labelled("", more)]
    lines.append("")
    for label, text in language.notes(row.line):
        lines += _labelled(label, text)
    if row.note is not None:
        lines += _labelled(*language.why(row.note.why))
        stand = f"{language.world} {world_cell(row)}; {kernel}{language.colon}"
        lines += _labelled(language.runs, stand + kernel_cell(row, language))
    return lines


def _labelled(label: str, text: str) -> list[str]:
    return fold(_plain(text), _WIDTH, first=pad(label, _LABEL), then=" " * _LABEL)


def _rule() -> str:
    return "=" * _WIDTH


def _section_tags(section: str) -> list[str]:
    slug = re.sub(r"\W+", "-", section.lower())
    return [f"halfopen-{slug}", *_SECTIONS.get(section, ())]


def _headed(text: str, tags: Sequence[str]) -> list[str]:
    """Write a heading with its tags at the right margin."""
    first, *more = [f"*{tag}*" for tag in tags]
    return [_aside(text, first), *(_aside("", tag) for tag in more)]


def _aside(text: str, right: str) -> str:
    return pad(text, _WIDTH - len(right)) + right


def _right(tags: Sequence[str]) -> list[str]:
    """Write tags at the right margin, the id of the row in the first line."""
    lines = fold(" ".join(f"*{tag}*" for tag in tags), _WIDTH - 2 * _LABEL)
    return [f"{line:>{_WIDTH}}" for line in lines]


def _plain(text: str) -> str:
    """Keep vim from taking a text's stars for a tag."""
    return _STARRED.sub("＊\\1＊", text)


def _tags(rows: Sequence[RowRun]) -> dict[str, list[str]]:
    """Give each row the names that it is the place for."""
    found: dict[str, str] = {}
    for texts in ([row.line.title for row in rows], [row.line.note for row in rows]):
        for row, text in zip(rows, texts, strict=True):
            for name in _names(text):
                found.setdefault(name, row.line.id)
    tags: dict[str, list[str]] = {row.line.id: [] for row in rows}
    for name, id_ in found.items():
        tags[id_].append(name)
    return tags


def _names(text: str) -> Iterator[str]:
    for word in re.findall(r"\w+", text):
        if word in _CALLS:
            yield _CALLS[word]
        elif _CONSTANT.fullmatch(word):
            yield word
