"""The sheet and a row's page, as text."""

import shlex
import struct
from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit.atlas.rows import MadeArms, answer_and_more, note, variant
from tests.unit.atlas.traces import Made

from halfopen.atlas.chinese import CHINESE
from halfopen.atlas.english import ENGLISH
from halfopen.atlas.row import row_page
from halfopen.atlas.runs import RowRun, run_row, short_release
from halfopen.atlas.sheet import kernel_cell, sheet
from halfopen.base.units import MS, S
from halfopen.record.events import Json
from halfopen.record.trace import Trace
from halfopen.scenario.lines import BY_ID, LINES, asked_since
from halfopen.scenario.model import Answer, Link, Variant

SECOND = "server=nobody listens connect=non-blocking"


def row(arms: MadeArms | None = None) -> RowRun:
    return run_row(BY_ID["N18"], note(), arms or MadeArms(), seed=7)


def page(shown: RowRun, variant: int | None = None) -> str:
    lines = row_page(shown, variant=variant, asked="N18")
    assert all(len(line) <= 80 for line in lines)
    return "\n".join(lines)


def all_rows(arms: MadeArms) -> list[RowRun]:
    notes = {"N18": note()}
    return [run_row(line, notes.get(line.id), arms, seed=1) for line in LINES]


def test_sheet_shows_every_row_once_and_counts_them() -> None:
    lines = sheet(all_rows(MadeArms()), cpu_s=1.25)
    assert all(len(line) <= 80 for line in lines)
    assert [line[:3] for line in lines if line[:1] == "N" and line[1:3].isdigit()] == [
        f"N{n:02d}" for n in range(1, 51)
    ]
    text = "\n".join(lines)
    assert "50 rows: 1 confirmed, 0 refuted, 0 qualified, 0 answered, 49 open" in text
    assert "4 variants run in the world in 1.2 s of CPU, 0.00 h of virtual time" in text
    assert "recorded 2026-11-22 on Linux 6.18" in " ".join(text.split())
    headings = [line.split("  ")[0] for line in lines if "world   kernel 6.18" in line]
    assert headings == ["Receive buffer", "How a connection ends", "Calls", "Names", "Options"]


def later() -> RowRun:
    line = asked_since(id_="N51", title="And now?", note="?", title_zh="然后呢？", note_zh="？")
    return run_row(line, None, None, seed=1)


def test_what_the_notes_do_not_ask_is_counted_for_itself() -> None:
    text = "\n".join(sheet([*all_rows(MadeArms()), later()], cpu_s=0))
    assert "\nAsked since  " in text
    assert (
        "50 rows: 1 confirmed, 0 refuted, 0 qualified, 0 answered, 49 open; asked since: 1 open"
        in (" ".join(text.split()))
    )
    assert "\nasked since: 1 open\n" in "\n".join(sheet([later()], cpu_s=0))


def test_a_question_that_the_notes_do_not_ask_has_no_note() -> None:
    asked = replace(later().line, title="And now?", note="And on a stream?")
    shown = run_row(asked, note(), MadeArms(), seed=1)
    assert "note" not in page(shown)
    assert "And on a stream?" not in page(shown)
    assert ENGLISH.notes(asked) == (("Asked", "And on a stream?"), ("In Chinese", "？"))
    assert CHINESE.notes(asked) == (("提问", "？"), ("英文", "And on a stream?"))


def test_answered_row_says_verdict_and_how_well_it_is_known() -> None:
    lines = sheet([row()], cpu_s=0)
    assert lines[5:7] == [
        "N18  connect to a port where nobody listens             4/4     4 agree",
        "     confirmed  ECONNREFUSED in 4 runs.",
    ]


def test_what_is_said_beside_an_answer_stands_on_the_page_of_its_row_alone() -> None:
    told = run_row(BY_ID["N18"], note(answer_and_more), MadeArms(), seed=7)
    assert "A port counts." not in "\n".join(sheet([told], cpu_s=0))
    assert "\nECONNREFUSED in 4 runs.\n\nA port counts.\n\nThe note: " in page(told)
    broken = run_row(BY_ID["N18"], note(answer_and_more), MadeArms(breaks=SECOND), seed=7)
    assert "A port counts." not in page(broken)


