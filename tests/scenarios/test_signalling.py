"""Signals that one process sends to another, on both arms: who hears of them, and when."""

import pytest
from tests.scenarios import signalling
from tests.scenarios.alike import alike, said

from halfopen.base.units import MS
from halfopen.record.events import ProcessEnded
from halfopen.scenario.model import Host, OnMark, Process, Program, Variant, each

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(150)]


def variant(settings: dict[str, str], target: Program, sender: Program | None = None) -> Variant:
    processes = (
        (
            Process(host="alone", name="sender", program=sender),
            Process(
                host="alone",
                name="target",
                program=target,
                start=OnMark(process="sender", name="listening"),
            ),
        )
        if sender
        else (Process(host="alone", name="target", program=target),)
    )
    return Variant(
        settings=settings,
        hosts=(Host(name="alone", addresses=("10.0.0.1",), sysctl={}),),
        links=(),
        processes=processes,
        steps=(),
        horizon_ns=1470 * MS,
    )


@pytest.mark.parametrize("handler", ["returns", "raises"])
@pytest.mark.parametrize("restarts", ["as it is", "False"])
def test_a_call_that_another_process_interrupts(handler: str, restarts: str) -> None:
    """PEP 475; with SA_RESTART Python does not hear of it until a call returns (signal(7))."""
    asked = [
        variant(settings, signalling.target, signalling.sender)
        for settings in each(
            **{"waits in": tuple(signalling.WAITS), "siginterrupt": (restarts,)},
            handler=(handler,),
        )
    ]
    for trace in alike(*asked):
        assert "handler SIGUSR1 MainThread" in said(trace, "target").splitlines()


@pytest.mark.parametrize("by", ["raise_signal", "os.kill"])
def test_a_call_while_another_thread_sends_the_signal(by: str) -> None:
    """To itself: the main thread's call is not interrupted (CPython trip_signal)."""
    asked = [
        variant(settings, signalling.itself)
        for settings in each(
            **{
                "waits in": ("recv", "select", "sleep", "acquire"),
                "siginterrupt": ("as it is", "False"),
            },
            by=(by,),
        )
    ]
    for trace in alike(*asked):
        assert "handler MainThread" in said(trace, "target").splitlines()


def test_signals_to_a_process_that_is_stopped() -> None:
    """They wait, by number; of a real-time one as many as were sent (signal(7))."""
    ends = {
        "SIGTERM": "SIGTERM",
        "SIGHUP, SIGTERM": "SIGHUP",
        "SIGTERM, SIGHUP": "SIGHUP",
        "SIGKILL": "SIGKILL",
        "a real-time signal": "SIGRTMIN+5",
        "stops itself": "SIGRTMAX",
    }
    asked = [
        variant(settings, signalling.stopped, signalling.stops)
        for settings in each(then=tuple(ends))
    ]
    for trace, end in zip(alike(*asked), ends.values(), strict=True):
        over = [
            e.how for e in trace.events if isinstance(e, ProcessEnded) and e.process == "target"
        ]
        assert over == [end]
