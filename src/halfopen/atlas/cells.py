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
#: How alike what was asked must be to a word of the table to be that word, misspelt: as alike as
#: ``RTS`` and ``RST``.
_ALIKE: Final = 0.6
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
    known = _known(state)
    text = _plain(asked)
    if not text:
        return known
    said = set(_WORD.findall(text))
    found = (
        [stimulus for stimulus in known if stimulus.word.lower() == text]
        or [stimulus for stimulus in known if stimulus.name.lower().startswith(text)]
        or [stimulus for stimulus in known if said and said <= _said(stimulus)]
    )
    if not found:
        near = _near(text, known)
        words = f"Nearest: {', '.join(near)}" if near else f"What happens: {_words(known)}"
        raise MisuseError(
            f"nothing that happens in {spell(state)} is called {asked!r}. {words}.\n"
            f"  Try: {_line(state, near)}"
        )
    return found


def unknown_state(words: Sequence[str], states: Sequence[str]) -> MisuseError:
    """Say that a state is misspelt: ``["SYN_SNT", "RST"]``, which may mean one of ``states``."""
    state = State[states[0]]
    known = _known(state)
    text = _plain(" ".join(words[1:]))
    exact = [stimulus.word for stimulus in known if stimulus.word.lower() == text]
    return MisuseError(
        f"no state is called {words[0]}. Nearest: {', '.join(states)}.\n"
        f"  Try: {_line(state, exact or _near(text, known))}"
    )


def _line(state: State, words: Sequence[str]) -> str:
    """Write the command that asks for a state, and for the first of some words that are near."""
    return " ".join(["halfopen ask", state.name, *words[:1]])


def _said(stimulus: Stimulus) -> set[str]:
    return set(_WORD.findall(f"{stimulus.word} {stimulus.name}".lower()))


def _known(state: State) -> list[Stimulus]:
    return list(dict.fromkeys(s for way in ways_to(state) for s in stimuli_for(way)))


def _plain(asked: str) -> str:
    return " ".join(_SYNONYMS.get(word, word) for word in asked.lower().split())


def _words(known: Sequence[Stimulus]) -> str:
    return ", ".join(dict.fromkeys(stimulus.word for stimulus in known))


def _near(text: str, known: Sequence[Stimulus]) -> list[str]:
    """Name the words that lie near what was asked, the nearest first; none where none does."""
    likeness = {
        stimulus.word: max((_alike(said, stimulus.word) for said in text.split()), default=0.0)
        for stimulus in known
    }
    near = [word for word in likeness if likeness[word] >= _ALIKE]
    return sorted(near, key=lambda word: (-likeness[word], word))[:_NEAREST]


def _alike(said: str, word: str) -> float:
    return SequenceMatcher(None, said, word.lower()).ratio()


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
