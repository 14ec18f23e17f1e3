"""How processes end: by themselves as in CPython, killed without one more line of theirs."""
# ruff: noqa: T201  programs print

import atexit
import colorsys
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.architecture import sources
from tests.unit.guest.guests import Stage, alone

from halfopen.base.units import MS, S
from halfopen.guest.standins.time import UPTIME_NS
from halfopen.sockets.calls import shutdown
from halfopen.sockets.table import FdTable

# By themselves.


def returns() -> None:
    print("done")


def exits_with(code: object) -> None:
    sys.exit(code)  # type: ignore[arg-type]


def exits_bare() -> None:
    sys.exit()


def raises_system_exit() -> None:
    raise SystemExit(3)


def exits_at_once() -> None:
    atexit.register(print, "never")
    try:
        print("now")
        os._exit(5)
    finally:
        print("never")


def fails() -> None:
    raise ValueError("broken")


def interrupts() -> None:
    raise KeyboardInterrupt


def aborts() -> None:
    try:
        os.abort()
    finally:
        print("never")


def kills_itself(name: str) -> None:
    atexit.register(print, "never")
    try:
        os.kill(os.getpid(), getattr(signal, name))
    finally:
        print("never")


@pytest.mark.parametrize(
    ("program", "args", "how"),
    [
        (returns, (), "exit 0"),
        (exits_with, (0,), "exit 0"),
        (exits_with, (7,), "exit 7"),
        (exits_with, (256 + 4,), "exit 4"),
        (exits_with, (-1,), "exit 255"),
        (exits_with, (None,), "exit 0"),
        (exits_with, ("sorry",), "exit 1"),
        (exits_with, (True,), "exit 1"),
        (exits_bare, (), "exit 0"),
        (raises_system_exit, (), "exit 3"),
        (exits_at_once, (), "exit 5"),
        (fails, (), "uncaught ValueError: broken"),
        (interrupts, (), "uncaught KeyboardInterrupt"),
        (aborts, (), "SIGABRT"),
        (kills_itself, ("SIGKILL",), "SIGKILL"),
        (kills_itself, ("SIGTERM",), "SIGTERM"),
        (kills_itself, ("SIGSEGV",), "SIGSEGV"),
    ],
)
def test_an_end_says_how_it_came(
    program: Callable[..., object], args: tuple[object, ...], how: str
) -> None:
    stage = alone(program, *args)
    assert stage.end(program.__name__) == how
    assert "never" not in stage.output(program.__name__)


def test_an_exit_with_text_prints_it_on_standard_error() -> None:
    assert alone(exits_with, "sorry").output("exits_with", 2) == "sorry\n"


def test_an_uncaught_exception_shows_the_program_alone() -> None:
    lines = alone(fails).output("fails", 2).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: broken"
    assert not [line for line in lines if "halfopen" in line]
    assert [line for line in lines if "in fails" in line]


def is_refused() -> None:
    socket.socket().connect(("127.0.0.1", 9))


def test_an_error_of_a_call_shows_nothing_below_the_call() -> None:
    lines = alone(is_refused).output("is_refused", 2).splitlines()
    assert lines[-1] == "ConnectionRefusedError: [Errno 111] Connection refused"
    frames = [line for line in lines if line.startswith("  File ")]
    assert frames[-1].endswith(" in is_refused")


def ends_in_order() -> None:
    def worker() -> None:
        time.sleep(1)
        print("thread")

    threading.Thread(target=worker).start()
    atexit.register(print, "registered first")
    atexit.register(print, "registered last")
    print("body")


def test_the_end_joins_threads_and_then_calls_what_was_registered_last_first() -> None:
    stage = alone(ends_in_order)
    assert stage.lines("ends_in_order") == ["body", "thread", "registered last", "registered first"]
    assert stage.world.now == S
    assert stage.trace.meta == {"over_ns": [["ends_in_order", 0, S]]}, "it is told apart"


def test_an_end_that_waits_for_nothing_is_not_told_apart() -> None:
    assert alone(returns).trace.meta == {}


