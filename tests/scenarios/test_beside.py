"""Options that people set beside those of the notes, on both arms: what calls and packets show."""

import pytest
from tests.scenarios import beside
from tests.scenarios.alike import alike

from halfopen.base.units import MS
from halfopen.record.events import Output
from halfopen.scenario.model import Variant
from halfopen.scenario.notes import pair

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(150)]

WHERE = ("client, before connect", "client, connected", "listener")


def variant(option: str, where: str) -> Variant:
    return pair.variant(
        {"option": option, "set": where},
        server=beside.server,
        client=beside.client,
        horizon_ns=1770 * MS,
        delay_ns=50 * MS,
    )


@pytest.mark.parametrize("option", list(beside.OPTIONS))
def test_what_an_option_changes(option: str) -> None:
    for trace in alike(*(variant(option, where) for where in WHERE)):
        printed = [event.text for event in trace.events if isinstance(event, Output)]
        assert any("refused" in text for text in printed), "both programs came to their end"
