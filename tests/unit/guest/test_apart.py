"""Processes share nothing: modules, globals, chance, streams, numbers; each sees its own host."""
# ruff: noqa: T201  programs print

import asyncio
import json
import logging
import os
import random
import secrets
import socket
import sys
import threading
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Callable

import pytest
from tests.unit.guest.guests import Stage, alone

from halfopen.base.units import MS
from halfopen.guest import modules

count = 0
box: list[str] = []


def counts(name: str) -> None:
    global count  # noqa: PLW0603  what the test is about
    for _ in range(3):
        count += 1
        box.append(name)
        time.sleep(1)
    print(count, box)


def test_globals_are_a_processs_own() -> None:
    stage = Stage()
    stage.start(counts, "one", name="one")
    stage.start(counts, "two", name="two")
    stage.start(counts, "far", host="b", name="far")
    stage.run()
    assert stage.output("one") == "3 ['one', 'one', 'one']\n"
    assert stage.output("two") == "3 ['two', 'two', 'two']\n"
    assert stage.output("far") == "3 ['far', 'far', 'far']\n"
    assert (count, box) == (0, [])


def tinkers() -> None:
    """Change what a process can change of the library and of ``sys``."""
    logging.getLogger().setLevel(logging.DEBUG)
    logging.addLevelName(5, "FINE")
    warnings.simplefilter("ignore")
    socket.setdefaulttimeout(5)
    random.seed(1)
    time.sleep = print
    threading.current_thread().name = "tinkerer"
    os.environ["TINKERED"] = "yes"
    sys.path.append("/tinkered")
    sys.argv.append("tinkered")
    sys.stdout = sys.stderr
    sys.excepthook = print
    socket.socket.tinkered = True  # type: ignore[attr-defined]


def looks() -> None:
    time.sleep(1)
    print(
        logging.getLogger().level,
        logging.getLevelName(5),
        warnings.filters[0],
        socket.getdefaulttimeout(),
        threading.current_thread().name,
        os.environ.get("TINKERED"),
        "/tinkered" in sys.path,
        len(sys.argv),
        sys.stdout is sys.stderr,
        sys.excepthook is sys.__excepthook__,
        hasattr(socket.socket, "tinkered"),
    )


def test_what_one_changes_no_other_sees() -> None:
    before = alone(looks).output("looks")
    path, hook, filters, level = (
        (*sys.path,),
        sys.excepthook,
        [*warnings.filters],
        logging.root.level,
    )
    stage = Stage()
    stage.start(tinkers)
    stage.start(looks)
    stage.run()
    assert stage.end("tinkers") == "exit 0"
    assert stage.output("looks") == before
    assert path == (*sys.path,)
    assert sys.excepthook is hook
    assert warnings.filters == filters
    assert logging.root.level == level
    assert "TINKERED" not in os.environ


def warns() -> None:
    warnings.warn("careful", DeprecationWarning, stacklevel=1)
    warnings.warn("careful", UserWarning, stacklevel=1)
    print(sys.warnoptions, [each[0] for each in warnings.filters])


def test_the_interpreters_own_filters_of_warnings_are_not_a_guests() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stage = alone(warns)
    assert stage.end("warns") == "exit 0"
    assert stage.lines("warns") == ["[] ['default', 'ignore', 'ignore', 'ignore', 'ignore']"]
    assert "UserWarning: careful" in stage.output("warns", 2)
    assert "DeprecationWarning" not in stage.output("warns", 2)


# Chance.


def draws() -> None:
    print(
        random.random(),
        random.Random().random(),
        random.SystemRandom().random(),
        os.urandom(4),
        secrets.token_hex(4),
        uuid.uuid4(),
        hash(object()) is not None,
    )


def _drawn(seed: int, *names: str) -> list[str]:
    stage = Stage(seed)
    for name in names:
        stage.start(draws, name=name)
    stage.start(draws, host="b", name="far")
    stage.run()
    return [stage.output(name) for name in (*names, "far")]


def test_chance_comes_from_the_seed_and_differs_from_process_to_process() -> None:
    first = _drawn(1, "p", "q")
    assert _drawn(1, "p", "q") == first
    assert len(set(first)) == 3
    assert not set(_drawn(2, "p", "q")) & set(first)


def test_the_interpreters_own_chance_is_left_alone() -> None:
    random.seed(5)
    state = random.getstate()
    alone(draws)
    assert random.getstate() == state


# Numbers, names, places.


def introduces_itself() -> None:
    print(socket.gethostname(), os.uname().nodename, os.getpid(), __name__)


def test_each_knows_its_own_host_and_number() -> None:
    stage = Stage()
    pids = [
        stage.start(introduces_itself, name="here").process.pid,
        stage.start(introduces_itself, host="b", name="there").process.pid,
    ]
    stage.run()
    assert stage.output("here") == f"a a {pids[0]} {__name__}\n"
    assert stage.output("there") == f"b b {pids[1]} {__name__}\n"


def resolves(name: str) -> None:
    found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    print([address[4] for address in found])


@pytest.mark.parametrize(
    ("name", "address"),
    [("a", "10.0.0.1"), ("b", "10.0.0.2"), ("B", "10.0.0.2")],
)
def test_names_of_hosts_are_resolved(name: str, address: str) -> None:
    assert alone(resolves, name).output("resolves") == f"[('{address}', 80)]\n"


