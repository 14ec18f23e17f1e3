"""Random walks of one end: whatever its peer, its user and the time do, everything holds."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tcp import walks
from tests.unit.tcp.ends import Ours
from tests.unit.tcp.soundness import complaints

from halfopen.base.units import MS, S
from halfopen.wire.seq import WRAP

pytestmark = pytest.mark.slow

PAUSES = (1 * MS, 30 * MS, 210 * MS, 1 * S, 15 * S, 70 * S)


@given(seed=st.integers(0, WRAP), steps=st.integers(1, 20))
@settings(max_examples=300)
def test_nothing_a_peer_a_user_or_time_does_breaks_it(seed: int, steps: int) -> None:
    rng = Random(seed)
    end = Ours(rng.choice(walks.OPTIONS), irs=rng.randrange(WRAP), iss=rng.randrange(WRAP))
    way = rng.choice(walks.WAYS)
    way(end)
    trail = [way.__name__]
    for _ in range(steps):
        if rng.random() < 0.25:
            pause = rng.choice(PAUSES)
            end.wait(pause)
            trail.append(f"{pause // MS} ms pass")
        elif choice := walks.choose(rng, end, end.options):
            choice.step(end)
            trail.append(choice.name)
        if end.any is not None:
            found = complaints(end.any, end.now - 1)
            assert not found, "\n".join([*trail, *found])