def test_sheet_explains_its_columns_before_them() -> None:
    lines = sheet([row()], cpu_s=0)
    assert lines[:5] == [
        "world: variants run/in all; kernel: how many of those that Linux has run agree;",
        "defaults are Linux 6.18's; a row in full, with its runs: halfopen ask N07; a",
        "link takes 10 ms one way",
        "",
        f"{BY_ID['N18'].section:<56}world   kernel 6.18",
    ]


@pytest.mark.parametrize(
    ("delays_ms", "said", "in_chinese"),
    [
        ((), "ask N07", "N07 --lang zh"),
        ((50,), "a link takes 50 ms one way", "链路单程 50 ms"),
        (
            (10, 10, 50),
            "a link takes 10 ms one way, in some variants 50 ms",
            "链路单程 10 ms，有的变体 50 ms",
        ),
        (
            (10, 10, 200, 50, 20),
            "a link takes 10 ms one way, in some variants 20 ms to 200 ms",
            "链路单程 10 ms，有的变体 20 ms 到 200 ms",
        ),
    ],
)
def test_sheet_says_what_the_links_of_its_variants_take(
    delays_ms: tuple[int, ...], said: str, in_chinese: str
) -> None:
    links = tuple(Link(a="client", b="server", delay_ns=each * MS) for each in delays_ms)
    plain = row()
    runs = tuple(replace(run, variant=replace(run.variant, links=links)) for run in plain.runs)
    told = replace(plain, runs=runs)
    for language, expected in ((ENGLISH, said), (CHINESE, in_chinese)):
        lines = sheet([told], cpu_s=0, language=language)
        assert " ".join(lines[: lines.index("")]).endswith(expected)


def test_sheet_ends_with_lines_that_a_shell_runs() -> None:
    lines = sheet([row()], cpu_s=0)
    first = next(number for number, line in enumerate(lines) if line.startswith("Next: "))
    commands = [line.removeprefix("Next: ").strip() for line in lines[first:]]
    assert [shlex.split(command)[:2] for command in commands] == [
        ["halfopen", "ask"],
        ["halfopen", "ask"],
        ["halfopen", "explore"],
    ]
    assert not any(set(command) & set("|;&<>") for command in commands)


def test_row_that_breaks_says_how_to_run_it_again_and_the_others_go_on() -> None:
    rows = all_rows(MadeArms(breaks=SECOND))
    (broken,) = [row for row in rows if row.failed]
    assert broken.failed == "variant 2: SND.UNA passed SND.NXT"
    assert [run.world is None for run in broken.runs] == [False, True, False, False]
    text = "\n".join(sheet(rows, cpu_s=0))
    assert "     failed     variant 2: SND.UNA passed SND.NXT" in text
    assert "again: halfopen ask N18 --variant 2" in text
    assert "1 failed, 49 open" in text


def test_answer_that_the_runs_do_not_bear_out_is_a_failure() -> None:
    def judge(runs: Mapping[str, Trace]) -> Answer:
        assert not runs, "one SYN and one RST"
        raise AssertionError

    broken = run_row(BY_ID["N18"], note(judge), MadeArms(), seed=1)
    assert broken.failed == "the runs do not bear out the answer: one SYN and one RST"


def test_error_of_a_scenario_is_named_by_its_type() -> None:
    broken = row(MadeArms(breaks=SECOND, error=KeyError("peer")))
    assert broken.failed == "variant 2: KeyError: 'peer'"


def test_kernel_column() -> None:
    assert kernel_cell(row()) == "4 agree"
    assert kernel_cell(row(MadeArms(differs=SECOND))) == "1 of 4 differ"
    assert kernel_cell(row(MadeArms(witnessed=False))) == "open"
    assert kernel_cell(row(MadeArms(breaks=SECOND))) == "3 agree, 1 open"


def test_seed_reaches_every_run() -> None:
    arms = MadeArms()
    row(arms)
    assert arms.seeds == [7, 7, 7, 7]


