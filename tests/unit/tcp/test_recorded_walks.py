"""Random walks, step by step as the kernel took them."""

import pytest
from tests.unit.tcp.recorded import recorded, replay

#: So many walks make a test.
CHUNK = 25
WALKS = recorded()


@pytest.mark.parametrize("first", range(0, len(WALKS), CHUNK))
def test_every_look_is_the_one_that_linux_gave(first: int) -> None:
    for seed in range(first, min(first + CHUNK, len(WALKS))):
        looks = WALKS[seed]
        for number, (ours, linux) in enumerate(zip(replay(seed, len(looks)), looks, strict=False)):
            assert ours == linux, f"walk {seed}, step {number}"


def test_the_walks_go_far() -> None:
    """Else they would be recorded where stack and kernel differ early."""
    lengths = [len(looks) for looks in WALKS]
    assert sum(lengths) > 4 * len(lengths)
    assert len({str(looks[0][0]) for looks in WALKS if looks}) >= 10, "from every state"
