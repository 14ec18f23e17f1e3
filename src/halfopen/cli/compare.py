"""``halfopen compare``: both arms now, side by side."""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Annotated, Final

import typer

from halfopen.atlas.beside import (
    Comparison,
    allowance_lines,
    busy_lines,
    comparison_lines,
    profile_lines,
    summary_line,
)
from halfopen.atlas.runs import BREAKS, say, short_release
from halfopen.atlas.words import nearest, parse_rows
from halfopen.base.errors import MisuseError, NotPossibleHereError
from halfopen.base.value import value
from halfopen.cli.console import progress, show
from halfopen.cli.leaving import EXPECTED, FINDING, leaves_with_status
from halfopen.record.query import calls, packets
from halfopen.record.trace import Trace
from halfopen.scenario.model import Note, Variant
from halfopen.scenario.notes import catalogue, load

SEED: Final = 1


@leaves_with_status
def compare(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Rows (N07 N10-N13), or all of them: all.")
    ] = None,
    *,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Keep what the kernel did as recorded witnesses, row by row as they are done.",
        ),
    ] = False,
    full_length: Annotated[
        bool,
        typer.Option(
            "--full-length",
            help="Run those variants that wait for the system's own durations: up to 2 h 15 min.",
        ),
    ] = False,
    rules: Annotated[
        bool,
        typer.Option("--rules", help="Say what may differ, and why; run nothing."),
    ] = False,
    seed: Annotated[int, typer.Option(help="What chance is drawn from.")] = SEED,
) -> int:
    """Run rows in the world and on this kernel, and mark every difference.

    A variant that differs is run on the kernel again, up to three looks in all; one look that
    agrees lets it off.
    """
    if rules:
        show(allowance_lines())
        return EXPECTED
    notes = _notes(rows or [])
    _check_possible(rows or [], [note.id for note in notes])
    compared: list[Comparison] = []
    chosen = [
        _Chosen(note=note, number=number, variant=variant)
        for note in notes
        for number, variant in enumerate(note.variants, 1)
        if variant.kernel != full_length
    ]
    alone = sum(len(note.variants) for note in notes) - len(chosen)
    with (
        progress("running both arms", len(chosen)) as done,
        closing(_comparisons(chosen, seed=seed)) as comparisons,
    ):
        for comparison in comparisons:
            if not compared and comparison.kernel is not None:
                show(profile_lines(comparison.kernel))
            compared.append(comparison)
            kept = _record(comparison, chosen, compared, at_once=full_length) if record else []
            done(1)
            show(comparison_lines(comparison, kernel_name=_release(comparison)))
            show(kept)
    worlds = [comparison.world for comparison in compared if comparison.world is not None]
    if alone and not full_length:
        show([f"{alone} more variants take too long for every day: halfopen compare --full-length"])
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
    show(busy_lines(compared, os.getloadavg()[0], os.cpu_count() or 1))
    wrong = any(comparison.differences or comparison.failed for comparison in compared)
    return FINDING if wrong else EXPECTED


def _notes(texts: Sequence[str]) -> list[Note]:
    ids = parse_rows(texts)
    if not ids:
        raise MisuseError("compare takes rows, as in: halfopen compare N07 N10-N13, or: all")
    found = []
    for id_ in ids:
        if id_ not in catalogue():
            raise MisuseError(f"no row {id_}. Nearest: {nearest(id_)}.")
        note = load(id_)
        if note is not None:
            found.append(note)
    if not found:
        raise MisuseError(f"no scenario answers {', '.join(ids)} yet; see: halfopen ask")
    return found


def _check_possible(texts: Sequence[str], ids: Sequence[str]) -> None:
    from halfopen.cli.arms import recorded_when  # with the arms below it
    from halfopen.oracle.arm import possible

    obstacle = possible()
    if obstacle is None:
        return
    when = recorded_when(ids)
    rows = " ".join(texts)
    shown = f"  Beside the runs recorded {when}: halfopen ask {rows}\n" if when else ""
    raise NotPossibleHereError(
        "the kernel's column needs a network namespace; not allowed here\n"
        f"  ({obstacle}).\n{shown}"
        f"  As root, or with user namespaces allowed: halfopen compare {rows}"
    )


@value
class _Chosen:
    """A variant to compare, and which of its row it is."""

    note: Note
    number: int
    variant: Variant


def _comparisons(chosen: Sequence[_Chosen], *, seed: int) -> Generator[Comparison, None, None]:
    """Run both arms, and say of each variant which row it is of."""
    from halfopen.compare import length
    from halfopen.compare.both import compare_variants  # with the arms below it
    from halfopen.oracle.arm import SIDE_BY_SIDE

    run_world = _world(seed)
    variants = [_for_the_kernel(each.variant, run_world) for each in chosen]
    of_every_day = all(each.variant.kernel for each in chosen)
    side_by_side = SIDE_BY_SIDE if of_every_day else length.SIDE_BY_SIDE
    with closing(
        compare_variants(variants, run_world, seed=seed, side_by_side=side_by_side)
    ) as both:
        for compared in both:
            of = chosen[compared.number]
            yield Comparison(
                note_id=of.note.id,
                number=of.number,
                name=of.variant.name,
                world=compared.world,
                kernel=compared.kernel,
                differences=tuple((each.t_ns, each.text) for each in compared.differences),
                failed=compared.failed,
                looks=compared.looks,
                before=tuple(each.text for each in compared.before),
            )


def _for_the_kernel(variant: Variant, run_world: Callable[[Variant], Trace | str]) -> Variant:
    """Give a variant as the kernel can run it; where the world's run breaks, that is told later."""
    from halfopen.compare.length import at_full_length

    if variant.kernel:
        return variant
    world = run_world(variant)
    return at_full_length(variant, world if isinstance(world, Trace) else Trace({}))


def _world(seed: int) -> Callable[[Variant], Trace | str]:
    """Run variants in the world, each apart; a scenario that breaks is told in a line."""
    from halfopen.cli.apart import apart
    from halfopen.guest.arm import run_variant

    def run(variant: Variant) -> Trace | str:
        try:
            return run_variant(variant, seed=seed)
        except BREAKS as error:
            return say(error)

    return lambda variant: apart(lambda: run(variant))


def _record(
    latest: Comparison,
    chosen: Sequence[_Chosen],
    compared: Sequence[Comparison],
    *,
    at_once: bool,
) -> list[str]:
    """Keep a row's witnesses once the latest of its variants has run, or each at once.

    Those of variants that did not run stay as they were. Say what was done.
    """
    from halfopen.oracle.witnesses import record, recorded

    variants = [each for each in chosen if each.note.id == latest.note_id]
    done = [each for each in compared if each.note_id == latest.note_id]
    if len(done) < len(variants) and not at_once:
        return []
    runs = {each.name: each.kernel for each in done if each.kernel is not None}
    if not runs:
        return []
    note = variants[0].note
    kept = {**recorded(note.id), **runs}
    wanted = {each.name: kept[each.name] for each in note.variants if each.name in kept}
    size = record(note.id, wanted).stat().st_size
    return [f"{note.id} recorded: {len(runs)} of {len(variants)} variants, {size / 1000:.0f} kB."]


def _release(comparison: Comparison) -> str:
    kernel = comparison.kernel
    return short_release(str(kernel.meta.get("release", ""))) if kernel is not None else ""
