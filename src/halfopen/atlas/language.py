"""What the sheet, a row's page and the documents say around the runs, whatever the language.

What is a name everywhere is in none: settings, calls, time lines, tables of variants.
"""

from collections.abc import Sequence
from typing import Protocol

from halfopen.atlas.runs import RowRun
from halfopen.base.value import value
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Note


@value
class Counted:
    """How many variants of a row ran where."""

    world: int
    seen: int  # a kernel ran them too
    differ: int
    missing: int  # a kernel could run them, and has not
    alone: int  # only the world runs them
    because: tuple[str, ...]
    kernel: str  # its release


class Language(Protocol):
    """One language of the sheet."""

    code: str  # as --lang takes it
    option: str  # what a command needs so that it answers in this language
    legend: str  # of the sheet's columns
    world: str  # heads the world's column
    open: str  # where no kernel was looked at
    next: str  # leads the commands that may follow
    example: str  # words that find a row, as a shell wants them
    unanswered: str
    calls: str  # heads the list of a run's calls
    also: str  # heads further rows
    candidates: str  # heads the rows that some words may mean
    see: str  # leads the commands that show more
    heading: str  # of a document
    contents: str  # heads a document's list of rows
    names: str  # heads a document's list of calls, options and errors
    runs: str  # leads how many ran, and agree
    colon: str
    semicolon: str
    stop: str

    def unknown(self, words: Sequence[str]) -> str:
        """Say which words no row knows."""

    def section(self, line: Line) -> str:
        """Name the section of a row."""

    def title(self, line: Line, note: Note | None) -> str:
        """Ask a row's question."""

    def answer(self, row: RowRun) -> str:
        """Answer it, or say how it failed."""

    def more(self, row: RowRun) -> str:
        """Say what there is beside the answer for who reads this one row, or ""."""

    def note(self, line: Line) -> str:
        """Say what the line of the notes says."""

    def notes(self, line: Line) -> tuple[tuple[str, str], ...]:
        """Give what the line says in each language, behind what leads it; the reader's first."""

    def verdict(self, name: str) -> str:
        """Name a verdict."""

    def kernel(self, release: str) -> str:
        """Head the kernel's column."""

    def agreement(self, *, agreed: int, differ: int, missing: int) -> str:
        """Say how runs stand beside the kernel's: ``24 agree``."""

    def rows(self, count: int, verdicts: Sequence[tuple[str, int]]) -> str:
        """Count rows by their verdicts."""

    def since(self, verdicts: Sequence[tuple[str, int]]) -> str:
        """Count the rows that the notes don't have."""

    def links(self, usual: str, others: Sequence[str]) -> str:
        """Say how long a link takes, most of them and the others: none, one, or from and to."""

    def ran(self, variants: int, cpu_s: float, hours: str, kernel: str) -> str:
        """Say what the runs took, and where the kernel's column comes from."""

    def recorded(self, dates: Sequence[str], release: str) -> str:
        """Say on which days the kernel's column was recorded; on none: that nothing is."""

    def live(self) -> str:
        """Say that the kernel's column was run just now."""

    def again(self, command: str) -> str:
        """Say how to run again what failed."""

    def counted(self, counted: Counted) -> str:
        """Say how many variants there are, and in how many a kernel did the same."""

    def table_head(self, *, after: bool, queue: str, same: str, not_run: str) -> str:
        """Head the table of variants, and explain the signs that stand in it."""

    def differs(self, number: int, name: str, how: str) -> str:
        """Say in what a variant differs from the kernel's."""

    def variant(self, number: int, most: str, name: str) -> str:
        """Name the run that is drawn; ``most``: the end that it shares with most, if it does."""

    def failed(self, how: str) -> str:
        """Say how a run broke."""

    def sysctl(self, setting: str, hosts: Sequence[str]) -> str:
        """Name a setting that a run was made with."""

    def same_on(self, release: str, date: str) -> str:
        """Head the kernel's run; without a date it is live."""

    def more_calls(self, count: int) -> str:
        """Say how many calls are left out."""

    def why(self, places: Sequence[str]) -> tuple[str, str]:
        """Name the places to read on at, behind what leads them."""

    def preface(self, form: str) -> str:
        """Say what a document is, and which option of ``ask`` wrote it."""
