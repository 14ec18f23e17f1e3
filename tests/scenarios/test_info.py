"""TCP_INFO on both arms: each field that does not hang on real time."""

import pytest
from tests.scenarios import informing

from halfopen.base.units import MS, S
from halfopen.guest.arm import run_variant as in_world
from halfopen.oracle.arm import run_variant as on_kernel
from halfopen.record.events import Output
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Link, OnMark, Process, Variant

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

VARIANT = Variant(
    settings={},
    hosts=(
        Host(name="client", addresses=("10.0.0.1",), sysctl={}),
        Host(name="server", addresses=("10.0.0.2",), sysctl={}),
    ),
    links=(Link(a="client", b="server"),),
    processes=(
        Process(host="server", name="server", program=informing.server),
        Process(
            host="client",
            name="client",
            program=informing.client,
            start=OnMark(process="server", name="listening", delay_ns=20 * MS),
        ),
    ),
    steps=(),
    horizon_ns=3 * S,
)


def printed(trace: Trace, process: str) -> list[str]:
    text = "".join(
        event.text
        for event in trace.events
        if isinstance(event, Output) and event.process == process
    )
    return text.splitlines()


def test_tcp_info() -> None:
    world, kernel = in_world(VARIANT), on_kernel(VARIANT)
    for process, lines in (("server", 8), ("client", 6)):
        assert len(printed(kernel, process)) == lines
        assert printed(world, process) == printed(kernel, process)
