"""A program that computes without a call is told of; one that calls, or is soon done, is not."""

import time
from collections.abc import Callable

import pytest
from tests.unit.guest.guests import Stage

from halfopen.explore import busy

PATIENCE_S = 0.02


def computes(seconds: float) -> None:
    """Compute for so long by a clock that is nobody's: the size of what is computed."""
    total = 0
    for number in range(int(seconds * 20_000_000)):
        total += number


def calls() -> None:
    for _ in range(2_000):
        time.sleep(0.001)


def said(capfd: pytest.CaptureFixture[str], program: Callable[..., None], *args: object) -> str:
    stage = Stage()
    stage.start(program, *args)
    with busy.told(stage.world, PATIENCE_S):
        stage.run()
    return capfd.readouterr().err


def test_where_a_program_computes_is_told_less_and_less_often(
    capfd: pytest.CaptureFixture[str],
) -> None:
    first, place, advice, *more = said(capfd, computes, 0.5).splitlines()
    told = "halfopen: computes on a (thread main) computes for 0.02 s of CPU now and calls nothing:"
    assert first == told
    assert place.startswith("  test_busy.py:")
    assert place.endswith(("for number in range(int(seconds * 20_000_000)):", "total += number"))
    assert advice.endswith("end this with Ctrl-C.")
    assert len(more) <= 15


@pytest.mark.parametrize(("program", "args"), [(calls, ()), (computes, (0.0001,))])
def test_who_calls_or_is_done_is_not_told_of(
    capfd: pytest.CaptureFixture[str], program: Callable[..., None], args: tuple[object, ...]
) -> None:
    assert said(capfd, program, *args) == ""
