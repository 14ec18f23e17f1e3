"""``tools/matrix.py`` finds a Python to run, or says which there are."""

import runpy
import sys
from pathlib import Path

import pytest
from tests.architecture import sources


@pytest.mark.parametrize("action", ["build", "test"])
@pytest.mark.parametrize(
    ("there", "only", "said"),
    [
        (("3.11", "3.12"), ("--only", "3.9"), "no Python 3.9 here; there are: 3.11, 3.12"),
        ((), (), "no Python 3.11 to 3.13 here; there are: none"),
    ],
)
def test_a_python_that_is_not_installed_is_told(
    action: str,
    there: tuple[str, ...],
    only: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    matrix = runpy.run_path(str(sources.ROOT / "tools" / "matrix.py"))
    main, python = matrix["main"], matrix["Python"]
    pythons = [python(version, "", Path(), compiled=False) for version in there]
    monkeypatch.setitem(main.__globals__, "installed", lambda _: pythons)
    monkeypatch.setattr(sys, "argv", ["matrix.py", action, *only])
    assert main() == 2
    assert capsys.readouterr().err.splitlines() == [said]
