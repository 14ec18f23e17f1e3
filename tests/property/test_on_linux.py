"""The real kernel beside the simulated host, on cases that hypothesis writes.

``make agree`` takes thousands of them (``agree``).
"""

import platform
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from tests.property import binding_cases, routing_cases
from tests.property.agree import MATTERS, apart
from tests.property.on_linux import Linux, linux
from tests.property.recorded import split

#: The profile that the stack follows.
RELEASE: Final = "6.18"
RECORDED: Final = {"binding": binding_cases.CASES, "routing": routing_cases.CASES}
#: A host is a namespace: it takes its time.
SOME: Final = {"binding": 400, "routing": 40}

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(90),
    pytest.mark.skipif(
        not platform.release().startswith(RELEASE), reason=f"the cases tell of Linux {RELEASE}"
    ),
]


@pytest.fixture(scope="module", name="kernel")
def _kernel() -> Iterator[Linux]:
    with linux() as child:
        yield child


@pytest.mark.parametrize(
    ("matter", "name"), [(matter, name) for matter, cases in RECORDED.items() for name in cases]
)
def test_a_recorded_case(kernel: Linux, matter: str, name: str) -> None:
    case, told = split(RECORDED[matter][name])
    assert not apart(matter, case, told, kernel)


@pytest.mark.parametrize("matter", MATTERS)
def test_cases_as_hypothesis_likes(kernel: Linux, matter: str) -> None:
    """The same ones every time, so that what fails here fails again."""
    written, here = MATTERS[matter]

    @settings(max_examples=SOME[matter], derandomize=True, database=None, deadline=None)
    @given(written)
    def agree(case: Any) -> None:
        assert not apart(matter, case, here(case), kernel)

    agree()


def test_a_stack_that_differs_is_seen(kernel: Linux) -> None:
    case = ["eth0 10.0.0.1/24 10.0.0.9/24", "to 10.0.0.9"]
    assert apart("routing", case, ["10.0.0.9"], kernel) == ["10.0.0.9, Linux: 10.0.0.1"]
