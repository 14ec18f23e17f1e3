"""The atlas: what each stimulus does in each state, who decides it, and how people ask for it."""

import ast
import os
import sys
from typing import NamedTuple

import pytest
from tests.architecture.sources import PACKAGE, tree_of
from typer.testing import CliRunner, Result

from halfopen.atlas.cell import Cell, cells, run_cell
from halfopen.atlas.cells import find, lookup
from halfopen.atlas.celltext import answer, cited, departs
from halfopen.atlas.deciding import Watch
from halfopen.atlas.stimuli import STIMULI, WAYS
from halfopen.base.build import running_build
from halfopen.base.errors import MisuseError
from halfopen.cli.main import app
from halfopen.scenario.notes import all_notes
from halfopen.tcp.states import State

watched = pytest.mark.skipif(
    running_build() == "compiled", reason="what a compiled function calls, nobody can watch"
)


class Known(NamedTuple):
    """A cell that people know, from RFC 9293 3.10 and Linux."""

    state: State
    stimulus: str
    way: int  # the first or the second to that state
    then: State
    sends: str
    user: str
    decider: str
    tags: tuple[str, ...] = ()


S = State
KNOWN = [
    Known(
        S.SYN_SENT, "RST,ACK of our SYN", 1, S.CLOSED, "-", "ECONNREFUSED",
        "tcp/arrives/syn_sent.py check_rst", ("refused-not-reset",),
    ),
    Known(
        S.SYN_SENT, "RST without ACK", 1, S.SYN_SENT, "-", "waits",
        "tcp/arrives/syn_sent.py check_rst",
    ),
    Known(
        S.SYN_SENT, "SYN,ACK of our SYN", 1, S.ESTABLISHED, "ACK seq 1 ack 1", "done",
        "tcp/arrives/syn_sent.py check_syn",
    ),
    Known(
        S.CLOSED, "SYN", 1, S.CLOSED, "RST,ACK seq 0 ack 1", "",
        "tcp/arrives/closed.py segment_arrives",
    ),
    Known(
        S.CLOSED, "ACK", 1, S.CLOSED, "RST seq 1", "",
        "tcp/arrives/closed.py segment_arrives",
    ),
    Known(
        S.LISTEN, "SYN", 1, S.SYN_RECEIVED, "SYN,ACK seq 0 ack 1", "waits",
        "tcp/arrives/listen.py check_syn",
    ),
    Known(
        S.SYN_RECEIVED, "RST, the next number", 1, S.LISTEN, "-", "waits",
        "tcp/arrives/syn_received.py check_rst",
    ),
    Known(
        S.SYN_RECEIVED, "RST, the next number", 2, S.CLOSED, "-", "ECONNRESET",
        "tcp/arrives/synchronized.py check_rst",
    ),
    Known(
        S.SYN_RECEIVED, "ACK of our SYN", 1, S.ESTABLISHED, "-", "a connection",
        "tcp/arrives/syn_received.py check_ack",
    ),
    Known(
        S.ESTABLISHED, "RST, the next number", 1, S.CLOSED, "-", "ECONNRESET",
        "tcp/arrives/synchronized.py check_rst",
    ),
    Known(
        S.ESTABLISHED, "RST in the window", 1, S.ESTABLISHED, "ACK seq 1 ack 1", "waits",
        "tcp/arrives/synchronized.py check_rst",
    ),
    Known(
        S.ESTABLISHED, "text, the next number", 1, S.ESTABLISHED, "ACK seq 1 ack 6", 'b"hello"',
        "tcp/text.py segment_text",
    ),
    Known(
        S.ESTABLISHED, "FIN, the next number", 1, S.CLOSE_WAIT, "-", 'b""',
        "tcp/text.py check_fin",
    ),
    Known(
        S.ESTABLISHED, "close() with unread text", 1, S.CLOSED, "RST,ACK seq 1 ack 6", "done",
        "tcp/calls.py close", ("unread-data-resets",),
    ),
    Known(
        S.ESTABLISHED, "nothing more, after send", 1, S.CLOSED,
        "PSH,ACK seq 1 ack 1 len 5, 15 times", "ETIMEDOUT", "tcp/deadlines.py write_error",
    ),
    Known(
        S.CLOSE_WAIT, "RST, the next number", 1, S.CLOSED, "-", "EPIPE",
        "tcp/arrives/synchronized.py check_rst", ("reset-in-close-wait",),
    ),
    Known(
        S.FIN_WAIT_1, "FIN with ACK of ours", 1, S.TIME_WAIT, "ACK seq 2 ack 2", 'b""',
        "tcp/text.py check_fin",
    ),
    Known(
        S.FIN_WAIT_1, "text, the next number", 2, S.CLOSED, "RST seq 1", "",
        "tcp/text.py segment_text",
    ),
    Known(
        S.CLOSING, "ACK of our FIN", 1, S.TIME_WAIT, "-", "0",
        "tcp/arrives/synchronized.py check_ack",
    ),
    Known(
        S.LAST_ACK, "ACK of our FIN", 2, S.CLOSED, "-", "",
        "tcp/arrives/synchronized.py check_ack",
    ),
    Known(
        S.TIME_WAIT, "SYN in the window", 1, S.TIME_WAIT, "ACK seq 2 ack 2", "",
        "tcp/arrives/time_wait.py time_wait",
    ),
    Known(
        S.TIME_WAIT, "SYN in the window", 2, S.SYN_RECEIVED, "SYN,ACK seq 0 ack 1003", "",
        "tcp/arrives/listen.py check_syn",
    ),
]  # fmt: skip


