"""The kernel arm: real processes in real namespaces, and a trace as the world writes it."""

import signal
import time
from collections.abc import Mapping
from statistics import median

import pytest
from tests.unit.oracle import programs, unloadable

from halfopen.base.errors import NotPossibleHereError
from halfopen.base.units import MS, S
from halfopen.oracle.arm import possible, run_variant, run_variants
from halfopen.record.events import (
    CallEntry,
    Mark,
    Output,
    PacketArrived,
    PacketSent,
    ProcessEnded,
    ProcessStarted,
)
from halfopen.record.faults import PowerOff, PowerOn
from halfopen.record.query import calls, packets
from halfopen.record.trace import Trace
from halfopen.scenario.model import At, Host, Link, OnExit, OnMark, Process, Step, Variant

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

HOSTS = (
    Host(name="client", addresses=("10.0.0.1",), sysctl={}),
    Host(name="server", addresses=("10.0.0.2",), sysctl={}),
)


def variant(
    *processes: Process,
    name: str = "x",
    steps: tuple[Step, ...] = (),
    horizon_ns: int = 300 * MS,
    hosts: tuple[Host, ...] = HOSTS,
    kernel: bool = True,
) -> Variant:
    return Variant(
        settings={"name": name},
        hosts=hosts,
        links=(Link(a="client", b="server"),),
        processes=processes,
        steps=steps,
        horizon_ns=horizon_ns,
        kernel=kernel,
        because="" if kernel else "it takes a day",
    )


def on_client(program, **more) -> Process:  # type: ignore[no-untyped-def]
    return Process(host="client", name="client", program=program, **more)


def on_server(program, **more) -> Process:  # type: ignore[no-untyped-def]
    return Process(host="server", name="server", program=program, **more)


def marks(trace: Trace) -> list[str]:
    return [event.name for event in trace.events if isinstance(event, Mark)]


def said(trace: Trace, stream: int) -> str:
    """Give all of what was written there: a reader of a pipe may see it in several parts."""
    return "".join(e.text for e in trace.events if isinstance(e, Output) and e.stream == stream)


def test_it_is_possible_where_this_test_runs() -> None:
    assert possible() is None


def test_runs_come_in_their_order_however_long_they_take() -> None:
    lengths = (1500, 700, 1100, 700)
    asked = [
        variant(on_client(programs.marks), name=str(length), horizon_ns=length * MS)
        for length in lengths
    ]
    found = list(run_variants(asked, side_by_side=3))
    assert [run.variant for run in found] == asked
    assert [marks(run.trace) for run in found if run.trace] == [[str(n)] for n in lengths]
    assert [run.trace.ended_ns for run in found if run.trace] == [n * MS for n in lengths]


def test_a_run_says_on_what_it_was_made() -> None:
    meta = run_variant(variant(on_client(programs.marks))).meta
    assert meta["arm"] == "kernel"
    assert meta["variant"] == "name=x"
    assert meta["hz"] in {100, 250, 300, 1000}
    assert str(meta["release"])[0].isdigit()
    assert "-" not in str(meta["release"])
    assert len(str(meta["date"])) == len("2026-11-25")


def test_calls_are_recorded_at_the_boundary_of_the_c_modules() -> None:
    talk = variant(
        on_server(programs.serves),
        on_client(programs.calls, start=OnMark(process="server", name="listening")),
        horizon_ns=S,
    )
    trace = run_variant(talk)
    made = {call.call: call for call in calls(trace, process="client")}
    assert [call.call for call in calls(trace, process="client")] == [
        *("socket", "setsockopt", "getsockopt", "connect", "getsockname", "getpeername"),
        *("send", "select", "recv", "sendmsg", "poll", "recv_into", "sendall", "epoll_wait"),
        *("recv", "settimeout", "recv", "setblocking", "connect_ex", "shutdown", "close"),
    ]
    fd = made["connect"].fd
    assert made["socket"].result == {"fd": fd}
    assert made["connect"].args == "10.0.0.2:80"
    assert made["connect"].where.startswith("programs.py:")
    assert made["getpeername"].result == ["10.0.0.2", 80]
    assert made["select"].result == [[fd], [], []]
    assert made["poll"].result == [[fd, 1]]
    assert made["epoll_wait"].result == [[fd, 1]]
    assert made["recv_into"].result == 3
    assert made["sendall"].args == "40 bytes"
    assert made["recv"].errno == "timeout"
    assert made["connect_ex"].result == 106
    assert made["shutdown"].thread == "worker"
    (accept,) = calls(trace, call="accept")
    name = made["getsockname"].result
    assert isinstance(accept.result, Mapping)
    assert accept.result["peer"] == name
    assert isinstance(name, list)
    assert name[0] == "10.0.0.1"


