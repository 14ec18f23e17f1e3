"""Rows by id and by words."""

import pytest

from halfopen.atlas.words import (
    is_state,
    near_rows,
    near_states,
    nearest,
    parse_rows,
    state_first,
    variants_with,
)
from halfopen.scenario.notes import all_notes, catalogue


@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        (["N07"], ["N07"]),
        (["n7"], ["N07"]),
        (["7"], ["N07"]),
        (["7-9"], ["N07", "N08", "N09"]),
        (["N09-N07"], ["N07", "N08", "N09"]),
        (["N07", "N10"], ["N07", "N10"]),
        (["N07-N09"], ["N07", "N08", "N09"]),
        (["N07-9", "N08"], ["N07", "N08", "N09"]),
        (["N77"], ["N77"]),
        (["power", "cut"], None),
    ],
)
def test_rows_by_id(texts: list[str], ids: list[str] | None) -> None:
    assert parse_rows(texts) == ids


def test_all_is_every_row() -> None:
    assert parse_rows(["all"]) == list(catalogue())


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("RST in SYN_SENT", "SYN_SENT RST"),
        ("a RST in SYN-SENT", "SYN-SENT RST"),
        ("RST SYN_SENT", "SYN_SENT RST"),
        ("SYN_SENT RST", "SYN_SENT RST"),
        ("what is TIME_WAIT", "TIME_WAIT"),
        ("poll in CLOSE_WAIT", "poll in CLOSE_WAIT"),
        ("RST in recv", "RST in recv"),
        ("FIN_WAIT_1 or FIN_WAIT_2", "FIN_WAIT_1 or FIN_WAIT_2"),
    ],
)
def test_a_state_comes_before_the_segments_that_it_gets(text: str, first: str) -> None:
    assert state_first(text) == first


def test_nearest_rows_are_named() -> None:
    said = nearest("N77")
    assert said.startswith("N07 (a process crashes")
    assert "N17 (connect: no answer)" in said
    assert "N43" not in said
    assert nearest("nodely").startswith("N46 (TCP_NODELAY")
    assert near_rows("nodely") == ["N46"]


def test_rows_that_share_no_word_are_not_near() -> None:
    assert near_rows("xyzzy") == []
    assert near_rows("what if the") == []
    assert near_rows("too many open files") == [], "an error that no row is about"


def test_variants_are_picked_by_words() -> None:
    names = ["cut=host off peer=writes", "cut=near cable peer=reads", "cut=far cable peer=reads"]
    assert variants_with("cable in read", names) == [2, 3]
    assert variants_with("far cable in read", names) == [3]
    assert variants_with("N10", names) == []


def test_states_by_either_spelling() -> None:
    assert is_state("SYN_SENT RST")
    assert is_state("syn-sent")
    assert is_state("LISTEN")
    assert not is_state("listen twice")
    assert not is_state("closed port")
    assert not is_state("N07")
    assert not is_state("")


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("SYN_SNT RST", ["SYN_SENT"]),
        ("syn-snt", ["SYN_SENT"]),
        ("ESTBLISHED", ["ESTABLISHED"]),
        ("ESTAB", ["ESTABLISHED"]),
        ("SYN_RECV", ["SYN_RECEIVED"]),
        ("FIN_WAIT", ["FIN_WAIT_1", "FIN_WAIT_2"]),
        ("TIMEWAIT FIN", ["TIME_WAIT"]),
        ("power cut in recv", []),
        ("listens", []),
        ("CLOSE RST", []),
        ("SO_KEEPALIVE", []),
        ("tcp_retries2", []),
        ("half-open", []),
        ("ECONNREFUSED", []),
        ("RST", []),
        ("", []),
    ],
)
def test_misspelt_states_are_named_and_words_are_words(text: str, states: list[str]) -> None:
    assert near_states(text, all_notes()) == states
