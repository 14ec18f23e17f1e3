"""Loading what is to be explored: a file with a function that returns a ``World``."""

import os
import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from importlib.util import module_from_spec, spec_from_file_location
from inspect import iscoroutinefunction
from types import FunctionType, ModuleType
from typing import Final, TypeVar

from halfopen.base.errors import HalfopenError, MisuseError, NotPossibleHereError
from halfopen.guest import fence, places
from halfopen.guest.fence import FenceError
from halfopen.guest.modules import is_shared
from halfopen.guest.public import World
from halfopen.guest.stage import Stage
from halfopen.guest.standins import STANDINS

#: The function that is meant where a target names none.
DEFAULT: Final = "world"

_SUFFIX: Final = ".py"

T = TypeVar("T")


def build(target: str, seed: int | None) -> Stage:
    """Load the target, let it describe its world, and set that up. ``seed`` None: the world's own.

    Raises MisuseError where the target can't be found, or describes none.
    """
    path, name = split(target)
    module = _loaded(target, path)
    function = _function(module, path, name)
    where = f"{path}:{name}"
    made = _offline(function, path, name)
    if not isinstance(made, World):
        given = "nothing" if made is None else f"{type(made).__name__} {made!r:.40}"
        raise MisuseError(
            f"{where} returned {given}, and not a halfopen.World.\n"
            "  Let it make one, add hosts, links and programs, and end with: return world"
        )
    if not any(host.programs for host in made.hosts.values()):
        raise MisuseError(
            f"{where} returned a world in which no program starts.\n"
            "  Start one on a host, as in: client.start(main)"
        )
    return Stage(made, seed=made.seed if seed is None else seed)


def split(target: str) -> tuple[str, str]:
    """Take ``client.py:world`` apart."""
    path, colon, name = target.rpartition(":")
    if not colon:
        return target, DEFAULT
    if not path or not name.isidentifier():
        raise MisuseError(f"not a target: {target!r}. Give a file and a function: client.py:world")
    return path, name


def _loaded(target: str, path: str) -> ModuleType:
    """Execute the target's file as a module, as ``python FILE`` would find its imports."""
    if not os.path.isfile(path):
        raise MisuseError(_no_file(path))
    if not path.endswith(_SUFFIX):
        raise MisuseError(f"{path} is no Python file. Give one, as in: client.py:world")
    absolute = os.path.abspath(path)
    stem = os.path.basename(path).removesuffix(_SUFFIX)
    if _is_taken(stem, absolute):
        raise MisuseError(
            f"{path} is named as a module that Python needs itself ({stem}): rename the file"
        )
    directory = os.path.dirname(absolute)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    spec = spec_from_file_location(stem, absolute)
    assert spec is not None, f"no module can be made of {absolute}"
    assert spec.loader is not None, f"nothing loads {absolute}"
    module = module_from_spec(spec)
    sys.modules[stem] = module
    _guarded(lambda: spec.loader.exec_module(module), f"{target}: the file can't be loaded")  # type: ignore[union-attr]
    return module


def _is_taken(stem: str, path: str) -> bool:
    """Whether another module has this name, here or in every guest."""
    present = sys.modules.get(stem)
    if present is not None:
        return getattr(present, "__file__", None) != path
    return stem in STANDINS or is_shared(stem)


def _no_file(path: str) -> str:
    if os.path.isdir(path):
        return f"{path!r} is a directory. Give a file in it and a function: client.py:world"
    directory, name = os.path.split(path)
    try:
        there = sorted(os.listdir(directory or "."))
    except OSError:
        return f"no file {path!r}: there is no directory {directory!r} (here: {os.getcwd()})"
    near = get_close_matches(name, [each for each in there if each.endswith(_SUFFIX)])
    hint = f" Nearest: {os.path.join(directory, near[0])}." if near else ""
    return f"no file {path!r} (here: {os.getcwd()}).{hint}"


def _function(module: ModuleType, path: str, name: str) -> Callable[[], object]:
    found = vars(module).get(name)
    if found is None:
        own = [
            each
            for each, what in vars(module).items()
            if isinstance(what, FunctionType) and what.__module__ == module.__name__
        ]
        near = get_close_matches(name, own, n=1)
        there = f"It has: {', '.join(own)}." if own else "It has none."
        raise MisuseError(
            f"{path} has no function {name!r}. {f'Nearest: {near[0]}.' if near else there}\n"
            f"  Write one that returns a halfopen.World, or name yours, as in: {path}:NAME"
        )
    if not callable(found):
        raise MisuseError(
            f"{path}:{name} is no function, but {type(found).__name__}: write a function that "
            "returns a halfopen.World"
        )
    if iscoroutinefunction(found):
        raise MisuseError(
            f"{path}:{name} is a coroutine function: write a plain function that returns a "
            f"halfopen.World; a program may call asyncio.run({name}(...))"
        )
    function: Callable[[], object] = found
    return function


def _offline(function: Callable[[], object], path: str, name: str) -> object:
    """Call a function that is to describe a world: it may be a program, named by mistake."""
    where = f"{path}:{name}"
    try:
        with fence.offline():
            return _guarded(function, f"{where} can't build its world")
    except FenceError as refused:
        raise MisuseError(
            f"{where} {refused} while it made its world{_place(refused)}.\n"
            f"  {name} may be a program, and not what makes the world. Name a function that\n"
            f"  returns a halfopen.World and starts it on a host, as in: client.start({name})"
        ) from refused


def _guarded(call: Callable[[], T], what: str) -> T:
    """Run code of the user's outside every world; say in one line what it raised, and where."""
    try:
        return call()
    except (KeyboardInterrupt, NotPossibleHereError, FenceError):
        raise
    except HalfopenError as error:
        raise MisuseError(f"{what}:\n  {error}{_place(error)}") from error
    except BaseException as error:  # whatever the user's code raises is the user's
        said = traceback.format_exception_only(error)[-1].strip()
        raise MisuseError(f"{what}:\n  it raised {said}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """The innermost line of the user's own that an error went through."""
    shown = places.show(*places.innermost_of_error(error))
    return f" ({shown})" if shown else ""
