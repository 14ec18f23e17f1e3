"""Text in columns, where some characters are two wide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from halfopen.atlas.folding import _units, fold, pad


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("内核以 RST 回应", 8, ["内核以", "RST 回应"]),
        ("内核以 RST 回应", 10, ["内核以 RST", "回应"]),
        ("立即返回。然后", 9, ["立即返", "回。然后"]),
        ("得到（两次）", 6, ["得到", "（两", "次）"]),
        ("调用close后", 6, ["调用", "close", "后"]),
        ('返回 b""，然后', 9, ["返回", 'b""，然后']),
        ("无", 1, ["无"]),
    ],
    ids=[
        "at a blank",
        "a word goes with its blank",
        "not before what closes",
        "not behind what opens",
        "between wide and narrow",
        "narrow and closing",
        "what fits nowhere stays whole",
    ],
)
def test_lines_break_where_they_may(text: str, width: int, lines: list[str]) -> None:
    assert fold(text, width) == lines


def test_indents_are_of_the_width() -> None:
    assert fold("内核回应", 8, first="是  ", then="  ") == ["是  内核", "  回应"]
    assert fold("ab cd ef", 8, first="是  ", then="  ") == ["是  ab", "  cd ef"]


@given(st.text("内核，。（） ab", min_size=1), st.integers(8, 40))
def test_nothing_is_lost_and_no_line_is_too_wide(text: str, width: int) -> None:
    lines = fold(f"回{text}", width)
    assert "".join("".join(lines).split()) == "".join(f"回{text}".split())
    longest = max(cell_len(unit.rstrip()) for unit in _units(f"回{text}"))
    assert all(cell_len(line) <= max(width, longest) for line in lines)


def test_padding_counts_columns() -> None:
    assert pad("内核", 6) == "内核  "
    assert pad("ab", 1) == "ab"
