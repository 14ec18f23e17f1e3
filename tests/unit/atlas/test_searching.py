"""Rows by words: what people ask leads to the row that answers it, and what is doubtful says so."""

from functools import cache

import pytest
from tests.unit.atlas.questions import AMONG, FIRST, HELD_OUT, HELD_OUT_ZH, UNKNOWN

from halfopen.atlas.searching import Found, Index
from halfopen.scenario.notes import all_notes


@cache
def index() -> Index:
    return Index(all_notes())


def asked(words: str) -> Found:
    return index().search(words)


def ids(words: str) -> list[str]:
    return [line.id for line in asked(words).rows]


@pytest.mark.parametrize(("words", "first"), FIRST)
def test_the_row_that_answers_comes_first(words: str, first: str) -> None:
    assert ids(words)[0] == first


@pytest.mark.parametrize(("words", "rows"), AMONG)
def test_the_rows_that_answer_are_among_the_first_three(words: str, rows: tuple[str, ...]) -> None:
    for any_of in rows:
        assert set(any_of.split()) & set(ids(words)[:3]), any_of


def test_most_of_what_the_search_was_not_tuned_to_is_found_too() -> None:
    found = [(ids(words), rows.split()) for words, rows in HELD_OUT]
    assert sum(first in rows for (first, *_), rows in found) >= 10
    assert sum(not set(rows).isdisjoint(three[:3]) for three, rows in found) >= 11


def test_in_chinese_too() -> None:
    found = [(ids(words), rows.split()) for words, rows in HELD_OUT_ZH]
    assert sum(first in rows for (first, *_), rows in found) >= 10
    assert sum(not set(rows).isdisjoint(three[:3]) for three, rows in found) >= 12


def test_a_word_weighs_the_same_in_both_languages() -> None:
    assert ids("服务器重启 写") == ids("server reboots, write")


@pytest.mark.parametrize("words", [*UNKNOWN, "xyzzy", "what if the", ""])
def test_what_no_row_knows_finds_nothing(words: str) -> None:
    assert not asked(words).rows
    assert not asked(words).sure


@pytest.mark.parametrize(
    "words", ["connection refused", "SIGPIPE", "cable pulled", "连接被拒绝", "拔网线"]
)
def test_a_row_that_knows_it_best_by_far_is_meant_for_sure(words: str) -> None:
    assert asked(words).sure
    assert asked(words).unknown == ()


@pytest.mark.parametrize(
    "words",
    ["kill -9", "how do I detect a dead peer", "half open connection", "SO_LINGER", "time out"],
)
def test_where_several_rows_know_it_alike_none_is_sure(words: str) -> None:
    assert not asked(words).sure
    assert len(ids(words)) > 1


def test_where_most_words_are_unknown_no_row_is_sure() -> None:
    found = asked("docker bind mount")
    assert found.rows
    assert not found.sure
    assert found.unknown == ("docker", "mount")


@pytest.mark.parametrize(
    "words",
    [
        "I want to see whether a cable pulled gives me anything",
        "tell me: has nobody been going to see the cable pulled yet",
        "let us say the cable was pulled, and he keeps trying all day",
        "the cable pulled wasn't mine, and I couldn't",
        "would you please show me how the cable pulled looks like",
    ],
)
def test_ordinary_words_are_not_missed(words: str) -> None:
    assert asked(words).unknown == ()
    assert ids(words)[0] == "N10"


def test_a_short_word_that_means_something_is_missed() -> None:
    assert asked("the cable pulled from a nas, vpn or ssh").unknown == ("nas,", "vpn", "ssh")


def test_an_error_s_text_is_the_error() -> None:
    assert ids("address already in use") == ids("EADDRINUSE") == ids("地址已被使用")
    assert ids("why do I get: Connection refused?") == ids("connection refused")


def test_words_are_found_in_every_form() -> None:
    assert ids("refusing connections")[0] == ids("connection refused")[0]
    assert ids("half open") == ids("half-open")
    assert ids("keepal")[0] == "N41", "a beginning"