def leaves_a_daemon() -> None:
    def worker() -> None:
        try:
            while True:
                time.sleep(1)
                print("tick")
        finally:
            print("never")

    threading.Thread(target=worker, daemon=True).start()
    time.sleep(2.5)


def test_daemon_threads_are_dropped_at_the_end() -> None:
    stage = alone(leaves_a_daemon)
    assert stage.lines("leaves_a_daemon") == ["tick", "tick"]
    assert stage.end("leaves_a_daemon") == "exit 0"
    assert stage.world.now == 2500 * MS


def exits_from_a_thread() -> None:
    thread = threading.Thread(target=sys.exit, args=(9,))
    thread.start()
    thread.join()
    print("still here")


def test_sys_exit_in_a_thread_ends_that_thread() -> None:
    stage = alone(exits_from_a_thread)
    assert stage.lines("exits_from_a_thread") == ["still here"]
    assert stage.end("exits_from_a_thread") == "exit 0"


def exits_at_once_from_a_thread() -> None:
    threading.Thread(target=os._exit, args=(9,)).start()
    try:
        time.sleep(5)
    finally:
        print("never")


def test_os_exit_in_a_thread_ends_the_process() -> None:
    stage = alone(exits_at_once_from_a_thread)
    assert stage.end("exits_at_once_from_a_thread") == "exit 9"
    assert stage.output("exits_at_once_from_a_thread") == ""
    assert stage.world.now == 0


def registers_badly() -> None:
    atexit.register(print, "after all")
    atexit.register(int, "x")


def test_an_error_in_what_was_registered_is_shown_and_the_rest_is_called() -> None:
    stage = alone(registers_badly)
    assert stage.lines("registers_badly") == ["after all"]
    assert "ValueError" in stage.output("registers_badly", 2)


def prints_without_a_newline() -> None:
    sys.stdout.write("half a line")


def test_what_is_buffered_comes_out_at_the_end() -> None:
    assert alone(prints_without_a_newline).output("prints_without_a_newline") == "half a line"


def drops_at_the_end() -> None:
    globals()["kept"] = Noisy()


class Noisy:
    def __del__(self) -> None:
        print("gone", os.path.basename("/here"))


def test_what_a_module_holds_is_dropped_at_the_end() -> None:
    assert alone(drops_at_the_end).lines("drops_at_the_end") == ["gone here"]


# By a signal or a fault.


def ran(what: str) -> None:
    """Note that a line ran, in a module that all processes share: what is over prints nothing."""
    colorsys.ran.append(what)  # type: ignore[attr-defined]


class Tells:
    def __init__(self, when: str) -> None:
        self.when = when

    def __enter__(self) -> None:
        ran("entered")
        sys.stdout.write("buffered")

    def __exit__(self, *_: object) -> None:
        ran("__exit__")

    def __del__(self) -> None:
        ran(self.when)


def generates() -> Iterator[int]:
    try:
        yield 1
        yield 2
    finally:
        ran("finally of a generator")


def holds_everything() -> None:
    """Wait with everything open that Python would run if it ended by itself."""
    atexit.register(ran, "atexit")
    signal.signal(signal.SIGTERM, lambda *_: ran("a handler"))
    held = Tells("__del__")
    circle: list[object] = [Tells("__del__ in a cycle")]
    circle.append(circle)
    numbers = generates()
    next(numbers)
    threading.Thread(target=waits_too).start()
    try:
        with held, socket.socket() as listener:
            listener.bind(("", 0))
            listener.listen()
            try:
                listener.accept()
            except BaseException:
                ran("except")
                raise
    finally:
        ran("finally")


def waits_too() -> None:
    try:
        time.sleep(5)
    finally:
        ran("finally of a thread")


def _kill(stage: Stage, now: int) -> None:
    (process,) = stage.host("a").processes
    process.kill("SIGKILL", now)


def _power_off(stage: Stage, now: int) -> None:
    stage.host("a").power_off(now)


