"""A guest's modules do what CPython's do: results, errors and their words."""

import pytest
from tests.unit.guest import beside

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]  # the first row of a table runs it all


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table in beside.TABLES for name in beside.read(table)[1]]
)
def test_as_cpython(table: str, name: str) -> None:
    guest, real = beside.outcomes(table)[name]
    assert guest == real
