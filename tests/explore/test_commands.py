"""``halfopen explore``, ``run`` and ``replay`` as people call them: words and exit status."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from jsonschema import Draft202012Validator

from halfopen.atlas.exploration_json import schema

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TARGETS: Final = Path(__file__).parent / "targets"


def halfopen(*arguments: str, cwd: Path = TARGETS) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "halfopen", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80"},
    )


def test_a_finding_is_told_and_its_token_repeats_it() -> None:
    done = halfopen("explore", "asking.py:once", "--expect", "OSError")
    assert (done.returncode, done.stderr) == (1, "")
    assert re.match(r"\d+ points x 5 faults: \d+ runs in [\d.]+ s: \d+ hang, ", done.stdout)
    assert "crash" not in done.stdout
    line = r"^  asking\.py:\d+  print\(sock.recv\(4096\).decode\(\)\)  waits for ever$"
    assert re.search(line, done.stdout, re.MULTILINE)
    assert "would have been noticed: sock.settimeout(10): TimeoutError at 10.02 s;" in done.stdout
    tokens = re.findall(r"^  again: halfopen replay (\S+)$", done.stdout, re.MULTILINE)
    assert len(tokens) == 2
    for line in done.stdout.splitlines():
        assert len(line) <= 80 or line.startswith("  again: ")
    again = halfopen("replay", tokens[0])
    assert (again.returncode, again.stderr) == (1, "")
    assert again.stdout.startswith("hang  power off: client, segment 3 has left client\n")
    assert again.stdout == halfopen("replay", tokens[0]).stdout


@pytest.mark.parametrize(("named", "crashes"), [("OSError", False), ("TimeoutError", True)])
def test_an_exception_may_be_named_by_what_it_derives_from(named: str, crashes: bool) -> None:
    done = halfopen("explore", "asking.py:wrapped", "--expect", named)
    assert ("crash" in done.stdout) is crashes


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("OSErorr", "Nearest: OSError"),
        ("socket.gaierror", "Try: --expect gaierror"),
        ("Qzx", "Try: --expect OSError"),
    ],
)
def test_an_expected_name_must_be_an_exceptions(named: str, hint: str) -> None:
    done = halfopen("explore", "asking.py:once", "--expect", "OSError", "--expect", named)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"halfopen: --expect {named}: no exception is called so")
    assert hint in done.stderr


def test_no_finding_leaves_with_zero() -> None:
    done = halfopen("explore", "mended.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\nEvery fault fired, and no run came to a bad end.\n")


def test_json_keeps_the_schema_and_the_exit_status() -> None:
    done = halfopen("explore", "asking.py:once", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    Draft202012Validator(json.loads(schema())).validate(document)
    verdicts = {finding["verdict"] for finding in document["findings"]}
    assert verdicts == {"hang", "crash"}
    crashed = [finding["crash"] for finding in document["findings"] if finding["crash"]]
    assert {crash["line"] for crash in crashed} == {
        'with socket.create_connection(("server", 80)) as sock:',
        "print(sock.recv(4096).decode())",
    }
    assert document["points"]["total"] == sum(document["points"]["kinds"].values())


SILENT: Final = """
from halfopen import World

def nothing():
    pass

def world():
    world = World()
    one, two = world.host("one"), world.host("two")
    world.link(one, two)
    one.start(nothing)
    return world
"""

NEVER: Final = """
import socket
from halfopen import World

def serve():
    socket.create_server(("", 80))

def later():
    pass

def world():
    world = World()
    one = world.host("one")
    one.start(serve)
    one.start(later, at=60.0)
    return world
"""

LOUD: Final = """
import os
import socket
from halfopen import World

def main():
    try:
        socket.create_connection(("two", 80))
    except ConnectionRefusedError:
        pass
    except OSError:
        os.fork()

def world():
    world = World()
    one, two = world.host("one"), world.host("two")
    world.link(one, two)
    one.start(main)
    return world
"""


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (SILENT, 1, "error: the undisturbed run makes no socket call and sends nothing: no fault"),
        (NEVER, 1, "error: SIGKILL to later: 0 of "),
        (LOUD, 1, "broken  power off: two, "),
        (
            SILENT.replace("    pass", "    raise KeyError(1)"),
            1,
            "error: without any fault, nothing",
        ),
        (SILENT.replace("    pass", "    import os; os.fork()"), 3, ""),
    ],
    ids=["no point", "never fired", "a gap met by a fault", "fails by itself", "a gap"],
)
def test_what_proves_nothing_is_no_success(
    text: str, status: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(text)
    done = halfopen("explore", "shop.py", cwd=tmp_path)
    assert done.returncode == status
    assert said in done.stdout
    if status == 3:
        assert done.stderr.startswith("halfopen: posix.fork is not simulated (nothing, shop.py:")


WRONG: Final = """

def whole(run):
    assert run.ended("ask") != "exit 0" or "FOURTEEN" in run.output("ask"), "a reply is missing"
