"""Three fences: stand-ins, modules that can't be imported, an audit hook; each alone holds."""
# ruff: noqa: T201  programs print

import importlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest
from tests.unit.guest.guests import Stage, alone

from halfopen.base.errors import NotPossibleHereError
from halfopen.guest import fence, modules
from halfopen.guest.standins.time import EPOCH_NS

# First: the stand-ins. They name what is refused as the C module does.


def refused(program: Callable[..., object], *args: object) -> str:
    """Give the words in which a program was refused."""
    with pytest.raises(NotPossibleHereError) as caught:
        alone(program, *args)
    return str(caught.value)


def calls(module: str, function: str, *args: object) -> None:
    getattr(importlib.import_module(module), function)(*args)


@pytest.mark.parametrize(
    ("module", "function", "args", "named"),
    [
        ("os", "fork", (), "posix.fork"),
        ("os", "system", ("true",), "posix.system"),
        ("os", "execv", ("/bin/true", ("true",)), "posix.execv"),
        ("os", "mkdir", ("/tmp/never",), "posix.mkdir"),
        ("os", "remove", ("/tmp/never",), "posix.remove"),
        ("os", "chdir", ("/",), "posix.chdir"),
        ("os", "setuid", (0,), "posix.setuid"),
        ("os", "pipe", (), "posix.pipe"),
        ("os", "killpg", (1, 0), "posix.killpg"),
        ("os", "popen", ("true",), "subprocess.Popen"),
        ("subprocess", "Popen", (("true",),), "subprocess.Popen"),
        ("subprocess", "run", (("true",),), "subprocess.Popen"),
        ("subprocess", "check_output", (("true",),), "subprocess.Popen"),
        ("signal", "setitimer", (1, 1), "a timer of the time that a program computes"),
        ("signal", "pthread_kill", (1, 9), "_signal.pthread_kill"),
        ("time", "clock_settime", (0, 1), "time.clock_settime"),
        ("time", "pthread_getcpuclockid", (1,), "time.pthread_getcpuclockid"),
        ("_thread", "interrupt_main", (), "_thread.interrupt_main"),
        ("select", "devpoll", (), ""),
    ],
)
def test_a_stand_in_refuses_by_name(
    module: str, function: str, args: tuple[object, ...], named: str
) -> None:
    if not hasattr(importlib.import_module(module), function):
        assert alone(calls, module, function, *args).end("calls").startswith("uncaught Attribute")
        return
    text = refused(calls, module, function, *args)
    assert text.startswith(f"{named} is not simulated (calls")


def reads_the_clock() -> None:
    before = time.time_ns()
    time.sleep(3600)
    print(before, time.time_ns())


def test_the_clock_is_the_worlds() -> None:
    began = time.monotonic()
    stage = alone(reads_the_clock)
    assert stage.lines("reads_the_clock") == [f"{EPOCH_NS} {EPOCH_NS + 3600 * 10**9}"]
    assert time.monotonic() - began < 15


def opens(family: str) -> None:
    import socket

    socket.socket(getattr(socket, family))


@pytest.mark.parametrize("family", ["AF_UNIX"])
def test_a_kind_of_socket_that_is_not_simulated_is_refused(family: str) -> None:
    text = refused(opens, family)
    said = f"{family} sockets are not simulated; AF_INET and AF_INET6 are"
    assert re.fullmatch(rf"{said} \(opens, test_fence\.py:\d+\)", text)


# Second: what can't be imported.


def imports(name: str, place: str) -> None:
    sys.path.insert(0, place)
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(error)
    else:
        print("imported")


@pytest.mark.parametrize(
    "name",
    ["_ctypes", "mmap", "_multiprocessing", "_posixshmem", "resource", "_sqlite3", "pwd"],
)
def test_what_reaches_the_machine_is_not_imported(name: str) -> None:
    if name not in sys.builtin_module_names:
        pytest.importorskip(name)
    text = alone(imports, name, "").output("imports")
    assert text.startswith(f"{name!r} can't be imported in a world")


def needs(name: str, how: str) -> None:
    import _thread

    def load() -> None:
        try:
            importlib.import_module(name)
        except ImportError as error:
            if how == "says so":
                raise RuntimeError("a module is missing") from error
            raise

    if how == "in a thread":
        threading.Thread(target=load).start()
    elif how == "in a raw thread":
        _thread.start_new_thread(load, ())
        time.sleep(1)
    else:
        load()


@pytest.mark.parametrize("how", ["by itself", "says so", "in a thread", "in a raw thread"])
def test_a_program_that_ends_for_want_of_a_module_stops_the_world(how: str) -> None:
    text = refused(needs, "_ctypes", how)
    assert text.startswith("'_ctypes' can't be imported in a world: an extension module (")
    assert re.search(r" has no stand-in \(needs, test_fence\.py:\d+\)$", text)


