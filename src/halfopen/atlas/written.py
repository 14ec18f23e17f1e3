"""What programs write, as a time line has it: standard error line by line, without tracebacks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from halfopen.record.events import Event, Output, ProcessEnded

STDERR: Final = 2
_TRACEBACK: Final = "Traceback (most recent call last):"
_UNCAUGHT: Final = "uncaught "

#: More of one writing than this is cut off, and marked so.
_LENGTH_MAX: Final = 48


def written(events: Sequence[Event]) -> Iterator[Event]:
    """Give a trace's events, those on standard error as one for each line.

    CPython writes a traceback piece by piece. Of each only the last line is kept, and nothing of
    the one that says what ended its process: the end says that itself.
    """
    number = 0
    while number < len(events):
        event = events[number]
        number += 1
        if not (isinstance(event, Output) and event.stream == STDERR):
            yield event
            continue
        text = event.text
        while number < len(events) and _goes_on(event, events[number]):
            more = events[number]
            assert isinstance(more, Output), "only an output goes on"
            text += more.text
            number += 1
        kind = _ends_by(event, events, number)
        for line in _lines(text, kind):
            yield replace(event, text=line)


def show_written(event: Output) -> str:
    """Write it for people: ``prints 'hello'``."""
    text = event.text.strip()
    if len(text) > _LENGTH_MAX:
        text = f"{text[: _LENGTH_MAX - 1]}…"
    return f"{'prints to stderr' if event.stream == STDERR else 'prints'} {text!r}"


def _goes_on(event: Output, after: Event) -> bool:
    return isinstance(after, Output) and replace(after, text=event.text) == event


def _ends_by(event: Output, events: Sequence[Event], since: int) -> str | None:
    """Name the class of the exception that ends the process later on, if one does."""
    for after in events[since:]:
        if isinstance(after, ProcessEnded) and (after.host, after.process) == (
            event.host,
            event.process,
        ):
            if after.how.startswith(_UNCAUGHT):
                return after.how.removeprefix(_UNCAUGHT).partition(":")[0]
            return None
    return None


def _lines(text: str, kind: str | None) -> Iterator[str]:
    """Leave out where tracebacks went through, and what they came to if it is of this class."""
    inside = False
    for line in text.splitlines():
        if line == _TRACEBACK:
            inside = True
        elif inside and line and not line.startswith(" "):
            inside = False
            if kind is None or line.partition(":")[0].rpartition(".")[2] != kind:
                yield line
        elif not inside and line.strip():
            yield line
