"""The fifty lines: each once, in English and in Chinese. What was asked since comes after them."""

import re

import pytest

from halfopen.base.errors import MisuseError
from halfopen.scenario.lines import ASKED_SINCE, LINES, Line
from halfopen.scenario.notes import all_notes, catalogue, load

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_the_notes_have_fifty_lines() -> None:
    assert [line.id for line in LINES] == [f"N{number:02d}" for number in range(1, 51)]


@pytest.mark.parametrize("line", catalogue().values(), ids=lambda line: line.id)
def test_a_line_is_whole_in_both_languages(line: Line) -> None:
    assert line.section
    assert line.title
    assert line.note
    assert CHINESE.search(line.section_zh)
    assert line.title_zh
    assert line.note_zh
    assert not CHINESE.search(line.section + line.title + line.note)


def test_sections_have_one_name_in_each_language() -> None:
    pairs = dict.fromkeys((line.section, line.section_zh) for line in LINES)
    assert len(pairs) == len({en for en, _ in pairs}) == len({zh for _, zh in pairs}) == 5


def test_a_call_has_the_same_name_in_both_titles() -> None:
    for line in LINES:
        for name in re.findall(r"\b(?:SO|TCP|INADDR)_[A-Z_]+|\bget\w+|\blisten\b", line.title):
            assert name in line.title_zh, line.id


def test_a_file_makes_a_row_that_the_notes_do_not_have() -> None:
    ids = list(catalogue())
    assert ids[:50] == [line.id for line in LINES]
    assert "N51" in ids[50:]
    assert {catalogue()[id_].section for id_ in ids[50:]} == {ASKED_SINCE}
    assert set(ids[50:]) <= set(all_notes()), "such a row is never open"


def test_no_file_makes_no_row() -> None:
    with pytest.raises(MisuseError, match="no row N77; there are N01 to N51"):
        load("N77")
