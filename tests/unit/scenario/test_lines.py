"""The fifty lines: each once, in English and in Chinese."""

import re

import pytest

from halfopen.scenario.lines import LINES, Line

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_the_notes_have_fifty_lines() -> None:
    assert [line.id for line in LINES] == [f"N{number:02d}" for number in range(1, 51)]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.id)
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
