"""The order of the checks is the RFC's, and each says which it is.

It is read from the sources, where the hot path spells its calls out, and from ``CHECKS``.
"""

import ast
from typing import Final

import pytest
from tests.architecture import sources

from halfopen.tcp.arrives import syn_sent

_TCP: Final = sources.PACKAGE / "tcp"
ORDINALS: Final = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth")


def functions(path: str) -> dict[str, ast.FunctionDef]:
    """The functions of a file in ``tcp``, by name."""
    tree = ast.parse((_TCP / path).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def ordinal(function: ast.FunctionDef) -> int:
    """Which check a function says it is: 1 for "First: ..."; 0 for none of the RFC's."""
    word = (ast.get_docstring(function) or "").partition(":")[0].partition(",")[0]
    return ORDINALS.index(word) + 1 if word in ORDINALS else 0


def calls_in_order(function: ast.FunctionDef, names: set[str]) -> list[str]:
    """The calls of these names, from top to bottom; ``text.check_urg`` is ``check_urg``."""
    found = [
        (node.lineno, node.col_offset, _name(node.func))
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and _name(node.func) in names
    ]
    return [name for _, _, name in sorted(found)]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def steps(path: str, *more: str) -> list[tuple[str, int]]:
    """What ``segment_arrives`` of a file calls, and which check each of it is."""
    known = functions(path)
    entry = known.pop("segment_arrives")
    for other in more:
        known |= functions(other)
    checks = {name: number for name, node in known.items() if (number := ordinal(node))}
    return [(name, checks[name]) for name in calls_in_order(entry, set(checks))]


def test_synchronized() -> None:
    """RFC 9293 3.10.7.4; the third, security, has no function. Linux looks at FIN with the text."""
    assert steps("arrives/synchronized.py", "text.py") == [
        ("check_sequence", 1),
        ("check_rst", 2),
        ("check_syn", 4),
        ("check_ack", 5),
        ("check_urg", 6),
        ("segment_text", 7),
    ]


def test_the_eighth_check_follows_the_seventh() -> None:
    text = functions("text.py")
    assert ordinal(text["check_fin"]) == 8
    assert "check_fin" in calls_in_order(text["segment_text"], {"check_fin"})


def test_syn_sent() -> None:
    """RFC 9293 3.10.7.3; the fourth drops what the fifth would."""
    known = functions("arrives/syn_sent.py")
    named = [check.__name__ for check in syn_sent.CHECKS]
    assert named == ["check_ack", "check_rst", "check_security", "check_syn"]
    assert [ordinal(known[name]) for name in named] == [1, 2, 3, 4]


def test_listen() -> None:
    """RFC 9293 3.10.7.2; the third drops what the fourth would."""
    assert steps("arrives/listen.py") == [("check_rst", 1), ("check_ack", 2), ("check_syn", 3)]


def test_syn_received_has_the_order_of_linux() -> None:
    """tcp_check_req looks at the SYN again and at the ACK's number before all; then as the RFC."""
    known = functions("arrives/syn_received.py")
    entry = known.pop("segment_arrives")
    assert calls_in_order(entry, set(known)) == [
        "check_syn_again",
        "check_ack_number",
        "check_window",
        "check_rst",
        "check_syn",
        "check_ack",
    ]
    ordinals = [
        ordinal(known[name]) for name in ("check_window", "check_rst", "check_syn", "check_ack")
    ]
    assert ordinals == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("source", "order"),
    [
        pytest.param("if b():\n  return\na()", ["b", "a"], id="the wrong order"),
        pytest.param("a()", ["a"], id="one left out"),
        pytest.param("text.a()\nif not x.b(1): return", ["a", "b"], id="another module's"),
    ],
)
def test_disorder_would_be_seen(source: str, order: list[str]) -> None:
    body = "\n".join("    " + line for line in source.splitlines())
    function = ast.parse(f"def segment_arrives():\n{body}").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert calls_in_order(function, {"a", "b"}) == order
