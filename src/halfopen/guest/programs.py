"""Finding a program: a function by its file and name, or a script; loaded anew in each guest."""

import importlib
import os
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import FunctionType
from typing import Final

from halfopen.base.errors import MisuseError
from halfopen.base.value import value
from halfopen.guest.modules import KeptSourceLoader, is_shared

_MAIN: Final = "__main__"
_SUFFIX: Final = ".py"


@value
class Reference:
    """Where a program is. ``function`` is empty for a script."""

    path: str
    module: str
    function: str

    @property
    def name(self) -> str:
        """What a process is called by default."""
        return self.function.rpartition(".")[2] or self.module


def function(given: object) -> Reference:
    """Refer to a function.

    Raises MisuseError for what can't be found again by file and name, a lambda or one inside
    another, and for what a call doesn't run: a coroutine function, a generator's.
    """
    if not isinstance(given, FunctionType):
        msg = f"a program is a function or a path to a script, not {given!r}"
        raise MisuseError(msg)
    name = given.__qualname__
    if iscoroutinefunction(given):
        msg = (
            f"the program {name} is a coroutine function: give a plain function that calls "
            f"asyncio.run({name}(...))"
        )
        raise MisuseError(msg)
    if isgeneratorfunction(given) or isasyncgenfunction(given):
        msg = f"the program {name} is a generator function: a call runs nothing, give a plain one"
        raise MisuseError(msg)
    if "<" in name:
        msg = (
            f"the program {name} can't be loaded anew in its process: give a function that stands "
            "at the top level of a file"
        )
        raise MisuseError(msg)
    path = os.path.abspath(given.__code__.co_filename)
    if not os.path.exists(path):
        msg = f"the program {name} stands in no file ({path}): write it into one"
        raise MisuseError(msg)
    return Reference(path=path, module=given.__module__, function=name)


def script(path: str) -> Reference:
    """Refer to a script.

    Raises MisuseError where there is no such file.
    """
    if not os.path.isfile(path):
        msg = f"no program {path!r}: give a function, or the path of a Python file"
        raise MisuseError(msg)
    absolute = os.path.abspath(path)
    return Reference(path=absolute, module=_stem(absolute), function="")


def root(reference: Reference) -> str:
    """The directory from which its module is imported: the first on a guest's ``sys.path``."""
    parts = reference.module.split(".")
    directory = os.path.dirname(reference.path)
    if os.path.basename(reference.path) == f"__init__{_SUFFIX}":
        directory = os.path.dirname(directory)
    if not reference.function or not _fits(reference):
        return directory
    for _ in parts[1:]:
        directory = os.path.dirname(directory)
    return directory


def load(reference: Reference) -> Callable[..., object]:
    """Load a program, in the guest that is to run it. Calling what this returns runs a script."""
    if not reference.function:
        return lambda: _load_as(_MAIN, reference.path)
    if _fits(reference) and not is_shared(reference.module):
        importlib.import_module(reference.module)
        found: object = sys.modules[reference.module]
    else:
        found = _load_as(_stem(reference.path), reference.path)
    for part in reference.function.split("."):
        found = getattr(found, part)
    assert callable(found), f"{reference.function} in {reference.path} is no function any more"
    return found


def _load_as(name: str, path: str) -> object:
    """Execute a file as a module of this name."""
    spec = spec_from_file_location(name, path, loader=KeptSourceLoader(name, path))
    assert spec is not None, f"no module can be made of {path}"
    assert spec.loader is not None, f"nothing loads {path}"
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _fits(reference: Reference) -> bool:
    """Whether the module's name and the file's path end alike: it can be imported by name."""
    if reference.module == _MAIN:
        return False
    plain = reference.path.removesuffix(_SUFFIX).removesuffix(f"{os.sep}__init__")
    return f"{os.sep}{plain}".endswith(os.sep + reference.module.replace(".", os.sep))


def _stem(path: str) -> str:
    return os.path.basename(path).removesuffix(_SUFFIX)
