"""What ``tcp/linux.py`` registers and no row of the notes shows: seen on the kernel, and alike."""

import pytest
from tests.scenarios import departing
from tests.scenarios.alike import alike

from halfopen.base.units import MS, S
from halfopen.record.faults import Forge
from halfopen.record.query import faults
from halfopen.record.trace import Trace
from halfopen.scenario.model import Host, Link, OnMark, Process, Step, Variant
from halfopen.scenario.notes.reading import Seen, segments_from
from halfopen.wire.tcp import SYN

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


def forged_outside_the_window(flags: str) -> Variant:
    """A segment far beyond the server's window arrives in the client's name."""
    return Variant(
        settings={"flags": flags},
        hosts=(
            Host(name="client", addresses=("10.0.0.1",), sysctl={}),
            Host(name="server", addresses=("10.0.0.2",), sysctl={}),
        ),
        links=(Link(a="client", b="server"),),
        processes=(
            Process(host="server", name="server", program=departing.server),
            Process(
                host="client",
                name="client",
                program=departing.client,
                start=OnMark(process="server", name="listening", delay_ns=20 * MS),
            ),
        ),
        steps=(
            Step(
                when=OnMark(process="client", name="sent", delay_ns=300 * MS),
                fault=Forge(
                    link="client-server", towards="server", flags=flags, seq=1 << 28, text="x"
                ),
            ),
        ),
        horizon_ns=S,
    )


def answers(trace: Trace) -> list[Seen]:
    """What the server sent after the forged segment had left."""
    (forged,) = faults(trace)
    return [seen for seen in segments_from(trace, "server") if seen.t_ns > forged.t_ns]


@pytest.mark.parametrize(("flags", "answered"), [("PSH", 0), ("PSH,ACK", 1)])
def test_a_segment_without_ack_gets_no_answer(flags: str, answered: int) -> None:
    variant = forged_outside_the_window(flags)
    (kernel,) = alike(variant)
    assert len(answers(kernel)) == answered


def test_crossed_opens_keep_the_scale_that_was_offered() -> None:
    """One end does not scale; the other goes on scaling its own windows all the same."""
    variant = Variant(
        settings={"opens": "crossed"},
        hosts=(
            Host(name="a", addresses=("10.0.0.1",), sysctl={}),
            Host(name="b", addresses=("10.0.0.2",), sysctl={"net.ipv4.tcp_window_scaling": 0}),
        ),
        links=(Link(a="a", b="b", delay_ns=50 * MS),),
        processes=(
            Process(host="a", name="a", program=departing.crossing_a),
            Process(host="b", name="b", program=departing.crossing_b),
        ),
        steps=(),
        horizon_ns=S,
    )
    (kernel,) = alike(variant)
    plain = [seen.seg.wnd for seen in segments_from(kernel, "a") if not seen.seg.flags & SYN]
    assert plain, "the connection was opened"
    assert max(plain) < 1000, "a window in units of 1024, which nobody agreed on"
