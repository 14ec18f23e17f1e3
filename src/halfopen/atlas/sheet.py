"""The answer sheet: every row by section, with verdict, answer, and how well it is known."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from halfopen.atlas.english import ENGLISH
from halfopen.atlas.folding import fold, pad
from halfopen.atlas.language import Language
from halfopen.atlas.runs import RowRun, is_recorded, kernel_name
from halfopen.base.units import HOUR, show_duration
from halfopen.scenario.lines import ASKED_SINCE
from halfopen.scenario.model import Variant

_WIDTH: Final = 80
_WORLD: Final = 56  # the world's column begins here
_KERNEL: Final = 64
_VERDICT: Final = 5
_ANSWER: Final = 16
_VERDICTS: Final = ("confirmed", "refuted", "qualified", "answered", "failed", "open")


def sheet(rows: Sequence[RowRun], *, cpu_s: float, language: Language = ENGLISH) -> list[str]:
    """Write the sheet; the runs took ``cpu_s`` seconds of CPU time."""
    variants = [run.variant for row in rows for run in row.runs]
    return [*sheet_head(variants, language), *sheet_body(rows, cpu_s=cpu_s, language=language)]


def sheet_head(variants: Sequence[Variant], language: Language) -> list[str]:
    """Explain the sheet's columns, which needs no run."""
    return fold(language.semicolon.join([language.legend, *_links(variants, language)]), _WIDTH)


def sheet_body(rows: Sequence[RowRun], *, cpu_s: float, language: Language) -> list[str]:
    """Write what follows the head: the rows by section, and how many came to what."""
    lines: list[str] = []
    section = ""
    kernel = kernel_name(rows)
    for row in rows:
        if row.line.section != section:
            section = row.line.section
            named = language.section(row.line), language.world, language.kernel(kernel)
            lines += ["", _in_columns(*named)]
        lines += _row(row, language)
    return [*lines, "", *_summary(rows, cpu_s, language)]


def _links(variants: Sequence[Variant], language: Language) -> list[str]:
    """Say how long a link of the variants takes; nothing where none has one."""
    delays = Counter(link.delay_ns for variant in variants for link in variant.links)
    delays.update(lan.delay_ns for variant in variants for lan in variant.lans)
    if not delays:
        return []
    usual = max(delays, key=lambda delay_ns: (delays[delay_ns], -delay_ns))
    others = sorted(delay_ns for delay_ns in delays if delay_ns != usual)
    ends = dict.fromkeys((*others[:1], *others[-1:]))
    return [language.links(show_duration(usual), [show_duration(each) for each in ends])]


def _in_columns(text: str, world: str, kernel: str) -> str:
    return f"{pad(text, _WORLD)}{pad(world, _KERNEL - _WORLD)}{kernel}".rstrip()


def _row(row: RowRun, language: Language) -> list[str]:
    title = f"{row.line.id}  {language.title(row.line, row.note)}"
    pieces = fold(title, _WORLD - 2, then=" " * _VERDICT)
    if row.note is None:
        return [_in_columns(pieces[0], "-", language.open), *pieces[1:]]
    head = _in_columns(pieces[0], world_cell(row), kernel_cell(row, language))
    return [head, *pieces[1:], *answer_lines(row, language), *_replay(row, language)]


def world_cell(row: RowRun) -> str:
    """Say how many of a row's variants ran: ``24/24``."""
    ran = sum(run.world is not None for run in row.runs)
    return f"{ran}/{len(row.runs)}"


def kernel_cell(row: RowRun, language: Language = ENGLISH) -> str:
    """Say how a row's runs stand beside the kernel's: ``24 agree``, ``2 of 24 differ``."""
    agreed = sum(run.agrees is True for run in row.runs)
    differ = sum(run.agrees is False for run in row.runs)
    missing = sum(run.variant.kernel and run.agrees is None for run in row.runs)
    return language.agreement(agreed=agreed, differ=differ, missing=missing)


def answer_lines(row: RowRun, language: Language) -> list[str]:
    """Write verdict and answer as they stand on the sheet."""
    lead = " " * _VERDICT + pad(language.verdict(row.verdict), _ANSWER - _VERDICT)
    return fold(language.answer(row), _WIDTH, first=lead, then=" " * _ANSWER)


def _replay(row: RowRun, language: Language) -> list[str]:
    if not row.failed:
        return []
    broken = next((run.number for run in row.runs if run.failed), None)
    variant = f" --variant {broken}" if broken is not None else ""
    return [" " * _ANSWER + language.again(f"halfopen ask {row.line.id}{variant}")]


def _summary(rows: Sequence[RowRun], cpu_s: float, language: Language) -> list[str]:
    worlds = [run.world for row in rows for run in row.runs if run.world is not None]
    hours = _hours(sum(world.ended_ns for world in worlds))
    said = language.ran(len(worlds), cpu_s, hours, kernel_note(rows, language))
    return [*fold(counted(rows, language), _WIDTH), *fold(said, _WIDTH), *_next(language)]


def _next(language: Language) -> list[str]:
    """Show commands, each a line that runs as it stands, but for the file."""
    lead = language.next
    return [
        f"{lead}halfopen ask N07{language.option}",
        f"{' ' * cell_len(lead)}halfopen ask {language.example}{language.option}",
        f"{' ' * cell_len(lead)}halfopen explore FILE",
    ]


def counted(rows: Sequence[RowRun], language: Language) -> str:
    """Count rows by their verdicts; those that the notes don't have for themselves."""
    of_notes = [row for row in rows if row.line.section != ASKED_SINCE]
    verdicts = Counter(row.verdict for row in of_notes)
    named = [
        (language.verdict(verdict), verdicts[verdict])
        for verdict in _VERDICTS
        if verdicts[verdict] or verdict != "failed"
    ]
    said = [language.rows(len(of_notes), named)] if of_notes else []
    if len(of_notes) < len(rows):
        later = Counter(row.verdict for row in rows if row not in of_notes)
        named = [
            (language.verdict(verdict), later[verdict]) for verdict in _VERDICTS if later[verdict]
        ]
        said.append(language.since(named))
    return language.semicolon.join(said)


def in_order(rows: Sequence[RowRun]) -> list[RowRun]:
    """Put rows into the order of the sheet, each section's together."""
    return sorted(rows, key=lambda row: row.line.id)


def standing(rows: Sequence[RowRun], language: Language) -> list[str]:
    """Say in sentences how many rows came to which verdict, and where the kernel's runs are from.

    What differs from one writing to the next is left out.
    """
    said = kernel_note(rows, language)
    sentences = counted(rows, language), said[0].upper() + said[1:]
    return [sentence + language.stop for sentence in sentences]


def _hours(ns: int) -> str:
    hours = ns / HOUR
    return f"{hours:.0f} h" if hours >= 10 else f"{hours:.2f} h"


def kernel_note(rows: Sequence[RowRun], language: Language) -> str:
    """Say where the kernel's column comes from: recorded when and on what, or run here."""
    kernels = [run.kernel for row in rows for run in row.runs if run.kernel is not None]
    if not all(map(is_recorded, kernels)):
        return language.live()
    dates = sorted({str(kernel.meta.get("date", "?"))[:10] for kernel in kernels})
    return language.recorded(dates, kernel_name(rows))
