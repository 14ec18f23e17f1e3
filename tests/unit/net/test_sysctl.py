"""The sysctls: Linux's names and defaults; a name that means nothing is the user's mistake."""

import pytest

from halfopen.base.errors import MisuseError
from halfopen.net.sysctl import integer, ports, reserved_ports, with_defaults


def test_what_is_not_named_keeps_its_default() -> None:
    table = with_defaults({"net.ipv4.tcp_retries2": 3})
    assert integer(table, "net.ipv4.tcp_retries2") == 3
    assert integer(table, "net.ipv4.tcp_fin_timeout") == 60


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("net.ipv4.tcp_retries", "Nearest: net.ipv4.tcp_retries"),
        ("kernel.hostname", "no sysctl kernel.hostname"),
    ],
)
def test_an_unknown_name(name: str, says: str) -> None:
    with pytest.raises(MisuseError, match=says):
        with_defaults({name: 1})


def test_a_name_that_resembles_none_has_no_hint() -> None:
    with pytest.raises(MisuseError) as told:
        with_defaults({"xyzzy": 1})
    assert "Nearest" not in str(told.value)


def test_ports() -> None:
    assert ports(with_defaults({})) == (32768, 60999)
    assert ports(with_defaults({"net.ipv4.ip_local_port_range": "2000\t3000"})) == (2000, 3000)


@pytest.mark.parametrize(
    ("text", "reserved"),
    [("", set()), ("8080", {8080}), ("8080, 9148-9150", {8080, 9148, 9149, 9150})],
)
def test_reserved_ports(text: str, reserved: set[int]) -> None:
    table = with_defaults({"net.ipv4.ip_local_reserved_ports": text})
    assert reserved_ports(table) == reserved