@watched
def test_what_decides_over_an_rst_in_syn_sent_says_what_the_run_does() -> None:
    decider = cell_of(S.SYN_SENT, "RST,ACK of nothing we sent").decider
    assert decider == cell_of(S.SYN_SENT, "SYN,ACK of nothing we sent").decider
    assert decider is not None
    assert decider.says == (
        "First: an ACK of anything but our SYN is answered with an RST, or dropped where it is "
        "one. Our second SYN then goes at once. An echo of a timestamp that this SYN did not "
        "carry is answered alike."
    )
    assert decider.rfc == ("RFC 9293 3.10.7.3, first",)
    assert decider.kernel == ("tcp_rcv_synsent_state_process",)


def cell_of(state: State, stimulus: str, way: int = 1) -> Cell:
    (chosen,) = [one for one in STIMULI if one.name == stimulus and state in one.at]
    return run_cell([one for one in WAYS if one.state is state][way - 1], chosen)


def every_cell() -> list[Cell]:
    return [cell for state in State for cell in cells(state)]


@watched
@pytest.mark.parametrize(
    "known", KNOWN, ids=lambda known: f"{known.state.name}, {known.stimulus}, way {known.way}"
)
def test_known_cell(known: Known) -> None:
    cell = cell_of(known.state, known.stimulus, known.way)
    assert cell.decider is not None
    assert (
        Known(
            known.state,
            known.stimulus,
            known.way,
            cell.then,
            answer(cell),
            cell.user,
            cell.decider.name,
            cell.tags,
        )
        == known
    )


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_every_way_leads_to_its_state(state: State) -> None:
    ways = [way for way in WAYS if way.state is state]
    assert ways
    for way in ways:
        assert [stimulus for stimulus in STIMULI if stimulus.fits(way)]


def test_every_stimulus_fits_somewhere_under_one_name() -> None:
    for way in WAYS:
        names = [stimulus.name for stimulus in STIMULI if stimulus.fits(way)]
        assert len(set(names)) == len(names), way.name
    assert [stimulus.name for stimulus in STIMULI if not any(map(stimulus.fits, WAYS))] == []