def test_a_packet_is_on_its_way_as_long_as_its_link_says() -> None:
    talk = variant(
        on_server(programs.serves),
        on_client(programs.calls, start=OnMark(process="server", name="listening")),
        horizon_ns=S,
    )
    ways = []
    for packet in packets(run_variant(talk)):
        assert packet.arrived_ns is not None
        ways.append(packet.arrived_ns - packet.t_ns)
    assert min(ways) >= 10 * MS
    assert median(ways) < 20 * MS, "a busy machine is late now and then"


@pytest.mark.parametrize(
    ("name", "how"), [("exit", "exit 3"), ("_exit", "exit 4"), ("abort", "SIGABRT")]
)
def test_the_end_of_a_process_is_told(name: str, how: str) -> None:
    trace = run_variant(variant(on_client(programs.dies), name=name, horizon_ns=S))
    assert [event.how for event in trace.events if isinstance(event, ProcessEnded)] == [how]


def test_what_is_ignored_here_is_not_ignored_there() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trace = run_variant(variant(on_client(programs.is_hung_up)))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert [event.how for event in trace.events if isinstance(event, ProcessEnded)] == ["SIGHUP"]


def test_an_error_that_nobody_catches_is_told() -> None:
    trace = run_variant(variant(on_client(programs.raises), horizon_ns=S))
    (end,) = (event for event in trace.events if isinstance(event, ProcessEnded))
    assert end.how == "uncaught ValueError: of its own"
    assert said(trace, 1) == "said\n"
    assert "ValueError: of its own" in said(trace, 2)


def test_programs_start_when_they_are_told_to() -> None:
    trace = run_variant(
        variant(
            on_client(programs.marks, start=At(t_ns=100 * MS)),
            on_server(programs.marks, start=OnExit(process="client", delay_ns=50 * MS)),
            horizon_ns=S,
        )
    )
    client, server = (event for event in trace.events if isinstance(event, ProcessStarted))
    (end,) = (e for e in trace.events if isinstance(e, ProcessEnded) and e.process == "client")
    assert client.t_ns >= 100 * MS
    assert server.t_ns - end.t_ns >= 50 * MS


def test_a_host_that_boots_again_runs_what_starts_at_boot_and_what_starts_later() -> None:
    """And nothing twice: what had begun before and does not start at boot stays ended."""
    trace = run_variant(
        variant(
            on_server(programs.lasts, boots=True),
            Process(host="server", name="once", program=programs.lasts),
            Process(host="server", name="late", program=programs.marks, start=At(t_ns=250 * MS)),
            Process(host="server", name="never", program=programs.marks, start=At(t_ns=150 * MS)),
            steps=(
                Step(when=At(t_ns=100 * MS), fault=PowerOff(host="server")),
                Step(when=At(t_ns=200 * MS), fault=PowerOn(host="server")),
            ),
            horizon_ns=400 * MS,
        )
    )
    started = [e.process for e in trace.events if isinstance(e, ProcessStarted)]
    ended = [(e.process, e.how) for e in trace.events if isinstance(e, ProcessEnded)]
    assert started == ["server", "once", "server", "late"]
    assert ended[:2] == [("server", "power off"), ("once", "power off")]


def test_nothing_of_after_the_horizon_is_told() -> None:
    trace = run_variant(variant(on_client(programs.lasts), horizon_ns=200 * MS))
    assert all(event.t_ns < 200 * MS for event in trace.events)
    assert not any(isinstance(event, ProcessEnded) for event in trace.events)


def test_whoever_stops_listening_ends_the_runs() -> None:
    begun = time.monotonic()
    runs = run_variants(
        [
            variant(on_client(programs.marks)),
            variant(on_client(programs.lasts), name="y", horizon_ns=40 * S),
        ]
    )
    next(runs)
    runs.close()
    assert time.monotonic() - begun < 10


def test_a_program_that_can_t_be_loaded_is_told() -> None:
    asked = [variant(on_client(unloadable.program)), variant(on_client(programs.marks), name="y")]
    broke, ran = run_variants(asked)
    assert broke.trace is None
    assert "client can't start" in broke.failed
    assert "ImportError: not in a child" in broke.failed
    assert ran.trace is not None


def test_what_is_the_world_s_alone_is_refused() -> None:
    with pytest.raises(NotPossibleHereError, match="the world only: it takes a day"):
        run_variant(variant(on_client(programs.marks), kernel=False))


def test_a_sysctl_that_this_kernel_has_not_is_named() -> None:
    hosts = (HOSTS[0], Host(name="server", addresses=("10.0.0.2",), sysctl={"net.ipv4.no": 1}))
    with pytest.raises(NotPossibleHereError, match=r"no sysctl net\.ipv4\.no"):
        run_variant(variant(on_client(programs.marks), hosts=hosts))


def test_what_happens_is_written_in_the_order_of_time() -> None:
    talk = variant(
        on_server(programs.serves),
        on_client(programs.calls, start=OnMark(process="server", name="listening")),
        horizon_ns=S,
    )
    events = run_variant(talk).events
    assert [event.t_ns for event in events] == sorted(event.t_ns for event in events)
    assert {CallEntry, PacketSent, PacketArrived} <= {type(event) for event in events}
