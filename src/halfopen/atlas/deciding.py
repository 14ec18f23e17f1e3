"""Finds, in a run of the sources, the function that decided, and what it cites.

While something happens to a connection, the stack is watched line by line. The deciding function is
that of RFC 9293's checks, or of the user's calls, which moved the state; else the last that changed
anything; else the last that looked. The compiled build can't be watched so: Python sees no frames
in it.
"""

import ast
import re
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from halfopen.base.value import value

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_WATCHED: Final = ("halfopen.tcp.", "halfopen.net.", "halfopen.sockets.")
#: Where decisions are made: RFC 9293 3.10.7, where checks decide ...
_CHECKS: Final = re.compile(r"halfopen\.tcp\.(arrives\.\w+|text)")
#: ... and 3.10.1 to 3.10.6, 3.10.8 and the socket calls above, where every public function does.
_CALLS: Final = re.compile(
    r"halfopen\.(tcp\.(calls|icmp|deadlines)|net\.icmp"
    r"|sockets\.(connect|listen|transfer|shutdown))"
)
#: These pass on to the one that decides, unless they move the state themselves.
_DISPATCH: Final = frozenset(
    {"segment_arrives", "deadline_passed", "_transmit_passed", "to_tcp", "_nobody_listens"}
)
#: These decide nothing.
_LOOKS: Final = frozenset({"next_deadline", "_note"})
_ORDINAL: Final = re.compile(r"(First|Second|Third|Fourth|Fifth|Sixth|Seventh|Eighth)\b")
_RFC: Final = re.compile(r"RFC \d{3,4}(?: \d+(?:\.\d+)*)?(?: (?:and|to) \d+(?:\.\d+)*)?")
_KERNEL: Final = re.compile(r"Linux ((?:_*[a-z]\w*_\w+(?:, | and )?)+)")
_FUNCTION: Final = re.compile(r"_*[a-z]\w*_\w+")
#: A citation in brackets; and what begins a paragraph that says nothing of what is decided.
_BRACKETED: Final = re.compile(r" \((?:RFC|Linux) [^)]*\)|[;.] (?:True|False|Requires): [^.]*")
_ASIDE: Final = ("RFC ", "Linux ", "Raises ", "Requires: ", "True", "False")
_TAG: Final = re.compile(r"#.*?\bLINUX\(([^)]*)\)")

#: A module and a function.
Place: TypeAlias = tuple[str, str]


@value
class Decider:
    """A function of ours, and where its reason is written."""

    path: str  # as in tcp/arrives/syn_sent.py
    function: str
    says: str  # its docstring, without the citations
    rfc: tuple[str, ...]
    kernel: tuple[str, ...]

    @property
    def name(self) -> str:
        """File and function in a line."""
        return f"{self.path} {self.function}"


@value
class Watched:
    """What was seen while something happened."""

    decider: Decider | None
    tags: tuple[str, ...]  # the LINUX departures on the lines that ran


class _Entered:
    """A deciding function that runs, and what was so when it began."""

    def __init__(self, frame: FrameType, state: object, rest: object) -> None:
        self.frame = frame
        self.state = state
        self.rest = rest
        self.moved = False  # one inside it has moved the state
        self.changed = False  # or changed something else


