"""A guest's modules do what CPython's do: results, errors and their words."""

import socket

import pytest
from tests.unit.guest import beside


def has_ipv6() -> bool:
    """Whether this machine's loopback speaks IPv6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]  # the first row of a table runs it all


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table in beside.TABLES for name in beside.read(table)[1]]
)
def test_as_cpython(table: str, name: str) -> None:
    guest, real = beside.outcomes(table)[name]
    if table == "socket6" and not has_ipv6():  # the guest has it, and ran
        pytest.skip("this machine has no IPv6")
    assert guest == real
