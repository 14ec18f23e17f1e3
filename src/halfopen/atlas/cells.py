"""Finds the cells of the atlas that somebody means: ``SYN_SENT RST``, ``TIME-WAIT``."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from halfopen.atlas.cell import run_cell
from halfopen.atlas.celltext import page
from halfopen.atlas.stimuli import Stimulus, stimuli_for, ways_to
from halfopen.base.build import running_build
from halfopen.base.errors import MisuseError
from halfopen.tcp.states import State, spell

_NEAREST: Final = 3
_WORD: Final = re.compile(r"[a-z0-9_]+")
#: What people say, beside the words of the table.
_SYNONYMS: Final = {
    "data": "text",
    "reset": "rst",
    "timeout": "silence",
    "timer": "silence",
    "write": "send",
    "read": "recv",
}
#: Runs ``lookup`` on the sources, in a process of its own.
_ON_SOURCES: Final = """
import sys
from halfopen.atlas.cells import lookup
sys.stdout.writelines(line + "\\n" for line in lookup(sys.argv[1:]))
"""


def lookup(words: Sequence[str]) -> list[str]:
    """Write what happens in a state: ``["SYN_SENT", "RST"]``, or the state alone.

    Raises MisuseError, naming the nearest, where nothing is called so.
    """
    state = State[words[0].upper().replace("-", "_")]
    asked = " ".join(words[1:])
    wanted = find(state, asked)  # a mistake is found before anything runs
    if running_build() == "compiled":
        return _from_sources(words)
    found = [
        run_cell(way, stimulus)
        for way in ways_to(state)
        for stimulus in stimuli_for(way)
        if stimulus in wanted
    ]
    return page(state, found, asked=asked)


def find(state: State, asked: str) -> list[Stimulus]:
    """Find what somebody means by ``RST``, ``SYN,ACK`` or ``outside window``; all for nothing.

    Raises MisuseError, naming the nearest, where nothing is called so.
    """
    known = list(dict.fromkeys(s for way in ways_to(state) for s in stimuli_for(way)))
    text = " ".join(_SYNONYMS.get(word, word) for word in asked.lower().split())
    if not text:
        return known
    said = set(_WORD.findall(text))
    found = (
        [stimulus for stimulus in known if stimulus.word.lower() == text]
        or [stimulus for stimulus in known if stimulus.name.lower().startswith(text)]
        or [stimulus for stimulus in known if said and said <= _said(stimulus)]
    )
    if not found:
        unknown = f"nothing that happens in {spell(state)} is called {asked!r}"
        raise MisuseError(f"{unknown}. Nearest: {_near(text, known)}.")
    return found


def _said(stimulus: Stimulus) -> set[str]:
    return set(_WORD.findall(f"{stimulus.word} {stimulus.name}".lower()))


def _near(text: str, known: Sequence[Stimulus]) -> str:
    """Name the words that lie nearest: ``RST, SYN, ACK``."""

    def distance(word: str) -> tuple[float, str]:
        return (-SequenceMatcher(None, text, word.lower()).ratio(), word)

    nearest = sorted(dict.fromkeys(stimulus.word for stimulus in known), key=distance)
    return ", ".join(nearest[:_NEAREST])


def _from_sources(words: Sequence[str]) -> list[str]:
    """Ask the sources: what a compiled function calls, nobody can watch."""
    done = subprocess.run(
        [sys.executable, "-c", _ON_SOURCES, *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HALFOPEN_PURE": "1"},
    )
    return done.stdout.splitlines()
