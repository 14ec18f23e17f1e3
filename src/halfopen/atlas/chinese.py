"""The sheet and a row's page in Chinese, the language of the notes."""

from collections.abc import Mapping, Sequence
from typing import Final

from halfopen.atlas.language import Counted, Language
from halfopen.atlas.runs import PROFILE, RowRun
from halfopen.scenario.lines import ASKED_SINCE, Line
from halfopen.scenario.model import Note

_HOW: Final = "`halfopen compare all` 在这里运行"
VERDICTS: Final[Mapping[str, str]] = {
    "confirmed": "属实",
    "refuted": "不实",
    "qualified": "有条件",
    "answered": "已答",
    "failed": "失败",
    "open": "待答",
}


class Chinese:
    """The language of the notes. What a scenario that broke says of it stays in English."""

    code = "zh"
    option = " --lang zh"
    legend = (
        "模拟：已运行/全部变体；内核：其中 Linux 运行过的，有多少一致；"
        f"默认值都是 Linux {PROFILE} 的；一行的全部内容：halfopen ask N07 --lang zh"
    )
    world = "模拟"
    open = VERDICTS["open"]
    next = "接着看："
    example = "断电"
    unanswered = "还没有场景回答它。"
    calls = "调用："
    also = "另见："
    candidates = "可能相关的条目，最接近的在前："
    see = "参看："
    heading = "套接字笔记：由运行给出的答案"
    contents = "目录"
    names = "调用、选项和错误"
    runs = "运行"
    colon = "："
    semicolon = "；"
    stop = "。"

    def unknown(self, words: Sequence[str]) -> str:
        """Say which words no row knows."""
        return f"没有条目提到 {'、'.join(words)}。"

    def section(self, line: Line) -> str:
        """Name the section of a row."""
        return line.section_zh

    def title(self, line: Line, note: Note | None) -> str:
        """Ask a row's question."""
        return line.title_zh if note is None else note.question_zh

    def answer(self, row: RowRun) -> str:
        """Answer it, or say how it failed."""
        return row.failed or row.answer.zh

    def more(self, row: RowRun) -> str:
        """Say what there is beside the answer for who reads this one row, or ""."""
        return "" if row.failed else row.answer.more_zh

    def note(self, line: Line) -> str:
        """Say what the line of the notes says."""
        return line.note_zh

    def notes(self, line: Line) -> tuple[tuple[str, str], ...]:
        """Give what the line says in each language, behind what leads it; the reader's first."""
        lead = "提问" if line.section == ASKED_SINCE else "原文"
        return (lead, line.note_zh), ("英文", line.note)

    def verdict(self, name: str) -> str:
        """Name a verdict."""
        return VERDICTS[name]

    def kernel(self, release: str) -> str:
        """Head the kernel's column."""
        return f"内核 {release}".rstrip()

    def agreement(self, *, agreed: int, differ: int, missing: int) -> str:
        """Say how runs stand beside the kernel's: ``24 一致``."""
        if differ:
            return f"{differ}/{agreed + differ} 不同"
        if not agreed:
            return self.open
        return f"{agreed} 一致，{missing} 待看" if missing else f"{agreed} 一致"

    def rows(self, count: int, verdicts: Sequence[tuple[str, int]]) -> str:
        """Count rows by their verdicts."""
        return f"{count} 行：" + "，".join(f"{number} {name}" for name, number in verdicts)

    def since(self, verdicts: Sequence[tuple[str, int]]) -> str:
        """Count the rows that the notes don't have."""
        return "后来的问题：" + "，".join(f"{number} {name}" for name, number in verdicts)

    def links(self, usual: str, others: Sequence[str]) -> str:
        """Say how long a link takes, most of them and the others."""
        said = f"链路单程 {usual}"
        return f"{said}，有的变体 {' 到 '.join(others)}" if others else said

    def ran(self, variants: int, cpu_s: float, hours: str, kernel: str) -> str:
        """Say what the runs took, and where the kernel's column comes from."""
        return (
            f"{variants} 个变体在模拟世界里运行，用了 {cpu_s:.1f} s CPU，虚拟时间 {hours}；{kernel}"
        )

    def recorded(self, dates: Sequence[str], release: str) -> str:
        """Say on which days the kernel's column was recorded; on none: that nothing is."""
        if not dates:
            return f"内核一栏：还没有记录（{_HOW}）"
        span = dates[0] if len(dates) == 1 else f"{dates[0]} 到 {dates[-1]}"
        return f"内核一栏：{span} 在 Linux {release} 上记录（{_HOW}）"

    def live(self) -> str:
        """Say that the kernel's column was run just now."""
        return "内核一栏：刚刚在这里运行"

    def again(self, command: str) -> str:
        """Say how to run again what failed."""
        return f"重来：{command}"

    def counted(self, counted: Counted) -> str:
        """Say how many variants there are, and in how many a kernel did the same."""
        said = f"模拟世界里有 {counted.world} 个变体"
        if counted.seen:
            who = "全部" if counted.seen == counted.world else f"其中 {counted.seen} 个"
            same = f"{counted.differ} 个不同" if counted.differ else "全部一致"
            said += f"，{who}也在 Linux {counted.kernel} 上运行过：{same}。"
        else:
            said += "，还没有一个在内核上运行过。"
        if counted.missing:
            said += f"还有 {counted.missing} 个没有在内核上运行过。"
        if counted.alone:
            said += f"另有 {counted.alone} 个只在模拟世界里运行，在真实内核上耗时太久。"
        return said

    def table_head(self, *, after: bool, queue: str, same: str, not_run: str) -> str:
        """Head the table of variants, and explain the signs that stand in it."""
        signs = ["after：从该调用算起"] if after else []
        signs += [f"{queue}：队列中的个数/backlog"] if queue else []
        signs += [f"{same}：与前一列相同"] if same else []
        signs += [f"{not_run}：没有这个变体"] if not_run else []
        return "各变体的结果" + (f"（{'；'.join(signs)}）：" if signs else "：")

    def differs(self, number: int, name: str, how: str) -> str:
        """Say in what a variant differs from the kernel's."""
        return f"不同，变体 {number}（{name}）：{how}"

    def variant(self, number: int, most: str, name: str) -> str:
        """Name the run that is drawn; ``most``: the end that it shares with most, if it does."""
        because = f"（最常见的结果：{most}）" if most else ""
        return f"变体 {number}{because}：{name}"

    def failed(self, how: str) -> str:
        """Say how a run broke."""
        return f"{VERDICTS['failed']}：{how}"

    def sysctl(self, setting: str, hosts: Sequence[str]) -> str:
        """Name a setting that a run was made with."""
        return f"{setting}，主机：{', '.join(hosts)}"

    def same_on(self, release: str, date: str) -> str:
        """Head the kernel's run; without a date it is live."""
        return f"同一个变体在 Linux {release} 上（{f'{date} 记录' if date else '刚刚运行'}）："

    def more_calls(self, count: int) -> str:
        """Say how many calls are left out."""
        return f"…… 还有 {count} 个（--json 里有全部）"

    def why(self, places: Sequence[str]) -> tuple[str, str]:
        """Name the places to read on at, behind what leads them."""
        return "依据", "; ".join(places)

    def preface(self, form: str) -> str:
        """Say what a document is, and which option of ``ask`` wrote it."""
        return (
            "一位工程师的 TCP 套接字笔记，逐行列出它的说法和疑问，以及每一行在模拟世界和 Linux "
            "内核上运行的结果。所有数字都来自运行。由 "
            f"`halfopen ask {form}{self.option}` 写成。"
        )


CHINESE: Final[Language] = Chinese()
