"""What people may import from ``halfopen``: a name that comes or goes is a decision."""

from types import ModuleType
from typing import Final

import halfopen

PUBLIC: Final[list[str]] = []


def test_the_public_names_are_these() -> None:
    assert sorted(halfopen.__all__) == sorted(PUBLIC)


def test_nothing_else_looks_public() -> None:
    found = [
        name
        for name, what in vars(halfopen).items()
        if not name.startswith("_") and not isinstance(what, ModuleType) and name not in PUBLIC
    ]
    assert found == []