class Watch:
    """Watches the stack while a ``with`` block runs; ``seen`` says what it saw.

    ``look`` gives the connection's state, and whatever else may change.
    """

    def __init__(self, look: Callable[[], tuple[object, object]]) -> None:
        self._look = look
        self._stack: list[_Entered] = []
        self._moved: Place | None = None
        self._changed: Place | None = None
        self._looked: Place | None = None
        self._passed: Place | None = None
        self._lines: dict[tuple[str, int], None] = {}
        self._before: TraceFunction | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        """End; a debugger, or whoever measures coverage, goes on."""
        sys.settrace(self._before)

    def seen(self) -> Watched:
        """Say who decided."""
        found = self._moved or self._changed or self._looked or self._passed
        tags: dict[str, None] = {}
        for path, line in self._lines:
            for tag in _tags_at(path).get(line, ()):
                tags[tag] = None
        return Watched(decider=None if found is None else _decider(*found), tags=tuple(tags))

    def _called(self, frame: FrameType, event: str, argument: object) -> "TraceFunction | None":  # noqa: ARG002  as Python calls it
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(_WATCHED):
            return None
        if self._decides(frame, module):
            self._stack.append(_Entered(frame, *self._look()))
        return self._stepped

    def _decides(self, frame: FrameType, module: str) -> bool:
        """Whether a function is one that may decide, and not a helper of one."""
        checks, calls = _CHECKS.fullmatch(module), _CALLS.fullmatch(module)
        function = frame.f_code.co_name
        if function in _LOOKS or _is_part(frame) or not (checks or calls):
            return False
        if function in _DISPATCH:
            self._passed = (module, function)
            return True
        caller = frame.f_back
        while caller is not None and _is_part(caller):
            caller = caller.f_back
        if caller is None or caller.f_code.co_name not in _DISPATCH:
            helper = not function.startswith("check_") if checks else function.startswith("_")
            if helper:
                return False
        self._looked = (module, function)
        return True

    def _stepped(self, frame: FrameType, event: str, argument: object) -> "TraceFunction | None":  # noqa: ARG002  as Python calls it
        if event == "line":
            self._lines[frame.f_code.co_filename, frame.f_lineno] = None
        elif event == "return" and self._stack and self._stack[-1].frame is frame:
            self._returned(frame)
        return self._stepped

    def _returned(self, frame: FrameType) -> None:
        """Note what a function did that none of those inside it had done."""
        entered = self._stack.pop()
        state, rest = self._look()
        moved, changed = state != entered.state, rest != entered.rest
        place = (frame.f_globals["__name__"], frame.f_code.co_name)
        if moved and not entered.moved:
            self._moved = place
        if changed and not entered.changed and place[1] not in _DISPATCH:
            self._changed = place
        if self._stack:
            self._stack[-1].moved |= moved
            self._stack[-1].changed |= changed


def _is_part(frame: FrameType) -> bool:
    """Whether a frame is a generator expression's or the like: a part of the function around it."""
    return frame.f_code.co_name.startswith("<")


@cache
def _decider(module: str, function: str) -> Decider:
    """Read what a function says of itself, and what it cites."""
    path = _path(module)
    source = path.read_text()
    tree = ast.parse(source)
    place = next(
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    doc = cleandoc(ast.get_docstring(place) or "")
    whole = _joined(ast.get_docstring(tree) or "")
    lines = source.splitlines()[place.lineno - 1 : place.end_lineno]
    comments = _joined(" ".join(line.partition("#")[2] for line in lines))
    said = f"{_joined(doc)} {comments}"
    section = _RFC.findall(whole)[:1]
    rfc = _RFC.findall(said)
    ordinal = _ORDINAL.match(doc)
    if section and (_CHECKS.fullmatch(module) or not rfc):
        step = f", {ordinal[1].lower()}" if ordinal else ""
        rfc = [section[0] + step, *(cited for cited in rfc if cited != section[0])]
    kernel = _functions(said) or _functions(whole)
    return Decider(
        path=path.relative_to(_path("halfopen").parent).as_posix(),
        function=function,
        says=_said(doc),
        rfc=tuple(dict.fromkeys(rfc)),
        kernel=tuple(dict.fromkeys(kernel)),
    )


def _path(module: str) -> Path:
    return Path(str(import_module(module).__file__))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _said(doc: str) -> str:
    """Take what a docstring says, without its citations and what is the caller's affair."""
    said = [part for part in doc.split("\n\n") if not part.startswith(_ASIDE)]
    return _BRACKETED.sub("", _joined(" ".join(said))).replace("``", "")


def _functions(text: str) -> list[str]:
    """List the kernel functions that a text cites."""
    return [name for found in _KERNEL.findall(text) for name in _FUNCTION.findall(found)]


@cache
def _tags_at(path: str) -> dict[int, tuple[str, ...]]:
    """Find the departures that a file marks, by the line that departs."""
    found: dict[int, tuple[str, ...]] = {}
    above: tuple[str, ...] = ()
    for number, line in enumerate(Path(path).read_text().splitlines(), start=1):
        here = tuple(_TAG.findall(line))
        if line.lstrip().startswith("#"):
            above += here
        elif line.strip():
            if above + here:
                found[number] = above + here
            above = ()
    return found
