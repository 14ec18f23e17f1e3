"""Exceptions that the user named are no crash."""

import pytest

from halfopen.explore.verdict import Crash, is_expected


@pytest.mark.parametrize(
    ("how", "names", "expected"),
    [
        ("uncaught ConnectionResetError: [Errno 104] no", ("ConnectionResetError",), True),
        ("uncaught ConnectionResetError: [Errno 104] no", ("OSError",), True),
        ("uncaught ConnectionResetError: [Errno 104] no", ("TimeoutError",), False),
        ("uncaught ConnectionResetError: [Errno 104] no", (), False),
        ("uncaught shop.Closed: today", ("shop.Closed",), True),
        ("uncaught shop.Closed: today", ("OSError",), False),
        ("uncaught KeyError", ("LookupError",), True),
        ("uncaught print: a function, no class", ("print",), True),
        ("uncaught print: a function, no class", ("OSError",), False),
    ],
)
def test_expected(how: str, names: tuple[str, ...], expected: bool) -> None:
    assert is_expected(Crash(host="a", process="p", how=how), names) is expected
