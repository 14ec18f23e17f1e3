"""Which of a row's runs is drawn: the one that was asked for in words, or the first typical one."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from halfopen.atlas.runs import VariantRun
from halfopen.atlas.words import variants_with

#: What an ending is not: how long the call waited, and which call it was.
_WAITED: Final = re.compile(r" after .+?(?=, then |; |$)")
_CALL: Final = re.compile(r"\w+ (?:-> |(?=waits on))")
_TOLD: Final = re.compile(r"(\w+) (?:-> |waits on)")
#: Endings that tell nothing: a call that never returned, and one that looked and saw nothing.
_NOTHING: Final = re.compile(r"waits on|nothing ready|0 ready(, 0 ready)*")


def choose(runs: Sequence[VariantRun], words: str) -> tuple[int, str]:
    """Give the number of the run to draw, and the end that it shares with most; "" if words chose.

    Where a call is asked for by its name, it is one of the runs that end by that call. Most runs of
    a row end in few ways. The first of those that end as most do shows what the row is
    about: the ETIMEDOUT of a silent peer. Where nobody was told anything there is little to see,
    and such a run is drawn only where there is no other.
    """
    asked = variants_with(words, [run.variant.name for run in runs])
    wanted = [run for run in runs if not asked or run.number in asked]
    outcomes = {run.number: run.outcome for run in wanted}
    named = [run for run in wanted if _names_call(words, outcomes[run.number])]
    wanted = named or wanted
    ran = [run.number for run in wanted if run.world is not None]
    endings = {number: _ending(outcomes[number]) for number in ran}
    told = {number: end for number, end in endings.items() if not _NOTHING.fullmatch(end)}
    endings = told or endings
    if not endings:
        return wanted[0].number, ""
    counts = Counter(endings.values())
    most = max(counts, key=lambda ending: counts[ending])  # of equals the first
    chosen = next(number for number, ending in endings.items() if ending == most)
    return chosen, "" if asked or named or len(runs) == 1 else most


def _names_call(words: str, outcome: str) -> bool:
    """Whether what a run came to is what a call was told that is asked for by its name."""
    told = _TOLD.findall(outcome)
    return not set(told).isdisjoint(re.findall(r"\w+", words.lower()))


def _ending(outcome: str) -> str:
    """Say what a run came to, whichever call was told so, and when: ``ETIMEDOUT``."""
    return _CALL.sub("", _WAITED.sub("", outcome))
