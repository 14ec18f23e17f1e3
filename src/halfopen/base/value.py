"""Immutable values for everything off the hot path."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """Make a keyword-only, slotted value class.

    Type checkers see it as frozen, and it is hashed by its fields; at run time nothing is paid for
    that (``frozen=True`` costs 2.3 to 2.5 times a plain slotted dataclass).
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