@watched
class TestWholeProduct:
    def test_somebody_decides_wherever_anything_happens(self) -> None:
        undecided = [cell for cell in every_cell() if cell.decider is None]
        assert {cell.stimulus.kind for cell in undecided} == {"silence"}
        assert all(cell.then is cell.way.state and not cell.answers for cell in undecided)

    def test_every_check_of_the_rfc_decides_something(self) -> None:
        deciding = {cell.decider.name for cell in every_cell() if cell.decider is not None}
        checks = set()
        for path in (*(PACKAGE / "tcp" / "arrives").glob("*.py"), PACKAGE / "tcp" / "text.py"):
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("check_"):
                    checks.add(f"{path.relative_to(PACKAGE).as_posix()} {node.name}")
        assert checks - deciding == {
            "tcp/arrives/syn_sent.py check_security",  # Linux has no security compartments
            "tcp/text.py check_urg",  # urgent text is text too, and the next step has it
        }

    def test_every_decision_about_a_segment_is_cited(self) -> None:
        for cell in every_cell():
            if cell.stimulus.kind == "segment":
                assert cell.decider is not None
                assert any(text.startswith("RFC ") for text in cell.decider.rfc), cell.decider.name
                assert cell.decider.says, cell.decider.name

    def test_departures_that_show_are_registered_and_witnessed(self) -> None:
        shown = {tag for cell in every_cell() for tag in cell.tags}
        assert {"refused-not-reset", "unread-data-resets", "linear-syn-timeouts"} <= shown
        for tag in sorted(shown):
            assert "seen in " in departs(tag)

    def test_departure_shows_only_where_its_line_runs(self) -> None:
        linear = [cell for cell in every_cell() if "linear-syn-timeouts" in cell.tags]
        assert {(cell.way.state, cell.stimulus.word) for cell in linear} == {
            (State.SYN_SENT, "silence")
        }

    def test_two_runs_are_alike(self) -> None:
        for cell in every_cell():
            assert run_cell(cell.way, cell.stimulus) == cell


@watched
def test_watching_leaves_the_tracer_alone() -> None:
    before = sys.gettrace()
    with Watch(lambda: (0, 0)):
        assert sys.gettrace() is not before
    assert sys.gettrace() is before


@watched
def test_citations_are_those_of_the_function() -> None:
    decider = cell_of(State.ESTABLISHED, "RST, the next number").decider
    assert decider is not None
    assert cited(decider).startswith("RFC 9293 3.10.7.4, second; RFC 5961 3.2; Linux ")
    assert "RFC" not in decider.says
    assert decider.says.startswith("Second: an RST with exactly the next number ends")


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_page_of_a_state_fits_and_names_every_stimulus(state: State) -> None:
    lines = lookup([state.name])
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for stimulus in find(state, ""):
        assert f"\n  {stimulus.name} " in text
    assert "Decided by" in text


def test_newcomer_finds_an_rst_in_syn_sent_on_one_screen() -> None:
    lines = lookup(["SYN_SENT", "RST"])
    assert len(lines) <= 24
    text = "\n".join(lines)
    for told in (
        "RST,ACK of our SYN         CLOSED       -                     ECONNREFUSED  a",
        "a  tcp/arrives/syn_sent.py check_rst",
        "RFC 9293 3.10.7.3, second; Linux tcp_rcv_synsent_state_process",
        "LINUX(refused-not-reset) on RST,ACK of our SYN: an RST in SYN-SENT is told",
        "seen in N18",
    ):
        assert told in text
    assert "N18" in all_notes()