"""


def test_a_check_that_objects_is_a_finding(tmp_path: Path) -> None:
    text = (TARGETS / "mended.py").read_text().replace("world.check(said)", "world.check(whole)")
    (tmp_path / "mended.py").write_text(text + WRONG)
    done = halfopen("explore", "mended.py", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"\d+ wrong, \d+ clean \(1 cause\)", done.stdout)
    assert "  whole: AssertionError: a reply is missing (mended.py:" in done.stdout


def test_run_says_which_check_fails(tmp_path: Path) -> None:
    text = SILENT.replace("    return world", "    world.check(whole)\n    return world")
    check = "\ndef whole(run):\n    assert run.output('nothing'), 'nothing said'\n"
    (tmp_path / "shop.py").write_text(text + check)
    done = halfopen("run", "shop.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\nA check fails: whole: AssertionError: nothing said (shop.py:1" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explore", "nowhere.py"), "halfopen: no file 'nowhere.py'"),
        (("explore", "asking.py:nothing"), "has no function 'nothing'"),
        (("run", "asking.py:ask"), "asking.py:ask asked for the address of a name (getaddrinfo)"),
        (
            ("run", "program_alone.py:loop"),
            "program_alone.py:loop opened a socket while it made its world",
        ),
        (("replay", "eJx"), "halfopen: not a replay token"),
        (("explore", "asking.py", "--jobs", "0"), "Invalid value for '--jobs'"),
        (("explore", "asking.py", "--jobs", "257"), "Invalid value for '--jobs'"),
        *(
            (
                ("explore", "asking.py", "--horizon", hours),
                f"halfopen: --horizon must be positive, and at most 1000000 hours: {hours}\n",
            )
            for hours in ("-1", "0", "nan", "inf", "1e+300")
        ),
    ],
)
def test_misuse_leaves_with_two(arguments: tuple[str, ...], said: str) -> None:
    done = halfopen(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_run_draws_the_undisturbed_run() -> None:
    done = halfopen("run", "asking.py:once")
    assert (done.returncode, done.stderr) == (0, "")
    assert 'recv -> b"ONE" after 20 ms' in done.stdout
    assert re.search(
        r"1 thread waits for work:\n  server:serve  asking.py:\d+  accept\(\)", done.stdout
    )


def test_run_lists_the_tasks_behind_a_loops_poll() -> None:
    done = halfopen("run", "looping.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"1 task waits for work:\n  server:serve/Task-1  looping\.py:\d+  "
        r"await server\.serve_forever\(\)  for a\n    connection\n$",
        done.stdout,
    )


FAILS: Final = """
import socket
from halfopen import World

def asks():
    socket.create_connection(("nowhere", 80))

def world():
    world = World()
    world.host("one").start(asks)
    return world
"""


def test_run_names_the_line_of_the_program_that_a_crash_went_through(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(FAILS)
    done = halfopen("run", "shop.py", cwd=tmp_path)
    assert done.returncode == 1
    line = '  shop.py:6  socket.create_connection(("nowhere", 80))  crashes\n'
    assert f"{line}  one:asks  uncaught gaierror: " in done.stdout


LOCKED: Final = """
import threading
from halfopen import World

def locks():
    lock = threading.Lock()
    lock.acquire()
    print("once")
    lock.acquire()

def world():
    world = World()
    world.host("one").start(locks)
    return world
"""


def test_run_says_who_waits_for_a_lock(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(LOCKED)
    done = halfopen("run", "shop.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "            acquire ... still waits when the run ends\n" in done.stdout
    assert done.stdout.endswith(
        "\nThe world can never move again at 0 µs, and 1 thread waits:\n"
        "  one:locks  shop.py:9  lock.acquire()  for a lock since 0 µs\n"
    )


SPINS: Final = """
import socket
from halfopen import World

def spins():
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("", 80))
        while True:
            try:
                sock.recv(10, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass

def world():
    world = World()
    world.host("one").start(spins)
    return world
"""


NAPS: Final = """
import time
from halfopen import World

def naps():
    while True:
        time.sleep(0)

def world():
    world = World()
    world.host("one").start(naps)
    return world
"""


def test_run_says_that_a_program_spins_that_sleeps_for_no_time(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(NAPS)
    done = halfopen("run", "shop.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "The run spins: more than 100000 events at the instant 0 ns" in done.stdout
    assert "naps at shop.py:7:" in " ".join(done.stdout.split())
    assert "waits" not in done.stdout


@pytest.mark.once
def test_run_says_that_a_program_spins_and_where(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SPINS)
    done = halfopen("run", "shop.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert len(lines) < 50
    assert any(line.startswith("            ... 99") for line in lines)
    assert "The run spins: more than 100000 events at the instant 0 ns" in done.stdout
    assert "recv in spins at shop.py:10" in " ".join(done.stdout.split())
    assert "waits" not in done.stdout


def test_progress_is_shown_on_a_terminal_alone() -> None:
    ours, theirs = pty.openpty()
    with tempfile.TemporaryFile() as printed, os.fdopen(ours, "rb", buffering=0) as terminal:
        with subprocess.Popen(
            [sys.executable, "-m", "halfopen", "explore", "mended.py"],
            stdout=printed,
            stderr=theirs,
            cwd=TARGETS,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        ) as explore:
            os.close(theirs)
            shown = _read_all(terminal)
        printed.seek(0)
        assert explore.returncode == 0
        assert b"exploring" in shown
        assert b"\x1b" not in printed.read()


def _read_all(terminal: io.FileIO) -> bytes:
    """Read while it is written, for a terminal holds 4 KiB; EIO: its last writer has gone."""
    shown = b""
    with suppress(OSError):
        while chunk := terminal.read(4096):
            shown += chunk
    return shown
