"""The arms that commands run with: the world, and beside it what a kernel did when looked at."""

from collections.abc import Sequence
from functools import cache

from halfopen.atlas.runs import short_release
from halfopen.compare.traces import differences
from halfopen.guest.arm import run_variant
from halfopen.oracle.witnesses import recorded
from halfopen.record.trace import Trace
from halfopen.scenario.model import Note, Variant


class RecordedArms:
    """The world now, and the witnesses that are kept with the package."""

    def __init__(self) -> None:
        self._recorded = cache(recorded)

    def world(self, variant: Variant, *, seed: int) -> Trace:
        """Run a variant in the simulated world."""
        return run_variant(variant, seed=seed)

    def kernel(self, note: Note, variant: Variant) -> Trace | None:
        """Give the kernel's run, as it was recorded; None where it was not."""
        return self._recorded(note.id).get(variant.name)

    def differences(self, variant: Variant, *, world: Trace, kernel: Trace) -> Sequence[str]:
        """Compare the two, each difference in a sentence."""
        return [difference.text for difference in differences(variant, world, kernel)]


def recorded_when(ids: Sequence[str]) -> str:
    """Say when the witnesses of rows were recorded, and on what; "" where there are none.

    ``2026-11-25 on 6.18``.
    """
    traces = [trace for id_ in ids for trace in recorded(id_).values()]
    dates = sorted({str(trace.meta["date"]) for trace in traces})
    releases = sorted({short_release(str(trace.meta["release"])) for trace in traces})
    if not traces:
        return ""
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{span} on {', '.join(releases)}"
