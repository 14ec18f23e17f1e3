"""What is set in a namespace stays in it."""

import pytest

from halfopen.oracle import namespaces


def test_only_a_namespaces_own_sysctls_are_set() -> None:
    with pytest.raises(AssertionError, match="the whole machine's"):
        namespaces.set_sysctl("kernel.no_such_name", 1)
