"""The real kernel beside the simulated host, on cases that hypothesis writes.

``make agree`` takes thousands of them (``agree``).
"""

import platform
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from tests.property import binding
from tests.property.agree import apart
from tests.property.binding_cases import CASES
from tests.property.on_linux import Linux, linux
from tests.property.test_binding import split

#: The profile that the stack follows.
RELEASE = "6.18"

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(90),
    pytest.mark.skipif(
        not platform.release().startswith(RELEASE), reason=f"the cases tell of Linux {RELEASE}"
    ),
]
#: The same cases every time, so that what fails here fails again.
SOME = settings(max_examples=300, derandomize=True, database=None, deadline=None)


@pytest.fixture(scope="module", name="kernel")
def _kernel() -> Iterator[Linux]:
    with linux() as child:
        yield child


@pytest.mark.parametrize("name", CASES)
def test_a_recorded_program_of_sockets(kernel: Linux, name: str) -> None:
    program, told = split(CASES[name])
    assert kernel.answer("binding", program) == told


def test_sockets_that_want_the_same_ports(kernel: Linux) -> None:
    @SOME
    @given(binding.programs())
    def agree(program: binding.Program) -> None:
        assert not apart("binding", program, kernel)

    agree()
