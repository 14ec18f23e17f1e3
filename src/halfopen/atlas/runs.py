"""Rows of the notes with their runs: every variant in the world, beside what a real kernel did."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from halfopen.atlas.outcome import outcome
from halfopen.base.errors import HalfopenError
from halfopen.base.value import value
from halfopen.record.trace import Trace
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Answer, Note, Variant

#: The kernel that the world follows, and whose defaults it has.
PROFILE: Final = "6.18"
#: What a scenario that breaks may raise: its row shows ``failed``, and the others go on.
BREAKS: Final = (
    HalfopenError,
    AssertionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Arms(Protocol):
    """Where runs come from. The command line gives the real arms, tests give made ones."""

    def world(self, variant: Variant, *, seed: int) -> Trace:
        """Run a variant in the simulated world."""

    def kernel(self, note: Note, variant: Variant) -> Trace | None:
        """Give what a real kernel did: live or recorded; None where nobody has looked yet."""

    def differences(self, variant: Variant, *, world: Trace, kernel: Trace) -> Sequence[str]:
        """Compare the two, each difference in a sentence."""


@value
class VariantRun:
    """One variant, run. ``world`` is None where it broke, and ``failed`` says how.

    ``tells`` are the calls that it is about: the variant's own, or the row's.
    """

    number: int
    variant: Variant
    world: Trace | None
    failed: str
    kernel: Trace | None
    differences: tuple[str, ...]
    tells: tuple[tuple[str, str], ...] = ()

    @property
    def outcome(self) -> str:
        """What came of it, by the calls that it is about; "" where it broke."""
        return "" if self.world is None else outcome(self.world, self.tells)

    @property
    def agrees(self) -> bool | None:
        """Whether both arms did the same; None where one is missing."""
        if self.world is None or self.kernel is None:
            return None
        return not self.differences


@value
class RowRun:
    """One row, run. ``note`` is None where the row is open; ``failed`` says what broke in it."""

    line: Line
    note: Note | None
    runs: tuple[VariantRun, ...]
    answer: Answer
    failed: str

    @property
    def verdict(self) -> str:
        """The answer's verdict, or that there is none."""
        return "failed" if self.failed else self.answer.verdict


OPEN: Final = Answer(verdict="open", text="", zh="")


def run_row(
    line: Line,
    note: Note | None,
    arms: Arms | None,
    *,
    seed: int,
    done: Callable[[int], None] = lambda _: None,
) -> RowRun:
    """Run every variant of a row and read the answer from the runs.

    ``done`` is told of every variant that has run. An open row needs no arms.
    """
    if note is None or arms is None:
        return RowRun(line=line, note=None, runs=(), answer=OPEN, failed="")
    runs = []
    for number, variant in enumerate(note.variants, start=1):
        runs.append(run_variant(number, note, variant, arms, seed=seed))
        done(1)
    failed = next((f"variant {run.number}: {run.failed}" for run in runs if run.failed), "")
    answer = OPEN
    if not failed:
        traces = {run.variant.name: run.world for run in runs if run.world is not None}
        try:
            answer = note.answer(traces)
        except BREAKS as error:
            failed = f"the runs do not bear out the answer: {say(error)}"
    return RowRun(line=line, note=note, runs=tuple(runs), answer=answer, failed=failed)


def run_variant(number: int, note: Note, variant: Variant, arms: Arms, *, seed: int) -> VariantRun:
    """Run one variant in the world, and hold it against the kernel's run."""
    world, failed = None, ""
    try:
        world = arms.world(variant, seed=seed)
    except BREAKS as error:
        failed = say(error)
    kernel = arms.kernel(note, variant)
    differences: tuple[str, ...] = ()
    if world is not None and kernel is not None:
        differences = tuple(arms.differences(variant, world=world, kernel=kernel))
    return VariantRun(
        number=number,
        variant=variant,
        world=world,
        failed=failed,
        kernel=kernel,
        differences=differences,
        tells=variant.tells or note.tells,
    )


def say(error: BaseException) -> str:
    """Write an error in a line."""
    text = str(error).strip().splitlines()
    named = "" if isinstance(error, HalfopenError | AssertionError) else f"{type(error).__name__}: "
    return f"{named}{text[0]}" if text else type(error).__name__


def is_recorded(trace: Trace) -> bool:
    """Whether a kernel's run comes from the repository rather than from this machine just now."""
    return bool(trace.meta.get("recorded", False))


def kernel_name(rows: Sequence[RowRun]) -> str:
    """Name the kernel whose runs stand beside the world's: ``6.18``; "" where there are none."""
    for row in rows:
        for run in row.runs:
            if run.kernel is not None:
                return short_release(str(run.kernel.meta.get("release", "")))
    return ""


def short_release(release: str) -> str:
    """Cut a kernel's release down to what a profile is named by: ``6.18.5-generic`` to ``6.18``."""
    return ".".join(release.partition("-")[0].split(".")[:2])
