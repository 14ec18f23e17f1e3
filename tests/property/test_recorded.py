"""The simulated host tells what Linux told, in the recorded cases.

Who may have which port, and from which address a host sends; ``test_on_linux`` asks Linux again.
"""

import pytest
from tests.property import binding, binding_cases, routing, routing_cases
from tests.property.recorded import split


@pytest.mark.parametrize("name", binding_cases.CASES)
def test_sockets_that_want_the_same_ports(name: str) -> None:
    program, told = split(binding_cases.CASES[name])
    assert binding.here(program) == told


@pytest.mark.parametrize("name", routing_cases.CASES)
def test_a_host_that_sends(name: str) -> None:
    case, told = split(routing_cases.CASES[name])
    assert routing.here(case) == told
