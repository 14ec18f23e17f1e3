"""Looking again: a variant that agrees in one look is let off, and each look is told of."""

from collections.abc import Generator, Sequence

import pytest
from tests.unit.compare.changes import alter
from tests.unit.compare.story import KERNEL, VARIANT, WORLD, story, tell

from halfopen.base.value import value
from halfopen.compare import both
from halfopen.compare.both import Compared, compare_variants
from halfopen.compare.rules import LOOKS_MAX
from halfopen.oracle.arm import SIDE_BY_SIDE, KernelRun
from halfopen.record.trace import Trace
from halfopen.scenario.model import Variant

AGREES, DIFFERS, OTHERWISE, BREAKS = "agrees", "differs", "otherwise", "breaks"


@value
class Asked:
    """What the kernel was asked to run, look by look."""

    looks: list[list[str]]


def variant(name: str) -> Variant:
    return Variant(
        settings={"name": name},
        hosts=VARIANT.hosts,
        links=VARIANT.links,
        processes=(),
        steps=(),
        horizon_ns=VARIANT.horizon_ns,
    )


def kernel_run(what: str, case: Variant) -> KernelRun:
    if what == BREAKS:
        return KernelRun(variant=case, trace=None, failed="no space left")
    steps = story()
    if what == DIFFERS:
        alter("send", result=3)(steps)
    if what == OTHERWISE:
        alter("send", result=4)(steps)
    return KernelRun(variant=case, trace=tell(steps, KERNEL))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A kernel that does in its n-th run of a variant what the variant's name says n-th."""
    made = Asked(looks=[])

    def run_variants(
        variants: Sequence[Variant], *, seed: int, side_by_side: int
    ) -> Generator[KernelRun, None, None]:
        assert (seed, side_by_side) == (7, SIDE_BY_SIDE)
        made.looks.append([case.name for case in variants])
        for case in variants:
            yield kernel_run(case.settings["name"].split()[len(made.looks) - 1], case)

    monkeypatch.setattr(both, "run_variants", run_variants)
    return made


def compare(*names: str, world: Trace | str | None = None) -> list[Compared]:
    ran = tell(story(), WORLD) if world is None else world
    return list(compare_variants([variant(name) for name in names], lambda _: ran, seed=7))


def test_what_agrees_is_looked_at_once(asked: Asked) -> None:
    (only,) = compare("agrees")
    assert (only.looks, only.differences, only.failed, only.before) == (1, (), "", ())
    assert asked.looks == [["name=agrees"]]


@pytest.mark.parametrize(
    ("name", "looks", "differs", "before"),
    [
        ("differs agrees", 2, False, True),
        ("differs differs agrees", 3, False, True),
        ("differs differs differs", 3, True, True),
        ("breaks agrees", 2, False, False),
        ("breaks differs agrees", 3, False, True),
    ],
)
def test_what_differs_is_looked_at_again(
    asked: Asked, name: str, looks: int, differs: bool, before: bool
) -> None:
    (only,) = compare(name)
    assert (only.looks, bool(only.differences), bool(only.before)) == (looks, differs, before)
    assert not only.failed
    assert len(asked.looks) == looks


@pytest.mark.usefixtures("asked")
def test_what_the_last_look_shows_is_told_whatever_it_was_before() -> None:
    (only,) = compare("differs differs otherwise")
    assert only.looks == LOOKS_MAX
    assert "3 on the kernel" in only.before[0].text
    assert "4 on the kernel" in only.differences[0].text


@pytest.mark.usefixtures("asked")
def test_a_kernel_that_breaks_every_time_has_failed() -> None:
    (only,) = compare("breaks breaks breaks")
    assert (only.failed, only.kernel, only.looks) == ("on the kernel: no space left", None, 3)


def test_a_world_that_breaks_is_not_looked_at_again(asked: Asked) -> None:
    (only,) = compare("agrees", world="SND.UNA passed SND.NXT")
    assert (only.failed, only.world) == ("in the world: SND.UNA passed SND.NXT", None)
    assert len(asked.looks) == 1


def test_only_those_that_differ_run_again_and_they_come_last(asked: Asked) -> None:
    found = compare("differs agrees", "agrees", "differs differs agrees")
    assert [(each.number, each.looks) for each in found] == [(1, 1), (0, 2), (2, 3)]
    assert [len(look) for look in asked.looks] == [3, 2, 1]


@pytest.mark.usefixtures("asked")
def test_the_world_runs_once() -> None:
    """It does the same every time."""
    runs = []

    def run_world(case: Variant) -> Trace:
        runs.append(case.name)
        return tell(story(), WORLD)

    list(compare_variants([variant("differs differs differs")], run_world, seed=7))
    assert len(runs) == 1
