"""What people may import from ``halfopen``: a name that comes or goes is a decision."""

from types import ModuleType
from typing import Final

import pytest

import halfopen

PUBLIC: Final[list[str]] = [
    "HalfopenError",
    "Host",
    "MisuseError",
    "NotPossibleHereError",
    "Run",
    "World",
]


def test_the_public_names_are_these() -> None:
    assert sorted(halfopen.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_imported_when_it_is_asked_for(name: str) -> None:
    assert getattr(halfopen, name).__name__ == name


def test_what_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Wrold'"):
        _ = halfopen.Wrold


def test_nothing_else_looks_public() -> None:
    found = [
        name
        for name, what in vars(halfopen).items()
        if not name.startswith("_") and not isinstance(what, ModuleType) and name not in PUBLIC
    ]
    assert found == []
