"""Twenty thousand hostile segments; ``make hostile`` throws a million."""

import pytest
from tests.property.siege import PLOTS, Report, Siege, besiege

from halfopen.tcp.states import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def report() -> Report:
    return besiege(20_000)


def test_nothing_crashes_nothing_stalls_and_nothing_is_left(report: Report) -> None:
    assert report.segments == 20_000
    assert report.sieges == sum(report.ends.values())


def test_they_came_in_every_state(report: Report) -> None:
    assert set(report.states) == {state.name for state in State if state is not State.CLOSED}


def test_some_talks_lived_and_some_ended_with_an_errno(report: Report) -> None:
    assert report.ends["delivered"] > 100
    assert report.ends["ECONNRESET"] > 10


def test_the_blind_did_no_harm_to_an_open_connection(report: Report) -> None:
    """RFC 5961: a reset, a SYN or text needs the exact number, or a number in the window."""
    assert report.unharmed > 50


def test_harm_is_seen() -> None:
    """One who knows the numbers resets a connection; judged as if blind, that is found."""
    found = []
    for seed in range(20):
        siege = Siege(seed, blind=False, plot=PLOTS[0], segments=40)
        siege.excused = False
        try:
            siege.lay()
        except AssertionError as complaint:
            found.append(str(complaint))
    assert any("octets, ECONNRESET" in what for what in found), found
