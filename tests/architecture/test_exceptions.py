"""House style, rule 15: no ``except Exception``, which would swallow our own bugs."""

import ast

import pytest
from tests.architecture import sources


def too_broad(tree: ast.Module) -> list[int]:
    """Return the lines of handlers that catch Exception, or everything without saying so."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = [getattr(one, "id", getattr(one, "attr", None)) for one in caught]
            if None in names or "Exception" in names:
                found.append(node.lineno)
        elif isinstance(node, ast.Call) and "suppress" in ast.unparse(node.func):
            broad = {"Exception", "BaseException"} & {ast.unparse(one) for one in node.args}
            found += [node.lineno] if broad else []
    return found


def test_no_handler_is_too_broad() -> None:
    found = [
        sources.place(path, line)
        for path in sources.modules()
        for line in too_broad(sources.tree_of(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "handler",
    ["except Exception:", "except:", "except (OSError, Exception):", "except builtins.Exception:"],
)
def test_a_broad_handler_is_seen(handler: str) -> None:
    assert too_broad(ast.parse(f"try: pass\n{handler} pass"))


def test_a_broad_suppress_is_seen() -> None:
    assert too_broad(ast.parse("with contextlib.suppress(Exception): pass"))


def test_a_narrow_handler_passes() -> None:
    assert not too_broad(ast.parse("try: pass\nexcept (OSError, KeyError): pass"))
