"""Every sysctl of the table is read: setting one that is not would change nothing."""

import pytest
from tests.architecture.sources import modules

from halfopen.net.sysctl import DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_sysctl_is_read(name: str) -> None:
    last = name.rpartition(".")[2]
    entry = f'"{name}": '
    assert any(last in path.read_text().replace(entry, "") for path in modules())
