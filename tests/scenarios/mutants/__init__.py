"""Stacks that do what a note claims: a file for each group of rows, with its ``MUTATIONS``."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeAlias

import pytest

#: Row, what the note claims, and what makes a stack of which it would be true.
Mutation: TypeAlias = tuple[str, str, Callable[[pytest.MonkeyPatch], None]]


def all_mutations() -> list[Mutation]:
    """Those of every file."""
    found: list[Mutation] = []
    for module in iter_modules(__path__):
        found += import_module(f"{__name__}.{module.name}").MUTATIONS
    return sorted(found, key=lambda mutation: mutation[:2])
