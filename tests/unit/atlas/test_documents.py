"""The whole sheet as a document: Markdown, and a help file that vim itself opens."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from rich.cells import cell_len
from tests.unit.atlas.rows import MadeArms, answer_and_more, note

from halfopen.atlas.chinese import CHINESE
from halfopen.atlas.english import ENGLISH
from halfopen.atlas.language import Language
from halfopen.atlas.markdown import markdown
from halfopen.atlas.runs import RowRun, run_row
from halfopen.atlas.vimhelp import vimhelp
from halfopen.scenario.lines import BY_ID, LINES

LANGUAGES = pytest.mark.parametrize(
    "language", [ENGLISH, CHINESE], ids=lambda language: language.code
)
#: The calls that the notes speak of, and the row that each is the matter of.
CALLS = {
    "connect": "N15",
    "bind": "N20",
    "getsockname": "N28",
    "getpeername": "N28",
    "listen": "N29",
    "accept": "N31",
    "gethostbyname": "N34",
    "gethostbyaddr": "N34",
    "gethostname": "N37",
    "getaddrinfo": "N38",
    "freeaddrinfo": "N38",
    "getservbyname": "N39",
    "getservbyport": "N39",
    "getprotobynumber": "N40",
    "read()": "N04",
    "write()": "N02",
    "close()": "N03",
    "shutdown": "N04",
    "SO_KEEPALIVE": "N41",
    "SO_SNDTIMEO": "N44",
    "TCP_NODELAY": "N46",
    "ECONNREFUSED": "N18",
    "SIGPIPE": "N33",
}
TAG = re.compile(r"(?:^|(?<=[ \t]))\*([^*\s|]+)\*(?=\s|$)")


@cache
def all_rows() -> list[RowRun]:
    notes = {"N18": note()}
    return [run_row(line, notes.get(line.id), MadeArms(), seed=1) for line in LINES]


def row_of(lines: list[str], tag: str) -> str:
    """The row that stands behind a tag."""
    place = next(number for number, line in enumerate(lines) if f"*{tag}*" in line)
    return next(line[:3] for line in lines[place:] if line.endswith(" ~"))


@LANGUAGES
def test_markdown_has_every_row_under_its_section(language: Language) -> None:
    lines = "\n".join(markdown(all_rows(), language)).splitlines()
    assert [line[4:7] for line in lines if line.startswith("### ")] == [x.id for x in LINES]
    sections = [line[3:] for line in lines if line.startswith("## ")]
    assert sections == list(dict.fromkeys(language.section(line) for line in LINES))
    assert lines[0] == f"# {language.heading}"


def test_markdown_of_a_row() -> None:
    text = "\n".join(markdown([all_rows()[17]], ENGLISH))
    assert text.endswith(
        f"""## Calls

### N18 connect to a port where nobody listens

**confirmed** · world 4/4 · kernel 6.18: 4 agree

ECONNREFUSED in 4 runs.

> The note: {BY_ID["N18"].note}
>
> In Chinese: {BY_ID["N18"].note_zh}

