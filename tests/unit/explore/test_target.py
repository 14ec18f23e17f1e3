"""A target that can't be loaded says what is wrong, where, and what to do next."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from halfopen.base.errors import MisuseError, NotPossibleHereError
from halfopen.explore.target import build, split

GOOD = """
import socket
from halfopen import World

def serve():
    socket.create_server(("", 80)).accept()

def world():
    world = World(seed=7)
    world.host("server").start(serve)
    return world
"""


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Leave no trace in this interpreter's modules, nor in its path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(text: str, name: str = "shop.py") -> None:
    Path(name).write_text(text)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("shop.py", ("shop.py", "world")),
        ("shop.py:small", ("shop.py", "small")),
        ("a:b/shop.py:small", ("a:b/shop.py", "small")),
    ],
)
def test_a_target_is_a_file_and_a_function(target: str, parts: tuple[str, str]) -> None:
    assert split(target) == parts


def test_a_world_is_set_up_with_its_own_seed_or_the_one_asked_for() -> None:
    write(GOOD)
    stage = build("shop.py", None)
    assert list(stage.world.hosts) == ["server"]
    assert stage.world.seed == 7
    assert build("shop.py:world", 3).world.seed == 3


def test_its_directory_is_searched_for_its_imports(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write("COLOUR = 'red'", "deep/paint.py")
    write(f"import paint\n{GOOD}", "deep/shop.py")
    assert build("deep/shop.py", None).world.hosts


@pytest.mark.parametrize(
    ("case", "text", "target", "said"),
    [
        ("no file", "", "shpo.py:world", r"no file 'shpo.py' \(here: .*\)\. Nearest: shop\.py\."),
        ("directory", "", ".", r"^'\.' is a directory\. .*: client\.py:world$"),
        ("no directory", "", "x/shop.py", r"no file 'x/shop.py': there is no directory 'x'"),
        ("not Python", "", "shop.txt", r"shop\.txt is no Python file"),
        ("no name", "", "shop.py:", r"not a target: 'shop\.py:'.*client\.py:world"),
        ("no identifier", "", "shop.py:a-b", r"not a target"),
        (
            "no function",
            "def f(): 0",
            "shop.py",
            r"no function 'world'. It has: f.\n.* name yours, as in: shop.py:NAME$",
        ),
        ("misspelt", "def world(): 0", "shop.py:wrold", r"no function 'wrold'. Nearest: world."),
        ("nothing there", "", "shop.py", r"no function 'world'. It has none."),
        ("no function but", "world = 3", "shop.py", r"shop.py:world is no function, but int"),
        (
            "coroutine function",
            "async def world(): pass",
            "shop.py",
            r"shop.py:world is a coroutine function: .* plain function .* asyncio\.run\(world\(",
        ),
        ("raises", "def world():\n 1 / 0", "shop.py", r"it raised ZeroDivision.*\(shop\.py:2\)"),
        ("exits", "def world():\n raise SystemExit(3)", "shop.py", r"SystemExit: 3 \(shop.py:2\)"),
        ("takes arguments", "def world(x): 0", "shop.py", r"missing 1 required positional"),
        ("returns nothing", "def world(): pass", "shop.py", r"returned nothing.*\n.*return world"),
        ("returns else", "def world(): return 3", "shop.py", r"shop.py:world returned int 3"),
        ("syntax", "def f(:", "shop.py", r"can't be loaded:\n.*SyntaxError.*\(shop\.py:1\)"),
        ("import", "import nowhere", "shop.py", r"No module named 'nowhere' \(shop\.py:1\)"),
        (
            "empty world",
            "from halfopen import World\ndef world(): return World()",
            "shop.py",
            r"a world in which no program starts\.\n.*client\.start",
        ),
        (
            "misbuilt",
            "from halfopen import World\ndef world():\n w = World()\n w.host('a')\n w.host('a')",
            "shop.py",
            r"two hosts are named 'a'.*\(shop\.py:5\)",
        ),
    ],
)
def test_what_is_no_target_says_so(case: str, text: str, target: str, said: str) -> None:
    write(text)
    write("", "shop.txt")
    with pytest.raises(MisuseError, match=f"(?s){said}"):
        build(target, None)
    assert case


SERVES = """
import socket, threading

def serve():
    socket.create_server(("127.0.0.1", 0)).accept()

def ask():
    socket.create_connection(("localhost", 1))

def swallows():
    try:
        ask()
    except BaseException:
        pass

def in_a_thread():
    thread = threading.Thread(target=swallows)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("serve", r"opened a socket while it made its world \(shop\.py:5\)\."),
        ("ask", r"asked for the address of a name \(getaddrinfo\) while .* \(shop\.py:8\)\."),
        ("swallows", r"asked for .* \(getaddrinfo\) while it made its world \(shop\.py:8\)\."),
        ("in_a_thread", r"asked for .* \(getaddrinfo\) while it made its world \(shop\.py:8\)\."),
    ],
)
def test_a_program_named_instead_of_a_world_reaches_no_network(name: str, said: str) -> None:
    write(SERVES)
    said += rf"\n  {name} may be a program, .* a function that\n  returns a halfopen\.World"
    said += rf".* client\.start\({name}\)"
    with pytest.raises(MisuseError, match=f"(?s)^shop\\.py:{name} {said}"):
        build(f"shop.py:{name}", None)
    with socket.socket() as sock:  # afterwards everything is allowed again
        sock.bind(("127.0.0.1", 0))


def test_what_a_world_imports_may_try_what_the_machine_has() -> None:
    write("import socket\nsocket.socket().close()", "probing.py")
    write(GOOD.replace("    world = ", "    import probing\n    world = "))
    assert build("shop.py", None).world.hosts


@pytest.mark.parametrize("name", ["select.py", "threading.py", "json.py"])
def test_a_file_named_as_a_module_that_python_needs_is_refused(name: str) -> None:
    write(GOOD, name)
    with pytest.raises(MisuseError, match="rename the file"):
        build(name, None)


def test_what_is_not_possible_stays_that() -> None:
    write("from halfopen import NotPossibleHereError\ndef world(): raise NotPossibleHereError('x')")
    with pytest.raises(NotPossibleHereError):
        build("shop.py", None)


def test_an_interrupt_passes() -> None:
    write("def world(): raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        build("shop.py", None)
