"""Programs that poll for ever: their runs end, nothing that goes on is cut off."""

from pathlib import Path
from typing import Final

import pytest

from halfopen.base.units import MINUTE, S
from halfopen.explore.request import Replay, Request
from halfopen.explore.run import gather, replay_all
from halfopen.explore.running import POLLS_UNDISTURBED, Running
from halfopen.record.events import CallEntry, PacketSent
from halfopen.record.trace import loads

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TARGET: Final = f"{Path(__file__).parent}/targets/polling.py"
TIME_WAIT_NS: Final = 60 * S


def test_a_server_that_polls_is_watched_until_nothing_else_is_pending() -> None:
    request = Request(target=TARGET, digests=True)
    tally = gather(request)
    trace = loads(tally.undisturbed.trace)
    polls = [e for e in trace.events if isinstance(e, CallEntry) and e.call == "poll"]
    assert TIME_WAIT_NS < trace.ended_ns < TIME_WAIT_NS + 20 * S * (POLLS_UNDISTURBED + 2)
    assert POLLS_UNDISTURBED < len(polls) < POLLS_UNDISTURBED + 6
    hanging = {run.point for run in tally.disturbed if run.outcome.verdict == "stuck"}
    assert hanging, "the client has no timeout"
    assert {run.outcome.verdict for run in tally.disturbed} <= {"clean", "stuck", "hang", "crash"}
    asked = [Replay(request=request, point=r.point, fault=r.fault) for r in tally.disturbed[::9]]
    for run, again in zip(tally.disturbed[::9], replay_all(asked), strict=True):
        assert again.digest == run.outcome.digest


def test_a_loop_that_does_something_is_watched_to_its_end() -> None:
    running = Running(Request(target=f"{TARGET}:beating"))
    running.drive()
    sent = [event for event in running.trace.events if isinstance(event, PacketSent)]
    assert len([event for event in sent if event.host == "client"]) == 300
    assert running.world.now > 5 * MINUTE
