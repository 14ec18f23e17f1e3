"""Reads what somebody asks for: rows by id, a state, and what lies near to what is neither."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

from halfopen.atlas.terms import ALIKE, STOP, canonical, words_of
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Note
from halfopen.scenario.notes import catalogue

_ROW: Final = re.compile(r"^[nN]?(\d{1,3})$")
_SPAN: Final = re.compile(r"^[nN]?(\d{1,3})-[nN]?(\d{1,3})$")
_SEGMENT: Final = re.compile(r"^(SYN|FIN|RST|ACK)([,-](SYN|FIN|RST|ACK))*$")
_WORD: Final = re.compile(r"[a-z0-9_]+")
#: Chinese has no blanks between words: any two characters in a row may be one.
_CHINESE: Final = re.compile(r"(?=([\u4e00-\u9fff]{2}))")
_NEAREST: Final = 3
_STATES: Final = (
    "CLOSED",
    "LISTEN",
    "SYN_SENT",
    "SYN_RECEIVED",
    "ESTABLISHED",
    "FIN_WAIT_1",
    "FIN_WAIT_2",
    "CLOSE_WAIT",
    "CLOSING",
    "LAST_ACK",
    "TIME_WAIT",
)
#: How alike a word must be to one of a row's to be that word, misspelt: ``nodely``.
_WORD_ALIKE: Final = 0.8
#: How alike a name must be to a state to be that state misspelt; one that was cut short (``ESTAB``)
#: is so from so many letters on.
_STATE_ALIKE: Final = 0.75
_CUT_SHORT: Final = 5


def is_state(text: str) -> bool:
    """Whether the first word is the name of a state, however spelt: ``SYN-SENT``, ``syn_sent``.

    What is a word of English too is a state in capitals only: ``closed port`` is none.
    """
    first = text.split()[:1]
    return bool(first) and _state_name(first[0]) in _STATES and _is_name(first[0])


def state_first(text: str) -> str:
    """Put a state that is named among words before them: ``RST in SYN_SENT``; else leave a text.

    What else is said must be names of segments alone: ``poll in CLOSE_WAIT`` is about a call.
    """
    words = [word for word in text.split() if word.lower() not in STOP]
    states = [word for word in words if is_state(word)]
    others = [word for word in words if word not in states]
    if len(states) != 1 or not all(_SEGMENT.match(word) for word in others):
        return text
    return " ".join([*states, *others])


def near_states(text: str, notes: Mapping[str, Note]) -> list[str]:
    """Name the states that a misspelt first word may mean, the nearest first.

    ``SYN_SNT RST`` means SYN_SENT, and ``FIN_WAIT`` one of two. A word that the notes know is not
    misspelt, and one that is not written as a name (``established``) is a word.
    """
    first = text.split()[:1]
    if not first or not _is_name(first[0]) or first[0].lower() in _vocabulary(notes):
        return []
    name = _state_name(first[0])
    by_likeness = {
        state: _alike(name, state)
        for state in _STATES
        if _alike(name, state) >= _STATE_ALIKE
        or (len(name) >= _CUT_SHORT and state.startswith(name))
    }
    return sorted(by_likeness, key=lambda state: -by_likeness[state])


def _state_name(word: str) -> str:
    return word.upper().replace("-", "_")


def _is_name(word: str) -> bool:
    """Whether a word is written as names are: ``LISTEN``, ``syn_sent``; not ``listen``."""
    return word.isupper() or not word.isalpha()


def _vocabulary(notes: Mapping[str, Note]) -> frozenset[str]:
    """Every word of the notes."""
    texts = [f"{line.title} {line.note}" for line in catalogue().values()]
    for note in notes.values():
        texts += [note.question, *note.words]
        texts += [setting for variant in note.variants for setting in variant.settings.values()]
    return frozenset(_words(" ".join(texts)))


def parse_rows(texts: Sequence[str]) -> list[str] | None:
    """Read ``N07``, ``7``, ``N01-N13``, ``all``; None where one of them is not of that kind."""
    found: list[str] = []
    for text in texts:
        if text == "all":
            found += catalogue()
        elif match := _ROW.match(text):
            found.append(_id(match[1]))
        elif match := _SPAN.match(text):
            first, last = sorted((int(match[1]), int(match[2])))
            found += [_id(str(number)) for number in range(first, last + 1)]
        else:
            return None
    return list(dict.fromkeys(found))


def named_rows(words: Sequence[str]) -> list[str]:
    """Pick those words that are rows, and nothing else in any sentence: ``N07``, ``n7-n9``."""
    return [word for word in words if word[:1] in {"n", "N"} and parse_rows([word])]


def _id(digits: str) -> str:
    return f"N{int(digits):02d}"


def is_chinese(text: str) -> bool:
    """Whether somebody asks in the language of the notes."""
    return bool(_CHINESE.search(text))


def variants_with(words: str, names: Sequence[str]) -> list[int]:
    """Find the variants whose names have most of the words, counted from 1; none where none has."""
    wanted = words_of(canonical(words))
    hits = [sum(_strength(word, name) for word in wanted) for name in names]
    return [number for number, hit in enumerate(hits, 1) if hit and hit == max(hits)]


def nearest(text: str) -> str:
    """Name the rows that lie nearest to what is no row: ``N07 (a process crashes), N17 (...)``."""
    if match := _ROW.match(text):
        by_distance = sorted(catalogue(), key=lambda id_: (-_alike(_id(match[1]), id_), id_))
        return _named(by_distance[:_NEAREST])
    return _named(near_rows(text))


def near_rows(text: str) -> list[str]:
    """Find the rows that know a word like one of these; none where no word is."""
    likeness = {id_: _alike_words(text, line) for id_, line in catalogue().items()}
    near = [id_ for id_ in likeness if likeness[id_] >= _WORD_ALIKE]
    return sorted(near, key=lambda id_: (-likeness[id_], id_))[:_NEAREST]


def _named(ids: Sequence[str]) -> str:
    return ", ".join(f"{id_} ({_lower(catalogue()[id_].title)})" for id_ in sorted(ids))


def _lower(title: str) -> str:
    first = title.partition(" ")[0]
    return title if first.isupper() and len(first) > 1 else title[0].lower() + title[1:]


def _alike(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b).ratio()


def _alike_words(text: str, line: Line) -> float:
    theirs = words_of(f"{line.title} {line.note}")
    mine = words_of(canonical(text))
    return max((_alike(one, word) for one in mine for word in theirs), default=0.0)


def _words(text: str) -> list[str]:
    """Split into words; ``so_keepalive`` is also ``keepalive``."""
    words: list[str] = _WORD.findall(text.lower())
    words += [part for word in words if "_" in word for part in word.split("_")]
    return words + _CHINESE.findall(text)


def _strength(word: str, text: str) -> int:
    """Say how well a word stands in a text: 4 as it is, 3 as a beginning, 2 by another name."""
    theirs = words_of(text)
    if word in theirs:
        return 4
    if len(word) >= 4 and any(one.startswith(word) for one in theirs):
        return 3
    return 2 if any(other in theirs for other in ALIKE.get(word, ())) else 0
