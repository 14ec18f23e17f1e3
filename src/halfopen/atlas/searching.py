"""Finds the rows that some words mean: by BM25 over what a row asks, says and shows.

A word weighs the more the fewer rows know it, and the more the nearer it stands to the question
(``_FIELDS``). A row's errors are those that its recorded runs show, and what the system says of
them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Final

from halfopen.atlas.terms import (
    ALIKE,
    canonical,
    error_text,
    in_english,
    is_ordinary,
    pairs_of,
    words_of,
)
from halfopen.base.value import value
from halfopen.oracle.witnesses import errors_recorded
from halfopen.scenario.lines import Line
from halfopen.scenario.model import Note
from halfopen.scenario.notes import catalogue

#: What a word weighs by where it stands.
_FIELDS: Final = {"question": 4.0, "words": 3.0, "errors": 3.0, "note": 1.5, "settings": 0.5}
#: BM25: how soon a word that comes often weighs no more, and how much a long text counts for less.
_K1: Final = 2.0
_B: Final = 0.25
#: What a word counts that means the same, one that begins so, and a pair beside its words.
_OTHER_NAME: Final = 0.7
_BEGINNING: Final = 0.7
_PAIR: Final = 1.0
_BEGINNING_MIN: Final = 4
#: A word that no row knows counts, in what was asked, as one that so many know.
_UNKNOWN: Final = 3
#: A row is shown by itself where it knows so much of what was asked, and so much better than the
#: next; else those are named that know at least so much of what the best does.
_KNOWS: Final = 0.5
_BETTER: Final = 1.18
_NEAR: Final = 0.5


@value
class Found:
    """The rows that words may mean, the best first; ``sure``: the first is meant.

    ``unknown``: which of the words no row knows, but those of every question.
    """

    rows: tuple[Line, ...]
    sure: bool
    unknown: tuple[str, ...]


def _is_all(said: str, words: Sequence[str]) -> bool:
    """Whether what was said is of these words alone."""
    own = words_of(said)
    return bool(own) and all(word in words for word in own)


class Index:
    """What stands where in every row: made once, and asked as often as one likes."""

    def __init__(self, notes: Mapping[str, Note]) -> None:
        self._by_term: dict[str, dict[str, float]] = {}
        rows = {id_: _fields(line, notes.get(id_)) for id_, line in catalogue().items()}
        self._rows = len(rows)
        for field, weight in _FIELDS.items():
            sizes = {id_: sum(fields[field].values()) for id_, fields in rows.items()}
            usual = sum(sizes.values()) / len(sizes) or 1.0
            for id_, fields in rows.items():
                length = 1 - _B + _B * sizes[id_] / usual
                for term, count in fields[field].items():
                    standing = self._by_term.setdefault(term, {})
                    standing[id_] = standing.get(id_, 0.0) + weight * count / length

    def search(self, words: str) -> Found:
        """Find rows by words; none where no word is known anywhere."""
        asked = canonical(words)
        singles = list(dict.fromkeys(words_of(asked, self._by_term)))
        known = [word for word in singles if self._scores(word)]
        # Two characters that no row knows may be the end of one word and the beginning of another.
        missed = [word for word in singles if word not in known and word.isascii()]
        unknown = [word for word in missed if not is_ordinary(word)]
        scores: defaultdict[str, float] = defaultdict(float)
        knows: defaultdict[str, float] = defaultdict(float)
        for word in known:
            for id_, score in self._scores(word).items():
                scores[id_] += score
                knows[id_] += self._weight(word)
        for pair in dict.fromkeys(pairs_of(asked)):
            for id_, score in self._scores(pair).items():
                scores[id_] += _PAIR * score
        ranked = sorted(scores, key=lambda id_: (-scores[id_], id_))
        best, second = ([scores[id_] for id_ in ranked] + [0.0, 0.0])[:2]
        total = sum(map(self._weight, known + unknown))
        return Found(
            rows=tuple(catalogue()[id_] for id_ in ranked if scores[id_] >= _NEAR * best),
            sure=bool(ranked) and knows[ranked[0]] >= _KNOWS * total and best >= _BETTER * second,
            unknown=tuple(said for said in words.split() if _is_all(said, unknown)),
        )

    def _scores(self, term: str) -> dict[str, float]:
        """Say how well a term stands for each row that knows it, by whatever name."""
        found: dict[str, float] = {}
        for name, share in self._names(term):
            standing = self._by_term.get(name, {})
            for id_, strength in standing.items():
                score = share * self._rarity(len(standing)) * strength / (_K1 + strength)
                found[id_] = max(found.get(id_, 0.0), score)
        return found

    def _weight(self, term: str) -> float:
        """Say how much of what is asked a word is: the rarer, the more."""
        return self._rarity(len(self._scores(term)) or _UNKNOWN)

    def _names(self, term: str) -> Iterable[tuple[str, float]]:
        yield term, 1.0
        for other in ALIKE.get(term, ()):
            yield other, _OTHER_NAME
        if term not in self._by_term and len(term) >= _BEGINNING_MIN:
            for known in self._by_term:
                if known.startswith(term):
                    yield known, _BEGINNING

    def _rarity(self, rows: int) -> float:
        return log(1 + (self._rows - rows + 0.5) / (rows + 0.5))


def _fields(line: Line, note: Note | None) -> dict[str, Mapping[str, float]]:
    texts = {
        "question": f"{line.title}. {line.title_zh}",
        "note": f"{line.note} {line.note_zh}",
        "words": "",
        "settings": "",
    }
    if note is not None:
        texts["question"] += f". {note.question}. {note.question_zh}"
        texts["words"] = ". ".join(note.words)
        settings = (f"{k} {s}" for v in note.variants for k, s in v.settings.items())
        texts["settings"] = ". ".join(dict.fromkeys(settings))
    return {"errors": _errors(line.id)} | {field: _said(text) for field, text in texts.items()}


def _said(text: str) -> Mapping[str, float]:
    """Count what a text says, and what that is in English where its Chinese has such words."""
    return Counter(_terms(text)) | Counter(_terms(in_english(text)))


def _errors(id_: str) -> Mapping[str, float]:
    """Count a row's errors, and what the system says of each: the commonest the most."""
    counts = errors_recorded(id_)
    found: defaultdict[str, float] = defaultdict(float)
    for name, count in counts.items():
        for term in _terms(f"{name}. {error_text(name)}"):
            found[term] += count / counts.total()
    return found


def _terms(text: str) -> list[str]:
    return words_of(text) + pairs_of(text)
