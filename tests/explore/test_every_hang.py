"""A client without a timeout hangs exactly where the undisturbed run says that it must.

Which points those are is worked out here from the packets of that run alone. A host waits for ever
where it has nothing unacknowledged, so that no retransmission will fail, and what it waits for can
never come. What reaches a host after a power-off is what had departed; after a cut cable, what had
arrived.
"""

from pathlib import Path
from typing import Final

import pytest

from halfopen.base.value import value
from halfopen.explore.points import (
    AFTER_DEPARTURE,
    BEFORE_ARRIVAL,
    BEFORE_DEPARTURE,
    CALL,
    RETURN,
    Point,
)
from halfopen.explore.request import Request
from halfopen.explore.run import explore, gather
from halfopen.record.events import CallEntry, CallReturn, PacketArrived, PacketSent
from halfopen.record.faults import CableOut, Kill, PowerOff
from halfopen.record.trace import Trace, loads
from halfopen.wire import ip, tcp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TARGETS: Final = Path(__file__).parent / "targets"
WORDS: Final = (b"one", b"fourteen")
CABLE: Final = CableOut(link="client-server")


@value
class Seen:
    """A segment, its numbers counted from the SYN of its direction."""

    host: str
    end: int  # of its text
    ack: int
    syn: bool
    fin: bool
    sent: int  # its places in the trace
    arrived: int


def segments(trace: Trace) -> list[Seen]:
    arrived = {e.packet_id: i for i, e in enumerate(trace.events) if isinstance(e, PacketArrived)}
    first: dict[str, int] = {}
    found = []
    for i, event in enumerate(trace.events):
        if not isinstance(event, PacketSent):
            continue
        segment = ip.decode(event.raw).body
        assert isinstance(segment, tcp.Segment)
        first.setdefault(event.host, segment.seq)
        peer = "client" if event.host == "server" else "server"
        syn = bool(segment.flags & tcp.SYN)
        found.append(
            Seen(
                host=event.host,
                end=segment.seq - first[event.host] + len(segment.text) + syn,
                ack=segment.ack - first[peer] if segment.flags & tcp.ACK else 0,
                syn=syn,
                fin=bool(segment.flags & tcp.FIN),
                sent=i,
                arrived=arrived[event.packet_id],
            )
        )
    return found


def places(points: tuple[Point, ...], trace: Trace) -> dict[int, int]:
    """Say for each point how many events of the trace lie before it."""
    entered = {e.call_id: i for i, e in enumerate(trace.events) if isinstance(e, CallEntry)}
    returned = {e.call_id: i for i, e in enumerate(trace.events) if isinstance(e, CallReturn)}
    sent = {e.packet_id: i for i, e in enumerate(trace.events) if isinstance(e, PacketSent)}
    arrived = {e.packet_id: i for i, e in enumerate(trace.events) if isinstance(e, PacketArrived)}
    found, last = {}, 0
    for point in points:
        match point.kind:
            case k if k == CALL:
                last = entered[point.subject] + 1
            case k if k == RETURN:
                last = returned[point.subject] + 1
            case k if k == BEFORE_DEPARTURE:
                last = sent[point.subject]
            case k if k == AFTER_DEPARTURE:
                last = sent[point.subject] + 1
            case k if k == BEFORE_ARRIVAL:
                last = arrived[point.subject]
            case _:  # after all that an arrival brought about, whose points stand before this one
                last = max(last, arrived[point.subject] + 1)
        found[point.number] = last
    return found


def client_hangs(reached: list[Seen]) -> bool:
    """Whether the client waits for ever once it has got so much from the server, and no more."""
    if not any(seen.syn for seen in reached):
        return False  # connect gives up
    got = max(seen.end for seen in reached) - 1
    acked = max(seen.ack for seen in reached) - 1
    asked = 0
    for word in WORDS:
        asked += len(word)
        if got < asked:  # replies are as long as requests: this one will never be whole
            return acked >= asked
    return False


