"""``halfopen ask`` as people call it: what it prints, where, and its exit status."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.unit.atlas import rows
from tests.unit.atlas.rows import MadeArms
from typer.testing import CliRunner, Result

from halfopen.atlas.as_json import schema
from halfopen.cli import ask, workers
from halfopen.cli.main import app
from halfopen.scenario.model import Note
from halfopen.scenario.notes import catalogue


@pytest.fixture(autouse=True)
def made_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One note, N18, whose runs are made by hand."""
    only = rows.note()

    def load(id_: str) -> Note | None:
        return only if id_ == "N18" else None

    def all_notes() -> Mapping[str, Note]:
        return {"N18": only}

    monkeypatch.setattr(ask, "load", load)
    monkeypatch.setattr(ask, "all_notes", all_notes)


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> MadeArms:
    made = MadeArms()
    monkeypatch.setattr(ask, "_arms", lambda: made)
    return made


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the tests side by side has threads, which a fork would lose."""
    monkeypatch.setattr(workers, "ALONE_MAX", 1 << 30)


def halfopen(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.usefixtures("arms")
class TestAsk:
    def test_sheet_has_fifty_rows_and_a_summary(self) -> None:
        done = halfopen("ask")
        assert done.exit_code == 0
        assert "50 rows: 1 confirmed, 0 refuted, 0 qualified, 0 answered, 49 open" in done.stdout
        assert done.stderr == ""
        assert "\x1b" not in done.stdout

    def test_row_in_full(self) -> None:
        done = halfopen("ask", "n18")
        assert done.exit_code == 0
        assert done.stdout.startswith("N18  connect to a port where nobody listens")

    def test_several_rows_are_a_sheet_of_those(self) -> None:
        done = halfopen("ask", "N17-N18", "N01")
        assert "3 rows: 1 confirmed" in done.stdout

    @pytest.mark.parametrize("words", [["closed port"], ["closed", "port"], ["nobody", "listens"]])
    def test_row_by_words(self, words: list[str]) -> None:
        done = halfopen("ask", *words)
        assert done.exit_code == 0
        assert done.stdout.startswith("N18  ")

    def test_words_choose_the_variant_that_is_drawn(self) -> None:
        done = halfopen("ask", "closed port, connect refused, bound only")
        assert "Variant 3: server=bound only connect=blocking" in done.stdout

    def test_variant_is_drawn_with_both_arms(self) -> None:
        done = halfopen("ask", "N18", "--variant", "2")
        assert "Variant 2: server=nobody listens connect=non-blocking" in done.stdout
        assert "The same on Linux 6.18" in done.stdout

    def test_json_keeps_the_schema(self) -> None:
        done = halfopen("ask", "--json")
        assert done.exit_code == 0
        document = json.loads(done.stdout)
        Draft202012Validator(json.loads(schema())).validate(document)
        assert [row["id"] for row in document["notes"]] == list(catalogue())

    def test_answers_come_in_chinese_too(self) -> None:
        done = halfopen("ask", "N18", "--lang", "zh")
        assert done.exit_code == 0
        assert done.stdout.startswith("N18  connect 一个没有进程监听的端口 ")
        assert "halfopen ask N18 --variant 2 --lang zh" in done.stdout
        assert halfopen("ask", "N18", "--lang", "fr").exit_code == 2

    def test_words_in_chinese_are_answered_in_chinese(self) -> None:
        done = halfopen("ask", "没有进程监听的端口")
        assert done.stdout.startswith("N18  connect 一个没有进程监听的端口 ")
        done = halfopen("ask", "没有进程监听的端口", "--lang", "en")
        assert done.stdout.startswith("N18  connect to a port")

    def test_further_rows_come_in_chinese_too(self) -> None:
        done = halfopen("ask", "connect closed port", "--lang", "zh")
        assert "\n另见：\n  N" in done.stdout

    def test_where_several_rows_may_be_meant_they_are_named(self) -> None:
        done = halfopen("ask", "getsockname getaddrinfo xyzzy")
        assert done.exit_code == 0
        assert done.stdout.splitlines() == [
            "No row knows 'xyzzy'.",
            "These rows know something of it, the nearest first:",
            "  N38  getaddrinfo",
            "  N28  getsockname and getpeername",
            "",
            "See: halfopen ask N38",
        ]
        done = halfopen("ask", "getsockname getaddrinfo", "--lang", "zh")
        assert done.stdout.endswith("\n\n参看：halfopen ask N38 --lang zh\n")

    @pytest.mark.parametrize("option", [["--json"], ["--variant", "1"], ["--pcap", "out"]])
    def test_where_one_row_is_needed_several_are_misuse(self, option: list[str]) -> None:
        done = halfopen("ask", "getsockname getaddrinfo", *option)
        assert done.exit_code == 2
        assert done.stderr.splitlines() == [
            "halfopen: 'getsockname getaddrinfo' may mean several rows; name one by its id:",
            "  N38  getaddrinfo",
            "  N28  getsockname and getpeername",
        ]

    def test_words_that_no_row_knows_are_named_behind_the_answer(self) -> None:
        done = halfopen("ask", "closed port qzx")
        assert done.stdout.startswith("N18  ")
        assert "\nNo row knows 'qzx'.\n" in done.stdout
        done = halfopen("ask", "closed port qzx", "--lang", "zh")
        assert "\n没有条目提到 qzx。\n" in done.stdout

    def test_json_in_chinese_keeps_the_schema(self) -> None:
        done = halfopen("ask", "N18", "--json", "--lang", "zh")
        document = json.loads(done.stdout)
        Draft202012Validator(json.loads(schema())).validate(document)
        (row,) = document["notes"]
        assert row["verdict"] == "confirmed"
        assert row["answer"] == "4 次运行得到 ECONNREFUSED。"
        assert row["scenarios"][0]["question"] == "connect 一个没有进程监听的端口"

    def test_markdown_holds_the_whole_sheet(self) -> None:
        done = halfopen("ask", "--markdown")
        assert done.exit_code == 0
        assert done.stdout.startswith("# Notes on sockets")
        assert done.stdout.count("\n### N") == len(catalogue())

    def test_vimhelp_holds_the_rows_that_were_asked_for(self) -> None:
        done = halfopen("ask", "N17-N18", "--vimhelp", "--lang", "zh")
        assert done.exit_code == 0
        assert done.stdout.startswith("*halfopen.txt*\t")
        assert "\nN18  connect 一个没有进程监听的端口 ~\n" in done.stdout
        assert "*N19*" not in done.stdout

    @pytest.mark.parametrize("form", ["--json", "--markdown", "--vimhelp"])
    def test_captures_say_nothing_in_a_document(self, form: str, tmp_path: Path) -> None:
        done = halfopen("ask", "N18", form, "--pcap", str(tmp_path))
        assert "captures written" not in done.stdout

    def test_captures_are_written(self, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        done = halfopen("ask", "N18", "--pcap", str(folder))
        assert done.exit_code == 0
        assert sorted(path.name for path in folder.iterdir()) == [
            f"N18-0{n}.pcapng" for n in (1, 2, 3, 4)
        ]
        assert done.stdout.startswith(f"4 captures written to {folder}/")

    def test_captures_of_a_sheet_are_written_before_it(self, tmp_path: Path) -> None:
        done = halfopen("ask", "N17-N18", "--pcap", str(tmp_path))
        first, blank, head, *_ = done.stdout.splitlines()
        assert first.startswith("4 captures written to ")
        assert blank == ""
        assert head.startswith("world: variants run")
        assert done.stdout.count("world: variants run") == 1
        assert halfopen("ask", "N17-N18").stdout.count("world: variants run") == 1

    def test_one_capture_for_one_variant(self, tmp_path: Path) -> None:
        done = halfopen("ask", "N18", "--variant", "3", "--json", "--pcap", str(tmp_path))
        json.loads(done.stdout)
        assert [path.name for path in tmp_path.iterdir()] == ["N18-03.pcapng"]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["N77"], "halfopen: no row N77. Nearest: N07 ("),
            (["nodely"], "halfopen: no row knows 'nodely'. Nearest: N46 (TCP_NODELAY"),
            (["N18", "--variant", "9"], "halfopen: no variant 9 of N18; it has 1 to 4."),
            (["N18", "--variant", "0"], "halfopen: no variant 0 of N18; it has 1 to 4."),
            (["N01", "--variant", "1"], "halfopen: no variant 1 of N01; it has none yet"),
            (["--variant", "1"], "halfopen: --variant needs one row"),
            (["--json", "--vimhelp"], "halfopen: one form at a time: --json or --vimhelp"),
            (
                ["N18", "--variant", "1", "--markdown"],
                "halfopen: --markdown writes rows as a whole",
            ),
            (["SYN_SENT", "--lang", "zh"], "halfopen: a state is shown as text, in English"),
            (["N18", "--lang", "de"], "halfopen: no language 'de': the sheet is in English (en)"),
        ],
    )
    def test_misuse_is_told_in_few_lines_and_by_status_2(
        self, arguments: list[str], said: str
    ) -> None:
        done = halfopen("ask", *arguments)
        assert done.exit_code == 2
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") <= 3
        assert all(len(line) <= 80 for line in done.stderr.splitlines())
        assert done.stdout == ""

    @pytest.mark.parametrize(
        ("words", "lines"),
        [
            (
                ["N18", "--lang", "de"],
                [
                    "halfopen: no language 'de': the sheet is in English (en) and in Chinese (zh).",
                    "  Try: halfopen ask N18 --lang en",
                ],
            ),
            (
                ["N18", "--markdown", "out/x.md"],
                ["halfopen: --markdown takes no file; write it with: > out/x.md"],
            ),
            (
                ["--markdown", "x.md"],
                ["halfopen: --markdown takes no file; write it with: > x.md"],
            ),
            (
                ["--vimhelp", "halfopen.txt"],
                ["halfopen: --vimhelp takes no file; write it with: > halfopen.txt"],
            ),
            (
                ["all", "--json", "x.json"],
                ["halfopen: --json takes no file; write it with: > x.json"],
            ),
            (
                ["N18", "banana"],
                [
                    "halfopen: N18 is a row, but 'banana' is none: rows or words, one at a time.",
                    "  Try: halfopen ask N18",
                ],
            ),
            (
                ["n7 is", "it", "N20"],
                [
                    "halfopen: n7 and N20 are rows, but 'is it' is none: rows or words, one at a",
                    "  time.",
                    "  Try: halfopen ask n7 N20",
                ],
            ),
            (
                ["LISTEN", "qzx"],
                [
                    "halfopen: nothing that happens in LISTEN is called 'qzx'. What happens: RST,",
                    "  SYN, ACK, text, FIN, accept, shutdown, close, silence.",
                    "  Try: halfopen ask LISTEN",
                ],
            ),
        ],
    )
    def test_a_mistake_is_told_with_what_would_do(self, words: list[str], lines: list[str]) -> None:
        assert halfopen("ask", *words).stderr.splitlines() == lines

    def test_a_call_in_a_state_is_a_rows_matter(self) -> None:
        *_, what, row = halfopen("ask", "TIME_WAIT", "bind").stderr.splitlines()
        assert what == "  Try: halfopen ask TIME_WAIT"
        assert row.startswith("  Or the row: halfopen ask N")
        assert len(row) <= 80

    @pytest.mark.parametrize("words", ["xyzzy", "what if the", ""])
    def test_where_nothing_is_near_no_row_is_named(self, words: str) -> None:
        done = halfopen("ask", words)
        assert done.exit_code == 2
        assert done.stderr.splitlines() == [
            f"halfopen: no row knows '{words}', and none is near.",
            "  Every row: halfopen ask",
            '  By words:  halfopen ask "power cut in recv"',
        ]

    def test_folder_that_cannot_be_written_is_misuse(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        done = halfopen("ask", "N18", "--pcap", str(tmp_path / "file"))
        assert done.exit_code == 2
        assert "can't write captures" in done.stderr


def test_row_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = MadeArms(breaks="server=bound only connect=blocking")
    monkeypatch.setattr(ask, "_arms", lambda: broken)
    done = halfopen("ask")
    assert done.exit_code == 1
    assert "again: halfopen ask N18 --variant 3" in done.stdout
    assert "50 rows:" in done.stdout


def test_difference_between_the_arms_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    differing = MadeArms(differs="server=bound only connect=blocking")
    monkeypatch.setattr(ask, "_arms", lambda: differing)
    assert halfopen("ask", "N18").exit_code == 1


def test_interrupt_leaves_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> MadeArms:
        raise KeyboardInterrupt

    monkeypatch.setattr(ask, "_arms", interrupted)
    done = halfopen("ask")
    assert done.stdout.startswith("world: variants run"), "the head comes before the runs"
    assert "N01" not in done.stdout
    assert done.exit_code == 130
    assert "Traceback" not in done.output
