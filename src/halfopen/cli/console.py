"""Where lines go: plain text that pipes, coloured on a terminal only; progress on stderr."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from halfopen.cli.interrupt import on_interrupt

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: What catches the eye on a terminal: a pattern, and its style.
_STYLES: Final = (
    (r"^ {5}(confirmed|answered|属实|已答)\b", "green"),
    (r"  (confirmed|answered|属实|已答)$", "green"),
    (r"^ {5}(refuted|qualified|不实|有条件)\b", "yellow"),
    (r"  (refuted|qualified|不实|有条件)$", "yellow"),
    (r"^ {5}(failed|失败)\b", "bold red"),
    (r"  (failed|失败)$", "bold red"),
    (r"\b(POWER OFF|POWER ON|CABLE OUT|CABLE IN|KILLED: \w+)", "bold red"),
    (r"(lost: .*)$", "red"),
    (r"\b(again(?:, \d+\w+)?)\b", "yellow"),
    (r"\b(E[A-Z]{4,}|timeout)\b", "bold"),
    (r"^(N\d\d)\b", "bold"),
    (r"\b(hang|spin|crash|slow|lost|cut off)  ", "bold red"),
    (r"\b\d+ of \d+ differ\b", "bold red"),
)


class OutputClosed(Exception):
    """Whoever read standard output has closed it, as ``head`` does: nothing more is wanted."""


class OutputFailed(Exception):
    """Standard output takes nothing more, as on a full disk; it says what the system says."""


class _Output(io.FileIO):
    """Standard output that tells its own failures from those of any other file."""

    def write(self, octets: "ReadableBuffer", /) -> int:
        try:
            return super().write(octets)
        except BrokenPipeError as error:
            raise OutputClosed from error
        except OSError as error:
            raise OutputFailed(error.strerror) from error


class _Errors(io.FileIO):
    """Standard error, of which nobody misses what it can't take: the exit status says as much."""

    def write(self, octets: "ReadableBuffer", /) -> int:
        try:
            return super().write(octets)
        except OSError:
            return memoryview(octets).nbytes


def forgive_standard_error() -> None:
    """Let a command go on where standard error can't be written, as on a full disk."""
    plain = sys.stderr
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Errors(plain.fileno(), "w", closefd=False)),
        encoding=plain.encoding,
        errors=plain.errors,
        line_buffering=True,
    )


@contextmanager
def standard_output() -> Iterator[None]:
    """Let OutputClosed end what writes to a pipe that nobody reads, with nothing left to write.

    OutputFailed likewise, where it can't be written.
    Where standard output was closed from the beginning, what is written goes nowhere.
    """
    plain = sys.__stdout__
    if plain is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  to the end
        yield
        return
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(plain.fileno(), "w", closefd=False)),
        encoding=plain.encoding,
        errors=plain.errors,
        line_buffering=plain.isatty(),
    )
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (OutputClosed, OutputFailed):
        _forget_output()
        raise


def _forget_output() -> None:
    """Let what is still to be written go nowhere: the interpreter flushes once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def show(lines: Iterable[str]) -> None:
    """Print lines; a terminal shows them coloured, unless NO_COLOR says otherwise."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()  # what takes long is seen as it comes, by a pipe too
        return
    from rich.console import Console  # slow to import, and of use on a terminal only
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        text = Text(line)
        for pattern, style in _STYLES:
            text.highlight_regex(pattern, style)
        console.print(text)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Count up to ``total`` on a terminal's stderr; elsewhere say nothing."""
    with progress_to(what) as update:
        done = 0

        def advance(steps: int) -> None:
            nonlocal done
            done += steps
            if update is not None:
                update(done, total)

        yield advance


@contextmanager
def progress_to(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far something is, of a total that comes with every step."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # slow to import, and of use on a terminal only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    on_interrupt.append(_restore_terminal)
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)

            def update(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            yield update
    finally:
        on_interrupt.remove(_restore_terminal)


def _restore_terminal() -> None:
    """Wipe the line of the progress, and show the cursor, which it hides.

    The bar can't do it itself: its own thread may hold its lock just then.
    """
    os.write(sys.stderr.fileno(), b"\r\x1b[2K\x1b[?25h")
