"""Sockets that want the same ports are told what Linux tells them: the recorded programs."""

import pytest
from tests.property.binding import here
from tests.property.binding_cases import CASES


def split(case: str) -> tuple[list[str], list[str]]:
    """The lines of a recorded program, and what each was told."""
    pairs = [line.partition(" -> ") for line in case.strip().splitlines()]
    return [line for line, _, _ in pairs], [told for _, arrow, told in pairs if arrow]


@pytest.mark.parametrize("name", CASES)
def test_a_recorded_program(name: str) -> None:
    program, told = split(CASES[name])
    assert here(program) == told