@pytest.mark.parametrize(
    ("state", "asked", "names"),
    [
        (S.SYN_SENT, "RST", ["RST,ACK of our SYN", "RST,ACK of nothing", "RST without ACK"]),
        (S.SYN_SENT, "rst without", ["RST without ACK"]),
        (S.SYN_SENT, "SYN,ACK", ["SYN,ACK of our SYN", "SYN,ACK of nothing we sent"]),
        (S.FIN_WAIT_2, "outside window", ["RST", "SYN", "ACK", "text"]),
        (S.ESTABLISHED, "keepalive", ["nothing more, keepalive on"]),
        (S.ESTABLISHED, "timeout", ["nothing more"]),
        (S.ESTABLISHED, "close", ["close()"]),
        (S.ESTABLISHED, "SO_LINGER", ["close(), SO_LINGER 0 s"]),
        (S.ESTABLISHED, "read", ["recv()", "recv(), text has come"]),
        (S.ESTABLISHED, "data", ["text"]),
        (S.SYN_SENT, "ICMP", ["ICMP host unreachable", "ICMP port unreachable"]),
    ],
)  # fmt: skip
def test_stimulus_by_what_people_call_it(state: State, asked: str, names: list[str]) -> None:
    found = [stimulus.name for stimulus in find(state, asked)]
    assert found
    assert all(any(name.startswith(known) for known in names) for name in found)
    assert all(any(name.startswith(known) for name in found) for known in names)


def test_unknown_stimulus_names_the_nearest() -> None:
    with pytest.raises(MisuseError, match=r"'SNY'\. Nearest: SYN\."):
        find(State.ESTABLISHED, "SNY")
    with pytest.raises(MisuseError, match=r"'RST in windw'\. Nearest: RST, FIN\."):
        find(State.ESTABLISHED, "RST in windw")


def test_where_nothing_is_near_every_word_of_the_state_is_named() -> None:
    with pytest.raises(MisuseError, match=r"in LISTEN is called 'send'\. What happens: RST, SYN, "):
        find(State.LISTEN, "send")


def test_compiled_build_asks_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    here = lookup(["syn-sent", "RST"])
    monkeypatch.setattr("halfopen.atlas.cells.running_build", lambda: "compiled")
    assert lookup(["syn-sent", "RST"]) == here


class TestAsk:
    @staticmethod
    def ask(*words: str) -> Result:
        return CliRunner().invoke(app, ["ask", *words])

    @pytest.mark.parametrize("words", [["SYN_SENT", "RST"], ["SYN-SENT RST"], ["syn_sent", "rst"]])
    def test_either_spelling(self, words: list[str]) -> None:
        done = self.ask(*words)
        assert done.exit_code == 0
        assert done.stdout.startswith("SYN-SENT, ")
        assert "ECONNREFUSED" in done.stdout

    @pytest.mark.parametrize(
        ("words", "nearest", "runs"),
        [
            (["TIME_WAIT", "SNY"], "Nearest: SYN.", "TIME_WAIT SYN"),
            (["SYN_SENT", "RTS"], "Nearest: RST.", "SYN_SENT RST"),
            (["SYN_SNT", "RST"], "Nearest: SYN_SENT.", "SYN_SENT RST"),
            (["SYN_SNT RTS"], "Nearest: SYN_SENT.", "SYN_SENT RST"),
            (["syn-snt", "reset"], "Nearest: SYN_SENT.", "SYN_SENT RST"),
            (["FIN_WAIT"], "Nearest: FIN_WAIT_1, FIN_WAIT_2.", "FIN_WAIT_1"),
            (["ESTAB", "xyzzy"], "Nearest: ESTABLISHED.", "ESTABLISHED"),
        ],
    )
    def test_what_is_misspelt_is_misuse_with_a_line_that_runs(
        self, words: list[str], nearest: str, runs: str
    ) -> None:
        done = self.ask(*words)
        assert done.exit_code == 2
        assert done.stdout == ""
        said, tried = done.stderr.splitlines()
        assert len(said) <= 80
        assert said.endswith(nearest)
        assert tried == f"  Try: halfopen ask {runs}"
        assert self.ask(runs).exit_code == 0

    @pytest.mark.parametrize("option", [["--json"], ["--variant", "1"], ["--pcap", os.devnull]])
    def test_options_of_rows_are_misuse(self, option: list[str]) -> None:
        done = self.ask("SYN_SENT", "RST", *option)
        assert done.exit_code == 2
        assert "are for rows" in done.stderr
