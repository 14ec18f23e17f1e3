"""The sheet and a row's page in English."""

from collections.abc import Sequence
from typing import Final

from halfopen.atlas.language import Counted, Language
from halfopen.atlas.runs import PROFILE, RowRun
from halfopen.scenario.lines import ASKED_SINCE, Line
from halfopen.scenario.model import Note

_HOW: Final = "`halfopen compare all` runs it here"


class English:
    """The language of the project."""

    code = "en"
    option = ""
    legend = (
        "world: variants run/in all; kernel: how many of those that Linux has run agree; defaults"
        f" are Linux {PROFILE}'s; a row in full, with its runs: halfopen ask N07"
    )
    world = "world"
    open = "open"
    next = "Next: "
    example = '"power cut in recv"'
    unanswered = "No scenario answers it yet."
    calls = "Calls:"
    also = "Also:"
    candidates = "These rows know something of it, the nearest first:"
    see = "See: "
    heading = "Notes on sockets, answered by runs"
    contents = "Contents"
    names = "Calls, options and errors"
    runs = "Runs"
    colon = ": "
    semicolon = "; "
    stop = "."

    def unknown(self, words: Sequence[str]) -> str:
        """Say which words no row knows."""
        return f"No row knows {' or '.join(map(repr, words))}."

    def section(self, line: Line) -> str:
        """Name the section of a row."""
        return line.section

    def title(self, line: Line, note: Note | None) -> str:
        """Ask a row's question."""
        return line.title if note is None else note.question

    def answer(self, row: RowRun) -> str:
        """Answer it, or say how it failed."""
        return row.failed or row.answer.text

    def more(self, row: RowRun) -> str:
        """Say what there is beside the answer for who reads this one row, or ""."""
        return "" if row.failed else row.answer.more

    def note(self, line: Line) -> str:
        """Say what the line of the notes says."""
        return line.note

    def notes(self, line: Line) -> tuple[tuple[str, str], ...]:
        """Give what the line says in each language, behind what leads it; the reader's first."""
        lead = "Asked" if line.section == ASKED_SINCE else "The note"
        return (lead, line.note), ("In Chinese", line.note_zh)

    def verdict(self, name: str) -> str:
        """Name a verdict."""
        return name

    def kernel(self, release: str) -> str:
        """Head the kernel's column."""
        return f"kernel {release}".rstrip()

    def agreement(self, *, agreed: int, differ: int, missing: int) -> str:
        """Say how runs stand beside the kernel's: ``24 agree``."""
        if differ:
            return f"{differ} of {agreed + differ} differ"
        if not agreed:
            return self.open
        return f"{agreed} agree, {missing} open" if missing else f"{agreed} agree"

    def rows(self, count: int, verdicts: Sequence[tuple[str, int]]) -> str:
        """Count rows by their verdicts."""
        return f"{count} row{'' if count == 1 else 's'}: " + ", ".join(
            f"{number} {name}" for name, number in verdicts
        )

    def since(self, verdicts: Sequence[tuple[str, int]]) -> str:
        """Count the rows that the notes don't have."""
        return "asked since: " + ", ".join(f"{number} {name}" for name, number in verdicts)

    def links(self, usual: str, others: Sequence[str]) -> str:
        """Say how long a link takes, most of them and the others."""
        said = f"a link takes {usual} one way"
        return f"{said}, in some variants {' to '.join(others)}" if others else said

    def ran(self, variants: int, cpu_s: float, hours: str, kernel: str) -> str:
        """Say what the runs took, and where the kernel's column comes from."""
        return (
            f"{variants} variants run in the world in {cpu_s:.1f} s of CPU, "
            f"{hours} of virtual time; {kernel}"
        )

    def recorded(self, dates: Sequence[str], release: str) -> str:
        """Say on which days the kernel's column was recorded; on none: that nothing is."""
        if not dates:
            return f"kernel column: nothing recorded ({_HOW})"
        span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        return f"kernel column: recorded {span} on Linux {release} ({_HOW})"

    def live(self) -> str:
        """Say that the kernel's column was run just now."""
        return "kernel column: run here just now"

    def again(self, command: str) -> str:
        """Say how to run again what failed."""
        return f"again: {command}"

    def counted(self, counted: Counted) -> str:
        """Say how many variants there are, and in how many a kernel did the same."""
        said = f"{counted.world} variant{'' if counted.world == 1 else 's'} in the world"
        if counted.seen:
            who = "each" if counted.seen == counted.world else f"{counted.seen} of them"
            same = _counted_as(counted.differ, "differ") if counted.differ else "all agree"
            said += f", {who} also on Linux {counted.kernel}: {same}."
        else:
            said += ", none on a kernel yet."
        if counted.missing:
            said += f" {counted.missing} not on it yet."
        if counted.alone:
            said += f" {counted.alone} in the world alone: {'; '.join(counted.because)}."
        return said

    def table_head(self, *, after: bool, queue: str, same: str, not_run: str) -> str:
        """Head the table of variants, and explain the signs that stand in it."""
        signs = ["after: since that call"] if after else []
        signs += [f"{queue}: so many in the queue/its backlog"] if queue else []
        signs += [f"{same}: as in the column before"] if same else []
        signs += [f"{not_run}: no such variant"] if not_run else []
        return "What came of it" + (f" ({'; '.join(signs)}):" if signs else ":")

    def differs(self, number: int, name: str, how: str) -> str:
        """Say in what a variant differs from the kernel's."""
        return f"differs, variant {number} ({name}): {how}"

    def variant(self, number: int, most: str, name: str) -> str:
        """Name the run that is drawn; ``most``: the end that it shares with most, if it does."""
        because = f" (told most often: {most})" if most else ""
        return f"Variant {number}{because}: {name}"

    def failed(self, how: str) -> str:
        """Say how a run broke."""
        return f"failed: {how}"

    def sysctl(self, setting: str, hosts: Sequence[str]) -> str:
        """Name a setting that a run was made with."""
        return f"with {setting} on {', '.join(hosts)}"

    def same_on(self, release: str, date: str) -> str:
        """Head the kernel's run; without a date it is live."""
        return f"The same on Linux {release} ({f'recorded {date}' if date else 'live'}):"

    def more_calls(self, count: int) -> str:
        """Say how many calls are left out."""
        return f"... and {count} more (--json has them all)"

    def why(self, places: Sequence[str]) -> tuple[str, str]:
        """Name the places to read on at, behind what leads them."""
        return "Why", "; ".join(places)

    def preface(self, form: str) -> str:
        """Say what a document is, and which option of ``ask`` wrote it."""
        return (
            "What an engineer's notes claim and ask of TCP sockets, line by line, and what came of "
            "it when each line was run in the simulated world and on the Linux kernel. Every "
            f"figure is of a run. Written by `halfopen ask {form}`."
        )


ENGLISH: Final[Language] = English()


def _counted_as(number: int, verb: str) -> str:
    return f"{number} {verb}{'s' if number == 1 else ''}"
