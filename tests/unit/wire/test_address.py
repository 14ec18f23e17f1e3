import pytest

from halfopen.wire import address
from halfopen.wire.errors import WireError


@pytest.mark.parametrize("text", ["0.0.0.0", "10.0.0.1", "255.255.255.255", "127.1.2.3"])
def test_there_and_back(text: str) -> None:
    assert address.from_bytes(address.to_bytes(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0",
        "10.0.0.1.2",
        "10.0.0.256",
        "10.0.0.01",
        "10.0.0.-1",
        "a.b.c.d",
        "10.0.0.",
        "::1",
        "1.1.1.\N{SUPERSCRIPT TWO}",
        "1.1.1.1000",
        "10.0.0.1 ",
    ],
)
def test_what_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="canonical"):
        address.to_bytes(text)


def test_kinds_of_addresses() -> None:
    assert address.is_loopback("127.255.0.1")
    assert not address.is_loopback("12.7.0.1")
    assert [address.is_multicast(f"{n}.0.0.1") for n in (223, 224, 239, 240)] == [
        False,
        True,
        True,
        False,
    ]
    assert address.number("0.0.1.2") == 258
