"""Exceptions that the user named are no crash."""

import pytest

from halfopen.explore.verdict import Crash, is_expected

RESET = ("ConnectionResetError", "ConnectionError", "OSError", "Exception", "BaseException")
OWN = ("Closed", "URLError", "OSError", "Exception", "BaseException")


@pytest.mark.parametrize(
    ("how", "classes", "names", "expected"),
    [
        ("ConnectionResetError: [Errno 104] no", RESET, ("ConnectionResetError",), True),
        ("ConnectionResetError: [Errno 104] no", RESET, ("ValueError", "OSError"), True),
        ("ConnectionResetError: [Errno 104] no", RESET, ("TimeoutError",), False),
        ("ConnectionResetError: [Errno 104] no", RESET, (), False),
        ("Closed: today", OWN, ("Closed",), True),
        ("Closed: today", OWN, ("OSError",), True),
        ("Closed: today", OWN, ("TimeoutError",), False),
    ],
)
def test_expected(
    how: str, classes: tuple[str, ...], names: tuple[str, ...], expected: bool
) -> None:
    crash = Crash(host="a", process="p", how=f"uncaught {how}", classes=classes)
    assert is_expected(crash, names) is expected
