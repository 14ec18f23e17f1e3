"""House style, rule 11: no walk over a set, no order by ``id()`` or ``hash()``. A heuristic.

What it takes for a set: a set display or comprehension, ``set()`` and ``frozenset()``, set
arithmetic on one, and names and attributes that are annotated as, or assigned, one of these.
"""

import ast
from collections.abc import Iterator
from typing import Final

import pytest
from tests.architecture import sources

_MAKERS: Final = {"set", "frozenset"}
_TYPES: Final = {"set", "frozenset", "Set", "AbstractSet", "MutableSet"}
#: Functions that walk their argument in its order.
_WALKERS: Final = {
    "list",
    "tuple",
    "enumerate",
    "iter",
    "map",
    "filter",
    "zip",
    "deque",
    "reversed",
}
#: Functions whose result does not depend on the order.
_ORDERLESS: Final = {"sorted", "any", "all", "sum", "len", "set", "frozenset"}
_CHOOSERS: Final = {"sorted", "min", "max", "sort"}


def _names_of(tree: ast.AST) -> set[str]:
    """Collect names and attributes that hold sets."""
    found = set()
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.AnnAssign) and (
            _is_set_type(node.annotation) or (node.value and _is_set(node.value, frozenset()))
        ):
            targets = [node.target]
        elif isinstance(node, ast.Assign) and _is_set(node.value, frozenset()):
            targets = node.targets
        elif isinstance(node, ast.arg) and node.annotation and _is_set_type(node.annotation):
            found.add(node.arg)
        for target in targets:
            if isinstance(target, ast.Name):
                found.add(target.id)
            elif isinstance(target, ast.Attribute):
                found.add("." + target.attr)
    return found


def _is_set_type(node: ast.expr) -> bool:
    base = node.value if isinstance(node, ast.Subscript) else node
    return isinstance(base, ast.Name) and base.id in _TYPES


def _is_set(node: ast.expr, names: frozenset[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in _MAKERS
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(attr=name):
            return "." + name in names or (name.isupper() and name in names)
        case ast.BinOp(left=left, right=right, op=ast.BitOr() | ast.BitAnd() | ast.Sub()):
            return _is_set(left, names) or _is_set(right, names)
        case _:
            return False


def _walked(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that this node walks in order."""
    match node:
        case ast.For(iter=walked) | ast.comprehension(iter=walked) | ast.YieldFrom(value=walked):
            yield walked
        case ast.Starred(value=walked):
            yield walked
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _WALKERS:
            yield from arguments
        case ast.Call(func=ast.Attribute(attr="join" | "extend"), args=arguments):
            yield from arguments
        case ast.Call(func=ast.Attribute(value=walked, attr="pop"), args=[]):
            yield walked
        case _:
            pass


def unordered(tree: ast.Module, names: frozenset[str]) -> list[tuple[int, str]]:
    """Return line number and complaint for whatever depends on an order that is none."""
    harmless = set()
    for node in ast.walk(
        tree
    ):  # sorted(x for x in a_set) has an order again; any() and all() need none
        if isinstance(node, (ast.SetComp, ast.Set)):
            harmless |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _ORDERLESS:
            harmless |= {id(part) for one in node.args for part in ast.walk(one)}
    found = []
    for node in ast.walk(tree):
        if id(node) not in harmless:
            found += [
                (walked.lineno, f"walks over a set: {ast.unparse(walked)}")
                for walked in _walked(node)
                if _is_set(walked, names)
            ]
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            keys = [word.value for word in node.keywords if word.arg == "key"]
            for key in keys if name in _CHOOSERS else []:
                inner = {part.id for part in ast.walk(key) if isinstance(part, ast.Name)}
                if inner & {"id", "hash"}:
                    found.append((node.lineno, f"orders by {ast.unparse(key)}"))
    return found


def test_nothing_depends_on_the_order_of_a_set() -> None:
    trees = {path: sources.tree_of(path) for path in sources.modules()}
    everywhere = (name for tree in trees.values() for name in _names_of(tree))
    shared = {name for name in everywhere if name.isupper() and not name.startswith("_")}
    found = []
    for path, tree in trees.items():
        names = frozenset(_names_of(tree) | shared)
        found += [f"{sources.place(path, line)}: {what}" for line, what in unordered(tree, names)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "for x in {1, 2}: pass",
        "s = set()\nfor x in s: pass",
        "s: set[int] = f()\nlist(s)",
        "def f(s: frozenset[int]): return [x for x in s]",
        "self.s = set()\nfor x in self.s: pass",
        "s = {1}\ns.pop()",
        "s = {1}\n','.join(s)",
        "s = {1}\nt = [*s]",
        "s = {1}\nfor x in s - {2}: pass",
        "sorted(xs, key=id)",
        "xs.sort(key=lambda x: hash(x))",
    ],
)
def test_disorder_is_seen(code: str) -> None:
    tree = ast.parse(code)
    assert unordered(tree, frozenset(_names_of(tree)))


@pytest.mark.parametrize(
    "code",
    [
        "s = {1}\nfor x in sorted(s): pass",
        "s = {1}\n2 in s",
        "s = {1}\nany(x > 1 for x in s)",
        "d = {}\nfor x in d: pass",
        "d = {1: 2}\nd.pop(1)",
        "sorted(xs, key=len)",
    ],
)
def test_order_is_let_pass(code: str) -> None:
    tree = ast.parse(code)
    assert not unordered(tree, frozenset(_names_of(tree)))
