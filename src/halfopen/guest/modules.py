"""Every process imports for itself, into a table that is in ``sys.modules`` while it runs.

``sys.modules`` stays the one dictionary that the interpreter's C code knows; its contents change,
and with them the attributes of ``sys`` that belong to a process. Measured at 2.4 to 4 µs a swap.

Four kinds of modules. *Stand-ins* take the place of the C modules that reach the machine. *Shared*
ones are the same objects in every process and outside: C modules without state that matters, and
pure ones that neither block nor look at clock, chance or the machine. *Withheld* ones can't be
imported; the library has pure fallbacks for most. Everything else is loaded once for each process
from its source, whose compiled code is kept.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import (
    BuiltinImporter,
    ExtensionFileLoader,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from types import CodeType, ModuleType
from typing import Final

from halfopen.guest import fence
from halfopen.guest.adapted import ADAPTED
from halfopen.guest.refused import Refused

#: C modules without state that matters to a world.
_C: Final = (
    "_abc _ast _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp "
    "_codecs_kr _codecs_tw _collections _contextvars _csv _decimal _elementtree _functools "
    "_hashlib _heapq _imp _io _json _locale _lzma _md5 _multibytecodec _opcode _operator "
    "_pickle _sha1 _sha2 _sha256 _sha3 _sha512 _sre _stat _statistics _string _struct "
    "_suggestions _symtable _sysconfig _tokenize _typing _weakref array audioop "
    "binascii builtins cmath errno gc itertools marshal math pyexpat sys unicodedata zlib "
    "_frozen_importlib _frozen_importlib_external"
)
SHARED_C: Final = frozenset(_C.split())

#: Pure modules that neither block nor look at clock, chance or the machine.
#: With a package go its modules.
_PURE: Final = (
    "__future__ _collections_abc _compat_pickle _compression _opcode_metadata _sitebuiltins "
    "_weakrefset abc ast base64 bisect codecs collections colorsys contextlib contextvars "
    "copy copyreg csv dataclasses decimal _pydecimal difflib dis encodings enum fnmatch "
    "fractions functools hashlib heapq hmac html inspect io ipaddress json keyword linecache "
    "numbers opcode operator pickle pprint quopri re reprlib shlex sre_compile sre_constants "
    "sre_parse stat string stringprep struct symtable textwrap token tokenize traceback types "
    "typing _colorize"
)
SHARED_PURE: Final = frozenset(_PURE.split())

#: Modules in which C code looks for an error to raise, without importing them: by who brings them.
FOUND_BY_C: Final = {"json": ("json.decoder",)}

#: Test frameworks: a file of tests may hold programs, and is loaded in the guest for their sake.
SHARED_TOOLS: Final = frozenset({"pytest", "_pytest", "pluggy", "hypothesis"})

#: Of our own package these are loaded anew: they hold programs, or are the parents of such.
OWN_FRESH: Final = ("halfopen", "halfopen.scenario", "halfopen.scenario.notes")

#: Attributes of ``sys`` that belong to a process.
PER_PROCESS: Final = (
    "argv",
    "path",
    "meta_path",
    "stdin",
    "stdout",
    "stderr",
    "__stdin__",
    "__stdout__",
    "__stderr__",
    "excepthook",
    "unraisablehook",
    "displayhook",
    "dont_write_bytecode",
    "warnoptions",
)


class Table:
    """What ``sys.modules`` and ``sys`` hold while a process runs. While it does, out of date."""

    def __init__(self, modules: dict[str, ModuleType], attributes: dict[str, object]) -> None:
        self.modules = modules
        self.attributes = attributes


#: The interpreter's own, outside every guest.
HOST: Final = Table({}, {})


class _Present:
    def __init__(self) -> None:
        self.table = HOST


_present: Final = _Present()


def enter(table: Table) -> Table:
    """Swap a process's modules in, and return whose were in before."""
    before = _present.table
    if table is before:
        return before
    live = sys.modules
    before.modules = live.copy()
    live.clear()
    live.update(table.modules)
    attributes = vars(sys)
    before.attributes = {name: attributes.get(name) for name in PER_PROCESS}
    attributes.update(table.attributes)
    _present.table = table
    return before


@contextmanager
def hosted() -> Iterator[None]:
    """Do our own work in a guest's greenlet: with the interpreter's own modules, past the fence."""
    before = enter(HOST)
    try:
        with fence.lifted():
            yield
    finally:
        enter(before)


