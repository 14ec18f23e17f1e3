"""The answer sheet: every row by section, with verdict, answer, and how well it is known."""

from collections import Counter
from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from halfopen.atlas.runs import RowRun, is_recorded, kernel_name
from halfopen.base.units import HOUR

_WIDTH: Final = 80
_WORLD: Final = 56  # the world's column begins here
_KERNEL: Final = 64
_VERDICT: Final = 5
_ANSWER: Final = 16
_LEGEND: Final = "world: variants run/in all; kernel: how many of those that Linux has run agree"
#: Each a line that runs as it stands, but for the file.
_NEXT: Final = (
    "Next: halfopen ask N07",
    '      halfopen ask "power cut in recv"',
    "      halfopen explore FILE",
)
_VERDICTS: Final = ("confirmed", "refuted", "qualified", "answered", "failed", "open")


def sheet(rows: Sequence[RowRun], *, cpu_s: float) -> list[str]:
    """Write the sheet; the runs took ``cpu_s`` seconds of CPU time."""
    lines = [_LEGEND]
    section = ""
    kernel = kernel_name(rows)
    for row in rows:
        if row.line.section != section:
            section = row.line.section
            lines += ["", _heading(section, kernel)]
        lines += _row(row)
    return [*lines, "", *_summary(rows, cpu_s)]


def _heading(section: str, kernel: str) -> str:
    return f"{section:<{_WORLD}}{'world':<{_KERNEL - _WORLD}}kernel {kernel}".rstrip()


def _row(row: RowRun) -> list[str]:
    title = f"{row.line.id}  {row.title}"
    pieces = wrap(title, _WORLD - 2, subsequent_indent=" " * _VERDICT)
    if row.note is None:
        return [f"{pieces[0]:<{_WORLD}}{'-':<{_KERNEL - _WORLD}}open", *pieces[1:]]
    ran = sum(run.world is not None for run in row.runs)
    world = f"{ran}/{len(row.runs)}"
    head = f"{pieces[0]:<{_WORLD}}{world:<{_KERNEL - _WORLD}}{kernel_cell(row)}"
    return [head, *pieces[1:], *_answer(row), *_replay(row)]


def kernel_cell(row: RowRun) -> str:
    """Say how a row's runs stand beside the kernel's: ``24 agree``, ``2 of 24 differ``."""
    agreed = sum(run.agrees is True for run in row.runs)
    differ = sum(run.agrees is False for run in row.runs)
    missing = sum(run.variant.kernel and run.agrees is None for run in row.runs)
    if differ:
        return f"{differ} of {agreed + differ} differ"
    if not agreed:
        return "open"
    return f"{agreed} agree, {missing} open" if missing else f"{agreed} agree"


def _answer(row: RowRun) -> list[str]:
    verdict = "failed" if row.failed else row.answer.verdict
    text = row.failed or row.answer.text
    lead = f"{'':<{_VERDICT}}{verdict:<{_ANSWER - _VERDICT}}"
    return wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=" " * _ANSWER)


def _replay(row: RowRun) -> list[str]:
    if not row.failed:
        return []
    broken = next((run.number for run in row.runs if run.failed), None)
    variant = f" --variant {broken}" if broken is not None else ""
    return [f"{'':<{_ANSWER}}again: halfopen ask {row.line.id}{variant}"]


def _summary(rows: Sequence[RowRun], cpu_s: float) -> list[str]:
    verdicts = Counter("failed" if row.failed else row.answer.verdict for row in rows)
    counted = [
        f"{verdicts[verdict]} {verdict}"
        for verdict in _VERDICTS
        if verdicts[verdict] or verdict != "failed"
    ]
    worlds = [run.world for row in rows for run in row.runs if run.world is not None]
    virtual_ns = sum(world.ended_ns for world in worlds)
    said = (
        f"{len(worlds)} variants run in the world in {cpu_s:.1f} s of CPU, "
        f"{_hours(virtual_ns)} of virtual time; {kernel_note(rows)}"
    )
    return [
        *wrap(f"{len(rows)} rows: {', '.join(counted)}", _WIDTH),
        *wrap(said, _WIDTH),
        *_NEXT,
    ]


def _hours(ns: int) -> str:
    hours = ns / HOUR
    return f"{hours:.0f} h" if hours >= 10 else f"{hours:.2f} h"


def kernel_note(rows: Sequence[RowRun]) -> str:
    """Say where the kernel's column comes from: recorded when and on what, or run here."""
    kernels = [run.kernel for row in rows for run in row.runs if run.kernel is not None]
    how = "`halfopen compare all` runs it here"
    if not kernels:
        return f"kernel column: nothing recorded ({how})"
    if not all(map(is_recorded, kernels)):
        return "kernel column: run here just now"
    dates = sorted({str(kernel.meta.get("date", "?"))[:10] for kernel in kernels})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"kernel column: recorded {span} on Linux {kernel_name(rows)} ({how})"
