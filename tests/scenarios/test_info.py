"""TCP_INFO on both arms: each field that does not hang on real time."""

import pytest
from tests.scenarios import informing
from tests.scenarios.alike import said

from halfopen.base.units import MS, S
from halfopen.compare.rules import LOOKS_MAX
from halfopen.guest.arm import run_variant as in_world
from halfopen.oracle.arm import run_variant as on_kernel
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


#: What each process prints so many lines of.
LINES = {"server": 8, "client": 6}


def printed(trace: Trace) -> dict[str, list[str]]:
    return {process: said(trace, process).splitlines() for process in LINES}


def test_tcp_info() -> None:
    world = printed(in_world(VARIANT))
    assert {process: len(lines) for process, lines in world.items()} == LINES
    kernel = printed(on_kernel(VARIANT))
    for _ in range(LOOKS_MAX - 1):
        if kernel != world:  # a busy machine's programs may be late
            kernel = printed(on_kernel(VARIANT))
    assert kernel == world
