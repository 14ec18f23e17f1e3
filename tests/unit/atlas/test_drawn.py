"""Which run of a row is drawn."""

from collections.abc import Mapping

import pytest
from tests.unit.atlas.rows import refused, variant
from tests.unit.atlas.traces import Made

from halfopen.atlas.drawn import choose
from halfopen.atlas.runs import VariantRun
from halfopen.base.units import MS, S
from halfopen.record.trace import Trace


def told(errno: str = "", *, call: str = "recv", after: int = 10 * MS) -> Trace:
    """A client whose last call gives an error; "" stands for one that never returns."""
    made = Made()
    made.call("client", "connect", "10.0.0.2:80", 0, until=MS)
    if errno:
        made.call("client", call, "100", S, until=S + after, errno=errno)
    else:
        made.call("client", call, "100", S)
    return made.done(3 * S)


def runs(traces: Mapping[str, Trace | None]) -> list[VariantRun]:
    return [
        VariantRun(
            number=number,
            variant=variant({"peer": name}),
            world=trace,
            failed="" if trace else "broke",
            kernel=None,
            differences=(),
        )
        for number, (name, trace) in enumerate(traces.items(), 1)
    ]


def test_the_first_that_ends_as_most_do_is_drawn() -> None:
    row = runs(
        {
            "reset": told("ECONNRESET"),
            "late": told("ETIMEDOUT", after=900 * MS),
            "later": told("ETIMEDOUT", call="sendall"),
        }
    )
    assert choose(row, "N10") == (2, "ETIMEDOUT")


def test_runs_in_which_nobody_is_told_anything_are_drawn_last() -> None:
    row = runs({"a": told(), "b": told(), "c": told("ECONNRESET")})
    assert choose(row, "N10") == (3, "ECONNRESET")
    assert choose(row[:2], "N10") == (1, "waits on")


def test_words_choose_first() -> None:
    row = runs({"reads": told(), "writes": told("EPIPE"), "writes twice": told("EPIPE")})
    assert choose(row, "peer that reads") == (1, "")
    assert choose(row, "writes") == (2, "")
    assert choose(row, "writes twice") == (3, "")


def test_a_call_that_is_asked_for_is_the_one_that_is_told() -> None:
    row = runs(
        {
            "reads": told("ETIMEDOUT"),
            "writes": told("ETIMEDOUT"),
            "writes twice": told("EPIPE", call="sendall"),
        }
    )
    assert choose(row, "silent peer in sendall") == (3, "")
    assert choose(row, "N10") == (1, "ETIMEDOUT")
    assert choose([*runs({"broken": None}), *row[1:]], "recv") == (2, "")
    waiting = runs({"a": told("EPIPE", call="sendall"), "b": told()})
    assert choose(waiting, "power cut in recv") == (2, "")


def test_what_broke_is_drawn_only_where_all_did() -> None:
    assert choose(runs({"a": None, "b": refused()}), "N18")[0] == 2
    assert choose(runs({"a": None, "b": None}), "N18") == (1, "")


@pytest.mark.parametrize("words", ["", "N18"])
def test_single_run_needs_no_reason(words: str) -> None:
    assert choose(runs({"a": refused()}), words) == (1, "")
