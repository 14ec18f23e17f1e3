"""The build backend: setuptools, plus mypy as a build requirement where ``HALFOPEN_COMPILE=1``.

A pure build (the default) needs setuptools alone, no mypy and no C compiler.
"""

import os
from typing import Any, Final

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

#: mypyc's C code differs from one release of mypy to the next: the one that the lock file tests.
MYPY: Final = "mypy==2.4.1"


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Name what a wheel needs: nothing more for a pure one, mypy for a compiled one."""
    requires: list[str] = build_meta.get_requires_for_build_wheel(config_settings)
    if os.environ.get("HALFOPEN_COMPILE") == "1":
        requires.append(MYPY)
    return requires
