"""What Ctrl-C means to a command, known before anything large is imported."""

from collections.abc import Callable

INTERRUPTED = 130

#: What is to be put right before we leave, as a terminal's cursor.
on_interrupt: list[Callable[[], None]] = []
