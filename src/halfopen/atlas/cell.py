"""One state, one stimulus, and what comes of them: a run of the stack, watched."""

from functools import cache

from halfopen.atlas.deciding import Decider, Watch
from halfopen.atlas.end import SETTLED_NS, End
from halfopen.atlas.stimuli import Stimulus, Way, stimuli_for, ways_to
from halfopen.base.value import value
from halfopen.tcp.states import State


@value
class Cell:
    """One state, one stimulus, and what came of them in a run."""

    way: Way
    stimulus: Stimulus
    then: State
    after_ns: int  # how long that took; 0: at once
    answers: tuple[str, ...]  # what was sent, in order
    user: str  # what the user's call gives: the stimulus itself, or the one that waits
    decider: Decider | None
    tags: tuple[str, ...]  # the departures of Linux that showed


def run_cell(way: Way, stimulus: Stimulus) -> Cell:
    """Reach the state, let the stimulus happen, and look. Requires: the sources run."""
    end = End(patient=stimulus.kind != "call")
    way.reach(end)
    if stimulus.prepare is not None:
        stimulus.prepare(end)
    end.pause(SETTLED_NS)
    assert end.state is way.state, f"{way.name} leads to {end.state.name}, not {way.state.name}"
    end.forget()
    began = end.now
    with Watch(lambda: (end.state, end.fingerprint())) as watch:
        user = stimulus.happens(end)
    seen = watch.seen()
    moves = [move for move in end.moves if move.tcb is end.tcb]
    return Cell(
        way=way,
        stimulus=stimulus,
        then=end.state,
        after_ns=moves[-1].at - began if moves else 0,
        answers=tuple(end.spell(segment) for segment in end.answers),
        user=user or _told(end, way),
        decider=seen.decider,
        tags=seen.tags,
    )


def _told(end: End, way: Way) -> str:
    """Ask what the user is told afterwards."""
    match way.asks:
        case "":
            return ""
        case "send":
            return end.send()
        case "SO_ERROR":
            return end.error()
        case _:
            return end.goes_on()


@cache
def cells(state: State) -> tuple[Cell, ...]:
    """Run every cell of a state, way by way."""
    return tuple(run_cell(way, stimulus) for way in ways_to(state) for stimulus in stimuli_for(way))