@pytest.fixture
def trail(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    monkeypatch.setattr(colorsys, "ran", made, raising=False)
    return made


def test_an_end_of_its_own_runs_it_all(trail: list[str]) -> None:
    stage = Stage()
    stage.start(holds_everything)
    stage.world.call_at(S, lambda now: _interrupt(stage, now))
    stage.run()
    assert trail == [
        *("entered", "except", "__exit__", "finally", "finally of a thread", "atexit"),
        *("__del__", "finally of a generator"),
    ]
    assert stage.end("holds_everything") == "uncaught OSError: [Errno 22] Invalid argument"


def _interrupt(stage: Stage, now: int) -> None:
    """Let accept fail: its listener is shut down."""
    process = stage.host("a").processes[0]
    assert isinstance(process.table, FdTable)
    (listener,) = process.table.files
    shutdown(process.table, listener, socket.SHUT_RDWR, now)


@pytest.mark.parametrize(("strike", "how"), [(_kill, "SIGKILL"), (_power_off, "power off")])
def test_a_killed_process_runs_no_line_more(
    strike: Callable[[Stage, int], None], how: str, trail: list[str]
) -> None:
    stage = Stage()
    stage.start(holds_everything)
    stage.world.call_at(S, lambda now: strike(stage, now))
    stage.run(2 * S)
    stage.run()
    assert stage.end("holds_everything") == how
    assert stage.output("holds_everything") == ""
    assert trail == ["entered"]


def test_what_is_over_prints_nothing() -> None:
    stage = Stage()
    image = stage.start(waits_in, "sleep")
    stage.run(S)
    _kill(stage, S)
    image.output(1, "late")
    assert stage.output("waits_in") == ""


@pytest.mark.slow
def test_nor_does_it_when_it_is_collected_nor_when_the_interpreter_ends() -> None:
    code = f"""
import colorsys, gc, os
class Ran:
    append = staticmethod(lambda what: os.write(1, what.encode()))
colorsys.ran = Ran
from {__name__} import Stage, _kill, holds_everything
stage = Stage()
stage.start(holds_everything)
stage.world.call_at(1, lambda now: _kill(stage, now))
stage.run()
del stage
gc.unfreeze()
gc.collect()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, cwd=sources.ROOT
    )
    assert done.stdout == b"entered"


def waits_in(place: str) -> None:
    """Wait in one of the ways that a thread can wait."""
    try:
        if place == "sleep":
            time.sleep(1000)
        elif place == "lock":
            lock = threading.Lock()
            with lock, lock:
                pass
        elif place == "join":
            threading.Thread(target=time.sleep, args=(1000,)).start()
            threading.enumerate()[-1].join()
        elif place == "connect":
            socket.create_connection(("b", 80))
        elif place == "recv":
            near, _ = socket.socketpair()
            near.recv(1)
        elif place == "select":
            near, _far = socket.socketpair()
            select.select([near], [], [])
        else:
            threading.Thread(target=time.sleep, args=(1000,)).start()
            atexit.register(ran, "atexit")
    finally:
        if place != "the end":
            ran("finally")


@pytest.mark.parametrize("place", ["sleep", "lock", "join", "connect", "recv", "select", "the end"])
def test_it_runs_none_wherever_it_waits(place: str, trail: list[str]) -> None:
    stage = Stage()
    stage.host("b").power_off(0)
    stage.start(waits_in, place)
    stage.world.call_at(S, lambda now: _kill(stage, now))
    stage.run()
    assert stage.end("waits_in") == "SIGKILL"
    assert trail == []


def logs(name: str) -> None:
    """Hold logging's lock while waiting, as a handler over a socket does."""

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time.sleep(2 if name == "killed" else 0.1)
            print(record.getMessage())

    log = logging.getLogger(__name__)
    log.addHandler(Slow())
    while True:
        time.sleep(0.5)
        log.warning("from %s", name)


def test_a_process_killed_with_the_lock_of_logging_hangs_nobody_else() -> None:
    stage = Stage()
    stage.start(logs, "killed", name="killed")
    stage.start(logs, "other", name="other")
    stage.start(logs, "far", host="b", name="far")
    stage.world.call_at(S, lambda now: stage.host("a").processes[0].kill("SIGKILL", now))
    stage.run(3 * S)
    assert stage.output("killed") == ""
    assert stage.lines("other") == ["from other"] * 5
    assert stage.lines("far") == ["from far"] * 5


def closes_or_not(how: str) -> None:
    sock = socket.create_connection(("b", 80))
    sock.sendall(b"hello")
    time.sleep(1)
    if how == "returns":
        return
    os._exit(1) if how == "os._exit" else time.sleep(1000)


def milliseconds() -> int:
    return (time.monotonic_ns() - UPTIME_NS) // MS


def tells_the_end() -> None:
    with socket.create_server(("", 80)) as listener:
        peer, _ = listener.accept()
    with peer:
        peer.settimeout(10)
        try:
            while data := peer.recv(100):
                print(data.decode())
            print("the end at", milliseconds())
        except OSError as error:
            print(type(error).__name__, milliseconds())


@pytest.mark.parametrize("how", ["returns", "os._exit", "killed"])
def test_its_kernel_closes_what_it_held(how: str) -> None:
    stage = Stage()
    stage.start(tells_the_end, host="b")
    stage.start(closes_or_not, how)
    if how == "killed":
        stage.world.call_at(
            S + 20 * MS, lambda now: stage.world.hosts["a"].processes[0].kill("SIGSEGV", now)
        )
    stage.run()
    assert stage.lines("tells_the_end") == ["hello", "the end at 1030"]


def test_power_off_closes_nothing() -> None:
    stage = Stage()
    stage.start(tells_the_end, host="b")
    stage.start(closes_or_not, "waits")
    stage.world.call_at(S, lambda now: stage.host("a").power_off(now))
    stage.run()
    assert stage.lines("tells_the_end") == ["hello", "TimeoutError 10030"]


def signals_another(pid: int, number: int) -> None:
    time.sleep(1)
    os.kill(pid, number)
    print("sent")


def takes(how: str) -> None:
    if how == "ignores":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(5)
    print("slept")


@pytest.mark.parametrize(("how", "end"), [("dies", "SIGTERM"), ("ignores", "exit 0")])
def test_a_signal_from_another_process_acts_as_posix_says(how: str, end: str) -> None:
    stage = Stage()
    pid = stage.start(takes, how).process.pid
    stage.start(signals_another, pid, signal.SIGTERM)
    stage.run()
    assert stage.end("takes") == end
    assert stage.lines("takes") == ([] if how == "dies" else ["slept"])
    assert stage.lines("signals_another") == ["sent"]


def test_a_signal_reaches_no_other_host() -> None:
    stage = Stage()
    pid = stage.start(takes, "dies").process.pid
    stage.start(signals_another, pid, signal.SIGTERM, host="b")
    stage.run()
    assert stage.end("takes") == "exit 0"
    assert stage.end("signals_another").startswith("uncaught ProcessLookupError")


# By SIGPIPE.


def writes_into_a_broken_pipe(by_os_write: bool, flags: int) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    listener = socket.create_server(("127.0.0.1", 0))
    sock = socket.create_connection(listener.getsockname())
    sock.shutdown(socket.SHUT_WR)
    try:
        if by_os_write:
            os.write(sock.fileno(), b"x")
        else:
            sock.send(b"x", flags)
    except BrokenPipeError:
        print("still there")


@pytest.mark.parametrize("by_os_write", [False, True])
def test_sigpipe_by_default_ends_a_process_inside_the_call(by_os_write: bool) -> None:
    stage = alone(writes_into_a_broken_pipe, by_os_write, 0)
    assert stage.end("writes_into_a_broken_pipe") == "SIGPIPE"
    assert stage.output("writes_into_a_broken_pipe") == ""


def test_sigpipe_does_not_come_with_msg_nosignal() -> None:
    stage = alone(writes_into_a_broken_pipe, False, socket.MSG_NOSIGNAL)
    assert stage.end("writes_into_a_broken_pipe") == "exit 0"
    assert stage.output("writes_into_a_broken_pipe") == "still there\n"
