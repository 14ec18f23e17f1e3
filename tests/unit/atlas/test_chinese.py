"""The sheet and a row's page in Chinese: the same runs, and columns that line up."""

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from tests.unit.atlas.rows import MadeArms, note, variant

from halfopen.atlas.chinese import CHINESE, VERDICTS
from halfopen.atlas.row import row_page
from halfopen.atlas.runs import RowRun, run_row
from halfopen.atlas.sheet import kernel_cell, sheet
from halfopen.scenario.lines import BY_ID, LINES

SECOND = "server=nobody listens connect=non-blocking"


def row(arms: MadeArms | None = None) -> RowRun:
    return run_row(BY_ID["N18"], note(), arms or MadeArms(), seed=7)


def all_rows(arms: MadeArms) -> list[RowRun]:
    notes = {"N18": note()}
    return [run_row(line, notes.get(line.id), arms, seed=1) for line in LINES]


def page(shown: RowRun, number: int | None = None) -> str:
    lines = row_page(shown, variant=number, asked="N18", language=CHINESE)
    assert all(cell_len(line) <= 80 for line in lines)
    return "\n".join(lines)


def column(line: str, text: str) -> int:
    """In which column of a screen a text begins."""
    return cell_len(line[: line.index(text)])


def test_sheet_lines_up() -> None:
    lines = sheet(all_rows(MadeArms()), cpu_s=1.25, language=CHINESE)
    assert all(cell_len(line) <= 80 for line in lines)
    assert {column(line, "模拟  ") for line in lines if line.endswith("内核 6.18")} == {56}
    assert {column(line, "待答") for line in lines if re.match(r"N\d\d  .*待答$", line)} == {64}
    (told,) = [line for line in lines if line.startswith("     属实")]
    assert told == "     属实       4 次运行得到 ECONNREFUSED。"
    assert column(told, "4") == 16


def test_sheet_counts_and_says_how_to_go_on() -> None:
    text = "\n".join(sheet(all_rows(MadeArms()), cpu_s=1.25, language=CHINESE))
    assert "50 行：1 属实，0 不实，0 有条件，0 已答，49 待答" in text
    assert "4 个变体在模拟世界里运行，用了 1.2 s CPU" in text
    assert "2026-11-22 在 Linux 6.18 上记录" in text.replace("\n", " ")
    assert "接着看：halfopen ask N07 --lang zh\n" in text


@pytest.mark.parametrize(
    ("arms", "cell"),
    [
        (MadeArms(), "4 一致"),
        (MadeArms(differs=SECOND), "1/4 不同"),
        (MadeArms(witnessed=False), "待答"),
        (MadeArms(breaks=SECOND), "3 一致，1 待看"),
    ],
    ids=["agree", "differ", "no kernel", "one is missing"],
)
def test_kernel_column(arms: MadeArms, cell: str) -> None:
    assert kernel_cell(row(arms), CHINESE) == cell
    assert cell_len(cell) <= 16


def test_page_of_a_row() -> None:
    text = page(row())
    assert text.splitlines()[0].startswith("N18  connect 一个没有进程监听的端口 ")
    assert text.splitlines()[0].endswith("  属实")
    assert "\n4 次运行得到 ECONNREFUSED。\n" in text
    assert f"原文：{BY_ID['N18'].note_zh}" in text.replace("\n", " ")
    assert "\n模拟世界里有 4 个变体，全部也在 Linux 6.18 上运行过：全部一致。\n" in text
    assert "\n各变体的结果（after：从该调用算起）：\n" in text
    assert "\n变体 1（最常见的结果：ECONNREFUSED）：server=nobody listens" in text
    assert "net.ipv4.tcp_retries2 = 3，主机：client" in text
    assert "依据：RFC 9293 3.10.7.3; Linux tcp_reset" in text
    assert text.endswith("\n      halfopen ask N18 --variant 2 --lang zh")


def test_page_of_a_variant_shows_both_arms_and_the_calls() -> None:
    text = page(row(), 3)
    assert "\n变体 3：server=bound only connect=blocking\n" in text
    assert "\n同一个变体在 Linux 6.18 上（2026-11-22 记录）：\n" in text
    assert "\n调用：\n" in text


def counted(arms: MadeArms) -> str:
    return page(row(arms)).split("\n\n")[2].replace("\n", "")


def test_page_counts_what_a_kernel_did() -> None:
    assert counted(MadeArms(differs=SECOND)).endswith("也在 Linux 6.18 上运行过：1 个不同。")
    assert counted(MadeArms(witnessed=False)).endswith("还没有一个在内核上运行过。")
    assert counted(MadeArms(breaks=SECOND)).endswith("还有 1 个没有在内核上运行过。")
    alone = replace(
        note(),
        variants=(*note().variants[:3], variant({"server": "x", "connect": "y"}, kernel=False)),
    )
    text = page(run_row(BY_ID["N18"], alone, MadeArms(), seed=1)).replace("\n", "")
    assert "另有 1 个只在模拟世界里运行，在真实内核上耗时太久。" in text


def test_what_breaks_and_what_differs_is_said() -> None:
    rows = all_rows(MadeArms(breaks=SECOND))
    text = "\n".join(sheet(rows, cpu_s=0, language=CHINESE))
    assert "     失败       variant 2: SND.UNA passed SND.NXT" in text
    assert "重来：halfopen ask N18 --variant 2" in text
    assert "失败：SND.UNA passed SND.NXT" in page(row(MadeArms(breaks=SECOND)), 2)
    differing = page(row(MadeArms(differs=SECOND))).replace("\n", " ")
    assert f"不同，变体 2（{SECOND}" in " ".join(differing.split())


def test_nothing_recorded_and_run_just_now() -> None:
    assert "还没有记录" in CHINESE.recorded([], "")
    assert "2026-11-01 到 2026-11-02" in CHINESE.recorded(["2026-11-01", "2026-11-02"], "6.18")
    assert "刚刚" in CHINESE.live()
    assert "刚刚运行" in CHINESE.same_on("6.18", "")


def test_page_of_an_open_row_says_so() -> None:
    text = page(run_row(BY_ID["N01"], None, None, seed=1))
    assert text.splitlines()[0].startswith("N01  一直不读取：包会被丢弃吗？")
    assert text.splitlines()[0].endswith("  待答")
    assert BY_ID["N01"].note_zh in text
    assert text.endswith("还没有场景回答它。")


def test_every_verdict_has_a_name_that_fits_its_column() -> None:
    assert len(set(VERDICTS.values())) == len(VERDICTS)
    assert all(cell_len(name) < 10 for name in VERDICTS.values())
