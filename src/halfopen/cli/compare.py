"""``halfopen compare``: both arms now, side by side."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Annotated, Final

import typer

from halfopen.atlas.beside import (
    Comparison,
    allowance_lines,
    comparison_lines,
    profile_lines,
    summary_line,
)
from halfopen.atlas.runs import BREAKS, say, short_release
from halfopen.atlas.words import nearest, parse_rows
from halfopen.base.errors import MisuseError, NotPossibleHereError
from halfopen.cli.console import progress, show
from halfopen.cli.leaving import EXPECTED, FINDING, leaves_with_status
from halfopen.record.query import calls, packets
from halfopen.record.trace import Trace
from halfopen.scenario.lines import BY_ID
from halfopen.scenario.model import Note, Variant
from halfopen.scenario.notes import load

SEED: Final = 1


@leaves_with_status
def compare(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Rows (N07 N10-N13), or all of them: all.")
    ] = None,
    *,
    record: Annotated[
        bool, typer.Option("--record", help="Keep what the kernel did as recorded witnesses.")
    ] = False,
    rules: Annotated[
        bool,
        typer.Option("--rules", help="Say what may differ, and why; run nothing."),
    ] = False,
    seed: Annotated[int, typer.Option(help="What chance is drawn from.")] = SEED,
) -> int:
    """Run rows in the world and on this kernel, and mark every difference."""
    if rules:
        show(allowance_lines())
        return EXPECTED
    notes = _notes(rows or ["all"])
    _check_possible(rows or ["all"])
    compared: list[Comparison] = []
    total = sum(variant.kernel for note in notes for variant in note.variants)
    with (
        progress("running both arms", total) as done,
        closing(_comparisons(notes, seed=seed)) as comparisons,
    ):
        for comparison in comparisons:
            if not compared and comparison.kernel is not None:
                show(profile_lines(comparison.kernel))
            compared.append(comparison)
            done(1)
            show(comparison_lines(comparison, kernel_name=_release(comparison)))
    if record:
        for note in notes:
            show(_record(note, compared))
    worlds = [comparison.world for comparison in compared if comparison.world is not None]
    alone = sum(not variant.kernel for note in notes for variant in note.variants)
    if alone:
        show([f"{alone} more variants run in the world alone: they take too long here."])
    show(
        [
            summary_line(
                compared,
                rows=len(notes),
                calls=sum(len(calls(trace)) for trace in worlds),
                segments=sum(len(packets(trace)) for trace in worlds),
            )
        ]
    )
    wrong = any(comparison.differences or comparison.failed for comparison in compared)
    return FINDING if wrong else EXPECTED


def _notes(texts: Sequence[str]) -> list[Note]:
    ids = parse_rows(texts)
    if ids is None:
        raise MisuseError("compare takes rows, as in: halfopen compare N07 N10-N13, or: all")
    found = []
    for id_ in ids:
        if id_ not in BY_ID:
            raise MisuseError(f"no row {id_}. Nearest: {nearest(id_)}.")
        note = load(id_)
        if note is not None:
            found.append(note)
    if not found:
        raise MisuseError(f"no scenario answers {', '.join(ids)} yet; see: halfopen ask")
    return found


def _check_possible(texts: Sequence[str]) -> None:
    from halfopen.cli.arms import recorded_when  # with the arms below it
    from halfopen.oracle.arm import possible

    obstacle = possible()
    if obstacle is None:
        return
    shown = f" Shown as recorded {when}." if (when := recorded_when()) else ""
    raise NotPossibleHereError(
        "the kernel's column needs a network namespace; not allowed here\n"
        f"  ({obstacle}).{shown}\n"
        f"  As root, or with user namespaces allowed: halfopen compare {' '.join(texts)}"
    )


def _comparisons(notes: Sequence[Note], *, seed: int) -> Generator[Comparison, None, None]:
    """Run both arms, and say of each variant which row it is of."""
    from halfopen.compare.both import compare_variants  # with the arms below it

    numbered = [
        (note, number, variant)
        for note in notes
        for number, variant in enumerate(note.variants, 1)
        if variant.kernel
    ]
    variants = [variant for _, _, variant in numbered]
    with closing(compare_variants(variants, _world(seed), seed=seed)) as both:
        for compared in both:
            note, number, variant = numbered[compared.number]
            yield Comparison(
                note_id=note.id,
                number=number,
                name=variant.name,
                world=compared.world,
                kernel=compared.kernel,
                differences=tuple((each.t_ns, each.text) for each in compared.differences),
                failed=compared.failed,
                looks=compared.looks,
                before=tuple(each.text for each in compared.before),
            )


def _world(seed: int) -> Callable[[Variant], Trace | str]:
    """Run variants in the world; a scenario that breaks is told in a line."""
    from halfopen.guest.arm import run_variant

    def run(variant: Variant) -> Trace | str:
        try:
            return run_variant(variant, seed=seed)
        except BREAKS as error:
            return say(error)

    return run


def _record(note: Note, compared: Sequence[Comparison]) -> list[str]:
    """Keep a row's witnesses; only where every variant has run. Say what was done."""
    from halfopen.oracle.witnesses import record

    runs: Mapping[str, Trace] = {
        comparison.name: comparison.kernel
        for comparison in compared
        if comparison.note_id == note.id and comparison.kernel is not None
    }
    missing = sum(variant.kernel for variant in note.variants) - len(runs)
    if missing:
        return [f"{note.id} not recorded: {missing} of its variants did not run."]
    if not runs:
        return []
    size = record(note.id, runs).stat().st_size
    return [f"{note.id} recorded: {len(runs)} variants, {size / 1000:.0f} kB."]


def _release(comparison: Comparison) -> str:
    kernel = comparison.kernel
    return short_release(str(kernel.meta.get("release", ""))) if kernel is not None else ""
