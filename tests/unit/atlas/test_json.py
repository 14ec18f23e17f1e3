"""JSON: every document keeps the schema, and the schema refuses what is none."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from tests.unit.atlas.rows import MadeArms, answer, answer_and_more, note
from tests.unit.atlas.traces import Made

from halfopen.atlas.as_json import arm_json, rows_json, schema
from halfopen.atlas.runs import run_row
from halfopen.base.units import MS, S
from halfopen.record.faults import PowerOff
from halfopen.record.trace import Trace
from halfopen.scenario.lines import BY_ID, LINES
from halfopen.scenario.model import Variant
from halfopen.wire.tcp import ACK, PSH

SECOND = "server=nobody listens connect=non-blocking"


class Closes(MadeArms):
    """The client closes, too."""

    def world(self, variant: Variant, *, seed: int) -> Trace:
        made = Made()
        made.trace = super().world(variant, seed=seed)
        made.call("client", "close", "", S, until=S)
        return made.done(3 * S)


def document(arms: MadeArms) -> dict[str, Any]:
    rows = [run_row(BY_ID[i], note() if i == "N18" else None, arms, seed=1) for i in BY_ID]
    found: dict[str, Any] = json.loads(json.dumps(rows_json(rows)))
    return found


def validate(what: object) -> None:
    Draft202012Validator(json.loads(schema())).validate(what)


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema()))


@pytest.mark.parametrize(
    "arms",
    [
        MadeArms(),
        MadeArms(witnessed=False),
        MadeArms(differs=SECOND),
        MadeArms(breaks=SECOND),
    ],
    ids=["agree", "no kernel", "differ", "broken"],
)
def test_documents_keep_the_schema(arms: MadeArms) -> None:
    whole = document(arms)
    validate(whole)
    assert [row["id"] for row in whole["notes"]] == [line.id for line in LINES]


@pytest.mark.parametrize("damage", ["verdict", "scenarios", "note"])
def test_schema_refuses_a_row_without(damage: str) -> None:
    whole = deepcopy(document(MadeArms()))
    del whole["notes"][17][damage]
    with pytest.raises(ValidationError):
        validate(whole)


def test_row_says_what_the_arms_did_and_whether_they_agree() -> None:
    row = document(MadeArms(differs=SECOND))["notes"][17]
    assert row["verdict"] == "confirmed"
    assert row["answer"] == "ECONNREFUSED in 4 runs."
    first, second = row["scenarios"][:2]
    assert first["name"] == "server=nobody listens connect=blocking"
    assert first["settings"] == {"server": "nobody listens", "connect": "blocking"}
    assert first["answer"] == "connect -> ECONNREFUSED after 20 ms"
    assert first["agrees"] is True
    assert first["arms"]["kernel"]["recorded"] is True
    assert second["agrees"] is False
    assert second["differences"] == ["the world answers late"]
    assert first["arms"]["world"]["calls"] == [
        {
            "t_ns": 0,
            "host": "client",
            "process": "client",
            "thread": "main",
            "call": "connect",
            "result": None,
            "errno": "ECONNREFUSED",
            "blocked_ns": 20 * MS,
        }
    ]


def test_row_says_what_there_is_beside_its_answer() -> None:
    rows = [
        run_row(BY_ID["N18"], note(judged), MadeArms(), seed=1)
        for judged in (answer, answer_and_more)
    ]
    assert [row["more"] for row in rows_json(rows)["notes"]] == ["", "A port counts."]


def test_variant_may_turn_on_other_calls_than_its_row() -> None:
    made = note()
    first, *others = made.variants
    asked = replace(
        made,
        tells=(("client", "connect"),),
        variants=(replace(first, tells=(("client", "close"),)), *others),
    )
    (row,) = rows_json([run_row(BY_ID["N18"], asked, Closes(), seed=1)])["notes"]
    told = [scenario["answer"] for scenario in row["scenarios"]]
    assert told == ["close -> ok", *["connect -> ECONNREFUSED after 20 ms"] * 3]


def test_broken_scenario_is_marked_and_the_others_are_there() -> None:
    row = document(MadeArms(breaks=SECOND))["notes"][17]
    assert row["verdict"] == "failed"
    worlds = [scenario["arms"]["world"] is not None for scenario in row["scenarios"]]
    assert worlds == [True, False, True, True]
    assert row["scenarios"][1]["agrees"] is None


def test_segments_and_faults() -> None:
    made = Made()
    made.send(0, "client", PSH | ACK, 1, 1, b"hello", lost="host off")
    made.fault(5, PowerOff(host="server"))
    said = arm_json(made.done(S))
    assert said["segments"] == [
        {
            "t_ns": 0,
            "host": "client",
            "link": "client-server",
            "protocol": "tcp",
            "src": "10.0.0.1:40000",
            "dst": "10.0.0.2:80",
            "flags": "PSH,ACK",
            "seq": 1,
            "ack": 1,
            "len": 5,
            "win": 502,
            "note": "",
            "arrived_ns": None,
            "lost": "host off",
        }
    ]
    assert said["faults"] == [
        {"t_ns": 5, "kind": "PowerOff", "fault": "power off: server", "effect": True}
    ]