def test_page_of_a_row() -> None:
    text = page(row())
    assert text.startswith("N18  connect to a port where nobody listens")
    assert text.splitlines()[0].endswith("  confirmed")
    assert "\n4 variants in the world, each also on Linux 6.18: all agree.\n" in text
    assert "\nWhat came of it (after: since that call):\n" in text
    assert "\nVariant 1 (told most often: ECONNREFUSED): server=nobody listens" in text
    assert "connect -> ECONNREFUSED after 20 ms, on RST,ACK (CLOSED)" in text
    assert "with net.ipv4.tcp_retries2 = 3 on client" in text
    assert "Why: RFC 9293 3.10.7.3; Linux tcp_reset" in text
    assert text.endswith("\nSee: halfopen ask N18 --pcap out/\n     halfopen ask N18 --variant 2")
    assert "Calls:" not in text


class Listens(MadeArms):
    """Two wait in a queue for one."""

    def world(self, variant: Variant, *, seed: int) -> Trace:
        made = Made()
        made.trace = super().world(variant, seed=seed)
        queue = b"\x0a" + bytes(23) + struct.pack("=2I", 2, 1)
        info: Json = {"len": len(queue), "head": queue.decode("latin-1")}
        made.call("server", "getsockopt", "6, 11, 32", S, until=S, result=info)
        return made.done(3 * S)


def test_page_explains_how_a_queue_is_shown() -> None:
    told = replace(note(), tells=(("server", "TCP_INFO"),))
    text = page(run_row(BY_ID["N18"], told, Listens(), seed=1))
    assert "\nWhat came of it (LISTEN 2/1: so many in the queue/its backlog):\n" in text
    assert "TCP_INFO -> LISTEN 2/1" in text


def counted(arms: MadeArms) -> str:
    return page(row(arms)).split("\n\n")[2].replace("\n", " ")


def test_page_counts_what_a_kernel_did_before_its_table() -> None:
    assert counted(MadeArms(differs=SECOND)) == (
        "4 variants in the world, each also on Linux 6.18: 1 differs."
    )
    assert counted(MadeArms(witnessed=False)) == "4 variants in the world, none on a kernel yet."
    assert counted(MadeArms(breaks=SECOND)) == (
        "4 variants in the world, 3 of them also on Linux 6.18: all agree. 1 not on it yet."
    )


def test_page_says_why_some_variants_have_no_kernel() -> None:
    alone = replace(
        note(),
        variants=(*note().variants[:3], variant({"server": "x", "connect": "y"}, kernel=False)),
    )
    text = page(run_row(BY_ID["N18"], alone, MadeArms(), seed=1))
    assert (
        "4 variants in the world, 3 of them also on Linux 6.18: all agree. 1 in the world alone: "
        "it takes a day."
    ) in text.replace("\n", " ")


def test_page_of_a_variant_shows_both_arms_and_the_calls() -> None:
    text = page(row(), variant=3)
    assert "Variant 3: server=bound only connect=blocking" in text
    assert "The same on Linux 6.18 (recorded 2026-11-22):" in text
    assert text.count("SYN seq 0 win 64240") == 2
    assert "client/main       connect -> ECONNREFUSED after 20 ms" in text


def test_page_names_every_difference() -> None:
    text = page(row(MadeArms(differs=SECOND)))
    assert f"differs, variant 2 ({SECOND})" in " ".join(text.split())
    assert "the world answers late" in " ".join(text.split())


def test_page_of_an_open_row_says_so() -> None:
    text = page(run_row(BY_ID["N01"], None, None, seed=1))
    assert text.splitlines()[0].endswith("  open")
    assert "No scenario answers it yet." in text


def test_releases_are_cut_to_what_a_profile_is_named_by() -> None:
    assert short_release("6.18.5-arch1-1") == "6.18"


def test_a_witness_of_what_takes_too_long_for_every_day_counts_too() -> None:
    made = note()
    alone = replace(made, variants=tuple(replace(v, kernel=False) for v in made.variants))
    arms = MadeArms()
    seen = run_row(BY_ID["N18"], alone, arms, seed=1)
    assert kernel_cell(seen) == "open"
    full = replace(seen, runs=row(arms).runs)
    assert kernel_cell(full) == "4 agree"
    one = replace(full, runs=(*full.runs[:3], seen.runs[3]))
    assert kernel_cell(one) == "3 agree"
