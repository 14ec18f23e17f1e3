"""Urgent data and errors of a router between two hosts: both arms, call by call."""

import pytest
from tests.scenarios import messaging
from tests.scenarios.alike import alike

from halfopen.base.units import MS, S
from halfopen.record.faults import Pick, Unreachable
from halfopen.record.query import calls
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Link, OnMark, Process, Program, Step, Variant

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


def variant(
    server: Program, client: Program, *steps: Step, horizon_ns: int = S, **settings: str
) -> Variant:
    listens = server is not messaging.nobody
    start = OnMark(process="server", name="listening", delay_ns=20 * MS)
    return Variant(
        settings={name.replace("_", " "): setting for name, setting in settings.items()},
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl={}),
            Host(name="server", addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(Link(a="client", b="server"),),
        processes=(
            Process(host="server", name="server", program=server),
            Process(host="client", name="client", program=client)
            if not listens
            else Process(host="client", name="client", program=client, start=start),
        ),
        steps=steps,
        horizon_ns=horizon_ns,
    )


def told(trace: Trace, call: str) -> list[str | None]:
    return [each.errno for each in calls(trace, process="client", call=call)]


def unreachable(pick: Pick, code: int = 1) -> Step:
    fault = Unreachable(link="client-server", towards="server", code=code, pick=pick)
    return Step(when=OnMark(process="client", name="sends"), fault=fault)


@pytest.mark.parametrize("how", ["select", "poll", "epoll", "WAITALL", "in the stream", "recv"])
def test_waiting_for_what_is_urgent(how: str) -> None:
    alike(variant(messaging.waiter, messaging.sender, waits_by=how))


@pytest.mark.parametrize(("recverr", "errors"), [("0", [None]), ("1", ["EHOSTUNREACH", None])])
def test_an_open_connection_is_told_at_once_or_not(recverr: str, errors: list[str | None]) -> None:
    step = unreachable("text")
    asked = variant(messaging.answerer, messaging.talker, step, horizon_ns=2 * S, recverr=recverr)
    assert told(alike(asked)[0], "recv")[: len(errors)] == errors


@pytest.mark.parametrize("connected", ["yes", "no"])
@pytest.mark.parametrize("recverr", ["0", "1"])
@pytest.mark.parametrize("code", [1, 3])
def test_a_datagram_that_did_not_arrive(connected: str, recverr: str, code: int) -> None:
    asked = variant(
        messaging.nobody,
        messaging.asks_by_udp,
        unreachable("any", code),
        connected=connected,
        recverr=recverr,
    )
    first, queue = told(alike(asked)[0], "recvmsg")
    hears = recverr == "1" or (connected == "yes" and code == 3)
    assert (first != "timeout") == hears
    assert (queue is None) == (recverr == "1")


def test_a_connect_that_failed_leaves_a_report() -> None:
    asked = variant(messaging.nobody, messaging.connects, unreachable("SYN"))
    assert told(alike(asked)[0], "recvfrom") == [None, "EAGAIN"]
