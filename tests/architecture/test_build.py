"""Both builds come from one source, and ``HALFOPEN_PURE=1`` gets the sources."""

import os
import re
import runpy
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from tests.architecture import sources

from halfopen.base.build import COMPILED, SourceFinder


@pytest.mark.parametrize("name", COMPILED)
def test_what_is_compiled_exists(name: str) -> None:
    place = sources.PACKAGE.joinpath(*name.split("."))
    assert place.is_dir() or place.with_suffix(".py").is_file()


def test_the_compiler_is_the_one_that_is_locked() -> None:
    backend = runpy.run_path(str(sources.ROOT / "tools" / "backend.py"))
    assert backend["MYPY"] in (sources.ROOT / "requirements.lock").read_text().splitlines()


def test_the_lock_file_names_no_place() -> None:
    lock = (sources.ROOT / "requirements.lock").read_text()
    lines = [line for line in lock.splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[\w.]+", line)] == []


def test_the_source_is_found_beside_a_compiled_twin(tmp_path: Path) -> None:
    (tmp_path / "seq.py").write_text("x = 1")
    (tmp_path / f"seq{EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    spec = SourceFinder.find_spec("halfopen.seq", [str(tmp_path)])
    assert spec is not None
    assert spec.origin == str(tmp_path / "seq.py")


def test_other_packages_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "seq.py").write_text("x = 1")
    assert SourceFinder.find_spec("other.seq", [str(tmp_path)]) is None
    assert SourceFinder.find_spec("halfopen", None) is None


def test_halfopen_pure_gets_the_sources() -> None:
    code = (
        "from halfopen.base.build import running_build; import halfopen.wire.seq as seq;"
        "print(running_build(), seq.__file__.endswith('.py'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "HALFOPEN_PURE": "1"},
    )
    assert done.stdout.split() == ["pure", "True"]
