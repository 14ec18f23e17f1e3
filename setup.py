"""Metadata lies in pyproject.toml. Here: compilation with mypyc, where ``HALFOPEN_COMPILE=1``."""

import os
import runpy
import sys
from pathlib import Path
from typing import Any

from setuptools import setup

ROOT = Path(__file__).parent
PACKAGE = ROOT / "src" / "halfopen"


def sources() -> list[str]:
    """List the files to compile, in a fixed order, so that every build makes the same C."""
    compiled: tuple[str, ...] = runpy.run_path(str(PACKAGE / "base" / "build.py"))["COMPILED"]
    found: list[Path] = []
    for name in compiled:
        place = PACKAGE.joinpath(*name.split("."))
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return [str(path.relative_to(ROOT)) for path in found]


def extensions() -> list[Any]:
    """Return the extension modules: none for a pure build, nor for metadata alone."""
    if os.environ.get("HALFOPEN_COMPILE") != "1" or {"egg_info", "dist_info"} & set(sys.argv):
        return []
    from mypyc.build import mypycify

    # -O1 and several C files: -O3 took 2.7 times as long to build, and gave no measurable speed.
    tag = sys.implementation.cache_tag
    return mypycify(
        ["--config-file", str(ROOT / "pyproject.toml"), "--follow-imports=silent", *sources()],
        opt_level="1",
        debug_level="0",
        multi_file=True,
        target_dir=f"build/mypyc-{tag}",
        group_name="halfopen",
    )


setup(ext_modules=extensions())
