"""House style §2: the directions of imports, as import-linter holds them."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture import sources

_LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]


def _lint(cwd: Path, search: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_LINT, "--no-cache", "--config", str(cwd / "pyproject.toml")],
        check=False, capture_output=True, text=True, cwd=cwd,
        env={"PYTHONPATH": str(search), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@pytest.mark.slow
def test_imports_keep_their_direction() -> None:
    done = _lint(sources.ROOT, sources.PACKAGE.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("wire", "import halfopen.tcp", "One direction"),
        ("tcp", "import time", "No clock, entropy"),
        ("oracle", "import halfopen.net", "The judge"),
        ("novelty", "", "One direction"),
    ],
)
def test_a_wrong_import_is_seen(tmp_path: Path, module: str, line: str, contract: str) -> None:
    for layer in (path for path in sources.PACKAGE.iterdir() if (path / "__init__.py").exists()):
        (tmp_path / "halfopen" / layer.name).mkdir(parents=True)
        (tmp_path / "halfopen" / layer.name / "__init__.py").touch()
    (tmp_path / "halfopen" / "__init__.py").touch()
    (tmp_path / "halfopen" / module).mkdir(exist_ok=True)
    (tmp_path / "halfopen" / module / "__init__.py").write_text(line)
    (tmp_path / "pyproject.toml").write_text((sources.ROOT / "pyproject.toml").read_text())
    done = _lint(tmp_path, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(contract in row and "BROKEN" in row for row in done.stdout.splitlines()), done.stdout