@pytest.mark.parametrize("name", ["c", "example.com", "a.b", "b.", "300.1.1.1"])
def test_other_names_are_not(name: str) -> None:
    end = alone(resolves, name).end("resolves")
    assert end == "uncaught gaierror: [Errno -3] Temporary failure in name resolution"


def names(address: str) -> None:
    print(socket.gethostbyaddr(address), socket.getfqdn(address))
    print(socket.getnameinfo((address, 80), 0), socket.gethostbyname_ex("b"))


def test_addresses_are_named() -> None:
    lines = alone(names, "10.0.0.2").lines("names")
    assert lines == [
        "('b', [], ['10.0.0.2']) b",
        "('b', 'http') ('b', [], ['10.0.0.2'])",
    ]


def connects_by_name() -> None:
    with socket.create_connection(("b", 80)) as sock:
        print(sock.getpeername(), sock.recv(100))


def greets() -> None:
    with socket.create_server(("", 80)) as listener:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"hello")


def test_a_connection_by_name() -> None:
    stage = Stage()
    stage.start(greets, host="b")
    stage.start(connects_by_name)
    stage.run()
    assert stage.output("connects_by_name") == "('10.0.0.2', 80) b'hello'\n"


def opens_many(total: int) -> None:
    kept = [socket.socket() for _ in range(total)]
    print(kept[0].fileno(), kept[-1].fileno() - kept[0].fileno())


def test_descriptors_are_numbered_in_each_process_from_the_same_number() -> None:
    stage = Stage()
    stage.start(opens_many, 3, name="one")
    stage.start(opens_many, 3, name="two")
    stage.run()
    assert stage.output("one") == stage.output("two") == "65539 2\n"


def opens_too_many() -> None:
    kept = []
    try:
        while True:
            kept.append(socket.socket())
    except OSError as error:
        print(error.errno, len(kept))


def test_a_process_has_so_many_descriptors_as_ulimit_says() -> None:
    assert alone(opens_too_many).output("opens_too_many") == "24 1021\n"


# Loops: asyncio knows them by the thread of the operating system, which all guests share.


async def beats(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.25)
        print(asyncio.get_running_loop().time() - 100)


async def numbers(loop: asyncio.AbstractEventLoop) -> AsyncIterator[int]:
    try:
        while True:
            yield 1
            await asyncio.sleep(0.1)
    finally:
        print("finished by its own loop", asyncio.get_running_loop() is loop)


async def leaves_a_generator(seconds: float) -> None:
    await asyncio.sleep(0.1)
    left = numbers(asyncio.get_running_loop())
    async for _ in left:
        break
    await asyncio.sleep(seconds)


def runs_a_loop(times: int) -> None:
    asyncio.run(beats(times))


def runs_and_leaves(seconds: float) -> None:
    asyncio.run(leaves_a_generator(seconds))


def test_two_loops_in_two_processes_go_on_side_by_side() -> None:
    stage = Stage()
    stage.start(runs_a_loop, 2, name="short")
    stage.start(runs_a_loop, 4, host="b", name="long")
    stage.run()
    assert stage.lines("short") == ["0.25", "0.5"]
    assert stage.lines("long") == ["0.25", "0.5", "0.75", "1.0"]


def test_each_loop_finishes_its_own_generators() -> None:
    stage = Stage()
    for name, seconds in (("one", 1.0), ("two", 0.5), ("three", 2.0)):
        stage.start(runs_and_leaves, seconds, name=name)
        stage.run(stage.world.now + 10 * MS)
    stage.run()
    for name in ("one", "two", "three"):
        assert stage.lines(name) == ["finished by its own loop True"], name


# The interpreter's own.


def imports() -> None:
    import xmlrpc.client  # noqa: F401

    print("xmlrpc.client" in sys.modules, "pytest" in sys.modules)


def reads_what_is_no_json() -> None:
    for text in ("{", '["open', "nonsense"):
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            print(error.msg)


def test_an_error_that_c_code_looks_up_by_its_module_is_found() -> None:
    """The scanner of json, in C, finds JSONDecodeError in ``sys.modules``."""
    printed = alone(reads_what_is_no_json).output("reads_what_is_no_json").splitlines()
    assert printed == [
        "Expecting property name enclosed in double quotes",
        "Unterminated string starting at",
        "Expecting value",
    ]


def test_the_interpreters_modules_come_back() -> None:
    before = {**sys.modules}
    attributes = (sys.stdout, sys.stderr, sys.path, sys.argv, sys.meta_path)
    assert alone(imports).lines("imports") == ["True True"]
    more = {name for name in sys.modules if name not in before}
    assert {name: sys.modules[name] for name in before} == before
    assert [name for name in sorted(more) if not modules.is_shared(name)] == []
    assert attributes == (sys.stdout, sys.stderr, sys.path, sys.argv, sys.meta_path)


@pytest.mark.parametrize("program", [draws, resolves, looks])
def test_a_run_is_the_same_every_time(program: Callable[..., object]) -> None:
    args = ("b",) if program is resolves else ()
    assert alone(program, *args).trace.dumps() == alone(program, *args).trace.dumps()