def is_shared(name: str) -> bool:
    """Say whether a module is the same object in every process."""
    root = name.partition(".")[0]
    if root == "halfopen":
        return name not in OWN_FRESH and not name.startswith("halfopen.scenario.notes.")
    return name in SHARED_C or root in SHARED_PURE or root in SHARED_TOOLS


class StandinLoader(Loader):
    """Makes a stand-in for the process that imports it."""

    def __init__(self, make: Callable[[], ModuleType]) -> None:
        self.make = make

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002  as its base has it
        """Make it."""
        return self.make()

    def exec_module(self, module: ModuleType) -> None:
        """It was complete when it was made."""


class SharedLoader(Loader):
    """Gives the interpreter's own module, imported outside if it was not yet."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the machinery make an empty one, since it writes into what it gets."""

    def exec_module(self, module: ModuleType) -> None:
        """Take the place of the empty one."""
        name = module.__name__
        with hosted():
            real = importlib.import_module(name)
        sys.modules[name] = real
        for known in FOUND_BY_C.get(name, ()):
            importlib.import_module(known)


class KeptSourceLoader(SourceFileLoader):
    """Loads from source, compiled once however many processes load it."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Compile, or give what was compiled while the file was the same."""
        status = os.stat(self.path)
        key = (fullname, self.path, status.st_mtime_ns, status.st_size)
        code = _codes.get(key)
        if code is None:
            code = super().get_code(fullname)
            if code is not None:
                _codes[key] = code
        return code

    def exec_module(self, module: ModuleType) -> None:
        """Execute it, and change what a world needs changed."""
        super().exec_module(module)
        adapt = ADAPTED.get(module.__name__)
        if adapt is not None:
            adapt(module)


_codes: Final[dict[tuple[str, str, int, int], CodeType]] = {}


class Finder(MetaPathFinder):
    """The only finder on a guest's ``sys.meta_path``."""

    def __init__(self, standins: Mapping[str, Callable[[], ModuleType]]) -> None:
        self.standins = standins

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Decide which of the four kinds a module is.

        Raises Refused for a withheld one.
        """
        make = self.standins.get(fullname)
        if make is not None:
            return ModuleSpec(fullname, StandinLoader(make), origin="halfopen stand-in")
        if is_shared(fullname):
            return _shared_spec(fullname)
        if fullname in sys.builtin_module_names:
            raise _refused(fullname, "built in")
        spec = PathFinder.find_spec(fullname, path, target) or _find_as_host(fullname, path)
        if spec is None:
            return None
        if isinstance(spec.loader, ExtensionFileLoader):
            raise _refused(fullname, spec.origin or "")
        if isinstance(spec.loader, SourceFileLoader):
            spec.loader = KeptSourceLoader(spec.loader.name, spec.loader.path)
        return spec

    #: What ``importlib.metadata`` asks every finder for.
    find_distributions = staticmethod(PathFinder.find_distributions)


def _shared_spec(name: str) -> ModuleSpec | None:
    """Say that a shared module can be had, if it can."""
    if name not in HOST.modules:
        with hosted():
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
                return None
    spec = ModuleSpec(name, SharedLoader(), origin="shared")
    if hasattr(HOST.modules[name], "__path__"):
        spec.submodule_search_locations = []
    return spec


def _refused(name: str, origin: str) -> Refused:
    return Refused(
        f"{name!r} can't be imported in a world: an extension module ({origin}) that could reach "
        "the real machine and has no stand-in",
        name=name,
    )


def _find_as_host(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Ask the interpreter's other finders, as editable installs add them."""
    for finder in HOST.attributes["meta_path"]:  # type: ignore[attr-defined]
        if finder in {BuiltinImporter, FrozenImporter, PathFinder}:
            continue
        if type(finder).__module__.startswith("_pytest"):
            continue  # it rewrites assertions
        spec: ModuleSpec | None = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None


def first_modules() -> dict[str, ModuleType]:
    """Give what every process begins with: the modules that importing and ``print`` need."""
    names = (
        "builtins",
        "sys",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "_imp",
        "_io",
        "_weakref",
        "marshal",
        "_codecs",
        "codecs",
        "encodings",
        "encodings.aliases",
        "encodings.utf_8",
        "_abc",
        "abc",
        "io",
        "dataclasses",  # shared, and looks itself up here when ``@value`` calls it
    )
    present = sys.modules if _present.table is HOST else HOST.modules
    return {name: present[name] for name in names if name in present}
