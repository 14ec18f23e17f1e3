"""Variants as tables: what is alike is said once, and nothing that differs is folded away."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from halfopen.atlas.table import variants_table
from halfopen.scenario.model import each


def table(outcome: Mapping[Any, str], *keys: str) -> list[str]:
    rows = [(dict(zip(keys, at, strict=True)), text) for at, text in outcome.items()]
    lines = variants_table(rows)
    assert all(len(line) <= 80 for line in lines), lines
    return lines


def test_setting_that_makes_no_difference_stands_above() -> None:
    outcomes = [
        (settings, "an RST" if settings["unread"] == "data" else "a FIN")
        for settings in each(crash=("kill", "exit", "segv"), unread=("data", "none"))
    ]
    assert variants_table(outcomes) == [
        "  crash: kill | exit | segv (all alike)",
        "  unread: data  none",
        "  an RST        a FIN",
    ]


def test_setting_that_was_not_varied_throughout_is_never_called_alike() -> None:
    cells = {("short", "reads"): "waits", ("default", "reads"): "waits"}
    cells |= {("default", "writes"): "ETIMEDOUT after 15 min"}
    text = "\n".join(table(cells, "durations", "peer"))
    assert "alike" not in text
    assert "short" in text


def test_table_with_the_fewest_lines_is_taken() -> None:
    cells = {(a, b): f"{a}/{b}" for a, b in product("abc", "xy")}
    assert table(cells, "server", "connect") == [
        "  connect  server: a  b    c",
        "  x        a/x        b/x  c/x",
        "  y        a/y        b/y  c/y",
    ]
    long = {at: f"{text} and so on, and on, and on" for at, text in cells.items()}
    assert table(long, "server", "connect") == [
        "  server  connect: x                     y",
        *(
            f"  {a}       {a}/x and so on, and on, and on  {a}/y and so on, and on, and on"
            for a in "abc"
        ),
    ]


def test_values_with_the_same_outcomes_share_a_row_wherever_they_stand() -> None:
    ends = {"near": "ok", "off": "ECONNRESET", "far": "ok", "down": "EPIPE", "other": "ok"}
    cells = {
        (cut, peer): f"{peer} waits for a long time" if peer == "read" else f"{peer} -> {end}"
        for cut, end in ends.items()
        for peer in ("read", "send", "sendall", "write", "sendto")
    }
    text = "\n".join(table(cells, "cut", "peer"))
    assert "near | far | other" in text
    assert text.count("read waits for a long time") <= 3


def test_product_that_was_never_run_is_not_made_up() -> None:
    cells = {("a", "x", "1"): "same thing", ("b", "y", "1"): "same thing"}
    cells |= {("a", "x", "2"): "other", ("b", "y", "2"): "third"}
    text = "\n".join(table(cells, "p", "q", "r"))
    assert "a | b" not in text
    assert "x | y" not in text


def test_cell_that_repeats_the_one_before_says_so() -> None:
    cells = {(a, b): f"{a}/{b}" for a, b in product("abcdef", "xy")} | {("c", "y"): "c/x"}
    lines = table(cells, "p", "q")
    assert lines[0].split() == ["p", "q:", "x", "y"]
    assert [line.split() for line in lines if "same" in line] == [["c", "c/x", "same"]]


def test_variants_of_other_settings_are_a_table_of_their_own() -> None:
    lines = variants_table([({"peer": "reads"}, "waits"), ({"cable": "out"}, "ETIMEDOUT")])
    assert lines == ["  peer: reads", "    waits", "", "  cable: out", "    ETIMEDOUT"]


def test_missing_variant_of_a_product_is_a_dash() -> None:
    cells = {("a", "x"): "1", ("a", "y"): "2", ("b", "x"): "3"}
    lines = table(cells, "server", "connect")
    assert lines[-1].split() in (["b", "3", "-"], ["y", "2", "-"])


def test_single_variant_is_its_settings_and_its_outcome() -> None:
    assert table({("a", "b"): "ok"}, "p", "q") == ["  p: a; q: b", "    ok"]


def test_words_that_are_wider_than_a_column_are_broken() -> None:
    cells = {(a, b): f"{a}{b}" + "x" * 60 for a, b in product("abcd", "ghij")}
    assert table(cells, "p", "q")


def test_every_outcome_of_every_variant_stands_in_its_table() -> None:
    cells = {
        (a, b, c): f"outcome-{a}{b if a != 'k' else ''}-{c}"
        for a, b, c in product("klmn", "xyz", ("in time", "too late", "never"))
    }
    text = "\n".join(table(cells, "p", "q", "r"))
    assert {word for word in text.split() if word.startswith("outcome-")} == {
        outcome.split()[0] for outcome in cells.values()
    }
