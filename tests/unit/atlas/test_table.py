"""Variants as tables: what is alike is said once, and nothing that differs is folded away."""

from collections.abc import Mapping
from typing import Any

from halfopen.atlas.table import variants_table
from halfopen.scenario.model import each


def table(outcome: Mapping[Any, str], *keys: str) -> list[str]:
    rows = [(dict(zip(keys, at, strict=True)), text) for at, text in outcome.items()]
    lines = variants_table(rows)
    assert all(len(line) <= 80 for line in lines)
    return lines


def test_setting_that_makes_no_difference_is_one_line() -> None:
    outcomes = [
        (settings, "RST" if settings["unread"] == "data" else "FIN")
        for settings in each(crash=("kill", "exit", "segv"), unread=("data", "none"))
    ]
    assert variants_table(outcomes) == [
        "  unread",
        "  data    RST",
        "  none    FIN",
        "  crash: kill, exit, segv: all alike",
    ]


def test_fewest_values_stand_across() -> None:
    cells = {
        (server, connect): f"{server}/{connect}"
        for server in ("a", "b", "c")
        for connect in ("x", "y")
    }
    lines = table(cells, "server", "connect")
    assert lines[0].split() == ["server", "x", "y"]
    assert [line.split() for line in lines[1:]] == [
        ["a", "a/x", "a/y"],
        ["b", "b/x", "b/y"],
        ["c", "c/x", "c/y"],
    ]


def test_neighbours_alike_share_a_row() -> None:
    cells = {("a", "x"): "1", ("a", "y"): "2", ("b", "x"): "1", ("b", "y"): "2"}
    cells |= {("c", "x"): "3", ("c", "y"): "4"}
    lines = table(cells, "server", "connect")
    assert [line.split() for line in lines] == [
        ["server", "x", "y"],
        ["a", "|", "b", "1", "2"],
        ["c", "3", "4"],
    ]


def test_rows_are_not_folded_into_a_product_that_was_never_run() -> None:
    cells = {("a", "x", "1"): "same", ("b", "y", "1"): "same"}
    cells |= {("a", "x", "2"): "other", ("b", "y", "2"): "third"}
    text = "\n".join(table(cells, "p", "q", "r"))
    assert "a | b" not in text


def test_variants_of_other_settings_are_a_table_of_their_own() -> None:
    lines = variants_table([({"peer": "reads"}, "waits"), ({"cable": "out"}, "ETIMEDOUT")])
    assert "" in lines
    assert "  reads  waits" in lines
    assert "  out    ETIMEDOUT" in lines


def test_missing_variant_of_a_product_is_a_dash() -> None:
    cells = {("a", "x"): "1", ("a", "y"): "2", ("b", "x"): "3"}
    assert table(cells, "server", "connect")[-1].split() == ["b", "3", "-"]


def test_single_variant_is_a_single_row() -> None:
    assert table({("a", "b"): "ok"}, "p", "q") == ["  b  ok", "  p: a"]
