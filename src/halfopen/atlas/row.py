"""One row in full: question, verdict, answer, variants, a run as a ladder, where to read on."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from halfopen.atlas.drawn import choose
from halfopen.atlas.ladder import ladder
from halfopen.atlas.outcome import outcome
from halfopen.atlas.phrases import show_outcome
from halfopen.atlas.runs import RowRun, VariantRun, is_recorded, kernel_name, short_release
from halfopen.atlas.table import NOT_RUN, SAME, variants_table
from halfopen.record.query import calls

_WIDTH: Final = 80
_CALLS_MAX: Final = 30


def row_page(row: RowRun, *, variant: int | None, asked: str) -> list[str]:
    """Write a row; ``variant`` is the run to be drawn, without one what was asked chooses it."""
    verdict = "failed" if row.failed else row.answer.verdict
    title = f"{row.line.id}  {row.title}"
    lines = [f"{title:<{_WIDTH - len(verdict) - 2}}  {verdict}"]
    if row.note is None:
        return [*lines, "", *wrap(row.line.note, _WIDTH), "", "No scenario answers it yet."]
    lines += wrap(row.failed or row.answer.text, _WIDTH)
    lines += ["", *wrap(f"The note: {row.line.note}", _WIDTH)]
    lines += ["", *_variants(row)]
    number, why = (variant, "") if variant is not None else choose(row.runs, asked)
    drawn = row.runs[number - 1]
    lines += ["", *_run(drawn, why, full=variant is not None)]
    lines += ["", *wrap(f"Why: {'; '.join(row.note.why)}", _WIDTH, subsequent_indent="     ")]
    other = drawn.number % len(row.runs) + 1
    lines.append(f"See: halfopen ask {row.line.id} --pcap out/")
    if other != drawn.number:
        lines.append(f"     halfopen ask {row.line.id} --variant {other}")
    return lines


def _variants(row: RowRun) -> list[str]:
    outcomes = [
        (run.variant.settings, outcome(run.world) if run.world is not None else "failed")
        for run in row.runs
    ]
    table = variants_table(outcomes)
    lines = [*wrap(_counted(row), _WIDTH), "", *wrap(_legend(table), _WIDTH), *table]
    lines += [
        line
        for run in row.runs
        for difference in run.differences
        for line in wrap(
            f"differs, variant {run.number} ({run.variant.name}): {difference}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )
    ]
    return lines


def _counted(row: RowRun) -> str:
    """Say how many variants there are, and in how many a kernel did the same."""
    witnessed = [run for run in row.runs if run.variant.kernel or run.kernel is not None]
    seen = [run for run in witnessed if run.agrees is not None]
    differ = sum(run.agrees is False for run in seen)
    said = f"{len(row.runs)} variant{'' if len(row.runs) == 1 else 's'} in the world"
    if seen:
        who = "each" if len(seen) == len(row.runs) else f"{len(seen)} of them"
        same = _counted_as(differ, "differ") if differ else "all agree"
        said += f", {who} also on Linux {kernel_name([row])}: {same}."
    else:
        said += ", none on a kernel yet."
    if seen and len(seen) < len(witnessed):
        said += f" {len(witnessed) - len(seen)} not on it yet."
    alone = [run.variant for run in row.runs if run not in witnessed]
    if alone:
        because = dict.fromkeys(variant.because for variant in alone if variant.because)
        said += f" {len(alone)} in the world alone: {'; '.join(because)}."
    return said


def _counted_as(number: int, verb: str) -> str:
    return f"{number} {verb}{'s' if number == 1 else ''}"


def _legend(table: Sequence[str]) -> str:
    """Head the table, and explain what stands in it."""
    text = "\n".join(table)
    cells = {cell for line in table for cell in line.strip().split("  ")}
    signs = ["after: since that call"] if " after " in text else []
    signs += ["same: as in the column before"] if SAME in cells else []
    signs += [f"{NOT_RUN}: no such variant"] if NOT_RUN in {cell.strip() for cell in cells} else []
    return "What the other end is told" + (f" ({'; '.join(signs)}):" if signs else ":")


def _run(run: VariantRun, why: str, *, full: bool) -> list[str]:
    because = f" ({why})" if why else ""
    text = f"Variant {run.number}{because}: {run.variant.name}"
    head = wrap(text, _WIDTH, subsequent_indent="  ")
    if run.world is None:
        return [*head, *wrap(f"failed: {run.failed}", _WIDTH)]
    lines = [*head, *_sysctls(run), "", *ladder(run.world)]
    if full and run.kernel is not None:
        meta = run.kernel.meta
        how = f"recorded {str(meta.get('date', '?'))[:10]}" if is_recorded(run.kernel) else "live"
        release = short_release(str(meta.get("release", "")))
        lines += ["", f"The same on Linux {release} ({how}):", "", *ladder(run.kernel)]
    if full:
        lines += ["", "Calls:", *_calls(run)]
    return lines


def _sysctls(run: VariantRun) -> list[str]:
    """State the settings that a run was made with, where they are not the system's own."""
    by_setting: dict[str, list[str]] = {}
    for host in run.variant.hosts:
        for name, number in host.sysctl.items():
            by_setting.setdefault(f"{name} = {number}", []).append(host.name)
    return [
        line
        for setting, hosts in by_setting.items()
        for line in wrap(f"with {setting} on {', '.join(hosts)}", _WIDTH, initial_indent="  ")
    ]


def _calls(run: VariantRun) -> list[str]:
    assert run.world is not None, "only a run that did not break has calls"
    made = calls(run.world)
    lines = []
    for call in made[:_CALLS_MAX]:
        where = f"  {call.where}" if call.where else ""
        who = f"{call.process}/{call.thread}"
        lines += wrap(
            f"{who:<16}  {show_outcome(call)}{where}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent=" " * 22,
        )
    if len(made) > _CALLS_MAX:
        lines.append(f"  ... and {len(made) - _CALLS_MAX} more (--json has them all)")
    return lines