def server_hangs(reached: list[Seen]) -> bool:
    """Whether the server waits for ever once it has got so much from the client, and no more."""
    if all(seen.syn for seen in reached) or any(seen.fin for seen in reached):
        return False  # nobody to accept, or the client has said that it is done
    got = max(seen.end for seen in reached) - 1
    acked = max(seen.ack for seen in reached) - 1
    return acked >= got  # every reply that it made is acknowledged


def expected(points: tuple[Point, ...], trace: Trace) -> set[tuple[int, str, str]]:
    """Work out which host hangs after which fault at which point."""
    seen = segments(trace)
    found = set()
    for number, place in places(points, trace).items():
        departed = {h: [s for s in seen if s.host == h and s.sent < place] for h in HOSTS}
        arrived = {h: [s for s in seen if s.host == h and s.arrived < place] for h in HOSTS}
        if client_hangs(departed["server"]):
            found.add((number, "power off server", "client"))
        if server_hangs(departed["client"]):
            found.add((number, "power off client", "server"))
        if client_hangs(arrived["server"]):
            found.add((number, "cable", "client"))
        if server_hangs(arrived["client"]):
            found.add((number, "cable", "server"))
    return found


HOSTS: Final = ("client", "server")
NAMES: Final = {
    PowerOff(host="client"): "power off client",
    PowerOff(host="server"): "power off server",
    CABLE: "cable",
    Kill(process="ask"): "kill ask",
    Kill(process="serve"): "kill serve",
}


@pytest.mark.parametrize("target", ["asking.py:world", "asking.py:working", "looping.py:world"])
def test_every_hang_is_found_and_no_other(target: str) -> None:
    tally = gather(Request(target=f"{TARGETS}/{target}"))
    first = tally.undisturbed
    found = {
        (run.point, NAMES[run.fault], waits.host)
        for run in tally.disturbed
        if run.outcome.verdict == "hang"
        for waits in run.outcome.waiting
    }
    must = expected(first.points, loads(first.trace))
    assert found == must
    # It is worth something: each end hangs by each fault, and each somewhere does not.
    assert {(fault, host) for _, fault, host in must} == {
        ("power off server", "client"),
        ("power off client", "server"),
        ("cable", "client"),
        ("cable", "server"),
    }
    fired = {fault: sum(run.fault == fault for run in tally.disturbed) for fault in NAMES}
    assert all(fired.values())
    assert fired[CABLE] == len(first.points)
    assert {run.outcome.verdict for run in tally.disturbed} <= {"hang", "crash", "clean"}


@pytest.mark.parametrize("function", ["world", "working"])
def test_none_hangs_with_a_timeout_and_keepalive(function: str) -> None:
    report = explore(Request(target=f"{TARGETS}/mended.py:{function}"))
    assert report.findings == ()
    assert report.errors == ()
    assert set(report.verdicts) == {"clean"}
    assert {type(count.fault) for count in report.faults} == {Kill, PowerOff, CableOut}
    assert all(count.fired for count in report.faults)


def test_a_finding_names_the_line_and_what_would_have_helped() -> None:
    report = explore(Request(target=f"{TARGETS}/asking.py:once"))
    lines = (TARGETS / "asking.py").read_text().splitlines()
    hangs = [finding for finding in report.findings if finding.verdict == "hang"]
    assert {f.waits.line for f in hangs if f.waits} == {
        "while request := conn.recv(4096):",
        "print(sock.recv(4096).decode())",
    }
    for finding in hangs:
        waits = finding.waits
        assert waits is not None
        assert lines[int(waits.where.rpartition(":")[2]) - 1].strip() == waits.line
        assert finding.outcome.pending == ()
        timeout, keepalive = finding.advice
        assert timeout.at_ns is not None
        assert (timeout.errno, timeout.at_ns - waits.since_ns) == ("timeout", 10 * 10**9)
        # tcp_keepalive_time, then tcp_keepalive_probes times tcp_keepalive_intvl; the timer wheel
        # of Linux rounds the two hours up by two minutes at most.
        assert keepalive.errno == "ETIMEDOUT"
        assert keepalive.at_ns is not None
        late_s = (keepalive.at_ns - waits.since_ns) / 10**9 - (7200 + 9 * 75)
        assert 0 <= late_s < 9 * 5 + 140
