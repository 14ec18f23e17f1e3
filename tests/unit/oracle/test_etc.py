"""A scenario's files are its process's alone: on the machine nothing is written."""

from pathlib import Path

import pytest

from halfopen.oracle import etc


@pytest.mark.parametrize("inside", ["x", "etc/../x", "etcetera"])
def test_a_file_that_is_not_below_etc_is_refused_before_anything_happens(
    inside: str, tmp_path: Path
) -> None:
    path = tmp_path / inside
    with pytest.raises(AssertionError, match="the machine's own"):
        etc.enter({str(path): "", "/etc/hosts": ""}, "host")
    assert not path.exists()


def test_a_way_out_of_etc_is_refused() -> None:
    with pytest.raises(AssertionError, match="the machine's own"):
        etc.enter({"/etc/../x": ""}, "host")
