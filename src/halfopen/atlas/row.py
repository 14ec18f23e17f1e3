"""One row in full: question, verdict, answer, variants, a run as a ladder, where to read on."""

from collections.abc import Callable
from textwrap import wrap
from typing import Final

from halfopen.atlas.ladder import ladder
from halfopen.atlas.outcome import outcome
from halfopen.atlas.phrases import show_outcome
from halfopen.atlas.runs import RowRun, VariantRun, is_recorded, short_release
from halfopen.atlas.sheet import kernel_cell
from halfopen.atlas.table import variants_table
from halfopen.record.query import calls

_WIDTH: Final = 80
_CALLS_MAX: Final = 30


def row_page(row: RowRun, *, variant: int | None, pick: Callable[[RowRun], int]) -> list[str]:
    """Write a row; ``variant`` is the run to be drawn, and without one ``pick`` chooses."""
    verdict = "failed" if row.failed else row.answer.verdict
    title = f"{row.line.id}  {row.title}"
    lines = [f"{title:<{_WIDTH - len(verdict) - 2}}  {verdict}"]
    if row.note is None:
        return [*lines, "", *wrap(row.line.note, _WIDTH), "", "No scenario answers it yet."]
    lines += wrap(row.failed or row.answer.text, _WIDTH)
    lines += ["", *wrap(f"The note: {row.line.note}", _WIDTH)]
    lines += ["", *_variants(row)]
    drawn = row.runs[(variant if variant is not None else pick(row)) - 1]
    lines += ["", *_run(drawn, full=variant is not None)]
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
    counted = f"{len(row.runs)} variants; kernel: {kernel_cell(row)}"
    unwitnessed = dict.fromkeys(
        run.variant.because for run in row.runs if not run.variant.kernel and run.variant.because
    )
    lines = [
        f"{counted}.",
        'What the other end is told; "after" counts from its call:',
        *variants_table(outcomes),
    ]
    for because in unwitnessed:
        lines += wrap(f"Run in the world alone: {because}.", _WIDTH)
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


def _run(run: VariantRun, *, full: bool) -> list[str]:
    head = wrap(f"Variant {run.number}: {run.variant.name}", _WIDTH, subsequent_indent="  ")
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
