"""Loading what is to be explored: a file with a function that builds a world."""

from halfopen.record.trace import Trace
from halfopen.world.world import World


class Built:
    """A world that has not moved yet, and the trace that it will write."""

    def __init__(self, world: World, trace: Trace) -> None:
        self.world = world
        self.trace = trace


def build(target: str, seed: int) -> Built:
    """Load the target and let it build its world.

    Raises MisuseError where the target can't be found, or does not build one.
    """
    raise NotImplementedError