def fails_without(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:
        raise KeyError(name) from None


def test_a_program_that_goes_on_without_a_module_may_fail_by_itself() -> None:
    assert alone(fails_without, "_ctypes").end("fails_without") == "uncaught KeyError: '_ctypes'"


def test_an_extension_module_is_not_even_opened(tmp_path: Path) -> None:
    (tmp_path / f"speedups{EXTENSION_SUFFIXES[0]}").write_bytes(b"no ELF file")
    text = alone(imports, "speedups", str(tmp_path)).output("imports")
    assert text.startswith("'speedups' can't be imported in a world: an extension module")
    assert str(tmp_path) in text


@pytest.mark.parametrize("name", ["_queue", "_asyncio", "_datetime", "_uuid", "_zoneinfo"])
def test_accelerators_that_bypass_the_stand_ins_are_withheld(name: str) -> None:
    assert "can't be imported in a world" in alone(imports, name, "").output("imports")


def which_kind() -> None:
    import asyncio
    import queue

    print(asyncio.Future.__module__, queue.SimpleQueue.__module__)


def test_their_fallbacks_are_there() -> None:
    assert alone(which_kind).lines("which_kind") == ["asyncio.futures queue"]


# Third: the audit hook, for what a program finds by an alias to a real module.


_SINCE_3_12 = pytest.mark.skipif(sys.version_info < (3, 12), reason="no audit event before 3.12")
_SINCE_3_13 = pytest.mark.skipif(sys.version_info < (3, 13), reason="no audit event before 3.13")


def real(name: str) -> ModuleType:
    """Find a module of the interpreter's own, which a guest never gets from ``import``."""
    return modules.HOST.modules[name]


def goes_behind(name: str) -> None:
    if name == "socket":
        real("_socket").socket()
    elif name == "getaddrinfo":
        real("_socket").getaddrinfo("localhost", 80)
    elif name == "sleep":
        real("time").sleep(0.001)
    elif name == "system":
        real("posix").system("true")
    elif name == "fork":
        real("posix").fork()
    elif name == "kill":
        real("posix").kill(1, 0)
    elif name == "mkdir":
        real("posix").mkdir("/tmp/never")
    elif name == "thread":
        real("_thread").start_new_thread(print, ())


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("socket", "socket.__new__"),
        ("getaddrinfo", "socket.getaddrinfo"),
        pytest.param("sleep", "time.sleep", marks=_SINCE_3_13),
        ("system", "os.system"),
        ("fork", "os.fork"),
        ("kill", "os.kill"),
        ("mkdir", "os.mkdir"),
        pytest.param("thread", "_thread.start_new_thread", marks=_SINCE_3_12),
    ],
)
def test_a_real_function_is_refused_by_its_event(name: str, event: str) -> None:
    assert refused(goes_behind, name).startswith(f"the real {event} is not simulated")


def opens_a_file(path: str, mode: str) -> None:
    with open(path, mode) as file:
        print(len(file.read(1)))


@pytest.mark.parametrize("path", ["/dev/net/tun", "/dev/tty", "/proc/net/tcp", "/sys/class/net"])
def test_the_machine_is_not_opened(path: str) -> None:
    assert f"opening {path!r} is not simulated" in refused(opens_a_file, path, "rb")


@pytest.mark.parametrize("mode", ["w", "a", "x", "r+", "wb"])
def test_no_file_is_written(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert f"opening {str(path)!r} for writing" in refused(opens_a_file, str(path), mode)
    assert not path.exists()


def test_files_are_read() -> None:
    assert alone(opens_a_file, __file__, "r").lines("opens_a_file") == ["1"]
    assert alone(opens_a_file, os.devnull, "r").lines("opens_a_file") == ["0"]


# All of them.


def swallows() -> None:
    try:
        os.fork()
    except BaseException:  # noqa: BLE001  what the test is about
        print("never mind")
    time.sleep(1)
    print("never")


def test_a_program_that_swallows_the_refusal_is_stopped_all_the_same() -> None:
    stage = Stage()
    stage.start(swallows)
    with pytest.raises(NotPossibleHereError, match=r"posix\.fork .*swallows, test_fence\.py:\d+"):
        stage.run()
    assert stage.lines("swallows") == ["never mind"]


def test_outside_a_guest_everything_is_allowed(tmp_path: Path) -> None:
    alone(reads_the_clock)
    (tmp_path / "file").write_text("x")
    os.kill(os.getpid(), 0)
    time.sleep(0)


def test_what_is_refused_outside_stops_no_world() -> None:
    with pytest.raises(fence.FenceError):
        fence.refuse("what a destructor does when everything is over")
    assert alone(reads_the_clock).end("reads_the_clock") == "exit 0"


class Inside:
    name = "a guest"

    def where(self) -> str:
        return ""


def test_another_thread_of_the_interpreter_is_nobodys_guest(tmp_path: Path) -> None:
    done: list[str] = []
    inside = threading.Event()

    def write() -> None:
        inside.wait()
        (tmp_path / "file").write_text("x")
        done.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    fence.enter(Inside())
    try:
        inside.set()
        thread.join()
    finally:
        fence.leave()
    assert done == ["written"]
