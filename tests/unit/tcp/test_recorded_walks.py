"""Random walks, step by step as the kernel took them."""

import pytest
from tests.unit.tcp.recorded import TRANSFERS, WALKS, Kind, Look, recorded, replay

#: So many walks make a test.
CHUNK = 25
RECORDS = {kind.name: recorded(kind) for kind in (WALKS, TRANSFERS)}


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        pytest.param(kind, first, id=f"{kind.name} from {first} on")
        for kind in (WALKS, TRANSFERS)
        for first in range(0, len(RECORDS[kind.name]), CHUNK)
    ],
)
def test_every_look_is_the_one_that_linux_gave(kind: Kind, first: int) -> None:
    walks = RECORDS[kind.name]
    for seed in range(first, min(first + CHUNK, len(walks))):
        looks = walks[seed]
        ours = replay(kind, seed, len(looks))
        for number, (mine, linux) in enumerate(zip(ours, looks, strict=False)):
            assert mine == linux, f"{kind.name} {seed}, step {number}"


@pytest.mark.parametrize(("kind", "looks"), [(WALKS, 4), (TRANSFERS, 20)])
def test_they_go_far(kind: Kind, looks: int) -> None:
    """Else they would be recorded where stack and kernel differ early."""
    lengths = [len(walk) for walk in RECORDS[kind.name]]
    assert sum(lengths) > looks * len(lengths)


def test_the_walks_begin_in_every_state() -> None:
    begun: list[Look] = [looks[0] for looks in RECORDS["walks"] if looks]
    assert len({str(look[0]) for look in begun}) >= 10
