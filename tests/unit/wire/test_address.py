import pytest

from halfopen.wire import address
from halfopen.wire.errors import WireError


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "10.0.0.1", "255.255.255.255", "127.1.2.3"),
        *("::", "::1", "1::", "fe80::1", "2001:db8::", "1:2:3:4:5:6:7:8", "ff02::1:ff00:1"),
        *("1:0:0:2::3", "1::2:0:0:3:0", "1:0:2:3:4:5:6:7", "::ffff:10.0.0.1", "::10.0.0.1"),
        *("::ffff:0:a00:1", "0:1::"),
    ],
)
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
        "1.1.1.\N{SUPERSCRIPT TWO}",
        "1.1.1.1000",
        "10.0.0.1 ",
        "2001:DB8::1",
        "0:0:0:0:0:0:0:1",
        "1::2::3",
        ":1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "g::",
        "::10.0.0.256",
        "10.0.0.1::",
        "1:2:3:4:5:6:7:8::",
        "2001:0db8::1",
        ":",
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


def test_kinds_of_ipv6_addresses() -> None:
    assert address.is_loopback("::1")
    assert not address.is_loopback("::")
    assert [address.is_multicast(text) for text in ("ff02::1", "ff::1", "fff::1", "::")] == [
        True,
        False,
        False,
        False,
    ]
    kinds = ("fe80::1", "febf::1", "fec0::1", "fe7f::1", "fe8::1", "10.0.0.1")
    assert [address.is_link_local(text) for text in kinds] == [True, True, *(4 * [False])]
    assert (address.bits("::"), address.bits("0.0.0.0")) == (128, 32)
    assert address.number("::0.1.0.2") == 0x1_0002


def test_a_zone_is_not_on_the_wire() -> None:
    assert address.to_bytes("fe80::1%2") == address.to_bytes("fe80::1")
    assert address.zoned("fe80::1", 2) == "fe80::1%2"
    assert address.zoned("fe80::1%7", 2) == "fe80::1%2"
    assert address.zoned("2001:db8::1", 2) == "2001:db8::1"
    assert address.zoned("fe80::1", 0) == "fe80::1"
    assert [address.zone_of(text) for text in ("fe80::1%2", "fe80::1", "10.0.0.1")] == [2, 0, 0]


def test_ipv4_addresses_on_an_ipv6_socket() -> None:
    assert address.mapped("10.0.0.1") == "::ffff:10.0.0.1"
    assert address.unmapped("::ffff:10.0.0.1") == "10.0.0.1"
    assert address.unmapped("::ffff:0:1") == "::ffff:0:1"
    assert address.unmapped("::1") == "::1"


@pytest.mark.parametrize("text", ["10.0.0.1", "2001:db8::1", "fe80::1%2"])
def test_an_address_with_a_port_and_alone(text: str) -> None:
    assert address.host_of(address.spell(text, 80)) == text
    assert address.host_of(text) == text
