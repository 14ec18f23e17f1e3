"""One row in full: question, verdict, answer, variants, a run as a ladder, where to read on."""

import re
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from halfopen.atlas.drawn import choose
from halfopen.atlas.english import ENGLISH
from halfopen.atlas.folding import fold, pad
from halfopen.atlas.ladder import ladder
from halfopen.atlas.language import Counted, Language
from halfopen.atlas.phrases import show_outcome
from halfopen.atlas.runs import RowRun, VariantRun, is_recorded, kernel_name, short_release
from halfopen.atlas.table import NOT_RUN, SAME, variants_table
from halfopen.record.query import calls
from halfopen.scenario.lines import ASKED_SINCE

_WIDTH: Final = 80
_CALLS_MAX: Final = 30
#: A listener with its queue, as a table shows it.
_QUEUE: Final = re.compile(r"LISTEN \d+/\d+")


def row_page(
    row: RowRun, *, variant: int | None, asked: str, language: Language = ENGLISH
) -> list[str]:
    """Write a row; ``variant`` is the run to be drawn, without one what was asked chooses it."""
    verdict = language.verdict(row.verdict)
    title = f"{row.line.id}  {language.title(row.line, row.note)}"
    lines = [f"{pad(title, _WIDTH - cell_len(verdict) - 2)}  {verdict}"]
    if row.note is None:
        return [*lines, "", *fold(language.note(row.line), _WIDTH), "", language.unanswered]
    lines += fold(language.answer(row), _WIDTH)
    if more := language.more(row):
        lines += ["", *fold(more, _WIDTH)]
    if row.line.section != ASKED_SINCE:  # else it is what the title asks
        lines += ["", *fold(language.colon.join(language.notes(row.line)[0]), _WIDTH)]
    lines += ["", *_variants(row, language)]
    number, most = (variant, "") if variant is not None else choose(row.runs, asked)
    drawn = row.runs[number - 1]
    lines += ["", *_run(drawn, most, language, full=variant is not None)]
    lines += ["", *fold(language.colon.join(language.why(row.note.why)), _WIDTH, then="     ")]
    other = drawn.number % len(row.runs) + 1
    lines.append(f"{language.see}halfopen ask {row.line.id} --pcap out/")
    if other != drawn.number:
        lead = " " * cell_len(language.see)
        lines.append(f"{lead}halfopen ask {row.line.id} --variant {other}{language.option}")
    return lines


def _variants(row: RowRun, language: Language) -> list[str]:
    outcomes = [(r.variant.settings, "failed" if r.failed else r.outcome) for r in row.runs]
    table = variants_table(outcomes)
    head = _table_head(table, language)
    lines = [*fold(_counted(row, language), _WIDTH), "", *fold(head, _WIDTH), *table]
    lines += [
        line
        for run in row.runs
        for difference in run.differences
        for line in fold(
            language.differs(run.number, run.variant.name, difference),
            _WIDTH,
            first="  ",
            then="    ",
        )
    ]
    return lines


def _counted(row: RowRun, language: Language) -> str:
    """Say how many variants there are, and in how many a kernel did the same."""
    witnessed = [run for run in row.runs if run.variant.kernel or run.kernel is not None]
    seen = [run for run in witnessed if run.agrees is not None]
    alone = [run.variant for run in row.runs if run not in witnessed]
    return language.counted(
        Counted(
            world=len(row.runs),
            seen=len(seen),
            differ=sum(run.agrees is False for run in seen),
            missing=len(witnessed) - len(seen) if seen else 0,
            alone=len(alone),
            because=tuple(dict.fromkeys(v.because for v in alone if v.because)),
            kernel=kernel_name([row]),
        )
    )


def _table_head(table: Sequence[str], language: Language) -> str:
    """Head the table, and explain what stands in it."""
    cells = {cell for line in table for cell in line.strip().split("  ")}
    return language.table_head(
        after=" after " in "\n".join(table),
        queue=queue[0] if (queue := _QUEUE.search("\n".join(table))) else "",
        same=SAME if SAME in cells else "",
        not_run=NOT_RUN if NOT_RUN in {cell.strip() for cell in cells} else "",
    )


def _run(run: VariantRun, most: str, language: Language, *, full: bool) -> list[str]:
    head = fold(language.variant(run.number, most, run.variant.name), _WIDTH, then="  ")
    if run.world is None:
        return [*head, *fold(language.failed(run.failed), _WIDTH)]
    lines = [*head, *_sysctls(run, language), "", *ladder(run.world)]
    if full and run.kernel is not None:
        meta = run.kernel.meta
        date = str(meta.get("date", "?"))[:10] if is_recorded(run.kernel) else ""
        release = short_release(str(meta.get("release", "")))
        lines += ["", language.same_on(release, date), "", *ladder(run.kernel)]
    if full:
        lines += ["", language.calls, *_calls(run, language)]
    return lines


def _sysctls(run: VariantRun, language: Language) -> list[str]:
    """State the settings that a run was made with, where they are not the system's own."""
    by_setting: dict[str, list[str]] = {}
    for host in run.variant.hosts:
        for name, number in host.sysctl.items():
            by_setting.setdefault(f"{name} = {number}", []).append(host.name)
    return [
        line
        for setting, hosts in by_setting.items()
        for line in fold(language.sysctl(setting, hosts), _WIDTH, first="  ")
    ]


def _calls(run: VariantRun, language: Language) -> list[str]:
    assert run.world is not None, "only a run that did not break has calls"
    made = calls(run.world)
    lines = []
    for call in made[:_CALLS_MAX]:
        where = f"  {call.where}" if call.where else ""
        who = f"{call.process}/{call.thread}"
        lines += fold(f"{who:<16}  {show_outcome(call)}{where}", _WIDTH, first="  ", then=" " * 22)
    if len(made) > _CALLS_MAX:
        lines.append(f"  {language.more_calls(len(made) - _CALLS_MAX)}")
    return lines
