"""A run is written as JSON lines and read back whole, whatever happened in it."""

from dataclasses import fields
from typing import Any, get_args

import pytest

from halfopen.base.errors import MisuseError
from halfopen.record import events
from halfopen.record.events import CallEntry, Event, FaultFired, Mark, PacketSent
from halfopen.record.faults import CableOut, Fault, Kill, fault_from_json, fault_to_json
from halfopen.record.shapes import result_to_json
from halfopen.record.trace import Trace, loads, loads_all

#: By the annotation of a field, something that could stand there.
_SAMPLES: dict[Any, Any] = {
    int: 7,
    str: "server",
    bool: True,
    bytes: b"E\x00\xff",
    str | None: "ECONNRESET",
    int | None: 3,
    tuple[str, ...]: ("client", "server"),
    events.Json: {"fd": 4, "peer": ["10.0.0.1", 40000]},
    Fault: Kill(process="server"),
}


def sample(cls: Any) -> Any:
    """Make a value with something in each of its fields."""
    return cls(**{field.name: _SAMPLES.get(field.type, "any") for field in fields(cls)})


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_each_event_is_read_back(kind: type[Event]) -> None:
    trace = Trace({"arm": "kernel", "release": "6.18"})
    trace.ended_ns = 9
    trace.add(sample(kind))
    again = loads(trace.dumps())
    assert again.events == trace.events
    assert (again.meta, again.ended_ns) == (trace.meta, 9)


@pytest.mark.parametrize("kind", get_args(Fault), ids=lambda kind: kind.__name__)
def test_each_fault_is_read_back(kind: type[Fault]) -> None:
    fault = sample(kind)
    assert fault_from_json(fault_to_json(fault)) == fault
    trace = Trace({})
    trace.add(FaultFired(t_ns=1, fault=fault, effect=False))
    assert loads(trace.dumps()).events == trace.events


def test_a_way_that_a_cable_is_out_is_read_back_with_its_hosts() -> None:
    fault = CableOut(link="a-b", seen_by=("a",), towards="b")
    assert fault_from_json(fault_to_json(fault)) == fault


def test_several_runs_are_read_one_after_another() -> None:
    texts = []
    for name in ("first", "second"):
        trace = Trace({"variant": name})
        trace.add(Mark(t_ns=1, host="client", process="client", name=name))
        texts.append(trace.dumps())
    runs = loads_all("".join(texts))
    assert [run.meta["variant"] for run in runs] == ["first", "second"]
    assert [[event.name for event in run.events if isinstance(event, Mark)] for run in runs] == [
        ["first"],
        ["second"],
    ]
    with pytest.raises(MisuseError, match="one run, here are 2"):
        loads("".join(texts))


def test_numbers_go_on_behind_those_that_were_read() -> None:
    trace = Trace({})
    entry = {"host": "a", "process": "a", "thread": "main", "fd": 3, "args": "", "where": ""}
    trace.add(CallEntry(t_ns=1, call_id=41, call="recv", **entry))  # type: ignore[arg-type]
    trace.add(PacketSent(t_ns=2, packet_id=5, host="a", link="a-b", raw=b""))
    assert loads(trace.dumps()).next_id() == 42


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one run, here are 0"),
        ('{"event": "Mark", "t_ns": 1, "host": "a", "process": "a", "name": "x"}\n', "no 'meta'"),
        ('{"ended_ns": 0, "meta": {}}\nnonsense\n', "line 2 of the trace is damaged"),
        ('{"ended_ns": 0, "meta": {}}\n{"event": "Unheard"}\n', "line 2 of the trace is damaged"),
    ],
)
def test_what_is_no_trace_is_refused(text: str, words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        loads(text)


@pytest.mark.parametrize(
    ("call", "result", "json"),
    [
        ("recv", b"hello", {"len": 5, "head": "hello"}),
        ("recv", bytes(100), {"len": 100, "head": "\0" * 32}),
        ("accept", (4, ("10.0.0.1", 40000)), {"fd": 4, "peer": ["10.0.0.1", 40000]}),
        ("socket", {"fd": 3}, {"fd": 3}),
        ("recvfrom", (b"x", ("10.0.0.1", 53)), [{"len": 1, "head": "x"}, ["10.0.0.1", 53]]),
        ("poll", [(3, 1)], [[3, 1]]),
        ("send", 5, 5),
        ("close", None, None),
    ],
)
def test_results_are_written_as_json(call: str, result: object, json: object) -> None:
    assert result_to_json(call, result) == json