Why: RFC 9293 3.10.7.3; Linux `tcp_reset`"""
    )
    assert "\n1 row: 1 confirmed, 0 refuted, 0 qualified, 0 answered, 0 open.\n" in text
    assert "\nKernel column: recorded 2026-11-22 on Linux 6.18" in text


@LANGUAGES
def test_documents_say_what_there_is_beside_an_answer(language: Language) -> None:
    told = run_row(BY_ID["N18"], note(answer_and_more), MadeArms(), seed=1)
    more = language.more(told)
    assert more in {"A port counts.", "端口算数。"}
    lines = markdown([told], language)
    assert lines[lines.index(more) - 2] == language.answer(told)
    lines = vimhelp([told], language)
    assert lines[lines.index(" " * 12 + more) - 2].endswith(language.answer(told))


def test_markdown_in_chinese_has_the_original_first() -> None:
    text = "\n".join(markdown([all_rows()[17]], CHINESE))
    assert (
        "\n### N18 connect 一个没有进程监听的端口\n\n**属实** · 模拟 4/4 · 内核 6.18：4 一致\n"
        in text
    )
    assert f"> 原文：{BY_ID['N18'].note_zh}\n>\n> 英文：{BY_ID['N18'].note}\n" in text


def test_signs_of_markdown_are_not_read_into_a_text() -> None:
    text = "\n".join(markdown([all_rows()[number] for number in (19, 33, 37)], ENGLISH))
    assert r"\*port\* \*IP\*" in text
    assert r"ip\<-\>name" in text
    assert "`AI_*` flags, `EAI_*` errors" in text


def test_rows_stand_in_order_whatever_was_asked_first() -> None:
    mixed = [all_rows()[number] for number in (40, 0, 41, 1)]
    for lines in (markdown(mixed, ENGLISH), vimhelp(mixed, ENGLISH)):
        text = "\n".join(lines)
        places = [
            re.search(rf"^(?:### )?{id_} ", text, re.MULTILINE) for id_ in ("N01", "N02", "N41")
        ]
        assert [place.start() for place in places if place] == sorted(
            place.start() for place in places if place
        )
        assert text.count("Receive buffer\n") + text.count("Receive buffer  ") <= 2


@LANGUAGES
class TestVimhelp:
    def test_it_fits_the_window_and_says_what_it_is(self, language: Language) -> None:
        lines = vimhelp(all_rows(), language)
        assert max(map(cell_len, lines)) <= 78
        assert lines[0].startswith("*halfopen.txt*\t")
        assert lines[0].isascii()
        assert lines[-1] == " vim:tw=78:ts=8:ft=help:norl:"

    def test_each_tag_is_there_once_and_where_it_belongs(self, language: Language) -> None:
        lines = vimhelp(all_rows(), language)
        tags = TAG.findall("\n".join(lines))
        assert len(tags) == len(set(tags))
        assert {line.id for line in LINES} <= set(tags)
        assert {call: row_of(lines, call) for call in CALLS} == CALLS
        assert row_of(lines, "setsockopt") == "N41"
        assert not {"port", "IP"} & set(tags), "the notes' own stars are no tags"

    def test_each_link_leads_to_a_tag(self, language: Language) -> None:
        lines = vimhelp(all_rows(), language)
        tags = set(TAG.findall("\n".join(lines)))
        linked = set(re.findall(r"\|([^\s|]+)\|", "\n".join(lines)))
        assert linked - tags == {"gettservbport"}, "a slip of the notes"

    def test_row_has_the_notes_in_both_languages(self, language: Language) -> None:
        text = " ".join("\n".join(vimhelp([all_rows()[17]], language)).split())
        for said in (BY_ID["N18"].note, BY_ID["N18"].note_zh):
            assert said.replace(" ", "") in text.replace(" ", "")


def vim(script: Path, folder: Path) -> list[str]:
    """Run commands in vim, with a folder of plugins; give back what they wrote."""
    wrote = folder / "wrote"
    script.write_text(
        "set nocompatible encoding=utf-8\n"
        f"let &runtimepath = '{folder},' . $VIMRUNTIME\n"
        "let g:wrote = []\n" + script.read_text() + f"call writefile(g:wrote, '{wrote}')\nqall!\n"
    )
    command = ["vim", "-N", "-u", "NONE", "-i", "NONE", "-n", "-es", "-S", str(script)]
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=15
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return wrote.read_text().splitlines()


@cache
def why_no_vim() -> str:
    """Say why vim can't open the file here; "" where it can."""
    if shutil.which("vim") is None:
        return "vim is not installed; as root: tools/system vim"
    known = subprocess.run(["vim", "--version"], check=False, capture_output=True, text=True)
    return "" if "+eval" in known.stdout else "this vim has no scripts: tools/system vim"


@LANGUAGES
def test_vim_opens_each_tag(language: Language, tmp_path: Path) -> None:
    if why_no_vim():
        pytest.skip(why_no_vim())
    suffix, at = ("txt", "") if language is ENGLISH else ("cnx", "@cn")
    folder = tmp_path / "vim"
    (folder / "doc").mkdir(parents=True)
    lines = vimhelp(all_rows(), language)
    (folder / "doc" / f"halfopen.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tags = TAG.findall("\n".join(lines))
    script = tmp_path / "script.vim"
    script.write_text(
        f"helptags {folder}/doc\n"
        + "".join(
            f"help {tag}{at}\n"
            "call add(g:wrote, expand('%:t') . ' ' . &filetype . ' ' . getline('.'))\n"
            for tag in tags
        )
        + "call add(g:wrote, v:errmsg)\n"
        "call add(g:wrote, search('TCP 不断接收包') ? 'Chinese is read' : 'it is not')\n"
    )
    *opened, errors, chinese = vim(script, folder)
    assert errors == ""
    assert chinese == "Chinese is read"
    for tag, shown in zip(tags, opened, strict=True):
        name, filetype, line = shown.split(" ", 2)
        assert (name, filetype) == (f"halfopen.{suffix}", "help")
        assert f"*{tag}*" in line
